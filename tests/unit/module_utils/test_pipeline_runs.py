# SPDX-License-Identifier: GPL-3.0-or-later
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.handson.ecs.plugins.module_utils import pipeline_runs as code

BEGAN = datetime(2026, 11, 22, 9, tzinfo=timezone.utc)


def action(name="Build", status="Succeeded", minute=0, took=30, category="Build", provider="CodeBuild", **result):
    return {
        "actionExecutionId": f"{name}-{minute}",
        "stageName": name,
        "actionName": name,
        "status": status,
        "startTime": BEGAN + timedelta(minutes=minute),
        "lastUpdateTime": BEGAN + timedelta(minutes=minute, seconds=took),
        "input": {
            "actionTypeId": {"category": category, "provider": provider},
            "configuration": {"ProjectName": "#{variables.P}", "OAuthToken": "canary-1"},
            "resolvedConfiguration": {"ProjectName": "petclinic-rest-build"},
        },
        "output": {"executionResult": result},
    }


def test_the_last_try_of_each_action_in_their_order():
    first, second, source = action(minute=1, status="Failed"), action(minute=5), action("Source", minute=0)
    assert code.latest([second, first, source]) == [source, second]
    assert code.failed_action([second, first, source]) is None


def test_of_two_that_failed_the_first_one_counts():
    late, early = action("Lint", "Failed", took=50), action("Test", "Failed", took=20)
    assert code.failed_action([late, early]) is early


@pytest.mark.parametrize(
    "result, said",
    [
        ({}, ""),
        ({"externalExecutionSummary": "Build\n succeeded"}, "Build succeeded"),
        ({"errorDetails": {"code": "JobFailed", "message": "exit 1"}, "externalExecutionSummary": "x"}, "JobFailed: exit 1"),
        ({"errorDetails": {"code": "JobFailed"}, "externalExecutionSummary": "x"}, "JobFailed: x"),
        ({"errorDetails": {"code": "E", "message": "https://canary@github.com"}}, "E: https://***@github.com"),
    ],
)
def test_what_is_said_of_an_action(result, said):
    assert code.reason(action(**result)) == said


def test_a_description_has_no_configuration():
    described = code.describe_action(action(externalExecutionUrl="https://canary@x/y"))
    assert "canary" not in str(described) and described["seconds"] == 30
    assert code.configuration(action())["ProjectName"] == "petclinic-rest-build"


@pytest.mark.parametrize(
    "one, line",
    [
        (action(status="InProgress"), "Build / Build: InProgress"),
        (action(), "Build / Build: Succeeded after 30 s"),
        (action(status="Failed", errorDetails={"code": "E", "message": "m"}), "Build / Build: Failed after 30 s: E: m"),
    ],
)
def test_how_an_action_is_shown(one, line):
    assert code.line(code.describe_action(one)) == line


def row(number, status):
    return {"pipelineExecutionId": str(number), "status": status}


def test_which_execution_runs_and_which_is_newer():
    rows = [row(4, "InProgress"), row(3, "Superseded"), row(2, "Superseded"), row(1, "Succeeded")]
    assert code.newest_running(rows)["pipelineExecutionId"] == "4"
    assert code.newer_than(rows, "2")["pipelineExecutionId"] == "4"
    assert code.newer_than(rows, "4") is None and code.newest_running(rows[1:]) is None


@pytest.mark.parametrize(
    "has, wanted, same",
    [
        ({}, {}, True),
        ({"DRILL": "none"}, {"DRILL": "none"}, True),
        ({"DRILL": "failing-test"}, {"DRILL": "none"}, False),
        ({}, {"DRILL": "none"}, True),  # from before the variable was declared
    ],
)
def test_whether_an_execution_runs_with_these_values(has, wanted, same):
    execution = {"variables": [{"name": k, "resolvedValue": v} for k, v in has.items()]}
    assert code.has_values(execution, wanted) is same


def test_what_holds_an_execution():
    off = {"enabled": False, "disabledReason": "holidays"}
    state = {
        "pipelineName": "p",
        "stageStates": [{"stageName": "Deploy", "inboundExecutions": [{"pipelineExecutionId": "1"}], "inboundTransitionState": off}],
    }
    assert "into the stage Deploy is switched off (holidays)" in code.held(state, "1")
    assert code.held(state, "2") is None and code.held({}, "1") is None


@pytest.mark.parametrize(
    "kind, fault, said",
    [
        ("Source", False, "connection approved"),
        ("Build", False, "Mend the source and push"),
        ("Approval", False, "rejected"),
        ("Deploy", True, "task_definition_container_name"),
        ("Deploy", False, "retry-stage-execution --pipeline-name p --stage-name S --pipeline-execution-id 1"),
    ],
)
def test_the_way_out(kind, fault, said):
    assert said in code.way_out("p", "1", {"stage": "S", "category": kind}, fault)
