# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A stack: its record, its events, and what a caller sees of both.

What a call starts is done when the call returns, but is told step by step: each look (DescribeStacks, or one
DescribeStackEvents after the other) shows half of the operation's events, and the stack is in progress until the last
one is told. So clients have to wait here as they do in AWS, but no thread is needed.
"""

import datetime
import json
import uuid
from typing import Any

from moto.core.utils import utcnow

from embedded_endpoint.gaps.cloudformation.clients import Api
from embedded_endpoint.gaps.cloudformation.errors import refused
from embedded_endpoint.gaps.cloudformation.resources import Resource

STACK = "AWS::CloudFormation::Stack"
UPDATABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")
_ENDS_WELL = ("CREATE_COMPLETE", "DELETE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
_NOT_THERE = ("DELETE_COMPLETE", "DELETE_SKIPPED")
REASON = "the stack's reason"


class Stack:
    """The record of a stack. `status` is what it has come to; `shown_status` what a caller has been told."""

    def __init__(self, name: str, api: Api):
        self.name, self.api = name, api
        self.id = f"arn:aws:cloudformation:{api.region}:{api.account_id}:stack/{name}/{uuid.uuid4()}"
        self.text = ""
        self.template: dict[str, Any] = {}
        self.parameters: dict[str, str] = {}  # as given
        self.values: dict[str, Any] = {}  # as Ref gives them
        self.tags: dict[str, str] = {}
        self.options: dict[str, Any] = {}  # Capabilities, RoleARN, NotificationARNs …
        self.policy: str | None = None
        self.termination_protection = False
        self.resources: dict[str, Resource] = {}
        self.outputs: list[dict[str, str]] = []
        self.told_outputs: list[dict[str, str]] = []
        self.status = "REVIEW_IN_PROGRESS"
        self.reason: str | None = None
        self.token: str | None = None
        self.tokens: set[str] = set()
        self.way_back: dict[str, Any] = {}  # what a roll-back of the last update needs
        self.change_set_id: str | None = None
        self.events: list[dict[str, Any]] = []
        self.shown = 0
        self.created = self._clock = utcnow()
        self.updated: datetime.datetime | None = None
        self.deleted: datetime.datetime | None = None
        self._looks, self._looked_at_events = 0, False

    def event(
        self, status: str, reason: str | None = None, resource: Resource | None = None, physical_id: str | None = None
    ) -> None:
        """Something happened to the stack, or to a resource of it."""
        event = {
            "StackId": self.id,
            "StackName": self.name,
            "LogicalResourceId": resource.logical_id if resource else self.name,
            "PhysicalResourceId": (resource.physical_id if physical_id is None else physical_id)
            if resource
            else self.id,
            "ResourceType": resource.kind if resource else STACK,
            "ResourceStatus": status,
            "ResourceStatusReason": reason,
            "ClientRequestToken": self.token,
        }
        if resource:
            event["ResourceProperties"] = json.dumps(resource.properties, default=str)
        else:
            self.status = status
            if reason or status in _ENDS_WELL:
                self.reason = reason
            event[REASON] = self.reason  # a failure's reason stays the stack's when its roll-back is complete
        self.events.append(event)

    def look(self, at_events: bool = False) -> None:
        """A caller looks: tell half of what is left to tell of the operation, all of it the second time."""
        if at_events and not self._looked_at_events:
            self._looked_at_events = True  # DescribeStacks drives; who looks at nothing but events gets on as well
            return
        self._looked_at_events = at_events
        self._looks += 1
        untold = len(self.events) - self.shown
        self.tell((untold + 1) // 2 if self._looks == 1 else untold)

    def tell(self, count: int | None = None) -> None:
        """Show the next events, all of them without a number."""
        end = len(self.events) if count is None else min(self.shown + count, len(self.events))
        for event in self.events[self.shown : end]:
            # A millisecond apart at least: an event's id is made of its time.
            self._clock = now = max(utcnow(), self._clock + datetime.timedelta(milliseconds=1))
            event["Timestamp"] = now
            mark = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
            is_stack = event["ResourceType"] == STACK
            event["EventId"] = (
                str(uuid.uuid4()) if is_stack else f"{event['LogicalResourceId']}-{event['ResourceStatus']}-{mark}"
            )
        self.shown = end
        if end == len(self.events):
            self.told_outputs = self.outputs

    def begin(self, token: str | None) -> None:
        """A new operation: whatever the last one left untold is told now."""
        if token and token in self.tokens:
            raise refused("TokenAlreadyExistsException", f"Client request token [{token}] already exists")
        self.tokens.add(token or "")
        self.tell()
        self.token, self._looks, self._looked_at_events = token, 0, False

    @property
    def told(self) -> list[dict[str, Any]]:
        """The events that a caller can see, oldest first."""
        return self.events[: self.shown]

    def _last_told(self) -> dict[str, Any] | None:
        return next((each for each in reversed(self.told) if each["ResourceType"] == STACK), None)

    @property
    def shown_status(self) -> str:
        """The stack's status as told so far."""
        last = self._last_told()
        return last["ResourceStatus"] if last else self.status

    @property
    def busy(self) -> bool:
        """Whether a caller has been told that something is going on."""
        return self.shown_status.endswith("_IN_PROGRESS") and self.shown_status != "REVIEW_IN_PROGRESS"

    @property
    def is_gone(self) -> bool:
        """Whether the name is free again."""
        return self.shown_status == "DELETE_COMPLETE"

    def described(self) -> dict[str, Any]:
        """The stack in DescribeStacks."""
        last = self._last_told()
        return {
            "StackId": self.id,
            "StackName": self.name,
            "ChangeSetId": self.change_set_id,
            "Description": self.template.get("Description"),
            "Parameters": self.options.get("Parameters") or None,
            "CreationTime": self.created,
            "LastUpdatedTime": self.updated,
            "DeletionTime": self.deleted if self.shown_status.startswith("DELETE") else None,
            "RollbackConfiguration": {},
            "StackStatus": self.shown_status,
            "StackStatusReason": last[REASON] if last else None,
            "DisableRollback": self.options.get("DisableRollback", False),
            "NotificationARNs": self.options.get("NotificationARNs") or [],
            "TimeoutInMinutes": self.options.get("TimeoutInMinutes"),
            "Capabilities": self.options.get("Capabilities") or None,
            "Outputs": self.told_outputs or None,
            "RoleARN": self.options.get("RoleARN"),
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
            "EnableTerminationProtection": self.termination_protection,
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        }

    def summary(self) -> dict[str, Any]:
        """The stack in ListStacks."""
        names = (
            "StackId StackName CreationTime LastUpdatedTime DeletionTime StackStatus StackStatusReason DriftInformation"
        )
        described = self.described()
        result = {name: described[name] for name in names.split()}
        return {**result, "TemplateDescription": described["Description"]}

    def told_resources(self) -> list[dict[str, Any]]:
        """The resources as told so far: each with its newest event. Deleted ones only of a deleted stack."""
        newest: dict[str, dict[str, Any]] = {}
        for event in self.told:
            if event["ResourceType"] != STACK:
                name = event["LogicalResourceId"]
                now = self.resources.get(name)
                # The end of a predecessor is told after all that was told of the resource itself.
                if (
                    name in newest
                    and now
                    and now.physical_id == newest[name]["PhysicalResourceId"] != event["PhysicalResourceId"]
                ):
                    continue
                newest.pop(name, None)
                newest[name] = event
        if not self.is_gone:
            newest = {name: event for name, event in newest.items() if event["ResourceStatus"] not in _NOT_THERE}
        names = ("StackId", "StackName", "LogicalResourceId", "PhysicalResourceId", "ResourceType", "ResourceStatus")
        return [
            {
                **{name: event[name] for name in (*names, "ResourceStatusReason")},
                "PhysicalResourceId": event["PhysicalResourceId"] or None,
                "Timestamp": event["Timestamp"],
                "LastUpdatedTimestamp": event["Timestamp"],
                "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
                "Metadata": _metadata(self.template, event["LogicalResourceId"]),
            }
            for event in newest.values()
        ]


def _metadata(template: dict[str, Any], name: str) -> str | None:
    metadata = (template.get("Resources") or {}).get(name, {}).get("Metadata")
    return json.dumps(metadata) if metadata else None
