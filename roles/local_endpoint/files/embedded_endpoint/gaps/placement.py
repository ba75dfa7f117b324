# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Which container instance takes a task? Reservation by CPU, memory and ports, spread by default.

moto 5.2.5 ignores the task's own cpu and memory, reserves a container's hard limit before its soft one, counts the
dynamic host port 0 as a port that only one task can have, and fills one instance before it takes the next.
"""

import random
from typing import Any

from embedded_endpoint.gaps import task_record

AGENT_PORTS = ["22", "2375", "2376", "51678", "51679"]
INSUFFICIENT = {
    "RESOURCE:CPU": "has insufficient CPU units available",
    "RESOURCE:MEMORY": "has insufficient memory available",
    "RESOURCE:PORTS": "is already using a port required by your task",
    "AGENT": "has the agent disconnected",
}


def requirements(task_definition) -> dict[str, Any]:
    """What a task reserves: CPU (units), MEMORY (MiB), PORTS (fixed host ports).

    The task's memory counts when it is set, else each container's memoryReservation, else its memory; CPU alike.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
    """
    containers = task_definition.container_definitions
    get = _getter
    cpu = int(task_definition.cpu or 0) or sum(int(get(each, "cpu") or 0) for each in containers)
    memory = int(task_definition.memory or 0) or sum(
        int(get(each, "memoryReservation") or get(each, "memory") or 0) for each in containers
    )
    ports = []
    for mapping in (mapping for each in containers for mapping in get(each, "portMappings") or []):
        if task_definition.network_mode == "host":
            ports.append(int(get(mapping, "containerPort")))
        elif task_definition.network_mode != "awsvpc" and int(get(mapping, "hostPort") or 0):
            ports.append(int(get(mapping, "hostPort")))
    return {"CPU": cpu, "MEMORY": memory, "PORTS": ports, "PORTS_UDP": []}


def _getter(mapping: dict[str, Any], key: str) -> Any:
    """CloudFormation's definitions arrive with capitals."""
    return mapping.get(key, mapping.get(key[0].upper() + key[1:]))


def refresh_instance(instance, cluster_tasks) -> None:
    """Recompute what is left on a container instance from the tasks that are on it."""
    tasks = [task for task in cluster_tasks if task.container_instance_arn == instance.container_instance_arn]
    instance.running_tasks_count = sum(task.status == "RUNNING" for task in tasks)
    instance.pending_tasks_count = sum(task.status == "PENDING" for task in tasks)
    registered = {resource["name"]: resource for resource in instance.registered_resources}
    for resource in instance.remaining_resources:
        name = resource["name"]
        if name in ("CPU", "MEMORY"):
            used = sum((task.resource_requirements or {}).get(name, 0) for task in tasks)
            resource["integerValue"] = registered[name]["integerValue"] - used
        elif name == "PORTS":
            bound = [
                str(binding["hostPort"])
                for task in tasks
                for container in task.containers
                for binding in container.network_bindings
            ]
            resource["stringSetValue"] = list(registered[name]["stringSetValue"]) + bound


def lacks(instance, needed: dict[str, Any]) -> str | None:
    """Why a task doesn't fit (RESOURCE:MEMORY …), None if it does."""
    left = {resource["name"]: resource for resource in instance.remaining_resources}
    if not instance.agent_connected:
        return "AGENT"
    if needed["CPU"] > left["CPU"]["integerValue"]:
        return "RESOURCE:CPU"
    if needed["MEMORY"] > left["MEMORY"]["integerValue"]:
        return "RESOURCE:MEMORY"
    if any(str(port) in left["PORTS"]["stringSetValue"] for port in needed["PORTS"]):
        return "RESOURCE:PORTS"
    return None


def candidates(backend, cluster_name: str, providers: list[str] | None = None) -> list[Any]:
    """The ACTIVE container instances of a cluster, or of some of its capacity providers."""
    return [
        instance
        for instance in backend.container_instances.get(cluster_name, {}).values()
        if instance.status == "ACTIVE"
        and (not providers or getattr(instance, "capacity_provider_name", None) in providers)
    ]


def choose(
    backend,
    cluster_name: str,
    needed: dict[str, Any],
    group: str,
    strategy: list[dict[str, str]] | None = None,
    constraints: list[dict[str, str]] | None = None,
    providers: list[str] | None = None,
) -> tuple[Any | None, list[tuple[Any, str]]]:
    """The instance for the next task of a group, or None with (instance, reason) for each that was refused."""
    tasks = task_record.live_tasks(backend, cluster_name)
    instances = candidates(backend, cluster_name, providers)
    for instance in instances:
        refresh_instance(instance, tasks)
    fitting, refused = [], []
    distinct = any(each.get("type") == "distinctInstance" for each in constraints or [])
    mine = [task for task in tasks if task.group == group]
    on_instance = {
        instance.id: sum(task.container_instance_arn == instance.container_instance_arn for task in mine)
        for instance in instances
    }
    for instance in instances:
        reason = lacks(instance, needed)
        if distinct and on_instance[instance.id]:
            reason = "CONSTRAINT"
        if reason:
            refused.append((instance, reason))
        else:
            fitting.append(instance)
    if not fitting:
        return None, refused

    zone = {instance.id: instance.attributes.get("ecs.availability-zone") for instance in instances}
    in_zone = {each: sum(on_instance[i.id] for i in instances if zone[i.id] == each) for each in set(zone.values())}

    def left(instance: Any, name: str) -> int:
        return next(each["integerValue"] for each in instance.remaining_resources if each["name"] == name)

    def order(instance: Any) -> tuple[Any, ...]:
        keys: list[Any] = []
        for rule in strategy or [{"type": "spread", "field": "attribute:ecs.availability-zone"}]:
            kind, field = rule.get("type"), (rule.get("field") or "").lower()
            if kind == "binpack":
                keys.append(left(instance, "CPU" if field == "cpu" else "MEMORY"))
            elif kind == "random":
                keys.append(random.random())
            elif field.endswith("availability-zone"):
                keys.append(in_zone[zone[instance.id]])
        return (
            *keys,
            on_instance[instance.id],
            instance.running_tasks_count + instance.pending_tasks_count,
            instance.id,
        )

    return min(fitting, key=order), refused
