# SPDX-License-Identifier: GPL-3.0-or-later
"""The tutorial's course, within the tolerances that docs/scaling-rehearsal.md states, and what must always hold."""

from dataclasses import replace

import pytest

from unit.module_utils.rehearsal.courses import MEDIUM, TASK, section_7_1, section_7_2

from ansible_collections.handson.ecs.plugins.module_utils import capacity
from ansible_collections.handson.ecs.plugins.module_utils.capacity import Task
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.findings import findings
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.model import Event, Load, Mistake, Setup, Workload
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.simulation import Note, rehearse
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.tracking import (
    of_capacity_provider,
    of_group,
    of_service,
)

SEEDS = range(1, 9)


def load_end(timeline):
    return next(n.minute for n in timeline.notes if n.text.startswith("load ends"))


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([Event(9, max_tasks=1)], "minute 9 sets max_tasks to 1, where the service has 2 to 8 tasks"),
        ([Event(9, min_tasks=9)], "sets min_tasks to 9.*fewest would be 9 and the most 8"),
        ([Event(9, min_tasks=5, max_tasks=4)], "sets min_tasks to 5 and max_tasks to 4"),
        ([Event(9, min_tasks=4), Event(90, max_tasks=3)], "minute 90 .*has 4 to 8 tasks"),
    ],
)
def test_bounds_that_aws_refuses(events, says):
    setup = Setup(TASK, MEDIUM, service_policy=of_service(55, 2, 8, 150, 150))
    with pytest.raises(Mistake, match=says):
        rehearse(setup, [], events, 10)
    rehearse(setup, [], [Event(1, min_tasks=1, max_tasks=1), Event(2, max_tasks=1)], 5)
    rehearse(replace(setup, service_policy=None), [], events, 10)


@pytest.mark.parametrize("seed", SEEDS)
def test_section_7_1(seed):
    timeline = section_7_1(seed)
    at = timeline.minutes
    # Two tasks, over 100 % of what they reserve; three minutes and the metric's delay later, eight.
    assert at[4].running == 2 and at[8].service_cpu > 100
    assert [m.running for m in at[10:65]] == [8] * 55
    # About an hour later: less than at first, but still above 55, and no more tasks.
    assert all(55 < m.service_cpu < 75 for m in at[12:65])
    assert any("stuck at the maximum of 8 tasks" in line for line in findings(timeline))
    # The third instance and a maximum of 12: ten at once, and below 55 (with noise around it).
    assert [m.running for m in at[72:100]] == [10] * 28
    assert sum(m.service_cpu for m in at[74:100]) / 26 < 55
    # "It takes over an hour": 10000 requests.
    assert 70 < load_end(timeline) - 5 < 120
    # 2 to 4 s a request.
    assert all(2 < m.latency < 4 for m in at[5:100])
    # Half an hour after the load: 5, going down one by one, each a cooldown (in whole minutes) after the other.
    end = load_end(timeline)
    assert at[int(end) + 30].running == pytest.approx(5, abs=1)
    down = [n for n in timeline.notes if n.what == "tasks" and n.after < n.before]
    assert down[0].minute - end == pytest.approx(15, abs=2)
    assert all(n.before - n.after == 1 for n in down)
    assert {round(b.minute - a.minute) for a, b in zip(down, down[1:])} == {3}
    assert at[-1].running == 2


@pytest.mark.parametrize("seed", SEEDS)
def test_section_7_2(seed):
    timeline = section_7_2(seed)
    at = timeline.minutes
    # Half an hour into the load: 4 instances, which came one after the other, and 13 tasks, steadily.
    assert (at[35].registered, at[35].running) == (4, pytest.approx(13, abs=1))
    out = [n for n in timeline.notes if n.what == "instances" and n.after > n.before]
    assert [(n.before, n.after) for n in out] == [(2, 3), (3, 4)]
    assert not [n for n in timeline.notes if n.what == "tasks" and n.after < n.before and n.minute < 41]
    # The first instance goes 15 minutes after the load, the second after a pause; then all is as before.
    down = [n.minute - 41 for n in timeline.notes if n.what == "instances" and n.after < n.before]
    assert down[0] == pytest.approx(15, abs=2) and 1 <= down[1] - down[0] <= 5
    assert (at[-1].registered, at[-1].running) == (2, 2)


def test_with_a_hard_limit_the_tutorials_course_is_impossible():
    timeline = section_7_2(hard_cpu_limit=True)
    assert max(m.service_cpu for m in timeline.minutes) <= 105
    assert max(m.registered for m in timeline.minutes) == 2


def test_the_same_seed_gives_the_same_timeline():
    assert section_7_2(3).minutes == section_7_2(3).minutes
    assert section_7_2(3).minutes != section_7_2(4).minutes


@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize("load", [Load(0, rate=0.2, rate_until=6), Load(3, until=30, concurrency=40), Load(0, rate=9)])
@pytest.mark.parametrize("group", [None, of_group(55, 1, 3)])
def test_what_always_holds(seed, load, group):
    setup = Setup(TASK, MEDIUM, 2, 2, of_service(55, 1, 14, 60, 60), group)
    timeline = rehearse(setup, [load], [Event(20, deploy=True)], 80, seed)
    for m in timeline.minutes:
        assert 0 <= m.healthy <= m.running <= capacity.room(TASK, MEDIUM, 3)
        assert 1 <= m.desired <= 14 and m.registered <= m.instances <= 3
        assert m.answered <= 3 * 2 / (1.6 * 0.5)
        assert m.instance_cpu is None or 0 <= m.instance_cpu <= 100
        assert 0 <= m.reserved_cpu <= 100 or m.registered < m.instances


def test_nothing_happens_without_a_load():
    timeline = rehearse(Setup(TASK, MEDIUM, service_policy=of_service(55, 2, 8, 150, 150)), [], minutes=60)
    assert timeline.notes == [] and findings(timeline) == []
    assert {(m.running, m.registered) for m in timeline.minutes} == {(2, 2)}


def test_a_roll_out_pauses_scaling_in_and_ends():
    setup = Setup(TASK, MEDIUM, tasks=6, service_policy=of_service(55, 2, 8, 150, 150))
    timeline = rehearse(setup, [], [Event(15, deploy=True)], 40)
    ends = next(n.minute for n in timeline.notes if n.text == "roll-out ends")
    assert 15 < ends < 25
    downs = [n.minute for n in timeline.notes if n.what == "tasks"]
    assert not [m for m in downs if 15 < m < ends] and downs[-1] > ends


def test_a_roll_out_without_room_is_told():
    setup = Setup(TASK, MEDIUM, tasks=8)
    timeline = rehearse(setup, [], [Event(2, deploy=True)], 30)
    assert any("roll-out gets no further" in line for line in findings(timeline))
    setup = Setup(TASK, MEDIUM, tasks=8, minimum_healthy_percent=50, maximum_percent=100)
    timeline = rehearse(setup, [], [Event(2, deploy=True)], 30)
    assert not timeline.minutes[-1].deploying and min(m.running for m in timeline.minutes) >= 4


def test_a_capacity_provider_follows_the_tasks_and_loses_none():
    timeline = section_7_2(group_policy=None, provider_policy=of_capacity_provider(100, 2, 4), minutes=110)
    assert max(m.registered for m in timeline.minutes) == 4 and timeline.minutes[-1].registered == 2
    assert timeline.lost == [] and not any("instances went" in line for line in findings(timeline))


@pytest.mark.parametrize(
    ("setup", "load", "events", "says"),
    [
        ({"provider_policy": of_capacity_provider(100, 2, 4), "group_policy": of_group(55, 2, 4)}, [], [], "two controllers"),
        ({"service_policy": of_service(55, 2, 12, 150, 150)}, [], [], "12 tasks never fit: 2 x t2.medium hold 8"),
        ({"service_policy": of_service(55, 2, 12, 150, 150)}, [Load(2, concurrency=20)], [], "Nothing adds instances"),
        ({}, [Load(2, rate=9)], [], "requests time out"),
        ({"tasks": 1, "instances": 1}, [Load(0, rate=0.1)], [Event(9, instances=0)], "no healthy task"),
    ],
)  # fmt: skip
def test_findings(setup, load, events, says):
    timeline = rehearse(Setup(**{"task": TASK, "kind": MEDIUM, **setup}), load, events, 150)
    assert any(says in line for line in findings(timeline)), findings(timeline)


def counts(*changes):
    """Notes of a scaler of the tasks: (minute, before, after), and a text for what else happens."""
    return [Note(c[0], "load", c[1]) if len(c) == 2 else Note(c[0], "tasks", "", c[1], c[2]) for c in changes]


@pytest.mark.parametrize(
    ("notes", "found"),
    [
        (counts((5, 2, 3), (25, 3, 2)), False),
        (counts((5, 2, 3), (25, 3, 2), (35, 2, 3)), True),
        (counts((5, 2, 3), (20, "load ends"), (35, 3, 2), (50, "load begins"), (55, 2, 3)), False),
    ],
)
def test_flapping_is_turning_twice_under_the_same_load(notes, found):
    quiet = rehearse(Setup(TASK, MEDIUM), [], minutes=60)
    said = findings(replace(quiet, notes=notes))
    assert any("flaps under the same load" in line for line in said) == found


def test_rounding_keeps_target_tracking_from_flapping():
    # One task is too few for this load and two are below the low alarm; but one less would be above the target.
    setup = Setup(TASK, MEDIUM, 1, service_policy=of_service(55, 1, 8, 150, 150), workload=Workload(noise=0))
    timeline = rehearse(setup, [Load(0, rate=0.18)], [], 150)
    assert [(n.before, n.after) for n in timeline.notes if n.what == "tasks"] == [(1, 2)]
    assert timeline.minutes[-1].service_cpu < 49.5


def test_a_task_that_fits_nowhere_waits():
    timeline = rehearse(Setup(Task(4096, 0), MEDIUM), [Load(1, concurrency=2)], [], 20)
    assert {m.running for m in timeline.minutes} == {0} and {m.service_cpu for m in timeline.minutes} == {None}
