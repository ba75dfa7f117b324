# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""DeleteLoadBalancer respects deletion protection; moto 5.2.5 doesn't look at it.

(Its listeners and rules go with it, and DeleteTargetGroup of one in use is refused: moto does both.)
"""

from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend

from embedded_endpoint.gaps.patching import replace


@replace(ELBv2Backend)
def delete_load_balancer(original, self, arn):
    balancer = self.load_balancers.get(arn)
    if balancer is not None and str(balancer.attrs.get("deletion_protection.enabled")).lower() == "true":
        raise ELBClientError(
            "OperationNotPermitted", f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
        )
    return original(self, arn)
