# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""CloudFormation's auto scaling groups. A stack's tags reach their instances, whatever PropagateAtLaunch says."""

from typing import Any, ClassVar

from embedded_endpoint.gaps.cloudformation.errors import Failure
from embedded_endpoint.gaps.cloudformation.resources import Handler, Resource, changed_properties, handles, split

_SIZES = ("MinSize", "MaxSize", "DesiredCapacity")


@handles("AWS::AutoScaling::AutoScalingGroup")
class AutoScalingGroup(Handler):
    service = "AutoScaling"
    _RENAMED: ClassVar = {"Cooldown": "DefaultCooldown"}
    _APART: ClassVar = (
        "AutoScalingGroupName", "LifecycleHookSpecificationList", "LoadBalancerNames", "MetricsCollection",
        "NotificationConfiguration", "NotificationConfigurations", "Tags", "TargetGroupARNs",
    )  # fmt: skip

    def _parameters(self, resource: Resource) -> dict[str, Any]:
        _, given = split(resource.properties, *self._APART)
        given = {self._RENAMED.get(key, key): value for key, value in given.items()}
        if "VPCZoneIdentifier" in given:
            given["VPCZoneIdentifier"] = ",".join(given["VPCZoneIdentifier"])
        return given

    def _tags(self, resource: Resource) -> list[dict[str, Any]]:
        own = {each["Key"]: each for each in resource.properties.get("Tags") or []}
        return [
            {
                "Key": key,
                "Value": value,
                "PropagateAtLaunch": own.get(key, {}).get("PropagateAtLaunch", True),
                "ResourceId": resource.physical_id,
                "ResourceType": "auto-scaling-group",
            }
            for key, value in resource.tags.items()
        ]

    def create(self, resource: Resource) -> None:
        given = resource.properties
        name = given.get("AutoScalingGroupName") or self.generated_name(resource)
        found = self.api.autoscaling("describe_auto_scaling_groups", AutoScalingGroupNames=[name])["AutoScalingGroups"]
        if found:
            raise Failure(
                "Resource handler returned message: \"Resource of type 'AWS::AutoScaling::AutoScalingGroup' with identifier "
                f"'{name}' already exists.\" (HandlerErrorCode: AlreadyExists)"
            )
        kept, _ = split(given, "LifecycleHookSpecificationList", "LoadBalancerNames", "TargetGroupARNs")
        draft = Resource(resource.logical_id, resource.kind, given, resource.tags, name)
        self.api.autoscaling(
            "create_auto_scaling_group",
            AutoScalingGroupName=name,
            Tags=self._tags(draft) or None,
            **self._parameters(resource),
            **kept,
        )
        resource.physical_id = name
        self._metrics(resource, [])

    def _metrics(self, resource: Resource, before: list[dict[str, Any]]) -> None:
        name = resource.physical_id
        for each in before:
            self.api.autoscaling("disable_metrics_collection", AutoScalingGroupName=name, Metrics=each.get("Metrics"))
        for each in resource.properties.get("MetricsCollection") or []:
            self.api.autoscaling("enable_metrics_collection", AutoScalingGroupName=name, **each)

    def update(self, resource: Resource, old: Resource) -> None:
        given, name = resource.properties, resource.physical_id
        changed = changed_properties(given, old.properties)
        if changed - {"Tags", "MetricsCollection", "TargetGroupARNs"}:
            parameters = self._parameters(resource)
            scheduled = (resource.policy.get("UpdatePolicy") or {}).get("AutoScalingScheduledAction") or {}
            if str(scheduled.get("IgnoreUnmodifiedGroupSizeProperties", "")).lower() == "true":
                parameters = {k: v for k, v in parameters.items() if k not in _SIZES or k in changed}
            self.api.autoscaling("update_auto_scaling_group", AutoScalingGroupName=name, **parameters)
        if "TargetGroupARNs" in changed:
            self._target_groups(resource, old)
        if "MetricsCollection" in changed:
            self._metrics(resource, old.properties.get("MetricsCollection") or [])
        self._retag(resource, old)
        if changed & {"LaunchTemplate", "MixedInstancesPolicy", "LaunchConfigurationName", "VPCZoneIdentifier"}:
            self._roll(resource)

    def _target_groups(self, resource: Resource, old: Resource) -> None:
        new, before = (set(each.properties.get("TargetGroupARNs") or []) for each in (resource, old))
        for verb, arns in (
            ("attach_load_balancer_target_groups", new - before),
            ("detach_load_balancer_target_groups", before - new),
        ):
            if arns:
                self.api.autoscaling(verb, AutoScalingGroupName=resource.physical_id, TargetGroupARNs=sorted(arns))

    def _retag(self, resource: Resource, old: Resource) -> None:
        new, before = self._tags(resource), self._tags(old)
        if added := [each for each in new if each not in before]:
            self.api.autoscaling("create_or_update_tags", Tags=added)
        if removed := [each for each in before if each["Key"] not in resource.tags]:
            self.api.autoscaling("delete_tags", Tags=removed)

    def _roll(self, resource: Resource) -> None:
        """Replace the instances of an earlier version, if the template's UpdatePolicy says so."""
        if "AutoScalingRollingUpdate" not in (resource.policy.get("UpdatePolicy") or {}):
            return
        group = self._describe(resource)
        for instance in group["Instances"]:
            self.api.autoscaling(
                "terminate_instance_in_auto_scaling_group",
                InstanceId=instance["InstanceId"],
                ShouldDecrementDesiredCapacity=False,
            )

    def _describe(self, resource: Resource) -> dict[str, Any] | None:
        names = [resource.physical_id]
        found = self.api.autoscaling("describe_auto_scaling_groups", AutoScalingGroupNames=names)["AutoScalingGroups"]
        return found[0] if found else None

    def delete(self, resource: Resource) -> None:
        if self._describe(resource) is not None:
            self.api.autoscaling(
                "delete_auto_scaling_group", AutoScalingGroupName=resource.physical_id, ForceDelete=True
            )

    def attribute(self, resource: Resource, name: str) -> Any:
        return {"AutoScalingGroupARN": self._describe(resource)["AutoScalingGroupARN"]}[name]
