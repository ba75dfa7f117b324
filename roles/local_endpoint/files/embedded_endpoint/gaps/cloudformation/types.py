# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What AWS says of a resource type: which change replaces it, whether a stack's tags reach it, which name it has.

Read from the resource provider schemas that cfn-lint brings (moto[server] requires it; its code isn't loaded).
"""

import functools
import importlib.util
import json
from pathlib import Path
from typing import Any

IAM_TYPES = (
    "AWS::IAM::AccessKey",
    "AWS::IAM::Group",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IAM::User",
    "AWS::IAM::UserToGroupAddition",
)
# The properties that make CAPABILITY_NAMED_IAM necessary.
IAM_NAMES = ("GroupName", "InstanceProfileName", "ManagedPolicyName", "RoleName", "UserName")


@functools.cache
def _folder() -> Path | None:
    found = importlib.util.find_spec("cfnlint")
    return Path(found.origin).parent / "data" / "schemas" if found and found.origin else None


@functools.cache
def _known(region: str) -> dict[str, str]:
    folder = _folder()
    file = folder / "providers" / f"{region}.json" if folder else None
    return json.loads(file.read_text()) if file and file.is_file() else {}


@functools.cache
def schema(kind: str, region: str) -> dict[str, Any]:
    """The schema of a resource type, empty if there is none."""
    name = _known(region).get(kind)
    return json.loads((_folder() / "resources" / f"{name}.json").read_text()) if name else {}


def exists(kind: str, region: str) -> bool:
    """Whether AWS has the type in a region (True where that isn't known)."""
    return kind in _known(region) or not _known(region) or kind.startswith(("Custom::", "AWS::CloudFormation::"))


def faults(kind: str, region: str, properties: dict[str, Any]) -> list[str]:
    """What is wrong with the names of a resource's properties, in AWS's words."""
    found = schema(kind, region)
    if not found:
        return []
    allowed = set(found.get("properties", {})) - read_only(kind, region)
    extra = [key for key in properties if key not in allowed] if found.get("additionalProperties") is False else []
    missing = [key for key in found.get("required") or [] if key not in properties]
    return [f"#: extraneous key [{key}] is not permitted" for key in extra] + [
        f"#: required key [{key}] not found" for key in missing
    ]


def read_only(kind: str, region: str) -> set[str]:
    """The names of attributes that are no properties."""
    paths = schema(kind, region).get("readOnlyProperties") or []
    return {path.split("/")[2] for path in paths if path.count("/") == 2}


def has_attribute(kind: str, region: str, name: str) -> bool:
    """Whether Fn::GetAtt can ask for it: an attribute or a property (True where that isn't known)."""
    found = schema(kind, region).get("properties")
    return not found or not name or name.split(".")[0] in found


def recreation(kind: str, region: str, name: str) -> str:
    """Always, Conditionally or Never: whether a change of the property replaces the resource."""
    found = schema(kind, region)
    if f"/properties/{name}" in (found.get("createOnlyProperties") or []):
        return "Always"
    if f"/properties/{name}" in (found.get("conditionalCreateOnlyProperties") or []):
        return "Conditionally"
    return "Never"


def identifying_name(kind: str, region: str) -> str | None:
    """The property that is both the resource's name, given by its owner, and what it is found by."""
    found = schema(kind, region)
    identifier = found.get("primaryIdentifier") or []
    if len(identifier) == 1 and identifier[0] not in (found.get("readOnlyProperties") or []):
        return identifier[0].removeprefix("/properties/")
    return None


def tag_property(kind: str, region: str) -> str | None:
    """The property that holds tags which CloudFormation adds a stack's tags to; None: no stack's tags reach the type.

    So launch templates and instance profiles have the tags of their template alone.
    """
    tagging = schema(kind, region).get("tagging") or {}
    if not tagging.get("taggable", False):
        return None
    return (tagging.get("tagProperty") or "/properties/Tags").removeprefix("/properties/")


def system_tags(kind: str, region: str) -> bool:
    """Whether the type gets the tags aws:cloudformation:* (IAM's and key pairs don't)."""
    return (schema(kind, region).get("tagging") or {}).get("cloudFormationSystemTags", True)
