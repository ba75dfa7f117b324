# SPDX-License-Identifier: GPL-3.0-or-later
import itertools

import pytest

from ansible_collections.handson.ecs.plugins.module_utils import stack_events as code
from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError

IDS = itertools.count(1)


def event(status, resource="", reason=None, token="ours", kind="AWS::EC2::VPC", physical="vpc-1"):
    return {
        "EventId": str(next(IDS)),
        "StackId": "arn:shop",
        "LogicalResourceId": resource or "shop",
        "PhysicalResourceId": physical if resource else "arn:shop",
        "ResourceType": kind if resource else code.STACK,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        "ClientRequestToken": token,
    }


@pytest.mark.parametrize(
    "one, line, shown",
    [
        (event("CREATE_COMPLETE", "Vpc"), "CREATE_COMPLETE  AWS::EC2::VPC  Vpc", True),
        (event("CREATE_FAILED", "Vpc", "No\n room."), "CREATE_FAILED  AWS::EC2::VPC  Vpc  No room.", True),
        (event("CREATE_COMPLETE", "Vpc", "None"), "CREATE_COMPLETE  AWS::EC2::VPC  Vpc", True),
        (event("CREATE_IN_PROGRESS", "Vpc", "Initiated"), "CREATE_IN_PROGRESS  AWS::EC2::VPC  Vpc  Initiated", False),
        (event("X", reason="User Initiated"), "X  AWS::CloudFormation::Stack  shop  User Initiated", True),
    ],
)  # fmt: skip
def test_how_an_event_is_shown(one, line, shown):
    assert code.line(one) == line and code.worth_showing(one) is shown


def test_a_nested_stack_is_a_resource():
    assert not code.of_stack(event("CREATE_COMPLETE", "Inner", kind=code.STACK, physical="arn:inner"))
    assert code.of_stack(event("CREATE_COMPLETE"))


@pytest.mark.parametrize("begin", [("UPDATE_IN_PROGRESS", None), ("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")])
def test_events_of_the_last_operation(begin):
    new = [event("UPDATE_IN_PROGRESS", "Vpc"), event(begin[0], reason=begin[1])]
    assert code.of_last_operation([*new, event("CREATE_COMPLETE"), event("CREATE_IN_PROGRESS")]) == new


def test_a_roll_back_belongs_to_its_update():
    events = [event("UPDATE_ROLLBACK_IN_PROGRESS", reason="failed to update: [Vpc]"), event("UPDATE_IN_PROGRESS")]
    assert code.of_last_operation([*events, event("CREATE_COMPLETE")]) == events


CANCELLED = event("CREATE_FAILED", "Gateway", "Resource creation cancelled")
STACK_FAILED = event("CREATE_FAILED", reason="The following resource(s) failed to create: [Vpc].")


@pytest.mark.parametrize(
    "events, resource",
    [
        ([], None),
        ([event("CREATE_COMPLETE", "Vpc")], None),
        ([event("CREATE_FAILED", "Vpc", "a"), event("DELETE_FAILED", "Subnet", "b")], "Vpc"),
        ([CANCELLED, event("CREATE_FAILED", "Vpc", "a")], "Vpc"),
        ([event("UPDATE_FAILED", "A", "Resource update cancelled"), event("UPDATE_FAILED", "B", "x")], "B"),
        ([STACK_FAILED, CANCELLED], "shop"),
        ([CANCELLED], "Gateway"),
    ],
)
def test_what_failed_first(events, resource):
    found = code.first_failure(events)
    assert (found and found["LogicalResourceId"]) == resource


@pytest.mark.parametrize(
    "status, said",
    [
        ("ROLLBACK_COMPLETE", "creation.*makes it anew"),
        ("UPDATE_ROLLBACK_COMPLETE", "update.*as it was before"),
        ("UPDATE_ROLLBACK_FAILED", "update.*--resources-to-skip Vpc"),
        ("DELETE_FAILED", "deletion.*teardown playbook.*--retain-resources Vpc"),
    ],
)
def test_every_failure_has_a_way_out(status, said):
    error = code.failure("shop", code.Outcome(status, [event("X_FAILED", "Vpc", "Why.")]))
    assert "First Vpc (AWS::EC2::VPC): Why. The stack is in " + status in str(error)
    with pytest.raises(ResourceError, match=said):
        raise error
    assert error.details["failed_resource"] == {"logical_id": "Vpc", "type": "AWS::EC2::VPC", "reason": "Why."}


class Fake:
    """Shows one event more at each look."""

    def __init__(self, *events, forgets=False):
        self.coming, self.shown, self.forgets = list(events), [], forgets

    def get_paginator(self, _operation):
        return self

    def paginate(self, StackName):
        from botocore.exceptions import ClientError

        if self.coming:
            self.shown.insert(0, self.coming.pop(0))
        elif self.forgets:
            raise ClientError(
                {"Error": {"Code": "ValidationError", "Message": f"Stack [{StackName}] does not exist"}}, "x"
            )
        for start in range(0, len(self.shown), 2):
            yield {"StackEvents": self.shown[start : start + 2]}


def watch(fake, **params):
    return code.StackWatch(fake, {"name": "shop", "wait_timeout": 5, "wait_interval": 0, **params})


def test_old_events_and_those_of_others_are_not_shown():
    fake = Fake(event("CREATE_COMPLETE", token="old"))
    watched = watch(fake)
    watched.remember("arn:shop")
    fake.coming = [
        event("UPDATE_IN_PROGRESS"),
        event("UPDATE_COMPLETE", "Vpc", token="theirs"),
        event("UPDATE_COMPLETE", "Vpc"),
        event("UPDATE_COMPLETE"),
    ]
    outcome = watched.follow("arn:shop", "ours")
    assert outcome.status == "UPDATE_COMPLETE" and len(outcome.events) == 3
    assert watched.lines == [code.line(e) for e in outcome.events]


def test_an_endpoint_without_tokens():
    outcome = watch(Fake(event("CREATE_IN_PROGRESS", token=None), event("CREATE_COMPLETE", token=None))).follow(
        "a", "ours"
    )
    assert outcome.status == "CREATE_COMPLETE" and len(outcome.events) == 2


def test_a_deleted_stack_may_be_forgotten():
    assert watch(Fake(event("DELETE_IN_PROGRESS"), forgets=True)).follow("a", "ours").status == "DELETE_COMPLETE"


def test_an_earlier_operation_is_shown_from_its_beginning():
    fake = Fake(event("UPDATE_ROLLBACK_COMPLETE"))
    fake.shown = [event("UPDATE_IN_PROGRESS"), event("CREATE_COMPLETE"), event("CREATE_IN_PROGRESS")]
    outcome = watch(fake).follow_earlier("arn:shop")
    assert [e["ResourceStatus"] for e in outcome.events] == ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]


def test_the_time_is_over():
    with pytest.raises(ResourceError, match="still in CREATE_IN_PROGRESS after 0 s. Cloud.*run again"):
        watch(Fake(event("CREATE_IN_PROGRESS")), wait_timeout=0).follow("a", "ours")
