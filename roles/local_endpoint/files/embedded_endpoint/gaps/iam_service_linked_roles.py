# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Service-linked roles under AWS's names.

moto 5.2.5 makes AWSServiceRoleForecs of ecs.amazonaws.com and ApplicationAutoScaling_Ecs of ECS's scaling, and says
EntityAlreadyExists for a second one, where AWS says InvalidInput.
"""

from moto.iam.exceptions import InvalidInput
from moto.iam.models import IAMBackend

from embedded_endpoint.gaps.patching import replace

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html, each service's guide
NAMES = {
    "ecs.amazonaws.com": "AWSServiceRoleForECS",
    "ecs.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_ECSService",
    "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
    "autoscaling.amazonaws.com": "AWSServiceRoleForAutoScaling",
    "spot.amazonaws.com": "AWSServiceRoleForEC2Spot",
}


@replace(IAMBackend)
def create_service_linked_role(original, self, service_name, description, suffix):
    name = NAMES.get(service_name)
    wanted = f"{name}_{suffix}" if suffix else name
    if name and any(role.name == wanted for role in self.roles.values()):
        raise InvalidInput(f"Service role name {wanted} has been taken in this account, please try a different suffix.")
    role = original(self, service_name, description, suffix)
    if name:
        role.name = wanted
    return role
