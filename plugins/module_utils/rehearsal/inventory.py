# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal's setup out of the inventory's values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.preflight.capacity import task_of, type_of
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Host, truthy
from ansible_collections.handson.ecs.plugins.module_utils.preflight.service import cluster_of
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.model import Mistake, Setup, Workload
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.tracking import (
    Policy,
    of_capacity_provider,
    of_group,
    of_service,
)


def setup_of(service: Host, clusters: Mapping[str, Host], workload: Workload, hard_cpu_limit: bool) -> Setup:
    """Return what to rehearse for a service on its cluster. Raises Mistake with the variable to change."""
    cluster = cluster_of(service, dict(clusters))
    if cluster is None:
        raise Mistake(f"cluster_name is {service.text('cluster_name')!r}; no host of group clusters has this name.")
    if service.text("task_definition_launch_type") == "FARGATE":
        raise Mistake(
            f"{service.name} runs on Fargate, where every task has processors of its own: there is no room to run out "
            "of. The rehearsal is for task_definition_launch_type EC2."
        )
    kind = type_of(cluster, None)
    if kind is None:
        raise Mistake(
            f"instances_type is {cluster.text('instances_type')!r}, which the offline table doesn't have. Rehearse "
            "with one of the same size that it has, such as -e instances_type=m5.large."
        )
    task = task_of(service)
    if not task.cpu:
        raise Mistake("The task reserves no CPU, so its utilization has no meaning. Set task_definition_cpu.")
    policy = _service_policy(service)
    delay = service.number("target_group_deregistration_delay")
    return Setup(
        task=task,
        kind=kind,
        tasks=_first(service.number("service_desired_count"), policy.minimum if policy else None, 1),
        instances=_first(cluster.number("instances_count"), cluster.number("instances_min"), 1),
        service_policy=policy,
        group_policy=_group_policy(cluster),
        provider_policy=_provider_policy(cluster),
        protected=truthy(cluster.values.get("instances_capacity_provider_termination_protection")),
        minimum_healthy_percent=_first(service.number("service_minimum_healthy_percent"), 100),
        maximum_percent=_first(service.number("service_maximum_percent"), 200),
        hard_cpu_limit=hard_cpu_limit,
        workload=workload if delay is None else replace(workload, task_stop=delay),
    )


def limited(service: Host, clusters: Mapping[str, Host]) -> bool:
    """Return whether AWS limits the tasks of a service to the CPU that they reserve.

    It does by the size of the task, not by that of a container, unless the agent is told otherwise:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html (ECS_ENABLE_TASK_CPU_MEM_LIMIT)
    """
    cluster = cluster_of(service, dict(clusters))
    agent = cluster.values.get("instances_agent_config") if cluster else None
    told = str((agent or {}).get("ECS_ENABLE_TASK_CPU_MEM_LIMIT", "")).lower() if isinstance(agent, Mapping) else ""
    return bool(service.text("task_definition_cpu")) and told not in ("false", "0", "f")


def remarks(service: Host, setup: Setup, limited_on_aws: bool) -> list[str]:
    """Return what the reader of a rehearsal should know of its assumptions."""
    found = []
    if setup.service_policy is None:
        found.append("service_scaling_enabled is false: nothing scales the tasks.")
    if setup.group_policy is None and setup.provider_policy is None:
        found.append("instance_scaling_mode is none: nothing scales the instances.")
    metric = service.text("service_scaling_metric")
    if setup.service_policy and metric not in ("", "ECSServiceAverageCPUUtilization"):
        found.append(f"service_scaling_metric is {metric}; only the CPU is rehearsed, as if it were the metric.")
    if setup.service_policy and service.listed("service_scaling_policies"):
        found.append("service_scaling_policies isn't rehearsed, but service_scaling_target on the CPU.")
    if limited_on_aws and not setup.hard_cpu_limit:
        found.append(
            "Tasks here use idle CPU beyond their reservation, as the tutorial saw it. AWS limits a task to "
            "task_definition_cpu unless the agent has ECS_ENABLE_TASK_CPU_MEM_LIMIT=false or only the container has "
            "the size (task_definition_container_cpu): rehearsal_cpu_limit=auto shows that."
        )
    if limited_on_aws and setup.hard_cpu_limit:
        found.append(
            "Tasks are limited to task_definition_cpu, as on AWS today; the tutorial's weren't. Its course: "
            "rehearsal_cpu_limit=burst here, and on AWS task_definition_cpu empty and task_definition_container_cpu set."
        )
    return found


def _first(*values: int | None) -> int:
    return next(v for v in values if v is not None)


def _number(host: Host, variable: str) -> float:
    try:
        return float(host.text(variable))
    except ValueError:
        raise Mistake(f"{variable} of {host.name} is {host.values.get(variable)!r}; it is a number.") from None


def _bounds(host: Host, low: str, high: str) -> tuple[int, int]:
    bounds = int(_number(host, low)), int(_number(host, high))
    if bounds[0] > bounds[1]:
        raise Mistake(f"{low} of {host.name} is {bounds[0]}, above {high} {bounds[1]}. Raise {high}.")
    return bounds


def _target(host: Host, variable: str) -> float:
    target = _number(host, variable)
    if target <= 0:
        raise Mistake(f"{variable} of {host.name} is {target:g}; a target is above 0.")
    return target


def _service_policy(service: Host) -> Policy | None:
    if not truthy(service.values.get("service_scaling_enabled")):
        return None
    low, high = _bounds(service, "service_scaling_min", "service_scaling_max")
    out, back = (int(_number(service, f"service_scaling_scale_{way}_cooldown")) for way in ("out", "in"))
    policy = of_service(_target(service, "service_scaling_target"), low, high, out, back)
    return replace(policy, only_out=truthy(service.values.get("service_scaling_disable_scale_in")))


def _group_policy(cluster: Host) -> Policy | None:
    if cluster.text("instance_scaling_mode") != "target_tracking":
        return None
    policy = of_group(_target(cluster, "instance_scaling_target"), *_bounds(cluster, "instances_min", "instances_max"))
    return replace(policy, only_out=truthy(cluster.values.get("instance_scaling_disable_scale_in")))


def _provider_policy(cluster: Host) -> Policy | None:
    values: Mapping[str, Any] = cluster.values
    managed = truthy(values.get("instances_capacity_provider_enabled")) and truthy(
        values.get("instances_capacity_provider_managed_scaling")
    )
    if not managed and cluster.text("instance_scaling_mode") != "capacity_provider":
        return None
    target = _target(cluster, "instances_capacity_provider_target_capacity")
    return of_capacity_provider(target, *_bounds(cluster, "instances_min", "instances_max"))
