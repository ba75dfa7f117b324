# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest
from modules.aws_calls import operations, recorded
from modules.harness import Failed, contract, run

NAME = "petclinic-rest-cluster-failed-deployments"
TOPIC = "arn:aws:sns:ap-southeast-1:123456789012:petclinic-rest-alarms"
PATTERN = {"source": ["aws.ecs"], "detail": {"eventName": ["SERVICE_DEPLOYMENT_FAILED"]}}
OPTIONS = {
    "name": NAME,
    "description": "Failed deployments",
    "event_pattern": PATTERN,
    "targets": [{"id": "alarms", "arn": TOPIC}],
    "owner": {"handson:cluster": "petclinic-rest-cluster"},
}


@pytest.fixture
def read(aws):
    def read():
        events = aws("events")
        found = [r for r in events.list_rules()["Rules"] if r["Name"] == NAME]
        if not found:
            return None
        tags = events.list_tags_for_resource(ResourceARN=found[0]["Arn"])["Tags"]
        return {
            **found[0],
            "targets": events.list_targets_by_rule(Rule=NAME)["Targets"],
            "tags": {t["Key"]: t["Value"] for t in tags},
        }

    return read


def test_contract(aws, read):
    shorter = {"id": "alarms", "arn": TOPIC, "input_paths": {"why": "$.detail.reason"}, "input_template": '"<why>"'}
    contract(
        "event_rule",
        OPTIONS,
        read,
        changes=[
            ({"description": "They failed"}, lambda r: r["Description"], "They failed"),
            ({"event_pattern": {"source": ["aws.ecs"]}}, lambda r: json.loads(r["EventPattern"]), {"source": ["aws.ecs"]}),
            (
                {"targets": [shorter]},
                lambda r: r["targets"][0].get("InputTransformer"),
                {"InputPathsMap": {"why": "$.detail.reason"}, "InputTemplate": '"<why>"'},
            ),
            ({"targets": [{"id": "others", "arn": TOPIC}]}, lambda r: [t["Id"] for t in r["targets"]], ["others"]),
            ({"targets": []}, lambda r: r["targets"], []),
            ({"tags": {"team": "vets"}}, lambda r: r["tags"].get("team"), "vets"),
        ],
    )


def test_an_unchanged_run_makes_three_calls(aws):
    run("event_rule", **OPTIONS)
    with recorded() as calls:
        assert not run("event_rule", **OPTIONS)["changed"]
    assert operations(calls) == ["DescribeRule", "ListTargetsByRule", "ListTagsForResource"]


def test_one_that_was_switched_off_is_switched_on(aws, read):
    run("event_rule", **OPTIONS)
    aws("events").disable_rule(Name=NAME)
    assert run("event_rule", **OPTIONS)["changed"]
    assert read()["State"] == "ENABLED" and read()["Description"] == "Failed deployments"


def test_a_target_that_was_not_taken_is_told(aws):
    """PutTargets answers with HTTP 200."""
    entry = {"TargetId": "alarms", "ErrorCode": "x", "ErrorMessage": "no such topic"}
    answer = {"FailedEntryCount": 1, "FailedEntries": [entry]}
    with recorded(PutTargets=lambda real, p: answer), pytest.raises(Failed, match="alarms: no such topic"):
        run("event_rule", **OPTIONS)
    assert run("event_rule", **OPTIONS)["changed"]


def test_a_foreign_rule_is_refused_and_not_deleted(aws, read):
    aws("events").put_rule(Name=NAME, EventPattern=json.dumps(PATTERN))
    with pytest.raises(Failed, match="not ours"):
        run("event_rule", **OPTIONS)
    assert run("event_rule", **OPTIONS, state="absent")["foreign"] and read()["targets"] == []
