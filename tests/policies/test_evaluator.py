# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The evaluator itself: what it allows, what it refuses, and what it refuses to judge."""

import pytest
from policies.evaluator import allowed, faults, resources_of

HERE = "arn:aws:ecs:ap-southeast-1:123456789012"
ROLE = "arn:aws:iam::123456789012:role/mine"


def policy(**statement):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


READ = policy(Action=["ecs:Describe*"], Resource=f"{HERE}:service/demo/*")


@pytest.mark.parametrize(
    ("action", "resource", "verdict"),
    [
        ("ecs:DescribeServices", f"{HERE}:service/demo/web", True),
        ("ECS:describeservices", f"{HERE}:service/demo/web", True),
        ("ecs:DescribeServices", f"{HERE}:service/other/web", False),
        ("ecs:DescribeServices", "*", False),
        ("ecs:UpdateService", f"{HERE}:service/demo/web", False),
    ],
)
def test_actions_and_resources(action, resource, verdict):
    assert allowed([READ], action, resource) is verdict


def test_a_deny_beats_an_allow():
    deny = {"Statement": {"Effect": "Deny", "Action": "ecs:*", "Resource": "*"}}
    assert not allowed([READ, deny], "ecs:DescribeServices", f"{HERE}:service/demo/web")


@pytest.mark.parametrize(
    ("condition", "context", "verdict"),
    [
        ({"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}, {}, False),
        ({"StringEquals": {"iam:PassedToService": ["a", "b"]}}, {"iam:PassedToService": "b"}, True),
        ({"StringEquals": {"iam:PassedToService": "a*"}}, {"iam:PassedToService": "ab"}, False),
        ({"StringLike": {"aws:ResourceTag/handson:service": "demo-*"}}, {"aws:ResourceTag/handson:service": "demo-1"}, True),
        ({"ArnLike": {"aws:SourceArn": f"{HERE}:*"}}, {"aws:SourceArn": f"{HERE}:service/a"}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:*"}}, {"aws:SourceArn": f"{HERE}:service/a"}, False),
        ({"Bool": {"aws:SecureTransport": False}}, {"aws:SecureTransport": "false"}, True),
        ({"ForAnyValue:StringEquals": {"aws:CalledVia": "a"}}, {"aws:CalledVia": ["b", "a"]}, True),
        ({"ForAnyValue:StringEquals": {"aws:CalledVia": "a"}}, {}, False),
    ],
)
def test_conditions(condition, context, verdict):
    assert allowed([policy(Action="iam:PassRole", Resource=ROLE, Condition=condition)], "iam:PassRole", ROLE, context) is verdict


def test_principals():
    trust = policy(Action="sts:AssumeRole", Principal={"Service": ["ec2.amazonaws.com"]})
    assert allowed([trust], "sts:AssumeRole", principal={"Service": "ec2.amazonaws.com"})
    assert not allowed([trust], "sts:AssumeRole", principal={"Service": "lambda.amazonaws.com"})
    assert not allowed([trust], "sts:AssumeRole", principal={"AWS": ROLE})


@pytest.mark.parametrize("more", [{"NotAction": "a:b"}, {"Condition": {"NumericLessThan": {"a": 1}}}])
def test_it_does_not_judge_what_it_does_not_know(more):
    with pytest.raises(ValueError, match="elements|operator"):
        allowed([policy(**{"Action": "*", "Resource": "*", **more})], "a:b")


def test_the_reference_knows_which_actions_take_a_resource():
    assert resources_of("ecs:UpdateService") and not resources_of("ecr:GetAuthorizationToken")
    with pytest.raises(LookupError):
        resources_of("ecs:UpdateEverything")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ({"Action": "ecs:*", "Resource": f"{HERE}:service/a/b"}, "ecs:*"),
        ({"Action": "*", "Resource": "*"}, ": *"),
        ({"Action": "ecs:UpdateService", "Resource": "*"}, "on everything"),
        ({"Action": "ecs:UpdateServices", "Resource": f"{HERE}:service/a/b"}, "AWS has no"),
        ({"Action": "ecs:UpdateService", "Resource": f"{HERE}:*"}, f"{HERE}:*"),
        ({"Action": "ecs:UpdateService", "Resource": "arn:aws:ecs:ap-southeast-1:*:service/a/b"}, ":*:service"),
        ({"Action": "ecs:UpdateService", "Resource": "arn:aws:ecs:ap-southeast-1::service/a/b"}, "any account"),
        ({"Action": "iam:PassRole", "Resource": ROLE}, "to anybody"),
        ({"Action": "iam:PassRole", "Resource": f"{ROLE}-*", "Condition": {"StringEquals": {"iam:PassedToService": "a"}}}, "passes"),
        ({"Action": "iam:PassRole", "Resource": "*", "Condition": {"StringEquals": {"iam:PassedToService": "a"}}}, "passes"),
        ({"NotAction": "iam:*", "Resource": "*"}, "all but"),
    ],
)
def test_faults(statement, words):
    document = {"Statement": [{"Sid": "This", "Effect": "Allow", **statement}]}
    assert any(words in f for f in faults(document, "123456789012")), faults(document, "123456789012")


def test_no_fault():
    passed = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    for good in (
        policy(Action="ecr:GetAuthorizationToken", Resource="*"),
        policy(Action="ecs:UpdateService", Resource=f"{HERE}:service/demo/web"),
        policy(Action="iam:PassRole", Resource=ROLE, Condition=passed),
        policy(Action="s3:GetObject", Resource="arn:aws:s3:::bucket/*"),
    ):
        assert faults(good, "123456789012") == []
