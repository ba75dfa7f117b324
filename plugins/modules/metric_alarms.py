#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: metric_alarms
version_added: 0.1.0
short_description: Keep the CloudWatch alarms of one thing
description:
  - Makes, changes and deletes alarms, all of one owner whose names begin alike. An alarm of ours that is no longer named is
    deleted.
  - Alarms of scaling policies are the policies' own. They are never touched, those of M(handson.ecs.scalable_target) among
    them, whose names go on with a slash.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  prefix:
    description: What the names of these alarms begin with. The name of each follows, such as V(unhealthy-hosts).
    type: str
    required: true
  load_balancer:
    description: Name of the load balancer that V($load_balancer) stands for in a dimension.
    type: str
  target_group:
    description: Name of the target group that V($target_group) stands for in a dimension.
    type: str
  actions:
    description: ARNs that are told when an alarm goes off, and when it is over.
    type: list
    elements: str
    default: []
  alarms:
    description: All of them. Either a metric is named, or O(alarms[].metrics) has an expression.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Of the alarm, without the prefix, and without a slash.
        type: str
        required: true
      description:
        description: What is wrong when it goes off, and what to do.
        type: str
        default: ""
      namespace:
        description: Such as V(AWS/ECS).
        type: str
      metric:
        description: Such as V(CPUUtilization).
        type: str
      dimensions:
        description: Such as C({"ClusterName":"petclinic-rest-cluster"}).
        type: dict
        default: {}
      statistic:
        description: Such as V(Average), V(SampleCount) or V(p99).
        type: str
        default: Average
      metrics:
        description:
          - Several metrics and an expression over them. Each has an C(id) and either an C(expression) or C(namespace),
            C(metric), C(dimensions) and C(statistic). The last one is what is compared.
        type: list
        elements: dict
      comparison:
        description: How the value is compared with the threshold.
        type: str
        choices: [">", ">=", "<", "<="]
        required: true
      threshold:
        description: What it is compared with, in the metric's unit.
        type: float
        required: true
      period:
        description: Seconds that one value stands for.
        type: int
        default: 60
      evaluation_periods:
        description: How many of the last values are looked at.
        type: int
        default: 3
      datapoints:
        description: How many of these must be beyond the threshold. All of them when not given.
        type: int
      missing:
        description: What a missing value counts as.
        type: str
        choices: [breaching, notBreaching, ignore, missing]
        default: missing
"""

EXAMPLES = r"""
- name: Tell when targets are unhealthy
  handson.ecs.metric_alarms:
    prefix: petclinic-rest-
    load_balancer: petclinic-rest-alb
    target_group: petclinic-rest-target
    actions: ["arn:aws:sns:ap-southeast-1:123456789012:petclinic-rest-alarms"]
    alarms:
      - name: unhealthy-hosts
        namespace: AWS/ApplicationELB
        metric: UnHealthyHostCount
        dimensions: {LoadBalancer: $load_balancer, TargetGroup: $target_group}
        statistic: Maximum
        comparison: ">"
        threshold: 0
    owner:
      handson:cluster: petclinic-rest-cluster
      handson:service: petclinic-rest-service
"""

RETURN = r"""
alarms:
  description: What there is by name, in the names of the options. C(state) is V(OK), V(ALARM) or V(INSUFFICIENT_DATA).
  returned: always
  type: dict
  contains:
    alarms: {description: The alarms by name., type: dict}
    states: {description: The state of each., type: dict}
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import metric_alarms
from ansible_collections.handson.ecs.plugins.module_utils.compare import chunks, dict_to_tags, foreign_because, tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.metric_names import balancer_names
from ansible_collections.handson.ecs.plugins.module_utils.resource import Resource, ResourceError, argument_spec


class MetricAlarms(Resource):
    """All alarms of one owner under one prefix as one thing."""

    kind = "alarms"
    name_option = "prefix"
    result_key = "alarms"

    @property
    def wanted_tags(self):
        return {}  # each alarm has its own

    def get(self):
        cloudwatch = self.client("cloudwatch")
        pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=self.name, AlarmTypes=["MetricAlarm"])
        alarms, states, self.foreign = {}, {}, {}
        for alarm in (a for page in pages for a in page["MetricAlarms"]):
            name = alarm["AlarmName"]
            if not metric_alarms.ours_by_name(name, self.name):
                continue
            tags = tags_to_dict(cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"])
            reason = foreign_because(tags, self.params["owner"]) or metric_alarms.of_a_part(tags, self.params["owner"])
            if reason:
                self.foreign[name] = reason
            else:
                alarms[name] = {**metric_alarms.from_aws(alarm), "tags": tags}
                states[name] = alarm.get("StateValue", "")
        return {"alarms": alarms, "states": states} if alarms else None

    def desired(self, current):
        names = [self.name + a["name"] for a in self.params["alarms"]]
        twice = sorted({n for n in names if names.count(n) > 1})
        faults = [f"the name {n} is there twice" for n in twice]
        for alarm in self.params["alarms"]:
            faults += [f"{alarm['name']}: {f}" for f in metric_alarms.faults(alarm)]
        if faults:
            raise ResourceError(f"CloudWatch would refuse these alarms: {'; '.join(faults)}. Mend them in alarms.")
        taken = sorted(set(names) & set(self.foreign))
        if taken:
            raise ResourceError(
                f"The alarm {taken[0]!r} is there already and is not ours: {self.foreign[taken[0]]}. It was not touched. "
                "Choose another prefix, or, if it is yours, put the tag on it."
            )
        known = self._names()
        tags = {**self.params["tags"], **self.params["owner"]}
        live = (current or {}).get("alarms", {})
        wanted = {}
        for name, alarm in zip(names, self.params["alarms"], strict=True):
            ours = {**live.get(name, {}).get("tags", {}), **{str(k): str(v) for k, v in tags.items()}}
            wanted[name] = {**metric_alarms.wanted(alarm, known, self.params["actions"]), "tags": ours}
        return {"alarms": wanted}

    def _names(self):
        if not metric_alarms.needs_names(self.params["alarms"]):
            return {}
        return balancer_names(self, self.params["load_balancer"], self.params["target_group"])

    def create(self, desired):
        self._put({}, desired["alarms"])

    def update(self, current, desired, changes):
        self._put(current["alarms"], desired["alarms"])

    def delete(self, current):
        self._delete(current["alarms"])

    def _put(self, live, wanted):
        cloudwatch = self.client("cloudwatch")
        for name, alarm in wanted.items():
            before = live.get(name)
            if before == alarm:
                continue
            tags = dict_to_tags(alarm["tags"])
            plain = {k: v for k, v in alarm.items() if k != "tags"}
            if before is None or {k: v for k, v in before.items() if k != "tags"} != plain:
                # Tags count only where the alarm is new.
                cloudwatch.put_metric_alarm(AlarmName=name, **metric_alarms.to_aws(plain), Tags=tags)
            if before is not None and before["tags"] != alarm["tags"]:
                arn = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["AlarmArn"]
                cloudwatch.tag_resource(ResourceARN=arn, Tags=tags)
        self._delete(set(live) - set(wanted))

    def _delete(self, names):
        for part in chunks(sorted(names), 100):
            self.client("cloudwatch").delete_alarms(AlarmNames=part)

    def _refuse_foreign(self, current):
        pass  # desired() has looked at each

    def _absent(self):
        # Those of others under the prefix are not in it, so all that is there is ours.
        current = self.get()
        if current is not None and not self.module.check_mode:
            self.delete(current)
        before = (current or {}).get("alarms", {})
        return {"changed": current is not None, "diff": self._diff(before, {}), self.result_key: None}

    def _read_back(self):
        return self.get()  # none at all is right where none is wanted

    def _present(self):
        if self.params["alarms"]:
            return super()._present()
        return self._absent()


def main():
    spec = argument_spec(
        prefix={"type": "str", "required": True},
        load_balancer={"type": "str"},
        target_group={"type": "str"},
        actions={"type": "list", "elements": "str", "default": []},
        alarms={"type": "list", "elements": "dict", "default": [], "options": metric_alarms.OPTIONS},
    )
    MetricAlarms(AnsibleAWSModule(argument_spec=spec, supports_check_mode=True)).run()


if __name__ == "__main__":
    main()
