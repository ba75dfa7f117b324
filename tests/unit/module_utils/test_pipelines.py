# SPDX-License-Identifier: GPL-3.0-or-later
import copy

import pytest

from ansible_collections.handson.ecs.plugins.module_utils.pipelines import (
    console_url,
    declaration,
    faults,
    login_in,
    normalized_stages,
    normalized_triggers,
    pipeline_from_aws,
    repository_id,
    stages_of,
    triggers_of,
    value_in_stages,
)

CONNECTION = "arn:aws:codeconnections:ap-southeast-1:123456789012:connection/1"
ARN = "arn:aws:codepipeline:ap-southeast-1:123456789012:petclinic-rest-codepipeline"
OPTIONS = {
    "name": "petclinic-rest-codepipeline",
    "role": "petclinic-rest-codepipeline-role",
    "artifact_bucket": "petclinic-rest-codepipeline-123456789012",
    "artifact_kms_key": "",
    "connection": "petclinic-rest-github",
    "repository": "https://github.com/me/spring-petclinic-rest",
    "branch": "master",
    "source_format": "CODE_ZIP",
    "trigger": True,
    "build_project": "petclinic-rest-build",
    "approval": False,
    "approval_message": "",
    "approval_timeout": None,
    "cluster": "petclinic-rest-cluster",
    "service": "petclinic-rest-service",
    "image_file": "imagedefinitions.json",
    "deploy_timeout": 20,
    "execution_mode": "SUPERSEDED",
}


@pytest.mark.parametrize(
    "url",
    [
        "me/spring-petclinic-rest",
        "https://github.com/me/spring-petclinic-rest",
        "https://github.com/me/spring-petclinic-rest.git",
        "https://github.com/me/spring-petclinic-rest/",
        "http://www.github.com/me/spring-petclinic-rest",
        "git@github.com:me/spring-petclinic-rest.git",
        "ssh://git@github.com/me/spring-petclinic-rest.git",
    ],
)
def test_repositories(url):
    assert repository_id(url) == "me/spring-petclinic-rest"


@pytest.mark.parametrize(
    "url",
    ["", "me", "https://gitlab.com/me/app", "https://github.com/me/app/tree/main", "https://canary@github.com/me/app"],
)
def test_no_repositories(url):
    with pytest.raises(ValueError, match="neither") as e:
        repository_id(url)
    assert "canary" not in str(e.value)


@pytest.mark.parametrize(
    "url, login", [("https://t0ken@github.com/a/b", "t0ken"), ("https://u:t@github.com/a/b", "u:t"), ("git@github.com:a/b", "")]
)
def test_logins(url, login):
    assert login_in(url) == login


def test_nothing_is_wrong_with_the_tutorials_pipeline():
    assert faults(OPTIONS) == []


@pytest.mark.parametrize(
    "change, said",
    [
        ({"name": "a b"}, "1 to 100 letters"),
        ({"name": "x" * 101}, "1 to 100 letters"),
        ({"artifact_bucket": "ab"}, "3 to 63"),
        ({"artifact_bucket": None}, "3 to 63"),
        ({"build_project": "-x"}, "2 to 150"),
        ({"repository": "nowhere"}, "neither"),
        ({"branch": " "}, "empty"),
        ({"service": ""}, "empty"),
        ({"deploy_timeout": 0}, "1 to 60"),
        ({"deploy_timeout": 61}, "1 to 60"),
        ({"approval_timeout": 4}, "5 to 86400"),
    ],
)
def test_what_aws_would_refuse(change, said):
    ((option, fault),) = faults({**OPTIONS, **change})
    assert option in change and said in fault


def test_all_faults_at_once():
    assert [o for o, _ in faults({**OPTIONS, "name": "", "branch": "", "deploy_timeout": 99})] == [
        "name",
        "branch",
        "deploy_timeout",
    ]


def names(stages):
    return [(s["name"], [a["actionTypeId"]["provider"] for a in s["actions"]]) for s in stages]


def test_the_stages():
    stages = stages_of(OPTIONS, CONNECTION)
    assert names(stages) == [("Source", ["CodeStarSourceConnection"]), ("Build", ["CodeBuild"]), ("Deploy", ["ECS"])]
    source, build, deploy = (s["actions"][0] for s in stages)
    assert source["configuration"] == {
        "ConnectionArn": CONNECTION,
        "FullRepositoryId": "me/spring-petclinic-rest",
        "BranchName": "master",
        "OutputArtifactFormat": "CODE_ZIP",
        "DetectChanges": "false",
    }
    assert build["configuration"] == {"ProjectName": "petclinic-rest-build"}
    assert source["outputArtifacts"] == build["inputArtifacts"] and build["outputArtifacts"] == deploy["inputArtifacts"]
    assert deploy["configuration"] == {
        "ClusterName": "petclinic-rest-cluster",
        "ServiceName": "petclinic-rest-service",
        "FileName": "imagedefinitions.json",
        "DeploymentTimeout": "20",
    }


def test_an_approval_stands_between_build_and_deployment():
    stages = stages_of({**OPTIONS, "approval": True, "approval_message": "Live?", "approval_timeout": 60}, CONNECTION)
    assert [s["name"] for s in stages] == ["Source", "Build", "Approval", "Deploy"]
    approval = stages[2]["actions"][0]
    assert approval["configuration"] == {"CustomData": "Live?"} and approval["timeoutInMinutes"] == 60
    bare = stages_of({**OPTIONS, "approval": True, "approval_timeout": None}, CONNECTION)[2]["actions"][0]
    assert "timeoutInMinutes" not in bare and "configuration" not in bare


def test_the_trigger_is_a_push_to_the_branch():
    (trigger,) = triggers_of(OPTIONS)
    assert trigger["gitConfiguration"] == {"sourceActionName": "Source", "push": [{"branches": {"includes": ["master"]}}]}
    assert triggers_of({**OPTIONS, "trigger": False}) == []


def answer(**changes):
    """What GetPipeline says of the tutorial's pipeline, with what it adds."""
    pipeline = {
        "name": OPTIONS["name"],
        "roleArn": "arn:aws:iam::123456789012:role/petclinic-rest-codepipeline-role",
        "artifactStore": {"type": "S3", "location": OPTIONS["artifact_bucket"]},
        "stages": copy.deepcopy(stages_of(OPTIONS, CONNECTION)),
        "triggers": triggers_of(OPTIONS),
        "version": 3,
        "executionMode": "SUPERSEDED",
        "pipelineType": "V2",
        "variables": [],
        **changes,
    }
    for stage in pipeline["stages"]:
        stage["blockers"] = []
        for action in stage["actions"]:
            action.setdefault("inputArtifacts", [])
            action.setdefault("outputArtifacts", [])
            action["region"] = "ap-southeast-1"
    return {"pipeline": pipeline, "metadata": {"pipelineArn": ARN}}


def test_what_aws_adds_is_no_difference():
    found = pipeline_from_aws(answer(), {"team": "vets"})
    assert found["stages"] == stages_of(OPTIONS, CONNECTION)
    assert found["triggers"] == triggers_of(OPTIONS)
    assert (found["arn"], found["version"], found["type"], found["execution_mode"]) == (ARN, 3, "V2", "SUPERSEDED")
    assert found["artifact_bucket"] == OPTIONS["artifact_bucket"] and found["artifact_kms_key"] == ""
    assert found["tags"] == {"team": "vets"} and "variables" not in found


def test_a_pipeline_of_the_older_type_says_nothing_of_it():
    found = answer()
    for key in ("executionMode", "pipelineType", "triggers", "variables"):
        del found["pipeline"][key]
    found = pipeline_from_aws(found, {})
    assert (found["type"], found["execution_mode"], found["triggers"]) == ("V1", "SUPERSEDED", [])


def test_stores_of_several_regions():
    store = {"type": "S3", "location": "b", "encryptionKey": {"type": "KMS", "id": "k"}}
    found = answer(artifactStores={"ap-southeast-1": store, "eu-west-1": {"type": "S3", "location": "c"}})
    del found["pipeline"]["artifactStore"]
    found = pipeline_from_aws(found, {})
    assert (found["artifact_bucket"], found["artifact_kms_key"]) == ("b", "k")


def test_what_others_added_is_a_difference():
    found = answer()
    found["pipeline"]["stages"][2]["onFailure"] = {"result": "ROLLBACK"}
    assert pipeline_from_aws(found, {})["stages"] != stages_of(OPTIONS, CONNECTION)
    found = answer()
    found["pipeline"]["stages"][1]["actions"][0]["region"] = "eu-west-1"
    assert pipeline_from_aws(found, {})["stages"] != stages_of(OPTIONS, CONNECTION)


def test_from_aws_and_back():
    variables = [{"name": "v", "defaultValue": "1"}]
    store = {"type": "S3", "location": "b", "encryptionKey": {"type": "KMS", "id": "k"}}
    back = declaration(pipeline_from_aws(answer(variables=variables, artifactStore=store), {}))
    assert back["variables"] == variables and back["artifactStore"] == store
    assert back["stages"] == stages_of(OPTIONS, CONNECTION) and back["pipelineType"] == "V2"
    assert "version" not in back and "triggers" not in declaration(pipeline_from_aws(answer(triggers=[]), {}))


def test_triggers_and_stages_in_one_spelling():
    spelled = [{"providerType": "P", "gitConfiguration": {"push": [{"branches": {"includes": ["b", "a"], "excludes": []}}]}}]
    assert normalized_triggers(spelled) == [
        {"providerType": "P", "gitConfiguration": {"push": [{"branches": {"includes": ["a", "b"]}}]}}
    ]
    assert normalized_triggers(None) == []
    action = {"name": "A", "configuration": {"DetectChanges": "False"}, "runOrder": None}
    assert normalized_stages([{"name": "S", "actions": [action]}]) == [
        {"name": "S", "actions": [{"name": "A", "configuration": {"DetectChanges": "false"}, "runOrder": 1}]}
    ]


def test_values_are_found_by_provider():
    stages = stages_of(OPTIONS, CONNECTION)
    assert value_in_stages(stages, "CodeBuild", "ProjectName") == "petclinic-rest-build"
    assert value_in_stages(stages, "Lambda", "FunctionName") is None and value_in_stages(None, "ECS", "x") is None


@pytest.mark.parametrize(
    "arn, host",
    [
        (ARN, "ap-southeast-1.console.aws.amazon.com"),
        (ARN.replace(":aws:", ":aws-cn:"), "console.amazonaws.cn"),
        (ARN.replace(":aws:", ":aws-us-gov:"), "ap-southeast-1.console.amazonaws-us-gov.com"),
    ],
)
def test_pages_of_the_console(arn, host):
    assert console_url(arn) == f"https://{host}/codesuite/codepipeline/pipelines/{OPTIONS['name']}/view?region=ap-southeast-1"
