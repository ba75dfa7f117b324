# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The container agent: EC2 instances whose user data names a cluster are its container instances.

moto 5.2.5 registers none (only RegisterContainerInstance does, which no client calls), gives each 4 CPUs and 7482 MiB
whatever its type, and keeps those of terminated instances.
"""

import base64
import binascii
import re

from moto.autoscaling import autoscaling_backends
from moto.ec2 import ec2_backends
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ecs.models import ContainerInstance

from embedded_endpoint.gaps import placement, target_registration, task_record

# As installed by the ECS-optimized Amazon Linux 2023 AMI of November 2026.
VERSION_INFO = {"agentVersion": "1.102.0", "agentHash": "f5b3d2e1", "dockerVersion": "DockerVersion: 25.0.13"}
_CLUSTER = re.compile(r"""\bECS_CLUSTER\s*=\s*["']?([A-Za-z0-9_-]+)""")


def reconcile(backend) -> None:
    """Register, deregister, connect and disconnect container instances as their EC2 instances are."""
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    instances = {instance.id: instance for instance in ec2.all_instances()}
    for cluster_name in list(backend.container_instances):
        for container_instance in list(backend.container_instances[cluster_name].values()):
            _follow(backend, cluster_name, container_instance, instances.get(container_instance.ec2_instance_id))
    known = {each.ec2_instance_id for group in backend.container_instances.values() for each in group.values()}
    deregistered = getattr(backend, "deregistered_instances", set())
    for instance in instances.values():
        if instance.state != "running" or instance.id in known or instance.id in deregistered:
            continue
        cluster = backend.clusters.get(cluster_named_in(instance.user_data) or "")
        if cluster is not None and cluster.status == "ACTIVE":
            _register(backend, cluster, instance)


def cluster_named_in(user_data) -> str | None:
    """The value of ECS_CLUSTER in an instance's user data (moto's base64 object, or text), None if it isn't there."""
    if not user_data:
        return None
    try:
        text = user_data.decode() if hasattr(user_data, "decode") and not isinstance(user_data, bytes) else user_data
    except (ValueError, UnicodeDecodeError):
        return None
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    found = _CLUSTER.search(text)
    if not found:
        try:  # a caller that encoded it twice: cloud-init takes that too
            found = _CLUSTER.search(base64.b64decode(text, validate=True).decode(errors="replace"))
        except (binascii.Error, ValueError):
            return None
    return found.group(1) if found else None


def registered_memory(instance_type: str) -> int:
    """MiB that the agent registers: the instance's memory less what the kernel keeps and what AL2023 hides.

    A t2.medium (4096 MiB) registers about 3953, see aws-facts: 3.5 %, which also fits larger types within 1 %.
    """
    size = INSTANCE_TYPES.get(instance_type, {}).get("MemoryInfo", {}).get("SizeInMiB", 4096)
    return int(size * 3953 / 4096)


def resources(instance_type: str) -> list[dict]:
    """CPU (1024 units a vCPU), MEMORY and PORTS of an instance type, in the API's form."""
    vcpus = INSTANCE_TYPES.get(instance_type, {}).get("VCpuInfo", {}).get("DefaultVCpus", 2)
    return [
        _resource("CPU", integerValue=vcpus * 1024),
        _resource("MEMORY", integerValue=registered_memory(instance_type)),
        _resource("PORTS", stringSetValue=list(placement.AGENT_PORTS)),
        _resource("PORTS_UDP", stringSetValue=[]),
    ]


def _resource(name: str, **value) -> dict:
    kind = "INTEGER" if "integerValue" in value else "STRINGSET"
    return {"name": name, "type": kind, "doubleValue": 0.0, "longValue": 0, "integerValue": 0, **value}


def _register(backend, cluster, instance) -> ContainerInstance:
    record = ContainerInstance(instance.id, backend.account_id, backend.region_name, cluster.name, backend)
    record.by_agent = True
    record.id = record.id.replace("-", "")  # the long format of AWS: 32 hexadecimal digits
    record.registered_resources = resources(instance.instance_type)
    record.remaining_resources = resources(instance.instance_type)
    record.version_info = dict(VERSION_INFO)
    record.version = 1
    record.attributes.update(
        {
            "ecs.cpu-architecture": "arm64" if _is_arm(instance.instance_type) else "x86_64",
            "ecs.subnet-id": instance.subnet_id,
            "ecs.vpc-id": instance.vpc_id,
        }
    )
    record.capacity_provider_name = _capacity_provider(backend, cluster, instance)
    backend.container_instances.setdefault(cluster.name, {})[record.id] = record
    return record


def _is_arm(instance_type: str) -> bool:
    architectures = INSTANCE_TYPES.get(instance_type, {}).get("ProcessorInfo", {}).get("SupportedArchitectures", [])
    return "arm64" in architectures


def _capacity_provider(backend, cluster, instance) -> str | None:
    """The cluster's capacity provider whose auto scaling group launched the instance."""
    groups = autoscaling_backends[backend.account_id][backend.region_name].autoscaling_groups
    for name in cluster.capacity_providers or []:
        provider = backend.capacity_providers.get(name)
        arn = provider.auto_scaling_group_provider.get("autoScalingGroupArn", "") if provider else ""
        for group in groups.values():
            if arn in (group.arn, group.name) and any(
                state.instance.id == instance.id for state in group.instance_states
            ):
                return name
    return None


def _follow(backend, cluster_name: str, record: ContainerInstance, instance) -> None:
    """What happened to the EC2 instance happens to its container instance."""
    if instance is None or instance.state in ("terminated", "shutting-down"):
        _end_tasks(backend, record, f"Host EC2 (instance {record.ec2_instance_id}) terminated.")
        backend.container_instances[cluster_name].pop(record.id, None)
    elif instance.state == "running":
        record.agent_connected = True
        if getattr(record, "by_agent", False):
            record.capacity_provider_name = _capacity_provider(backend, backend.clusters[cluster_name], instance)
    else:
        record.agent_connected = False
        _end_tasks(backend, record, f"Host EC2 (instance {record.ec2_instance_id}) stopped.")


def _end_tasks(backend, record: ContainerInstance, reason: str) -> None:
    for task in task_record.live_tasks(backend, record.cluster_name):
        if task.container_instance_arn == record.container_instance_arn:
            target_registration.deregister(backend, task)
            task_record.stop(backend, task, reason, "TerminationNotice")
