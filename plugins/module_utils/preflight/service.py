# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service: counts, percentages, circuit breaker, placement.

Rules: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html, API_CreateService,
API_ThresholdConfiguration, and "Balancing an Amazon ECS service across Availability Zones" in the developer guide.
"""

from __future__ import annotations

import math
import re
from typing import Iterator

from ansible_collections.handson.ecs.plugins.module_utils.preflight.fargate import check_fargate_service
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host, in_range, one_of, truthy


def bounds(desired: int, minimum: int, maximum: int) -> tuple[int, int]:
    """Return (fewest, most) tasks during a roll-out: ECS rounds the minimum up and the maximum down."""
    return math.ceil(desired * minimum / 100), math.floor(desired * maximum / 100)


def check_service(host: Host) -> Iterator[Fault]:
    """Check a service's settings, apart from whether its tasks find room."""
    yield from one_of(host, "service_scheduling_strategy", ("REPLICA", "DAEMON"), "The scheduling strategy")
    yield from in_range(host, "service_desired_count", 0, None, "The desired count", also="keep")
    yield from in_range(host, "service_minimum_healthy_percent", 0, 100, "The minimum healthy percent")
    yield from in_range(host, "service_maximum_percent", 100, None, "The maximum percent")
    yield from in_range(host, "service_health_check_grace_period", 0, 2147483647, "The grace period in seconds")
    revision = host.text("service_task_definition")
    if "service_task_definition" not in host.broken and not re.fullmatch(
        r"latest|keep|keep_image|[A-Za-z0-9_-]{1,255}:\d+", revision
    ):
        yield host.fault(
            "service_task_definition",
            "This is no revision.",
            "Write latest, keep, keep_image, or family:revision such as petclinic-rest-task:3.",
        )
    yield from _deadlock(host)
    yield from _daemon(host)
    yield from _rebalancing(host)
    yield from _circuit_breaker(host)
    yield from in_range(host, "service_wait_timeout", 1, None, "A number of seconds")
    if truthy(host.values.get("service_assign_public_ip")) and host.text("task_definition_launch_type") != "FARGATE":
        yield host.fault("service_assign_public_ip", "Only tasks on Fargate get a public address.", "Set it to false.")
    if host.text("task_definition_launch_type") == "FARGATE":
        yield from check_fargate_service(host)
    groups = host.listed("service_security_group_names")
    if host.text("task_definition_network_mode") == "awsvpc" and "service_security_group_names" in host.values:
        if len(groups) > 5:
            yield host.fault("service_security_group_names", "A task has at most 5 groups.", "Take some away.")
        elif not groups and "service_security_group_names" not in host.broken:
            yield host.fault(
                "service_security_group_names",
                "Tasks without one get the VPC's default group, which the load balancer can't reach.",
                "Take the line out: then a group is made for them.",
                warning=True,
            )


def _deadlock(host: Host) -> Iterator[Fault]:
    desired, low, high = (
        host.number(f"service_{v}") for v in ("desired_count", "minimum_healthy_percent", "maximum_percent")
    )
    if low is None or high is None or host.text("service_scheduling_strategy") == "DAEMON":
        return
    if desired is None:  # keep: any count, so only what no count can do
        if low >= 100 and high <= 100:
            yield host.fault(
                "service_maximum_percent",
                f"With {low}/{high} a roll-out may neither stop an old task nor start a new one.",
                "Set service_maximum_percent to 200, or service_minimum_healthy_percent to 50.",
            )
        return
    fewest, most = bounds(desired, low, high)
    if desired > 0 and fewest >= desired and most <= desired:
        yield host.fault(
            "service_maximum_percent",
            f"A roll-out would stand still: with {low}/{high} and {desired} tasks at least {fewest} must run and "
            f"at most {most} may, so that ECS can neither stop an old one nor start a new one.",
            "Set service_maximum_percent to 200 (new beside old), or service_minimum_healthy_percent to 50 "
            "(one after the other; a single task needs 0).",
        )


def _daemon(host: Host) -> Iterator[Fault]:
    """Check the percentages of a daemon: ECS stops the one task of an instance before it starts the next."""
    if host.text("service_scheduling_strategy") != "DAEMON":
        return
    low, high = host.number("service_minimum_healthy_percent"), host.number("service_maximum_percent")
    if high is not None and high > 100:
        yield host.fault(
            "service_maximum_percent",
            "A daemon has one task on an instance, and ECS refuses more than 100 for it.",
            "Set it to 100.",
        )
    if low is not None and low >= 100:
        yield host.fault(
            "service_minimum_healthy_percent",
            "A roll-out of a daemon stops an instance's old task before it starts the new one, which this forbids.",
            "Set it to 50, or to 0 where there is one instance.",
        )


def _rebalancing(host: Host) -> Iterator[Fault]:
    yield from one_of(
        host, "service_availability_zone_rebalancing", ("ENABLED", "DISABLED"), "Availability zone rebalancing"
    )
    if host.text("service_availability_zone_rebalancing") != "ENABLED":
        return
    high = host.number("service_maximum_percent")
    remedy = "Set it to DISABLED"
    if high is not None and high <= 100:
        yield host.fault(
            "service_availability_zone_rebalancing",
            f"It starts tasks before it stops others, which service_maximum_percent {high} forbids; "
            "ECS refuses the two together.",
            f"{remedy}, or service_maximum_percent above 100.",
        )
    if host.text("service_scheduling_strategy") == "DAEMON":
        yield host.fault("service_availability_zone_rebalancing", "A daemon service can't be rebalanced.", f"{remedy}.")
    for constraint in host.listed("service_placement_constraints"):
        if isinstance(constraint, dict) and "ecs.availability-zone" in str(constraint.get("expression", "")):
            yield host.fault(
                "service_availability_zone_rebalancing",
                "A placement constraint on the zone excludes it.",
                f"{remedy}, or take the constraint out.",
            )
    strategy = host.listed("service_placement_strategy")
    first = strategy[0] if strategy and isinstance(strategy[0], dict) else {}
    ec2 = host.text("task_definition_launch_type") == "EC2"
    if ec2 and strategy and (first.get("type") != "spread" or first.get("field") != "attribute:ecs.availability-zone"):
        yield host.fault(
            "service_availability_zone_rebalancing",
            "It needs the spread over zones as the first placement strategy.",
            f"{remedy}, or put {{type: spread, field: attribute:ecs.availability-zone}} first.",
            warning=True,
        )


def _circuit_breaker(host: Host) -> Iterator[Fault]:
    kinds = ("COUNT", "BOUNDED_PERCENT", "UNBOUNDED_PERCENT")
    yield from one_of(host, "service_circuit_breaker_threshold_type", kinds, "The threshold's type")
    if host.text("service_circuit_breaker_threshold_type") == "BOUNDED_PERCENT":
        yield from in_range(
            host, "service_circuit_breaker_threshold_value", 1, 100, "The threshold in percent of the desired count"
        )
    else:
        yield from in_range(host, "service_circuit_breaker_threshold_value", 1, None, "The threshold")


def check_cluster_of(host: Host, clusters: dict[str, Host]) -> Iterator[Fault]:
    """Check that the service names a cluster of the inventory, and sees it as the cluster's own host does."""
    name = host.text("cluster_name")
    cluster = cluster_of(host, clusters)
    if cluster is None:
        there = ", ".join(sorted(clusters)) or "none yet"
        if name in ("", host.name):
            problem = "The service names no cluster."
        else:
            problem = "No host of group clusters has this name."
        yield host.fault(
            "cluster_name",
            problem,
            f"Set cluster_name in the service's host_vars to a host of group clusters ({there}).",
        )
        return
    shared = ["aws_account_id", "aws_region", "cluster_name", "load_balancer_name", "load_balancer_service_port"]
    if host.text("task_definition_network_mode") == "awsvpc":
        shared += ["network_mode", "network_vpc_id", "network_subnet_ids", "network_name"]
        if host.text("security_groups_task_name") in host.listed("service_security_group_names"):
            shared.append("security_groups_load_balancer_name")  # its rule names that group
    for variable in shared:
        if variable in host.broken or variable in cluster.broken:
            continue
        mine, its = host.values.get(variable), cluster.values.get(variable)
        if str(mine or "") != str(its or ""):
            yield host.fault(
                variable,
                f"Its cluster {cluster.name} has {its!r}.",
                "Set it once for both, in group_vars, so that they agree.",
            )


def cluster_of(host: Host, clusters: dict[str, Host]) -> Host | None:
    """Return the host of the cluster that a service names, by the host's name or by its cluster_name."""
    name = host.text("cluster_name")
    if name in clusters:
        return clusters[name]
    return next((c for c in clusters.values() if c.text("cluster_name") == name), None)
