# SPDX-License-Identifier: GPL-3.0-or-later
import json
from urllib.parse import quote

import pytest
from ansible_collections.handson.ecs.plugins.module_utils.iam_policies import (
    managed_arns,
    normalized_policy,
    trust_from_policy,
    trust_policy,
)

ALLOW = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["arn:aws:s3:::a/*"]}


def policy(*statements, **more):
    return {"Version": "2012-10-17", "Statement": list(statements), **more}


@pytest.mark.parametrize(
    "other",
    [
        policy({**ALLOW, "Action": ["s3:PutObject", "s3:GetObject", "s3:GetObject"]}),
        policy({**ALLOW, "Resource": "arn:aws:s3:::a/*"}),
        {"Version": "2012-10-17", "Statement": ALLOW},
        policy({**ALLOW, "Condition": {}, "Sid": ""}),
        json.dumps(policy(ALLOW)),
        quote(json.dumps(policy(ALLOW))),
    ],
)
def test_one_meaning_in_several_spellings(other):
    assert normalized_policy(other) == normalized_policy(policy(ALLOW))


@pytest.mark.parametrize(
    "other",
    [
        policy({**ALLOW, "Effect": "Deny"}),
        policy({**ALLOW, "Action": "s3:*"}),
        policy({**ALLOW, "Condition": {"Bool": {"aws:SecureTransport": True}}}),
        {"Statement": ALLOW},
        policy(ALLOW, {**ALLOW, "Resource": "*"}),
    ],
)
def test_another_meaning(other):
    assert normalized_policy(other) != normalized_policy(policy(ALLOW))


def test_conditions_principals_and_statements_in_one_spelling():
    one = {**ALLOW, "Principal": "*", "Condition": {"Bool": {"a": True}, "NumericLessThan": {"b": 5}}}
    other = {
        **ALLOW,
        "Principal": {"AWS": ["*"]},
        "Condition": {"NumericLessThan": {"b": ["5"]}, "Bool": {"a": "true"}},
    }
    assert normalized_policy(policy(one, ALLOW)) == normalized_policy(policy(ALLOW, other))


@pytest.mark.parametrize(
    ("document", "said"), [("{", "not JSON"), ({}, "no Statement"), ("[]", "no Statement"), ([], "no Statement")]
)
def test_what_is_no_policy_says_so(document, said):
    with pytest.raises(ValueError, match=said):
        normalized_policy(document)


@pytest.mark.parametrize(
    ("services", "conditions"),
    [
        (["ec2.amazonaws.com"], {}),
        (["codebuild.amazonaws.com", "codepipeline.amazonaws.com"], {}),
        (["ecs-tasks.amazonaws.com"], {"StringEquals": {"aws:SourceAccount": ["123456789012"]}}),
    ],
)
def test_a_trust_policy_and_back(services, conditions):
    assert trust_from_policy(json.dumps(trust_policy(reversed(services), conditions))) == (services, conditions)


def test_a_trust_policy_of_another_form_is_shown_whole():
    other = trust_policy(["ec2.amazonaws.com"])
    other["Statement"][0]["Principal"]["AWS"] = "123456789012"
    services, conditions = trust_from_policy(other)
    assert services["Statement"][0]["Principal"]["AWS"] == ["123456789012"] and conditions == {}


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("arn:aws:iam::123456789012:policy/own", "arn:aws:iam::123456789012:policy/own"),
        ("CloudWatchAgentServerPolicy", "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy"),
        ("service-role/AmazonEC2RoleforSSM", "arn:aws:iam::aws:policy/service-role/AmazonEC2RoleforSSM"),
    ],
)
def test_managed_policies_by_name(name, first):
    assert managed_arns(name)[0] == first


def test_a_bare_name_is_looked_for_in_every_folder_and_partition():
    assert "arn:aws-cn:iam::aws:policy/service-role/X" in managed_arns("X", "aws-cn")
