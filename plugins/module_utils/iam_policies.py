# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM policy documents, compared by what they mean.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

import json
from typing import Any, Iterable, Mapping
from urllib.parse import unquote

#: Elements of a statement that hold a string or a list of strings, in any order
LISTS = ("Action", "NotAction", "Resource", "NotResource")
PRINCIPALS = ("Principal", "NotPrincipal")
#: The version that IAM takes where a document names none
OLD_VERSION = "2008-10-17"
VERSION = "2012-10-17"
#: Folders that AWS keeps its managed policies in, the most frequent first
MANAGED_PATHS = ("", "service-role/", "job-function/", "aws-service-role/")


def normalized_policy(document: Any) -> dict[str, Any]:
    """Return a policy document in one spelling, so that two that mean the same are equal.

    Takes a dictionary or JSON, URL-encoded or not. Lists are sorted, a single string is a list of one, numbers and
    booleans in conditions are strings, statements are in one order. Raises ValueError where it is no document.
    """
    if isinstance(document, (str, bytes)):
        text = document.decode() if isinstance(document, bytes) else document
        try:
            document = json.loads(text if text.lstrip().startswith("{") else unquote(text))
        except ValueError:
            raise ValueError("the policy is not JSON") from None
    if not isinstance(document, Mapping) or not document.get("Statement"):
        raise ValueError("the policy has no Statement")
    statements = document["Statement"]
    statements = [statements] if isinstance(statements, Mapping) else list(statements)
    result = {k: v for k, v in document.items() if k not in ("Statement", "Version")}
    result["Version"] = document.get("Version") or OLD_VERSION
    result["Statement"] = sorted((_statement(s) for s in statements), key=lambda s: json.dumps(s, sort_keys=True))
    return result


def trust_policy(services: Iterable[str], conditions: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the document that lets AWS services assume a role, under `conditions` (of the grammar) where given."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": sorted(services)},
        "Action": "sts:AssumeRole",
    }
    if conditions:
        statement["Condition"] = dict(conditions)
    return {"Version": VERSION, "Statement": [statement]}


def trust_from_policy(document: Any) -> tuple[Any, dict[str, Any]]:
    """Return (services, conditions) of a trust policy of the form of :func:`trust_policy`.

    Of any other form the normalised document stands in the place of the services, which then differ from any list.
    """
    policy = normalized_policy(document)
    statement = policy["Statement"][0]
    services = (statement.get("Principal") or {}).get("Service") or []
    conditions = statement.get("Condition") or {}
    if policy == normalized_policy(trust_policy(services, conditions)):
        return services, conditions
    return policy, {}


def normalized_conditions(conditions: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the element Condition in one spelling: every value a sorted list of strings."""
    return {
        operator: {key: _strings(values) for key, values in keys.items()}
        for operator, keys in (conditions or {}).items()
    }


def managed_arns(name: str, partition: str = "aws") -> list[str]:
    """Return the ARNs that a name of an AWS managed policy may stand for: itself, or in each of AWS's folders."""
    if name.startswith("arn:"):
        return [name]
    root = f"arn:{partition}:iam::aws:policy/"
    return [root + name] if "/" in name else [f"{root}{path}{name}" for path in MANAGED_PATHS]


def _statement(statement: Mapping[str, Any]) -> dict[str, Any]:
    result = {k: v for k, v in statement.items() if v not in (None, "")}
    for key in LISTS:
        if key in result:
            result[key] = _strings(result[key])
    for key in PRINCIPALS:
        if key in result:
            who = {"AWS": "*"} if result[key] == "*" else result[key]
            result[key] = {kind: _strings(names) for kind, names in who.items()}
    if "Condition" in result:
        result["Condition"] = normalized_conditions(result["Condition"])
    if not result.get("Condition"):
        result.pop("Condition", None)
    return result


def _strings(values: Any) -> list[str]:
    """Return a value or list of values as a sorted list of different strings, as IAM understands them."""
    values = values if isinstance(values, (list, tuple, set)) else [values]
    return sorted({str(v).lower() if isinstance(v, bool) else str(v) for v in values})
