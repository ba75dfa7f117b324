# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between an auto scaling group and the options of the module `auto_scaling_group`."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.compare import tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.ecs_clusters import ec2_instances
from ansible_collections.handson.ecs.plugins.module_utils.resource import Missing, ResourceError

#: option -> parameter of CreateAutoScalingGroup and UpdateAutoScalingGroup, where the value goes as it is
PARAMETERS = {
    "min": "MinSize",
    "max": "MaxSize",
    "desired": "DesiredCapacity",
    "default_cooldown": "DefaultCooldown",
    "health_check_type": "HealthCheckType",
    "health_check_grace": "HealthCheckGracePeriod",
    "new_instances_protected_from_scale_in": "NewInstancesProtectedFromScaleIn",
    "termination_policies": "TerminationPolicies",
}

#: What a group counts of itself once it is told to, free of charge (EC2 Auto Scaling API, EnableMetricsCollection).
METRICS = tuple(
    [f"Group{n}" for n in ("MinSize", "MaxSize", "DesiredCapacity")]
    + [f"Group{state}{of}" for of in ("Instances", "Capacity") for state in ("InService", "Pending", "Standby", "Terminating", "Total")]
    + [f"WarmPool{n}Capacity" for n in ("Desired", "Warmed", "Pending", "Terminating", "Total")]
    + ["GroupAndWarmPoolDesiredCapacity", "GroupAndWarmPoolTotalCapacity"]
)

#: States of an instance refresh that has not ended (InstanceRefresh.Status).
REFRESHING = frozenset({"Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress"})

#: How we replace container instances: a new one runs before an old one goes. Where 110 % is less than one instance
#: more, auto scaling exceeds it by one, which it does only because the maximum is given (RefreshPreferences). An
#: instance that ECS protects because it runs tasks is replaced too (managed draining moves its tasks first, and the
#: default would wait an hour and fail); one that already runs the new version stays.
REFRESH_PREFERENCES = {
    "MinHealthyPercentage": 100,
    "MaxHealthyPercentage": 110,
    "ScaleInProtectedInstances": "Refresh",
    "SkipMatching": True,
}


def find(autoscaling: Any, name: str) -> dict[str, Any] | None:
    """Return the group of that name as DescribeAutoScalingGroups gives it, or None."""
    found = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return found[0] if found else None


def group(autoscaling: Any, name: str) -> dict[str, Any]:
    """Return the group of that name; one that is being deleted counts as not there. Raises Missing."""
    found = find(autoscaling, name)
    if found is None or being_deleted(found):
        raise Missing(
            f"There is no auto scaling group named {name!r}. Make it first: ansible-playbook playbooks/cluster.yml"
        )
    return found


def being_deleted(found: Mapping[str, Any]) -> bool:
    """Return whether a group is on its way out. `Status` is there only then ("Delete in progress")."""
    return bool(found.get("Status"))


def options_from_aws(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that describe a group (DescribeAutoScalingGroups), with its ARN and instances."""
    template = found.get("LaunchTemplate") or {}
    return {
        "name": found["AutoScalingGroupName"],
        "arn": found.get("AutoScalingGroupARN"),
        "status": found.get("Status"),
        "launch_template": template.get("LaunchTemplateName"),
        # The group keeps the id: a template made anew under the same name is another one, and the group launches nothing.
        "launch_template_id": template.get("LaunchTemplateId"),
        # AWS does not show a version that was not given, and uses the default one.
        "launch_template_version": (template.get("Version") or "$Default") if template else None,
        "subnets": sorted(s for s in (found.get("VPCZoneIdentifier") or "").split(",") if s),
        **{option: found.get(parameter) for option, parameter in PARAMETERS.items()},
        "metrics_collection": sorted(m["Metric"] for m in found.get("EnabledMetrics") or []),
        "instances": [instance_row(i) for i in found.get("Instances") or []],
        "tags": tags_to_dict(found.get("Tags")),
    }


def in_service(found: Mapping[str, Any], protected: bool) -> list[str]:
    """Return the ids of a group's instances in service that are protected from scale-in, or of those that are not.

    SetInstanceProtection refuses all of a call's instances for one that is not in service.
    """
    return [
        i["InstanceId"]
        for i in found.get("Instances") or []
        if i["LifecycleState"] == "InService" and bool(i.get("ProtectedFromScaleIn")) is protected
    ]


def protected_at_launch(found: Mapping[str, Any]) -> list[str]:
    """Return the ids of a group's instances that are protected from scale-in and not yet in service."""
    return [
        i["InstanceId"]
        for i in found.get("Instances") or []
        if i["LifecycleState"].startswith("Pending") and i.get("ProtectedFromScaleIn")
    ]


def instance_row(instance: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the result says of an instance of a group."""
    template = instance.get("LaunchTemplate") or {}
    return {
        "id": instance["InstanceId"],
        "availability_zone": instance.get("AvailabilityZone"),
        "lifecycle_state": instance.get("LifecycleState"),
        "health_status": instance.get("HealthStatus"),
        "protected_from_scale_in": bool(instance.get("ProtectedFromScaleIn")),
        "launch_template": template.get("LaunchTemplateName"),
        "launch_template_version": template.get("Version"),
    }


def parameters(options: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the parameters of a create or an update that stand for those of the options named in `names`."""
    named = set(names)
    said = {PARAMETERS[o]: options[o] for o in PARAMETERS if o in named and options.get(o) is not None}
    if named & {"launch_template", "launch_template_id", "launch_template_version"}:
        said["LaunchTemplate"] = {
            "LaunchTemplateName": options["launch_template"],
            "Version": options["launch_template_version"],
        }
    if "subnets" in named:
        said["VPCZoneIdentifier"] = ",".join(options["subnets"])
    return said


def tag_list(name: str, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return tags as auto scaling takes them: on the group and on whatever it launches."""
    return [
        {
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": tags[key],
            "PropagateAtLaunch": True,
        }
        for key in sorted(tags)
    ]


def outdated(instances: Iterable[Mapping[str, Any]], template: str, version: int) -> list[str]:
    """Return the ids of the InService `instances` (rows) that another template or version launched."""
    return [
        i["id"]
        for i in instances
        if i["lifecycle_state"] == "InService"
        and (i["launch_template"], str(i["launch_template_version"])) != (template, str(version))
    ]


def collect(autoscaling: Any, name: str, wanted: Iterable[str], before: Iterable[str] = ()) -> None:
    """Have a group collect the metrics `wanted` and no other of those that it collected `before`."""
    wanted, before = set(wanted), set(before)
    if wanted - before:
        autoscaling.enable_metrics_collection(
            AutoScalingGroupName=name, Metrics=sorted(wanted - before), Granularity="1Minute"
        )
    if before - wanted:
        autoscaling.disable_metrics_collection(AutoScalingGroupName=name, Metrics=sorted(before - wanted))


def check_metrics(metrics: Iterable[str] | None) -> None:
    """Raise ResourceError for metrics that no group has."""
    unknown = sorted(set(metrics or ()) - set(METRICS))
    if unknown:
        raise ResourceError(
            f"metrics_collection has {', '.join(unknown)}, which no auto scaling group counts. There are: {', '.join(METRICS)}."
        )


def refresh_in_progress(autoscaling: Any, name: str) -> dict[str, Any] | None:
    """Return the instance refresh of a group that has not ended, None where there is none."""
    for refresh in autoscaling.describe_instance_refreshes(AutoScalingGroupName=name)["InstanceRefreshes"]:
        if refresh["Status"] in REFRESHING:
            return {
                "id": refresh["InstanceRefreshId"],
                "status": refresh["Status"],
                "percentage_complete": refresh.get("PercentageComplete", 0),
            }
    return None


def unmonitored(ec2: Any, ids: Iterable[str]) -> list[str]:
    """Return those of the instances `ids` that EC2 measures each five minutes and not each one."""
    return sorted(
        i["InstanceId"]
        for i in ec2_instances(ec2, ids)
        if (i.get("Monitoring") or {}).get("State") in ("disabled", "disabling")
    )


def check_sizes(minimum: int, maximum: int, desired: int | None) -> None:
    """Raise ResourceError where the sizes contradict each other (AWS refuses that, some endpoints don't)."""
    if not 0 <= minimum <= maximum:
        raise ResourceError(f"min is {minimum} and max is {maximum}: min must be 0 or more, and not above max.")
    if desired is not None and not minimum <= desired <= maximum:
        raise ResourceError(
            f"desired is {desired}, outside of min {minimum} to max {maximum}. Change one of them, or leave desired "
            "out to keep what the group has."
        )
