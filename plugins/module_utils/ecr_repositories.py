# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between an ECR repository as AWS describes it and the options of the module `ecr_repository`."""

from __future__ import annotations

import json
from typing import Any, Iterable, Mapping

#: Stands for the options of the lifecycle where a policy of another form than ours is in force
OTHER_POLICY = "(another lifecycle policy)"


def lifecycle_policy(keep_images: int | None, untagged_days: int | None) -> dict[str, Any] | None:
    """Return the lifecycle policy that keeps so many images, and untagged ones so many days. None where neither counts.

    A rule for `any` image must have the highest priority number, so it comes last
    (https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html).
    """
    selections = []
    if untagged_days is not None:
        days = {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": untagged_days,
        }
        selections.append((f"Expire untagged images after {untagged_days} days", days))
    if keep_images is not None:
        count = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": keep_images}
        selections.append((f"Keep the last {keep_images} images", count))
    rules = [
        {"rulePriority": priority, "description": text, "selection": selection, "action": {"type": "expire"}}
        for priority, (text, selection) in enumerate(selections, 1)
    ]
    return {"rules": rules} if rules else None


def lifecycle_from_policy(text: str | None) -> dict[str, Any]:
    """Return {keep_images, untagged_days} of a lifecycle policy in JSON, OTHER_POLICY for both where it isn't ours.

    Descriptions and priority numbers have no say in it, the order of the rules does.
    """
    options: dict[str, Any] = {"keep_images": None, "untagged_days": None}
    if not text:
        return options
    rules = sorted(json.loads(text).get("rules") or [], key=lambda r: r.get("rulePriority", 0))
    for rule in rules:
        selection = rule.get("selection") or {}
        option = "keep_images" if selection.get("tagStatus") == "any" else "untagged_days"
        options[option] = selection.get("countNumber")
    ours = lifecycle_policy(**options) or {"rules": []}
    if [_essence(r) for r in rules] != [_essence(r) for r in ours["rules"]]:
        return dict.fromkeys(options, OTHER_POLICY)
    return options


def exclusion_filters(patterns: Iterable[str]) -> list[dict[str, str]]:
    """Return `imageTagMutabilityExclusionFilters` of tag patterns."""
    return [{"filterType": "WILDCARD", "filter": p} for p in sorted(set(patterns))]


def same_kms_key(live: str | None, given: str) -> bool:
    """Tell whether the key that ECR uses (always an ARN) is the one given, by ARN or by id.

    An alias can't be told from an ARN without asking KMS. As AWS can't change the key of a repository anyway, it is
    taken for the same.
    """
    if not live:
        return False
    return given == live or live.endswith(f":key/{given}") or given.startswith("alias/") or ":alias/" in given


def _essence(rule: Mapping[str, Any]) -> tuple[Any, Any]:
    return rule.get("selection"), (rule.get("action") or {}).get("type")
