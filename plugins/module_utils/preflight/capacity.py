# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the tasks find room on the instances, at rest and during a roll-out.

ECS places a task only where its CPU units, its memory, its fixed host ports and, in awsvpc mode, a network interface
are free. What can't be placed waits for ever, and a roll-out with it. These checks name only what is certain.
"""

from __future__ import annotations

from typing import Iterator

from ansible_collections.handson.ecs.plugins.module_utils import capacity
from ansible_collections.handson.ecs.plugins.module_utils.capacity import Task
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host, truthy
from ansible_collections.handson.ecs.plugins.module_utils.preflight.instance_types import (
    Asked,
    InstanceType,
    instance_type,
    stand_in,
)
from ansible_collections.handson.ecs.plugins.module_utils.preflight.service import bounds, cluster_of
from ansible_collections.handson.ecs.plugins.module_utils.preflight.task_definition import containers, reserved

def instances(cluster: Host) -> int | None:
    """Return on how many instances the run may count: all the group may have where the lack of room brings them.

    A policy on their CPU doesn't: tasks that wait use none.
    """
    count = cluster.number("instances_count")
    return cluster.number("instances_max") if count is None or by_need(cluster) else count


def by_need(cluster: Host) -> bool:
    """Return whether a capacity provider adds instances for tasks that find no room."""
    enabled = truthy(cluster.values.get("instances_capacity_provider_enabled"))
    managed = truthy(cluster.values.get("instances_capacity_provider_managed_scaling"))
    return (enabled and managed) or cluster.text("instance_scaling_mode") == "capacity_provider"


def task_of(service: Host) -> Task:
    """Return what one task of the service takes of an instance."""
    cpu, memory = reserved(service)
    mode = service.text("task_definition_network_mode")
    alone = []
    if any(c["host_ports"] for c in containers(service)) if mode == "bridge" else mode == "host":
        alone.append("its host port")
    for constraint in service.listed("service_placement_constraints"):
        if isinstance(constraint, dict) and constraint.get("type") == "distinctInstance":
            alone.append("the constraint distinctInstance")
    if service.text("service_scheduling_strategy") == "DAEMON":
        alone.append("DAEMON")
    return Task(cpu, memory, mode == "awsvpc", tuple(dict.fromkeys(alone)))


def limits(service: Host, kind: InstanceType) -> dict[str, int]:
    """Return how many tasks of the service one empty instance holds, by each thing that bounds it."""
    return capacity.limits(task_of(service), kind)


def type_of(cluster: Host, asked: Asked | None) -> InstanceType | None:
    """Return the cluster's instance type, None where nobody told and it isn't in the table."""
    name = cluster.text("instances_type")
    if asked and name in asked and asked[name] is None:
        return stand_in(name)
    return instance_type(name, asked)


def _need(service: Host) -> str:
    cpu, memory = reserved(service)
    return f"A task takes {cpu} CPU units and {memory} MiB"


def check_room(service: Host, clusters: dict[str, Host], asked: Asked | None = None) -> Iterator[Fault]:
    """Check that one service alone fits its cluster's instances, that a roll-out can begin, and that it can grow."""
    yield from _check_desired(service, clusters, asked)
    yield from _check_scaled(service, clusters, asked)


def _check_scaled(service: Host, clusters: dict[str, Host], asked: Asked | None) -> Iterator[Fault]:
    """Check that a scaler's bounds fit all the instances that there may be.

    A maximum that doesn't fit is a warning: the service runs, and what it lacks shows under load only (the tutorial's
    section 7.1 runs into it on purpose). A minimum that doesn't is a fault: the run would wait for it in vain.
    """
    cluster = cluster_of(service, clusters)
    if (
        cluster is None
        or not truthy(service.values.get("service_scaling_enabled"))
        or service.text("task_definition_launch_type") == "FARGATE"
        or service.text("service_state") == "absent"
    ):
        return
    kind, count = type_of(cluster, asked), cluster.number("instances_count")
    scaled = by_need(cluster) or cluster.text("instance_scaling_mode") == "target_tracking"
    number = cluster.number("instances_max") if scaled or count is None else count
    if kind is None or number is None:
        return
    task = task_of(service)
    each, has = capacity.slots(task, kind), capacity.room(task, kind, number)
    if each == 0:
        return  # told already
    bound = " and ".join(capacity.bounded_by(task, kind))
    have = "has" if number == 1 else "have"
    why = f"{number} × {kind.name} {have} room for {has} (each for {each}, bounded by {bound})"
    for variable, warning, what in (
        ("service_scaling_min", False, "The service would never have its fewest tasks"),
        ("service_scaling_max", True, "Under load the service asks for tasks that find no room"),
    ):
        tasks = service.number(variable)
        if tasks is None or tasks <= has:
            continue
        needed = capacity.instances_for(task, kind, tasks)
        more = f"instances_max to {needed}"
        if not scaled:
            more = f"instances_count and instances_max to {needed}, or let instances scale (instance_scaling_mode)"
        yield service.fault(variable, f"{what}: {why}.", f"Lower it to {has}, or raise {more}.", warning=warning)
        return


def _check_desired(service: Host, clusters: dict[str, Host], asked: Asked | None) -> Iterator[Fault]:
    cluster = cluster_of(service, clusters)
    if (
        cluster is None
        or service.text("task_definition_launch_type") == "FARGATE"
        or service.text("service_state") == "absent"
    ):
        return
    kind, number = type_of(cluster, asked), instances(cluster)
    daemon = service.text("service_scheduling_strategy") == "DAEMON"
    if number == 0 and not daemon and (service.number("service_desired_count") or 0) > 0:
        yield service.fault(
            "task_definition_launch_type",
            f"It runs on instances, and its cluster {cluster.name} is to have none.",
            "Set it to FARGATE, or instances_count and instances_max of the cluster above 0.",
        )
        return
    if kind is None:
        return
    holds = limits(service, kind)
    slots = min(holds.values())
    has = f"a {kind.name} registers {kind.cpu} CPU units and about {kind.memory} MiB"
    if slots == 0:
        for what, variable, remedy in (
            ("CPU", "task_definition_cpu", "Lower task_definition_cpu"),
            ("memory", "task_definition_memory", "Lower task_definition_memory"),
        ):
            if holds[what] == 0:
                if not service.text(variable):
                    variable = {"CPU": "task_definition_container_cpu", "memory": "task_definition_memory_reservation"}[
                        what
                    ]
                yield service.fault(
                    variable,
                    f"{_need(service)}, and {has}: no instance holds one.",
                    f"{remedy}, or choose a larger instances_type.",
                )
        if holds.get("network interfaces") == 0:
            yield service.fault(
                "task_definition_network_mode",
                f"A {kind.name} has no network interface left for a task.",
                "Choose a larger instances_type.",
            )
        return
    if number is None or daemon:
        return
    room = slots * number
    bound = " and ".join(what for what, n in holds.items() if n == slots)
    desired = service.number("service_desired_count")
    low, high = service.number("service_minimum_healthy_percent"), service.number("service_maximum_percent")
    if desired is None or desired == 0 or low is None or high is None:
        return
    have = "has" if number == 1 else "have"
    why = f"{number} × {kind.name} {have} room for {room} (each for {slots}, bounded by {bound})"
    if room < desired:
        yield service.fault(
            "service_desired_count",
            f"{_need(service)}, and {why}.",
            "Lower service_desired_count or the task's sizes, or raise instances_count or instances_type.",
        )
        return
    fewest, _most = bounds(desired, low, high)
    if not capacity.rollout_fits(room, desired, low, high):
        yield service.fault(
            "service_minimum_healthy_percent",
            f"A roll-out would stand still: {fewest} of {desired} tasks must go on running, and nothing fits beside "
            "them. "
            f"{_need(service)}, and {why}; {fewest + 1} are needed.",
            "Lower service_minimum_healthy_percent (50 replaces in place), or the task's sizes, "
            "or raise instances_count"
            + (", or set task_definition_host_port to 0." if "its host port" in holds else "."),
        )


def check_shared_room(cluster: Host, services: list[Host], asked: Asked | None = None) -> Iterator[Fault]:
    """Check that all services of one cluster together don't reserve more than it has."""
    kind, number = type_of(cluster, asked), instances(cluster)
    mine = [
        s
        for s in services
        if s.text("task_definition_launch_type") != "FARGATE" and s.text("service_state") != "absent"
    ]
    mine = [s for s in mine if s.text("service_scheduling_strategy") != "DAEMON"]
    if kind is None or number is None or len(mine) < 2:
        return
    for index, what, total in ((0, "CPU units", kind.cpu * number), (1, "MiB", kind.memory * number)):
        wanted = {s.name: reserved(s)[index] * (s.number("service_desired_count") or 0) for s in mine}
        if sum(wanted.values()) > total:
            parts = ", ".join(f"{name} {amount}" for name, amount in sorted(wanted.items()))
            yield cluster.fault(
                "instances_count",
                f"Its services together reserve {sum(wanted.values())} {what} ({parts}); "
                f"{number} × {kind.name} have about {total}.",
                "Raise instances_count or instances_type, or lower the services' sizes or counts.",
            )
