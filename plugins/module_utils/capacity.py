# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many tasks fit the instances, and what they reserve there.

ECS places a task where its CPU units, its memory, its fixed host ports and, in awsvpc mode, a network interface are
free: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement.html. Preflight, the filter `capacity`
and the scaling rehearsal count with these functions, so that they agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ansible_collections.handson.ecs.plugins.module_utils.preflight.instance_types import InstanceType
from ansible_collections.handson.ecs.plugins.module_utils.preflight.service import bounds

#: More than any instance holds: nothing bounds the number of tasks.
UNBOUNDED = 10**6


@dataclass(frozen=True)
class Task:
    """What one task takes of an instance.

    `cpu` are CPU units (1024 = 1 vCPU) and `memory` MiB that it reserves; 0 reserves none. `alone` are reasons, in
    words, why an instance holds one only: a fixed host port, the constraint distinctInstance, DAEMON. `awsvpc` takes a
    network interface.
    """

    cpu: int = 0
    memory: int = 0
    awsvpc: bool = False
    alone: tuple[str, ...] = ()


def limits(task: Task, kind: InstanceType) -> dict[str, int]:
    """Return how many such tasks one empty instance holds, by each thing that bounds it.

    One interface is the instance's own. ENI trunking, which gives more, is opt-in and no T2 or T3 has it:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-eni.html
    """
    found = {
        "CPU": kind.cpu // task.cpu if task.cpu else UNBOUNDED,
        "memory": kind.memory // task.memory if task.memory else UNBOUNDED,
    }
    if task.awsvpc:
        found["network interfaces"] = max(0, kind.interfaces - 1)
    found.update({reason: 1 for reason in task.alone})
    return found


def slots(task: Task, kind: InstanceType) -> int:
    """Return how many such tasks one empty instance holds."""
    return min(limits(task, kind).values())


def bounded_by(task: Task, kind: InstanceType) -> list[str]:
    """Return what bounds that number."""
    holds = limits(task, kind)
    return [what for what, number in holds.items() if number == min(holds.values())]


def room(task: Task, kind: InstanceType, instances: int) -> int:
    """Return how many such tasks so many empty instances hold."""
    return slots(task, kind) * instances


def instances_for(task: Task, kind: InstanceType, tasks: int) -> int | None:
    """Return the fewest instances that hold so many tasks, None where an instance holds not one."""
    each = slots(task, kind)
    if each == 0:
        return None if tasks else 0
    return math.ceil(tasks / each)


def reservation(task: Task, tasks: int, kind: InstanceType, instances: int) -> dict[str, float]:
    """Return the percentages {cpu, memory} of CPUReservation and MemoryReservation of a cluster.

    Reserved by running tasks over registered by container instances; 0 where there are no instances:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster_reservation.html
    """
    if not instances:
        return {"cpu": 0.0, "memory": 0.0}
    return {
        "cpu": 100 * task.cpu * tasks / (kind.cpu * instances),
        "memory": 100 * task.memory * tasks / (kind.memory * instances),
    }


def utilization(used: float, tasks: int, each: float) -> float:
    """Return a service's utilization in percent: what all tasks use over what they reserve, in the same unit.

    Of CPU it may be over 100, since a reservation is no limit.
    """
    return 100 * used / (each * tasks) if tasks and each else 0.0


def deadlocked(desired: int, minimum: int, maximum: int) -> bool:
    """Return whether the percentages allow a roll-out neither to stop an old task nor to start a new one."""
    fewest, most = bounds(desired, minimum, maximum)
    return desired > 0 and fewest >= desired and most <= desired


def rollout_fits(room_for: int, desired: int, minimum: int, maximum: int) -> bool:
    """Return whether a roll-out can begin: an old task may stop, or a new one finds room beside those that must run."""
    fewest, most = bounds(desired, minimum, maximum)
    return most <= fewest or room_for >= fewest + 1


def judge(
    task: Task,
    kind: InstanceType,
    instances: tuple[int, int],
    tasks: tuple[int, int, int],
    percents: tuple[int, int] = (100, 200),
) -> list[str]:
    """Return in words what doesn't fit: `tasks` are (min, desired, max), `instances` (min, max), `percents` of a
    roll-out (minimum healthy, maximum). An empty list is good news.
    """
    each = slots(task, kind)
    least, most = (each * n for n in instances)
    low, desired, high = tasks
    said = []
    if each == 0:
        return [f"no {kind.name} holds a task: {' and '.join(bounded_by(task, kind))} is too small"]
    for what, number, has, on in (
        ("min", low, least, instances[0]),
        ("desired", desired, most, instances[1]),
        ("max", high, most, instances[1]),
    ):
        if number > has:
            said.append(f"{what} {number} tasks don't fit {on} × {kind.name}, which hold {has}")
    if deadlocked(desired, *percents):
        said.append(f"{percents[0]}/{percents[1]} lets a roll-out neither stop nor start one of {desired} tasks")
    elif desired <= most and not rollout_fits(most, desired, *percents):
        said.append(f"a roll-out of {desired} tasks needs room for {bounds(desired, *percents)[0] + 1} and has {most}")
    return said
