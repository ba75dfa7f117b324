# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest
from modules.aws_calls import error, operations, recorded
from modules.fake_builds import FAILING_TEST, FETCHED, GOOD, MVN, WRITES, FakeCodeBuild, phase, step, throttled
from modules.harness import Failed, run

PROJECT = "petclinic-rest-build"
OWNER = {"handson:service": "petclinic-rest-service"}
OPTIONS = {"project": PROJECT, "owner": OWNER, "wait_interval": 0.001, "wait_timeout": 5}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Nothing is sent, but a client wants a region and keys."""
    for name, value in (("REGION", "ap-southeast-1"), ("ACCESS_KEY_ID", "nobodys-id"), ("SECRET_ACCESS_KEY", "nobodys-key")):
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.fixture
def fake():
    return FakeCodeBuild(tags=OWNER)


@pytest.fixture
def told(tmp_path):
    """The option that names a progress file, and a function that reads its lines."""
    path = tmp_path / "progress"
    path.touch()
    return {"progress_file": str(path)}, lambda: path.read_text().splitlines()


def test_a_good_build(fake, told):
    option, lines = told
    with fake.answering() as calls:
        result = run("codebuild_run", **OPTIONS, **option)
    build = result["build"]
    assert result["changed"] and not result["followed"]
    assert (build["status"], build["failed_phase"], build["commit"]) == ("SUCCEEDED", None, "5f3c0c1d")
    assert build["exported"] == {"IMAGE_URI": "petclinic-rest:5f3c", "IMAGE_DIGEST": "sha256:abc"}
    assert {"phase": "BUILD", "status": "SUCCEEDED", "seconds": 62, "message": None} in build["phases"]
    shown = lines()
    for line in [m.strip() for s in GOOD for m in s["log"]]:
        assert shown.count(line) == 1, line
    assert shown.index("phase PROVISIONING SUCCEEDED after 8 s") < shown.index("phase BUILD SUCCEEDED after 62 s")
    assert not any("COMPLETED" in line for line in shown)
    starts = [p for o, p in calls if o == "StartBuild"]
    assert len(starts) == 1 and starts[0]["idempotencyToken"] and "sourceVersion" not in starts[0]


IMAGE = {"repository": "petclinic-rest", "tag": "latest"}


@pytest.mark.parametrize("check", [False, True])
def test_the_first_image_is_built_and_no_second_one(fake, check):
    held = {"images": [{"imageId": {"imageTag": "latest"}}], "failures": []}
    with recorded(BatchGetImage=lambda real, p: held) as calls:
        result = run("codebuild_run", check=check, **OPTIONS, unless_image=IMAGE)
    assert not result["changed"] and result["build"] is None and operations(calls) == ["BatchGetImage"]

    def none_yet(real, parameters):
        assert parameters == {"repositoryName": "petclinic-rest", "imageIds": [{"imageTag": "latest"}]}
        return {"images": [], "failures": [{"failureCode": "ImageNotFound"}]}

    def no_repository(real, parameters):
        raise error("RepositoryNotFoundException")

    for answer in (none_yet, no_repository) if check else (none_yet,):
        with fake.answering(), recorded(BatchGetImage=answer) as calls:
            assert run("codebuild_run", check=check, **OPTIONS, unless_image=IMAGE)["changed"]


def test_a_version_of_the_source(fake):
    with fake.answering() as calls:
        result = run("codebuild_run", **OPTIONS, source_version="pr/25")
    assert next(p for o, p in calls if o == "StartBuild")["sourceVersion"] == "pr/25"
    assert result["build"]["source_version"] == "pr/25"


def test_a_failing_test(fake, told):
    option, lines = told
    fake.steps = FAILING_TEST
    with fake.answering(), pytest.raises(Failed) as failed:
        run("codebuild_run", **OPTIONS, **option)
    said = failed.value.result
    assert f"failed in phase BUILD: COMMAND_EXECUTION_ERROR: {MVN}" in said["msg"]
    assert "  [ERROR] BUILD FAILURE" in said["msg"] and "mend the source, push" in said["msg"]
    assert "aws logs tail /aws/codebuild/x --log-stream-names" in said["msg"]
    assert said["changed"] and said["build"]["failed_phase"] == "BUILD" and said["log"][-1] == "[ERROR] BUILD FAILURE"
    assert f"phase BUILD FAILED after 41 s: COMMAND_EXECUTION_ERROR: {MVN}" in lines()


@pytest.mark.parametrize(
    "kind, status, code, message, remedy",
    [
        ("DOWNLOAD_SOURCE", "FAILED", "CLIENT_ERROR", "authentication required", "build_project_source_auth_arn"),
        ("BUILD", "FAILED", "COMMAND_EXECUTION_ERROR", "Cannot connect to the Docker daemon", "build_project_privileged"),
        ("POST_BUILD", "FAILED", "COMMAND_EXECUTION_ERROR", "Reason: exit status 1", "playbooks/image.yml"),
        ("PRE_BUILD", "FAILED", "COMMAND_EXECUTION_ERROR", "AccessDeniedException", "playbooks/build.yml"),
        ("UPLOAD_ARTIFACTS", "FAILED", "CLIENT_ERROR", "no matching artifact paths found", "imagedefinitions.json"),
        ("PROVISIONING", "FAULT", "INTERNAL", "no capacity", "build_project_compute_type"),
        ("DOWNLOAD_SOURCE", "FAILED", "YAML_FILE_ERROR", "Unknown runtime version named '10' of nodejs.", "build_project_runtimes"),
        ("BUILD", "TIMED_OUT", "BUILD_TIMED_OUT", "Build has timed out.", "build_project_timeout"),
        ("BUILD", "STOPPED", "", "", "Somebody stopped it"),
    ],
)
def test_how_a_build_can_end(fake, kind, status, code, message, remedy):
    fake.steps = [step(*FETCHED[:3], phase(kind, status, 3, code, message), status=status)]
    with fake.answering(), pytest.raises(Failed, match=rf"in phase {kind}[:.](.|\n)*-> .*{remedy}"):
        run("codebuild_run", **OPTIONS)


def test_an_interrupted_drill_is_told_and_not_the_source(fake):
    fake.steps, fake.buildspec = FAILING_TEST, "# A drill (playbooks/drill_failing_test.yml): a test that fails.\n"
    with fake.answering(), pytest.raises(Failed, match="playbooks/drill_failing_test.yml(.|\n)*playbooks/build.yml") as failed:
        run("codebuild_run", **OPTIONS)
    assert "mend the source" not in failed.value.result["msg"]


def test_a_log_that_comes_late(fake, told):
    option, lines = told
    fake.late = 6  # its stream shows only after the build has ended
    with fake.answering():
        result = run("codebuild_run", **OPTIONS, **option)
    assert [m.strip() for s in GOOD for m in s["log"]] == [x for x in lines() if not x.startswith(("phase", "build "))]
    assert result["log"][-1].startswith("Phase complete")


def test_a_log_that_may_not_be_read_is_no_reason_to_fail(fake, told):
    option, lines = told
    fake.errors["GetLogEvents"] = [error("AccessDeniedException", "not authorized to perform: logs:GetLogEvents")]
    with fake.answering() as calls:
        assert run("codebuild_run", **OPTIONS, **option)["build"]["status"] == "SUCCEEDED"
    assert operations(calls).count("GetLogEvents") == 1
    assert sum("logs:GetLogEvents is missing" in line for line in lines()) == 1


def test_without_the_log_the_phases_are_told(fake, told):
    option, lines = told
    with fake.answering():
        run("codebuild_run", **OPTIONS, **option, show_log=False)
    assert "phase DOWNLOAD_SOURCE" in lines() and not any("mvn" in line for line in lines())


def test_throttling_is_waited_out(fake):
    fake.errors = {"BatchGetBuilds": throttled(2), "GetLogEvents": throttled(2)}
    with fake.answering():
        result = run("codebuild_run", **OPTIONS)
    assert result["build"]["status"] == "SUCCEEDED" and len(fake.builds) == 1


def test_the_time_is_over_and_the_next_run_follows(fake):
    with fake.answering():
        with pytest.raises(Failed, match=r"still in phase SUBMITTED after 0 s.*run again to follow it") as failed:
            run("codebuild_run", **{**OPTIONS, "wait_timeout": 0})
        assert failed.value.result["changed"]
        result = run("codebuild_run", **OPTIONS)
    assert result["followed"] and not result["changed"] and result["build"]["status"] == "SUCCEEDED"
    assert len(fake.builds) == 1


def test_which_build_is_followed(fake):
    fake.put(GOOD, initiator="codepipeline/petclinic-rest-codepipeline")
    with fake.answering():
        assert not run("codebuild_run", check=True, **OPTIONS)["followed"], "that one is the pipeline's"
        request = fake.put(GOOD * 3, version="pr/25")
        assert not run("codebuild_run", check=True, **OPTIONS, source_version="pr/26")["followed"]
        assert run("codebuild_run", check=True, **OPTIONS, source_version="pr/25")["build"]["id"] == request
        assert not run("codebuild_run", check=True, **OPTIONS)["followed"], "that one is not the branch's"
        push = fake.put(GOOD * 3, initiator="GitHub-Hookshot/951dca1", version="6" * 40)
        assert not run("codebuild_run", check=True, **OPTIONS)["followed"], "a push to whatever branch"
        filters = [{"type": "EVENT", "pattern": "PUSH"}, {"type": "HEAD_REF", "pattern": "^refs/heads/master$"}]
        fake.webhook = {"filterGroups": [filters]}
        assert run("codebuild_run", check=True, **OPTIONS)["build"]["id"] == push
        mine = fake.put(GOOD * 3)
        assert run("codebuild_run", check=True, **OPTIONS)["build"]["id"] == mine
        with pytest.raises(Failed, match=f"{mine} of '{PROJECT}' runs already"):
            run("codebuild_run", **OPTIONS, when_running="fail")
        assert not run("codebuild_run", **OPTIONS, when_running="start")["followed"]


def test_a_build_by_its_id(fake):
    old = fake.put(FAILING_TEST)
    fake.finish(old)
    with fake.answering() as calls:
        with pytest.raises(Failed, match="failed in phase BUILD") as failed:
            run("codebuild_run", **OPTIONS, build_id=old)
        assert not failed.value.result["changed"] and failed.value.result["followed"]
        with pytest.raises(Failed, match="has no build 'other:1'"):
            run("codebuild_run", **OPTIONS, build_id="other:1")
    assert "StartBuild" not in operations(calls)


def test_check_mode_starts_nothing(fake, told):
    option, lines = told
    with fake.answering() as calls:
        result = run("codebuild_run", check=True, **OPTIONS, **option)
        assert result["changed"] and result["build"] is None
        assert run("codebuild_run", check=True, **{**OPTIONS, "project": "not-yet-made"})["changed"]
    assert not set(WRITES) & set(operations(calls)) and "would start a build of petclinic-rest-build" in lines()[0]


def test_it_does_not_wait_when_told_so(fake):
    with fake.answering() as calls:
        assert run("codebuild_run", **OPTIONS, wait=False)["build"]["status"] == "IN_PROGRESS"
    assert operations(calls)[-1] == "StartBuild"


def test_a_foreign_project_and_none(fake):
    fake.tags = {"handson:service": "another"}
    with fake.answering() as calls:
        with pytest.raises(Failed, match="build project 'petclinic-rest-build' is not ours"):
            run("codebuild_run", **OPTIONS)
        with pytest.raises(Failed, match="no build project named 'other'.*playbooks/build.yml"):
            run("codebuild_run", **{**OPTIONS, "project": "other"})
    assert not set(WRITES) & set(operations(calls))


def test_an_endpoint_that_runs_no_builds_says_so_in_one_sentence(fake):
    refused = error("NotImplementedException", "The local endpoint runs no builds.")
    fake.errors["StartBuild"] = [refused]
    with fake.answering(), pytest.raises(Failed) as failed:
        run("codebuild_run", **OPTIONS)
    assert failed.value.result["msg"] == "The local endpoint runs no builds."


def test_a_role_that_is_new_is_waited_for(fake, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    fake.errors["StartBuild"] = [error("InvalidInputException", "CodeBuild is not authorized to perform: sts:AssumeRole on …")]
    with fake.answering() as calls:
        run("codebuild_run", **OPTIONS)
    assert len({p["idempotencyToken"] for o, p in calls if o == "StartBuild"}) == 1


CANARY = "canary-7f3a9c"


FULL = "Cannot have more than {} builds in queue for the account"


def test_builds_that_run_already_are_waited_for(fake, told):
    option, lines = told
    fake.errors["StartBuild"] = [error("AccountLimitExceededException", FULL.format(1))] * 2
    with fake.answering() as calls:
        assert run("codebuild_run", **OPTIONS, **option)["changed"]
    assert operations(calls).count("StartBuild") == 3
    assert len([line for line in lines() if "waits for one to end" in line]) == 1


@pytest.mark.parametrize(
    ("builds", "options", "said"),
    [
        (0, {}, "may run no builds yet.*Service Quotas.*image_context"),
        (1, {"wait": False}, "as many builds as it may"),
        (1, {"wait_timeout": 0}, "After 0 s there is still no room"),
    ],
)
def test_an_account_that_lets_no_build_start(fake, builds, options, said):
    fake.errors["StartBuild"] = [error("AccountLimitExceededException", FULL.format(builds))] * 2
    with fake.answering() as calls, pytest.raises(Failed, match=said):
        run("codebuild_run", **{**OPTIONS, **options})
    assert operations(calls).count("StartBuild") == 1


def test_no_secret_is_told(told):
    option, lines = told
    fake = FakeCodeBuild(
        tags=OWNER,
        environment=[
            {"name": "DB_PASSWORD", "value": f"{CANARY}-env", "type": "PLAINTEXT"},
            {"name": "API_KEY", "value": "arn-of-a-secret", "type": "SECRETS_MANAGER"},
        ],
    )
    fake.exported = {"IMAGE_URI": "x:1", "DEPLOY_TOKEN": f"{CANARY}-exported"}
    log = [
        f"connect as {CANARY}-env\n",
        f"git clone https://{CANARY}-url@github.com/x/y\n",
        f"export MY_TOKEN={CANARY}-assigned\n",
        "\x1b[31mred\x1b[0m 10%\r100% ghp_" + "a" * 36 + "\n",
    ]
    message = f"Error while executing command: login {CANARY}-env"
    for ok in (True, False):
        end = phase("BUILD", "SUCCEEDED") if ok else phase("BUILD", "FAILED", 3, "COMMAND_EXECUTION_ERROR", message)
        fake.steps = [step(*FETCHED, end, log=log, status="SUCCEEDED" if ok else "FAILED")]
        with fake.answering():
            try:
                result = run("codebuild_run", **OPTIONS, **option)
            except Failed as failed:
                result = failed.result
        assert result["build"]["status"] == ("SUCCEEDED" if ok else "FAILED")
        everything = json.dumps(result) + "\n".join(lines())
        assert "canary" not in everything and "ghp_" not in everything and "\x1b" not in everything
        assert "connect as ***" in everything and "MY_TOKEN=***" in everything and "100% ***" in everything
