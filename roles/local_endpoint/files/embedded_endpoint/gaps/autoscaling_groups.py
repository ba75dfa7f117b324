# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Auto scaling groups: instances in all subnets, with the template version they were launched with; options that get
lost; deleting a group that still has instances.

moto 5.2.5 launches every instance in the group's first subnet, shows the template's present default version for each,
ignores DefaultCooldown and TerminationPolicies in UpdateAutoScalingGroup, takes a grace period or cooldown of 0 for
none given (300), deletes a group with instances without ForceDelete, and leaves instances that are protected from
scale-in running after the group is gone.
"""

from collections import Counter

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.models import FakeAutoScalingGroup, InstanceState
from moto.autoscaling.responses import AutoScalingResponse

from embedded_endpoint.gaps.patching import replace


@replace(FakeAutoScalingGroup)
def replace_autoscaling_group_instances(original, self, count_needed, propagated_tags):
    known = {state.instance.id for state in self.instance_states}
    _launch(original, self, count_needed, propagated_tags)
    for state in self.instance_states:
        if state.instance.id not in known:
            state.launched_with = current_version(self)


def _launch(original, group, count_needed, propagated_tags):
    subnets = [each.strip() for each in (group.vpc_zone_identifier or "").split(",") if each.strip()]
    if len(subnets) < 2:
        original(group, count_needed, propagated_tags)
        return
    whole = group.vpc_zone_identifier
    try:
        for _ in range(count_needed):
            used = Counter(state.instance.subnet_id for state in group.instance_states)
            group.vpc_zone_identifier = min(subnets, key=lambda subnet: used[subnet])
            original(group, 1, dict(propagated_tags))
    finally:
        group.vpc_zone_identifier = whole


def current_version(group) -> dict[str, str] | None:
    """The launch template and the number of the version that the group launches now, None without a template."""
    template = group.ec2_launch_template
    if template is None:
        return None
    number = template.get_version(group.launch_template_version).number
    return {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "Version": str(number)}


# Not `replace`: a property. An attached instance was not launched by the group and has none.
InstanceState.launch_template = property(lambda self: vars(self).get("launched_with"))


@replace(AutoScalingResponse)
def create_auto_scaling_group(original, self):
    result = original(self)
    group = self.autoscaling_backend.autoscaling_groups[self._get_param("AutoScalingGroupName")]
    if self._get_int_param("HealthCheckGracePeriod") == 0:
        group.health_check_grace_period = 0
    if self._get_int_param("DefaultCooldown") == 0:
        group.default_cooldown = 0
    return result


@replace(AutoScalingResponse)
def update_auto_scaling_group(original, self):
    result = original(self)
    group = self.autoscaling_backend.autoscaling_groups[self._get_param("AutoScalingGroupName")]
    if (cooldown := self._get_int_param("DefaultCooldown")) is not None:
        group.default_cooldown = cooldown
    if policies := self._get_param("TerminationPolicies"):
        group.termination_policies = policies
    return result


@replace(AutoScalingResponse)
def delete_auto_scaling_group(original, self):
    group = self.autoscaling_backend.autoscaling_groups.get(self._get_param("AutoScalingGroupName"))
    if group is not None and group.instance_states:
        if not self._get_bool_param("ForceDelete", False):
            raise AutoscalingClientError(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
                "still in the group.",
            )
        for state in group.instance_states:
            state.protected_from_scale_in = False
    return original(self)
