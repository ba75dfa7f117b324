# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A reset, and the first call after it, in milliseconds instead of 1.5 s.

moto 5.2.5 builds every backend anew in order to throw it away, and loads AWS's 1,582 managed policies for each of six
partitions at the first call of any service (seen with cProfile). It reads botocore's model of a service twice at the
service's first call, once for its regions and once for its operations (EC2's: 0.1 s each time).
"""

import functools
import json

from moto.core import utils
from moto.core.base_backend import AccountSpecificBackend, BaseBackend
from moto.iam import models as iam

from embedded_endpoint.gaps.patching import replace


@replace(AccountSpecificBackend)
def reset(original, self):
    # The caller drops all backends right after this; only those that hold files or processes must clean up.
    for backend in list(self.values()):
        if type(backend).reset is not BaseBackend.reset:
            backend.reset()


@functools.cache
def _policies() -> dict:
    return json.loads(iam.aws_managed_policies_data)


@replace(iam.IAMBackend)
def _init_aws_policies(original, self):
    if self.region_name != "aws":  # the partition; China and GovCloud have no managed policies here
        return []
    return [
        iam.AWSManagedPolicy.from_data(name, self.account_id, self.region_name, dict(data))
        for name, data in _policies().items()
    ]


# The loader of the session that moto asks for regions; it keeps what it has read.
utils.create_loader = lambda: AccountSpecificBackend.get_session()._session.get_component("data_loader")
