# SPDX-License-Identifier: GPL-3.0-or-later
"""The tutorial's percentages and counts, sections 4.5 to 7.2, and what must hold for any numbers."""

import itertools

import pytest

from ansible_collections.handson.ecs.plugins.module_utils import capacity
from ansible_collections.handson.ecs.plugins.module_utils.capacity import Task
from ansible_collections.handson.ecs.plugins.module_utils.preflight.instance_types import InstanceType, instance_type
from ansible_collections.handson.ecs.plugins.module_utils.preflight.service import bounds

MEDIUM = instance_type("t2.medium")
#: The task of 4.6 with 1024 MiB, and of 7.1 with the container's soft limit only.
TASK, SOFT = Task(512, 1024), Task(512, 625)


def reserved(task, tasks, what, instances=2):
    return capacity.reservation(task, tasks, MEDIUM, instances)[what]


@pytest.mark.parametrize(
    ("section", "got", "says"),
    [
        ("4.5: 2 × t2.medium are 4 vCPUs", 2 * MEDIUM.cpu, 4096),
        ("4.6: run task, 2 on 2 instances", capacity.judge(TASK, MEDIUM, (2, 2), (2, 2, 2)), []),
        ("4.7: 50/100 of 2 goes one at a time", bounds(2, 50, 100), (1, 2)),
        ("4.7: 100/200 of 2 has up to 4 tasks", bounds(2, 100, 200), (2, 4)),
        ("4.7: 100/100 of 2 would stand still", capacity.deadlocked(2, 100, 100), True),
        ("4.7: 100/200 doesn't", capacity.deadlocked(2, 100, 200), False),
        ("4.7: 50/100 doesn't", capacity.deadlocked(2, 50, 100), False),
        ("4.8: two new tasks beside two old ones fit", capacity.room(TASK, MEDIUM, 2) >= 4, True),
        ("4.8: so the roll-out has room", capacity.rollout_fits(capacity.room(TASK, MEDIUM, 2), 2, 100, 200), True),
        ("6.1: an instance has 2048 units", MEDIUM.cpu, 2048),
        ("6.1: 1024 of 4096 units are 25 %", reserved(TASK, 2, "cpu"), 25),
        ("6.1: 4 tasks in a deployment are 50 %", reserved(TASK, 4, "cpu"), 50),
        ("6.1: 2048 MiB of 8 GiB would be 25 %", 100 * 2048 / 8192, 25),
        ("6.1: of what is registered they are 25.9 %", round(reserved(TASK, 2, "memory"), 1), 25.9),
        ("6.1: and 51.8 % in a deployment", round(reserved(TASK, 4, "memory"), 1), 51.8),
        ("6.2: 512 units of which all are used", capacity.utilization(1024, 2, 512), 100),
        ("6.2: a task that takes a whole vCPU is at 200 %", capacity.utilization(1024, 1, 512), 200),
        ("7.1: a t2.medium registers less than 4096 MiB", MEDIUM.memory, 3953),
        ("7.1: 4 tasks of 1024 MiB don't fit an instance", capacity.slots(TASK, MEDIUM), 3),
        ("7.1: since memory bounds them", capacity.bounded_by(TASK, MEDIUM), ["memory"]),
        ("7.1: without task memory 4 do", capacity.slots(SOFT, MEDIUM), 4),
        ("7.1: since CPU bounds them", capacity.bounded_by(SOFT, MEDIUM), ["CPU"]),
        ("7.1: 2 tasks reserve 1 vCPU", 2 * SOFT.cpu, 1024),
        ("7.1: and 1250 MiB", 2 * SOFT.memory, 1250),
        ("7.1: which is 25 %", reserved(SOFT, 2, "cpu"), 25),
        ("7.1: and 15.8 %", round(reserved(SOFT, 2, "memory"), 1), 15.8),
        ("7.1: at most 8 tasks on 2 instances", capacity.room(SOFT, MEDIUM, 2), 8),
        ("7.1: which are 100 %", reserved(SOFT, 8, "cpu"), 100),
        ("7.1: at most 8 tasks fit", capacity.judge(SOFT, MEDIUM, (2, 2), (2, 2, 8)), []),
        ("7.1: at most 12 don't", len(capacity.judge(SOFT, MEDIUM, (2, 2), (2, 2, 12))), 1),
        ("7.1: 3 instances hold 12", capacity.room(SOFT, MEDIUM, 3), 12),
        ("7.1: with 3 instances 12 fit", capacity.judge(SOFT, MEDIUM, (3, 3), (2, 2, 12)), []),
        ("7.1: 10 tasks need 3 instances", capacity.instances_for(SOFT, MEDIUM, 10), 3),
        ("7.2: 4 instances hold 16", capacity.room(SOFT, MEDIUM, 4), 16),
        ("7.2: 2 to 4 instances for 2 to 16 tasks", capacity.judge(SOFT, MEDIUM, (2, 4), (2, 2, 16)), []),
        ("7.2: 13 tasks need 4 instances", capacity.instances_for(SOFT, MEDIUM, 13), 4),
        ("7.2: 2 tasks need 1", capacity.instances_for(SOFT, MEDIUM, 2), 1),
        ("8.1: in awsvpc an instance holds 2", capacity.slots(Task(512, 625, awsvpc=True), MEDIUM), 2),
    ],
)
def test_tutorial(section, got, says):
    assert got == says, section


@pytest.mark.parametrize(
    ("task", "instances", "tasks", "percents", "said"),
    [
        (Task(4096, 625), (2, 2), (1, 1, 1), (100, 200), "no t2.medium holds a task: CPU"),
        (Task(512, 8000), (2, 2), (1, 1, 1), (100, 200), "memory is too small"),
        (SOFT, (1, 4), (5, 5, 5), (100, 200), "min 5 tasks don't fit 1 × t2.medium"),
        (SOFT, (2, 2), (2, 9, 9), (100, 200), "desired 9 tasks don't fit 2"),
        (SOFT, (2, 2), (2, 2, 2), (100, 100), "neither stop nor start"),
        (SOFT, (2, 2), (2, 8, 8), (100, 200), "needs room for 9 and has 8"),
        (Task(512, 625, alone=("its host port",)), (2, 2), (2, 2, 2), (100, 200), "needs room for 3 and has 2"),
    ],
)
def test_judge(task, instances, tasks, percents, said):
    assert any(said in line for line in capacity.judge(task, MEDIUM, instances, tasks, percents))


# --- for any numbers; the ranges are small enough to try all ----------------------------------------------------------

KINDS = [InstanceType("x", cpu, memory, n, ()) for cpu in (1024, 2048) for memory in (950, 3953) for n in (1, 3)]
TASKS = [
    Task(cpu, memory, awsvpc, alone)
    for cpu in (0, 1, 256, 512, 3000)
    for memory in (0, 1, 625, 1024, 9000)
    for awsvpc in (False, True)
    for alone in ((), ("its host port",))
]


def test_what_fits_fits_and_one_more_does_not():
    for task, kind in itertools.product(TASKS, KINDS):
        each = capacity.slots(task, kind)

        def holds(n, task=task, kind=kind):
            return (
                n * task.cpu <= kind.cpu
                and n * task.memory <= kind.memory
                and (not task.awsvpc or n <= kind.interfaces - 1)
                and (not task.alone or n <= 1)
            )

        assert holds(each) or each == capacity.UNBOUNDED
        assert each == capacity.UNBOUNDED or not holds(each + 1)
        assert capacity.bounded_by(task, kind)


def test_instances_for_is_the_least_that_has_room():
    for task, kind, n in itertools.product(TASKS, KINDS, range(0, 9)):
        needed = capacity.instances_for(task, kind, n)
        if needed is None:
            assert n and capacity.slots(task, kind) == 0
            continue
        assert capacity.room(task, kind, needed) >= n
        assert needed == 0 or capacity.room(task, kind, needed - 1) < n


def test_what_fits_reserves_at_most_everything():
    for task, kind, count in itertools.product(TASKS, KINDS, range(0, 4)):
        if capacity.slots(task, kind) != capacity.UNBOUNDED:
            full = capacity.reservation(task, capacity.room(task, kind, count), kind, count)
            assert 0 <= full["cpu"] <= 100 and 0 <= full["memory"] <= 100


def rolls_out(desired, minimum, maximum, room):
    """Play a roll-out step by step: whether all tasks become new."""
    fewest, most = bounds(desired, minimum, maximum)
    old, new = desired, 0
    for _ in range(4 * desired + 4):
        if new < desired and old + new < min(most, room):
            new += 1
        elif old and old + new > fewest:
            old -= 1
    return old == 0 and new == desired


def test_a_roll_out_gets_through_just_where_the_arithmetic_says_so():
    percents = [(0, 100), (33, 100), (50, 100), (50, 150), (90, 110), (99, 100), (100, 100), (100, 101), (100, 150), (100, 200)]
    for (low, high), desired, spare in itertools.product(percents, range(1, 9), range(0, 4)):
        room = desired + spare
        fine = not capacity.deadlocked(desired, low, high) and capacity.rollout_fits(room, desired, low, high)
        assert fine == rolls_out(desired, low, high, room), (low, high, desired, room)
