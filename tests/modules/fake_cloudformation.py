# SPDX-License-Identifier: GPL-3.0-or-later
"""A CloudFormation with one stack that answers as AWS documents it, in states that the endpoint can't be brought to.

An operation is a list of events, one of which shows at each DescribeStackEvents. Use: `with fake.answering() as calls`.
"""

from __future__ import annotations

import contextlib
import itertools
from datetime import datetime, timedelta, timezone
from typing import Any

from modules.aws_calls import error, recorded

from ansible_collections.handson.ecs.plugins.module_utils import stacks

OPERATIONS = (
    "DescribeStacks", "DescribeStackEvents", "GetTemplate", "ValidateTemplate", "CreateStack", "DeleteStack",
    "CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet", "ContinueUpdateRollback",
    "RollbackStack",
)  # fmt: skip
READS = ("DescribeStacks", "DescribeStackEvents", "GetTemplate", "ValidateTemplate", "DescribeChangeSet")


def step(status: str, resource: str = "", reason: str = "", kind: str = "AWS::EC2::VPC") -> dict[str, Any]:
    """An event to come: of the stack itself where no resource is named."""
    return {"status": status, "resource": resource, "reason": reason, "kind": kind}


class FakeCloudFormation:
    def __init__(self, name: str = "shop", tags: dict[str, str] | None = None) -> None:
        self.name, self.tags = name, tags or {}
        self.stack: dict[str, Any] | None = None
        self.template = ""
        self.changes: list[dict[str, Any]] = []
        self.change_set_fails = ""
        self.change_sets: dict[str, Any] = {}
        self.lost: set[str] = set()  # operations whose first answer is lost
        self.protected = False
        self.steps = {
            "create": [[step("CREATE_COMPLETE", "Vpc"), step("CREATE_COMPLETE")]],
            "update": [[step("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), step("UPDATE_COMPLETE")]],
            "delete": [[step("DELETE_COMPLETE", "Vpc"), step("DELETE_COMPLETE")]],
            "rollback": [[step("UPDATE_ROLLBACK_COMPLETE")]],
        }
        self._numbers = itertools.count(1)
        self._events: dict[str, list[dict[str, Any]]] = {}
        self._coming: list[dict[str, Any]] = []
        self._token = ""

    def put(
        self, status: str, template: str, coming: list[dict[str, Any]] = (), parameters: dict[str, str] | None = None
    ):
        """There is a stack in this state, with events to come where an earlier run's operation goes on."""
        self._make({"Tags": [{"Key": k, "Value": v} for k, v in self.tags.items()]}, status, parameters or {})
        self.template, self._coming, self._token = template, list(coming), "earlier"
        self._event(step(status))

    @contextlib.contextmanager
    def answering(self):
        def answer(operation):
            def call(_real, parameters):
                # What the SDK does where the reply is lost: it calls again with the same parameters.
                for _ in range(2 if operation in self.lost else 1):
                    result = getattr(self, f"_{operation}")(**parameters)
                return result

            return call

        with recorded(**{operation: answer(operation) for operation in OPERATIONS}) as calls:
            yield calls

    # --- calls ----------------------------------------------------------------------------------------------------

    def _DescribeStacks(self, StackName):
        self._find(StackName)
        return {"Stacks": [self.stack]}

    def _GetTemplate(self, StackName, TemplateStage):
        assert TemplateStage == "Original" and self._find(StackName)
        return {"TemplateBody": self.template}

    def _ValidateTemplate(self, TemplateBody):
        return {}

    def _DescribeStackEvents(self, StackName, NextToken="0"):
        if StackName not in self._events:
            self._find(StackName)
        if NextToken == "0" and self._coming:
            self._event(self._coming.pop(0))
        newest, start = self._events[StackName][::-1], int(NextToken)
        page = {"StackEvents": newest[start : start + 3]}
        return page | ({"NextToken": str(start + 3)} if newest[start + 3 :] else {})

    def _CreateStack(self, StackName, TemplateBody, Parameters, Capabilities, ClientRequestToken, OnFailure, Tags=()):
        assert OnFailure == "ROLLBACK" and StackName == self.name
        if self.stack:
            raise error("AlreadyExistsException", f"Stack [{StackName}] already exists")
        given = {p["ParameterKey"]: p["ParameterValue"] for p in Parameters}
        self._make(
            {"Tags": list(Tags)},
            "CREATE_IN_PROGRESS",
            stacks.expected_parameters(given, stacks.parse_template(TemplateBody), {}),
        )
        self.template = TemplateBody
        self._begin("create", "CREATE_IN_PROGRESS", ClientRequestToken)
        return {"StackId": self.stack["StackId"]}

    def _CreateChangeSet(self, StackName, ChangeSetName, ChangeSetType, ClientToken, **rest):
        status = self._find(StackName)["StackStatus"]
        assert status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"), status
        if ChangeSetName in self.change_sets:
            raise error("AlreadyExistsException", f"ChangeSet {ChangeSetName} already exists")
        self.change_sets[ChangeSetName] = rest
        return {"Id": ChangeSetName, "StackId": StackName}

    def _DescribeChangeSet(self, StackName, ChangeSetName):
        assert ChangeSetName in self.change_sets
        if self.change_set_fails:
            return {"Status": "FAILED", "StatusReason": self.change_set_fails}
        return {"Status": "CREATE_COMPLETE", "Changes": self.changes}

    def _ExecuteChangeSet(self, StackName, ChangeSetName, ClientRequestToken, DisableRollback):
        assert DisableRollback is False
        if ChangeSetName not in self.change_sets:
            raise error("ChangeSetNotFound", f"ChangeSet [{ChangeSetName}] does not exist")
        new = self.change_sets.pop(ChangeSetName)
        before = {p["ParameterKey"]: p["ParameterValue"] for p in self.stack["Parameters"]}
        values = {p["ParameterKey"]: p.get("ParameterValue", before.get(p["ParameterKey"])) for p in new["Parameters"]}
        self.stack["Parameters"] = [{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()]
        self.stack["Tags"], self.template = new.get("Tags", self.stack["Tags"]), new["TemplateBody"]
        self._begin("update", "UPDATE_IN_PROGRESS", ClientRequestToken)
        return {}

    def _DeleteChangeSet(self, StackName, ChangeSetName):
        del self.change_sets[ChangeSetName]
        return {}

    def _ContinueUpdateRollback(self, StackName, ClientRequestToken):
        assert self._find(StackName)["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
        self._begin("rollback", "UPDATE_ROLLBACK_IN_PROGRESS", ClientRequestToken)
        return {}

    def _RollbackStack(self, StackName, ClientRequestToken):
        assert self._find(StackName)["StackStatus"] == "UPDATE_FAILED"
        self._begin("rollback", "UPDATE_ROLLBACK_IN_PROGRESS", ClientRequestToken)
        return {}

    def _DeleteStack(self, StackName, ClientRequestToken):
        assert not self._find(StackName)["StackStatus"].endswith("COMPLETE_CLEANUP_IN_PROGRESS")
        assert not self._coming or self._token == ClientRequestToken, "an operation is under way"
        if self._token != ClientRequestToken:
            self._begin("delete", "DELETE_IN_PROGRESS", ClientRequestToken)
        return {}

    # --- help -----------------------------------------------------------------------------------------------------

    def _find(self, name):
        if not self.stack or name not in (self.stack["StackName"], self.stack["StackId"]):
            raise error("ValidationError", f"Stack with id {name} does not exist")
        return self.stack

    def _make(self, stack, status, parameters):
        self.stack = {
            **stack,
            "StackName": self.name,
            "StackId": f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{self.name}/{next(self._numbers)}",
            "StackStatus": status,
            "EnableTerminationProtection": self.protected,
            "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        }
        self._events[self.stack["StackId"]] = []

    def _begin(self, operation, status, token):
        scripts = self.steps[operation]
        self._token, self._coming = token, list(scripts.pop(0) if len(scripts) > 1 else scripts[0])
        self._event(step(status, reason="User Initiated"))

    def _event(self, event):
        number = next(self._numbers)
        stack = self.stack["StackId"]
        self._events[stack].append(
            {
                "EventId": str(number),
                "StackId": stack,
                "StackName": self.name,
                "LogicalResourceId": event["resource"] or self.name,
                "PhysicalResourceId": f"vpc-{number}" if event["resource"] else stack,
                "ResourceType": event["kind"] if event["resource"] else "AWS::CloudFormation::Stack",
                "ResourceStatus": event["status"],
                "ClientRequestToken": self._token,
                "Timestamp": datetime(2026, 11, 1, tzinfo=timezone.utc) + timedelta(seconds=number),
                **({"ResourceStatusReason": event["reason"]} if event["reason"] else {}),
            }
        )
        if not event["resource"]:
            self.stack["StackStatus"] = event["status"]
            if event["status"] == "DELETE_COMPLETE":
                self.stack = None
