# SPDX-License-Identifier: GPL-3.0-or-later
"""Monitoring and scaling: what breaks them, and that the tutorial's values don't."""

import pytest
from unit.preflight.samples import cluster, one, seen, service

from ansible_collections.handson.ecs.plugins.module_utils.preflight import watching
from ansible_collections.handson.ecs.plugins.module_utils.preflight.watching import METRICS

SCALED = {
    "service_scaling_enabled": True,
    "service_scaling_min": 2,
    "service_scaling_max": 16,
    "service_scaling_metric": "ECSServiceAverageCPUUtilization",
    "service_scaling_target": 55,
    "service_scaling_scale_out_cooldown": 150,
    "service_scaling_scale_in_cooldown": 150,
    "service_scaling_policies": [],
}


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        ({"service_scaling_max": 1}, "service_scaling_max", "fewest tasks are 2"),
        ({"service_scaling_min": -1}, "service_scaling_min", "0 or more"),
        ({"service_desired_count": 20}, "service_desired_count", "to 16 at once"),
        ({"service_scaling_target": 0}, "service_scaling_target", "above 0"),
        ({"service_scaling_metric": "CPU"}, "service_scaling_metric", "ALBRequestCountPerTarget"),
        ({"service_scaling_scale_in_cooldown": -5}, "service_scaling_scale_in_cooldown", "0 or more"),
        ({"service_scheduling_strategy": "DAEMON"}, "service_scaling_enabled", "nothing scales it"),
        ({"service_scaling_suspended": {"scalein": True}}, "service_scaling_suspended", "no option scalein"),
        ({"service_scaling_suspended": {"scale_in": "maybe"}}, "service_scaling_suspended", "scale_in"),
    ],
)
def test_scaling_of_services(changes, variable, says):
    assert list(watching.check_service_scaling(service(**SCALED))) == []
    one(watching.check_service_scaling, service(**{**SCALED, **changes}), variable, says)


STEPS = {
    "name": "steps",
    "type": "step",
    "adjustment_type": "ChangeInCapacity",
    "steps": [{"lower": 0, "upper": "10", "adjustment": 1}, {"lower": 10, "adjustment": 2}],
    "alarm": {"comparison": "GreaterThanThreshold", "threshold": 50},
}
CPU = {"name": "cpu", "metric": "ECSServiceAverageCPUUtilization", "target": "55"}
DAY = {"name": "day", "schedule": "cron(0 8 ? * MON-FRI *)", "min": 4}


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ({**CPU, "metric": "CPUUtilization"}, "metric must be one of"),
        ({**CPU, "taget": 55}, "no option taget"),
        ({**CPU, "target": None}, "needs metric and target"),
        ({**CPU, "target": "high"}, "'target'"),
        ({k: v for k, v in CPU.items() if k != "name"}, "missing required arguments: name"),
        ({**STEPS, "steps": [{"lower": 0, "upper": 20, "adjustment": 1}, {"lower": 10, "adjustment": 2}]}, "gap or overlap"),
        ({**STEPS, "alarm": {"threshold": 50}}, "missing required arguments: comparison"),
        ({**STEPS, "alarm": {**STEPS["alarm"], "comparison": ">"}}, "comparison must be one of"),
        ("cpu", "no dictionary"),
    ],
)
def test_own_policies_are_told_before_anything_is_made(policy, says):
    scaled = {**SCALED, "service_scaling_scheduled_actions": [DAY]}
    assert list(watching.check_service_scaling(service(**{**scaled, "service_scaling_policies": [CPU, STEPS]}))) == []
    changed = service(**{**scaled, "service_scaling_policies": [{**CPU, "name": "other", "metric": METRICS[1]}, policy]})
    one(watching.check_service_scaling, changed, "service_scaling_policies", says)


@pytest.mark.parametrize(
    ("action", "says"),
    [
        ({**DAY, "schedule": "cron(0 8 * * 1-5)"}, "'cron(0 8 * * 1-5)', which AWS does not take"),
        ({**DAY, "min": 17}, "outside of min 2 to max 16"),
        ({**DAY, "min": None}, "neither min nor max"),
        ({**DAY, "timzone": "Asia/Seoul"}, "no option timzone"),
        ({"name": "day", "min": 4}, "missing required arguments: schedule"),
    ],
)
def test_own_schedules(action, says):
    changed = service(**{**SCALED, "service_scaling_scheduled_actions": [{**DAY, "name": "other"}, action]})
    one(watching.check_service_scaling, changed, "service_scaling_scheduled_actions", says)


def test_all_of_them_at_once_and_what_to_do():
    wrong = {
        "service_scaling_policies": [{**CPU, "target": 0}, {**STEPS, "steps": [{"lower": 5, "upper": 1, "adjustment": 1}]}],
        "service_scaling_scheduled_actions": [{**DAY, "schedule": "8:00"}, {**DAY, "name": "a/b"}],
    }
    told = list(watching.check_service_scaling(service(**{**SCALED, **wrong})))
    assert sorted(f.variable for f in told) == ["service_scaling_policies"] * 2 + ["service_scaling_scheduled_actions"] * 2
    assert any("cron(minutes hours day-of-month" in f.remedy for f in told)
    assert list(watching.check_service_scaling(service(**{**SCALED, **wrong, "service_scaling_enabled": False}))) == []


TRACKED = {
    "instance_scaling_mode": "target_tracking",
    "instance_scaling_target": 55,
    "instance_scaling_warmup": 0,
    "instances_max": 4,
}


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        ({"instance_scaling_mode": "both"}, "instance_scaling_mode", "none, target_tracking"),
        ({"instances_capacity_provider_enabled": True}, "instance_scaling_mode", "two controllers"),
        ({"instance_scaling_target": "high"}, "instance_scaling_target", "above 0"),
        ({"instance_scaling_warmup": -1}, "instance_scaling_warmup", "0 or more"),
        ({"instances_max": 2}, "instances_max?", "nothing can scale"),
    ],
)
def test_scaling_of_instances(changes, variable, says):
    assert list(watching.check_instance_scaling(cluster(**TRACKED))) == []
    one(watching.check_instance_scaling, cluster(**{**TRACKED, **changes}), variable, says)


WATCHED = {
    "monitoring_enabled": True,
    "monitoring_topic_name": "petclinic-rest-alarms",
    "monitoring_emails": ["ops@example.org"],
    "monitoring_kms_key": "",
    "monitoring_reservation_threshold": 90,
    "monitoring_error_threshold": 5,
    "monitoring_latency_threshold": 0,
    "monitoring_load_balancer_errors": 0,
    "monitoring_least_tasks": 1,
}


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        ({"monitoring_topic_name": "a b"}, "monitoring_topic_name", "1 to 256"),
        ({"monitoring_emails": ["ops"]}, "monitoring_emails", "no e-mail address"),
        ({"monitoring_kms_key": "alias/aws/sns"}, "monitoring_kms_key", "nobody would be told"),
        ({"monitoring_reservation_threshold": 101}, "monitoring_reservation_threshold", "1 to 100"),
        ({"monitoring_load_balancer_errors": -1}, "monitoring_load_balancer_errors", "0 or more"),
        ({"monitoring_latency_threshold": -1}, "monitoring_latency_threshold", "0 or more"),
        ({"monitoring_latency_threshold": "fast"}, "monitoring_latency_threshold", "number of seconds"),
        ({"monitoring_latency_threshold": True}, "monitoring_latency_threshold", "number of seconds"),
        ({"monitoring_latency_threshold": "nan"}, "monitoring_latency_threshold", "number of seconds"),
    ],
)
def test_monitoring(changes, variable, says):
    assert list(watching.check_monitoring(cluster(**WATCHED))) == list(watching.check_monitoring(service(**WATCHED))) == []
    one(watching.check_monitoring, cluster(**{**WATCHED, **changes}), variable, says)


@pytest.mark.parametrize("seconds", [0, 2, 0.5, "0.5"])
def test_a_latency_may_be_a_part_of_a_second(seconds):
    host = service(**{**WATCHED, "monitoring_latency_threshold": seconds})
    assert list(watching.check_monitoring(host)) == []


QUEUE = {"name": "queue", "namespace": "mine", "metric": "Length", "comparison": ">", "threshold": "10"}
WIDGET = {"type": "text", "x": 0, "y": 12, "width": 24, "height": 2, "properties": {"markdown": "# mine"}}


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        ({"monitoring_alarms": [{**QUEUE, "period": 45}]}, "monitoring_alarms", "'queue': a period of 45 s"),
        ({"monitoring_alarms": [{**QUEUE, "comparison": "above"}]}, "monitoring_alarms", "comparison must be one of"),
        ({"monitoring_alarms": [{**QUEUE, "treshold": 1}]}, "monitoring_alarms", "no option treshold"),
        ({"monitoring_alarms": [{**QUEUE, "name": "errors"}]}, "monitoring_alarms", "another alarm named 'errors'"),
        (
            {"monitoring_alarms": [{**QUEUE, "name": "latency"}], "monitoring_latency_threshold": 0.5},
            "monitoring_alarms",
            "another alarm named 'latency'",
        ),
        ({"monitoring_alarms": [QUEUE, {**QUEUE, "period": 300}]}, "monitoring_alarms", "another alarm named 'queue'"),
        ({"monitoring_alarms": [{**QUEUE, "name": "a/b"}]}, "monitoring_alarms", "with a slash"),
        ({"monitoring_widgets": [WIDGET, {"properties": {}}]}, "monitoring_widgets", "The widget 2: it has no type"),
        ({"monitoring_widgets": [{**WIDGET, "width": 25}]}, "monitoring_widgets", "width is 25, and goes from 1 to 24"),
        ({"monitoring_widgets": [{**WIDGET, "y": -1}]}, "monitoring_widgets", "y is -1, and goes from 0 on"),
        ({"monitoring_widgets": [{"type": "text", "x": 3, "properties": {"a": 1}}]}, "monitoring_widgets", "one alone"),
    ],
)
def test_own_alarms_and_widgets(changes, variable, says):
    right = {**WATCHED, "monitoring_alarms": [QUEUE, {**QUEUE, "name": "latency"}], "monitoring_widgets": [WIDGET, {"type": "text", "properties": {"a": 1}}]}
    assert list(watching.check_monitoring(service(**right))) == []
    told = [f for f in watching.check_monitoring(service(**{**right, **changes})) if says in f.problem]
    assert [f.variable for f in told] == [variable] and told[0].remedy
    assert list(watching.check_monitoring(service(**{**right, **changes, "monitoring_enabled": False}))) == []


def test_alarms_need_the_clusters_topic():
    told = watching.check_together(service(**WATCHED), cluster(**{**WATCHED, "monitoring_enabled": False}))
    assert seen(told) == ["monitoring_enabled"]
    assert list(watching.check_together(service(**WATCHED), cluster(**WATCHED))) == []
