# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A reset, and the first call after it, in milliseconds instead of 1.5 s.

moto 5.2.5 builds every backend anew in order to throw it away, and loads AWS's 1,582 managed policies for each of six
partitions at the first call of any service (seen with cProfile). It reads botocore's model of a service twice at the
service's first call, once for its regions and once for its operations (EC2's: 0.1 s each time). EC2's backend begins with
1,285 images, each with a snapshot and a volume (60 ms), and never goes away: a cache of a subnet's method keeps it (4 MB a
reset, seen with gc.get_referrers).
"""

import copy
import functools
import json

from moto.core import utils
from moto.core.base_backend import AccountSpecificBackend, BaseBackend
from moto.ec2.models.amis import AmiBackend
from moto.ec2.models.subnets import Subnet
from moto.iam import models as iam

from embedded_endpoint.gaps.patching import replace


@replace(AccountSpecificBackend)
def reset(original, self):
    # The caller drops all backends right after this; only those that hold files or processes must clean up.
    for backend in list(self.values()):
        if type(backend).reset is not BaseBackend.reset:
            backend.reset()


_regions: dict[str, list[str]] = {}


@replace(AccountSpecificBackend)
def _generate_regions(original, self, service_name):
    # The same for each account; moto's cache asks anew for each, and keeps the accounts.
    if service_name not in _regions:
        _regions[service_name] = original.__wrapped__(self, service_name)
    return _regions[service_name]


@functools.cache
def _policies(account_id: str, partition: str) -> list[iam.AWSManagedPolicy]:
    data = json.loads(iam.aws_managed_policies_data)
    return [iam.AWSManagedPolicy.from_data(name, account_id, partition, values) for name, values in data.items()]


@replace(iam.IAMBackend)
def _init_aws_policies(original, self):
    if self.region_name != "aws":  # the partition; China and GovCloud have no managed policies here
        return []
    # Copies, since each counts what it is attached to; what they are made of nobody changes.
    return [copy.copy(policy) for policy in _policies(self.account_id, self.region_name)]


_load_amis = AmiBackend._load_amis


def _amis(self: AmiBackend) -> dict:
    if self.__dict__.pop("_amis_are_due", False):
        _load_amis(self)
    return self.__dict__["_amis"]


def _set_amis(self: AmiBackend, amis: dict) -> None:
    self.__dict__["_amis"] = amis


AmiBackend.amis = property(_amis, _set_amis)


@replace(AmiBackend, "_load_amis")
def _load_amis_when_asked_for(original, self):
    self.__dict__["_amis_are_due"] = True


@replace(Subnet)
def _base_avail_ip_iterator(original, self):
    # Each time the same one, as ever, but kept with the subnet.
    if "_free" not in self.__dict__:
        self.__dict__["_free"] = self.cidr.hosts()
    return self.__dict__["_free"]


# The loader of the session that moto asks for regions; it keeps what it has read.
utils.create_loader = lambda: AccountSpecificBackend.get_session()._session.get_component("data_loader")
