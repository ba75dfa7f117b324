# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest
from ansible_collections.handson.ecs.plugins.module_utils.ecr_repositories import (
    OTHER_POLICY,
    exclusion_filters,
    lifecycle_from_policy,
    lifecycle_policy,
    same_kms_key,
)

ARN = "arn:aws:kms:ap-southeast-1:123456789012:key/1234"


@pytest.mark.parametrize(("keep", "days"), [(None, None), (10, None), (None, 7), (10, 7)])
def test_a_lifecycle_policy_and_back(keep, days):
    policy = lifecycle_policy(keep, days)
    assert lifecycle_from_policy(policy and json.dumps(policy)) == {"keep_images": keep, "untagged_days": days}


def test_the_rule_for_any_image_has_the_highest_number():
    assert [r["selection"]["tagStatus"] for r in lifecycle_policy(10, 7)["rules"]] == ["untagged", "any"]
    assert lifecycle_policy(None, None) is None


def changed(policy, **selection):
    rules = [{**r, "selection": {**r["selection"], **selection}} for r in policy["rules"]]
    return json.dumps({"rules": rules})


@pytest.mark.parametrize(
    "text",
    [
        changed(lifecycle_policy(10, None), tagStatus="tagged", tagPrefixList=["v"]),
        changed(lifecycle_policy(10, None), countType="sinceImagePushed", countUnit="days"),
        changed(lifecycle_policy(None, 7), countUnit="hours"),
        json.dumps({"rules": lifecycle_policy(None, 7)["rules"] + lifecycle_policy(None, 8)["rules"]}),
    ],
)
def test_another_policy_is_drift(text):
    assert lifecycle_from_policy(text) == {"keep_images": OTHER_POLICY, "untagged_days": OTHER_POLICY}


def test_descriptions_and_numbers_have_no_say():
    rules = [
        {**r, "rulePriority": r["rulePriority"] * 10, "description": "x"} for r in lifecycle_policy(10, 7)["rules"]
    ]
    assert lifecycle_from_policy(json.dumps({"rules": rules[::-1]})) == {"keep_images": 10, "untagged_days": 7}


def test_exclusions_in_one_order():
    wildcard = {"filterType": "WILDCARD"}
    assert exclusion_filters(["latest", "dev*", "latest"]) == [
        {**wildcard, "filter": "dev*"},
        {**wildcard, "filter": "latest"},
    ]


@pytest.mark.parametrize(
    ("live", "given", "same"),
    [(ARN, ARN, True), (ARN, "1234", True), (ARN, "alias/x", True), (ARN, "5678", False), (None, "alias/x", False)],
)
def test_one_key_in_several_spellings(live, given, same):
    assert same_kms_key(live, given) is same
