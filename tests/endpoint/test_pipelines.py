# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""CodeConnections and CodePipeline: records that behave as AWS documents them, and nothing that runs."""

import copy
import json
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": ["codepipeline.amazonaws.com"]}, "Action": "sts:AssumeRole"}
    ],
}


def connection(client, name="petclinic-rest-github", **options):
    return client.create_connection(ConnectionName=name, ProviderType="GitHub", **options)["ConnectionArn"]


def approve(aws, name, method="POST"):
    url = f"http://127.0.0.1:{aws.port}/handson/connections/{name}/approve"
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as answer:
        return json.load(answer)


def status(client, arn):
    return client.get_connection(ConnectionArn=arn)["Connection"]["ConnectionStatus"]


@pytest.mark.parametrize("service", ["codeconnections", "codestar-connections"])
def test_a_connection_is_kept_under_both_names_of_the_service(aws, service):
    client = getattr(aws, service)
    arn = connection(client, Tags=[{"Key": "team", "Value": "vets"}])
    assert arn.startswith(f"arn:aws:{service}:ap-southeast-1:123456789012:connection/")
    for each in (aws.codeconnections, getattr(aws, "codestar-connections")):
        (found,) = each.list_connections(ProviderTypeFilter="GitHub")["Connections"]
        assert found["ConnectionName"] == "petclinic-rest-github" and found["ConnectionArn"] == arn
        assert each.list_connections(ProviderTypeFilter="Bitbucket")["Connections"] == []
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "more", "Value": "1"}])
    client.untag_resource(ResourceArn=arn, TagKeys=["team"])
    assert client.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "more", "Value": "1"}]
    client.delete_connection(ConnectionArn=arn)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.get_connection(ConnectionArn=arn)


def test_connections_come_by_the_page_and_go_with_a_reset(aws, shared):
    for number in range(3):
        connection(aws.codeconnections, f"c{number}")
    first = aws.codeconnections.list_connections(MaxResults=2)
    then = aws.codeconnections.list_connections(MaxResults=2, NextToken=first["NextToken"])
    assert [c["ConnectionName"] for c in first["Connections"] + then["Connections"]] == ["c0", "c1", "c2"]
    assert "NextToken" not in then
    assert shared("reset").returncode == 0
    assert aws.codeconnections.list_connections()["Connections"] == []


def test_a_connection_named_pending_waits_for_its_approval(aws):
    usual, waiting = connection(aws.codeconnections), connection(aws.codeconnections, "a-pending-one")
    assert status(aws.codeconnections, usual) == "AVAILABLE"
    assert status(aws.codeconnections, waiting) == "PENDING"
    assert approve(aws, "a-pending-one") == {"connection": "a-pending-one", "status": "AVAILABLE"}
    assert status(aws.codeconnections, waiting) == "AVAILABLE"
    for name, method, code in (("nobody", "POST", 404), ("a-pending-one", "GET", 405)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            approve(aws, name, method)
        assert refused.value.code == code


def test_names_of_connections_are_at_most_32_long_and_unique(aws):
    with pytest.raises(ClientError, match="less than or equal to 32"):
        connection(aws.codeconnections, "x" * 33)
    connection(aws.codeconnections)
    with pytest.raises(ClientError, match="already exists"):
        connection(aws.codeconnections)


# --- pipelines --------------------------------------------------------------------------------------------------------


def action(name, category, provider, configuration, inputs=(), outputs=()):
    return {
        "name": name,
        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "configuration": configuration,
        "inputArtifacts": [{"name": n} for n in inputs],
        "outputArtifacts": [{"name": n} for n in outputs],
    }


@pytest.fixture
def declaration(aws):
    role = aws.iam.create_role(RoleName="pipeline", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    source = {"ConnectionArn": connection(aws.codeconnections), "FullRepositoryId": "me/app", "BranchName": "master"}
    return {
        "name": "petclinic-rest-codepipeline",
        "roleArn": role,
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "pipelineType": "V2",
        "stages": [
            {"name": "Source", "actions": [action("Source", "Source", "CodeStarSourceConnection", source, outputs=["In"])]},
            {"name": "Build", "actions": [action("Build", "Build", "CodeBuild", {"ProjectName": "b"}, ["In"], ["Out"])]},
            {
                "name": "Deploy",
                "actions": [action("Deploy", "Deploy", "ECS", {"ClusterName": "c", "ServiceName": "s"}, ["Out"])],
            },
        ],
        "triggers": [
            {
                "providerType": "CodeStarSourceConnection",
                "gitConfiguration": {"sourceActionName": "Source", "push": [{"branches": {"includes": ["master"]}}]},
            }
        ],
    }


def test_a_pipeline_keeps_its_triggers_and_tags_and_counts_its_versions(aws, declaration):
    aws.codepipeline.create_pipeline(pipeline=declaration, tags=[{"key": "team", "value": "vets"}])
    found = aws.codepipeline.get_pipeline(name=declaration["name"])
    assert found["pipeline"]["version"] == 1 and found["pipeline"]["triggers"] == declaration["triggers"]
    assert found["pipeline"]["executionMode"] == "SUPERSEDED"
    arn = found["metadata"]["pipelineArn"]
    aws.codepipeline.update_pipeline(pipeline={**declaration, "executionMode": "QUEUED"})
    again = aws.codepipeline.get_pipeline(name=declaration["name"])["pipeline"]
    assert again["version"] == 2 and again["executionMode"] == "QUEUED"
    assert aws.codepipeline.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "team", "value": "vets"}]
    (row,) = aws.codepipeline.list_pipelines()["pipelines"]
    assert row["pipelineType"] == "V2" and row["executionMode"] == "QUEUED"
    with pytest.raises(ClientError, match="PipelineNameInUseException"):
        aws.codepipeline.create_pipeline(pipeline=declaration)


def test_nothing_runs(aws, declaration):
    aws.codepipeline.create_pipeline(pipeline=declaration)
    name = declaration["name"]
    state = aws.codepipeline.get_pipeline_state(name=name)
    assert [s["stageName"] for s in state["stageStates"]] == ["Source", "Build", "Deploy"]
    assert state["stageStates"][0]["actionStates"] == [{"actionName": "Source"}]
    assert not any("latestExecution" in s for s in state["stageStates"])
    with pytest.raises(ClientError, match="The embedded endpoint runs no pipelines"):
        aws.codepipeline.start_pipeline_execution(name=name)
    assert aws.codepipeline.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"] == []
    for call in (aws.codepipeline.get_pipeline_state, aws.codepipeline.start_pipeline_execution):
        with pytest.raises(ClientError, match="PipelineNotFoundException"):
            call(name="nobody")


def without_source(d):
    d["stages"] = d["stages"][1:]


def same_stage(d):
    d["stages"][2]["name"] = "Build"


def unknown_artifact(d):
    d["stages"][2]["actions"][0]["inputArtifacts"] = [{"name": "Nothing"}]


def two_artifacts(d):
    d["stages"][2]["actions"][0]["inputArtifacts"] = [{"name": "In"}, {"name": "Out"}]


def no_service(d):
    del d["stages"][2]["actions"][0]["configuration"]["ServiceName"]


def trigger_of_v1(d):
    d["pipelineType"] = "V1"


def trigger_of_another_action(d):
    d["triggers"][0]["gitConfiguration"]["sourceActionName"] = "Build"


def bad_name(d):
    d["stages"][1]["name"] = "Build it"


def unknown_role(d):
    d["roleArn"] = "arn:aws:iam::123456789012:role/nobody"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without_source, "must start with a stage of source actions"),
        (same_stage, "not unique within the pipeline"),
        (unknown_artifact, "not an output of an earlier action"),
        (two_artifacts, "2 input"),
        (no_service, "ServiceName"),
        (trigger_of_v1, "type V2"),
        (trigger_of_another_action, "must name a source action"),
        (bad_name, "pattern"),
        (unknown_role, "not authorized to perform AssumeRole"),
    ],
)
def test_what_aws_refuses_of_a_pipeline_is_refused(aws, declaration, spoil, said):
    bad = copy.deepcopy(declaration)
    spoil(bad)
    with pytest.raises(ClientError, match=said):
        aws.codepipeline.create_pipeline(pipeline=bad)
    aws.codepipeline.create_pipeline(pipeline=declaration)
    with pytest.raises(ClientError, match=said):
        aws.codepipeline.update_pipeline(pipeline=bad)
