# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between a service as ECS describes it and the options of the module `ecs_service`."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.task_definitions import from_aws


def revision(task_definition: str | None) -> str | None:
    """Return `family:revision` of a task definition's ARN."""
    return task_definition.rsplit("/", 1)[-1] if task_definition else None


def deployment_from_aws(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `deployment` option that a service's deploymentConfiguration describes.

    A circuit breaker without a threshold of its own keeps ECS's (half of the desired count, at least 3, at most 200),
    which the API does not spell out.
    """
    breaker = configuration.get("deploymentCircuitBreaker") or {}
    threshold = breaker.get("thresholdConfiguration") or {}
    return {
        "minimum_healthy_percent": configuration.get("minimumHealthyPercent"),
        "maximum_percent": configuration.get("maximumPercent"),
        "circuit_breaker": bool(breaker.get("enable")),
        "rollback": bool(breaker.get("rollback")),
        "threshold_type": threshold.get("type"),
        "threshold_value": threshold.get("value"),
    }


def deployment_to_aws(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the deploymentConfiguration that stands for the `deployment` option."""
    breaker: dict[str, Any] = {"enable": deployment["circuit_breaker"], "rollback": deployment["rollback"]}
    if deployment.get("threshold_type") and deployment.get("threshold_value") is not None:
        breaker["thresholdConfiguration"] = {
            "type": deployment["threshold_type"],
            "value": deployment["threshold_value"],
        }
    return {
        "minimumHealthyPercent": deployment["minimum_healthy_percent"],
        "maximumPercent": deployment["maximum_percent"],
        "deploymentCircuitBreaker": breaker,
    }


def deployment_wanted(option: Mapping[str, Any], seen: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the `deployment` option with what it leaves to ECS taken over from the live service.

    An open threshold is no drift, whatever the service has, and an update must repeat it, since a circuit breaker in a
    request replaces the whole one.
    """
    wanted = dict(option)
    if wanted.get("threshold_type") is None or wanted.get("threshold_value") is None:
        for key in ("threshold_type", "threshold_value"):
            wanted[key] = (seen or {}).get(key)
    return wanted


def strategy(rules: Iterable[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """Return a capacity provider strategy with the API's defaults (weight 0, base 0), by name."""
    rows = [
        {
            "capacity_provider": r["capacity_provider"],
            "weight": int(r.get("weight") or 0),
            "base": int(r.get("base") or 0),
        }
        for r in rules or []
    ]
    return sorted(rows, key=lambda r: r["capacity_provider"])


def network_from_aws(service: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return {subnets, security_groups, assign_public_ip} of an awsvpc service, ids sorted, or None."""
    vpc = (service.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if not vpc:
        return None
    return {
        "subnets": sorted(vpc.get("subnets") or []),
        "security_groups": sorted(vpc.get("securityGroups") or []),
        "assign_public_ip": vpc.get("assignPublicIp", "DISABLED") == "ENABLED",
    }


def network_to_aws(network: Mapping[str, Any]) -> dict[str, Any]:
    """Return the networkConfiguration that stands for {subnets, security_groups, assign_public_ip}."""
    return {
        "awsvpcConfiguration": {
            "subnets": network["subnets"],
            "securityGroups": network["security_groups"],
            "assignPublicIp": "ENABLED" if network["assign_public_ip"] else "DISABLED",
        }
    }


def service_from_aws(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return one service of DescribeServices in the names of the options, without its load balancers.

    A key that the answer lacks is left out: DescribeServices of a plain moto 5.2.5 has no deploymentConfiguration and
    no grace period, and what is unknown must not be taken for drift. On AWS they are always there.
    """
    seen: dict[str, Any] = {
        "arn": service["serviceArn"],
        "status": service["status"],
        "task_definition": revision(service.get("taskDefinition")),
        "desired_count": service.get("desiredCount"),
        "running_count": service.get("runningCount"),
        "pending_count": service.get("pendingCount"),
        "launch_type": service.get("launchType"),
        "capacity_provider_strategy": strategy(map(from_aws, service.get("capacityProviderStrategy") or [])),
        "scheduling_strategy": service.get("schedulingStrategy", "REPLICA"),
    }
    if service.get("deploymentConfiguration"):
        seen["deployment"] = deployment_from_aws(service["deploymentConfiguration"])
    plain = {
        "healthCheckGracePeriodSeconds": "health_check_grace_period",
        "availabilityZoneRebalancing": "availability_zone_rebalancing",
        "enableExecuteCommand": "enable_execute_command",
        "enableECSManagedTags": "enable_ecs_managed_tags",
        "propagateTags": "propagate_tags",
    }
    seen.update({option: service[key] for key, option in plain.items() if service.get(key) is not None})
    for key, option in (("placementStrategy", "placement_strategy"), ("placementConstraints", "placement_constraints")):
        if key in service:
            seen[option] = [placement(p) for p in service[key]]
    network = network_from_aws(service)
    if network:
        seen["network"] = network
    return seen


def placement(rule: Mapping[str, Any]) -> dict[str, str]:
    """Return a placement strategy or constraint in one spelling.

    ECS lower-cases `instanceId` in some answers, takes `host` for the same, and binpack's field in any case.
    """
    out = {k: v for k, v in rule.items() if v not in (None, "")}
    field = str(out.get("field", "")).lower()
    if field in ("instanceid", "host"):
        out["field"] = "instanceId"
    elif field in ("cpu", "memory"):
        out["field"] = field
    return out


def primary(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return the deployment that ECS is rolling out or has rolled out last; empty where there is none."""
    return next((d for d in service.get("deployments") or [] if d.get("status") == "PRIMARY"), {})


def is_steady(service: Mapping[str, Any]) -> bool:
    """Tell whether a service is in steady state: one deployment, completed, as many tasks running as desired.

    Rule: the SDK's waiter ServicesStable, and the rollout state that came after it was written.
    """
    deployments = service.get("deployments") or []
    if len(deployments) != 1 or service.get("runningCount") != service.get("desiredCount"):
        return False
    return deployments[0].get("rolloutState", "COMPLETED") == "COMPLETED"


def failed_reason(service: Mapping[str, Any], deployment_id: str | None) -> str | None:
    """Return why the deployment with that id failed, or None as long as it has not.

    It failed when ECS says so, or when it is no longer the primary one: ECS rolled back, or another deployment took its
    place.
    """
    if deployment_id is None or not primary(service):
        return None
    for deployment in service.get("deployments") or []:
        if deployment["id"] == deployment_id:
            if deployment.get("rolloutState") == "FAILED":
                return deployment.get("rolloutStateReason") or "ECS gave no reason."
            if deployment.get("status") == "PRIMARY":
                return None
    # A roll-back may be over before anybody looked; then an event still says why it came.
    for event in service.get("events") or []:
        _before, found, reason = event.get("message", "").partition(f"(deployment {deployment_id}) deployment failed: ")
        if found:
            return reason
    said = primary(service).get("rolloutStateReason")
    return f"ECS replaced it by {primary(service)['id']}{f' ({said})' if said else ''}."


def rolls_back(service: Mapping[str, Any]) -> bool:
    """Tell whether ECS is asked to roll a failed deployment back, and has one to go back to."""
    breaker = (service.get("deploymentConfiguration") or {}).get("deploymentCircuitBreaker") or {}
    return bool(breaker.get("enable") and breaker.get("rollback")) and len(service.get("deployments") or []) > 1


def rolled_back(service: Mapping[str, Any], deployment_id: str | None) -> bool:
    """Tell whether ECS gave the deployment with that id up and went back to an earlier one.

    The primary deployment's reason says so until the roll-back is done, and an event says so from then on.
    """
    now = primary(service)
    if not now or now.get("id") == deployment_id:
        return False
    if "rolling back" in (now.get("rolloutStateReason") or ""):
        return True
    return any(f"rolling back to deployment {now['id']}" in e.get("message", "") for e in service.get("events") or [])


def settled_events(service: Mapping[str, Any]) -> set[str]:
    """Return the ids of the events up to the last steady state: those that tell nothing about what goes on now."""
    events = service.get("events") or []
    for i, event in enumerate(events):  # newest first
        if event.get("message", "").endswith("has reached a steady state."):
            return {e["id"] for e in events[i:]}
    return set()


def new_events(service: Mapping[str, Any], seen: set[str]) -> list[dict[str, Any]]:
    """Return the events whose id is not in `seen`, oldest first. ECS gives the newest hundred, newest first."""
    return [e for e in reversed(service.get("events") or []) if e["id"] not in seen]
