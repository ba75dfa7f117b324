# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow an operation on a CloudFormation stack by its events, and say which resource failed first."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Iterable, Iterator, Mapping

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_message

from ansible_collections.handson.ecs.plugins.module_utils.progress import Progress
from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError
from ansible_collections.handson.ecs.plugins.module_utils.stacks import in_progress

STACK = "AWS::CloudFormation::Stack"
#: DescribeStacks and DescribeStackEvents say this, with the code ValidationError, of a name that is not there.
NOT_THERE = "does not exist"
#: The stack's own event with which an operation begins.
BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS")
#: Statuses of a stack that say how the operation before them failed.
_VERBS = {
    "CREATE_FAILED": "creation", "ROLLBACK_COMPLETE": "creation", "ROLLBACK_FAILED": "creation",
    "UPDATE_FAILED": "update", "UPDATE_ROLLBACK_COMPLETE": "update", "UPDATE_ROLLBACK_FAILED": "update",
    "DELETE_FAILED": "deletion",
}  # fmt: skip


@dataclass
class Outcome:
    """How an operation ended: the stack's status, and the operation's events, oldest first."""

    status: str
    events: list[Mapping[str, Any]] = field(default_factory=list)


# --- events -----------------------------------------------------------------------------------------------------------


def of_stack(event: Mapping[str, Any]) -> bool:
    """Whether an event is about the stack itself, and not about a resource or a nested stack."""
    return event.get("ResourceType") == STACK and event.get("PhysicalResourceId") == event.get("StackId")


def reason(event: Mapping[str, Any]) -> str:
    """Return an event's reason on one line. Emulators put None into it as text."""
    text = " ".join((event.get("ResourceStatusReason") or "").split())
    return "" if text == "None" else text


def line(event: Mapping[str, Any]) -> str:
    """Return an event as it is shown: `CREATE_COMPLETE  AWS::EC2::VPC  Vpc`, and the reason where there is one."""
    parts = [
        event["ResourceStatus"],
        event.get("ResourceType") or "",
        event.get("LogicalResourceId") or "",
        reason(event),
    ]
    return "  ".join(part for part in parts if part)


def worth_showing(event: Mapping[str, Any]) -> bool:
    """Whether an event tells something new: each resource says a second time that it is "Initiated"."""
    return of_stack(event) or not reason(event).endswith("Initiated")


def of_last_operation(newest_first: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the events of the operation that began last, newest first."""
    found = []
    for event in newest_first:
        found.append(event)
        begun = event["ResourceStatus"] in BEGINNINGS or (
            event["ResourceStatus"] == "UPDATE_ROLLBACK_IN_PROGRESS" and reason(event) == "User Initiated"
        )
        if of_stack(event) and begun:
            break
    return found


def first_failure(oldest_first: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the event of the resource that failed first, or the stack's own where no resource did.

    When one fails, CloudFormation cancels the others ("Resource creation cancelled"): those failed for no reason of
    their own.
    """
    failed = [e for e in oldest_first if e["ResourceStatus"].endswith("_FAILED")]
    own = [e for e in failed if not of_stack(e)]
    true = [e for e in own if not reason(e).rstrip(".").endswith("cancelled")]
    for candidates in (true, [e for e in failed if of_stack(e) and reason(e)], own):
        if candidates:
            return candidates[0]
    return None


def failure(name: str, outcome: Outcome, changed: bool = True) -> ResourceError:
    """Put the end of a failed operation into words: the resource that failed first, the state, and the way out."""
    status = outcome.status
    event = first_failure(outcome.events)
    text = f"The {_VERBS.get(status, 'operation')} of the stack {name!r} failed."
    if event:
        why = reason(event).rstrip(".") or "no reason given"
        text += f" First {event.get('LogicalResourceId')} ({event.get('ResourceType')}): {why}."
    else:
        text += " CloudFormation names no resource. Its events are below."
    text += f" The stack is in {status}. {_way_out(name, status, event)}"
    error = ResourceError(text)
    error.details = {
        "changed": changed,
        "events": [line(e) for e in outcome.events if worth_showing(e)][-20:],
        "failed_resource": (
            {
                "logical_id": event.get("LogicalResourceId"),
                "type": event.get("ResourceType"),
                "reason": reason(event),
            }
            if event
            else None
        ),
    }
    return error


def _way_out(name: str, status: str, event: Mapping[str, Any] | None) -> str:
    resource = (event or {}).get("LogicalResourceId") or "RESOURCE"
    if status in ("UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED"):
        return (
            "Mend the cause and run again: the run continues the roll-back first. Where the resource cannot be rolled "
            f"back: aws cloudformation continue-update-rollback --stack-name {name} --resources-to-skip {resource}"
        )
    if status == "DELETE_FAILED":
        return (
            "Free what holds it and run the teardown playbook (again): that deletes what is left. To leave the "
            f"resource behind in the account: aws cloudformation delete-stack --stack-name {name} --retain-resources "
            f"{resource}"
        )
    if status == "UPDATE_ROLLBACK_COMPLETE":
        return "It is as it was before. Mend the cause and run again."
    return "Mend the cause and run again: the run deletes the stack and makes it anew."


# --- following --------------------------------------------------------------------------------------------------------


class StackWatch:
    """The events of one stack. `cloudformation` is the client, `params` the module's options: name, wait_timeout,
    wait_interval (seconds), progress_file.

    Follows by the stack's id, since a deleted stack is found by its id alone.
    """

    def __init__(self, cloudformation: Any, params: Mapping[str, Any]) -> None:
        self._cloudformation = cloudformation
        self._params = params
        self._progress = Progress(params.get("progress_file"))
        self._seen: set[str] = set()
        self._forgotten = False  # AWS knows a deleted stack by its id for 90 days, an emulator may not
        #: What was shown, oldest first.
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)
        self._progress.say(text)

    def remember(self, stack: str) -> None:
        """Take the events until now for old. To be called before an operation is started."""
        self._seen.update(e["EventId"] for e in next(self._pages(stack), []))

    def started(self, stack: str, token: str) -> bool:
        """Whether the stack tells of the operation with this token: the lost answer of a call that went through."""
        return any(e.get("ClientRequestToken") in (token, None) for e in self._unseen(stack))

    def follow(self, stack: str, token: str) -> Outcome:
        """Wait until the operation that this run began with `token` has ended, showing its events as they come."""
        return self._follow(stack, self._unseen(stack), token)

    def follow_earlier(self, stack: str) -> Outcome:
        """The same for an operation that was under way before."""
        return self._follow(stack, of_last_operation(e for page in self._pages(stack) for e in page), None)

    def _follow(self, stack: str, newest_first: list[Mapping[str, Any]], token: str | None) -> Outcome:
        deadline = time.monotonic() + self._params["wait_timeout"]
        events: list[Mapping[str, Any]] = []
        while True:
            for event in reversed(newest_first):
                self._seen.add(event["EventId"])
                if token and event.get("ClientRequestToken") not in (token, None):
                    continue  # somebody else's operation
                events.append(event)
                if worth_showing(event):
                    self.say(line(event))
            # DescribeStacks may still tell the state before the operation, so the stack's own last event decides.
            last = next((e["ResourceStatus"] for e in reversed(events) if of_stack(e)), None)
            if last and not in_progress(last):
                return Outcome(last, events)
            if self._forgotten:
                return Outcome("DELETE_COMPLETE", events)
            if time.monotonic() >= deadline:
                raise self._timeout(last or "an unknown state", events)
            time.sleep(self._params["wait_interval"])
            newest_first = self._unseen(stack)

    def _unseen(self, stack: str) -> list[Mapping[str, Any]]:
        found = []
        for page in self._pages(stack):
            new = [e for e in page if e["EventId"] not in self._seen]
            found += new
            if len(new) < len(page):  # the rest is older
                break
        return found

    def _pages(self, stack: str) -> Iterator[list[Mapping[str, Any]]]:
        try:
            for page in self._cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack):
                yield page["StackEvents"]
        except is_boto3_error_message(NOT_THERE):
            self._forgotten = True

    def _timeout(self, status: str, events: list[Mapping[str, Any]]) -> ResourceError:
        event = first_failure(events)
        why = f" {event['LogicalResourceId']} failed: {reason(event).rstrip('.')}." if event else ""
        error = ResourceError(
            f"The stack {self._params['name']!r} is still in {status} after {self._params['wait_timeout']} s.{why} "
            "CloudFormation goes on by itself: run again to wait further, with a greater wait_timeout where needed."
        )
        error.details = {"changed": True, "events": self.lines[-20:]}
        return error
