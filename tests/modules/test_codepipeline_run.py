# SPDX-License-Identifier: GPL-3.0-or-later
import json
from datetime import timedelta

import pytest
from modules.aws_calls import error, operations
from modules.conftest import ROOT
from modules.fake_builds import (
    APPROVE,
    B_OK,
    BEGAN,
    BUILD,
    BUILD_FAILS,
    D_OK,
    DEPLOY,
    FAILING_TEST,
    GOOD_RUN,
    MVN,
    S_OK,
    SOURCE,
    WRITES,
    WRONG_CONTAINER,
    FakeCodeBuild,
    FakeCodePipeline,
    act,
    look,
    throttled,
)
from modules.harness import Failed, run

PIPELINE = "petclinic-rest-codepipeline"
OWNER = {"handson:service": "petclinic-rest-service"}
OPTIONS = {"pipeline": PIPELINE, "owner": OWNER, "wait_interval": 0.001, "wait_timeout": 5}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Nothing is sent, but a client wants a region and keys."""
    for name, value in (("REGION", "ap-southeast-1"), ("ACCESS_KEY_ID", "nobodys-id"), ("SECRET_ACCESS_KEY", "nobodys-key")):
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.fixture
def fake():
    return FakeCodePipeline(tags=OWNER)


@pytest.fixture
def told(tmp_path):
    """The option that names a progress file, and a function that reads its lines."""
    path = tmp_path / "progress"
    path.touch()
    return {"progress_file": str(path)}, lambda: path.read_text().splitlines()


def test_a_good_run(fake, told):
    option, lines = told
    with fake.answering() as calls:
        result = run("codepipeline_run", **OPTIONS, **option)
    execution = result["execution"]
    assert result["changed"] and not result["followed"] and result["why"] == "" and execution["status"] == "Succeeded"
    assert [(a["category"], a["status"]) for a in execution["actions"]] == [
        ("Source", "Succeeded"),
        ("Build", "Succeeded"),
        ("Deploy", "Succeeded"),
    ]
    assert execution["build"]["exported"]["IMAGE_URI"] == "petclinic-rest:5f3c"
    assert execution["deployed"]["new"] and execution["deployed"]["task_definition"] == "petclinic-rest-task:7"
    assert execution["deployed"]["images"] == {"petclinic-rest-app": "petclinic-rest:5f3c"}
    assert lines()[1:] == [
        "Source / Source: InProgress",
        "Source / Source: Succeeded after 10 s",
        "Build / Build: InProgress",
        "Build / Build: Succeeded after 10 s",
        "Deploy / Deploy: InProgress",
        "Deploy / Deploy: Succeeded after 10 s",
        "live: petclinic-rest-service runs petclinic-rest-task:7",
    ]
    assert lines()[0].endswith("codesuite/codepipeline/pipelines/petclinic-rest-codepipeline/view?region=ap-southeast-1")
    starts = [p for o, p in calls if o == "StartPipelineExecution"]
    assert len(starts) == 1 and starts[0]["clientRequestToken"] and "variables" not in starts[0]


def test_a_failed_build_is_told_with_its_phase_and_its_last_lines(fake):
    fake.runs["none"], fake.build_steps["none"] = BUILD_FAILS, FAILING_TEST
    with fake.answering(), pytest.raises(Failed) as failed:
        run("codepipeline_run", **OPTIONS)
    said = failed.value.result
    assert "failed in stage Build, action Build: JobFailed: Build terminated with state: FAILED" in said["msg"]
    assert f"failed in phase BUILD: COMMAND_EXECUTION_ERROR: {MVN}" in said["msg"]
    assert "  [ERROR] BUILD FAILURE" in said["msg"] and "See https://***@example.com/Build" in said["msg"]
    assert "retry-stage-execution --pipeline-name petclinic-rest-codepipeline --stage-name Build" in said["msg"]
    assert said["execution"]["failed"]["category"] == "Build" and said["execution"]["build"]["failed_phase"] == "BUILD"
    assert not said["execution"]["deployed"]


def test_a_wrong_container_name(fake):
    fake.runs["none"] = WRONG_CONTAINER
    with fake.answering(), pytest.raises(Failed) as failed:
        run("codepipeline_run", **OPTIONS)
    said = failed.value.result
    assert "failed in stage Deploy, action Deploy: ConfigurationError: The AWS ECS container petclinic-rest does not" in said["msg"]
    assert "task_definition_container_name" in said["msg"] and "phase" not in said["msg"]
    assert said["execution"]["failed"]["category"] == "Deploy"
    assert not said["execution"]["deployed"]["new"]


def test_a_drill_that_is_still_in_the_project_is_told(fake):
    """Interrupted ones: it is not the source that is to be mended."""
    fake.runs["none"], fake.build_steps["none"] = BUILD_FAILS, FAILING_TEST
    # As the role writes it.
    template = (ROOT / "roles/build_project/templates/buildspec.yml.j2").read_text()
    fake.codebuild.buildspec = template
    with fake.answering(), pytest.raises(Failed) as failed:
        run("codepipeline_run", **OPTIONS)
    said = failed.value.result["msg"]
    assert "A drill is in the project (playbooks/drill_failing_test.yml" in said and "playbooks/build.yml" in said
    assert "mend the source" not in said.lower() and "retry-stage-execution" not in said

    fake.runs["none"], fake.codebuild.buildspec = WRONG_CONTAINER, ""
    fake.codebuild.environment = [{"name": "CONTAINER_NAME", "value": "petclinic-rest"}]
    with fake.answering(), pytest.raises(Failed) as failed:
        run("codepipeline_run", **OPTIONS, when_running="start")
    said = failed.value.result["msg"]
    assert "named the container petclinic-rest, and the task definition has petclinic-rest-app. A drill is still" in said
    assert "playbooks/build.yml" in said


def test_who_may_not_look_at_the_service_follows_the_execution_all_the_same(fake):
    fake.errors["DescribeServices"] = [error("AccessDeniedException", "not authorized to perform: ecs:DescribeServices")] * 9
    with fake.answering() as calls:
        execution = run("codepipeline_run", **OPTIONS)["execution"]
    assert execution["status"] == "Succeeded" and execution["deployed"] is None
    assert "DescribeServices" in operations(calls)


def test_a_deployment_that_does_not_become_steady(fake):
    fake.runs["none"] = [*GOOD_RUN[:4], look(S_OK, B_OK, act(DEPLOY, "Failed", code="JobFailed", message="Timed out"), status="Failed")]
    fake.events = [
        {"id": "1", "createdAt": BEGAN + timedelta(hours=1), "message": "(service x) was unable to place a task."},
        {"id": "0", "createdAt": BEGAN - timedelta(hours=1), "message": "unable to place a task: of another day"},
    ]
    container = {"name": "petclinic-rest-app", "exitCode": 1}
    fake.stopped = [
        {
            "taskArn": "arn:1",
            "createdAt": BEGAN + timedelta(hours=1),
            "stoppedReason": "Essential container in task exited",
            "containers": [container],
        },
        {"taskArn": "arn:0", "createdAt": BEGAN - timedelta(hours=1), "stoppedReason": "OutOfMemory"},
    ]
    with fake.answering(), pytest.raises(Failed) as failed:
        run("codepipeline_run", **OPTIONS)
    message = failed.value.result["msg"]
    assert "container petclinic-rest-app exited with code 1" in message and "unable to place a task." in message
    assert "another day" not in message and "OutOfMemory" not in message


def test_what_may_not_be_read_hides_no_failure(fake):
    fake.runs["none"], fake.build_steps["none"] = BUILD_FAILS, FAILING_TEST
    fake.codebuild.errors["BatchGetBuilds"] = [error("AccessDeniedException")]
    with fake.answering(), pytest.raises(Failed, match="failed in stage Build, action Build: JobFailed"):
        run("codepipeline_run", **OPTIONS)


def test_an_approval_is_waited_for_with_its_link(fake, told):
    option, lines = told
    waiting = look(S_OK, B_OK, act(APPROVE))
    fake.runs["none"] = [*GOOD_RUN[:4], waiting, look(S_OK, B_OK, act(APPROVE, "Succeeded", "Approved by somebody"), D_OK, status="Succeeded")]
    with fake.answering():
        assert run("codepipeline_run", **OPTIONS, **option)["execution"]["status"] == "Succeeded"
    approval = [x for x in lines() if x.startswith("waits for an approval: https://ap-southeast-1.console.aws.amazon.com/")]
    assert len(approval) == 1 and "Look at the test report" in lines() and "https://report" in lines()


def test_an_approval_that_does_not_come_and_one_that_is_refused(fake):
    fake.runs["none"] = [look(S_OK, B_OK, act(APPROVE))] * 10000
    with fake.answering(), pytest.raises(Failed, match="It is at Approve / Approve. It waits for an approval: https://"):
        run("codepipeline_run", **{**OPTIONS, "wait_timeout": 0})
    fake = FakeCodePipeline(tags=OWNER)
    fake.runs["none"] = [look(S_OK, B_OK, act(APPROVE, "Failed", "Rejected by somebody: no"), status="Failed")]
    with fake.answering(), pytest.raises(Failed, match=r"(?s)stage Approve.*Rejected by somebody: no.*It was rejected"):
        run("codepipeline_run", **OPTIONS)


def test_one_that_is_overtaken_is_left_for_the_newer_one(fake, told):
    option, lines = told
    fake.runs["none"] = [look(act(SOURCE)), look(S_OK, status="Superseded")]
    start = fake.StartPipelineExecution

    def with_a_push(**parameters):
        answer = start(**parameters)
        fake.put([look(S_OK, status="Superseded")])  # overtaken itself, though nobody has looked at it yet
        fake.executions["execution-2"]["now"] = look(S_OK, status="Superseded")
        fake.put(GOOD_RUN)
        return answer

    fake.StartPipelineExecution = with_a_push
    with fake.answering():
        result = run("codepipeline_run", **OPTIONS, **option)
    assert result["overtaken"] == ["execution-1"] and result["execution"]["id"] == "execution-3"
    assert "a newer execution has overtaken it: follows execution-3" in lines()


def test_a_drill_that_is_overtaken_is_told(fake):
    fake.runs["failing-test"] = [look(S_OK, status="Superseded")]
    with fake.answering(), pytest.raises(Failed, match="overtaken by a newer one"):
        run("codepipeline_run", **OPTIONS, variables={"DRILL": "failing-test"})


@pytest.mark.parametrize(
    "status, said",
    [
        ("Stopped", "was stopped by somebody: out of order"),
        ("Cancelled", "the pipeline's definition was changed meanwhile"),
        ("Failed", "and no action of it did"),
    ],
)
def test_other_ends(fake, status, said):
    fake.reason = "out of order" if status == "Stopped" else None
    fake.runs["none"] = [look(S_OK, status="Stopping"), look(S_OK, status=status)]
    with fake.answering(), pytest.raises(Failed, match=said):
        run("codepipeline_run", **OPTIONS)


def test_a_transition_that_is_switched_off_is_told(fake, told):
    option, lines = told
    fake.runs["none"] = [look(S_OK)] * 10000
    fake.state["stageStates"] = [
        {
            "stageName": "Build",
            "inboundExecution": {"pipelineExecutionId": "execution-1", "status": "InProgress"},
            "inboundTransitionState": {"enabled": False, "lastChangedBy": "somebody", "disabledReason": "holidays"},
        }
    ]
    with fake.answering() as calls, pytest.raises(Failed, match=r"stage Build is switched off by somebody \(holidays\)"):
        run("codepipeline_run", **{**OPTIONS, "wait_timeout": 1, "wait_interval": 0.1}, **option)
    assert operations(calls).count("GetPipelineState") == 1
    assert sum("enable-stage-transition" in line for line in lines()) == 1


def test_throttling_and_an_execution_that_does_not_show_yet(fake):
    fake.errors = {
        "GetPipelineExecution": [error("PipelineExecutionNotFoundException"), *throttled(2)],
        "ListActionExecutions": [error("PipelineExecutionNotFoundException"), *throttled(2)],
    }
    with fake.answering():
        assert run("codepipeline_run", **OPTIONS)["execution"]["status"] == "Succeeded"
    assert len(fake.executions) == 1


def test_an_interrupted_run_is_followed(fake):
    with fake.answering():
        with pytest.raises(Failed, match="has not ended after 0 s.*run again to follow it") as failed:
            run("codepipeline_run", **{**OPTIONS, "wait_timeout": 0})
        assert failed.value.result["changed"] and failed.value.result["execution"]["id"] == "execution-1"
        checked = run("codepipeline_run", check=True, **OPTIONS)
        assert checked["followed"] and checked["execution"]["id"] == "execution-1" and not checked["changed"]
        with pytest.raises(Failed, match="execution-1 of .* is under way"):
            run("codepipeline_run", **OPTIONS, when_running="fail")
        result = run("codepipeline_run", **OPTIONS)
    assert result["followed"] and not result["changed"] and len(fake.executions) == 1


def test_an_execution_with_other_variables_is_not_followed(fake, told):
    option, lines = told
    fake.put(BUILD_FAILS * 5, drill="failing-test")
    with fake.answering():
        result = run("codepipeline_run", **OPTIONS, **option)
    assert not result["followed"] and result["execution"]["id"] == "execution-2"
    assert "other values of the pipeline's variables" in lines()[0]


def test_an_execution_by_its_id(fake):
    mine = fake.put(GOOD_RUN)
    fake.put(GOOD_RUN)
    with fake.answering() as calls:
        result = run("codepipeline_run", **OPTIONS, execution_id=mine)
    assert result["execution"]["id"] == mine and not set(WRITES) & set(operations(calls))


def test_a_retried_stage_counts_by_its_last_try(fake):
    fake.runs["none"] = GOOD_RUN
    real = fake.ListActionExecutions

    def with_a_first_try(**parameters):
        answer = real(**parameters)
        for d in list(answer["actionExecutionDetails"]):
            if d["actionName"] == "Build":
                first = {"actionExecutionId": "first", "status": "Failed", "startTime": BEGAN - timedelta(minutes=9)}
                answer["actionExecutionDetails"].append({**d, **first})
        return answer

    fake.ListActionExecutions = with_a_first_try
    with fake.answering():
        execution = run("codepipeline_run", **OPTIONS)["execution"]
    assert [a["status"] for a in execution["actions"] if a["action"] == "Build"] == ["Succeeded"]


def test_check_mode_starts_nothing(fake, told):
    option, lines = told
    with fake.answering() as calls:
        result = run("codepipeline_run", check=True, **OPTIONS, **option)
        assert result["changed"] and result["execution"] is None
        assert run("codepipeline_run", check=True, **{**OPTIONS, "pipeline": "not-yet-made"})["changed"]
    assert not set(WRITES) & set(operations(calls)) and lines() == [f"would start an execution of {PIPELINE}"]


def test_a_foreign_pipeline_none_and_unknown_variables(fake):
    with fake.answering() as calls:
        with pytest.raises(Failed, match="has no variable OTHER.*playbooks/pipeline.yml"):
            run("codepipeline_run", **OPTIONS, variables={"OTHER": "1"})
        with pytest.raises(Failed, match="no pipeline named 'other'.*playbooks/pipeline.yml"):
            run("codepipeline_run", **{**OPTIONS, "pipeline": "other"})
        fake.tags = {"handson:service": "another"}
        with pytest.raises(Failed, match="is not ours"):
            run("codepipeline_run", **OPTIONS)
    assert not set(WRITES) & set(operations(calls))


def test_an_endpoint_without_executions_says_so_in_one_sentence(fake):
    fake.errors["ListPipelineExecutions"] = [error("NotImplementedException", "no codepipeline:ListPipelineExecutions")]
    fake.errors["StartPipelineExecution"] = [error("NotImplementedException", "The local endpoint runs no pipelines.")]
    with fake.answering(), pytest.raises(Failed) as failed:
        run("codepipeline_run", **OPTIONS)
    assert failed.value.result["msg"] == "The local endpoint runs no pipelines."


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_a_secret_variable_is_refused_and_not_told(fake, told):
    option, lines = told
    with fake.answering() as calls, pytest.raises(Failed, match="these names say secret: DB_PASSWORD") as failed:
        run("codepipeline_run", **OPTIONS, **option, variables={"DB_PASSWORD": "canary-7f3a9c"})
    assert "canary" not in json.dumps(failed.value.result) and operations(calls) == []


@pytest.mark.parametrize("ok", [True, False])
def test_no_secret_is_told(told, ok):
    option, lines = told
    codebuild = FakeCodeBuild(environment=[{"name": "DB_PASSWORD", "value": "canary-7f3a9c", "type": "PLAINTEXT"}])
    fake = FakeCodePipeline(tags=OWNER, codebuild=codebuild)
    if not ok:
        failing = [dict(s, log=[f"login canary-7f3a9c {line}" for line in s["log"]]) for s in FAILING_TEST]
        message = "Error: git clone https://canary-of-a-message@github.com/x and export MY_TOKEN=canary-of-it"
        fails = [look(S_OK, act(BUILD, "Failed", code="JobFailed", message=message), status="Failed")]
        fake.runs["none"], fake.build_steps["none"] = fails, failing
    with fake.answering():
        try:
            result = run("codepipeline_run", **OPTIONS, **option)
        except Failed as failed:
            result = failed.result
    assert (result["execution"]["status"] == "Succeeded") is ok
    assert "canary" not in json.dumps(result) + "\n".join(lines())
    if not ok:
        assert "login ***" in result["msg"] and "MY_TOKEN=***" in result["msg"]


# --- the drills -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "drill, looks, steps, category, status",
    [
        ("wrong-container", WRONG_CONTAINER, None, "Deploy", "Failed"),
        ("failing-test", BUILD_FAILS, FAILING_TEST, "Build", "Failed"),
        ("none", GOOD_RUN, None, None, "Succeeded"),
    ],
)
def test_the_drills_end_as_the_tutorial_says(fake, drill, looks, steps, category, status):
    fake.runs[drill] = looks
    if steps:
        fake.build_steps[drill] = steps
    options = {**OPTIONS, "must_succeed": False, "when_running": "fail"}
    with fake.answering() as calls:
        result = run("codepipeline_run", **options, variables={"DRILL": drill})
        after = run("codepipeline_run", **OPTIONS)
    assert result["execution"]["status"] == status
    assert (result["execution"]["failed"] or {}).get("category") == category and bool(result["why"]) == bool(category)
    assert after["execution"]["status"] == "Succeeded", "the next execution has nothing of the drill"
    starts = [p for o, p in calls if o == "StartPipelineExecution"]
    assert starts[0]["variables"] == [{"name": "DRILL", "value": drill}] and "variables" not in starts[1]
