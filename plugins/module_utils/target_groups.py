# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between a target group as AWS describes it and the options of the module `target_group`."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.resource import Missing, ignore_missing

#: option of `health_check` -> parameter of CreateTargetGroup and ModifyTargetGroup
HEALTH_CHECK = {
    "path": "HealthCheckPath",
    "interval": "HealthCheckIntervalSeconds",
    "timeout": "HealthCheckTimeoutSeconds",
    "healthy_threshold": "HealthyThresholdCount",
    "unhealthy_threshold": "UnhealthyThresholdCount",
}


def describe_target_group(elbv2: Any, name: str) -> dict[str, Any] | None:
    """Return the target group as DescribeTargetGroups gives it, or None where it isn't there."""
    found = ignore_missing(lambda: elbv2.describe_target_groups(Names=[name]), "TargetGroupNotFound")
    return found["TargetGroups"][0] if found and found["TargetGroups"] else None


def missing_target_group(name: str) -> Missing:
    """The fault of a target group that isn't there, with the playbook that makes it."""
    return Missing(f"There is no target group named {name!r}. Make it first: ansible-playbook playbooks/service.yml")


def health_check_from_aws(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `health_check` option that describes a target group (DescribeTargetGroups)."""
    check = {option: group.get(key) for option, key in HEALTH_CHECK.items()}
    check["matcher"] = (group.get("Matcher") or {}).get("HttpCode")
    return check


def health_check_to_aws(check: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of CreateTargetGroup or ModifyTargetGroup that stand for the `health_check` option."""
    parameters = {key: check[option] for option, key in HEALTH_CHECK.items() if check.get(option) is not None}
    if check.get("matcher") is not None:
        parameters["Matcher"] = {"HttpCode": str(check["matcher"])}
    return parameters
