# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may publish to a topic, as a policy and back."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

#: What ListSubscriptionsByTopic says in place of an ARN while nobody has confirmed.
PENDING = "PendingConfirmation"


def policy(arn: str, account: str, publishers: Iterable[str]) -> dict[str, Any]:
    """Return the policy of a topic: the services, for things of this account alone; anybody by TLS alone.

    A policy of our own takes the place of AWS's first one, which lets the account's own principals in; what IAM lets
    them do they may do without. Source: https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
    """
    statements: list[dict[str, Any]] = [
        {
            "Sid": "OnlyByTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]
    services = sorted(set(publishers))
    if services:
        statements.append(
            {
                "Sid": "ServicesOfThisAccount",
                "Effect": "Allow",
                "Principal": {"Service": services},
                "Action": "sns:Publish",
                "Resource": arn,
                "Condition": {"StringEquals": {"aws:SourceAccount": account}},
            }
        )
    return {"Version": "2012-10-17", "Statement": statements}


def publishers_of(live: Mapping[str, Any], arn: str) -> list[str]:
    """Return the services of a policy that is one of ours to the letter, and ["(another policy)"] of any other."""
    for statement in live.get("Statement") or []:
        if statement.get("Sid") == "ServicesOfThisAccount":
            principal = statement.get("Principal") or {}
            services = principal.get("Service") if isinstance(principal, Mapping) else None
            listed = [services] if isinstance(services, str) else sorted(services or [])
            account = (statement.get("Condition") or {}).get("StringEquals", {}).get("aws:SourceAccount", "")
            # SNS gives a list of one back as a string.
            if _as_lists(live) == _as_lists(policy(arn, account, listed)):
                return listed
    return [] if _as_lists(live) == _as_lists(policy(arn, "", [])) else ["(another policy)"]


def _as_lists(document: Mapping[str, Any]) -> Any:
    statements = []
    for s in document.get("Statement") or []:
        principal = s.get("Principal")
        if isinstance(principal, Mapping):
            principal = {k: [v] if isinstance(v, str) else sorted(v) for k, v in principal.items()}
        statements.append({**s, "Principal": principal})
    return statements
