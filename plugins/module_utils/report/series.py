# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which metrics the page draws, as queries of GetMetricData, and its answers as series.

What there is: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html,
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html and
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-metrics.html. Running tasks are counted by
Container Insights only; without it, what is healthy behind the load balancer stands in.
"""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping

#: GetMetricData takes so many queries in one call.
AT_ONCE = 500
Spec = tuple[str, str, str, str, dict[str, str]]


def period(hours: float) -> int:
    """Return seconds that one value stands for, so that a chart has a few hundred of them.

    CloudWatch keeps values of a minute for 15 days, and of five minutes for 63.
    """
    return 60 if hours <= 6 else 300 if hours <= 48 else 3600


def of_cluster(cluster: Mapping[str, Any]) -> list[Spec]:
    """Return (key, namespace, metric, statistic, dimensions) of each series of a cluster."""
    name = {"ClusterName": cluster["name"]}
    found: list[Spec] = [
        ("cpu_reservation", "AWS/ECS", "CPUReservation", "Average", name),
        ("memory_reservation", "AWS/ECS", "MemoryReservation", "Average", name),
        ("cpu", "AWS/ECS", "CPUUtilization", "Average", name),
        ("memory", "AWS/ECS", "MemoryUtilization", "Average", name),
    ]
    if cluster.get("group"):
        group = {"AutoScalingGroupName": cluster["group"]["name"]}
        found += [
            ("instances", "AWS/AutoScaling", "GroupInServiceInstances", "Average", group),
            ("instances_wanted", "AWS/AutoScaling", "GroupDesiredCapacity", "Average", group),
        ]
    if cluster.get("insights"):
        found.append(("instances_counted", "ECS/ContainerInsights", "ContainerInstanceCount", "Average", name))
    return found


def of_service(cluster: Mapping[str, Any], service: Mapping[str, Any]) -> list[Spec]:
    """Return the same of a service."""
    name = {"ClusterName": cluster["name"], "ServiceName": service["name"]}
    found: list[Spec] = [
        ("cpu", "AWS/ECS", "CPUUtilization", "Average", name),
        ("memory", "AWS/ECS", "MemoryUtilization", "Average", name),
    ]
    if cluster.get("insights"):
        found += [
            ("running", "ECS/ContainerInsights", "RunningTaskCount", "Average", name),
            ("desired", "ECS/ContainerInsights", "DesiredTaskCount", "Average", name),
        ]
    group = next((g for g in service.get("target_groups") or [] if g.get("metric") and g.get("balancer_metric")), None)
    if group:
        targets = {"LoadBalancer": group["balancer_metric"], "TargetGroup": group["metric"]}
        alb = "AWS/ApplicationELB"
        found += [
            ("healthy", alb, "HealthyHostCount", "Minimum", targets),
            ("unhealthy", alb, "UnHealthyHostCount", "Maximum", targets),
            ("requests", alb, "RequestCount", "Sum", targets),
            ("errors", alb, "HTTPCode_Target_5XX_Count", "Sum", targets),
            ("balancer_errors", alb, "HTTPCode_ELB_5XX_Count", "Sum", {"LoadBalancer": group["balancer_metric"]}),
            ("latency", alb, "TargetResponseTime", "p50", targets),
            ("latency_slow", alb, "TargetResponseTime", "p99", targets),
        ]
    return found


def queries(specs: Iterable[tuple[str, Spec]], seconds: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return (id, MetricDataQuery) of (id, spec)."""
    for identifier, (_key, namespace, metric, statistic, dimensions) in specs:
        named = [{"Name": k, "Value": v} for k, v in dimensions.items()]
        of = {"Namespace": namespace, "MetricName": metric, "Dimensions": named}
        yield identifier, {"Id": identifier, "MetricStat": {"Metric": of, "Period": seconds, "Stat": statistic}}


def points(result: Mapping[str, Any]) -> list[list[float]]:
    """Return [[seconds since 1970, value], …] of one MetricDataResult, oldest first."""
    return [[stamp.timestamp(), value] for stamp, value in sorted(zip(result["Timestamps"], result["Values"]))]


def last(series: list[list[float]] | None) -> float | None:
    """Return the newest value."""
    return series[-1][1] if series else None


def highest(series: list[list[float]] | None) -> float | None:
    """Return the highest value."""
    return max(value for _stamp, value in series) if series else None
