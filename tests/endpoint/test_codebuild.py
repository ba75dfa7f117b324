# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Build projects, webhooks and buckets: what moto lacks of them."""

import json

import pytest
from botocore.exceptions import ClientError

SOURCE = {"type": "GITHUB", "location": "https://github.com/alice/petclinic-rest", "buildspec": "version: 0.2"}
ENVIRONMENT = {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"}
PUSH = [[{"type": "EVENT", "pattern": "PUSH"}]]


@pytest.fixture
def role(aws):
    """The ARN of a role that CodeBuild may take."""

    def role(service="codebuild.amazonaws.com", name="builds"):
        statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        return aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]

    return role


@pytest.fixture
def create(aws, role):
    arn = role()

    def create(**given):
        basic = {
            "name": "b-1",
            "source": SOURCE,
            "artifacts": {"type": "NO_ARTIFACTS"},
            "environment": ENVIRONMENT,
            "serviceRole": arn,
        }
        return aws.codebuild.create_project(**{**basic, **given})["project"]

    return create


def test_a_project_has_aws_defaults(aws, create):
    made = create()
    assert made["timeoutInMinutes"] == 60 and made["queuedTimeoutInMinutes"] == 480
    assert made["environment"]["imagePullCredentialsType"] == "CODEBUILD"
    assert made["cache"] == {"type": "NO_CACHE"} and made["badge"] == {"badgeEnabled": False}
    answer = aws.codebuild.batch_get_projects(names=["b-1", "other"])
    assert answer["projects"][0]["lastModified"] and answer["projectsNotFound"] == ["other"]


def test_an_update_replaces_the_parts_that_are_given(aws, create):
    create(tags=[{"key": "a", "value": "b"}], sourceVersion="master", source={**SOURCE, "gitCloneDepth": 1})
    aws.codebuild.update_project(name="b-1", source=SOURCE, timeoutInMinutes=10)
    (now,) = aws.codebuild.batch_get_projects(names=["b-1"])["projects"]
    assert "gitCloneDepth" not in now["source"] and now["timeoutInMinutes"] == 10
    assert now["tags"] == [{"key": "a", "value": "b"}] and now["sourceVersion"] == "master"
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        aws.codebuild.update_project(name="b-2", timeoutInMinutes=10)
    with pytest.raises(ClientError, match="timeoutInMinutes"):
        aws.codebuild.update_project(name="b-1", timeoutInMinutes=4000)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"artifacts": {"type": "CODEPIPELINE"}}, "both sourceType, and artifactType"),
        ({"environment": {**ENVIRONMENT, "type": "LINUX_LAMBDA_CONTAINER"}}, "Invalid compute type"),
        (
            {"environment": {**ENVIRONMENT, "type": "ARM_LAMBDA_CONTAINER", "computeType": "BUILD_LAMBDA_1GB", "privilegedMode": True}},
            "Privileged mode",
        ),
        ({"serviceRole": "arn:aws:iam::123456789012:role/nobody"}, "is not authorized to perform: sts:AssumeRole"),
        ({"source": {"type": "GITHUB"}}, "location is required"),
    ],
)  # fmt: skip
def test_what_aws_refuses(create, given, said):
    with pytest.raises(ClientError, match=said):
        create(**given)


def test_a_role_of_another_service_is_refused(create, role):
    with pytest.raises(ClientError, match="sts:AssumeRole"):
        create(serviceRole=role("ec2.amazonaws.com", "instances"))


def test_webhooks_are_records(aws, create):
    create()
    with pytest.raises(ClientError, match="EVENT"):
        aws.codebuild.create_webhook(projectName="b-1", filterGroups=[[{"type": "HEAD_REF", "pattern": "x"}]])
    aws.codebuild.create_webhook(projectName="b-1", filterGroups=PUSH)
    with pytest.raises(ClientError, match="ResourceAlreadyExistsException"):
        aws.codebuild.create_webhook(projectName="b-1", filterGroups=PUSH)
    aws.codebuild.update_webhook(projectName="b-1", filterGroups=PUSH * 2)
    (now,) = aws.codebuild.batch_get_projects(names=["b-1"])["projects"]
    assert len(now["webhook"]["filterGroups"]) == 2 and "/alice/petclinic-rest/hooks/" in now["webhook"]["url"]
    aws.codebuild.delete_webhook(projectName="b-1")
    assert "webhook" not in aws.codebuild.batch_get_projects(names=["b-1"])["projects"][0]
    for call in (aws.codebuild.delete_webhook, aws.codebuild.update_webhook):
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            call(projectName="b-1")


def test_nothing_builds_here(aws, create):
    create()
    with pytest.raises(ClientError, match="runs no builds"):
        aws.codebuild.start_build(projectName="b-1")
    assert aws.codebuild.list_builds_for_project(projectName="b-1")["ids"] == []


def test_credentials_for_github_are_not_taken(aws):
    with pytest.raises(ClientError, match="has no codebuild:ImportSourceCredentials"):
        aws.codebuild.import_source_credentials(token="x", serverType="GITHUB", authType="PERSONAL_ACCESS_TOKEN")


def test_a_bucket_has_its_tags_from_the_first_moment(aws):
    configuration = {"LocationConstraint": "ap-southeast-1", "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}]}
    aws.s3.create_bucket(Bucket="alice-1", CreateBucketConfiguration=configuration)
    assert aws.s3.get_bucket_tagging(Bucket="alice-1")["TagSet"] == configuration["Tags"]
    with pytest.raises(ClientError, match="BucketAlreadyOwnedByYou"):
        aws.s3.create_bucket(Bucket="alice-1", CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"})
    assert aws.s3.get_bucket_tagging(Bucket="alice-1")["TagSet"] == configuration["Tags"]


def test_a_policy_that_asks_for_tls_lets_clients_in_and_another_deny_does_not(aws):
    aws.s3.create_bucket(Bucket="alice-1", CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"})
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::alice-1/*"}
    tls = {**deny, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    for statements, let_in in (([tls], True), ([tls, deny], False)):
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        aws.s3.put_bucket_policy(Bucket="alice-1", Policy=policy)
        assert aws.s3.get_bucket_policy(Bucket="alice-1")["Policy"] == policy
        if let_in:
            aws.s3.put_object(Bucket="alice-1", Key="k", Body=b"x")
        else:
            with pytest.raises(ClientError):
                aws.s3.put_object(Bucket="alice-1", Key="k", Body=b"x")
