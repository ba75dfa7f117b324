# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Before each request: bring the records up to date, so that a client sees what AWS would have done meanwhile.

No background thread: what runs on its own in AWS (agents register, services make progress) is caught up with at the
start of the next request of a service where it can be seen.
"""

from moto.autoscaling.responses import AutoScalingResponse
from moto.ec2.responses import EC2Response
from moto.ecs.models import ecs_backends
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elbv2.responses import ELBV2Response

from embedded_endpoint.gaps import autoscaling_instance_refresh, reconcile
from embedded_endpoint.gaps.patching import LOCK, replace


@replace(EC2ContainerServiceResponse, "call_action")
def _ecs(original, self):
    with LOCK:
        # DescribeServices makes its own services advance by exactly one step (see ecs_services).
        reconcile.catch_up(self.ecs_backend, advance=self._get_action() != "DescribeServices")
        return original(self)


@replace(ELBV2Response, "call_action")
def _elbv2(original, self):
    with LOCK:
        reconcile.catch_up(ecs_backends[self.current_account][self.region])
        return original(self)


@replace(AutoScalingResponse, "call_action")
def _autoscaling(original, self):
    with LOCK:
        autoscaling_instance_refresh.catch_up(self.autoscaling_backend)
        return original(self)


@replace(EC2Response, "call_action")
def _ec2(original, self):
    with LOCK:
        return original(self)
