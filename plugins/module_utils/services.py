# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between a service as ECS describes it and the options of the module `ecs_service`."""

from __future__ import annotations

from typing import Any, Mapping

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
        breaker["thresholdConfiguration"] = {"type": deployment["threshold_type"], "value": deployment["threshold_value"]}
    return {
        "minimumHealthyPercent": deployment["minimum_healthy_percent"],
        "maximumPercent": deployment["maximum_percent"],
        "deploymentCircuitBreaker": breaker,
    }


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
        "capacity_provider_strategy": [from_aws(s) for s in service.get("capacityProviderStrategy") or []],
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
    """Return a placement strategy or constraint in one spelling. ECS lower-cases `instanceId` in some answers."""
    out = {k: v for k, v in rule.items() if v is not None}
    if str(out.get("field", "")).lower() in ("instanceid", "host"):
        out["field"] = "instanceId"
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

    It failed when ECS says so, or when it is no longer the primary one: a roll-back makes a new deployment of the old
    revision.
    """
    for deployment in service.get("deployments") or []:
        if deployment["id"] == deployment_id:
            if deployment.get("rolloutState") == "FAILED":
                return deployment.get("rolloutStateReason") or "ECS gave no reason."
            if deployment.get("status") != "PRIMARY":
                return f"ECS replaced it by {primary(service).get('id')} ({primary(service).get('rolloutStateReason')})"
            return None
    if deployment_id and primary(service):
        return f"ECS replaced it by {primary(service)['id']} ({primary(service).get('rolloutStateReason')})"
    return None


def new_events(service: Mapping[str, Any], seen: set[str]) -> list[dict[str, Any]]:
    """Return the events whose id is not in `seen`, oldest first. ECS gives the newest hundred, newest first."""
    return [e for e in reversed(service.get("events") or []) if e["id"] not in seen]
