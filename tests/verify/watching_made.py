# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What watches a cluster and its services (tutorial section 6): topic, rule, alarms, dashboards."""

import json
from typing import Any

from readback import ACCOUNT, REGION, Expectations, client, pages, tags_of

OVER, BELOW = "GreaterThanThreshold", "LessThanThreshold"
AT_LEAST, ALB = "GreaterThanOrEqualToThreshold", "AWS/ApplicationELB"


def cluster(expect: Expectations, name: str) -> None:
    """The topic, the rule of failed deployments and the alarms of a cluster."""
    sns, events = client("sns"), client("events")
    topic, owner = topic_of(name), {"handson:cluster": name}
    expect.contains("tags of the topic", tags_of(sns.list_tags_for_resource(ResourceArn=topic)["Tags"]), owner)
    statements = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])["Statement"]
    publish = {
        (s["Effect"], str(s["Principal"]).partition("Service': ")[2].strip("[]}'"), json.dumps(s.get("Condition")))
        for s in statements
    }
    # EventBridge's rules send nothing that a condition could hold them by.
    expect.equal(
        "who publishes",
        publish,
        {
            ("Deny", "", json.dumps({"Bool": {"aws:SecureTransport": "false"}})),
            ("Allow", "cloudwatch.amazonaws.com", json.dumps({"StringEquals": {"aws:SourceAccount": ACCOUNT}})),
            ("Allow", "events.amazonaws.com", "null"),
        },
    )

    rule = events.describe_rule(Name=f"{name}-failed-deployments")
    expect.equal("rule", rule["State"], "ENABLED")
    expect.contains("its tags", tags_of(events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]), owner)
    pattern = json.loads(rule["EventPattern"])
    expect.equal("what it takes", pattern["detail"]["eventName"], ["SERVICE_DEPLOYMENT_FAILED"])
    of_here = [{"prefix": f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{name}/"}]
    expect.equal("of which services", pattern["resources"], of_here)
    targets = events.list_targets_by_rule(Rule=f"{name}-failed-deployments")["Targets"]
    expect.equal("whom it tells", [t["Arn"] for t in targets], [topic])

    alarms = alarms_of(f"{name}/")
    here, in_front = {"ClusterName": name}, {"LoadBalancer": _balancer(name)}
    wanted = {
        f"{name}/cpu-reservation": ("AWS/ECS", "CPUReservation", here, "Average", AT_LEAST, 90.0, 5, 5),
        f"{name}/memory-reservation": ("AWS/ECS", "MemoryReservation", here, "Average", AT_LEAST, 90.0, 5, 5),
        f"{name}/load-balancer-errors": (ALB, "HTTPCode_ELB_5XX_Count", in_front, "Sum", OVER, 0.0, 3, 5),
    }
    expect.equal("alarms of the cluster", {k: _said(a) for k, a in alarms.items()}, wanted)
    _tell(expect, alarms, topic, owner)


def service(expect: Expectations, cluster_name: str, name: str, least_tasks: int, error_pattern: str = "") -> None:
    """The alarms and the dashboard of a service; with a pattern also what counts such lines of its log."""
    prefix = name.removesuffix("-service")
    elbv2, owner = client("elbv2"), {"handson:cluster": cluster_name, "handson:service": name}
    group = elbv2.describe_target_groups(Names=[f"{prefix}-target"])["TargetGroups"][0]
    targets = {"LoadBalancer": _balancer(cluster_name), "TargetGroup": group["TargetGroupArn"].split(":")[-1]}
    lines = (f"handson/{cluster_name}", f"{name}-errors")
    alarms = alarms_of(f"{name}/")
    expect.equal(
        "alarms of the service",
        {k: _said(a) for k, a in alarms.items()},
        {
            f"{name}/unhealthy-hosts": (ALB, "UnHealthyHostCount", targets, "Maximum", OVER, 0.0, 5, 5),
            f"{name}/short-of-tasks": (ALB, "HealthyHostCount", targets, "Minimum", BELOW, float(least_tasks), 5, 5),
            f"{name}/errors": (None, None, {}, None, AT_LEAST, 5.0, 3, 5),
            **({f"{name}/error-lines": (*lines, {}, "Sum", OVER, 0.0, 3, 5)} if error_pattern else {}),
        },
    )
    filters = client("logs").describe_metric_filters(logGroupName=f"/ecs/{prefix}-task")["metricFilters"]
    counted = [(f["filterPattern"], _counted(f["metricTransformations"])) for f in filters]
    expect.equal("lines of its log that count", counted, [(error_pattern, [lines])] if error_pattern else [])
    metrics = {m["Id"]: m for m in alarms[f"{name}/errors"]["Metrics"]}
    counted = {k: m["MetricStat"]["Metric"]["MetricName"] for k, m in metrics.items() if "MetricStat" in m}
    expect.equal("what errors counts", counted, {"errors": "HTTPCode_Target_5XX_Count", "requests": "RequestCount"})
    expect.equal("its rate", metrics["rate"]["Expression"], "100 * FILL(errors, 0) / requests")
    expect.equal("missing tasks", alarms[f"{name}/short-of-tasks"]["TreatMissingData"], "breaching")
    _tell(expect, alarms, topic_of(cluster_name), owner)

    body = json.loads(client("cloudwatch").get_dashboard(DashboardName=prefix)["DashboardBody"])
    shown = [_widget(w) for w in body["widgets"]]
    on_cluster, on_service = (("ClusterName", cluster_name),), (("ClusterName", cluster_name), ("ServiceName", name))
    behind = tuple(targets.items())
    expect.equal(
        "what the dashboard shows",
        shown,
        [
            [("CPUReservation", on_cluster), ("MemoryReservation", on_cluster)],
            [("CPUUtilization", on_cluster), ("MemoryUtilization", on_cluster)],
            [("CPUUtilization", on_service), ("MemoryUtilization", on_service)],
            [("HealthyHostCount", behind), ("UnHealthyHostCount", behind)],
            [
                ("RequestCount", behind),
                ("HTTPCode_Target_5XX_Count", behind),
                ("HTTPCode_ELB_5XX_Count", behind[:1]),
            ],
            [("TargetResponseTime", behind), ("TargetResponseTime", behind)],
        ],
    )
    regions = {w["properties"]["region"] for w in body["widgets"]}
    expect.equal("regions of the dashboard", regions, {REGION})


def stepping(expect: Expectations, cluster_name: str, name: str) -> None:
    """Expect that the step policy `steps` of a service has its alarm, which calls it and nobody else."""
    key = {"ServiceNamespace": "ecs", "ResourceId": f"service/{cluster_name}/{name}"}
    found = client("application-autoscaling").describe_scaling_policies(**key)["ScalingPolicies"]
    policy = expect.only("policies of the service", found)
    found = client("cloudwatch").describe_alarms(AlarmNames=[f"{name}/{cluster_name}/steps"])["MetricAlarms"]
    expect.equal("whom the alarm of the step policy calls", [a["AlarmActions"] for a in found], [[policy["PolicyARN"]]])


def topic_of(cluster_name: str) -> str:
    """The ARN of the topic that a cluster's alarms are told to."""
    return f"arn:aws:sns:{REGION}:{ACCOUNT}:{cluster_name.removesuffix('-cluster')}-alarms"


def alarms_of(prefix: str) -> dict[str, dict[str, Any]]:
    """{name: alarm} of those whose name begins so, without those of step scaling policies (<service>/<cluster>/<policy>)."""
    found = pages("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNamePrefix=prefix)
    return {a["AlarmName"]: a for a in found if "/" not in a["AlarmName"].removeprefix(prefix)}


def tracking(expect: Expectations, what: str, policy: dict[str, Any], high: float, low: float) -> None:
    """Expect the two alarms of a target tracking policy (tutorial sections 7.1 and 7.2), by their thresholds."""
    names = [a["AlarmName"] for a in policy["Alarms"]]
    found = client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    said = sorted(
        (a["Threshold"], a["ComparisonOperator"], a["DatapointsToAlarm"], a["EvaluationPeriods"], a["Period"])
        for a in found
    )
    expect.equal(f"alarms of {what}", said, [(low, BELOW, 15, 15, 60), (high, OVER, 3, 3, 60)])


def _balancer(cluster_name: str) -> str:
    """The load balancer of a cluster, as metrics name it."""
    named = f"{cluster_name.removesuffix('-cluster')}-alb"
    found = client("elbv2").describe_load_balancers(Names=[named])["LoadBalancers"]
    return found[0]["LoadBalancerArn"].split(":loadbalancer/")[1]


def _said(a: dict[str, Any]) -> tuple:
    """Metric, comparison, threshold, and how many of how many minutes."""
    dimensions = {d["Name"]: d["Value"] for d in a["Dimensions"]}
    metric = (a.get("Namespace"), a.get("MetricName"), dimensions, a.get("Statistic"))
    points = (a.get("DatapointsToAlarm", a["EvaluationPeriods"]), a["EvaluationPeriods"])
    return (*metric, a["ComparisonOperator"], a["Threshold"], *points)


def _counted(transformations: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(t["metricNamespace"], t["metricName"]) for t in transformations]


def _tell(expect: Expectations, alarms: dict[str, dict[str, Any]], topic: str, owner: dict[str, str]) -> None:
    for name, alarm in alarms.items():
        expect.equal(f"whom {name} tells", (alarm["AlarmActions"], alarm["OKActions"]), ([topic], [topic]))
        tags = client("cloudwatch").list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        expect.contains(f"tags of {name}", tags_of(tags), owner)


def _widget(widget: dict[str, Any]) -> list[tuple[str, tuple]]:
    """[(metric, ((dimension, value), …)), …] of a widget."""
    lines = []
    for metric in widget["properties"]["metrics"]:
        words = [w for w in metric if isinstance(w, str)]
        lines.append((words[1], tuple(zip(words[2::2], words[3::2], strict=True))))
    return lines
