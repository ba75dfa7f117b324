# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from unit.module_utils.scaling_samples import ACTION, CPU, STEP

from ansible_collections.handson.ecs.plugins.module_utils import scalable_target_options
from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError
from ansible_collections.handson.ecs.plugins.module_utils.scalable_target_options import action_faults, check, policy_faults
from ansible_collections.handson.ecs.plugins.module_utils.scalable_targets import REQUESTS


def steps(*each):
    return {**STEP, "steps": [{"lower": low, "upper": up, "adjustment": 1} for low, up in each]}


@pytest.mark.parametrize(
    ("minimum", "maximum", "policies", "actions", "said"),
    [
        (-1, 2, [], [], "0 tasks or more"),
        (3, 2, [], [], "min is 3 and max is 2"),
        (1, 2, [{**CPU, "target": 0}], [], "target is 0, and must be above 0"),
        (1, 2, [{**CPU, "target": None}], [], "needs metric and target"),
        (1, 2, [{**CPU, "metric": None}], [], "needs metric and target"),
        (1, 2, [{**CPU, "scale_in_cooldown": -1}], [], "scale_in_cooldown is -1"),
        (1, 2, [CPU, CPU], [], "'cpu' twice"),
        (1, 2, [CPU, {**CPU, "name": "other"}], [], "both track"),
        (1, 2, [{**CPU, "target_group": "g"}], [], "target_group belong to ALBRequestCountPerTarget"),
        (1, 2, [{**CPU, "metric": REQUESTS, "target_group": "g"}], [], "needs load_balancer and target_group"),
        (1, 2, [{**STEP, "alarm": None, "steps": None}], [], "needs steps, alarm"),
        (1, 2, [{**STEP, "adjustment_type": None}], [], "needs adjustment_type"),
        (1, 2, [{**STEP, "min_adjustment_magnitude": 1}], [], "PercentChangeInCapacity only"),
        (
            1,
            2,
            [{**STEP, "alarm": {**STEP["alarm"], "datapoints_to_alarm": 4}}],
            [],
            "outside of 1 to evaluation_periods",
        ),
        (
            1,
            2,
            [{**STEP, "adjustment_type": "ExactCapacity", "steps": [{"lower": 0, "adjustment": -1}]}],
            [],
            "0 or more",
        ),
        (1, 2, [steps((0, 10), (20, None))], [], "without gap or overlap"),
        (1, 2, [steps((0, 10), (5, None))], [], "without gap or overlap"),
        (1, 2, [steps((0, None), (10, None))], [], "without gap or overlap"),
        (1, 2, [steps((0, 10))], [], "Leave its upper out"),
        (1, 2, [steps((-10, 0))], [], "Leave its lower out"),
        (1, 2, [steps((10, 0))], [], "lower must be below upper"),
        (1, 2, [steps((None, None), (0, None))], [], "must be the only one"),
        (1, 2, [], [{**ACTION, "min": None}], "neither min nor max"),
        (1, 2, [], [{**ACTION, "max": 1}], "min 2 above max 1"),
        (1, 2, [], [{**ACTION, "min": 3}], "sets min to 3, outside of min 1 to max 2"),
        (1, 2, [], [{**ACTION, "min": None, "max": 0}], "sets max to 0, outside of min 1 to max 2"),
        (1, 2, [], [{**ACTION, "schedule": "cron(0 8 * * *)"}], "minutes hours"),
        (1, 2, [], [{**ACTION, "schedule": "8:00"}], "AWS does not take"),
        (1, 2, [], [{**ACTION, "schedule": "cron(0 8 * * 1-5)"}], "day-of-week year"),
        (1, 2, [], [{**ACTION, "schedule": "rate(0 hours)"}], "rate\\(value unit\\)"),
        (1, 2, [], [{**ACTION, "schedule": "at(tomorrow)"}], "at\\(yyyy"),
        (1, 2, [], [{**ACTION, "schedule": "at(2026-12-24T18:00)"}], "Thh:mm:ss"),
        (1, 2, [], [{**ACTION, "schedule": "rate(1 hour)", "timezone": "Asia/Seoul"}], "'Asia/Seoul' with rate"),
        (1, 2, [], [{**ACTION, "timezone": "Asia/Soul"}], "'Asia/Soul', which is none"),
        (1, 2, [], [{**ACTION, "timezone": ""}], "'', which is none"),
        (1, 2, [], [{**ACTION, "name": "a/b"}], "character in its name that AWS refuses"),
        (1, 2, [], [ACTION, ACTION], "'day' twice"),
    ],
)
def test_what_aws_refuses_is_refused(minimum, maximum, policies, actions, said):
    with pytest.raises(ResourceError, match=said):
        check(minimum, maximum, policies, actions)


@pytest.mark.parametrize(
    ("policies", "actions"),
    [
        ([], []),
        ([CPU, STEP], [ACTION, {**ACTION, "name": "soon", "schedule": "at(2026-12-24T18:00:00)"}]),
        ([CPU], [{**ACTION, "timezone": "Asia/Seoul"}, {**ACTION, "name": "gmt", "timezone": "Etc/GMT+9"}]),
        ([{**CPU, "target": 120}], [{**ACTION, "schedule": "rate(1 hour)", "min": None, "max": 0}]),
        ([steps((None, -10), (-10, 0))], []),
        ([steps((10, None), (0, 10))], []),
        ([steps((None, None))], []),
        ([{**CPU, "metric": REQUESTS, "load_balancer": "b", "target_group": "g", "name": "r"}, CPU], []),
    ],
)
def test_what_aws_takes_is_taken(policies, actions):
    check(0, 16, policies, actions)


@pytest.fixture(autouse=True)
def zones(monkeypatch):
    """Whatever this machine has: all time zones."""
    some = {f"Area/Place{n}" for n in range(scalable_target_options._ZONES)}
    monkeypatch.setattr(scalable_target_options.zoneinfo, "available_timezones", lambda: {"Asia/Seoul", "Etc/GMT+9", *some})
    scalable_target_options._zones.cache_clear()
    yield
    scalable_target_options._zones.cache_clear()


@pytest.mark.parametrize("known", [set(), {"UTC", "Europe/Berlin"}])
def test_without_a_whole_database_time_zones_are_not_checked(monkeypatch, known):
    monkeypatch.setattr(scalable_target_options.zoneinfo, "available_timezones", lambda: known)
    check(0, 16, [], [{**ACTION, "timezone": "Asia/Soul"}])


def test_all_that_is_wrong_is_told_at_once():
    policies = [{**CPU, "target": 0, "scale_in_cooldown": -1}, steps((0, 10), (5, None)), {**CPU, "name": "other"}]
    actions = [{**ACTION, "name": "a/b", "schedule": "8:00"}, {**ACTION, "min": None}]
    with pytest.raises(ResourceError) as e:
        check(3, 2, policies, actions)
    said = str(e.value).splitlines()
    for part in ("min is 3", "target is 0", "scale_in_cooldown", "without gap", "both track", "AWS refuses", "'8:00'", "neither min"):
        assert sum(part in line for line in said) == 1, part
    assert [f.option for f in policy_faults(policies)] == ["policies"] * 4
    assert all(f.problem.endswith(".") and f.remedy.endswith(".") for f in (*policy_faults(policies), *action_faults(actions, 1, 2)))


def test_bounds_that_are_not_known_are_not_compared():
    assert list(action_faults([{**ACTION, "min": 99}], None, None)) == []
