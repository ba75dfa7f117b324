# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils import leftovers as it

CLUSTER = {"handson:cluster": "petclinic-rest-cluster"}
SERVICE = {**CLUSTER, "handson:service": "petclinic-rest-service"}
OTHER = {"handson:cluster": "other"}
ARN = "arn:aws:{}:ap-southeast-1:123456789012:{}"


@pytest.mark.parametrize(
    ("owners", "least"),
    [
        ([CLUSTER], [CLUSTER]),
        ([SERVICE, CLUSTER], [CLUSTER]),
        ([CLUSTER, CLUSTER], [CLUSTER]),
        ([SERVICE, OTHER], [SERVICE, OTHER]),
        ([{"n": 1}], [{"n": "1"}]),
    ],
)
def test_least_owners(owners, least):
    assert it.least_owners(owners) == least


@pytest.mark.parametrize("owners", [[], [{}], [CLUSTER, {}]])
def test_an_empty_owner_would_own_everything(owners):
    with pytest.raises(ValueError, match="everything in the account"):
        it.least_owners(owners)


@pytest.mark.parametrize(
    ("tags", "owners", "mine"),
    [
        (CLUSTER, [CLUSTER], True),
        (SERVICE, [CLUSTER], True),
        (CLUSTER, [SERVICE], False),
        (OTHER, [CLUSTER], False),
        ({}, [CLUSTER], False),
        (OTHER, [CLUSTER, OTHER], True),
    ],
)
def test_owned(tags, owners, mine):
    assert it.owned(tags, owners) is mine


@pytest.mark.parametrize(
    ("names", "owners", "mine"),
    [
        (["petclinic-rest-cluster", "petclinic-rest-service"], [SERVICE], True),
        (["petclinic-rest-cluster", "another-service"], [SERVICE], False),
        (["petclinic-rest-cluster", "another-service"], [CLUSTER], True),
        (["other", "petclinic-rest-service"], [CLUSTER], False),
    ],
)
def test_named_by(names, owners, mine):
    assert it.named_by(names, owners) is mine


def test_least_prefixes():
    assert it.least_prefixes(["petclinic-rest", "petclinic", "", "spring", "petclinic"]) == ["petclinic", "spring"]


@pytest.mark.parametrize(
    ("name", "prefixes", "does"),
    [
        ("petclinic-rest-role", ["petclinic"], True),
        ("/ecs/petclinic-rest-task", ["petclinic"], True),
        ("team/petclinic", ["petclinic"], True),
        ("my-petclinic", ["petclinic"], False),
        ("anything", [], True),
    ],
)
def test_begins(name, prefixes, does):
    assert it.begins(name, prefixes) is does


@pytest.mark.parametrize(
    ("arn", "kind", "covered"),
    [
        (ARN.format("ecs", "cluster/petclinic"), ("ecs", "cluster"), True),
        (ARN.format("ecs", "task-definition/petclinic:1"), ("ecs", "task-definition"), True),
        (ARN.format("ecs", "something-new/x"), ("ecs", "something-new"), False),
        (ARN.format("ec2", "volume/vol-1"), ("ec2", "volume"), True),
        (
            ARN.format("elasticloadbalancing", "listener-rule/app/a/b/c/d"),
            ("elasticloadbalancing", "listener-rule"),
            True,
        ),
        (ARN.format("autoscaling", "autoScalingGroup:1:x/y"), ("autoscaling", "autoscalinggroup"), True),
        (ARN.format("logs", "log-group:/ecs/x"), ("logs", "log-group"), True),
        (ARN.format("cloudwatch", "alarm:high"), ("cloudwatch", "alarm"), True),
        (ARN.format("codebuild", "project/x"), ("codebuild", "project"), True),
        (ARN.format("codepipeline", "x"), ("codepipeline", ""), True),
        ("arn:aws:s3:::petclinic-artifacts", ("s3", ""), True),
        ("nonsense", ("", ""), False),
    ],
)
def test_arns(arn, kind, covered):
    assert it.arn_type(arn) == kind
    assert it.covered(arn) is covered


@pytest.mark.parametrize(
    ("group", "by_aws"),
    [
        ("/aws/ecs/containerinsights/petclinic-rest-cluster/performance", True),
        ("/aws/ecs/containerinsights/other/performance", False),
        ("/aws/codebuild/petclinic-rest", True),
        ("/aws/codebuild/petclinic-rest-build", True),
        ("/aws/codebuild/petclinic-restaurant", False),
        ("/ecs/petclinic-rest-task", False),
    ],
)
def test_made_by_aws(group, by_aws):
    assert it.made_by_aws(group, [CLUSTER], ["petclinic-rest"]) is by_aws


def test_insights_of_a_cluster_are_not_a_services():
    assert not it.made_by_aws("/aws/ecs/containerinsights/petclinic-rest-cluster/performance", [SERVICE], [])


def test_the_report_has_a_table_and_a_way_out():
    rows = it.tidy([it.row("VPC", "petclinic", "vpc-1", "available"), it.row("IAM role", "r"), it.row("IAM role", "r")])
    unknown = [{"type": "cluster", "action": "ecs:ListClusters", "denied": True, "message": "not allowed"}]
    said = it.report(rows, unknown, [SERVICE])
    assert (
        "2 things are left of handson:cluster=petclinic-rest-cluster and handson:service=petclinic-rest-service" in said
    )
    assert "TYPE      NAME\nIAM role  r\nVPC       petclinic  vpc-1, available" in said
    assert "Run teardown.yml again" in said
    assert "Give the caller the permission ecs:ListClusters" in said
    assert it.report([], [], [CLUSTER]) == "Nothing is left of handson:cluster=petclinic-rest-cluster."
