#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: cloudformation_stack
version_added: 0.1.0
short_description: Keep a CloudFormation stack, and wait until it is complete
description:
  - Makes, updates and deletes a stack, and shows its events as they come. When an operation fails it names the resource
    that failed first, and the way out.
  - Compares template, parameters and tags with those of the living stack without making a change set, so check mode
    writes nothing. Comments and the order of keys in a template are no difference.
  - Updates by a change set, shows what it will do, and refuses one that replaces or removes a resource unless
    O(allow_replacement) says otherwise.
  - Takes up what an earlier run left. An operation under way is waited out, a roll-back that got stuck is continued, a
    stack that never came up (V(ROLLBACK_COMPLETE), V(ROLLBACK_FAILED), V(REVIEW_IN_PROGRESS)) is deleted and made anew.
  - A stack in V(CREATE_FAILED) or V(DELETE_FAILED) can only be deleted as well, but something of value may be left in
    it, so it is made anew only with O(allow_replacement).
  - Leaves the options out of the system log, since O(parameters) may hold secrets.
  - Does what M(amazon.aws.cloudformation) lacks - check mode without a write, a difference, replacement as a question,
    events while it waits, ownership.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the stack. Letters, digits and hyphens, a letter first, at most 128.
    type: str
    required: true
  template_body:
    description:
      - Text of the template, YAML or JSON, at most 51200 bytes. Read it from a file with a lookup.
      - Needed for O(state=present).
      - A change of nothing but descriptions, top-level metadata, and parameters' defaults and limits is no update, as
        in CloudFormation itself.
    type: str
  parameters:
    description:
      - Values of the template's parameters. Lists are joined with commas, numbers and booleans made text.
      - A parameter that is not named here, or is null, keeps its value on an update and takes its default on creation.
      - The value of a parameter with C(NoEcho) is shown nowhere and can't be read back. So a new value alone is no
        difference. It is set with the next update of something else.
    type: dict
    default: {}
  zone_parameters:
    description:
      - Names of the parameters that take an availability zone each. One that O(parameters) leaves out or gives as an
        empty text gets a zone of its own in a new stack, of the region's first ones, and keeps what it has in a living
        one.
      - C(Fn::GetAZs) in a template is asked anew at every update, and another answer would replace the subnets.
    type: list
    elements: str
    default: []
  capabilities:
    description: What the template may do besides making resources, such as make named IAM roles.
    type: list
    elements: str
    choices: [CAPABILITY_IAM, CAPABILITY_NAMED_IAM, CAPABILITY_AUTO_EXPAND]
    default: [CAPABILITY_NAMED_IAM]
  allow_replacement:
    description:
      - Whether an update may replace or remove resources of the stack, and a stack in V(CREATE_FAILED) or
        V(DELETE_FAILED) be deleted and made anew.
      - It does not help where CloudFormation can't replace a resource, because that keeps a name of its own, or a
        subnet its block, nor for a VPC, with which everything in it would go. Take the stack away then, and make it
        anew.
      - A replacement that CloudFormation calls conditional counts, unless it hangs on resources that stay, or on an
        update policy that does not replace.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait for one operation on the stack.
    type: int
    default: 1800
  wait_interval:
    description: Seconds between two looks.
    type: float
    default: 5
  progress_file:
    description: File to append progress to. The action plugin sets it and shows the lines.
    type: path
notes:
  - A change of an instance's user data stops and starts the instance. The module warns when an update does.
  - Tags of a stack are put on every resource in it that can be tagged, by CloudFormation.
"""

EXAMPLES = r"""
- name: Keep the stack of the cluster
  handson.ecs.cloudformation_stack:
    name: BreakTheMonolith-Demo
    template_body: "{{ lookup('ansible.builtin.file', 'cluster.yml') }}"
    parameters:
      DesiredCapacity: 2
      MaxSize: 2
      InstanceType: t2.micro
      SubnetCidrs: [10.0.0.0/24, 10.0.1.0/24]
    zone_parameters: [AvailabilityZoneOne, AvailabilityZoneTwo]
    owner:
      handson:cluster: BreakTheMonolith-Demo

- name: Take the stack away
  handson.ecs.cloudformation_stack:
    name: BreakTheMonolith-Demo
    state: absent
    owner:
      handson:cluster: BreakTheMonolith-Demo
"""

RETURN = r"""
stack:
  description: The stack, or null where there is none. Outputs that check mode foresees are known after apply.
  returned: always
  type: dict
  sample:
    id: "arn:aws:cloudformation:ap-southeast-1:123456789012:stack/BreakTheMonolith-Demo/…"
    name: BreakTheMonolith-Demo
    outputs: {Url: "http://…"}
    parameters: {DesiredCapacity: "2"}
    status: CREATE_COMPLETE
    tags: {"handson:cluster": BreakTheMonolith-Demo}
events:
  description: What was shown during the wait, oldest first.
  returned: when waited
  type: list
  elements: str
  sample: ["CREATE_COMPLETE  AWS::EC2::VPC  Vpc"]
failed_resource:
  description: The resource that failed first, or null where CloudFormation names none.
  returned: when an operation of the stack failed
  type: dict
  sample: {logical_id: Instances, type: "AWS::AutoScaling::AutoScalingGroup", reason: "…"}
refused_changes:
  description: What the refused change set would have replaced or removed.
  returned: when a change set was refused
  type: list
  elements: str
  sample: ["Replace Vpc (AWS::EC2::VPC): CidrBlock"]
"""

import time
import uuid

try:
    from botocore.exceptions import ClientError
except ImportError:  # AnsibleAWSModule reports the missing library in its own words
    ClientError = Exception

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code, is_boto3_error_message

from ansible_collections.handson.ecs.plugins.module_utils import stack_events, stacks
from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags, drift, foreign_because
from ansible_collections.handson.ecs.plugins.module_utils.networks import first_zones
from ansible_collections.handson.ecs.plugins.module_utils.resource import Resource, ResourceError, argument_spec
from ansible_collections.handson.ecs.plugins.module_utils.unlogged import unlogged_module

SHOWN = ("name", "id", "status", "parameters", "outputs", "tags")
#: Codes by which a second try of ours says that the first went through.
ALREADY = ("AlreadyExistsException", "TokenAlreadyExistsException")
#: The same of ExecuteChangeSet, whose change set is under way, or gone since it is done.
EXECUTED = ("InvalidChangeSetStatus", "InvalidChangeSetStatusException", "ChangeSetNotFound", *ALREADY)
#: Change sets of ours begin so. A killed run may leave one; the next update that is executed takes it away.
PREFIX = "handson-ecs-"


class Stack(Resource):
    kind = "stack"
    result_key = "stack"

    def __init__(self, module):
        super().__init__(module)
        self.template = {}
        self.given = {}  # the parameters as text
        self.nothing = False  # CloudFormation found no difference where we had
        self._watch = None

    @property
    def watch(self):
        if self._watch is None:
            self._watch = stack_events.StackWatch(self.client("cloudformation"), self.params)
        return self._watch

    # --- what is there --------------------------------------------------------------------------------------------

    def get(self):
        raw = self._describe()
        current = raw and stacks.stack_from_aws(raw)
        if not current or foreign_because(current["tags"], self.params["owner"]):
            return current
        if raw.get("EnableTerminationProtection") and self._would_delete(current["status"]):
            raise ResourceError(
                f"The stack {self.name!r} is protected from deletion, and is in {current['status']}. Nothing was done. "
                "To allow it: aws cloudformation update-termination-protection --no-enable-termination-protection "
                f"--stack-name {self.name}"
            )
        if self.params["state"] == "absent":
            return current
        if stacks.in_progress(current["status"]) and not self.module.check_mode:
            self._wait_out(current)
            return self.get()
        return self._compared(current)

    def _compared(self, current):
        """Add what the comparison needs. Of a stack that is to be made anew that is nothing."""
        if current["status"] == "DELETE_IN_PROGRESS":  # seen in check mode alone
            return None
        if current["status"] in stacks.HELD or self._is_remade(current["status"]):
            return current
        found = self.client("cloudformation").get_template(StackName=current["id"], TemplateStage="Original")
        template = stacks.parse_template(found["TemplateBody"])
        current["template"] = stacks.comparable(template)
        current["parameters"] = stacks.normal(current["parameters"], template)
        return current

    def desired(self, current):
        status = (current or {}).get("status", "CREATE_COMPLETE")
        wanted = {"name": self.name, "template": stacks.comparable(self.template)}
        previous = (current or {}).get("parameters", {})
        if self._is_remade(status):
            wanted["status"], previous = "CREATE_COMPLETE", {}
        elif status in stacks.ROLLED_BACK_FIRST:
            wanted["status"] = "UPDATE_ROLLBACK_COMPLETE"
        elif status in stacks.HELD:
            raise ResourceError(
                f"The stack {self.name!r} is in {status}: it can only be deleted, and something of value may be left "
                "in it. Nothing was touched. Look at its resources in the CloudFormation console, then take it away "
                "with its teardown playbook, limited to its host (ansible-playbook teardown.yml --limit HOST), and run "
                "again; or set allow_replacement to true for this run, which deletes it and makes it anew "
                "(cluster_stack_allow_replacement or workstation_allow_replacement in the inventory)."
            )
        elif status not in stacks.UPDATABLE and not stacks.in_progress(status):
            raise ResourceError(
                f"The stack {self.name!r} is in {status}, out of which nothing leads here. It was not touched. Bring "
                "it back to rest in the CloudFormation console, and run again."
            )
        if current is None or self._is_remade(status):
            self._choose_zones()
        stacks.check_parameters(self.given, self.template, previous)
        expected = stacks.expected_parameters(self.given, self.template, previous)
        wanted["parameters"] = stacks.normal(expected, self.template)
        return wanted

    def _choose_zones(self):
        names = self.params["zone_parameters"]
        stacks.check_parameters(dict.fromkeys(names, ""), self.template, stacks.declared(self.template))
        if any(name not in self.given for name in names):
            offered = self.client("ec2").describe_availability_zones()["AvailabilityZones"]
            self.given = stacks.with_zones(self.given, names, first_zones(offered))

    # --- making, changing, deleting -------------------------------------------------------------------------------

    def create(self, desired):
        token = PREFIX + uuid.uuid4().hex
        request = {**self._request(desired, {}), "OnFailure": "ROLLBACK", "ClientRequestToken": token}
        self.watch.say(f"creating the stack {self.name}")
        try:
            stack = self.client("cloudformation").create_stack(StackName=self.name, **request)["StackId"]
        except is_boto3_error_code(list(ALREADY)):
            raw = self._describe()
            if raw is None:
                raise
            found = stacks.stack_from_aws(raw)
            self._refuse_foreign(found)
            if not self.watch.started(found["id"], token):
                raise ResourceError(
                    f"Somebody else made the stack {self.name!r} at the same time. Run again: the run compares it."
                ) from None
            stack = found["id"]
        self._ended(self.watch.follow(stack, token), "CREATE_COMPLETE")

    def update(self, current, desired, changes):
        if self._is_remade(current["status"]):
            self.client("cloudformation").validate_template(TemplateBody=self.params["template_body"])
            self.watch.say(f"the stack {self.name} is in {current['status']}: it is deleted and made anew")
            self._delete(current["id"])
            self.create(desired)
            return
        if "status" in changes:
            self._continue_rollback(current)
            current = self.get()
            desired = {**desired, **self.desired(current)}  # kept values are those that the roll-back brought back
            del desired["status"]
            changes = drift(current, desired)[1]
        if changes:
            self._change(current, desired)

    def delete(self, current):
        if stacks.in_progress(current["status"]):
            if self._wait_out(current).status == "DELETE_COMPLETE":
                return
        self._delete(current["id"])

    def _change(self, current, desired):
        """Make a change set, look at it, and execute it. It does not outlive a failure.

        Ctrl-C in Ansible's worker ends the module on the spot (see module_utils/temporary.py). A change set that stays
        for it changes nothing, and CloudFormation deletes it when another one is executed, or with the stack.
        """
        cloudformation, token = self.client("cloudformation"), PREFIX + uuid.uuid4().hex
        name = {"StackName": current["id"], "ChangeSetName": token}
        self.watch.remember(current["id"])
        try:
            cloudformation.create_change_set(
                **name, ChangeSetType="UPDATE", ClientToken=token, **self._request(desired, current["parameters"])
            )
        except is_boto3_error_code("AlreadyExistsException"):
            pass  # nobody else has this name: the answer to our own first try was lost
        except ClientError as e:
            if not stacks.no_changes(str(e)):
                raise
            self.nothing = True
            return
        try:
            changes = self._planned(name)
            if changes is None:
                self.nothing = True
                self.watch.say("CloudFormation finds nothing to change")
                cloudformation.delete_change_set(**name)
                return
            self._refuse_replacement(changes)
            self._tell_restarts(changes)
            self._execute(name, token)
        except BaseException:
            self._delete_change_set(name)
            raise
        self._ended(self.watch.follow(current["id"], token), "UPDATE_COMPLETE")

    def _planned(self, name):
        """Wait for the change set; return its changes, or None where there are none."""
        pages = self.client("cloudformation").get_paginator("describe_change_set")
        deadline = time.monotonic() + self.params["wait_timeout"]
        while True:
            found = pages.paginate(**name).build_full_result()
            if found["Status"] == "CREATE_COMPLETE":
                return found.get("Changes") or []
            if found["Status"] == "FAILED":
                reason = found.get("StatusReason") or "no reason given"
                if stacks.no_changes(reason):
                    return None
                raise ResourceError(
                    f"CloudFormation refuses the update of the stack {self.name!r}: {reason.rstrip('.')}. Nothing was "
                    "changed. Correct template_body, parameters or capabilities."
                )
            if time.monotonic() >= deadline:
                raise ResourceError(
                    f"The change set for the stack {self.name!r} is still in {found['Status']} after "
                    f"{self.params['wait_timeout']} s. Nothing was changed. Run again."
                )
            time.sleep(min(2.0, self.params["wait_interval"]))

    def _refuse_replacement(self, changes):
        for line in stacks.planned(changes, self.template):
            self.watch.say(line)
        lost = stacks.destructive(changes, self.template)
        stuck = stacks.irreplaceable(changes, self.template)
        if stuck:
            way_out = (
                f"{', '.join(stuck)} can't be replaced in an update at all: CloudFormation replaces nothing that keeps "
                "its name (or a subnet's block), and with a VPC everything in it would go. Take the "
                "change back, or, if it is meant, take the stack away with its teardown playbook, limited to its host "
                "(ansible-playbook teardown.yml --limit HOST), and run again: the run makes it anew."
            )
        elif lost and not self.params["allow_replacement"]:
            way_out = (
                "Take the change back, or, if it is meant, set allow_replacement to true for this run "
                "(cluster_stack_allow_replacement or workstation_allow_replacement in the inventory)."
            )
        else:
            return
        error = ResourceError(
            f"The update of the stack {self.name!r} would replace or remove resources, and was not done:\n"
            + "\n".join(f"- {line}" for line in lost)
            + f"\nWhat is in them or runs on them would be lost. {way_out}"
        )
        error.details = {"changed": False, "refused_changes": lost}
        raise error

    def _tell_restarts(self, changes):
        for name in stacks.restarted(changes, self.template):
            text = f"the user data of {name} changes, for which the instance is stopped and started"
            self.watch.say(text)
            self.module.warn(f"Stack {self.name}: {text}. What runs on it ends.")

    def _execute(self, name, token):
        try:
            self.client("cloudformation").execute_change_set(**name, ClientRequestToken=token, DisableRollback=False)
        except is_boto3_error_code(list(EXECUTED)):
            if not self.watch.started(name["StackName"], token):
                raise

    def _delete_change_set(self, name):
        try:
            self.client("cloudformation").delete_change_set(**name)
        except ClientError:
            pass  # what went wrong before is what matters

    def _continue_rollback(self, current):
        token = PREFIX + uuid.uuid4().hex
        self.watch.say(f"the stack {self.name} is in {current['status']}: its roll-back is continued")
        self.watch.remember(current["id"])
        cloudformation = self.client("cloudformation")
        try:
            if current["status"] == "UPDATE_FAILED":
                cloudformation.rollback_stack(StackName=current["id"], ClientRequestToken=token)
            else:
                cloudformation.continue_update_rollback(StackName=current["id"], ClientRequestToken=token)
        except is_boto3_error_code("TokenAlreadyExistsException"):
            pass  # our own first try
        self._ended(self.watch.follow(current["id"], token), "UPDATE_ROLLBACK_COMPLETE")

    def _delete(self, stack):
        """Delete a stack; where something in it would not go, try once more, since that may have let go meanwhile."""
        for last in (False, True):
            token = PREFIX + uuid.uuid4().hex
            self.watch.remember(stack)
            try:
                self.client("cloudformation").delete_stack(StackName=stack, ClientRequestToken=token)
            except is_boto3_error_code("TokenAlreadyExistsException"):
                pass  # our own first try
            outcome = self.watch.follow(stack, token)
            if outcome.status == "DELETE_COMPLETE" or last:
                break
            self.watch.say(f"{outcome.status}: the deletion is tried once more")
        self._ended(outcome, "DELETE_COMPLETE")

    # --- help -----------------------------------------------------------------------------------------------------

    def _describe(self):
        try:
            found = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        except is_boto3_error_message(stack_events.NOT_THERE):
            return None
        return found[0] if found else None

    def _request(self, desired, previous):
        """The part that CreateStack and CreateChangeSet share. `previous` are the living stack's parameters."""
        request = {
            "TemplateBody": self.params["template_body"],
            "Parameters": stacks.request_parameters(self.given, self.template, previous),
            "Capabilities": self.params["capabilities"],
        }
        if desired.get("tags"):
            request["Tags"] = dict_to_tags(desired["tags"])
        return request

    def _wait_out(self, current):
        self.watch.say(f"the stack {self.name} is in {current['status']}: that is waited for")
        return self.watch.follow_earlier(current["id"])

    def _ended(self, outcome, well):
        if outcome.status != well:
            raise stack_events.failure(self.name, outcome)

    def _is_remade(self, status):
        if status in stacks.HELD:
            return self.params["allow_replacement"]
        return status in stacks.REMADE or (self.module.check_mode and status in stacks.BOUND_FOR_REMADE)

    def _would_delete(self, status):
        return self.params["state"] == "absent" or self._is_remade(status)

    # --- the result -----------------------------------------------------------------------------------------------

    def _present(self):
        stacks.check_size(self.params["template_body"])
        self.template = stacks.parse_template(self.params["template_body"])
        given, zones = stacks.given_parameters(self.params["parameters"]), self.params["zone_parameters"]
        self.given = {name: value for name, value in given.items() if value.strip() or name not in zones}
        secret = {self.given[name] for name in stacks.hidden(self.template) & set(self.given)} - {""}
        self.module.no_log_values.update(secret)  # out of messages and out of the arguments that -vvv shows
        result = super()._present()
        if self.nothing:
            result.update(changed=False, diff=self._diff({}, {}))
        if self.module.check_mode and result["changed"]:
            known = result["stack"].get("outputs")
            result["stack"]["outputs"] = stacks.foreseen_outputs(self.template, known)
        result["stack"] = {key: result["stack"].get(key) for key in SHOWN}
        return result

    def after(self, current, changed):
        if not self.module.check_mode:
            return {"events": self.watch.lines} if self._watch else {}
        if changed:  # otherwise CreateStack and CreateChangeSet tell, before they make anything
            self.client("cloudformation").validate_template(TemplateBody=self.params["template_body"])
        return {}

    def _absent(self):
        result = super()._absent()
        return {**result, "events": self._watch.lines} if self._watch else result

    def _diff(self, before, after):
        if before and after:
            before, after = stacks.changed_parts(before, after)
            if before.get("template", after) is None:  # to be made anew
                before, after = {k: v for k, v in before.items() if k != "template"}, self._new(after)
        elif after:
            after = self._new(after)
        else:
            before = {k: before[k] for k in SHOWN if k in before and k != "parameters"}
        return super()._diff(before, after)

    def _new(self, after):
        """A new stack's resources, in place of its whole template."""
        shown = {k: v for k, v in after.items() if k != "template"}
        return {**shown, "resources": stacks.resources(self.template)} if "template" in after else shown


def main():
    spec = argument_spec(
        name={"type": "str", "required": True},
        template_body={"type": "str"},
        parameters={"type": "dict", "default": {}},
        zone_parameters={"type": "list", "elements": "str", "default": []},
        capabilities={
            "type": "list",
            "elements": "str",
            "choices": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            "default": ["CAPABILITY_NAMED_IAM"],
        },
        allow_replacement={"type": "bool", "default": False},
        wait_timeout={"type": "int", "default": 1800},
        wait_interval={"type": "float", "default": 5},
        progress_file={"type": "path"},
    )
    Stack(
        # Which of `parameters` are secret only the template knows.
        unlogged_module(
            argument_spec=spec, supports_check_mode=True, required_if=[("state", "present", ["template_body"])]
        )
    ).run()


if __name__ == "__main__":
    main()
