#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: listener_rule
version_added: 0.1.0
short_description: Keep the place of a target group on a listener
description:
  - Makes a listener forward to a target group, either by its default action or by a rule with a priority.
  - Moving a service from one place to another takes the new place before it leaves the old one, so that no request
    falls in between.
  - A default action that forwards to somebody else's target group, or a priority that is taken, is refused. So is a
    target group in another VPC than the load balancer, which is left of an earlier network.
  - Taking the place away deletes every rule that forwards to the target group.
  - In check mode, and with O(load_balancer_owner), the listeners are those that M(handson.ecs.load_balancer) will leave.
    One that it has yet to make, or to free of a redirect, has what it will take over from the one of before.
  - A new rule can be made in two steps around the start of its service, so that it takes no requests before somebody
    can answer them. See O(phase).
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  load_balancer:
    description: Name of the load balancer.
    type: str
    required: true
  load_balancer_owner:
    description: Tags that the load balancer must carry, so that nobody else's listener is changed. Empty checks nothing.
    type: dict
    default: {}
  port:
    description: Port of the listener.
    type: int
    default: 80
  http_port:
    description:
      - Port of the load balancer's HTTP listener, which redirects to O(port) where that is 443. For check mode alone.
      - Without it, a listener of before is taken to stay and redirect, which is so unless its port has changed, too.
    type: int
  target_group:
    description: Name of the target group to forward to.
    type: str
    required: true
  priority:
    description: V(default) for the listener's default action, or the priority of the rule, 1 to 50000.
    type: str
    default: default
  phase:
    description:
      - V(whole) makes the place as the options describe it, at once. So do the other two for O(priority=default).
      - V(hold) is for the time before the service is there. A rule that isn't there yet is made, but I(held); with one
        more condition, the header C(X-Handson-Held) with the name of the target group, which no client sends. So ECS
        finds the target group on a listener, its targets are checked for health, and requests still go where they went
        before. A place that the service has already is left as it is. Only a rule that forwards to another target
        group is turned to this one, since ECS could not use it otherwise.
      - V(open) is for the time when the service is steady. It takes the condition away again, and changes all else that
        differs from the options. In check mode it takes a rule that isn't there for one that V(hold) would make.
    type: str
    choices: [whole, hold, open]
    default: whole
  paths:
    description: Path patterns of the rule.
    type: list
    elements: str
    default: []
  hosts:
    description: Host names of the rule.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Send everything to the petclinic service
  handson.ecs.listener_rule:
    load_balancer: petclinic-rest-alb
    target_group: petclinic-rest-target

- name: Send a path to the users service
  handson.ecs.listener_rule:
    load_balancer: demo
    target_group: users
    priority: 1
    paths: [/api/users*]

- name: Hold the place of a service that is yet to come
  handson.ecs.listener_rule:
    load_balancer: demo
    target_group: users
    priority: 1
    paths: [/api/users*]
    phase: hold
  register: place

- name: Let requests in, now that it is steady
  handson.ecs.listener_rule:
    load_balancer: demo
    target_group: users
    priority: 1
    paths: [/api/users*]
    phase: open
  when: not place.settled
"""

RETURN = r"""
listener_rule:
  description: The place in the names of the options.
  returned: always
  type: dict
  sample: {priority: default, paths: [], hosts: [], held: false, target_group: petclinic-rest-target}
settled:
  description: Whether the place is all that the options say, so that O(phase=open) would find nothing to do.
  returned: when O(state=present)
  type: bool
"""

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import load_balancers as convert
from ansible_collections.handson.ecs.plugins.module_utils import names
from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags, drift, merged_tags
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    KNOWN_AFTER_APPLY,
    Missing,
    Resource,
    ResourceError,
    argument_spec,
    ignore_missing,
)
from ansible_collections.handson.ecs.plugins.module_utils.target_groups import (
    describe_target_group,
    missing_target_group,
)


class ListenerRule(Resource):
    kind = "listener rule"
    result_key = "listener_rule"
    exists_codes = ("PriorityInUse",)
    #: Whether a place that is there already stays as it is until the phase `open`.
    _kept = False
    _settled = False

    @property
    def name(self):
        return f"{self.params['load_balancer']}:{self.params['port']} {self.params['priority']}"

    @property
    def wanted_tags(self):
        return {} if self._kept else super().wanted_tags

    def _in(self, phase):
        return self.params["phase"] == phase and self.params["priority"] != "default"

    def get(self):
        """Find where the service hangs now. The listener and the rule are kept for the calls that change them."""
        seen = self._look()
        if seen is None and self._in("open") and self.module.check_mode and self.params["state"] == "present":
            seen = {**self._wanted(held=True), "twice": bool(self._elsewhere), "tags": self.wanted_tags}
        return seen

    def _look(self):
        self._listener = self._rule = self._group = None
        self._others = []  # further rules of the listener that forward to our target group
        self._on_default, self._elsewhere = False, []
        port, absent = self.params["port"], self.params["state"] == "absent"
        try:
            listeners = self._find_listeners()
            if self.module.check_mode and not absent:
                listeners = self._foreseen(listeners)
            if port not in listeners and not absent:
                raise Missing(
                    f"The load balancer {self.params['load_balancer']!r} has no listener on port {port}. "
                    "Make it first: ansible-playbook playbooks/load_balancer.yml"
                )
            group = describe_target_group(self.client("elbv2"), self.params["target_group"])
            if group is None:
                raise missing_target_group(self.params["target_group"])
        except Missing:
            if absent or self.module.check_mode:
                return None
            raise
        self._group = group["TargetGroupArn"]
        if not absent:
            self._refuse_another_vpc(group)
        self._listener = listeners.pop(port, None)
        # Where it hung before the listener's port changed, or before a certificate made 443 of 80.
        self._elsewhere = [place for other in listeners.values() for place in self._places_on(other)]
        actions = self._listener["DefaultActions"] if self._listener else []
        self._on_default = self._group == convert.forwards_to(actions)
        self._rule = self._find_rule() if self._listener else None
        if self.params["priority"] == "default" and not self._on_default and not absent:
            self._refuse_taken_default(actions)
        if self._rule is None and not self._on_default and not (absent and self._elsewhere):
            return None
        return {
            "priority": self._rule["Priority"] if self._rule else "default",
            **convert.conditions_from_aws(self._rule["Conditions"] if self._rule else []),
            "target_group": self._target_group_name(self._rule["Actions"] if self._rule else actions),
            # More places than one are what a move leaves behind when it is cut short.
            "twice": bool(self._elsewhere) or (bool(self._rule) and self._on_default),
            "tags": self._rule["Tags"] if self._rule else self._default_tags(),
        }

    def _wanted(self, held=False):
        conditions = {option: sorted(set(self.params[option])) for option in ("paths", "hosts")}
        return {
            **self.given("target_group", "priority"),
            **(convert.held_conditions(**conditions) if held else conditions),
            "held": held,
        }

    def desired(self, current):
        hold = self._in("hold")
        if current is None:
            self._settled = not hold
            return self._wanted(held=hold)
        wanted = {**self._wanted(), "twice": False}
        if hold:
            tags = {"tags": {**current["tags"], **merged_tags(self.params["tags"], self.params["owner"])}}
            self._settled, self._kept = not drift(current, {**wanted, **tags})[1], True
            return {"target_group": wanted["target_group"]}
        self._settled = True
        return wanted

    def after(self, current, changed):
        return {"settled": self._settled}

    def create(self, desired):
        elbv2, action = self.client("elbv2"), {"Type": "forward", "TargetGroupArn": self._group}
        if desired["priority"] == "default":
            elbv2.modify_listener(ListenerArn=self._listener["ListenerArn"], DefaultActions=[action])
        else:
            elbv2.create_rule(
                ListenerArn=self._listener["ListenerArn"],
                Priority=int(desired["priority"]),
                Conditions=self._conditions(desired),
                Actions=[action],
                **convert.tags_parameter(desired.get("tags")),
            )
        if not desired["held"]:
            self._leave_other_listeners()

    def update(self, current, desired, changes):
        elbv2 = self.client("elbv2")
        if self._kept:
            self._modify_rule(desired, changes)
            return
        here, there = current["priority"] == "default", desired["priority"] == "default"
        if here != there:
            self._create(desired)
        elif not there:
            arn = self._rule["RuleArn"]
            if "priority" in changes:  # before it is opened, so that it never takes requests at the place of before
                self._renumber(arn, desired["priority"])
            self._modify_rule(desired, changes)
            if "tags" in changes:
                elbv2.add_tags(ResourceArns=[arn], Tags=dict_to_tags(desired["tags"]))
        if there and self._rule:
            self._delete_rule(self._rule["RuleArn"])
        if not there and self._on_default:
            self._free(self._listener["ListenerArn"])
        self._leave_other_listeners()

    def _renumber(self, arn, priority):
        try:
            self.client("elbv2").set_rule_priorities(RulePriorities=[{"RuleArn": arn, "Priority": int(priority)}])
        except is_boto3_error_code("PriorityInUse"):
            self._look()  # says whose it is now, unless it is ours by a first try whose answer was lost
            if not self._rule or self._rule["Priority"] != priority:
                raise

    def _delete_rule(self, arn):
        # Gone is gone: by a first try whose answer was lost, with its listener, or by hand.
        ignore_missing(lambda: self.client("elbv2").delete_rule(RuleArn=arn), "RuleNotFound", "ListenerNotFound")

    def _modify_rule(self, desired, changes):
        parameters = {}
        if changes & {"paths", "hosts", "held"}:
            parameters["Conditions"] = self._conditions(desired)
        if "target_group" in changes:
            parameters["Actions"] = [{"Type": "forward", "TargetGroupArn": self._group}]
        if parameters:
            self.client("elbv2").modify_rule(RuleArn=self._rule["RuleArn"], **parameters)

    def _conditions(self, desired):
        held = self.params["target_group"] if desired["held"] else None
        return convert.conditions_to_aws(desired["paths"], desired["hosts"], held)

    def delete(self, current):
        for rule in [self._rule, *self._others] if self._rule else []:
            self._delete_rule(rule["RuleArn"])
        if self._on_default:
            self._free(self._listener["ListenerArn"])
        self._leave_other_listeners()

    def _free(self, arn):
        # Looked at anew: `load_balancer`, which may run beside, redirects or deletes a listener that services move from.
        elbv2 = self.client("elbv2")
        found = ignore_missing(lambda: elbv2.describe_listeners(ListenerArns=[arn]), "ListenerNotFound")
        if found and convert.forwards_to(found["Listeners"][0]["DefaultActions"]) == self._group:
            elbv2.modify_listener(ListenerArn=arn, DefaultActions=[convert.NO_SERVICE])

    def _leave_other_listeners(self):
        for kind, arn in self._elsewhere:
            self._delete_rule(arn) if kind == "rule" else self._free(arn)
        self._elsewhere = []

    def _places_on(self, listener):
        """Return [(kind, ARN)] of the default action and the rules of a listener that forward to our target group."""
        elbv2, arn, places = self.client("elbv2"), listener["ListenerArn"], []
        if convert.forwards_to(listener["DefaultActions"]) == self._group:
            places.append(("default", arn))
        rules = ignore_missing(lambda: convert.rules_of(elbv2, arn), "ListenerNotFound") or []
        return places + [("rule", r["RuleArn"]) for r in rules if convert.forwards_to(r["Actions"]) == self._group]

    def _default_tags(self):
        """Return whose a default action is. It carries no tags: it is whose target group it forwards to.

        Tags beyond the owner's belong to the target group alone and are no drift here.
        """
        tags = convert.tags_of(self.client("elbv2"), [self._group]).get(self._group, {})
        return dict(self.wanted_tags) if self.params["owner"].items() <= tags.items() else tags

    def _find_listeners(self):
        """Return {port: listener} of the load balancer. Raises Missing where there is no load balancer."""
        elbv2 = self.client("elbv2")
        balancer = names.load_balancer(elbv2, self.params["load_balancer"])
        self._vpc = balancer.get("VpcId")
        listeners = elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        return {x["Port"]: x for x in listeners}

    def _foreseen(self, listeners):
        """Return {port: listener} as `load_balancer`, which has changed nothing in check mode, will leave them."""
        owner, port = self.params["load_balancer_owner"], self.params["port"]
        if not owner or set(listeners) == {port} and not convert.redirects(listeners[port]):
            return listeners
        tags = convert.tags_of(self.client("elbv2"), [x["ListenerArn"] for x in listeners.values()])
        ours = {p for p, x in listeners.items() if owner.items() <= tags.get(x["ListenerArn"], {}).items()}
        return convert.foreseen(listeners, port, ours, self.params["http_port"])

    def _refuse_another_vpc(self, group):
        """Raise ResourceError where AWS would: "target groups are in a different VPC than load balancer"."""
        theirs = group.get("VpcId")
        if theirs and self._vpc and theirs != self._vpc:
            raise ResourceError(
                f"The target group {self.params['target_group']!r} is in {theirs}, and the load balancer "
                f"{self.params['load_balancer']!r} in {self._vpc}: AWS forwards to no other VPC, and can't move a "
                "target group. It is left of an earlier network. Take it away and run again: "
                "ansible-playbook playbooks/teardown_service.yml"
            )

    def _find_rule(self):
        """Return the rule that is ours, by its tags or since it forwards to our target group, with its `Tags`.

        Raises ResourceError where somebody else's rule has our priority.
        """
        elbv2, priority = self.client("elbv2"), self.params["priority"]
        arn, balancer = self._listener["ListenerArn"], self._listener["LoadBalancerArn"]
        wanted = self.params["load_balancer_owner"]
        rules = convert.rules_of(elbv2, arn) if arn else []
        for other, stays in self._listener.get("Inherits", {}).items():  # in check mode
            taken = {r["Priority"] for r in rules}
            theirs = [r for r in convert.rules_of(elbv2, other) if convert.portable(r["Actions"]) and r["Priority"] not in taken]
            rules += [{**r, "OnlyOurs": stays} for r in theirs]
        tags = convert.tags_of(elbv2, [*([balancer] if wanted else []), *(r["RuleArn"] for r in rules)])
        # Without those that other services have taken away since, and those that `load_balancer` does not copy.
        rules = [{**r, "Tags": tags[r["RuleArn"]]} for r in rules if r["RuleArn"] in tags]
        rules = [r for r in rules if not r.get("OnlyOurs") or wanted.items() <= r["Tags"].items()]
        if self.params["state"] == "present":
            name = self.params["load_balancer"]
            names.refuse_foreign_parent("load balancer", name, tags.get(balancer, {}), wanted)
        owner = self.params["owner"].items()
        forwarding = [r for r in rules if convert.forwards_to(r["Actions"]) == self._group]
        # One that carries our tags comes before one that somebody made by hand.
        forwarding.sort(key=lambda r: not owner <= r["Tags"].items())
        ours = forwarding or [r for r in rules if owner and owner <= r["Tags"].items()]
        taken = [r for r in rules if r["Priority"] == priority and r not in ours]
        if taken and self.params["state"] == "present":
            self._refuse_taken_priority(taken[0]["Tags"])
        self._others = forwarding[1:]
        return ours[0] if ours else None

    def _refuse_taken_priority(self, tags):
        other = convert.service_beside(tags, self.params["owner"])
        whose = f"the rule of the service {other!r} of the same cluster" if other else "a rule that is not ours"
        way = "Set target_group_rule_priority to a free number."
        if other:
            way += f" To have this one, give {other!r} a free number first and run, then set this one and run again."
        raise ResourceError(
            f"Priority {self.params['priority']} of the listener {self.params['load_balancer']}:{self.params['port']} "
            f"is taken by {whose}. It was not touched. {way}"
        )

    def _target_group_name(self, actions):
        if convert.forwards_to(actions) == self._group:
            return self.params["target_group"]
        return convert.forwards_to(actions) or actions[0]["Type"]

    def _refuse_taken_default(self, actions):
        if convert.is_free(actions):
            return
        other = convert.forwards_to(actions)
        if other:
            tags = convert.tags_of(self.client("elbv2"), [other]).get(other, {})
            if self.params["owner"] and self.params["owner"].items() <= tags.items():
                return  # another target group of the same service, from before it was renamed
        raise ResourceError(
            f"The default action of the listener {self.params['load_balancer']}:{self.params['port']} is not free: "
            f"{actions[0]['Type']} to {other or 'something else'}. It was not touched. Give this service "
            "target_group_rule_priority and target_group_rule_paths, or take the other one away first."
        )

    def _diff(self, before, after):
        shown = [{k: v for k, v in side.items() if k not in ("twice", "held") or v} for side in (before, after)]
        return super()._diff(*shown)


def main():
    spec = argument_spec(
        load_balancer={"type": "str", "required": True},
        load_balancer_owner={"type": "dict", "default": {}},
        port={"type": "int", "default": 80},
        http_port={"type": "int"},
        target_group={"type": "str", "required": True},
        priority={"type": "str", "default": "default"},
        phase={"type": "str", "choices": ["whole", "hold", "open"], "default": "whole"},
        paths={"type": "list", "elements": "str", "default": []},
        hosts={"type": "list", "elements": "str", "default": []},
    )
    module = AnsibleAWSModule(argument_spec=spec, supports_check_mode=True)
    try:
        module.params["priority"] = convert.rule_priority(module.params["priority"])
    except ValueError as e:
        module.fail_json(msg=f"{e}. Set target_group_rule_priority to default or to a number from 1 to 50000.")
    ListenerRule(module).run()


if __name__ == "__main__":
    main()
