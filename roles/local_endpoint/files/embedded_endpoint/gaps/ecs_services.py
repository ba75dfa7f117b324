# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""CreateService, UpdateService, DeleteService, DescribeServices, ListServices.

moto 5.2.5 drops deploymentConfiguration, healthCheckGracePeriodSeconds, availabilityZoneRebalancing, placement,
enableExecuteCommand and more on create; keeps what UpdateService is given without new deployments; accepts a target
group without a load balancer, unknown containers and a name that is in use (seen by creating a service and reading
it back).
"""

import time
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ecs.exceptions import ServiceNotFoundException
from moto.ecs.models import EC2ContainerServiceBackend, Service
from moto.ecs.responses import DESCRIBE_SERVICES_TAGS, EC2ContainerServiceResponse
from moto.elbv2 import elbv2_backends

from embedded_endpoint.gaps import errors, scheduler, task_record
from embedded_endpoint.gaps.deployment import begin
from embedded_endpoint.gaps.patching import replace

# API option -> attribute of moto's Service. None of these starts a deployment (see NEW_DEPLOYMENT).
KEPT = {
    "healthCheckGracePeriodSeconds": "health_check_grace_period_seconds",
    "enableECSManagedTags": "enable_ecs_managed_tags",
    "enableExecuteCommand": "enable_execute_command",
    "placementConstraints": "placement_constraints",
    "placementStrategy": "placement_strategy",
    "capacityProviderStrategy": "capacity_provider_strategy",
    "propagateTags": "propagate_tags",
}
# "This parameter triggers a new service deployment": UpdateService in botocore's model of ECS.
NEW_DEPLOYMENT = {
    "networkConfiguration": "network_configuration",
    "loadBalancers": "load_balancers",
    "serviceRegistries": "service_registries",
    "platformVersion": "platform_version",
    "serviceConnectConfiguration": "service_connect_configuration",
    "volumeConfigurations": "volume_configurations",
}


def deployment_configuration(given: dict[str, Any] | None, daemon: bool = False) -> dict[str, Any]:
    """What AWS answers for a deployment configuration: its defaults, with what was given on top."""
    defaults = {
        "maximumPercent": 100 if daemon else 200,
        "minimumHealthyPercent": 0 if daemon else 100,
        "strategy": "ROLLING",
        "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    }
    result = {**defaults, **(given or {})}
    result["deploymentCircuitBreaker"] = {
        **defaults["deploymentCircuitBreaker"],
        **(result.get("deploymentCircuitBreaker") or {}),
    }
    return result


@replace(Service, "__init__")
def _service(original, self, *args, **kwargs):
    original(self, *args, **kwargs)
    # Defaults of AWS; what the request says is put on top by _create and _update. CloudFormation comes without one.
    self.created_at = utcnow()
    self.created_by = f"arn:aws:iam::{self._account_id}:root"
    self.events = []
    self.deployments = []
    self.revisions = {}  # all that there were, by ARN
    self.history = []  # of its service deployments, newest first
    self.running_count = self.pending_count = 0
    self.deployment_configuration = deployment_configuration(None)
    self.availability_zone_rebalancing = "ENABLED"
    self.health_check_grace_period_seconds = None
    self.enable_ecs_managed_tags = False
    self.enable_execute_command = False
    self.placement_constraints = []
    self.placement_strategy = []
    self.capacity_provider_strategy = []
    self.service_connect_configuration = self.volume_configurations = None
    self.platform_family = "Linux" if self.launch_type == "FARGATE" else None
    self.steady = False
    self.complaint = None
    self.completed = None  # the deployment that a roll-back goes to
    self.stepped = time.monotonic()


@replace(EC2ContainerServiceBackend)
def create_service(original, self, cluster_str, service_name, *args, **kwargs):
    cluster = self._get_cluster(cluster_str)
    existing = self.services.get(f"{cluster.name}:{service_name}")
    if existing and existing.status == "ACTIVE":
        raise errors.invalid("Creation of service was not idempotent.")
    if existing and existing.status == "DRAINING":
        raise errors.invalid("Unable to Start a service that is still Draining.")
    if kwargs.get("network_configuration"):
        kwargs["network_configuration"] = task_record.with_security_groups(self, kwargs["network_configuration"])
    service = original(self, cluster_str, service_name, *args, **kwargs)
    if service.deployment_controller["type"] == "ECS":
        begin(service)
    return service


@replace(EC2ContainerServiceResponse, "create_service")
def _create(original, self):
    backend, parameters = self.ecs_backend, dict(self._get_params())
    cluster = backend._get_cluster(parameters.get("cluster", "default"))
    if parameters.get("launchType") and parameters.get("capacityProviderStrategy"):
        raise errors.invalid("Specify either Launch Type or Capacity Provider Strategy, but not both.")
    _check_strategy(cluster, parameters.get("capacityProviderStrategy"))
    daemon = parameters.get("schedulingStrategy") == "DAEMON"
    configuration = deployment_configuration(parameters.get("deploymentConfiguration"), daemon)
    if parameters.get("taskDefinition"):
        definition = backend.describe_task_definition(parameters["taskDefinition"])
        if definition.status != "ACTIVE":
            raise errors.client("TaskDefinition is inactive")
        _check_load_balancers(backend, parameters.get("loadBalancers"), definition)
        if definition.network_mode == "awsvpc" and not parameters.get("networkConfiguration"):
            raise errors.invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    rebalancing = _rebalancing_on_create(parameters, configuration, daemon)

    result = original(self)
    service = result.result["service"]
    service.deployment_configuration = configuration
    service.availability_zone_rebalancing = rebalancing
    for option, attribute in KEPT.items():
        if parameters.get(option) is not None:
            setattr(service, attribute, parameters[option])
    for option in ("serviceConnectConfiguration", "volumeConfigurations"):
        setattr(service, NEW_DEPLOYMENT[option], parameters.get(option))
    if not parameters.get("launchType"):
        service.capacity_provider_strategy = (
            service.capacity_provider_strategy or cluster.default_capacity_provider_strategy or []
        )
        if service.capacity_provider_strategy:
            service.launch_type = None
    if service.health_check_grace_period_seconds is None and service.load_balancers:
        service.health_check_grace_period_seconds = 0
    if service.deployments:
        service.deployments, service.revisions, service.history = [], {}, []
        begin(service)  # again: now with all options
    scheduler.refresh_counts(backend, service)
    return result


def _check_strategy(cluster, strategy: list[dict[str, Any]] | None) -> None:
    """A service uses providers that are associated with its cluster, AWS's own for Fargate like any other."""
    if {each.get("capacityProvider") for each in strategy or []} - set(cluster.capacity_providers or []):
        raise errors.invalid(
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated with "
            "the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and "
            "try again."
        )


def _rebalancing_on_create(parameters: dict[str, Any], configuration: dict[str, Any], daemon: bool) -> str:
    """ENABLED unless something that doesn't go with it was asked for; an error if both were asked for."""
    given = parameters.get("availabilityZoneRebalancing")
    spread = (parameters.get("placementStrategy") or [{"field": "attribute:ecs.availability-zone"}])[0]
    compatible = (
        not daemon
        and configuration["maximumPercent"] > 100
        and spread.get("field") == "attribute:ecs.availability-zone"
        and not any(each.get("loadBalancerName") for each in parameters.get("loadBalancers") or [])
    )
    if given == "ENABLED":
        _check_rebalancing(given, configuration)
    return given or ("ENABLED" if compatible else "DISABLED")


def _check_rebalancing(rebalancing: str, configuration: dict[str, Any]) -> None:
    # The rule is documented, the wording of AWS's message could not be looked up:
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-rebalancing.html
    if rebalancing == "ENABLED" and configuration["maximumPercent"] <= 100:
        raise errors.invalid("Availability Zone rebalancing does not support a maximumPercent of 100 or less.")


def _check_load_balancers(backend, balancers: list[dict[str, Any]] | None, definition) -> None:
    """What AWS refuses when a service names a load balancer."""
    elbv2 = elbv2_backends[backend.account_id][backend.region_name]
    containers = {each.get("name"): each for each in definition.container_definitions}
    for balancer in balancers or []:
        name, port = balancer.get("containerName"), balancer.get("containerPort")
        if name not in containers:
            raise errors.invalid(f"The container {name} does not exist in the task definition.")
        if port not in [each.get("containerPort") for each in containers[name].get("portMappings") or []]:
            raise errors.invalid(f"The container {name} did not have a container port {port} defined.")
        arn = balancer.get("targetGroupArn")
        if not arn:
            continue
        if arn not in elbv2.target_groups:
            raise errors.invalid(f"Unable to assume role and validate the specified targetGroupArn: {arn}.")
        if not elbv2._any_listener_using(arn):
            raise errors.invalid(
                f"The target group with targetGroupArn {arn} does not have an associated load balancer."
            )
        awsvpc, kind = definition.network_mode == "awsvpc", elbv2.target_groups[arn].target_type
        if awsvpc != (kind == "ip"):
            raise errors.invalid(
                f"The provided target group {arn} has target type {kind}, which is incompatible with the "
                f"{definition.network_mode or 'bridge'} network mode specified in the task definition."
            )


@replace(EC2ContainerServiceBackend)
def update_service(original, self, service_properties):
    """What CloudFormation and ``_update`` change: count, task definition, a forced deployment."""
    service = self._get_service(service_properties["cluster"], service_properties["service"])
    if service.status != "ACTIVE":
        raise errors.named("ServiceNotActiveException", "Service was not ACTIVE.")
    deploy = bool(service_properties.get("force_new_deployment"))
    if service_properties.get("task_definition"):
        definition = self.describe_task_definition(service_properties["task_definition"])
        if definition.status != "ACTIVE":
            raise errors.client("TaskDefinition is inactive")
        deploy |= definition.arn != service.task_definition
        service.task_definition = definition.arn
    if service_properties.get("desired_count") is not None:
        service.steady &= service.desired_count == service_properties["desired_count"]
        service.desired_count = service_properties["desired_count"]
    service.complaint = None
    if deploy and service.deployment_controller["type"] == "ECS":
        begin(service)
    return service


@replace(EC2ContainerServiceResponse, "update_service")
def _update(original, self):
    backend, parameters = self.ecs_backend, dict(self._get_params())
    cluster = parameters.get("cluster", "default")
    service = backend._get_service(cluster, parameters["service"])
    if service.status != "ACTIVE":
        raise errors.named("ServiceNotActiveException", "Service was not ACTIVE.")
    _check_strategy(backend._get_cluster(cluster), parameters.get("capacityProviderStrategy"))

    configuration = service.deployment_configuration
    if parameters.get("deploymentConfiguration"):
        # What a request leaves out keeps its value; a circuit breaker that is given replaces the whole one.
        configuration = deployment_configuration({**configuration, **parameters["deploymentConfiguration"]})
    rebalancing = parameters.get("availabilityZoneRebalancing") or service.availability_zone_rebalancing
    _check_rebalancing(rebalancing, configuration)
    definition = None
    if parameters.get("taskDefinition") or parameters.get("loadBalancers"):
        definition = backend.describe_task_definition(parameters.get("taskDefinition") or service.task_definition)
        _check_load_balancers(backend, parameters.get("loadBalancers", service.load_balancers), definition)
    if parameters.get("networkConfiguration"):
        network = task_record.with_security_groups(backend, parameters["networkConfiguration"])
        parameters["networkConfiguration"] = service._validate_network(network)

    service.deployment_configuration = configuration
    service.availability_zone_rebalancing = rebalancing
    for option, attribute in KEPT.items():
        if parameters.get(option) is not None:
            setattr(service, attribute, parameters[option])
    if parameters.get("capacityProviderStrategy"):
        service.launch_type = None
    deploy = bool(parameters.get("forceNewDeployment"))
    for option, attribute in NEW_DEPLOYMENT.items():
        if parameters.get(option) is not None:
            deploy |= getattr(service, attribute, None) != parameters[option]
            setattr(service, attribute, parameters[option])
    backend.update_service(
        {
            "cluster": cluster,
            "service": parameters["service"],
            "task_definition": parameters.get("taskDefinition"),
            "desired_count": parameters.get("desiredCount"),
            "force_new_deployment": deploy,
        }
    )
    scheduler.refresh_counts(backend, service)
    return ActionResult({"service": service})


@replace(EC2ContainerServiceBackend)
def delete_service(original, self, cluster_name, service_name, force):
    service = self._get_service(cluster_name, service_name)
    if service.status == "INACTIVE":
        raise ServiceNotFoundException
    if service.status == "ACTIVE" and service.desired_count > 0 and not force:
        raise errors.invalid("The service cannot be stopped while it is scaled above 0.")
    service.status = "DRAINING"
    service.desired_count = 0
    service.steady = False
    return service


@replace(EC2ContainerServiceBackend)
def _get_service(original, self, cluster_str, service_str):
    cluster = self._get_cluster(cluster_str)
    service = self.services.get(f"{cluster.name}:{service_str.split('/')[-1]}")
    if service is None:
        raise ServiceNotFoundException
    return service


@replace(EC2ContainerServiceResponse, "describe_services")
def _describe(original, self):
    backend, names = self.ecs_backend, self._get_param("services", [])
    if not names:
        raise errors.invalid("Services cannot be empty.")
    if len(names) > 10:
        raise errors.invalid("You may only specify up to 10 services.")
    services, failures = backend.describe_services(self._get_param("cluster", "default"), names)
    for service in services:
        scheduler.step(backend, service)
    # The switch is kept on the class by moto; requests are handled one at a time, so it can't leak into another.
    show_tags = "TAGS" in self._get_param("include", [])
    (self._include_in_response if show_tags else self._exclude_from_response)(DESCRIBE_SERVICES_TAGS)
    return ActionResult({"services": services, "failures": failures})


@replace(EC2ContainerServiceBackend)
def list_services(original, self, cluster_str, scheduling_strategy=None, launch_type=None):
    # moto 5.2.5 finds the services of every cluster whose name ends like this one, and deleted ones.
    cluster = self._get_cluster(cluster_str)
    return sorted(
        service.arn
        for service in self.services.values()
        if service.cluster_arn == cluster.arn
        and service.status != "INACTIVE"
        and scheduling_strategy in (None, service.scheduling_strategy)
        and launch_type in (None, service.launch_type)
    )
