# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The two alarms that a target tracking policy makes by itself, and that go with it.

As AWS makes them today (it promises none of it): high is 3 of 3 minutes above the target, low is 15 of 15 minutes below
90 % of it for a service, 75 % for an Auto Scaling group. They are records: nobody evaluates them here.
"""

from dataclasses import dataclass
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.moto_api._internal import mock_random


@dataclass(frozen=True)
class Watched:
    """What the alarms look at: the name in theirs, the metric, and the share of the target below which it is low."""

    thing: str
    namespace: str
    metric: str
    statistic: str
    dimensions: dict[str, str]
    low: float


def keep(policy: Any, account: str, region: str, watched: Watched, target: float, action: str) -> None:
    """Make or change the alarms of `policy`, and name them in its `alarms`. A changed alarm keeps its name."""
    cloudwatch = cloudwatch_backends[account][region]
    known = {side: alarm.name for alarm in policy.alarms for side in ("High", "Low") if f"-Alarm{side}-" in alarm.name}
    policy.alarms = []
    for side, comparison, minutes, threshold in (
        ("High", "GreaterThanThreshold", 3, target),
        ("Low", "LessThanThreshold", 15, round(target * watched.low, 6)),
    ):
        policy.alarms.append(
            cloudwatch.put_metric_alarm(
                name=known.get(side) or f"TargetTracking-{watched.thing}-Alarm{side}-{mock_random.uuid4()}",
                namespace=watched.namespace,
                metric_name=watched.metric,
                metric_data_queries=[],
                comparison_operator=comparison,
                evaluation_periods=minutes,
                datapoints_to_alarm=minutes,
                period=60,
                threshold=threshold,
                statistic=watched.statistic,
                description=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.policy_arn}.",
                dimensions=[{"Name": name, "Value": value} for name, value in watched.dimensions.items()],
                alarm_actions=[action],
            )
        )


def drop(policy: Any, account: str, region: str) -> None:
    """Delete the alarms that the policy made."""
    cloudwatch_backends[account][region].delete_alarms([alarm.name for alarm in policy.alarms])
    policy.alarms = []


def requests(label: str) -> Watched | None:
    """What ALBRequestCountPerTarget looks at, from its resource label; None where the label isn't one."""
    parts = label.split("/")
    if len(parts) != 6 or parts[0] != "app" or parts[3] != "targetgroup":
        return None
    dimensions = {"TargetGroup": "/".join(parts[3:]), "LoadBalancer": "/".join(parts[:3])}
    return Watched("", "AWS/ApplicationELB", "RequestCountPerTarget", "Sum", dimensions, 0)
