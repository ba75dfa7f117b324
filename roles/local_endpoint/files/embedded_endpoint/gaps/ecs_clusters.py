# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Clusters: what DescribeClusters shows, and when a cluster can't be deleted.

moto 5.2.5 leaves capacityProviders out until a strategy is set, ignores all of `include` but TAGS, lists deleted
clusters, makes an existing one anew, and deletes a cluster with anything in it.
"""

from moto.core.responses import ActionResult
from moto.ecs.exceptions import ClusterNotFoundException
from moto.ecs.models import Cluster, EC2ContainerServiceBackend
from moto.ecs.responses import EC2ContainerServiceResponse

from embedded_endpoint.gaps import errors, task_record
from embedded_endpoint.gaps.patching import replace


@replace(Cluster, "__init__")
def _cluster(original, self, *args, **kwargs):
    original(self, *args, **kwargs)
    self.capacity_providers = self.capacity_providers or []
    self.default_capacity_provider_strategy = self.default_capacity_provider_strategy or []
    self.tags = self.tags or []
    self.statistics = []


@replace(EC2ContainerServiceBackend)
def _get_cluster(original, self, name):
    cluster = original(self, name)
    if cluster.status == "INACTIVE":
        raise errors.named("ClusterNotFoundException", "The referenced cluster was inactive.")
    return cluster


@replace(EC2ContainerServiceBackend)
def create_cluster(original, self, cluster_name, *args, **kwargs):
    existing = self.clusters.get(cluster_name)
    if existing and existing.status == "ACTIVE":
        return existing
    for records in (self.tasks, self.container_instances):
        records.pop(cluster_name, None)
    for key in [key for key, service in self.services.items() if service.cluster_name == cluster_name]:
        del self.services[key]  # INACTIVE services of the cluster that had this name before
    return original(self, cluster_name, *args, **kwargs)


@replace(EC2ContainerServiceBackend)
def list_clusters(original, self):
    return [cluster.arn for cluster in self.clusters.values() if cluster.status == "ACTIVE"]


@replace(EC2ContainerServiceResponse, "describe_clusters")
def _describe(original, self):
    include = self._get_param("include", [])
    original(self)
    clusters, failures = self.ecs_backend.describe_clusters(self._get_param("clusters", []))
    shown = {"SETTINGS": "settings", "CONFIGURATIONS": "configuration", "TAGS": "tags", "STATISTICS": "statistics"}
    result = []
    for cluster in clusters:
        record = {
            "clusterArn": cluster.arn,
            "clusterName": cluster.name,
            "status": cluster.status,
            "registeredContainerInstancesCount": cluster.registered_container_instances_count,
            "runningTasksCount": cluster.running_tasks_count,
            "pendingTasksCount": cluster.pending_tasks_count,
            "activeServicesCount": cluster.active_services_count,
            "capacityProviders": cluster.capacity_providers,
            "defaultCapacityProviderStrategy": cluster.default_capacity_provider_strategy,
            "serviceConnectDefaults": cluster.service_connect_defaults,
            "statistics": [],
            "tags": [],
            "settings": [],
        }
        record.update({key: getattr(cluster, key) for option, key in shown.items() if option in include})
        result.append(record)
    return ActionResult({"clusters": result, "failures": failures})


@replace(EC2ContainerServiceResponse, "update_cluster_settings")
def _update_settings(original, self):
    # Missing in moto 5.2.5.
    cluster = self.ecs_backend.update_cluster(self._get_param("cluster"), self._get_param("settings"), None, None)
    return ActionResult({"cluster": cluster})


@replace(EC2ContainerServiceBackend)
def delete_cluster(original, self, cluster_str):
    name = cluster_str.split("/")[-1]
    cluster = self.clusters.get(name)
    if cluster is None:
        raise ClusterNotFoundException
    if cluster.status == "INACTIVE":
        return cluster
    if any(each.cluster_arn == cluster.arn and each.status == "ACTIVE" for each in self.services.values()):
        raise errors.named(
            "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
        )
    if self.container_instances.get(name):
        raise errors.named(
            "ClusterContainsContainerInstancesException",
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        )
    if task_record.live_tasks(self, name):
        raise errors.named("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
    cluster.status = "INACTIVE"
    cluster.capacity_providers, cluster.default_capacity_provider_strategy = [], []
    return cluster
