#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: auto_scaling_policy
version_added: 0.1.0
short_description: Keep a target tracking policy of an Auto Scaling group
description:
  - Makes, changes and deletes a policy that keeps a metric of a group's instances near a target.
  - The policy makes its alarms by itself and takes them along. They are shown and never changed here. Where somebody has
    deleted one, the policy is put anew, by which it makes its alarms again.
  - AWS takes one policy for a metric. Where the group has another one that tracks the same metric it is refused, since
    nobody can tell whose that is. Give O(name) its name to take it over, or delete it.
  - A group that ECS scales by a capacity provider (managed scaling) is refused, since two controllers would fight.
  - A policy has no tags of its own. O(owner) is held against the tags of the group, and O(tags) is not used.
  - It is not M(community.aws.autoscaling_policy), which has no check mode.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the policy.
    type: str
    required: true
  auto_scaling_group:
    description: Name of the group.
    type: str
    required: true
  metric:
    description: The metric, averaged over the group's instances.
    type: str
    choices: [ASGAverageCPUUtilization, ASGAverageNetworkIn, ASGAverageNetworkOut]
    default: ASGAverageCPUUtilization
  target:
    description: Percent, or bytes. Needed with O(state=present).
    type: float
  instance_warmup:
    description: Seconds until a new instance counts in the metric. The group's default without it.
    type: int
  disable_scale_in:
    description: Whether the policy never takes instances away.
    type: bool
    default: false
  enabled:
    description: Whether the policy acts.
    type: bool
    default: true
  capacity_provider:
    description:
      - Name of a capacity provider. Where it scales the group (managed scaling), that is switched off first.
      - The scale-in protection of its group and of the instances, which managed termination protection needs, is lifted
        with it. Otherwise a scale-in would lower the desired capacity and terminate nothing.
      - As long as managed scaling is on, all protection counts as ECS's, which protects each instance that it places a
        task on. Once it is off, single instances that are protected while their group isn't are a person's. They stay
        protected, with a warning.
      - The provider stays, and services go on running by it.
    type: str
"""

EXAMPLES = r"""
- name: Keep the instances' CPU near 55 percent
  handson.ecs.auto_scaling_policy:
    name: cpu-55percent-policy
    auto_scaling_group: petclinic-rest-ecs-instances
    target: 55
    instance_warmup: 0
    owner:
      handson:cluster: petclinic-rest-cluster
"""

RETURN = r"""
policy:
  description: The policy in the names of the options, with its ARN and alarms, and the size of its group.
  returned: always
  type: dict
  contains:
    arn:
      description: Its ARN.
      type: str
    alarms:
      description: The alarms that it made.
      type: list
      elements: dict
    group:
      description: Smallest, largest and desired size of the group.
      type: dict
  sample:
    name: cpu-55percent-policy
    metric: ASGAverageCPUUtilization
    target: 55.0
    instance_warmup: 0
    group: {min: 2, max: 4, desired: 2}
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import auto_scaling_groups as groups
from ansible_collections.handson.ecs.plugins.module_utils import auto_scaling_policies as policies
from ansible_collections.handson.ecs.plugins.module_utils import names
from ansible_collections.handson.ecs.plugins.module_utils.compare import chunks, tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.resource import Resource, ResourceError, argument_spec
from ansible_collections.handson.ecs.plugins.module_utils.scalable_targets import THERE, alarm_row, own_alarms

_OPTIONS = ("name", "auto_scaling_group", "metric", "target", "instance_warmup", "disable_scale_in", "enabled")
#: How a capacity provider leaves a group alone.
_NOTHING_LEFT = {"managed_scaling": "DISABLED", "protected_from_scale_in": False}
BUSY = ("ScalingActivityInProgress", "ResourceContention")


class AutoScalingPolicy(Resource):
    kind = "scaling policy"
    result_key = "policy"

    #: what `get` has seen: the group, its policies, the capacity provider that is to leave it alone, what of that is on,
    #: and the instances that are protected although nothing of it is
    _group = None
    _policies = ()
    _provider = None
    _scaled = False
    _protected = False
    _kept = ()

    @property
    def autoscaling(self):
        return self.client("autoscaling")

    @property
    def wanted_tags(self):
        return {}

    def get(self):
        group = groups.find(self.autoscaling, self.params["auto_scaling_group"])
        self._group = group if group and not groups.being_deleted(group) else None
        if self._group is None:
            return None
        pages = self.autoscaling.get_paginator("describe_policies").paginate(
            AutoScalingGroupName=self.params["auto_scaling_group"]
        )
        self._policies = [p for page in pages for p in page["ScalingPolicies"]]
        self._look_at_provider()
        found = next((p for p in self._policies if p["PolicyName"] == self.name), None)
        tags = tags_to_dict(self._group.get("Tags"))
        if found is None:
            # Only what the provider has left.
            taking = self.params["state"] == "absent" and (self._scaled or self._protected)
            return {**self._left(), "tags": tags, "type": None} if taking else None
        alarms = self._alarms(found)
        return {
            **policies.policy_from_aws(found, own_alarms(found, [a["name"] for a in alarms])),
            **self._left(),
            "group": {"min": group["MinSize"], "max": group["MaxSize"], "desired": group["DesiredCapacity"]},
            "alarms": alarms,
            "tags": tags,
        }

    def desired(self, current):
        policies.check(self.params["target"], self.params["instance_warmup"])
        if self._group is None:
            self.resolve(lambda: groups.group(self.autoscaling, self.params["auto_scaling_group"]))
        else:
            names.refuse_foreign_parent(
                "auto scaling group",
                self.params["auto_scaling_group"],
                tags_to_dict(self._group.get("Tags")),
                self.params["owner"],
            )
            self._refuse_two_controllers()
            policies.refuse_rivals(self._policies, self.name, self.params["metric"], self.params["auto_scaling_group"])
        wanted = {**self.given(*_OPTIONS), "type": policies.TARGET_TRACKING, "own_alarms": THERE}
        return {**wanted, **_NOTHING_LEFT} if self.params["capacity_provider"] else wanted

    def create(self, desired):
        self._switch_off()
        self._put(desired)

    def update(self, current, desired, changes):
        self._switch_off()
        if changes <= set(_NOTHING_LEFT):
            return
        if "type" in changes:
            self._delete(self.name)
        self._put(desired)

    def delete(self, current):
        self._switch_off()
        if current["type"]:
            self._delete(self.name)

    def after(self, current, changed):
        self._tell_of_kept()
        return {}

    def _absent(self):
        result = super()._absent()
        if not result.get("foreign"):
            self._tell_of_kept()
        return result

    def _tell_of_kept(self):
        if self._kept:
            group = self.params["auto_scaling_group"]
            self.module.warn(
                f"{', '.join(self._kept)} of the auto scaling group {group!r} stay protected, so that a scale-in terminates "
                f"others, or nothing. It is not the capacity provider {self._provider['name']!r}, which is switched off. If "
                "nobody wants that: "
                f"aws autoscaling set-instance-protection --auto-scaling-group-name {group} --no-protected-from-scale-in "
                f"--instance-ids {' '.join(self._kept)}"
            )

    def _put(self, desired):
        self.retry_on(BUSY, lambda: self.autoscaling.put_scaling_policy(**policies.policy_to_aws(desired)))

    def _delete(self, name):
        self.retry_on(
            BUSY,
            lambda: self.autoscaling.delete_policy(
                AutoScalingGroupName=self.params["auto_scaling_group"], PolicyName=name
            ),
        )

    def _alarms(self, policy):
        named = [a["AlarmName"] for a in policy.get("Alarms") or []]
        if not named:
            return []
        found = self.client("cloudwatch").describe_alarms(AlarmNames=named, AlarmTypes=["MetricAlarm"])["MetricAlarms"]
        return [alarm_row(a, self.name) for a in sorted(found, key=lambda a: a["AlarmName"])]

    # --- the other controller ---------------------------------------------------------------------------------------

    def _look_at_provider(self):
        """Note the capacity provider that is to leave the group alone, and what of it is on.

        Only by it do we know that scale-in protection was ours: that of the group always, since a run may have been cut
        short; that of single instances as long as managed scaling is on, for ECS protects each one that it places a task
        on, whatever the group says (the role `instances` has lifted both before). After that it is a person's.
        """
        name = self.params["capacity_provider"]
        self._provider, self._scaled, self._protected, self._kept = None, False, False, ()
        if not name:
            return
        found = self.client("ecs").describe_capacity_providers(capacityProviders=[name], include=["TAGS"])
        for provider in found["capacityProviders"]:
            settings = provider.get("autoScalingGroupProvider") or {}
            scaling = (settings.get("managedScaling") or {}).get("status", "DISABLED")
            group = (self._group["AutoScalingGroupARN"], self._group["AutoScalingGroupName"])
            if provider.get("status") == "ACTIVE" and settings.get("autoScalingGroupArn") in group:
                self._provider = provider
                self._scaled = scaling == "ENABLED"
                protected = groups.in_service(self._group, True)
                of_group = bool(self._group.get("NewInstancesProtectedFromScaleIn"))
                self._protected = of_group or (self._scaled and bool(protected))
                self._kept = () if self._scaled or of_group else protected

    def _left(self):
        return {
            "managed_scaling": "ENABLED" if self._scaled else "DISABLED",
            "protected_from_scale_in": self._protected,
        }

    def _switch_off(self):
        """Have the provider leave the group alone.

        It stops protecting first, and managed scaling goes last: as long as that is on, the next run sees that this one
        was interrupted before all protection was lifted.
        """
        if not (self._scaled or self._protected):
            return
        names.refuse_foreign_parent(
            "capacity provider", self._provider["name"], tags_to_dict(self._provider.get("tags")), self.params["owner"]
        )
        settings = self._provider["autoScalingGroupProvider"]
        if self._scaled and settings.get("managedTerminationProtection") == "ENABLED":
            self._update_provider(settings["managedScaling"])
        else:
            self._wait_for_provider()  # an interrupted run may have begun it
        self._lift_protection(self.params["auto_scaling_group"])
        if self._scaled:
            self._update_provider({"status": "DISABLED"})

    def _update_provider(self, scaling):
        """Give the provider this managed scaling, and no termination protection, which AWS takes only together with it."""
        name = self._provider["name"]
        self.retry_on(
            ("UpdateInProgressException",),
            lambda: self.client("ecs").update_capacity_provider(
                name=name,
                autoScalingGroupProvider={"managedScaling": scaling, "managedTerminationProtection": "DISABLED"},
            ),
        )
        found = self._wait_for_provider()
        if found.get("updateStatus") == "UPDATE_FAILED":
            raise ResourceError(
                f"ECS could not switch the managed scaling of the capacity provider {name!r} off: "
                f"{found.get('updateStatusReason') or 'it gives no reason'}. Mend that and run again."
            )

    def _wait_for_provider(self):
        """Return the provider when no update of it is going on."""
        name, looks = self._provider["name"], [{}]

        def settled():
            looks.extend(self.client("ecs").describe_capacity_providers(capacityProviders=[name])["capacityProviders"])
            return looks[-1].get("updateStatus") != "UPDATE_IN_PROGRESS"

        self.wait(settled, f"the change of the capacity provider {name!r}", 120)
        return looks[-1]

    def _lift_protection(self, name):
        """Let auto scaling terminate what it takes away.

        Of a protected instance a scale-in only lowers the desired capacity, and it goes on running.
        Source: https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-instance-protection.html
        """

        def lift():
            found = groups.group(self.autoscaling, name)
            for part in chunks(groups.in_service(found, True), 50):
                self.autoscaling.set_instance_protection(
                    AutoScalingGroupName=name, InstanceIds=list(part), ProtectedFromScaleIn=False
                )
            return found

        def lifted():
            # One that is no longer in service is refused, and all others of the call with it: look again.
            return self.retry_on((*BUSY, "ValidationError"), lift)

        found = lifted()
        # Where managed scaling is off, only the group's own setting tells the next run that this one was interrupted.
        if found.get("NewInstancesProtectedFromScaleIn"):
            self.retry_on(
                BUSY,
                lambda: self.autoscaling.update_auto_scaling_group(
                    AutoScalingGroupName=name, NewInstancesProtectedFromScaleIn=False
                ),
            )
        elif not groups.protected_at_launch(found):
            return
        # Those that were launched under the old setting. AWS lifts it only once they are in service.
        self.wait(lambda: not groups.protected_at_launch(lifted()), "the protected new instances to be in service", 300)

    def _refuse_two_controllers(self):
        managed = policies.managed(self._policies)
        if managed and not self.params["capacity_provider"]:
            raise ResourceError(
                f"ECS scales the auto scaling group {self.params['auto_scaling_group']!r} already, by the managed scaling "
                f"of a capacity provider (policy {managed}). Two controllers would fight. Set instance_scaling_mode to "
                "'capacity_provider', or instances_capacity_provider_enabled to false."
            )


def main():
    metrics = ["ASGAverageCPUUtilization", "ASGAverageNetworkIn", "ASGAverageNetworkOut"]
    spec = argument_spec(
        name={"type": "str", "required": True},
        auto_scaling_group={"type": "str", "required": True},
        metric={"type": "str", "choices": metrics, "default": "ASGAverageCPUUtilization"},
        target={"type": "float"},
        instance_warmup={"type": "int"},
        disable_scale_in={"type": "bool", "default": False},
        enabled={"type": "bool", "default": True},
        capacity_provider={"type": "str"},
    )
    AutoScalingPolicy(
        AnsibleAWSModule(argument_spec=spec, supports_check_mode=True, required_if=[("state", "present", ["target"])])
    ).run()


if __name__ == "__main__":
    main()
