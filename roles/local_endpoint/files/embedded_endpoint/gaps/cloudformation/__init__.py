# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""CloudFormation of our own (the modules of this package), installed when the first client asks for the service.

moto 5.2.5 makes resources through shortcuts of their classes: it drops most properties (launch template options,
rules of a security group, attributes of a load balancer), propagates a stack's tags to EC2 resources alone, writes no
event about a resource, answers CreateStack with the error of the resource that failed and keeps what was made, and
replaces whatever changes. Here a stack's resources are made by calls of the services' APIs, as CloudFormation does it.

Not installed at start: moto's module brings the models of two dozen services with it (0.3 s).
"""

import functools
from importlib import import_module

from moto import backends


def _watch(original):
    @functools.wraps(original)
    def get_backend(name):
        if name == "cloudformation":
            import_module("embedded_endpoint.gaps.cloudformation.api")
        return original(name)

    return get_backend


backends.get_backend = _watch(backends.get_backend)
