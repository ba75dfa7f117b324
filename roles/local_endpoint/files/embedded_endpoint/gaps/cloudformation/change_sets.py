# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Change sets. One is in progress until it has been looked at once, as a stack is."""

import re
import uuid
from typing import Any

from moto.cloudformation.exceptions import CloudFormationError
from moto.core.utils import utcnow

from embedded_endpoint.gaps.cloudformation import parameters
from embedded_endpoint.gaps.cloudformation.errors import Failure, invalid, refused
from embedded_endpoint.gaps.cloudformation.plan import Plan
from embedded_endpoint.gaps.cloudformation.requests import Request, Stacks, check_updatable
from embedded_endpoint.gaps.cloudformation.stack import Stack
from embedded_endpoint.gaps.cloudformation.steps import Wish

NOTHING = "The submitted information didn't contain changes. Submit different information to create a change set."
_NAME = "[a-zA-Z][-a-zA-Z0-9]*"


class ChangeSet:
    """The record of a change set."""

    def __init__(self, name: str, kind: str, stack: Stack, wish: Wish, plan: Plan, description: str | None):
        self.name, self.kind, self.stack, self.wish, self.description = name, kind, stack, wish, description
        self.id = f"arn:aws:cloudformation:{stack.api.region}:{stack.api.account_id}:changeSet/{name}/{uuid.uuid4()}"
        self.created = utcnow()
        self.changes = list(plan.changes.values())
        self.looks = 0
        self.executed = ""
        self.failure = None
        try:
            parameters.check_existence(wish.template, wish.values, stack.api)
        except Failure as error:
            self.failure = str(error)
        if self.failure is None and kind == "UPDATE" and plan.is_empty:
            self.failure = NOTHING

    @property
    def status(self) -> str:
        """CREATE_IN_PROGRESS until it has been looked at."""
        if self.looks < 1:
            return "CREATE_IN_PROGRESS"
        return "FAILED" if self.failure else "CREATE_COMPLETE"

    @property
    def execution_status(self) -> str:
        """Whether it can be executed."""
        if self.executed:
            return self.executed
        return "AVAILABLE" if self.status == "CREATE_COMPLETE" else "UNAVAILABLE"

    def summary(self) -> dict[str, Any]:
        """The change set in ListChangeSets."""
        return {
            "StackId": self.stack.id,
            "StackName": self.stack.name,
            "ChangeSetId": self.id,
            "ChangeSetName": self.name,
            "ExecutionStatus": self.execution_status,
            "Status": self.status,
            "StatusReason": self.failure if self.looks else None,
            "CreationTime": self.created,
            "Description": self.description,
            "IncludeNestedStacks": False,
        }

    def described(self) -> dict[str, Any]:
        """The change set in DescribeChangeSet."""
        done = self.status == "CREATE_COMPLETE"
        return {
            **self.summary(),
            "Parameters": parameters.shown(self.wish.template, self.wish.parameters, self.wish.values) or None,
            "NotificationARNs": self.wish.options.get("NotificationARNs") or [],
            "RollbackConfiguration": {},
            "Capabilities": self.wish.options.get("Capabilities") or None,
            "Tags": [{"Key": key, "Value": value} for key, value in self.wish.tags.items()] or None,
            "Changes": [{"Type": "Resource", "ResourceChange": each} for each in self.changes] if done else [],
        }


def create(request: Request, stacks: Stacks) -> ChangeSet:
    """CreateChangeSet."""
    get = request.get
    stack_name, name, kind = get("StackName"), get("ChangeSetName"), get("ChangeSetType") or "UPDATE"
    if not re.fullmatch(_NAME, name or "") or len(name) > 128:
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'changeSetName' failed to satisfy constraint: Member must "
            f"satisfy regular expression pattern: {_NAME}"
        )
    if kind not in ("CREATE", "UPDATE"):
        raise invalid(f"The local endpoint has no change sets of type {kind}. It is a gap of the emulator.")
    stack = stacks.named(stack_name)
    if kind == "UPDATE":
        if stack is None:
            raise invalid(f"Stack [{stack_name}] does not exist")
        check_updatable(stack)
    elif stack is not None and stack.shown_status != "REVIEW_IN_PROGRESS":
        raise invalid(f"Stack [{stack_name}] already exists and cannot be created again with the changeSet [{name}].")
    if stack and any(each.name == name for each in of_stack(stacks, stack)):
        raise refused("AlreadyExistsException", f"ChangeSet [{name}] already exists")
    wish = request.wish(stack if kind == "UPDATE" else None)
    new = stack is None
    stack = stacks.add(stack_name) if stack is None else stack
    try:
        plan = Plan(stacks.operation(stack), wish)
    except CloudFormationError:
        if new:
            del stacks.all[stack.id]
        raise
    if new:
        stack.event("REVIEW_IN_PROGRESS", "User Initiated")
        stack.tell()
    change_set = ChangeSet(name, kind, stack, wish, plan, get("Description"))
    stacks.change_sets[change_set.id] = change_set
    return change_set


def of_stack(stacks: Stacks, stack: Stack) -> list[ChangeSet]:
    """The change sets of a stack that are still there, the newest first."""
    there = [each for each in stacks.change_sets.values() if each.stack is stack and not each.executed]
    return there[::-1]


def find(stacks: Stacks, name: str, stack_name: str | None) -> ChangeSet:
    """A change set by its ARN, or by its name and its stack. Raises ChangeSetNotFound."""
    found = stacks.change_sets.get(name)
    if found is None:
        if name.startswith("arn:"):
            raise refused("ChangeSetNotFound", f"ChangeSet [{name}] does not exist")
        if not stack_name:
            raise invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
        stack = stacks.find(stack_name, f"Stack [{stack_name}] does not exist")
        found = next((each for each in of_stack(stacks, stack) if each.name == name), None)
    if found is None:
        raise refused("ChangeSetNotFound", f"ChangeSet [{name}] does not exist")
    return found


def execute(stacks: Stacks, change_set: ChangeSet, token: str | None, disable_rollback: bool) -> None:
    """ExecuteChangeSet. The stack's other change sets are gone afterwards."""
    stack = change_set.stack
    if change_set.execution_status != "AVAILABLE":
        raise refused(
            "InvalidChangeSetStatus",
            f"ChangeSet [{change_set.id}] cannot be executed in its current execution status of "
            f"[{change_set.execution_status}]",
        )
    if change_set.kind == "UPDATE":
        check_updatable(stack)
    for other in of_stack(stacks, stack):
        if other is not change_set:
            del stacks.change_sets[other.id]
    change_set.executed = "EXECUTE_COMPLETE"
    stack.begin(token)
    stack.change_set_id = change_set.id
    change_set.wish.options["DisableRollback"] = disable_rollback
    operation = stacks.operation(stack)
    if change_set.kind == "CREATE":
        operation.create(change_set.wish)
    else:
        operation.update(change_set.wish, roll_back=not disable_rollback)
    if stack.status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        change_set.executed = "EXECUTE_FAILED"
