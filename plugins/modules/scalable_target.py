#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: scalable_target
version_added: 0.1.0
short_description: Keep the auto scaling of an ECS service
description:
  - Makes, changes and deletes the scalable target of a service together with all that hangs on it - its scaling
    policies, its scheduled actions and the alarms of its step policies. What is not in the options is taken away.
  - The number of tasks that the scaler has set is left alone. AWS moves it where it is outside of O(min) to O(max).
  - A target tracking policy makes its alarms by itself and takes them along. They are shown and never changed here. Where
    somebody has deleted one, the policy is put anew, by which it makes its alarms again.
  - It is not M(community.aws.application_autoscaling_policy), which writes in check mode and leaves the target behind.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  service:
    description: Name of the service.
    type: str
    required: true
  cluster:
    description: Name of its cluster.
    type: str
    required: true
  min:
    description: Fewest tasks. Needed with O(state=present).
    type: int
  max:
    description: Most tasks. Needed with O(state=present).
    type: int
  policies:
    description: The scaling policies. Where they disagree AWS takes the largest count.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the policy.
        type: str
        required: true
      type:
        description:
          - V(target_tracking) keeps a metric near a target. V(step) changes the count by how far a metric is beyond a
            threshold, and has an alarm of its own, named C(service/cluster/policy).
        type: str
        choices: [target_tracking, step]
        default: target_tracking
      metric:
        description: The metric of a target tracking policy. AWS takes one policy for a metric.
        type: str
        choices: [ECSServiceAverageCPUUtilization, ECSServiceAverageMemoryUtilization, ALBRequestCountPerTarget]
      target:
        description: Percent of the reservation, or requests in a minute for each target.
        type: float
      scale_out_cooldown:
        description: Seconds after scaling out in which only a larger step out counts.
        type: int
        default: 300
      scale_in_cooldown:
        description: Seconds after scaling in without another one.
        type: int
        default: 300
      disable_scale_in:
        description: Whether the policy never takes tasks away.
        type: bool
        default: false
      load_balancer:
        description: Name of the load balancer, for V(ALBRequestCountPerTarget).
        type: str
      target_group:
        description: Name of the target group, for V(ALBRequestCountPerTarget).
        type: str
      adjustment_type:
        description: What an adjustment of a step policy is.
        type: str
        choices: [ChangeInCapacity, PercentChangeInCapacity, ExactCapacity]
      cooldown:
        description: Seconds for a step to show before the next one.
        type: int
        default: 300
      min_adjustment_magnitude:
        description: Fewest tasks of a step of V(PercentChangeInCapacity).
        type: int
      metric_aggregation:
        description: How the datapoints of an alarm become one value.
        type: str
        choices: [Average, Minimum, Maximum]
        default: Average
      steps:
        description: The steps of a step policy, without gap or overlap, open at the outer end.
        type: list
        elements: dict
        suboptions:
          lower:
            description: Where it begins, relative to the alarm's threshold. Open without it.
            type: float
          upper:
            description: Where it ends, relative to the alarm's threshold. Open without it.
            type: float
          adjustment:
            description: Tasks or percent to add, or to take away where negative.
            type: int
            required: true
      alarm:
        description: The alarm that calls a step policy.
        type: dict
        suboptions:
          metric:
            description: The service's metric.
            type: str
            choices: [CPUUtilization, MemoryUtilization]
            default: CPUUtilization
          statistic:
            description: What of the metric.
            type: str
            choices: [Average, Minimum, Maximum]
            default: Average
          comparison:
            description: How the metric is compared with the threshold.
            type: str
            choices:
              - GreaterThanOrEqualToThreshold
              - GreaterThanThreshold
              - LessThanThreshold
              - LessThanOrEqualToThreshold
            required: true
          threshold:
            description: The threshold in percent.
            type: float
            required: true
          period:
            description: Seconds of a datapoint.
            type: int
            default: 60
          evaluation_periods:
            description: How many datapoints are looked at.
            type: int
            default: 3
          datapoints_to_alarm:
            description: How many of them must be beyond the threshold. All without it.
            type: int
  scheduled_actions:
    description:
      - Changes of the bounds by the clock. Each stays until the next one.
      - A bound that one of them has set is left alone, so that a run during the day does not bring the night.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the action.
        type: str
        required: true
      schedule:
        description: V(at\(yyyy-mm-ddThh:mm:ss\)), V(rate\(…\)) or V(cron\(…\)) in AWS's form.
        type: str
        required: true
      timezone:
        description: IANA name of the time zone of an V(at\(…\)) or V(cron\(…\)). A V(rate\(…\)) has none.
        type: str
        default: UTC
      min:
        description: Fewest tasks from then on.
        type: int
      max:
        description: Most tasks from then on.
        type: int
  suspended:
    description: What is switched off for the time being.
    type: dict
    default: {}
    suboptions:
      scale_in:
        description: Whether policies take no tasks away.
        type: bool
        default: false
      scale_out:
        description: Whether policies add no tasks.
        type: bool
        default: false
      scheduled:
        description: Whether scheduled actions do nothing.
        type: bool
        default: false
"""

EXAMPLES = r"""
- name: Keep the service's CPU near 55 percent
  handson.ecs.scalable_target:
    service: petclinic-rest-service
    cluster: petclinic-rest-cluster
    min: 2
    max: 16
    policies:
      - name: cpu-target-tracking-55percent-policy
        metric: ECSServiceAverageCPUUtilization
        target: 55
        scale_out_cooldown: 150
        scale_in_cooldown: 150
    owner:
      handson:service: petclinic-rest-service

- name: Add 20 percent above 50 percent CPU, 40 percent above 60, and have four tasks during the day
  handson.ecs.scalable_target:
    service: petclinic-rest-service
    cluster: petclinic-rest-cluster
    min: 2
    max: 16
    policies:
      - name: cpu-steps
        type: step
        adjustment_type: PercentChangeInCapacity
        min_adjustment_magnitude: 1
        steps:
          - { lower: 0, upper: 10, adjustment: 20 }
          - { lower: 10, adjustment: 40 }
        alarm: { comparison: GreaterThanOrEqualToThreshold, threshold: 50 }
    scheduled_actions:
      - { name: day, schedule: "cron(0 8 ? * MON-FRI *)", timezone: Asia/Seoul, min: 4 }
      - { name: night, schedule: "cron(0 20 ? * MON-FRI *)", timezone: Asia/Seoul, min: 2 }
"""

RETURN = r"""
scalable_target:
  description: The scalable target in the names of the options, with its ARN and alarms.
  returned: always
  type: dict
  contains:
    arn:
      description: Its ARN.
      type: str
    alarms:
      description: The alarms of its policies, those that target tracking made among them.
      type: list
      elements: dict
  sample:
    service: petclinic-rest-service
    cluster: petclinic-rest-cluster
    min: 2
    max: 16
    alarms:
      - name: TargetTracking-service/petclinic-rest-cluster/petclinic-rest-service-AlarmHigh-6d3b5c0e
        comparison: GreaterThanThreshold
        threshold: 55.0
        evaluation_periods: 3
desired_count:
  description: How many tasks the service had, where they had to be looked at.
  returned: when the target was made, or its range changed
  type: int
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import names
from ansible_collections.handson.ecs.plugins.module_utils import scalable_targets as targets
from ansible_collections.handson.ecs.plugins.module_utils.compare import (
    chunks,
    dict_to_tags,
    foreign_because,
    tags_to_dict,
)
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    Resource,
    ResourceError,
    argument_spec,
    ignore_missing,
)
from ansible_collections.handson.ecs.plugins.module_utils.scalable_target_options import (
    ACTION_OPTIONS,
    POLICY_OPTIONS,
    SUSPENDED_OPTIONS,
    check,
)

GONE = "ObjectNotFoundException"
#: What AWS says for some seconds of a service-linked role or a service that was just made, and between two changes.
NOT_YET = ("Unable to assume IAM role", "ECS service doesn't exist", "ConcurrentUpdateException", GONE)


class ScalableTarget(Resource):
    kind = "scalable target of the service"
    name_option = "service"
    result_key = "scalable_target"
    # It has no code for a target that is there already, which it takes for a change; but tags it may refuse then.
    exists_codes = ("ValidationException",)

    desired_count = None

    @property
    def scaling(self):
        return self.client("application-autoscaling")

    @property
    def cloudwatch(self):
        return self.client("cloudwatch")

    @property
    def key(self):
        return targets.key(self.params["cluster"], self.name)

    # --- looking ----------------------------------------------------------------------------------------------------

    def get(self):
        found = self.scaling.describe_scalable_targets(
            ServiceNamespace=targets.NAMESPACE,
            ResourceIds=[self.key["ResourceId"]],
            ScalableDimension=targets.DIMENSION,
        )["ScalableTargets"]
        if self.params["state"] == "absent":
            return self._to_delete(found[0] if found else None)
        if not found:
            return None
        policies = self._pages("describe_scaling_policies", "ScalingPolicies")
        alarms = self._alarms(policies)
        return {
            **self._head(found[0]),
            "min": found[0]["MinCapacity"],
            "max": found[0]["MaxCapacity"],
            "policies": targets.by_name(
                targets.policy_from_aws(
                    p, alarms.get(self._alarm_name(p["PolicyName"])), targets.own_alarms(p, alarms)
                )
                for p in policies
            ),
            "scheduled_actions": targets.by_name(
                targets.action_from_aws(a) for a in self._pages("describe_scheduled_actions", "ScheduledActions")
            ),
            "suspended": targets.suspended_from_aws(found[0].get("SuspendedState")),
            "alarms": self._rows(policies, alarms),
        }

    def _head(self, found):
        arn = found["ScalableTargetARN"]
        return {
            "service": self.name,
            "cluster": self.params["cluster"],
            "arn": arn,
            "tags": self.client("application-autoscaling").list_tags_for_resource(ResourceARN=arn)["Tags"],
        }

    def _to_delete(self, found):
        """What deleting needs to know. Our alarms may be left where the target is gone already."""
        ours = self._our_alarms(targets.alarm_prefix(self.params["cluster"], self.name))
        if found:
            head = self._head(found)
        elif ours:
            head = {
                "service": self.name,
                "cluster": self.params["cluster"],
                "arn": None,
                "tags": dict(self.params["owner"]),
            }
        else:
            return None
        return {**head, "alarms": [{"name": name} for name in ours]}

    def _our_alarms(self, prefix):
        """The names of the alarms that begin so and carry the owner's tags."""
        found = self.cloudwatch.get_paginator("describe_alarms").paginate(
            AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm"]
        )
        return [
            a["AlarmName"] for page in found for a in page["MetricAlarms"] if not self._foreign_alarm(a["AlarmArn"])
        ]

    def _foreign_alarm(self, arn):
        tags = tags_to_dict(self.client("cloudwatch").list_tags_for_resource(ResourceARN=arn)["Tags"])
        return foreign_because(tags, self.params["owner"])

    def _pages(self, operation, key):
        pages = self.scaling.get_paginator(operation).paginate(**self.key)
        return [item for page in pages for item in page[key]]

    def _alarm_name(self, policy):
        return targets.alarm_prefix(self.params["cluster"], self.name) + policy

    def _alarms(self, policies):
        """{name: alarm} of the alarms that the policies name, and of our own for step policies."""
        wanted = {a["AlarmName"] for p in policies for a in p.get("Alarms") or []}
        wanted |= {self._alarm_name(p["PolicyName"]) for p in policies if p["PolicyType"] == "StepScaling"}
        found = {}
        for part in chunks(sorted(wanted), 100):
            # All of them in one answer: what it lacks counts as deleted.
            answer = self.cloudwatch.describe_alarms(
                AlarmNames=list(part), AlarmTypes=["MetricAlarm"], MaxRecords=100
            )
            found.update({a["AlarmName"]: a for a in answer["MetricAlarms"]})
        return found

    def _rows(self, policies, alarms):
        whose = {a["AlarmName"]: p["PolicyName"] for p in policies for a in p.get("Alarms") or []}
        whose.update(
            {self._alarm_name(p["PolicyName"]): p["PolicyName"] for p in policies if p["PolicyType"] == "StepScaling"}
        )
        return [targets.alarm_row(alarms[name], whose.get(name)) for name in sorted(alarms)]

    # --- what is asked for ------------------------------------------------------------------------------------------

    def desired(self, current):
        params = self.params
        check(params["min"], params["max"], params["policies"], params["scheduled_actions"])
        bounds = targets.bounds(current, params["min"], params["max"], params["scheduled_actions"])
        if current is None or (current["min"], current["max"]) != bounds:
            self.resolve(self._look_at_service)
        return {
            **self.given("service", "cluster", "suspended"),
            "min": bounds[0],
            "max": bounds[1],
            "policies": targets.by_name(targets.wanted_policy(p, self._label(p)) for p in params["policies"]),
            "scheduled_actions": targets.by_name(params["scheduled_actions"]),
        }

    def _look_at_service(self):
        cluster = self.params["cluster"]
        found = ignore_missing(
            lambda: self.client("ecs").describe_services(cluster=cluster, services=[self.name]),
            "ClusterNotFoundException",
        )
        active = [s for s in (found or {}).get("services", []) if s["status"] == "ACTIVE"]
        if not active:
            raise targets.missing_service(cluster, self.name)
        if active[0].get("schedulingStrategy") == "DAEMON":
            raise ResourceError(
                f"The service {self.name!r} runs one task on each instance (DAEMON): it has no count to scale. Set "
                "service_scaling_enabled to false, or service_scheduling_strategy to REPLICA."
            )
        self.desired_count = active[0]["desiredCount"]

    def _label(self, policy):
        if policy["metric"] != targets.REQUESTS or policy["type"] != "target_tracking":
            return None
        return self.resolve(
            lambda: targets.resource_label(
                names.load_balancer(self.client("elbv2"), policy["load_balancer"])["LoadBalancerArn"],
                names.target_group_arn(self.client("elbv2"), policy["target_group"]),
            )
        )

    def after(self, current, changed):
        if self.desired_count is None:
            return {}
        least, most = current["min"], current["max"]  # as registered: one may be the clock's
        if not least <= self.desired_count <= most:
            moved = max(least, min(self.desired_count, most))
            self.module.warn(
                f"The service {self.name!r} had {self.desired_count} tasks, outside of min {least} to max {most}: "
                f"Application Auto Scaling {'would move' if self.module.check_mode else 'moves'} it to {moved}."
            )
        return {"desired_count": self.desired_count}

    # --- changing ---------------------------------------------------------------------------------------------------

    def create(self, desired):
        self._register(desired, Tags=desired.get("tags") or {})
        for policy in desired["policies"]:
            self._put(policy, desired)
        for action in desired["scheduled_actions"]:
            self._schedule(action)

    def update(self, current, desired, changes):
        if changes & {"min", "max", "suspended"}:
            self._register(desired)
        if "policies" in changes:
            self._change_policies(current["policies"], desired)
        if "scheduled_actions" in changes:
            wanted = {a["name"]: a for a in desired["scheduled_actions"]}
            before = {a["name"]: a for a in current["scheduled_actions"]}
            for name in sorted(set(before) - set(wanted)):
                ignore_missing(
                    lambda name=name: self.scaling.delete_scheduled_action(ScheduledActionName=name, **self.key), GONE
                )
            for name in sorted(wanted):
                if before.get(name) != wanted[name]:
                    self._schedule(wanted[name])
        if "tags" in changes:
            self.client("application-autoscaling").tag_resource(ResourceARN=current["arn"], Tags=desired["tags"])
            self._tag_alarms(desired)

    def _change_policies(self, before, desired):
        before = {p["name"]: p for p in before}
        wanted = {p["name"]: p for p in desired["policies"]}
        # Those that go first: AWS takes one policy for a metric, so a renamed one finds the old one in its way.
        # A policy of another type is another policy.
        for name in sorted(before):
            if name not in wanted or wanted[name]["type"] != before[name]["type"]:
                self._delete_alarms([self._alarm_name(name)])
                ignore_missing(lambda name=name: self.scaling.delete_scaling_policy(PolicyName=name, **self.key), GONE)
                before.pop(name)
        for name in sorted(wanted):
            if before.get(name) != wanted[name]:
                self._put(wanted[name], desired)

    def delete(self, current):
        self._delete([a["name"] for a in current["alarms"]])
        if current["arn"]:
            # Its policies with their own alarms, and its scheduled actions, go with it.
            self.retry_on(
                ("ConcurrentUpdateException",),
                lambda: ignore_missing(lambda: self.scaling.deregister_scalable_target(**self.key), GONE),
            )

    def _register(self, desired, **more):
        self.retry_on(
            NOT_YET,
            lambda: self.scaling.register_scalable_target(
                MinCapacity=desired["min"],
                MaxCapacity=desired["max"],
                SuspendedState=targets.suspended_to_aws(desired["suspended"]),
                **self.key,
                **more,
            ),
        )

    def _put(self, policy, desired):
        if policy["type"] == "step":
            self._refuse_foreign_alarm(self._alarm_name(policy["name"]))
        made = self.retry_on(
            NOT_YET, lambda: self.scaling.put_scaling_policy(**self.key, **targets.policy_to_aws(policy))
        )
        if policy["type"] == "step":
            alarm = targets.alarm_to_aws(
                policy["alarm"], self.params["cluster"], self.name, policy["name"], made["PolicyARN"]
            )
            # Tags are for a new alarm only; of one that is there they are left as they are.
            self.cloudwatch.put_metric_alarm(**alarm, Tags=dict_to_tags(desired.get("tags") or {}))

    def _schedule(self, action):
        self.retry_on(NOT_YET, lambda: self.scaling.put_scheduled_action(**self.key, **targets.action_to_aws(action)))

    def _refuse_foreign_alarm(self, name):
        for alarm in self.cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]:
            reason = self._foreign_alarm(alarm["AlarmArn"])
            if reason:
                raise ResourceError(
                    f"The alarm {name!r} is there already and is not ours: {reason}. It was not touched. Give the "
                    "policy another name, or, if it is yours, put the tag on it."
                )

    def _tag_alarms(self, desired):
        steps = [self._alarm_name(p["name"]) for p in desired["policies"] if p["type"] == "step"]
        for part in chunks(steps, 100):
            for alarm in self.cloudwatch.describe_alarms(AlarmNames=list(part), AlarmTypes=["MetricAlarm"])[
                "MetricAlarms"
            ]:
                self.client("cloudwatch").tag_resource(
                    ResourceARN=alarm["AlarmArn"], Tags=dict_to_tags(desired["tags"])
                )

    def _delete_alarms(self, alarm_names):
        """Delete those of these alarms that are there and ours."""
        found = self.cloudwatch.describe_alarms(AlarmNames=alarm_names, AlarmTypes=["MetricAlarm"])["MetricAlarms"]
        self._delete([a["AlarmName"] for a in found if not self._foreign_alarm(a["AlarmArn"])])

    def _delete(self, alarm_names):
        for part in chunks(sorted(alarm_names), 100):
            self.cloudwatch.delete_alarms(AlarmNames=list(part))


def main():
    spec = argument_spec(
        service={"type": "str", "required": True},
        cluster={"type": "str", "required": True},
        min={"type": "int"},
        max={"type": "int"},
        policies={"type": "list", "elements": "dict", "options": POLICY_OPTIONS, "default": []},
        scheduled_actions={"type": "list", "elements": "dict", "options": ACTION_OPTIONS, "default": []},
        suspended={"type": "dict", "options": SUSPENDED_OPTIONS, "default": {}, "apply_defaults": True},
    )
    ScalableTarget(
        AnsibleAWSModule(
            argument_spec=spec, supports_check_mode=True, required_if=[("state", "present", ["min", "max"])]
        )
    ).run()


if __name__ == "__main__":
    main()
