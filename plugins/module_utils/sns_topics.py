# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may publish to a topic, as a policy and back."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

#: What ListSubscriptionsByTopic says in place of an ARN while nobody has confirmed.
PENDING = "PendingConfirmation"
#: What it says for a while after somebody has unsubscribed.
DELETED = "Deleted"
#: "You can't use Condition blocks in Amazon SNS topic policies for EventBridge" (its user guide): what it sends would be
#: refused, and nobody would hear of it.
WITHOUT_CONDITION = ("events.amazonaws.com",)


def policy(arn: str, account: str, publishers: Iterable[str]) -> dict[str, Any]:
    """Return the policy of a topic: the services, for things of this account alone; anybody by TLS alone.

    A policy of our own takes the place of AWS's first one, which lets the account's own principals in; what IAM lets
    them do they may do without. Sources: https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html,
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions
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
    for sid, those, condition in (
        ("ServicesOfThisAccount", [s for s in services if s not in WITHOUT_CONDITION], {"aws:SourceAccount": account}),
        ("ServicesThatTakeNoCondition", [s for s in services if s in WITHOUT_CONDITION], None),
    ):
        if those:
            allow = {"Effect": "Allow", "Principal": {"Service": those}, "Action": "sns:Publish", "Resource": arn}
            statements.append(
                {"Sid": sid, **allow, **({"Condition": {"StringEquals": condition}} if condition else {})}
            )
    return {"Version": "2012-10-17", "Statement": statements}


def publishers_of(live: Mapping[str, Any], arn: str) -> list[str]:
    """Return the services of a policy that is one of ours to the letter, and ["(another policy)"] of any other."""
    services: list[str] = []
    account = ""
    for statement in live.get("Statement") or []:
        principal = statement.get("Principal")
        named = principal.get("Service") if isinstance(principal, Mapping) else None
        # SNS gives a list of one back as a string.
        services += [named] if isinstance(named, str) else list(named or [])
        account = ((statement.get("Condition") or {}).get("StringEquals") or {}).get("aws:SourceAccount", account)
    ours = _as_lists(policy(arn, account, services))
    return sorted(services) if _as_lists(live) == ours else ["(another policy)"]


def _as_lists(document: Mapping[str, Any]) -> Any:
    statements = []
    for s in document.get("Statement") or []:
        principal = s.get("Principal")
        if principal == "*":
            principal = {"AWS": "*"}  # the same (IAM user guide, "All principals"); SNS may give back either
        if isinstance(principal, Mapping):
            principal = {k: [v] if isinstance(v, str) else sorted(v) for k, v in principal.items()}
        statements.append({**s, "Principal": principal})
    return statements
