# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Whether IAM policies allow a call, as far as our policies go: actions, resources, conditions, principals.

moto checks actions alone, so this stands for the rest. What it doesn't know it refuses to judge (ValueError), so that
no policy passes that it did not understand.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

ELEMENTS = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}


def listed(it: Any) -> list[Any]:
    return list(it) if isinstance(it, (list, tuple, set)) else [it]


def matches(pattern: str, value: str, ignore_case: bool = False) -> bool:
    """Whether a value matches a pattern with IAM's wildcards: * for any characters, ? for one."""
    expression = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(expression, value, re.IGNORECASE | re.DOTALL if ignore_case else re.DOTALL) is not None


def arn_matches(pattern: str, value: str) -> bool:
    """As ArnLike does: each of the six parts by itself, so that a * does not reach over a colon before the last."""
    parts, values = pattern.split(":", 5), value.split(":", 5)
    return len(parts) == len(values) == 6 and all(map(matches, parts, values))


OPERATORS = {
    "StringEquals": str.__eq__,
    "StringLike": matches,
    "ArnEquals": arn_matches,
    "ArnLike": arn_matches,
    "Bool": lambda pattern, value: pattern.lower() == value.lower(),
}


def holds(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, Any]) -> bool:
    """Whether every condition is met. A key that the request doesn't have meets none."""
    for operator, keys in condition.items():
        several, operator = operator.startswith("ForAnyValue:"), operator.removeprefix("ForAnyValue:")
        if operator not in OPERATORS:
            raise ValueError(f"condition operator {operator}")
        for key, wanted in keys.items():
            values = listed(context.get(key, []))
            if len(values) > 1 and not several:
                raise ValueError(f"{key} has several values and {operator} takes one")
            if not any(OPERATORS[operator](str(w), str(v)) for w in listed(wanted) for v in values):
                return False
    return True


def concerns(statement: Mapping[str, Any], action: str, resource: str, context, principal) -> bool:
    if set(statement) - ELEMENTS:
        raise ValueError(f"elements {sorted(set(statement) - ELEMENTS)}")
    if not any(matches(a, action, ignore_case=True) for a in listed(statement["Action"])):
        return False
    # A role's trust policy has no Resource: it is the role's.
    if not any(matches(r, resource) for r in listed(statement.get("Resource", "*"))):
        return False
    who = statement.get("Principal")
    if who is not None and who != "*":
        if not any(p in listed(who.get(kind, [])) for kind, p in (principal or {}).items()):
            return False
    return holds(statement.get("Condition") or {}, context)


def allowed(
    policies: Iterable[Mapping[str, Any]],
    action: str,
    resource: str = "*",
    context: Mapping[str, Any] | None = None,
    principal: Mapping[str, str] | None = None,
) -> bool:
    """Whether policies together allow an action on a resource (an ARN; "*" where the action knows none).

    `context` holds the request's condition keys; `principal` who asks, such as {"Service": "events.amazonaws.com"},
    where the policies are a resource's own. A Deny beats every Allow.
    """
    effects = {
        s["Effect"]
        for policy in policies
        for s in listed(policy["Statement"])
        if concerns(s, action, resource, context or {}, principal)
    }
    return effects == {"Allow"}


@cache
def _services() -> dict[str, Any]:
    data = importlib.resources.files("cfnlint") / "data" / "AdditionalSpecs" / "Policies.json"
    return json.loads(data.read_text(encoding="utf-8"))


def resources_of(action: str) -> list[str]:
    """The types of resource that the Service Authorization Reference knows of an action, as cfn-lint carries it.

    Raises LookupError for an action that AWS doesn't have.
    """
    service, name = action.split(":")
    known = {k.lower(): v for k, v in _services()[service]["Actions"].items()}
    return known[name.lower()].get("Resources") or []


def faults(document: Mapping[str, Any], account: str) -> list[str]:
    """What is wrong with a policy that a role of ours has; each fault with its statement.

    An action with a wildcard, or one that AWS doesn't have; a Resource of "*", or one of another account, of an action
    that can be limited to a resource, without a condition that limits it; roles that are passed without their names
    or to anybody.
    """
    found = []
    for statement in listed(document["Statement"]):
        where = statement.get("Sid") or ",".join(listed(statement["Action"]))
        if statement["Effect"] != "Allow":
            continue
        if {"NotAction", "NotResource"} & set(statement):
            found.append(f"{where}: allows all but what it names")
            continue
        actions, resources = listed(statement["Action"]), listed(statement["Resource"])
        for action in actions:
            if "*" in action or "?" in action:
                found.append(f"{where}: {action}")
                continue
            try:
                limited = bool(resources_of(action))
            except LookupError:
                # codestar-connections is the old name of codeconnections.
                limited = True
                if not action.startswith("codestar-connections:"):
                    found.append(f"{where}: AWS has no {action}")
            if limited and "*" in resources and not statement.get("Condition"):
                found.append(f"{where}: {action} on everything")
            if action == "iam:PassRole":
                if not all(re.fullmatch(rf"arn:[\w-]+:iam::{account}:role/[\w+=,.@/-]+", r) for r in resources):
                    found.append(f"{where}: passes {resources}")
                keys = (statement.get("Condition") or {}).get("StringEquals") or {}
                if not listed(keys.get("iam:PassedToService", [])):
                    found.append(f"{where}: passes roles to anybody")
        for resource in resources:
            parts = resource.split(":", 5)
            if resource == "*":
                continue
            if len(parts) != 6 or "*" in parts[2] or parts[4] not in (account, "") or parts[5] in ("*", "*/*"):
                found.append(f"{where}: {resource}")
            elif parts[4] == "" and parts[2] not in ("s3", "iam"):
                found.append(f"{where}: {resource} is of any account")
    return found
