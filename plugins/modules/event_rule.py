#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: event_rule
version_added: 0.1.0
short_description: Keep a rule of EventBridge that hands events on
description:
  - Makes, changes and deletes a rule of the account's default event bus, with its targets.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the rule, up to 64 letters, digits, dots, hyphens and underscores.
    type: str
    required: true
  description:
    description: What it is for. Left alone when not given.
    type: str
  event_pattern:
    description: Which events it takes, as in
      U(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html). Required for O(state=present).
    type: dict
  targets:
    description: Where they go. Targets that are not named are taken off it. Left alone when not given.
    type: list
    elements: dict
    suboptions:
      id:
        description: Name of the target within the rule.
        type: str
        required: true
      arn:
        description: ARN of a topic, queue or function whose own policy lets EventBridge in.
        type: str
        required: true
      input_paths:
        description: Parts of the event by a name of yours, such as C({"cause":"$.detail.reason"}).
        type: dict
      input_template:
        description: What the target gets, with those names in angle brackets. The event as it is when not given.
        type: str
"""

EXAMPLES = r"""
- name: Tell of deployments that failed
  handson.ecs.event_rule:
    name: petclinic-rest-cluster-failed-deployments
    event_pattern:
      source: [aws.ecs]
      detail-type: [ECS Deployment State Change]
      detail:
        eventName: [SERVICE_DEPLOYMENT_FAILED]
    targets:
      - id: alarms
        arn: arn:aws:sns:ap-southeast-1:123456789012:petclinic-rest-alarms
    owner:
      handson:cluster: petclinic-rest-cluster
"""

RETURN = r"""
rule:
  description: The rule in the names of the options, with its ARN.
  returned: always
  type: dict
  sample:
    name: petclinic-rest-cluster-failed-deployments
    arn: arn:aws:events:ap-southeast-1:123456789012:rule/petclinic-rest-cluster-failed-deployments
    description: ""
    enabled: true
    event_pattern: {source: [aws.ecs]}
    targets: [{id: alarms, arn: "arn:aws:sns:ap-southeast-1:123456789012:petclinic-rest-alarms"}]
    tags: {"handson:cluster": petclinic-rest-cluster}
"""

import json

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags, tags_to_dict, without_none
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    Resource,
    ResourceError,
    argument_spec,
    ignore_missing,
)

GONE = "ResourceNotFoundException"


class EventRule(Resource):
    kind = "event rule"
    result_key = "rule"

    def get(self):
        events = self.client("events")
        rule = ignore_missing(lambda: events.describe_rule(Name=self.name), GONE)
        if rule is None:
            return None
        # A rule has five targets at most, so one page holds them.
        targets = events.list_targets_by_rule(Rule=self.name)["Targets"]
        return {
            "name": self.name,
            "arn": rule["Arn"],
            "description": rule.get("Description") or "",
            "enabled": rule.get("State") != "DISABLED",
            "event_pattern": json.loads(rule.get("EventPattern") or "{}"),
            "targets": sorted((_from_aws(t) for t in targets), key=lambda t: t["id"]),
            "tags": tags_to_dict(events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]),
        }

    def desired(self, current):
        wanted = self.given("name", "description", "event_pattern", "targets")
        if "targets" in wanted:
            wanted["targets"] = sorted((without_none(t) for t in wanted["targets"]), key=lambda t: t["id"])
        # One that somebody switched off tells nobody anything.
        return {**wanted, "enabled": True}

    def create(self, desired):
        self._put(desired, Tags=dict_to_tags(desired.get("tags") or {}))
        self._aim(desired.get("targets"), [])

    def update(self, current, desired, changes):
        if changes & {"description", "event_pattern", "enabled"}:
            # What is not said again is lost.
            self._put({**current, **desired})
        if "targets" in changes:
            self._aim(desired["targets"], current["targets"])
        if "tags" in changes:
            self.client("events").tag_resource(ResourceARN=current["arn"], Tags=dict_to_tags(desired["tags"]))

    def delete(self, current):
        # Refused while it has targets.
        self._aim([], current["targets"])
        self.client("events").delete_rule(Name=self.name)

    def _put(self, wanted, **more):
        self.client("events").put_rule(
            Name=self.name,
            EventPattern=json.dumps(wanted["event_pattern"]),
            State="ENABLED",
            Description=wanted.get("description") or "",
            **{k: v for k, v in more.items() if v},
        )

    def _aim(self, wanted, live):
        events = self.client("events")
        gone = sorted({t["id"] for t in live} - {t["id"] for t in wanted or []})
        if gone:
            answer = events.remove_targets(Rule=self.name, Ids=gone)
            _refuse_failed(answer, "removed from")
        new = [t for t in wanted or [] if t not in live]
        if new:
            answer = events.put_targets(Rule=self.name, Targets=[_to_aws(t) for t in new])
            _refuse_failed(answer, "put on")


def _refuse_failed(answer, verb):
    # Both calls answer with HTTP 200 where single targets failed.
    if answer.get("FailedEntryCount"):
        said = "; ".join(f"{f.get('TargetId')}: {f.get('ErrorMessage')}" for f in answer.get("FailedEntries") or [])
        raise ResourceError(f"These targets were not {verb} the rule: {said}. Look at targets.")


def _from_aws(target):
    transformer = target.get("InputTransformer") or {}
    return without_none(
        {
            "id": target["Id"],
            "arn": target["Arn"],
            "input_paths": transformer.get("InputPathsMap") or None,
            "input_template": transformer.get("InputTemplate"),
        }
    )


def _to_aws(target):
    out = {"Id": target["id"], "Arn": target["arn"]}
    if target.get("input_template"):
        paths = {"InputPathsMap": target["input_paths"]} if target.get("input_paths") else {}
        out["InputTransformer"] = {**paths, "InputTemplate": target["input_template"]}
    return out


def main():
    target = {
        "id": {"type": "str", "required": True},
        "arn": {"type": "str", "required": True},
        "input_paths": {"type": "dict"},
        "input_template": {"type": "str"},
    }
    spec = argument_spec(
        name={"type": "str", "required": True},
        description={"type": "str"},
        event_pattern={"type": "dict"},
        targets={"type": "list", "elements": "dict", "options": target},
    )
    EventRule(
        AnsibleAWSModule(argument_spec=spec, supports_check_mode=True, required_if=[("state", "present", ["event_pattern"])])
    ).run()


if __name__ == "__main__":
    main()
