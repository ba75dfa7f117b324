# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
import pytest
from modules.aws_calls import error, operations
from modules.fake_builds import BEGAN, FakeCodePipeline
from modules.harness import Failed, run

PIPELINE = "petclinic-rest-codepipeline"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Nothing is sent, but a client wants a region and keys."""
    for name, value in (("REGION", "ap-southeast-1"), ("ACCESS_KEY_ID", "nobodys-id"), ("SECRET_ACCESS_KEY", "nobodys-key")):
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.fixture
def fake():
    made = FakeCodePipeline()
    failed = {"status": "Failed", "lastStatusChange": BEGAN, "errorDetails": {"code": "JobFailed", "message": "exit status 1"}}
    made.state["stageStates"] = [
        {
            "stageName": "Build",
            "latestExecution": {"pipelineExecutionId": "execution-1", "status": "Failed"},
            "actionStates": [{"actionName": "Build", "latestExecution": failed}],
        }
    ]
    return made


@pytest.mark.parametrize("check", [False, True])
def test_it_reads_in_two_calls_and_changes_nothing(fake, check):
    fake.put([])
    with fake.answering() as calls:
        result = run("codepipeline_state", pipeline=PIPELINE, check=check)
    state = result["state"]
    assert not result["changed"] and operations(calls) == ["GetPipelineState", "ListPipelineExecutions"]
    assert state["execution"]["id"] == "execution-1" and state["waiting"] == []
    assert [s["text"] for s in state["stages"]] == ["Build: Failed, JobFailed: exit status 1"]
    assert state["url"].endswith("codesuite/codepipeline/pipelines/petclinic-rest-codepipeline/view?region=ap-southeast-1")


def test_one_in_which_nothing_has_run(fake):
    with fake.answering():
        assert run("codepipeline_state", pipeline=PIPELINE)["state"]["execution"] is None


def test_one_that_is_not_there_is_no_failure(fake):
    fake.errors["GetPipelineState"] = [error("PipelineNotFoundException", "Account has no pipeline")]
    with fake.answering() as calls:
        result = run("codepipeline_state", pipeline=PIPELINE)
    assert result["state"] is None and not result["changed"] and operations(calls) == ["GetPipelineState"]


def test_who_may_not_look_is_told(fake):
    fake.errors["GetPipelineState"] = [error("AccessDeniedException", "not authorized to perform: codepipeline:GetPipelineState")]
    with fake.answering(), pytest.raises(Failed) as failed:
        run("codepipeline_state", pipeline=PIPELINE)
    assert PIPELINE in failed.value.result["msg"] and "GetPipelineState" in failed.value.result["msg"]
