# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Task records. No container runs: RUNNING is what the record says.

moto's own Task (5.2.5) walks from RUNNING to STOPPED by itself when it is described a few times, knows one container
only, has no host ports and leaves its network interface behind.
"""

import time
from typing import Any

from moto.core.utils import utcnow
from moto.ec2 import ec2_backends
from moto.ecs.models import Task
from moto.moto_api._internal import mock_random

EPHEMERAL_PORTS = range(32768, 61000)


class ContainerRecord:
    """One container of a task, as DescribeTasks shows it."""

    def __init__(self, definition: dict[str, Any], task: "TaskRecord"):
        container_id = str(mock_random.uuid4())
        self.container_arn = f"{task.task_arn.replace(':task/', ':container/', 1)}/{container_id}"
        self.task_arn = task.task_arn
        self.name = definition.get("name")
        self.image = definition.get("image")
        self.runtime_id = mock_random.get_random_hex(64)
        self.last_status = "PENDING"
        self.exit_code: int | None = None
        self.reason: str | None = None
        self.network_bindings: list[dict[str, Any]] = []
        self.network_interfaces: list[dict[str, Any]] = []
        self.health_status = "UNKNOWN"
        self.cpu = str(definition.get("cpu") or 0)
        self.memory = str(definition["memory"]) if definition.get("memory") else None
        self.memory_reservation = str(definition["memoryReservation"]) if definition.get("memoryReservation") else None
        self.definition = definition


class TaskRecord(Task):
    """A task with all its containers and host ports, which changes its state only when told to."""

    def __init__(self, backend, cluster, task_definition, instance, requirements, deployment=None, **options):
        if task_definition.network_mode == "awsvpc":
            network = options.get("networking_configuration")
            if network:
                options["networking_configuration"] = with_security_groups(backend, network)
        super().__init__(
            cluster=cluster,
            task_definition=task_definition,
            container_instance_arn=instance.container_instance_arn if instance else None,
            resource_requirements=requirements,
            backend=backend,
            **options,
        )
        self.is_one_off = deployment is None
        self.deployment = deployment
        self.draining = False
        self.sick = False  # its target fails the health check
        self.sick_steps = 0
        self.targets: list[tuple[str, dict[str, Any]]] = []  # (target group ARN, target) that were registered
        self.touched = time.monotonic()
        self._status = "PENDING"
        self.created_at = utcnow()
        self.started_at = self.stopping_at = self.stopped_at = self.stop_code = None
        self.connectivity = "CONNECTED"
        self.version = 1
        self.cpu = task_definition.cpu
        self.memory = task_definition.memory
        self.availability_zone = instance.attributes.get("ecs.availability-zone") if instance else None
        self.network_mode = task_definition.network_mode
        self.containers = [ContainerRecord(definition, self) for definition in task_definition.container_definitions]
        if self.attachments:
            details = {detail["name"]: detail["value"] for detail in self.attachments[0]["details"]}
            interface = {
                "attachmentId": self.attachments[0]["id"],
                "privateIpv4Address": details.get("privateIPv4Address"),
            }
            for container in self.containers:
                container.network_interfaces = [interface]
        elif instance:
            self._bind_ports(backend, instance)

    def _bind_ports(self, backend, instance) -> None:
        """Give each port mapping its host port: the fixed one, or the next free one from 32768."""
        used = ports_in_use(backend, instance)
        for container in self.containers:
            for mapping in container.definition.get("portMappings") or []:
                host = mapping.get("hostPort") or 0
                if self.network_mode == "host":
                    host = mapping["containerPort"]
                if not host:
                    host = next(port for port in EPHEMERAL_PORTS if port not in used)
                used.add(host)
                container.network_bindings.append(
                    {
                        "bindIP": "0.0.0.0",
                        "containerPort": mapping["containerPort"],
                        "hostPort": host,
                        "protocol": mapping.get("protocol", "tcp"),
                    }
                )

    @property
    def status(self) -> str:
        """The last status; moto's ManagedState would move it on by itself."""
        return self._status

    @status.setter
    def status(self, value: str) -> None:
        self._status = value

    def advance(self) -> None:
        """Not by being described."""

    def private_address(self) -> str | None:
        """The private IPv4 address of an awsvpc task."""
        interfaces = self.containers[0].network_interfaces
        return interfaces[0]["privateIpv4Address"] if interfaces else None

    def host_port(self, container_name: str, container_port: int) -> int | None:
        """The host port that a container's port is bound to."""
        for container in self.containers:
            for binding in container.network_bindings:
                if container.name == container_name and binding["containerPort"] == container_port:
                    return binding["hostPort"]
        return None


def run(task: TaskRecord) -> None:
    """PENDING becomes RUNNING."""
    task.status = "RUNNING"
    task.started_at = utcnow()
    task.touched = time.monotonic()
    for container in task.containers:
        container.last_status = "RUNNING"


def stop(backend, task: TaskRecord, reason: str, code: str) -> None:
    """The task becomes STOPPED; its network interface goes with it."""
    task.status = task.desired_status = "STOPPED"
    task.stopped_reason, task.stop_code = reason, code
    task.stopping_at = task.stopped_at = utcnow()
    for container in task.containers:
        container.last_status = "STOPPED"
        container.exit_code = 143 if task.started_at else None  # ended by SIGTERM
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    for attachment in task.attachments:
        attachment["status"] = "DELETED"
        for detail in attachment["details"]:
            if detail["name"] == "networkInterfaceId":
                ec2.enis.pop(detail["value"], None)


def live_tasks(backend, cluster_name: str) -> list[TaskRecord]:
    """The tasks of a cluster that are not stopped."""
    return [task for task in backend.tasks.get(cluster_name, {}).values() if task.status != "STOPPED"]


def ports_in_use(backend, instance) -> set[int]:
    """Host ports bound by live tasks on a container instance."""
    return {
        binding["hostPort"]
        for task in live_tasks(backend, instance.cluster_name)
        if task.container_instance_arn == instance.container_instance_arn
        for container in task.containers
        for binding in container.network_bindings
    }


def with_security_groups(backend, network: dict[str, Any]) -> dict[str, Any]:
    """A network configuration with securityGroups: the VPC's default group if none is given.

    moto 5.2.5 raises KeyError without them. Unknown subnets are left for moto to refuse.
    """
    vpc = network.get("awsvpcConfiguration") or {}
    if vpc.get("securityGroups") or not vpc.get("subnets"):
        groups = vpc.get("securityGroups") or []
    else:
        ec2 = ec2_backends[backend.account_id][backend.region_name]
        subnets = [
            ec2.subnets[zone][vpc["subnets"][0]] for zone in ec2.subnets if vpc["subnets"][0] in ec2.subnets[zone]
        ]
        default = ec2.get_default_security_group(subnets[0].vpc_id) if subnets else None
        groups = [default.id] if default else []
    return {"awsvpcConfiguration": {"assignPublicIp": "DISABLED", **vpc, "securityGroups": groups}}
