# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The scheduler's part at the load balancer: a task's targets in its service's target groups."""

from typing import Any

from moto.elbv2 import elbv2_backends

from embedded_endpoint.gaps import elbv2_targets


def register(backend, service, task) -> list[str]:
    """Register a task's ports in the service's target groups; the ARNs of those that took it.

    The target is instance id and host port, or the task's own address and the container port where it has one.
    """
    elbv2 = elbv2_backends[backend.account_id][backend.region_name]
    arns = []
    for balancer in service.load_balancers or []:
        group = elbv2.target_groups.get(balancer.get("targetGroupArn", ""))
        target = _target(backend, task, balancer)
        if group is None or target is None:
            continue
        group.register([target])
        task.targets.append((group.arn, target))
        arns.append(group.arn)
    return arns


def fail_health_check(backend, task, description: str) -> None:
    """Let the health check of a task's targets fail."""
    elbv2 = elbv2_backends[backend.account_id][backend.region_name]
    for arn, target in task.targets:
        if arn in elbv2.target_groups:
            elbv2_targets.mark_unhealthy(elbv2.target_groups[arn], target, description)


def deregister(backend, task) -> list[str]:
    """Take a task out of every target group it is in; the ARNs of those groups."""
    elbv2 = elbv2_backends[backend.account_id][backend.region_name]
    arns = []
    for arn, target in task.targets:
        group = elbv2.target_groups.get(arn)
        if group is not None:
            group.forget(target)
            arns.append(arn)
    task.targets = []
    return arns


def _target(backend, task, balancer: dict[str, Any]) -> dict[str, Any] | None:
    if task.private_address():
        return {"Id": task.private_address(), "Port": balancer["containerPort"]}
    port = task.host_port(balancer["containerName"], balancer["containerPort"])
    instance = backend.container_instances.get(task.cluster_name, {}).get(
        (task.container_instance_arn or "").split("/")[-1]
    )
    return {"Id": instance.ec2_instance_id, "Port": port} if instance and port else None
