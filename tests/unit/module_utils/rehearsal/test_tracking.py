# SPDX-License-Identifier: GPL-3.0-or-later
from dataclasses import replace

import pytest

from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.tracking import (
    Tracker,
    of_capacity_provider,
    of_group,
    of_service,
)

SERVICE = of_service(55, 2, 8, 150, 150)


def play(policy, values, measured=2, allowed=True):
    """The capacities after each minute, where what is asked for is there at once."""
    tracker, capacity, out = Tracker(policy), measured, []
    for minute, value in enumerate(values):
        decision = tracker.decide(minute * 60, value, capacity, capacity, allowed)
        capacity = decision.after if decision else capacity
        out.append(capacity)
    return out


def test_the_tutorials_alarms():
    assert (SERVICE.target, round(SERVICE.low, 2)) == (55, 49.5)
    assert round(of_group(55, 2, 4).low, 2) == 41.25
    assert of_capacity_provider(100, 2, 4).low == 100


@pytest.mark.parametrize(
    ("values", "after"),
    [
        ([56, 56], 2),  # two of three
        ([56, 56, 56], 3),
        ([55, 55, 55], 2),  # above is above
        ([56, 55, 56, 56], 2),
        ([60, None, 60, 60], 2),  # a missing value is no high one
        ([110, 110, 110], 4),  # in proportion
        ([111, 111, 111], 5),  # rounded up
        ([999, 999, 999], 8),  # to the maximum
    ],
)
def test_scale_out(values, after):
    assert play(SERVICE, values)[-1] == after


@pytest.mark.parametrize(
    ("policy", "values", "after"),
    [
        (SERVICE, [10] * 14, 6),
        (SERVICE, [10] * 15, 5),
        (SERVICE, [49.5] * 15, 6),  # strictly below
        (SERVICE, [10] * 14 + [None], 6),  # missing data is no low value
        (SERVICE, [10] * 8 + [50] + [10] * 14, 6),
        (SERVICE, [10] * 17, 5),  # one step in 150 s
        (SERVICE, [10] * 18, 4),
        (SERVICE, [10] * 60, 2),
        (replace(SERVICE, only_out=True), [10] * 60, 6),
        (of_group(55, 2, 8), [41.25] * 20, 6),
        (of_group(55, 2, 8), [10] * 16, 4),  # no cooldown
        (SERVICE, [49] * 60, 6),  # one less would be above the target: 6 × 49 / 55 is more than 5
        (of_capacity_provider(100, 2, 40), [50] * 15, 3),
    ],
)
def test_scale_in(policy, values, after):
    assert play(policy, values, measured=6)[-1] == after


def test_a_roll_out_pauses_scaling_in_but_not_out():
    assert play(SERVICE, [10] * 30, 6, allowed=False)[-1] == 6
    assert play(SERVICE, [99] * 3, 2, allowed=False)[-1] == 4


def test_in_the_cooldown_only_a_larger_scale_out_begins():
    tracker = Tracker(of_service(50, 2, 100, 150, 150))
    for second in (0, 60):
        assert tracker.decide(second, 75, 4, 4) is None
    assert tracker.decide(120, 75, 4, 4).after == 6
    assert tracker.decide(180, 60, 6, 6) is None  # +2 is no larger one
    assert tracker.decide(240, 80, 6, 6).after == 10  # +4 is
    assert tracker.decide(300, 55, 10, 10) is None
    assert tracker.decide(420, 55, 10, 10).after == 11  # after the cooldown


def test_a_scale_out_ends_the_cooldown_of_a_scale_in():
    tracker = Tracker(of_service(50, 1, 9, 0, 10**6))
    for minute in range(15):
        last = tracker.decide(minute * 60, 1, 9, 9)
    assert last.after == 8
    for minute in range(15, 18):
        last = tracker.decide(minute * 60, 51, 8, 8)
    assert last.after == 9
    for minute in range(18, 33):
        last = tracker.decide(minute * 60, 1, 9, 9)
    assert last.after == 8


def test_a_missing_value_decides_nothing():
    tracker = Tracker(SERVICE)
    assert [tracker.decide(i * 60, None, 2, 2) for i in range(20)] == [None] * 20
    assert not tracker.high and not tracker.low


def test_never_out_of_bounds_and_never_over_the_target_by_going_in():
    for value in range(0, 400, 7):
        for measured in range(2, 9):
            capacities = play(SERVICE, [value] * 40, measured)
            assert all(2 <= c <= 8 for c in capacities)
            for before, after in zip([measured, *capacities], capacities):
                assert after >= before or value * before / after <= 55 + 1e-9 or before - after == 0
