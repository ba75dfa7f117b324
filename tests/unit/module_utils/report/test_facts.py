# SPDX-License-Identifier: GPL-3.0-or-later
from datetime import datetime, timezone

import pytest

from ansible_collections.handson.ecs.plugins.module_utils.report import facts

AT = datetime(2026, 11, 22, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("definition", "size"),
    [
        ({"cpu": "512", "memory": "1024", "containerDefinitions": [{"cpu": 0, "memoryReservation": 625}]}, (512, 1024)),
        ({"cpu": "512", "containerDefinitions": [{"memoryReservation": 625, "memory": 900}]}, (512, 625)),
        ({"containerDefinitions": [{"cpu": 256, "memory": 256}, {"cpu": 10}]}, (266, 256)),
        ({}, (0, 0)),
    ],
)
def test_what_a_task_reserves(definition, size):
    told = facts.size(definition)
    assert (told["cpu"], told["memory"]) == size


@pytest.mark.parametrize(
    ("name", "dimensions", "belongs"),
    [
        ("any", {"ClusterName": "c"}, True),
        ("any", {"ClusterName": "d"}, False),
        ("any", {}, False),
        ("web/error-lines", {}, True),
        ("c/queue", {"QueueName": "q"}, True),
        ("web-2/error-lines", {}, False),
        ("web/d/steps", {"ClusterName": "d"}, False),
        ("web/c/steps", {"ClusterName": "c"}, True),
    ],
)
def test_whose_an_alarm_is(name, dimensions, belongs):
    alarm = {"AlarmName": name, "Dimensions": [{"Name": n, "Value": v} for n, v in dimensions.items()]}
    assert facts.belongs(alarm, {("ClusterName", "c")}, ("c/", "web/")) is belongs


@pytest.mark.parametrize(
    ("kind", "metric"),
    [
        ("ECSServiceAverageCPUUtilization", "cpu"),
        ("ECSServiceAverageMemoryUtilization", "memory"),
        ("ALBRequestCountPerTarget", "requests"),
        (None, "other"),
    ],
)
def test_what_a_policy_keeps(kind, metric):
    tracking = {"TargetValue": 55.0, **({"PredefinedMetricSpecification": {"PredefinedMetricType": kind}} if kind else {})}
    assert facts.target(tracking) == {"metric": metric, "value": 55.0}


def test_no_environment_is_taken_over():
    container = {"name": "app", "image": "app:1", "environment": [{"name": "PASSWORD", "value": "hunter2"}],
                 "secrets": [{"name": "KEY", "valueFrom": "arn:secret"}], "command": ["--token=hunter2"]}  # fmt: skip
    assert "hunter2" not in str(facts.size({"containerDefinitions": [container]}))
    assert facts.size({"containerDefinitions": [container]})["images"] == ["app: app:1"]


SERVICE = {"status": "ACTIVE", "desired": 2, "running": 2, "pending": 0, "target_groups": [], "deployments": []}


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "good"),
        ({"missing": True}, "gone"),
        ({"missing": True, "unread": True}, "unknown"),
        ({"status": "DRAINING"}, "gone"),
        ({"desired": 0, "running": 0}, "idle"),
        ({"running": 1}, "bad"),
        ({"running": 1, "pending": 1}, "moving"),
        ({"running": 3}, "moving"),
        ({"deployments": [{"rollout": "IN_PROGRESS"}], "running": 1}, "moving"),
        ({"deployments": [{"rollout": "FAILED"}]}, "bad"),
        ({"deployments": [{"rollout": "COMPLETED"}]}, "good"),
        ({"deployments": [{"rollout": "COMPLETED"}, {"rollout": "COMPLETED"}]}, "moving"),
        ({"target_groups": [{"states": {"healthy": 1, "unhealthy": 1}}]}, "bad"),
        ({"target_groups": [{"states": {"healthy": 2, "draining": 1, "initial": 1}}]}, "good"),
        ({"target_groups": [{"states": {"unhealthy": 1}}], "deployments": [{"rollout": "IN_PROGRESS"}]}, "moving"),
    ],
)
def test_states(change, state):
    assert facts.state_of({**SERVICE, **change}) == state


def stopped(code, why, /, at=0, **container):
    when = AT.replace(minute=at)
    return {"taskArn": "arn:task/c/abc", "lastStatus": "STOPPED", "stopCode": code, "stoppedReason": why,
            "stoppedAt": when, "containers": [{"name": "app", **container}], "taskDefinitionArn": "arn:td/app:3"}  # fmt: skip


@pytest.mark.parametrize(
    ("task", "wanted", "why"),
    [
        (stopped("ServiceSchedulerInitiated", "Scaling activity", exitCode=143), True, "Scaling activity"),
        (stopped("ServiceSchedulerInitiated", "Task failed ELB health checks", exitCode=143), False,
         "Task failed ELB health checks; app: exit code 143"),
        (stopped("EssentialContainerExited", "Essential container in task exited", exitCode=137, reason="OutOfMemoryError"),
         False, "Essential container in task exited; app: exit code 137, OutOfMemoryError"),
        (stopped("TaskFailedToStart", "CannotPullContainerError", reason="CannotPullContainerError"), False,
         "CannotPullContainerError"),
    ],
)  # fmt: skip
def test_why_a_task_ended(task, wanted, why):
    told = facts.ended(task)
    assert (told["wanted"], told["why"], told["revision"], told["id"]) == (wanted, why, "app:3", "abc")


def test_what_nobody_wanted_stands_first():
    tasks = [stopped("ServiceSchedulerInitiated", "Scaling activity", at=5), stopped("EssentialContainerExited", "x", at=1),
             stopped("EssentialContainerExited", "y", at=3)]  # fmt: skip
    assert [t["stoppedReason"] for t in facts.ended_lately(tasks)] == ["y", "x", "Scaling activity"]


def test_a_rule_with_several_target_groups():
    raw = {"Priority": "1", "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a*"]}},
                                           {"Field": "host-header", "Values": ["x.example"]}],
           "Actions": [{"Type": "forward", "TargetGroupArn": "a", "ForwardConfig": {"TargetGroups": [
               {"TargetGroupArn": "a"}, {"TargetGroupArn": "b"}]}}]}  # fmt: skip
    told = facts.rule(raw)
    assert (told["paths"], told["hosts"], told["target_groups"][0], "b" in told["target_groups"]) == (["/a*"], ["x.example"], "a", True)


def test_dimensions_of_an_alarm_with_an_expression():
    raw = {"Metrics": [{"Id": "r", "Expression": "a/b"}, {"Id": "a", "MetricStat": {"Metric": {"Dimensions": [
        {"Name": "LoadBalancer", "Value": "app/x/1"}]}}}]}  # fmt: skip
    assert facts.dimensions(raw) == {("LoadBalancer", "app/x/1")}


@pytest.mark.parametrize(
    ("raw", "metrics"),
    [
        ({"MetricName": "CPUUtilization"}, 1),
        ({"Metrics": [{"Id": "e", "Expression": "a+b"}, {"Id": "a", "MetricStat": {"Stat": "Sum"}}, {"Id": "b", "MetricStat": {"Stat": "Sum"}}]}, 2),
    ],
)
def test_an_alarm_is_billed_for_each_metric_that_it_reads(raw, metrics):
    assert facts.alarm({"AlarmName": "a", **raw})["metrics"] == metrics
