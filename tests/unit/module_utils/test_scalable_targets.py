# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from unit.module_utils.scaling_samples import ACTION, CPU, STEP

from ansible_collections.handson.ecs.plugins.module_utils import scalable_targets as targets


@pytest.mark.parametrize("other", [{}, {"disable_scale_in": True}, {"target": 0.5}, {"scale_in_cooldown": 0}])
@pytest.mark.parametrize("label", [None, "app/b/1/targetgroup/g/2"])
def test_target_tracking_there_and_back(other, label):
    wanted = targets.wanted_policy({**CPU, **other}, label)
    assert targets.policy_from_aws(targets.policy_to_aws(wanted), None) == wanted


@pytest.mark.parametrize(
    "other",
    [{}, {"steps": [{"lower": 10, "adjustment": 40}, {"lower": 0, "upper": 10, "adjustment": 20}]}, {"cooldown": 0}],
)
def test_steps_there_and_back(other):
    wanted = targets.wanted_policy({**STEP, **other})
    sent = {**targets.policy_to_aws(wanted), "PolicyARN": "arn"}
    alarm = targets.alarm_to_aws(wanted["alarm"], "c", "s", "steps", "arn")
    assert alarm["AlarmName"] == "s/c/steps" and alarm["DatapointsToAlarm"] == 3
    assert targets.policy_from_aws(sent, alarm) == wanted


@pytest.mark.parametrize(
    "broken", [{"ActionsEnabled": False}, {"AlarmActions": []}, {"AlarmActions": ["another"]}, {"Threshold": 1.0}]
)
def test_a_broken_alarm_is_a_difference(broken):
    wanted = targets.wanted_policy(STEP)
    sent = {**targets.policy_to_aws(wanted), "PolicyARN": "arn"}
    alarm = {**targets.alarm_to_aws(wanted["alarm"], "c", "s", "steps", "arn"), **broken}
    assert targets.policy_from_aws(sent, alarm) != wanted
    assert targets.policy_from_aws(sent, None) != wanted


@pytest.mark.parametrize(
    ("found", "said"),
    [(["high", "low", "other"], "there"), (["low"], "deleted: high"), ([], "deleted: high, low")],
)
def test_an_alarm_that_tracking_lost_is_a_difference(found, said):
    wanted = targets.wanted_policy(CPU)
    sent = {**targets.policy_to_aws(wanted), "Alarms": [{"AlarmName": "low"}, {"AlarmName": "high"}]}
    own = targets.own_alarms(sent, found)
    assert own == said
    assert (targets.policy_from_aws(sent, None, own) == wanted) == (said == "there")


def test_a_policy_that_names_no_alarm_lacks_none():
    assert targets.own_alarms({}, []) == targets.own_alarms({"Alarms": None}, ["x"]) == "there"


def test_what_aws_leaves_out_is_its_default():
    said = {
        "PolicyName": "cpu",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 55.0},
    }
    found = targets.policy_from_aws(said, None)
    assert (found["scale_in_cooldown"], found["scale_out_cooldown"], found["disable_scale_in"]) == (300, 300, False)
    assert found["metric"] is None, "a metric of one's own"
    assert targets.policy_from_aws({"PolicyName": "p", "PolicyType": "PredictiveScaling"}, None)["type"] == "predictive"


@pytest.mark.parametrize(
    "action",
    [
        ACTION,
        {**ACTION, "min": 0, "max": 4},
        {**ACTION, "schedule": "rate(1 hour)"},
        {**ACTION, "timezone": "Asia/Seoul"},
    ],
)
def test_scheduled_actions_there_and_back(action):
    assert targets.action_from_aws(targets.action_to_aws(action)) == action


@pytest.mark.parametrize(
    ("current", "actions", "wanted"),
    [
        (None, [ACTION], (1, 8)),
        ({"min": 1, "max": 8}, [], (1, 8)),
        ({"min": 2, "max": 9}, [], (1, 8)),
        ({"min": 2, "max": 9}, [ACTION], (2, 8)),  # the day's minimum
        ({"min": 3, "max": 4}, [ACTION, {**ACTION, "min": None, "max": 4}], (1, 4)),
        ({"min": 9, "max": 16}, [{**ACTION, "min": 9, "max": 16}], (9, 16)),
        ({"min": 9, "max": 12}, [{**ACTION, "min": 9, "max": 16}], (1, 8)),
    ],
)
def test_a_bound_that_the_clock_has_set_stays(current, actions, wanted):
    assert targets.bounds(current, 1, 8, actions) == wanted


def test_suspended_there_and_back():
    assert targets.suspended_from_aws(None) == {"scale_in": False, "scale_out": False, "scheduled": False}
    some = {"scale_in": True, "scale_out": False, "scheduled": True}
    assert targets.suspended_from_aws(targets.suspended_to_aws(some)) == some


def test_the_resource_label_is_that_of_the_documentation():
    balancer = "arn:aws:elasticloadbalancing:us-west-2:123456789012:loadbalancer/app/my-alb/778d41231b141a0f"
    group = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/my-alb-target-group/943f017f100becff"
    assert (
        targets.resource_label(balancer, group)
        == "app/my-alb/778d41231b141a0f/targetgroup/my-alb-target-group/943f017f100becff"
    )


@pytest.mark.parametrize(
    ("alarm", "said"),
    [
        (
            ("CPUUtilization", "GreaterThanThreshold", 55.0, 3, 3, 60),
            "CPUUtilization > 55 for 3 datapoints within 3 minutes",
        ),
        (
            ("CPUUtilization", "LessThanThreshold", 41.25, 15, None, 60),
            "CPUUtilization < 41.25 for 15 datapoints within 15 minutes",
        ),
        (("M", "LessThanOrEqualToThreshold", 1, 2, 1, 300), "M ≤ 1 for 1 datapoints within 10 minutes"),
    ],
)
def test_when_an_alarm_goes_off(alarm, said):
    keys = ("MetricName", "ComparisonOperator", "Threshold", "EvaluationPeriods", "DatapointsToAlarm", "Period")
    assert targets.condition(dict(zip(keys, alarm))) == said
