# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import Failed, contract, run

NAME = "petclinic-rest-codepipeline"
ROLE = f"{NAME}-role"
BUCKET = f"{NAME}-123456789012"
OPTIONS = {
    "name": NAME,
    "role": ROLE,
    "artifact_bucket": BUCKET,
    "connection": "petclinic-rest-github",
    "repository": "https://github.com/me/spring-petclinic-rest",
    "build_project": "petclinic-rest-build",
    "cluster": "petclinic-rest-cluster",
    "service": "petclinic-rest-service",
    "owner": {"handson:service": "petclinic-rest-service"},
}
KEY = "arn:aws:kms:ap-southeast-1:123456789012:key/1234"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": ["codepipeline.amazonaws.com"]}, "Action": "sts:AssumeRole"}
    ],
}


def role(aws, name=ROLE, service="codepipeline"):
    trust = json.dumps(TRUST).replace("codepipeline", service)
    return aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]


def project(aws, name=OPTIONS["build_project"]):
    aws("codebuild").create_project(
        name=name,
        source={"type": "GITHUB", "location": OPTIONS["repository"] + ".git"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=role(aws, f"{name}-role", "codebuild"),
    )


@pytest.fixture
def needs(aws):
    """Everything that a pipeline stands on."""
    role(aws)
    project(aws)
    aws("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"})
    return aws("codeconnections").create_connection(ConnectionName=OPTIONS["connection"], ProviderType="GitHub")["ConnectionArn"]


@pytest.fixture
def read(aws):
    def read():
        pipelines = aws("codepipeline")
        if not pipelines.list_pipelines()["pipelines"]:
            return None
        found = pipelines.get_pipeline(name=NAME)
        tags = pipelines.list_tags_for_resource(resourceArn=found["metadata"]["pipelineArn"])["tags"]
        return found["pipeline"] | {"tags": {t["key"]: t["value"] for t in tags}}

    return read


def configuration(pipeline, stage):
    return next(s for s in pipeline["stages"] if s["name"] == stage)["actions"][0].get("configuration")


def test_contract(aws, needs, read):
    role(aws, "another-role")
    project(aws, "another-build")
    aws("s3").create_bucket(Bucket="another", CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"})
    contract(
        "codepipeline",
        OPTIONS,
        read,
        changes=[
            ({"branch": "main"}, lambda p: configuration(p, "Source")["BranchName"], "main"),
            ({"repository": "you/app"}, lambda p: configuration(p, "Source")["FullRepositoryId"], "you/app"),
            (
                {"source_format": "CODEBUILD_CLONE_REF"},
                lambda p: configuration(p, "Source")["OutputArtifactFormat"],
                "CODEBUILD_CLONE_REF",
            ),
            ({"trigger": False}, lambda p: p.get("triggers"), None),
            ({"build_project": "another-build"}, lambda p: configuration(p, "Build")["ProjectName"], "another-build"),
            ({"approval": True}, lambda p: [s["name"] for s in p["stages"]], ["Source", "Build", "Approval", "Deploy"]),
            ({"approval_message": "Live?"}, lambda p: configuration(p, "Approval").get("CustomData"), "Live?"),
            ({"approval_timeout": 60}, lambda p: p["stages"][2]["actions"][0].get("timeoutInMinutes"), 60),
            ({"cluster": "another"}, lambda p: configuration(p, "Deploy")["ClusterName"], "another"),
            ({"service": "another"}, lambda p: configuration(p, "Deploy")["ServiceName"], "another"),
            ({"image_file": "images.json"}, lambda p: configuration(p, "Deploy")["FileName"], "images.json"),
            ({"deploy_timeout": 15}, lambda p: configuration(p, "Deploy").get("DeploymentTimeout"), "15"),
            ({"execution_mode": "QUEUED"}, lambda p: p["executionMode"], "QUEUED"),
            ({"role": "another-role"}, lambda p: p["roleArn"].rsplit("/")[-1], "another-role"),
            ({"artifact_bucket": "another"}, lambda p: p["artifactStore"]["location"], "another"),
            ({"artifact_kms_key": KEY}, lambda p: p["artifactStore"].get("encryptionKey"), {"type": "KMS", "id": KEY}),
            ({"tags": {"team": "vets"}}, lambda p: p["tags"].get("team"), "vets"),
        ],
    )


def test_what_is_made(needs, read):
    made = run("codepipeline", **OPTIONS)["pipeline"]
    pipeline = read()
    assert pipeline["pipelineType"] == "V2" and pipeline["version"] == 1
    assert configuration(pipeline, "Source") == {
        "ConnectionArn": needs,
        "FullRepositoryId": "me/spring-petclinic-rest",
        "BranchName": "master",
        "OutputArtifactFormat": "CODE_ZIP",
        "DetectChanges": "false",
    }
    (trigger,) = pipeline["triggers"]
    assert trigger["gitConfiguration"]["push"] == [{"branches": {"includes": ["master"]}}]
    assert pipeline["artifactStore"] == {"type": "S3", "location": BUCKET}
    assert pipeline["roleArn"] == f"arn:aws:iam::123456789012:role/{ROLE}"
    assert made["arn"].endswith(f":{NAME}") and f"/pipelines/{NAME}/view" in made["console_url"]


def test_an_unchanged_run_makes_two_calls_with_the_connections_arn_and_three_with_its_name(needs):
    run("codepipeline", **OPTIONS)
    with recorded() as calls:
        assert not run("codepipeline", **{**OPTIONS, "connection": needs})["changed"]
    assert operations(calls) == ["GetPipeline", "ListTagsForResource"]
    with recorded() as calls:
        assert not run("codepipeline", **OPTIONS)["changed"]
    assert operations(calls) == ["GetPipeline", "ListTagsForResource", "ListConnections"]


def test_an_unchanged_run_does_not_make_a_version(needs, read):
    for _ in range(3):
        run("codepipeline", **OPTIONS)
    assert read()["version"] == 1
    run("codepipeline", **OPTIONS, tags={"team": "vets"})
    assert read()["version"] == 1
    run("codepipeline", **OPTIONS, branch="main")
    assert read()["version"] == 2


def test_variables_that_others_gave_it_stay(aws, needs, read):
    run("codepipeline", **OPTIONS)
    variables = [{"name": "STAGE", "defaultValue": "test"}]
    aws("codepipeline").update_pipeline(pipeline={k: v for k, v in read().items() if k != "tags"} | {"variables": variables})
    assert not run("codepipeline", **OPTIONS)["changed"]
    assert run("codepipeline", **OPTIONS, branch="main")["changed"]
    assert read()["variables"] == variables


def test_a_new_role_that_aws_does_not_know_yet_is_waited_for(needs, read, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    answers = iter([True, True, False])

    def not_yet(real, parameters):
        if next(answers):
            message = f"CodePipeline is not authorized to perform AssumeRole on role {parameters['pipeline']['roleArn']}"
            raise error("InvalidStructureException", message, "CreatePipeline")
        return real()

    with recorded(CreatePipeline=not_yet) as calls:
        assert run("codepipeline", **OPTIONS)["changed"]
    assert operations(calls).count("CreatePipeline") == 3 and read()


def test_a_role_that_is_never_allowed_is_told_with_the_way_out(aws, needs):
    aws("iam").update_assume_role_policy(
        RoleName=ROLE, PolicyDocument=json.dumps(TRUST).replace("codepipeline", "codebuild")
    )
    with pytest.raises(Failed, match=f"may not assume the role .*{ROLE}.*pipeline_trust_conditions"):
        run("codepipeline", **OPTIONS, role_timeout=0)


def test_check_mode_foresees_what_the_same_run_would_make(aws, read):
    told = run("codepipeline", check=True, **OPTIONS)
    assert told["changed"] and told["pipeline"]["role"] == "(known after apply)"
    assert told["pipeline"]["stages"][0]["actions"][0]["configuration"]["ConnectionArn"] == "(known after apply)"
    told = run("codepipeline", check=True, **{**OPTIONS, "connection": "(known after apply)"})
    assert told["pipeline"]["console_url"] == "(known after apply)"
    assert read() is None


def test_what_it_stands_on_is_named_with_the_playbook_that_makes_it(aws, read):
    with pytest.raises(Failed, match="no build project named 'petclinic-rest-build'.*playbooks/build.yml"):
        run("codepipeline", **OPTIONS)
    project(aws)
    with pytest.raises(Failed, match=f"no bucket named '{BUCKET}'"):
        run("codepipeline", **OPTIONS)
    aws("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"})
    with pytest.raises(Failed, match=f"no IAM role named '{ROLE}'.*playbooks/pipeline.yml"):
        run("codepipeline", **OPTIONS)
    role(aws)
    with pytest.raises(Failed, match="no connection named 'petclinic-rest-github'"):
        run("codepipeline", **OPTIONS)
    assert read() is None


def test_a_foreign_one_is_refused_and_not_deleted(aws, needs, read):
    run("codepipeline", **{**OPTIONS, "owner": {"handson:service": "another"}})
    with pytest.raises(Failed, match="not ours"):
        run("codepipeline", **OPTIONS, branch="main")
    absent = run("codepipeline", **OPTIONS, state="absent")
    assert not absent["changed"] and absent["foreign"]
    assert configuration(read(), "Source")["BranchName"] == "master"


def test_an_answer_that_was_lost_is_no_failure(needs, read):
    def lost(real, parameters):
        real()
        raise error("PipelineNameInUseException", "it exists", "CreatePipeline")

    with recorded(CreatePipeline=lost):
        assert run("codepipeline", **OPTIONS)["changed"]
    assert read()["version"] == 1


def test_what_aws_refuses_is_refused_all_at_once_before_anything_is_asked(aws):
    with recorded() as calls, pytest.raises(Failed) as e:
        run("codepipeline", **{**OPTIONS, "repository": "https://example.org/app", "deploy_timeout": 90, "branch": ""})
    for said in ("build_project_source_url", "pipeline_deploy_timeout): 90 minutes", "build_project_branch): it is empty"):
        assert said in str(e.value)
    assert operations(calls) == ["GetPipeline"]


def test_a_token_in_the_url_is_refused_and_shown_nowhere(aws):
    with pytest.raises(Failed, match="without user and token") as e:
        run("codepipeline", **{**OPTIONS, "repository": "https://me:canary-t0ken@github.com/me/app"})
    assert "canary-t0ken" not in json.dumps(e.value.result)


def test_absent_needs_a_name_only(needs, read):
    run("codepipeline", **OPTIONS)
    assert run("codepipeline", name=NAME, state="absent", owner=OPTIONS["owner"])["changed"]
    assert read() is None


@pytest.mark.parametrize("option", ["connection", "repository"])
def test_a_token_in_the_wrong_option_is_not_shown(needs, system_log, option):
    token = "ghp_" + "canary" * 6
    value = f"https://{token}@github.com/me/app" if option == "repository" else token
    with recorded() as calls, pytest.raises(Failed, match="AWS would not have the pipeline") as failed:
        run("codepipeline", **{**OPTIONS, option: value})
    assert "canary" not in json.dumps(failed.value.result) + "".join(system_log) and "invocation" in failed.value.result
    assert not any(name.startswith(("Create", "Update")) for name in operations(calls))
