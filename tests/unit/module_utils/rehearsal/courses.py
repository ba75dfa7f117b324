# SPDX-License-Identifier: GPL-3.0-or-later
"""The two courses of the tutorial's section 7, for the tests and for the plots of docs/scaling-rehearsal.md."""

from __future__ import annotations

from ansible_collections.handson.ecs.plugins.module_utils.capacity import Task
from ansible_collections.handson.ecs.plugins.module_utils.preflight.instance_types import instance_type
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.model import Event, Load, Setup
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.simulation import Timeline, rehearse
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.tracking import of_group, of_service

#: The revision of 7.1: 512 CPU units, 625 MiB.
TASK, MEDIUM = Task(512, 625), instance_type("t2.medium")


def section_7_1(seed: int = 1, minutes: int = 165, **changes) -> Timeline:
    """`ab -n 10000 -c 5` from minute 5, a third instance at minute 65, at most 12 tasks from minute 70."""
    setup = Setup(**{"task": TASK, "kind": MEDIUM, "service_policy": of_service(55, 2, 8, 150, 150), **changes})
    events = [Event(65, instances=3), Event(70, max_tasks=12)]
    return rehearse(setup, [Load(5, concurrency=5, requests=10000)], events, minutes, seed)


def section_7_2(seed: int = 1, minutes: int = 100, **changes) -> Timeline:
    """`ab -n 100000 -c 6` from minute 5, stopped 36 minutes later; 2 to 16 tasks on 2 to 4 instances."""
    setup = Setup(
        **{
            "task": TASK,
            "kind": MEDIUM,
            "service_policy": of_service(55, 2, 16, 150, 150),
            "group_policy": of_group(55, 2, 4),
            **changes,
        }
    )
    return rehearse(setup, [Load(5, until=41, concurrency=6, requests=100000)], [], minutes, seed)
