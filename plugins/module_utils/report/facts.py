# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS's answers in the form that the page is made of: plain dictionaries, times as seconds since 1970.

Nothing is taken over that might be secret: of a task definition sizes, images and ports, no environment.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Iterable, Mapping

from ansible_collections.handson.ecs.plugins.module_utils import diagnosis, metric_names

#: How many of each are kept, newest first.
EVENTS, DEPLOYMENTS, ENDED = 10, 8, 8


def stamp(when: Any) -> float | None:
    """Return seconds since 1970 of a datetime, None of nothing."""
    return when.timestamp() if isinstance(when, datetime) else None


def resource(found: Iterable[Mapping[str, Any]], name: str) -> int:
    """Return a resource (CPU, MEMORY) of a container instance, CPU units or MiB."""
    return next((int(r.get("integerValue") or 0) for r in found if r.get("name") == name), 0)


def instance(raw: Mapping[str, Any], machine: Mapping[str, Any] | None, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a container instance (DescribeContainerInstances) with its machine (DescribeInstances).

    `sizes` are {volume id: {type, size}}.
    """
    machine = machine or {}
    attributes = {a["name"]: a.get("value") for a in raw.get("attributes") or []}
    mapped = [m["Ebs"]["VolumeId"] for m in machine.get("BlockDeviceMappings") or [] if m.get("Ebs")]
    return {
        "arn": raw["containerInstanceArn"],
        "id": raw.get("ec2InstanceId"),
        "type": machine.get("InstanceType") or attributes.get("ecs.instance-type"),
        "zone": (machine.get("Placement") or {}).get("AvailabilityZone") or attributes.get("ecs.availability-zone"),
        "status": raw.get("status"),
        "connected": bool(raw.get("agentConnected")),
        "cpu": resource(raw.get("registeredResources") or [], "CPU"),
        "memory": resource(raw.get("registeredResources") or [], "MEMORY"),
        "public_ip": bool(machine.get("PublicIpAddress")),
        "monitored": (machine.get("Monitoring") or {}).get("State") in ("enabled", "pending"),
        "volumes": [sizes[v] for v in mapped if v in sizes],
    }


def size(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return what one task of a task definition reserves, CPU units and MiB, and the images of its containers.

    The task's own size where it has one, otherwise that of its containers: the soft limit where one is set.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
    """
    containers = definition.get("containerDefinitions") or []
    return {
        "cpu": int(definition.get("cpu") or 0) or sum(int(c.get("cpu") or 0) for c in containers),
        "memory": int(definition.get("memory") or 0)
        or sum(int(c.get("memoryReservation") or c.get("memory") or 0) for c in containers),
        "images": [f"{c.get('name')}: {c.get('image')}" for c in containers],
    }


def revision(arn: str | None) -> str:
    """Return `family:revision` of a task definition's ARN."""
    return (arn or "").rpartition("/")[2]


def service(raw: Mapping[str, Any], sizes: Mapping[str, Any], tasks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a service (DescribeServices). `sizes` are those of the task definitions by ARN, `tasks` its tasks."""
    tasks = list(tasks)
    provider = next((s.get("capacityProvider") for s in raw.get("capacityProviderStrategy") or []), None)
    fargate = raw.get("launchType") == "FARGATE" or str(provider or "").startswith("FARGATE")
    network = (raw.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    rollout = raw.get("deploymentConfiguration") or {}
    current = raw.get("taskDefinition")
    running = [t for t in tasks if t.get("lastStatus") != "STOPPED"]
    events = sorted(raw.get("events") or [], key=lambda e: stamp(e.get("createdAt")) or 0, reverse=True)
    return {
        "name": raw["serviceName"],
        "status": raw.get("status"),
        "desired": raw.get("desiredCount") or 0,
        "running": raw.get("runningCount") or 0,
        "pending": raw.get("pendingCount") or 0,
        "launch_type": "FARGATE" if fargate else "EC2",
        "capacity_provider": provider,
        "public_ip": network.get("assignPublicIp") == "ENABLED",
        "maximum_percent": rollout.get("maximumPercent") or 200,
        "minimum_percent": 100 if rollout.get("minimumHealthyPercent") is None else rollout["minimumHealthyPercent"],
        "task_definition": revision(current),
        "task": sizes.get(current) or {"cpu": 0, "memory": 0, "images": []},
        "deployments": [deployment(d) for d in raw.get("deployments") or []],
        "events": [{"at": stamp(e.get("createdAt")), "message": e.get("message", "")} for e in events[:EVENTS]],
        "target_group_arns": [b["targetGroupArn"] for b in raw.get("loadBalancers") or [] if b.get("targetGroupArn")],
        "tasks": [task(t) for t in running],
        "ended": [ended(t) for t in ended_lately(t for t in tasks if t.get("lastStatus") == "STOPPED")],
    }


def deployment(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deployment as DescribeServices shows it."""
    return {
        "status": raw.get("status"),
        "rollout": raw.get("rolloutState") or "",
        "reason": raw.get("rolloutStateReason") or "",
        "task_definition": revision(raw.get("taskDefinition")),
        "desired": raw.get("desiredCount") or 0,
        "running": raw.get("runningCount") or 0,
        "failed": raw.get("failedTasks") or 0,
        "started": stamp(raw.get("createdAt")),
    }


def history(raw: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return past and present service deployments (ListServiceDeployments), newest first."""
    found = [
        {
            "id": str(d.get("serviceDeploymentArn", "")).rpartition("/")[2],
            "status": d.get("status"),
            "reason": d.get("statusReason") or "",
            "started": stamp(d.get("startedAt") or d.get("createdAt")),
            "finished": stamp(d.get("finishedAt")),
        }
        for d in raw
    ]
    return sorted(found, key=lambda d: d["started"] or 0, reverse=True)[:DEPLOYMENTS]


def task(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task (DescribeTasks) that has not stopped."""
    return {
        "id": str(raw.get("taskArn", "")).rpartition("/")[2],
        "instance": raw.get("containerInstanceArn"),
        "zone": raw.get("availabilityZone"),
        "status": raw.get("lastStatus"),
        "revision": revision(raw.get("taskDefinitionArn")),
    }


def ended(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stopped task and why it stopped."""
    return {
        "id": str(raw.get("taskArn", "")).rpartition("/")[2],
        "at": stamp(raw.get("stoppedAt")),
        "revision": revision(raw.get("taskDefinitionArn")),
        "wanted": wanted(raw),
        "why": why_it_ended(raw),
    }


def wanted(raw: Mapping[str, Any]) -> bool:
    """Return whether somebody or the scheduler wanted a task to stop, and not for its health."""
    return raw.get("stopCode") in diagnosis.WANTED and "health check" not in (raw.get("stoppedReason") or "")


def why_it_ended(raw: Mapping[str, Any]) -> str:
    """Return a stopped task's reason, with the exit codes of its containers where these are the cause."""
    said = [raw.get("stoppedReason") or raw.get("stopCode") or ""]
    for container in raw.get("containers") or []:
        why = container.get("reason") or ""
        if container.get("exitCode") and not wanted(raw):
            said.append(f"{container.get('name')}: exit code {container['exitCode']}{f', {why}' if why else ''}")
        elif why and why != said[0]:
            said.append(f"{container.get('name')}: {why}")
    return "; ".join(s for s in said if s)


def ended_lately(tasks: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the stopped tasks to tell of: first those that nobody wanted to stop, the newest first."""
    return sorted(tasks, key=lambda t: (wanted(t), -(stamp(t.get("stoppedAt")) or 0)))[:ENDED]


def load_balancer(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a load balancer (DescribeLoadBalancers)."""
    return {
        "arn": raw["LoadBalancerArn"],
        "name": raw["LoadBalancerName"],
        "dns": raw.get("DNSName", ""),
        "scheme": raw.get("Scheme", ""),
        "state": (raw.get("State") or {}).get("Code", ""),
        "zones": len(raw.get("AvailabilityZones") or []),
        "metric": metric_names.of_load_balancer(raw["LoadBalancerArn"]),
        "listeners": [],
    }


def rule(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule (DescribeRules): its paths and hosts, and the target groups it leads to."""
    values: dict[str, list[str]] = {"path-pattern": [], "host-header": []}
    for condition in raw.get("Conditions") or []:
        config = condition.get("PathPatternConfig") or condition.get("HostHeaderConfig") or {}
        values.setdefault(condition.get("Field", ""), []).extend(config.get("Values") or condition.get("Values") or [])
    groups = []
    for action in raw.get("Actions") or []:
        several = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
        groups += [action["TargetGroupArn"]] if action.get("TargetGroupArn") else []
        groups += [g["TargetGroupArn"] for g in several if g["TargetGroupArn"] not in groups]
    return {
        "priority": raw.get("Priority", ""),
        "paths": values["path-pattern"],
        "hosts": values["host-header"],
        "target_groups": groups,
    }


def target_group(
    raw: Mapping[str, Any], health: Iterable[Mapping[str, Any]], balancers: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a target group with its targets' health (DescribeTargetHealth), and which load balancers lead to it."""
    arn = raw["TargetGroupArn"]
    # By their rules as well: moto 5.2.5 leaves out the load balancer of a listener's default action.
    ways = [
        b
        for b in balancers
        if b["arn"] in (raw.get("LoadBalancerArns") or [])
        or any(arn in r["target_groups"] for item in b["listeners"] for r in item["rules"])
    ]
    states: dict[str, int] = {}
    reasons = []
    for target in health:
        told = target.get("TargetHealth") or {}
        states[told.get("State", "")] = states.get(told.get("State", ""), 0) + 1
        if told.get("State") == "unhealthy":
            reasons.append(told.get("Description") or told.get("Reason") or "")
    return {
        "arn": arn,
        "name": raw["TargetGroupName"],
        "balancers": [b["arn"] for b in ways],
        "path": raw.get("HealthCheckPath") or "",
        "states": states,
        "reasons": sorted({r for r in reasons if r}),
        "metric": metric_names.of_target_group(arn),
        "balancer_metric": ways[0]["metric"] if ways else None,
    }


def alarm(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return an alarm (DescribeAlarms). `metrics` is how many it reads: one of metric math is billed for each."""
    return {
        "metrics": sum(1 for part in raw.get("Metrics") or [] if part.get("MetricStat")) or 1,
        "name": raw["AlarmName"],
        "state": raw.get("StateValue", ""),
        "reason": raw.get("StateReason") or "",
        "since": stamp(raw.get("StateUpdatedTimestamp")),
        "description": raw.get("AlarmDescription") or "",
    }


def dimensions(raw: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return all (name, value) that an alarm's metrics have."""
    found = {(d["Name"], d["Value"]) for d in raw.get("Dimensions") or []}
    for part in raw.get("Metrics") or []:
        metric = (part.get("MetricStat") or {}).get("Metric") or {}
        found |= {(d["Name"], d["Value"]) for d in metric.get("Dimensions") or []}
    return found


def belongs(raw: Mapping[str, Any], mine: set[tuple[str, str]], prefixes: tuple[str, ...]) -> bool:
    """Return whether an alarm is of what is read: by what its metrics measure, else by how its name begins.

    `mine` are the dimensions of what is read, `prefixes` those of the role monitoring's names. An alarm of another
    cluster's service that is named alike is that service's.
    """
    found = dimensions(raw)
    return bool(found & mine) or (
        raw["AlarmName"].startswith(prefixes) and not any(name == "ClusterName" for name, _value in found)
    )


#: What a target tracking policy of a service keeps, in the page's words.
TRACKED = {
    "ECSServiceAverageCPUUtilization": "cpu",
    "ECSServiceAverageMemoryUtilization": "memory",
    "ALBRequestCountPerTarget": "requests",
}


def target(tracking: Mapping[str, Any]) -> dict[str, Any]:
    """Return metric (cpu, memory, requests, or other: one of somebody's own) and value that a policy keeps.

    `tracking` is its TargetTrackingScalingPolicyConfiguration.
    """
    kind = (tracking.get("PredefinedMetricSpecification") or {}).get("PredefinedMetricType")
    return {"metric": TRACKED.get(kind or "", "other"), "value": tracking["TargetValue"]}


def state_of(found: Mapping[str, Any]) -> str:
    """Return how a service does in one word: unknown, gone, bad, moving, idle or good.

    A roll-out that is under way is no fault, and neither are targets that have just been registered.
    """
    if found.get("unread"):
        return "unknown"
    if found.get("missing") or found.get("status") not in (None, "ACTIVE"):
        return "gone"
    rollouts = {d["rollout"] for d in found["deployments"]}
    unhealthy = sum(g["states"].get("unhealthy", 0) for g in found.get("target_groups") or [])
    if "FAILED" in rollouts or (unhealthy and "IN_PROGRESS" not in rollouts):
        return "bad"
    if "IN_PROGRESS" in rollouts or len(found["deployments"]) > 1:
        return "moving"
    if found["running"] != found["desired"]:
        return "moving" if found["pending"] or found["running"] > found["desired"] else "bad"
    return "good" if found["desired"] else "idle"
