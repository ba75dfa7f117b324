# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""DeleteSecurityGroup of a group in use is a DependencyViolation; moto 5.2.5 deletes it."""

from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.responses import EC2Response
from moto.elbv2 import elbv2_backends

from embedded_endpoint.gaps.patching import replace


@replace(EC2Response)
def delete_security_group(original, self):
    # At the API, not in the backend: moto itself deletes the default group with its VPC.
    name = self._get_param("GroupName")
    group = self.ec2_backend.get_security_group_by_name_or_id(self._get_param("GroupId") or name)
    if group is not None:
        if group.is_default:
            raise EC2ClientError(
                "CannotDelete", f'the specified group: "{group.id}" name: "default" cannot be deleted by a user'
            )
        if _in_use(self.ec2_backend, elbv2_backends[self.current_account][self.region], group):
            raise DependencyViolationError(f"resource {group.id} has a dependent object")
    return original(self)


def _in_use(ec2, elbv2, group) -> bool:
    """Whether another group's rule, an instance, a network interface or a load balancer refers to the group."""
    for groups in ec2.groups.values():
        for other in groups.values():
            if other.id == group.id:
                continue
            for rule in [*other.ingress_rules, *other.egress_rules]:
                if (rule.source_group or {}).get("GroupId") == group.id:
                    return True
    for instance in ec2.all_instances():
        if instance.state != "terminated" and group.id in [each.id for each in instance.security_groups]:
            return True
    for interface in ec2.enis.values():
        instance = getattr(interface, "instance", None)
        if instance is not None and instance.state == "terminated":
            continue
        if group.id in [each.id for each in interface.group_set]:
            return True
    return any(group.id in (balancer.security_groups or []) for balancer in elbv2.load_balancers.values())
