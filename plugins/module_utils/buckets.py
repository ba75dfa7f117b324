# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between an S3 bucket as AWS describes it and the options of the module `bucket`."""

from __future__ import annotations

import json
import re
from typing import Any, Iterable, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.iam_policies import VERSION, normalized_policy

#: All four, as PutPublicAccessBlock names them
PUBLIC_ACCESS_BLOCK = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
#: ACLs count for nothing then
OWNERSHIP = "BucketOwnerEnforced"
TLS_SID = "DenyInsecureTransport"
#: Stands for the option `lifecycle` where other rules than ours are in force
OTHER_RULES = "(other lifecycle rules)"
#: The rules of a name, https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3", "-an")


def name_fault(name: str) -> str | None:
    """Return what is wrong with a bucket's name, or None. Dots are refused, since TLS does not go with them."""
    if not 3 <= len(name) <= 63:
        return f"it has {len(name)} characters, and a bucket's name takes 3 to 63"
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*[a-z0-9]", name):
        return "it takes lower-case letters, digits and hyphens only, and neither begins nor ends with a hyphen"
    for prefix in _RESERVED_PREFIXES:
        if name.startswith(prefix):
            return f"S3 keeps names that begin with {prefix!r} for itself"
    for suffix in _RESERVED_SUFFIXES:
        if name.endswith(suffix):
            return f"S3 keeps names that end in {suffix!r} for itself"
    return None


def location(region: str, tags: Iterable[Mapping[str, str]] = ()) -> dict[str, Any]:
    """Return the parameters of CreateBucket that say where, and whose it is from its first moment.

    us-east-1 must not be named (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html).
    """
    configuration: dict[str, Any] = {} if region == "us-east-1" else {"LocationConstraint": region}
    if tags:
        configuration["Tags"] = list(tags)
    return {"CreateBucketConfiguration": configuration} if configuration else {}


# --- encryption -------------------------------------------------------------------------------------------------------


def encryption_to_aws(kms_key: str) -> dict[str, Any]:
    """Return the ServerSideEncryptionConfiguration: S3's own keys, or the KMS key where one is given."""
    if not kms_key:
        return {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": kms_key}
    # One call to KMS for many objects instead of one for each.
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]}


def encryption_from_aws(configuration: Mapping[str, Any] | None) -> str | None:
    """Return the KMS key, empty for S3's own keys, None where nothing is encrypted by default."""
    for rule in (configuration or {}).get("Rules") or []:
        default = rule.get("ApplyServerSideEncryptionByDefault") or {}
        if default.get("SSEAlgorithm"):
            # aws:kms without a key is AWS's own key for S3.
            return default.get("KMSMasterKeyID") or ("" if default["SSEAlgorithm"] == "AES256" else "alias/aws/s3")
    return None


# --- policy -----------------------------------------------------------------------------------------------------------


def tls_statement(bucket_arn: str) -> dict[str, Any]:
    """Return the statement that refuses everybody who comes without TLS."""
    return {
        "Sid": TLS_SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, f"{bucket_arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def has_tls_only(policy: str | None, bucket_arn: str) -> bool:
    """Return whether a bucket's policy (JSON) holds the statement of :func:`tls_statement`, by its meaning."""
    if not policy:
        return False
    ours = normalized_policy({"Version": VERSION, "Statement": [tls_statement(bucket_arn)]})["Statement"][0]
    return any({**s, "Sid": TLS_SID} == ours for s in normalized_policy(policy)["Statement"])


def with_tls_only(policy: str | None, bucket_arn: str) -> str:
    """Return the policy (JSON) with our statement, and whatever else stands in it."""
    document = json.loads(policy) if policy else {"Version": VERSION, "Statement": []}
    statements = document.get("Statement") or []
    statements = [statements] if isinstance(statements, Mapping) else list(statements)
    document["Statement"] = [s for s in statements if s.get("Sid") != TLS_SID] + [tls_statement(bucket_arn)]
    return json.dumps(document)


# --- lifecycle --------------------------------------------------------------------------------------------------------


def lifecycle_to_aws(lifecycle: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rules that stand for the option `lifecycle` (without None). No rules where it asks for nothing."""
    rules = [
        {
            "ID": f"expire-{each.get('prefix') or 'all'}",
            "Filter": {"Prefix": each.get("prefix") or ""},
            "Status": "Enabled",
            "Expiration": {"Days": each["days"]},
        }
        for each in lifecycle.get("expire") or []
    ]
    if lifecycle.get("noncurrent_days"):
        rules.append(
            {
                "ID": "noncurrent",
                "Filter": {"Prefix": ""},
                "Status": "Enabled",
                "NoncurrentVersionExpiration": {"NoncurrentDays": lifecycle["noncurrent_days"]},
                # What is left of an object when its last version has gone.
                "Expiration": {"ExpiredObjectDeleteMarker": True},
            }
        )
    if lifecycle.get("abort_uploads_days"):
        rules.append(
            {
                "ID": "abort-uploads",
                "Filter": {"Prefix": ""},
                "Status": "Enabled",
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": lifecycle["abort_uploads_days"]},
            }
        )
    return rules


def lifecycle_from_aws(rules: Iterable[Mapping[str, Any]] | None) -> Any:
    """Return the option `lifecycle` that describes a bucket's rules, OTHER_RULES where none does."""
    rules = list(rules or [])
    option: dict[str, Any] = {"expire": [], "noncurrent_days": None, "abort_uploads_days": None}
    for rule in rules:
        if "NoncurrentVersionExpiration" in rule:
            option["noncurrent_days"] = rule["NoncurrentVersionExpiration"].get("NoncurrentDays")
        elif "AbortIncompleteMultipartUpload" in rule:
            option["abort_uploads_days"] = rule["AbortIncompleteMultipartUpload"].get("DaysAfterInitiation")
        elif (rule.get("Expiration") or {}).get("Days"):
            option["expire"].append({"prefix": _prefix(rule), "days": rule["Expiration"]["Days"]})
    if sorted(map(_essence, rules)) != sorted(map(_essence, lifecycle_to_aws(option))):
        return OTHER_RULES
    return normalized_lifecycle(option)


def normalized_lifecycle(lifecycle: Mapping[str, Any]) -> dict[str, Any]:
    """Return the option `lifecycle` in one spelling: every key, no None in it, prefixes in order."""
    expire = [{"prefix": e.get("prefix") or "", "days": e["days"]} for e in lifecycle.get("expire") or []]
    return {
        "expire": sorted(expire, key=lambda e: e["prefix"]),
        "noncurrent_days": lifecycle.get("noncurrent_days") or 0,
        "abort_uploads_days": lifecycle.get("abort_uploads_days") or 0,
    }


def lifecycle_fault(lifecycle: Mapping[str, Any]) -> str | None:
    """Return what S3 would refuse of the option `lifecycle`, or None."""
    expire = lifecycle.get("expire") or []
    for each in expire:
        if each["days"] < 1:
            return f"lifecycle.expire has {each['days']} days for {each.get('prefix') or ''!r}: 1 is the least"
    prefixes = [e.get("prefix") or "" for e in expire]
    for prefix in prefixes:
        if prefixes.count(prefix) > 1:
            return f"lifecycle.expire names the prefix {prefix!r} more than once"
    for option in ("noncurrent_days", "abort_uploads_days"):
        if (lifecycle.get(option) or 0) < 0:
            return f"lifecycle.{option} is {lifecycle[option]}: give 1 or more, or 0 for no such rule"
    return None


def _prefix(rule: Mapping[str, Any]) -> str:
    """The prefix of a rule, in the filter or, of old rules, beside it."""
    return (rule.get("Filter") or {}).get("Prefix") or rule.get("Prefix") or ""


def _essence(rule: Mapping[str, Any]) -> str:
    """A rule without its name, in which it doesn't matter how an empty prefix is spelled."""
    kept = {k: v for k, v in rule.items() if k not in ("ID", "Filter", "Prefix")}
    others = {k: v for k, v in (rule.get("Filter") or {}).items() if k != "Prefix"}
    return json.dumps({**kept, "prefix": _prefix(rule), **others}, sort_keys=True, default=str)


# --- contents ---------------------------------------------------------------------------------------------------------


def versions_of(page: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what DeleteObjects takes of a page of ListObjectVersions: versions and delete markers."""
    return [
        {"Key": v["Key"], "VersionId": v["VersionId"]}
        for v in [*(page.get("Versions") or []), *(page.get("DeleteMarkers") or [])]
    ]
