# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between a policy of an Auto Scaling group and the module `auto_scaling_policy`; which instances go first."""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError
from ansible_collections.handson.ecs.plugins.module_utils.scalable_targets import THERE

TARGET_TRACKING = "TargetTrackingScaling"

#: How the policy is named that ECS puts on the group of a capacity provider with managed scaling.
MANAGED = "ECSManagedAutoScalingPolicy-"


def policy_from_aws(policy: Mapping[str, Any], own: str = THERE) -> dict[str, Any]:
    """Return the options that describe a policy (DescribePolicies). One that tracks nothing has no metric.

    `own` is what `scalable_targets.own_alarms` says. A disabled policy acts on no alarm, so it lacks none.
    """
    tracking = policy.get("TargetTrackingConfiguration") or {}
    return {
        "name": policy["PolicyName"],
        "arn": policy["PolicyARN"],
        "auto_scaling_group": policy["AutoScalingGroupName"],
        "type": policy["PolicyType"],
        "metric": metric(policy),
        "target": tracking.get("TargetValue"),
        "disable_scale_in": bool(tracking.get("DisableScaleIn", False)),
        "instance_warmup": policy.get("EstimatedInstanceWarmup"),
        "enabled": policy.get("Enabled", True),
        "own_alarms": own if policy["PolicyType"] == TARGET_TRACKING and policy.get("Enabled", True) else THERE,
    }


def metric(policy: Mapping[str, Any]) -> str | None:
    """Return the predefined metric that a policy tracks, None where it tracks none."""
    tracking = policy.get("TargetTrackingConfiguration") or {}
    return (tracking.get("PredefinedMetricSpecification") or {}).get("PredefinedMetricType")


def policy_to_aws(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of PutScalingPolicy. It replaces the whole policy."""
    said = {
        "AutoScalingGroupName": options["auto_scaling_group"],
        "PolicyName": options["name"],
        "PolicyType": TARGET_TRACKING,
        "TargetTrackingConfiguration": {
            "PredefinedMetricSpecification": {"PredefinedMetricType": options["metric"]},
            "TargetValue": options["target"],
            "DisableScaleIn": options["disable_scale_in"],
        },
        "Enabled": options["enabled"],
    }
    if options.get("instance_warmup") is not None:
        said["EstimatedInstanceWarmup"] = options["instance_warmup"]
    return said


def check(target: float | None, warmup: int | None) -> None:
    """Raise ResourceError for values that AWS refuses."""
    if target is not None and target <= 0:
        raise ResourceError(f"target is {target:g}, and must be above 0.")
    if warmup is not None and warmup < 0:
        raise ResourceError(f"instance_warmup is {warmup}, and must be 0 seconds or more.")


def managed(policies: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the name of the policy by which ECS scales the group (managed scaling), or None."""
    return next((p["PolicyName"] for p in policies if p["PolicyName"].startswith(MANAGED)), None)


def rivals(policies: Iterable[Mapping[str, Any]], name: str, wanted: str) -> list[str]:
    """Return the names of the other policies that track the metric `wanted`: AWS takes one for a metric."""
    return [p["PolicyName"] for p in policies if p["PolicyName"] != name and metric(p) == wanted]


def refuse_rivals(policies: Iterable[Mapping[str, Any]], name: str, wanted: str, group: str) -> None:
    """Raise ResourceError where another policy tracks the metric. It has no tags, so nobody knows whose it is."""
    others = rivals(policies, name, wanted)
    if others:
        raise ResourceError(
            f"The auto scaling group {group!r} has another policy that tracks {wanted}: {', '.join(others)}. AWS takes one "
            f"for a metric, and it was not touched. Set instance_scaling_policy_name to {others[0]!r} to take it over "
            f"instead of making {name!r}, or delete it: aws autoscaling delete-policy --auto-scaling-group-name {group} "
            f"--policy-name {others[0]}"
        )


def check_count(count: int, minimum: int, maximum: int, group: str) -> None:
    """Raise ResourceError where AWS would refuse `count` as desired capacity of the group."""
    if not minimum <= count <= maximum:
        option, way = ("instances_max", "raise") if count > maximum else ("instances_min", "lower")
        raise ResourceError(
            f"count is {count}, outside of min {minimum} to max {maximum} of the auto scaling group {group!r}. "
            f"Ask for another number, or {way} {option} in the inventory and run playbooks/cluster.yml first."
        )


def to_remove(
    instances: Sequence[Mapping[str, Any]], registered: Mapping[str, Mapping[str, Any]], number: int
) -> list[str]:
    """Return the ids of the `number` instances of a group that should go.

    First what drains already (an earlier run was cut off), then what takes no tasks (not registered, or its agent is
    not connected); of the others one of the zone that has most, so that zones stay even, with the fewest tasks.
    `instances` are rows of module_utils/auto_scaling_groups.py, `registered` is {id: container instance}.
    """
    left = {i["id"]: i["availability_zone"] for i in instances}
    gone: list[str] = []
    while left and len(gone) < number:
        zones = Counter(left.values())

        def rank(instance: str, zones: Counter[Any] = zones) -> tuple[Any, ...]:
            there = registered.get(instance)
            useful = there is not None and bool(there.get("agentConnected"))
            draining = there is not None and there.get("status") == "DRAINING"
            return (not draining, useful, -zones[left[instance]], busy(there), instance)

        gone.append(min(left, key=rank))
        del left[gone[-1]]
    return gone


def busy(container_instance: Mapping[str, Any] | None) -> int:
    """Return how many tasks run or start on a container instance; none on one that isn't registered."""
    there = container_instance or {}
    return there.get("runningTasksCount", 0) + there.get("pendingTasksCount", 0)
