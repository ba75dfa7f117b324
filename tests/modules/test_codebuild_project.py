# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest
from modules.aws_calls import error, operations, recorded
from modules.fake_builds import fits
from modules.harness import Failed, contract, run

NAME = "petclinic-rest-build"
ROLE = "petclinic-rest-build-role"
OWNER = {"handson:service": "petclinic-rest-service"}
CONNECTION = "arn:aws:codeconnections:ap-southeast-1:123456789012:connection/0a1b2c3d"
PUSH = [[{"type": "EVENT", "pattern": "PUSH"}, {"type": "HEAD_REF", "pattern": "^refs/heads/master$"}]]
OPTIONS = {
    "name": NAME,
    "source_url": "https://github.com/alice/petclinic-rest",
    "source_version": "master",
    "buildspec": "version: 0.2\n",
    "privileged": True,
    "variables": {"CONTAINER_NAME": "petclinic-rest-app"},
    "cache": {"type": "S3", "bucket": "alice-codebuild-cache-store", "prefix": "petclinic-rest"},
    "log_group": "/aws/codebuild/petclinic-rest-build",
    "service_role": ROLE,
    "webhook": PUSH,
    "owner": OWNER,
}


def trust(service):
    statement = {"Effect": "Allow", "Principal": {"Service": [service]}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def role(aws):
    return aws("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust("codebuild.amazonaws.com"))["Role"]["Arn"]


@pytest.fixture
def read(aws, role):
    def read():
        found = aws("codebuild").batch_get_projects(names=[NAME])["projects"]
        return found[0] if found else None

    return read


def variables(project):
    return {v["name"]: (v["type"], v["value"]) for v in project["environment"]["environmentVariables"]}


def test_contract(aws, read):
    other = aws("iam").create_role(RoleName="other", AssumeRolePolicyDocument=trust("codebuild.amazonaws.com"))
    secret = {"type": "SECRETS_MANAGER", "resource": "arn:aws:secretsmanager:ap-southeast-1:123456789012:secret:github-a"}
    dev = [[{"type": "EVENT", "pattern": "PULL_REQUEST_CREATED,PUSH"}, {"type": "FILE_PATH", "pattern": "^docs/", "exclude": True}]]
    contract(
        "codebuild_project",
        OPTIONS,
        read,
        changes=[
            ({"description": "Builds petclinic"}, lambda p: p.get("description"), "Builds petclinic"),
            ({"source_version": "main"}, lambda p: p["sourceVersion"], "main"),
            ({"source_url": "https://github.com/bob/petclinic"}, lambda p: p["source"]["location"], "https://github.com/bob/petclinic"),
            ({"source_auth": {"type": "CODECONNECTIONS", "resource": CONNECTION}}, lambda p: p["source"].get("auth"), {"type": "CODECONNECTIONS", "resource": CONNECTION}),
            ({"source_auth": secret}, lambda p: p["source"].get("auth"), secret),
            ({"source_auth": {}}, lambda p: p["source"].get("auth"), None),
            ({"buildspec": "ci/buildspec.yml"}, lambda p: p["source"]["buildspec"], "ci/buildspec.yml"),
            ({"buildspec": ""}, lambda p: p["source"]["buildspec"], ""),
            ({"image": "aws/codebuild/standard:7.0"}, lambda p: p["environment"]["image"], "aws/codebuild/standard:7.0"),
            ({"image": "public.ecr.aws/docker/library/maven:3-amazoncorretto-8"}, lambda p: p["environment"]["imagePullCredentialsType"], "SERVICE_ROLE"),
            ({"compute_type": "BUILD_GENERAL1_XLARGE"}, lambda p: p["environment"]["computeType"], "BUILD_GENERAL1_XLARGE"),
            ({"environment_type": "ARM_CONTAINER", "compute_type": "BUILD_GENERAL1_LARGE"}, lambda p: p["environment"]["type"], "ARM_CONTAINER"),
            ({"privileged": False}, lambda p: p["environment"]["privilegedMode"], False),
            ({"variables": {"CONTAINER_NAME": "other", "DEBUG": "1"}}, variables, {"CONTAINER_NAME": ("PLAINTEXT", "other"), "DEBUG": ("PLAINTEXT", "1")}),
            ({"variables": {}, "parameter_store": {"DB": "/petclinic/db"}, "secrets_manager": {"PASSWORD": "petclinic:pw"}}, variables, {"DB": ("PARAMETER_STORE", "/petclinic/db"), "PASSWORD": ("SECRETS_MANAGER", "petclinic:pw")}),
            ({"cache": {"type": "LOCAL", "modes": ["LOCAL_SOURCE_CACHE"]}}, lambda p: p["cache"], {"type": "LOCAL", "modes": ["LOCAL_SOURCE_CACHE"]}),
            ({"cache": {}}, lambda p: p["cache"], {"type": "NO_CACHE"}),
            ({"log_group": "/builds"}, lambda p: p["logsConfig"]["cloudWatchLogs"], {"status": "ENABLED", "groupName": "/builds"}),
            ({"log_group": ""}, lambda p: p["logsConfig"]["cloudWatchLogs"], {"status": "DISABLED"}),
            ({"service_role": "other"}, lambda p: p["serviceRole"], other["Role"]["Arn"]),
            ({"timeout": 20}, lambda p: p["timeoutInMinutes"], 20),
            ({"queued_timeout": 30}, lambda p: p["queuedTimeoutInMinutes"], 30),
            ({"webhook": dev}, lambda p: p["webhook"]["filterGroups"][0][0]["pattern"], "PULL_REQUEST_CREATED, PUSH"),
            ({"webhook": []}, lambda p: p.get("webhook"), None),
            ({"webhook": PUSH}, lambda p: len(p.get("webhook", {}).get("filterGroups", [])), 1),
            ({"tags": {"team": "vets"}}, lambda p: {t["key"]: t["value"] for t in p["tags"]}, {**OWNER, "team": "vets"}),
        ],
    )  # fmt: skip


def test_an_unchanged_run_makes_two_calls(read):
    run("codebuild_project", **OPTIONS)
    with recorded() as calls:
        assert not run("codebuild_project", **OPTIONS)["changed"]
    assert operations(calls) == ["BatchGetProjects", "GetRole"]


def test_only_what_differs_is_updated_and_what_is_no_option_stays(aws, read):
    run("codebuild_project", **OPTIONS)
    source = {**read()["source"], "gitCloneDepth": 1, "reportBuildStatus": True}
    aws("codebuild").update_project(name=NAME, source=source, concurrentBuildLimit=2)
    assert not run("codebuild_project", **OPTIONS)["changed"]
    with recorded() as calls:
        run("codebuild_project", **{**OPTIONS, "buildspec": "buildspec.yml", "timeout": 15})
    (given,) = [parameters for name, parameters in calls if name == "UpdateProject"]
    assert set(given) == {"name", "source", "timeoutInMinutes"}
    assert read()["source"]["gitCloneDepth"] == 1 and read()["source"]["reportBuildStatus"]
    assert read()["concurrentBuildLimit"] == 2


def test_the_accounts_own_credentials_are_no_difference(aws, read):
    run("codebuild_project", **OPTIONS)
    aws("codebuild").update_project(name=NAME, source={**read()["source"], "auth": {"type": "OAUTH"}})
    assert not run("codebuild_project", **OPTIONS, source_auth={})["changed"]
    run("codebuild_project", **{**OPTIONS, "buildspec": "x.yml"}, source_auth={})
    assert read()["source"]["auth"] == {"type": "OAUTH"}


def test_a_webhook_moves_with_the_repository(read):
    run("codebuild_project", **OPTIONS)
    with recorded() as calls:
        run("codebuild_project", **{**OPTIONS, "source_url": "https://github.com/bob/petclinic"})
    writes = [name for name in operations(calls) if not name.startswith(("BatchGet", "Get"))]
    assert writes == ["DeleteWebhook", "UpdateProject", "CreateWebhook"]
    assert "/bob/petclinic/" in read()["webhook"]["url"]


def test_a_webhook_of_another_form_is_replaced(aws, read):
    run("codebuild_project", **{**OPTIONS, "webhook": []})
    aws("codebuild").create_webhook(projectName=NAME, branchFilter="master")
    assert run("codebuild_project", **OPTIONS)["changed"]
    assert read()["webhook"]["filterGroups"]


def test_without_the_option_a_webhook_is_left_alone(read):
    run("codebuild_project", **OPTIONS)
    options = {k: v for k, v in OPTIONS.items() if k != "webhook"}
    assert not run("codebuild_project", **options)["changed"]
    run("codebuild_project", **{**options, "source_url": "https://github.com/bob/petclinic"})
    assert read()["webhook"]["filterGroups"]


def test_the_secret_of_a_webhook_is_shown_nowhere(read):
    canary = "canary-of-the-webhook"

    def answer(real, parameters):
        made = real()
        made["webhook"]["secret"] = canary
        return made

    def described(real, parameters):
        found = real()
        for project in found["projects"]:
            project.get("webhook", {})["secret"] = canary
        return found

    with recorded(CreateWebhook=answer, BatchGetProjects=described):
        made = run("codebuild_project", **OPTIONS)
        gone = run("codebuild_project", **OPTIONS, state="absent")
    assert canary not in json.dumps(made) + json.dumps(gone)


def test_a_foreign_project_is_refused_and_not_deleted(aws, read, role):
    aws("codebuild").create_project(
        name=NAME,
        source={"type": "NO_SOURCE", "buildspec": "version: 0.2"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "x", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=role,
    )
    was = read()
    with pytest.raises(Failed, match="not ours"):
        run("codebuild_project", **OPTIONS)
    assert run("codebuild_project", **OPTIONS, state="absent")["foreign"]
    assert read() == was


def test_lost_replies_are_read_back(read):
    def twice(real, parameters):
        real()
        return real()

    with recorded(CreateProject=twice, CreateWebhook=twice):
        assert run("codebuild_project", **OPTIONS)["changed"]
    assert read()["webhook"]
    assert not run("codebuild_project", **OPTIONS)["changed"]


def test_a_role_that_codebuild_has_not_heard_of_is_waited_for(aws, read, monkeypatch):
    """The endpoint refuses a role that does not trust CodeBuild in the words that AWS has for one that is too new."""
    iam = aws("iam")
    iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=trust("ec2.amazonaws.com"))
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 2:
            iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=trust("codebuild.amazonaws.com"))

    monkeypatch.setattr("time.sleep", sleep)
    assert run("codebuild_project", **OPTIONS)["changed"]
    assert len(slept) == 2 and read()["serviceRole"].endswith(ROLE)


def test_a_role_that_is_not_there_is_made_by_the_same_run_in_check_mode(aws):
    checked = run("codebuild_project", check=True, **OPTIONS)
    assert checked["changed"] and checked["project"]["service_role"] == "(known after apply)"
    with pytest.raises(Failed, match=f"no IAM role named '{ROLE}'.*playbooks/build.yml"):
        run("codebuild_project", **OPTIONS)


def test_github_that_lets_nobody_in_is_told_with_the_way_out(read):
    def refused(real, parameters):
        raise error("OAuthProviderException", "Could not find access token for server type github", "CreateWebhook")

    with recorded(CreateWebhook=refused):
        with pytest.raises(Failed, match="(?s)Could not find access token.*source_auth.*build_project_webhook_enabled"):
            run("codebuild_project", **OPTIONS)
    assert read() and "webhook" not in read()
    assert run("codebuild_project", **OPTIONS)["changed"], "the next run goes on"


#: What CodeBuild says until IAM has spread the role's policy: when the project is made or changed, and of a webhook.
NO_CONNECTION = {
    "CreateProject": ("OAuthProviderException", f"User is not authorized to access connection {CONNECTION}"),
    "UpdateProject": ("OAuthProviderException", f"User is not authorized to access connection {CONNECTION}"),
    "CreateWebhook": ("InvalidInputException", f"Access denied to connection {CONNECTION}"),
    "UpdateWebhook": ("InvalidInputException", f"Access denied to connection {CONNECTION}"),
    "DeleteWebhook": ("InvalidInputException", f"Access denied to connection {CONNECTION}"),
}
BY_CONNECTION = {**OPTIONS, "source_auth": {"type": "CODECONNECTIONS", "resource": CONNECTION}}
MASTER = [[{"type": "EVENT", "pattern": "PUSH"}]]


def refusals(times, operations=NO_CONNECTION):
    """Answers that refuse the connection so many times, and then call."""

    def of(operation):
        left = [times]

        def answer(real, _parameters):
            if left[0]:
                left[0] -= 1
                raise error(*NO_CONNECTION[operation], operation)
            return real()

        return answer

    return {operation: of(operation) for operation in operations}


def test_a_policy_that_iam_has_not_spread_is_waited_for(read, monkeypatch):
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    with recorded(**refusals(2)):
        assert run("codebuild_project", **BY_CONNECTION)["changed"]
        assert len(slept) == 4 and read()["webhook"]
        run("codebuild_project", **{**BY_CONNECTION, "timeout": 20, "webhook": MASTER})
        assert len(slept) == 8 and read()["timeoutInMinutes"] == 20
        run("codebuild_project", **{**BY_CONNECTION, "timeout": 20, "webhook": []})
        assert len(slept) == 10 and "webhook" not in read()


@pytest.mark.parametrize("operation", NO_CONNECTION)
def test_a_connection_that_may_not_be_used_is_told_with_the_way_out(read, monkeypatch, operation):
    if operation not in ("CreateProject", "CreateWebhook"):
        run("codebuild_project", **BY_CONNECTION)
    clock = iter(range(0, 10**6, 10))
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    changed = {**BY_CONNECTION, "timeout": 20, "webhook": [] if operation == "DeleteWebhook" else MASTER}
    said = "(?s)connection/0a1b2c3d.*build_project_source_auth_arn.*UseConnection"
    with recorded(**refusals(99, [operation])) as calls, pytest.raises(Failed, match=said):
        run("codebuild_project", **changed)
    assert 3 < operations(calls).count(operation) < 30
    assert bool(read()) == (operation != "CreateProject")


@pytest.mark.parametrize("code", ["OAuthProviderException", "InvalidInputException"])
def test_a_repository_that_is_gone_does_not_keep_the_project(read, code):
    run("codebuild_project", **OPTIONS)

    def refused(real, parameters):
        raise error(code, "Repository not found", "DeleteWebhook")

    with recorded(DeleteWebhook=refused):
        assert run("codebuild_project", **OPTIONS, state="absent")["changed"]
    assert read() is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "a b"}, "name is 'a b'"),
        ({"source_url": "git@github.com:alice/x"}, "source_url is wrong"),
        ({"source_auth": {"type": "SECRETS_MANAGER", "resource": "ghp_canary"}}, "not the ARN of a secret"),
        ({"environment_type": "ARM_LAMBDA_CONTAINER", "compute_type": "BUILD_LAMBDA_2GB", "timeout": 15}, "Lambda has no Docker"),
        ({"compute_type": "BUILD_LAMBDA_2GB"}, "does not go with environment_type"),
        ({"timeout": 4}, "timeout is 4"),
        ({"webhook": [[{"type": "HEAD_REF", "pattern": "^refs/heads/master$"}]]}, "no filter of type EVENT"),
        ({"webhook": [[{"type": "EVENT", "pattern": "PUSHED"}]]}, "the event 'PUSHED'"),
        ({"variables": {"API_TOKEN": "canary"}}, "'API_TOKEN'.*parameter_store"),
        ({"cache": {"type": "S3"}}, "cache.bucket"),
        ({"cache": {"type": "LOCAL", "modes": ["LOCAL_DOCKER_LAYER_CACHE"]}, "privileged": False}, "needs privileged"),
    ],
)  # fmt: skip
def test_what_codebuild_would_refuse_fails_before_anything(aws, options, said):
    with recorded() as calls, pytest.raises(Failed, match=said) as failed:
        run("codebuild_project", **{**OPTIONS, **options})
    assert calls == [] and "canary" not in json.dumps(failed.value.result)


def test_a_token_in_the_url_is_not_repeated(aws):
    with pytest.raises(Failed, match="credentials in it") as failed:
        run("codebuild_project", **{**OPTIONS, "source_url": "https://ghp_canary@github.com/alice/petclinic-rest"})
    assert "ghp_canary" not in json.dumps(failed.value.result)


# --- secrets ----------------------------------------------------------------------------------------------------------

TOKEN = "ghp_" + "canary" * 6


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"variables": {"GH": TOKEN}}, "variables has a token of GitHub or GitLab as 'GH'"),
        ({"parameter_store": {"GH": TOKEN}}, "parameter_store has a token"),
        ({"secrets_manager": {"GH": TOKEN}}, "secrets_manager has a token"),
        ({"secrets_manager": {"GH": f"petclinic:{TOKEN}"}}, "secrets_manager has a token"),
        ({"source_auth": {"type": "CODECONNECTIONS", "resource": TOKEN}}, "Never put a token there"),
        ({"source_auth": {"type": "SECRETS_MANAGER", "resource": TOKEN}}, "Never put a token there"),
        ({"source_url": f"https://{TOKEN}@github.com/alice/petclinic-rest"}, "credentials in it"),
        ({"source_url": f"https://alice:{TOKEN}@github.com/alice/petclinic-rest"}, "credentials in it"),
    ],
)
def test_a_token_in_the_wrong_option_is_refused_and_not_shown(aws, system_log, options, said):
    with recorded() as calls, pytest.raises(Failed, match=said) as failed:
        run("codebuild_project", **{**OPTIONS, **options})
    assert calls == [] and "invocation" in failed.value.result
    assert "canary" not in json.dumps(failed.value.result) + "".join(system_log)


def test_secrets_that_somebody_put_into_the_project_are_compared_and_not_shown(aws, read):
    run("codebuild_project", **OPTIONS)
    live = read()

    def by_hand(*more):
        found = [*live["environment"]["environmentVariables"], *({"name": n, "value": v, "type": "PLAINTEXT"} for n, v in more)]
        environment = {**live["environment"], "environmentVariables": found}
        source = {**live["source"], "location": f"https://{TOKEN}@github.com/alice/petclinic-rest", "buildspec": f"echo {TOKEN}"}
        aws("codebuild").update_project(name=NAME, environment=environment, source=source)

    by_hand(("GITHUB_TOKEN", "canary"), ("GH", TOKEN), ("DB", "jdbc://me:canary@db/petclinic"), ("DEBUG", "1"))
    checked = run("codebuild_project", check=True, **OPTIONS)
    foreign = run("codebuild_project", **{**OPTIONS, "owner": {"handson:service": "another"}}, state="absent")
    before = checked["diff"]["before"]["variables"]
    assert checked["changed"] and set(before) == {"CONTAINER_NAME", "GITHUB_TOKEN", "GH", "DB", "DEBUG"}
    assert before["DEBUG"] == "1" and before["GITHUB_TOKEN"].startswith("(hidden, sha256 ")
    assert foreign["foreign"] and foreign["project"]["variables"]["GH"].startswith("(hidden")
    settled = run("codebuild_project", **OPTIONS)
    assert settled["changed"] and set(variables(read())) == {"CONTAINER_NAME"}
    by_hand(("GITHUB_TOKEN", "canary"))
    gone = run("codebuild_project", **OPTIONS, state="absent")
    assert gone["changed"] and "canary" not in json.dumps([checked, foreign, settled, gone])


# --- builds that run --------------------------------------------------------------------------------------------------


def builds(*rounds):
    """Answers for a project with these {id: status} at each look, and the ids of those that were stopped."""
    looks, stopped = list(rounds), []

    def listed(_real, parameters):
        fits("codebuild", "ListBuildsForProject", "input", parameters)
        return {"ids": list(looks[0])}

    def got(_real, parameters):
        now = looks.pop(0) if len(looks) > 1 else looks[0]
        found = [{"id": i, "buildStatus": now[i], "currentPhase": "BUILD"} for i in parameters["ids"]]
        return {"builds": found}

    def stop(_real, parameters):
        fits("codebuild", "StopBuild", "input", parameters)
        stopped.append(parameters["id"])
        if parameters["id"].endswith("ended"):
            raise error("InvalidInputException", "the build has ended", "StopBuild")
        return {"build": {"id": parameters["id"]}}

    return {"ListBuildsForProject": listed, "BatchGetBuilds": got, "StopBuild": stop}, stopped


def test_builds_that_run_are_stopped_before_their_project_goes(read, monkeypatch, tmp_path):
    run("codebuild_project", **OPTIONS)
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    both = {f"{NAME}:3": "IN_PROGRESS", f"{NAME}:2-ended": "IN_PROGRESS", f"{NAME}:1": "SUCCEEDED"}
    over = {f"{NAME}:4": "IN_PROGRESS", f"{NAME}:3": "STOPPED", f"{NAME}:2-ended": "FAILED"}
    answers, stopped = builds(both, both, over, {i: "STOPPED" for i in over})
    absent = {**OPTIONS, "state": "absent", "progress_file": str(tmp_path / "progress")}
    with recorded(**answers) as calls:
        assert run("codebuild_project", check=True, **absent)["changed"] and stopped == []
        assert run("codebuild_project", **absent)["changed"]
    assert stopped == [f"{NAME}:3", f"{NAME}:2-ended", f"{NAME}:4"], "each once, and one that a pipeline started meanwhile"
    assert len(slept) == 3 and read() is None
    assert operations(calls)[-2:] == ["BatchGetBuilds", "DeleteProject"]
    assert f"stops the build {NAME}:3, which is in phase BUILD" in (tmp_path / "progress").read_text()


def test_a_build_that_does_not_end_keeps_its_project(read, monkeypatch):
    run("codebuild_project", **OPTIONS)
    clock = iter(range(0, 10**6, 50))
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    answers, stopped = builds({f"{NAME}:3": "IN_PROGRESS"})
    with recorded(**answers), pytest.raises(Failed, match=f"The build {NAME}:3 still runs.*run again"):
        run("codebuild_project", **OPTIONS, state="absent")
    assert read() and stopped == [f"{NAME}:3"]


def test_nothing_is_asked_of_builds_where_there_is_no_project_and_one_call_where_none_was_started(read):
    with recorded() as calls:
        run("codebuild_project", **OPTIONS, state="absent")
    assert operations(calls) == ["BatchGetProjects"]
    run("codebuild_project", **OPTIONS)
    with recorded() as calls:
        run("codebuild_project", **OPTIONS, state="absent")
    assert operations(calls) == ["BatchGetProjects", "DeleteWebhook", "ListBuildsForProject", "DeleteProject"]
