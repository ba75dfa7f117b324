# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest
from ansible_collections.handson.ecs.plugins.module_utils import buckets

ARN = "arn:aws:s3:::alice-cache"


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("alice-codebuild-cache-store", None),
        ("123456789012-codebuild-cache-store", None),
        ("ab", "2 characters"),
        ("a" * 64, "64 characters"),
        ("Alice-cache", "lower-case"),
        ("alice_cache", "lower-case"),
        ("alice.cache", "lower-case"),
        ("-alice", "lower-case"),
        ("alice-", "lower-case"),
        ("-codebuild-cache-store", "lower-case"),  # build_username is empty
        ("xn--alice", "begin with 'xn--'"),
        ("alice-s3alias", "end in '-s3alias'"),
    ],
)
def test_names(name, fault):
    said = buckets.name_fault(name)
    assert (said is None) if fault is None else fault in said


@pytest.mark.parametrize(
    ("region", "tags", "parameters"),
    [
        ("us-east-1", [], {}),
        ("ap-southeast-1", [], {"CreateBucketConfiguration": {"LocationConstraint": "ap-southeast-1"}}),
        ("us-east-1", [{"Key": "a", "Value": "b"}], {"CreateBucketConfiguration": {"Tags": [{"Key": "a", "Value": "b"}]}}),
    ],
)
def test_location(region, tags, parameters):
    assert buckets.location(region, tags) == parameters


@pytest.mark.parametrize("key", ["", "arn:aws:kms:eu-west-1:123456789012:key/1"])
def test_encryption_there_and_back(key):
    assert buckets.encryption_from_aws(buckets.encryption_to_aws(key)) == key


def test_encryption_of_nobody_and_of_aws_own_key():
    assert buckets.encryption_from_aws(None) is None
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    assert buckets.encryption_from_aws({"Rules": [rule]}) == "alias/aws/s3"


OURS = buckets.tls_statement(ARN)
OTHER = {"Sid": "Other", "Effect": "Allow", "Principal": {"AWS": "x"}, "Action": "s3:ListBucket", "Resource": ARN}


@pytest.mark.parametrize(
    ("statements", "has"),
    [
        ([OURS], True),
        ([OTHER, OURS], True),
        ([{**OURS, "Sid": "ByAnotherName"}], True),
        ([{**OURS, "Principal": {"AWS": "*"}, "Action": ["s3:*"]}], True),
        ([{**OURS, "Condition": {"Bool": {"aws:SecureTransport": [False]}}}], True),
        ([OTHER], False),
        ([{**OURS, "Effect": "Allow"}], False),
        ([{**OURS, "Resource": [ARN]}], False),
        ([{**OURS, "Action": "s3:PutObject"}], False),
    ],
)
def test_tls_only(statements, has):
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    assert buckets.has_tls_only(policy, ARN) is has
    assert buckets.has_tls_only(buckets.with_tls_only(policy, ARN), ARN)


def test_a_changed_statement_of_ours_is_replaced_and_others_stay():
    policy = json.dumps({"Version": "2012-10-17", "Statement": [OTHER, {**OURS, "Action": "s3:GetObject"}]})
    assert json.loads(buckets.with_tls_only(policy, ARN))["Statement"] == [OTHER, OURS]
    assert not buckets.has_tls_only(None, ARN)
    assert buckets.has_tls_only(buckets.with_tls_only(None, ARN), ARN)


@pytest.mark.parametrize(
    "lifecycle",
    [
        {},
        {"expire": [{"prefix": "", "days": 30}]},
        {"expire": [{"prefix": "b/", "days": 7}, {"prefix": "a/", "days": 30}], "abort_uploads_days": 1},
        {"noncurrent_days": 3},
        {"expire": [{"prefix": "", "days": 1}], "noncurrent_days": 1, "abort_uploads_days": 1},
    ],
)
def test_lifecycle_there_and_back(lifecycle):
    rules = buckets.lifecycle_to_aws(lifecycle)
    assert buckets.lifecycle_from_aws(rules) == buckets.normalized_lifecycle(lifecycle)
    assert buckets.lifecycle_from_aws(list(reversed(rules))) == buckets.normalized_lifecycle(lifecycle)


EXPIRE = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}


@pytest.mark.parametrize(
    ("rule", "same"),
    [
        (EXPIRE, True),
        ({**EXPIRE, "ID": "another name"}, True),
        ({**EXPIRE, "Filter": {}}, True),
        ({k: v for k, v in EXPIRE.items() if k != "Filter"} | {"Prefix": ""}, True),
        ({**EXPIRE, "Status": "Disabled"}, False),
        ({**EXPIRE, "Filter": {"Tag": {"Key": "a", "Value": "b"}}}, False),
        ({**EXPIRE, "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}, False),
        ({"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"ExpiredObjectDeleteMarker": True}}, False),
    ],
)
def test_rules_that_are_not_ours_are_a_difference(rule, same):
    found = buckets.lifecycle_from_aws([rule])
    assert (found == buckets.normalized_lifecycle({"expire": [{"days": 30}]})) is same
    assert same or found == buckets.OTHER_RULES


@pytest.mark.parametrize(
    ("lifecycle", "fault"),
    [
        ({}, None),
        ({"expire": [{"days": 1}], "noncurrent_days": 0}, None),
        ({"expire": [{"prefix": "a/", "days": 0}]}, "0 days for 'a/'"),
        ({"expire": [{"days": 1}, {"prefix": "", "days": 2}]}, "more than once"),
        ({"abort_uploads_days": -1}, "abort_uploads_days is -1"),
    ],
)
def test_lifecycle_faults(lifecycle, fault):
    said = buckets.lifecycle_fault(lifecycle)
    assert (said is None) if fault is None else fault in said


def test_versions_and_markers_of_a_page():
    page = {"Versions": [{"Key": "a", "VersionId": "1", "Size": 2}], "DeleteMarkers": [{"Key": "a", "VersionId": "2"}]}
    assert buckets.versions_of(page) == [{"Key": "a", "VersionId": "1"}, {"Key": "a", "VersionId": "2"}]
    assert buckets.versions_of({}) == []
