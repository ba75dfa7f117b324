# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""CloudFormation's ECS clusters, services and task definitions."""

from typing import Any

from botocore.exceptions import ClientError

from embedded_endpoint.gaps.cloudformation.errors import Failure
from embedded_endpoint.gaps.cloudformation.resources import (
    Handler,
    Resource,
    changed_properties,
    handles,
    pairs,
    split,
    tag_changes,
)

MOST_STEPS = 60  # looks at a service until it is steady; CloudFormation waits for hours


class _EcsHandler(Handler):
    service = "Ecs"

    def retag(self, resource: Resource, old: Resource, arn: str) -> None:
        """Bring the tags up to date."""
        changed, removed = tag_changes(resource, old)
        if changed:
            self.api.ecs("tag_resource", resourceArn=arn, tags=pairs(changed, "key", "value"))
        if removed:
            self.api.ecs("untag_resource", resourceArn=arn, tagKeys=removed)

    def tags_of(self, resource: Resource) -> list[dict[str, str]] | None:
        """Tags for a call that creates."""
        return pairs(resource.tags, "key", "value") or None


@handles("AWS::ECS::Cluster")
class Cluster(_EcsHandler):
    _RENAMED = ("ClusterSettings", "Tags")

    def create(self, resource: Resource) -> None:
        _, given = split(resource.properties, *self._RENAMED)
        name = given.pop("ClusterName", None) or self.generated_name(resource)
        if any(each["status"] == "ACTIVE" for each in self.api.ecs("describe_clusters", clusters=[name])["clusters"]):
            raise Failure(
                f"Resource handler returned message: \"Resource of type 'AWS::ECS::Cluster' with identifier '{name}' "
                'already exists." (HandlerErrorCode: AlreadyExists)'
            )
        self.api.ecs(
            "create_cluster",
            clusterName=name,
            settings=resource.properties.get("ClusterSettings"),
            tags=self.tags_of(resource),
            **given,
        )
        resource.physical_id = name

    def update(self, resource: Resource, old: Resource) -> None:
        given, name = resource.properties, resource.physical_id
        changed = changed_properties(given, old.properties)
        if changed & {"ClusterSettings", "Configuration", "ServiceConnectDefaults"}:
            parts, _ = split(given, "Configuration", "ServiceConnectDefaults")
            settings = given.get("ClusterSettings") or [{"Name": "containerInsights", "Value": "disabled"}]
            self.api.ecs("update_cluster", cluster=name, settings=settings, **parts)
        if changed & {"CapacityProviders", "DefaultCapacityProviderStrategy"}:
            self.api.ecs(
                "put_cluster_capacity_providers",
                cluster=name,
                capacityProviders=given.get("CapacityProviders") or [],
                defaultCapacityProviderStrategy=given.get("DefaultCapacityProviderStrategy") or [],
            )
        if resource.tags != old.tags:
            self.retag(resource, old, self.attribute(resource, "Arn"))

    def delete(self, resource: Resource) -> None:
        try:
            self.api.ecs("delete_cluster", cluster=resource.physical_id)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ClusterNotFoundException":
                raise

    def attribute(self, resource: Resource, name: str) -> Any:
        found = self.api.ecs("describe_clusters", clusters=[resource.physical_id])["clusters"][0]
        return {"Arn": found["clusterArn"]}[name]


@handles("AWS::ECS::TaskDefinition")
class TaskDefinition(_EcsHandler):
    def create(self, resource: Resource) -> None:
        given = {key: value for key, value in resource.properties.items() if key != "Tags"}
        given["Family"] = given.get("Family") or self.generated_name(resource)
        made = self.api.ecs("register_task_definition", **given, tags=self.tags_of(resource))
        resource.physical_id = made["taskDefinition"]["taskDefinitionArn"]

    def update(self, resource: Resource, old: Resource) -> None:
        self.retag(resource, old, resource.physical_id)

    def delete(self, resource: Resource) -> None:
        self.api.ecs("deregister_task_definition", taskDefinition=resource.physical_id)

    def attribute(self, resource: Resource, name: str) -> Any:
        return {"TaskDefinitionArn": resource.physical_id}[name]


@handles("AWS::ECS::Service")
class Service(_EcsHandler):
    """CloudFormation waits until a service is steady, and until it is drained."""

    _CREATED_ONLY = ("Cluster", "LaunchType", "Role", "SchedulingStrategy", "ServiceName", "Tags")

    def create(self, resource: Resource) -> None:
        given = self._parameters(resource, "Tags")
        given["ServiceName"] = given.get("ServiceName") or self.generated_name(resource)
        made = self.api.ecs("create_service", **given, tags=self.tags_of(resource))
        resource.physical_id = made["service"]["serviceArn"]
        self._wait(resource)

    @staticmethod
    def _parameters(resource: Resource, *without: str) -> dict[str, Any]:
        _, given = split(resource.properties, *without)
        if "PlacementStrategies" in given:
            given["placementStrategy"] = given.pop("PlacementStrategies")
        return given

    def _describe(self, resource: Resource) -> dict[str, Any] | None:
        cluster = resource.properties.get("Cluster") or "default"
        try:
            found = self.api.ecs("describe_services", cluster=cluster, services=[resource.physical_id])["services"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ClusterNotFoundException":
                return None
            raise
        return found[0] if found and found[0]["status"] != "INACTIVE" else None

    def _wait(self, resource: Resource) -> None:
        for _ in range(MOST_STEPS):
            service = self._describe(resource)
            deployments = service["deployments"] if service else []
            if any(each.get("rolloutState") == "FAILED" for each in deployments):
                raise Failure(
                    "Resource handler returned message: \"Error occurred during operation 'ECS Deployment Circuit Breaker "
                    "was triggered'.\" (HandlerErrorCode: GeneralServiceException)"
                )
            if len(deployments) == 1 and service["runningCount"] == service["desiredCount"]:
                return

    def update(self, resource: Resource, old: Resource) -> None:
        changed = changed_properties(resource.properties, old.properties) - {"Tags"}
        if changed:
            given = self._parameters(resource, *self._CREATED_ONLY)
            self.api.ecs(
                "update_service", cluster=resource.properties.get("Cluster"), service=resource.physical_id, **given
            )
            self._wait(resource)
        self.retag(resource, old, resource.physical_id)

    def delete(self, resource: Resource) -> None:
        if self._describe(resource) is None:
            return
        cluster = resource.properties.get("Cluster")
        self.api.ecs("delete_service", cluster=cluster, service=resource.physical_id, force=True)
        for _ in range(MOST_STEPS):
            if self._describe(resource) is None:
                return

    def attribute(self, resource: Resource, name: str) -> Any:
        return {"Name": resource.physical_id.rsplit("/", 1)[1], "ServiceArn": resource.physical_id}[name]
