# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Auto scaling groups: instances in all subnets, and deleting a group that still has instances.

moto 5.2.5 launches every instance in the group's first subnet, deletes a group with instances without ForceDelete,
and leaves instances that are protected from scale-in running after the group is gone.
"""

from collections import Counter

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.models import FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse

from embedded_endpoint.gaps.patching import replace


@replace(FakeAutoScalingGroup)
def replace_autoscaling_group_instances(original, self, count_needed, propagated_tags):
    subnets = [each.strip() for each in (self.vpc_zone_identifier or "").split(",") if each.strip()]
    if len(subnets) < 2:
        return original(self, count_needed, propagated_tags)
    whole = self.vpc_zone_identifier
    try:
        for _ in range(count_needed):
            used = Counter(state.instance.subnet_id for state in self.instance_states)
            self.vpc_zone_identifier = min(subnets, key=lambda subnet: used[subnet])
            original(self, 1, dict(propagated_tags))
    finally:
        self.vpc_zone_identifier = whole


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
