# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""CloudFormation's operations on stacks and change sets, in the place of moto's (stack sets stay moto's own)."""

from typing import Any

from moto.cloudformation.exceptions import CloudFormationError
from moto.cloudformation.models import CloudFormationBackend
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.resource_tagging import TaggedResource
from moto.core.responses import ActionResult, EmptyResult

# Each registers its handlers of resources.
from embedded_endpoint.gaps.cloudformation import (  # noqa: F401
    autoscaling,
    change_sets,
    ecs,
    elbv2,
    iam,
    instances,
    network,
    security_groups,
)
from embedded_endpoint.gaps.cloudformation import parameters
from embedded_endpoint.gaps.cloudformation import template as templates
from embedded_endpoint.gaps.cloudformation import types
from embedded_endpoint.gaps.cloudformation.errors import invalid, refused
from embedded_endpoint.gaps.cloudformation.plan import Plan
from embedded_endpoint.gaps.cloudformation.requests import Request, Stacks, check_updatable
from embedded_endpoint.gaps.cloudformation.stack import REASON, Stack
from embedded_endpoint.gaps.patching import LOCK, replace

_PAGE = 100

# moto's classes need these; our answers have the API's form already.
CloudFormationResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER = {
    key: value for key, value in CloudFormationResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER.items() if "StackSet" in key
}


@replace(CloudFormationResponse)
def call_action(original, self):
    with LOCK:
        return original(self)


def _stacks(response: Any) -> Stacks:
    return Stacks.of(response.cloudformation_backend)


def _name(response: Any) -> str:
    return response._get_param("StackName") or ""


def _flag(response: Any, name: str) -> bool:
    return str(response._get_param(name, False)).lower() == "true"


def _page(response: Any, key: str, items: list[Any], size: int = _PAGE) -> ActionResult:
    start = int(response._get_param("NextToken") or 0)
    rest = str(start + size) if len(items) > start + size else None
    return ActionResult({key: items[start : start + size], "NextToken": rest})


@replace(CloudFormationResponse)
def create_stack(_original, self):
    stacks, name = _stacks(self), _name(self)
    if stacks.named(name):
        raise refused("AlreadyExistsException", f"Stack [{name}] already exists")
    if self._get_param("OnFailure") and self._get_param("DisableRollback") is not None:
        raise invalid("You cannot specify both DisableRollback and OnFailure.")
    wish = Request(self, stacks).wish(None)
    stack = stacks.add(name)
    try:
        Plan(stacks.operation(stack), wish)  # what can't be worked out is refused before anything is made
    except CloudFormationError:
        del stacks.all[stack.id]
        raise
    stack.termination_protection = _flag(self, "EnableTerminationProtection")
    stack.policy = self._get_param("StackPolicyBody")
    stack.begin(self._get_param("ClientRequestToken"))
    stacks.operation(stack).create(wish)
    return ActionResult({"StackId": stack.id})


@replace(CloudFormationResponse)
def update_stack(_original, self):
    stacks, name = _stacks(self), _name(self)
    stack = stacks.named(name)
    if stack is None:
        raise invalid(f"Stack [{name}] does not exist")
    check_updatable(stack)
    wish = Request(self, stacks).wish(stack)
    operation = stacks.operation(stack)
    if Plan(operation, wish).is_empty:
        raise invalid("No updates are to be performed.")
    stack.begin(self._get_param("ClientRequestToken"))
    operation.update(wish, roll_back=not _flag(self, "DisableRollback"))
    return ActionResult({"StackId": stack.id})


@replace(CloudFormationResponse)
def delete_stack(_original, self):
    stacks = _stacks(self)
    stack = stacks.named(_name(self))
    if stack is None or stack.shown_status == "DELETE_IN_PROGRESS":
        return EmptyResult()
    if stack.termination_protection:
        raise invalid(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    retain = tuple(self._get_param("RetainResources") or ())
    if retain and stack.shown_status != "DELETE_FAILED":
        raise invalid(
            f"Invalid operation on stack [{stack.id}]. When you delete a stack, specify which resources to retain only "
            "when the stack is in the DELETE_FAILED state."
        )
    stack.begin(self._get_param("ClientRequestToken"))
    stacks.operation(stack).delete(retain)
    return EmptyResult()


def _roll_back(response: Any, *states: str) -> Stack:
    stacks, name = _stacks(response), _name(response)
    stack = stacks.named(name)
    if stack is None:
        raise invalid(f"Stack [{name}] does not exist")
    if stack.shown_status not in states:
        raise invalid(f"Stack:{stack.id} is in {stack.shown_status} state and can not be rolled back.")
    stack.begin(response._get_param("ClientRequestToken"))
    stacks.operation(stack).roll_back(tuple(response._get_param("ResourcesToSkip") or ()))
    return stack


@replace(CloudFormationResponse)
def continue_update_rollback(_original, self):
    _roll_back(self, "UPDATE_ROLLBACK_FAILED")
    return EmptyResult()


@replace(CloudFormationResponse)
def rollback_stack(_original, self):
    return ActionResult({"StackId": _roll_back(self, "CREATE_FAILED", "UPDATE_FAILED").id})


@replace(CloudFormationResponse)
def describe_stacks(_original, self):
    stacks, name = _stacks(self), _name(self)
    found = [stacks.find(name, f"Stack with id {name} does not exist")] if name else list(stacks.all.values())[::-1]
    for stack in found:
        stack.look()
    # The look may have told its end: then its name is free, and only its id known.
    if name and found[0].is_gone and name == found[0].name:
        raise invalid(f"Stack with id {name} does not exist")
    return _page(self, "Stacks", [each.described() for each in found if name or not each.is_gone])


@replace(CloudFormationResponse)
def describe_stack_events(_original, self):
    name = _name(self)
    stack = _stacks(self).find(name, f"Stack [{name}] does not exist")
    stack.look(at_events=True)
    events = [{key: value for key, value in each.items() if key != REASON} for each in reversed(stack.told)]
    return _page(self, "StackEvents", events)


@replace(CloudFormationResponse)
def list_stacks(_original, self):
    """An overview: every operation is told to its end."""
    wanted = self._get_param("StackStatusFilter") or []
    found = list(_stacks(self).all.values())[::-1]
    for stack in found:
        stack.tell()
    return _page(self, "StackSummaries", [s.summary() for s in found if not wanted or s.shown_status in wanted])


def _resources_of(response: Any) -> tuple[Stack, list[dict[str, Any]]]:
    name = response._get_param("StackName")
    stacks = _stacks(response)
    physical = response._get_param("PhysicalResourceId")
    if not name and physical:
        for stack in stacks.all.values():
            if any(each["PhysicalResourceId"] == physical for each in stack.told_resources()):
                return stack, stack.told_resources()
        raise invalid(f"Stack for {physical} does not exist")
    stack = stacks.find(name, f"Stack with id {name} does not exist")
    return stack, stack.told_resources()


@replace(CloudFormationResponse)
def describe_stack_resources(_original, self):
    wanted = self._get_param("LogicalResourceId")
    _, found = _resources_of(self)
    return ActionResult({"StackResources": [r for r in found if wanted in (None, r["LogicalResourceId"])]})


@replace(CloudFormationResponse)
def describe_stack_resource(_original, self):
    wanted = self._get_param("LogicalResourceId")
    stack, found = _resources_of(self)
    resource = next((each for each in found if each["LogicalResourceId"] == wanted), None)
    if resource is None:
        raise invalid(f"Resource {wanted} does not exist for stack {stack.name}")
    return ActionResult({"StackResourceDetail": resource})


@replace(CloudFormationResponse)
def list_stack_resources(_original, self):
    _, found = _resources_of(self)
    return _page(self, "StackResourceSummaries", found)


@replace(CloudFormationResponse)
def get_template(_original, self):
    name, change_set = self._get_param("StackName"), self._get_param("ChangeSetName")
    if change_set:
        text = change_sets.find(_stacks(self), change_set, name).wish.text
    else:
        text = _stacks(self).find(name, f"Stack with id {name} does not exist").text
    return ActionResult({"TemplateBody": text, "StagesAvailable": ["Original", "Processed"]})


def _summary(template: dict[str, Any]) -> dict[str, Any]:
    declared = template.get("Parameters") or {}
    kinds = sorted({each["Type"] for each in template["Resources"].values()})
    iam = [each for each in template["Resources"].values() if each["Type"] in types.IAM_TYPES]
    named = any(set(each.get("Properties") or {}) & set(types.IAM_NAMES) for each in iam)
    capability = "CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"
    return {
        "Description": template.get("Description"),
        "Metadata": None,
        "Version": template.get("AWSTemplateFormatVersion"),
        "ResourceTypes": kinds,
        "Capabilities": [capability] if iam else None,
        "CapabilitiesReason": f"The following resource(s) require capabilities: [{', '.join(k for k in kinds if k in types.IAM_TYPES)}]"
        if iam
        else None,
        "DeclaredTransforms": [],
        "Parameters": [
            {
                "ParameterKey": name,
                "DefaultValue": parameters._text(each["Default"]) if "Default" in each else None,
                "ParameterType": each.get("Type", "String"),
                "NoEcho": str(each.get("NoEcho", "")).lower() == "true",
                "Description": each.get("Description"),
                "ParameterConstraints": {"AllowedValues": [parameters._text(v) for v in each.get("AllowedValues", [])]},
            }
            for name, each in declared.items()
        ],
    }


def _template_asked_for(response: Any) -> dict[str, Any]:
    name = response._get_param("StackName")
    stacks = _stacks(response)
    stack = stacks.find(name, f"Stack with id {name} does not exist") if name else None
    template = stack.template if stack else templates.parse(Request(response, stacks)._text(None))
    templates.check(template, stacks.api.region)
    return template


@replace(CloudFormationResponse)
def get_template_summary(_original, self):
    return ActionResult(_summary(_template_asked_for(self)))


@replace(CloudFormationResponse)
def validate_template(_original, self):
    summary = _summary(_template_asked_for(self))
    names = ("Description", "Capabilities", "CapabilitiesReason", "DeclaredTransforms", "Parameters")
    return ActionResult({name: summary[name] for name in names})


@replace(CloudFormationResponse)
def update_termination_protection(_original, self):
    name = _name(self)
    stack = _stacks(self).named(name)
    if stack is None:
        raise invalid(f"Stack [{name}] does not exist")
    stack.termination_protection = _flag(self, "EnableTerminationProtection")
    return ActionResult({"StackId": stack.id})


@replace(CloudFormationResponse)
def get_stack_policy(_original, self):
    name = _name(self)
    stack = _stacks(self).find(name, f"Stack: {name} does not exist")
    return ActionResult({"StackPolicyBody": stack.policy})


@replace(CloudFormationResponse)
def set_stack_policy(_original, self):
    name = _name(self)
    _stacks(self).find(name, f"Stack: {name} does not exist").policy = self._get_param("StackPolicyBody")
    return EmptyResult()


@replace(CloudFormationResponse)
def list_exports(_original, self):
    found = [
        {"ExportingStackId": stack_id, "Name": name, "Value": value}
        for name, (stack_id, value) in sorted(_stacks(self).exports().items())
    ]
    return _page(self, "Exports", found)


@replace(CloudFormationResponse)
def create_change_set(_original, self):
    stacks = _stacks(self)
    made = change_sets.create(Request(self, stacks), stacks)
    return ActionResult({"Id": made.id, "StackId": made.stack.id})


def _change_set(response: Any) -> Any:
    get = response._get_param
    return change_sets.find(_stacks(response), get("ChangeSetName"), get("StackName"))


@replace(CloudFormationResponse)
def describe_change_set(_original, self):
    found = _change_set(self)
    described = found.described()
    found.looks += 1
    return ActionResult(described)


@replace(CloudFormationResponse)
def list_change_sets(_original, self):
    name = _name(self)
    stacks = _stacks(self)
    stack = stacks.find(name, f"Stack [{name}] does not exist")
    return _page(self, "Summaries", [each.summary() for each in change_sets.of_stack(stacks, stack)])


@replace(CloudFormationResponse)
def delete_change_set(_original, self):
    try:
        found = _change_set(self)
    except Exception as error:
        if getattr(error, "code", "") == "ChangeSetNotFound":
            return EmptyResult()
        raise
    if found.executed:
        raise refused(
            "InvalidChangeSetStatus",
            f"The change set [{found.id}] cannot be deleted in its current status of [{found.execution_status}]",
        )
    del _stacks(self).change_sets[found.id]
    return EmptyResult()


@replace(CloudFormationResponse)
def execute_change_set(_original, self):
    found = _change_set(self)
    token = self._get_param("ClientRequestToken")
    change_sets.execute(_stacks(self), found, token, _flag(self, "DisableRollback"))
    return EmptyResult()


@replace(CloudFormationBackend)
def iter_tagged_resources(_original, self):
    for stack in Stacks.of(self).all.values():
        if not stack.is_gone:
            yield TaggedResource(arn=stack.id, tags=dict(stack.tags), resource_type="cloudformation:stack")
