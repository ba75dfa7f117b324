# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""An endpoint that asks IAM before it answers, and who calls it.

moto compares actions, and knows neither the resource of a call (but for S3) nor conditions: a policy is laid on it with
every resource and without conditions. What stands in those is for policies/evaluator.py.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "ap-southeast-1"
ACCOUNT = "123456789012"
#: What moto calls a service after the name that requests are signed for, where IAM has another one.
SIGNED_FOR = {"cloudwatch": "monitoring", "tag": "tagging"}
#: moto looks into S3's query strings with names of its own. What it takes for another action is let through here.
S3_IN_MOTO = {
    "s3:GetBucketOwnershipControls": ["s3:ListBucket"],
    "s3:GetBucketPublicAccessBlock": ["s3:ListBucket"],
    "s3:GetEncryptionConfiguration": ["s3:ListBucket"],
    "s3:ListBucket": ["s3:HeadBucket"],
    "s3:PutBucketOwnershipControls": ["s3:CreateBucket"],
    "s3:PutBucketPublicAccessBlock": ["s3:CreateBucket"],
    "s3:PutEncryptionConfiguration": ["s3:CreateBucket"],
}


def post(port: int, path: str, body: str = "") -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        # As a form it would be taken apart before it gets there.
        connection.request("POST", path, body, {"Content-Type": "text/plain"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
    finally:
        connection.close()


@contextmanager
def enforced(port: int) -> Iterator[None]:
    """Every call of this endpoint needs valid credentials and a policy, until the end of the block."""
    post(port, "/moto-api/reset-auth", "0")
    try:
        yield
    finally:
        post(port, "/moto-api/reset-auth", "inf")


def widened(policies: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One policy with the actions of all, as moto spells them, for every resource and without conditions.

    What is allowed only by way of another service is left out: whoever calls may not do it.
    """
    actions = set()
    for policy in policies:
        for statement in policy["Statement"]:
            named = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
            if statement["Effect"] == "Allow" and "aws:CalledVia" not in json.dumps(statement.get("Condition") or {}):
                for action in named:
                    service, name = action.split(":")
                    actions |= {f"{SIGNED_FOR.get(service, service)}:{name}", *S3_IN_MOTO.get(action, [])}
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": sorted(actions), "Resource": "*"}]}


def credentials(iam: Any, sts: Any, name: str, policies: Iterable[Mapping[str, Any]], managed: Iterable[str] = ()) -> dict:
    """Make a role with these policies, assume it, and return what boto3.client takes."""
    trust = {"Version": "2012-10-17", "Statement": []}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    policies = list(policies)
    if policies:
        iam.put_role_policy(RoleName=name, PolicyName="widened", PolicyDocument=json.dumps(widened(policies)))
    for policy in managed:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    got = sts.assume_role(RoleArn=arn, RoleSessionName="proof")["Credentials"]
    return {
        "aws_access_key_id": got["AccessKeyId"],
        "aws_secret_access_key": got["SecretAccessKey"],
        "aws_session_token": got["SessionToken"],
    }


def refused(url: str, who: Mapping[str, str], service: str, method: str, parameters: Mapping[str, Any]) -> bool:
    """Call, and return whether the endpoint refused that for want of permission. Other errors are none of its business."""
    client = boto3.client(
        service, region_name=REGION, endpoint_url=url, config=Config(retries={"total_max_attempts": 1}), **who
    )
    try:
        getattr(client, method)(**parameters)
    except ClientError as e:
        return e.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return False
