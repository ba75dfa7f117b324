# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What CloudWatch calls a load balancer and a target group: the end of their ARNs, which nobody knows beforehand."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.handson.ecs.plugins.module_utils import names
from ansible_collections.handson.ecs.plugins.module_utils.resource import Resource

#: What stands for them in a dimension.
LOAD_BALANCER, TARGET_GROUP = "$load_balancer", "$target_group"


def balancer_names(resource: Resource, load_balancer: str | None, target_group: str | None) -> dict[str, str]:
    """Return {placeholder: CloudWatch's name} of those two that are given, in one call each.

    In check mode that of a thing which the same run would make first is "(known after apply)". Raises Missing.
    Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
    """
    elbv2 = resource.client("elbv2")
    found = {}
    if load_balancer:
        arn = resource.resolve(lambda: names.load_balancer(elbv2, load_balancer)["LoadBalancerArn"])
        found[LOAD_BALANCER] = of_load_balancer(arn)
    if target_group:
        found[TARGET_GROUP] = of_target_group(resource.resolve(lambda: names.target_group_arn(elbv2, target_group)))
    return found


def of_load_balancer(arn: str) -> str:
    """Return `app/<name>/<id>` of a load balancer's ARN; anything else as it is."""
    return arn.rpartition(":loadbalancer/")[2]


def of_target_group(arn: str) -> str:
    """Return `targetgroup/<name>/<id>` of a target group's ARN; anything else as it is."""
    head, _, tail = arn.rpartition(":targetgroup/")
    return f"targetgroup/{tail}" if head else arn


def filled_in(value: Any, known: Mapping[str, str]) -> Any:
    """Return a copy of lists, dictionaries and texts with every placeholder replaced by what is known for it."""
    if isinstance(value, str):
        for placeholder, name in known.items():
            value = value.replace(placeholder, name)
        return value
    if isinstance(value, Mapping):
        return {k: filled_in(v, known) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [filled_in(v, known) for v in value]
    return value


def mentions(value: Any) -> bool:
    """Return whether a placeholder is anywhere in it."""
    return filled_in(value, {LOAD_BALANCER: "", TARGET_GROUP: ""}) != value
