# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Capacity providers: refusals of AWS, and describing all of them.

moto 5.2.5 overwrites an existing one, deletes one that a cluster uses, ignores managedDraining in
UpdateCapacityProvider, and answers HTTP 500 for an unknown one and for DescribeCapacityProviders without names.
"""

from moto.ecs.models import CapacityProvider, EC2ContainerServiceBackend

from embedded_endpoint.gaps import errors
from embedded_endpoint.gaps.patching import replace

UNKNOWN = "The specified capacity provider does not exist. Specify a valid name or ARN and try again."


@replace(EC2ContainerServiceBackend)
def create_capacity_provider(original, self, name, asg_details, tags):
    if name in self.capacity_providers:
        raise errors.client(
            "The specified capacity provider already exists. To change the configuration of an existing capacity "
            "provider, update the capacity provider."
        )
    return original(self, name, asg_details, tags)


@replace(EC2ContainerServiceBackend)
def describe_capacity_providers(original, self, names):
    return original(self, names if names is not None else list(self.capacity_providers))


@replace(EC2ContainerServiceBackend)
def update_capacity_provider(original, self, name_or_arn, asg_provider):
    if self._get_provider(name_or_arn) is None:
        raise errors.client(UNKNOWN)
    return original(self, name_or_arn, asg_provider)


@replace(CapacityProvider)
def update(original, self, asg_details):
    original(self, asg_details)
    if "managedDraining" in asg_details:
        self.auto_scaling_group_provider["managedDraining"] = asg_details["managedDraining"]


@replace(EC2ContainerServiceBackend)
def delete_capacity_provider(original, self, name_or_arn):
    provider = self._get_provider(name_or_arn)
    if provider is None:
        raise errors.client(UNKNOWN)
    for cluster in self.clusters.values():
        if provider.name in cluster.capacity_providers:
            raise errors.client(
                f"The capacity provider cannot be deleted because it is associated with cluster: {cluster.name}. "
                "Remove the capacity provider from the cluster and try again."
            )
    return original(self, name_or_arn)


@replace(EC2ContainerServiceBackend)
def put_cluster_capacity_providers(
    original, self, cluster_name, capacity_providers, default_capacity_provider_strategy
):
    cluster = self._get_cluster(cluster_name)
    for name in capacity_providers or []:
        if name not in ("FARGATE", "FARGATE_SPOT") and self._get_provider(name) is None:
            raise errors.invalid(UNKNOWN)
    for name in set(cluster.capacity_providers) - set(capacity_providers or []):
        for service in self.services.values():
            strategy = service.capacity_provider_strategy or []
            if service.cluster_arn == cluster.arn and service.status == "ACTIVE":
                if name in [each["capacityProvider"] for each in strategy]:
                    raise errors.named(
                        "ResourceInUseException", "The specified capacity provider is in use and cannot be removed."
                    )
    return original(self, cluster_name, capacity_providers, default_capacity_provider_strategy)
