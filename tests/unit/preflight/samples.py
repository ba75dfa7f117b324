# SPDX-License-Identifier: GPL-3.0-or-later
"""The tutorial's cluster and service as plain values, for tables of what breaks them."""

from __future__ import annotations

import copy
from typing import Any, Callable, Iterable

from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host

_SHARED = {
    "aws_account_id": "123456789012",
    "aws_region": "ap-southeast-1",
    "stack_tags": {},
    "stack_cluster_owner": {"handson:cluster": "petclinic-rest-cluster"},
    "stack_service_owner": {"handson:cluster": "petclinic-rest-cluster", "handson:service": "petclinic-rest-service"},
    "cluster_name": "petclinic-rest-cluster",
    "cluster_prefix": "petclinic-rest",
    "load_balancer_name": "petclinic-rest-alb",
    "security_groups_load_balancer_name": "petclinic-rest-alb-sg",
    "load_balancer_certificate_arn": "",
    "load_balancer_service_port": 80,
    "network_mode": "default",
    "network_vpc_id": "",
    "network_subnet_ids": [],
    "network_name": "petclinic-rest-vpc",
}
CLUSTER = {
    **_SHARED,
    "security_groups_instance_name": "petclinic-rest-ecs-instance-sg",
    "security_groups_load_balancer_cidrs": ["0.0.0.0/0"],
    "security_groups_ssh_cidrs": ["0.0.0.0/0"],
    "key_pair_name": "petclinic",
    "key_pair_type": "ed25519",
    "key_pair_private_key_file": "/tmp/petclinic.pem",
    "load_balancer_scheme": "internet-facing",
    "load_balancer_ip_address_type": "ipv4",
    "load_balancer_ssl_policy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
    "load_balancer_idle_timeout": 60,
    "load_balancer_listener_port": 80,
    "network_cidr": "10.0.0.0/16",
    "network_subnet_cidrs": ["10.0.0.0/24", "10.0.1.0/24"],
    "network_availability_zones": [],
    "cluster_container_insights": "disabled",
    "cluster_insights_retention_days": 30,
    "cluster_made_by": "roles",
    "instances_state": "present",
    "instances_name": "petclinic-rest-ecs-instances",
    "instances_role_name": "petclinic-rest-ecs-instance-role",
    "instances_type": "t2.medium",
    "instances_count": 2,
    "instances_min": 2,
    "instances_max": 2,
    "instances_image_parameter": "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id",
    "instances_image_id": "",
    "instances_volume_size": 30,
    "instances_volume_type": "gp3",
    "instances_volume_kms_key": "",
    "instances_metadata_hop_limit": 1,
    "instances_default_cooldown": 300,
    "instances_agent_config": {},
    "instances_user_data": "",
    "instances_capacity_provider_enabled": False,
    "instances_capacity_provider_name": "petclinic-rest-capacity-provider",
    "instances_capacity_provider_managed_scaling": True,
    "instances_capacity_provider_target_capacity": 100,
    "instances_capacity_provider_termination_protection": True,
}
SERVICE = {
    **_SHARED,
    "service_state": "present",
    "service_name": "petclinic-rest-service",
    "service_prefix": "petclinic-rest",
    "registry_name": "petclinic-rest",
    "registry_tag_mutability": "MUTABLE",
    "registry_encryption": "AES256",
    "registry_kms_key": "",
    "registry_keep_images": 10,
    "registry_untagged_days": 14,
    "image_context": "",
    "image_tag": "latest",
    "image_reference": "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest:latest",
    "target_group_name": "petclinic-rest-target",
    "target_group_protocol": "HTTP",
    "target_group_port": 80,
    "target_group_type": "instance",
    "target_group_deregistration_delay": 60,
    "target_group_health_check_path": "/actuator/health",
    "target_group_health_check_matcher": "200",
    "target_group_health_check_interval": 30,
    "target_group_health_check_timeout": 5,
    "target_group_healthy_threshold": 5,
    "target_group_unhealthy_threshold": 2,
    "target_group_rule_priority": "default",
    "target_group_rule_paths": [],
    "target_group_rule_hosts": [],
    "task_definition_launch_type": "EC2",
    "task_definition_network_mode": "bridge",
    "task_definition_family": "petclinic-rest-task",
    "task_definition_cpu": "512",
    "task_definition_memory": "1024",
    "task_definition_memory_reservation": 625,
    "task_definition_memory_limit": None,
    "task_definition_container_name": "petclinic-rest-app",
    "task_definition_container_port": 9460,
    "task_definition_container_cpu": None,
    "task_definition_host_port": 0,
    "task_definition_environment": {},
    "task_definition_secrets": {},
    "task_definition_health_check": {},
    "task_definition_stop_timeout": None,
    "task_definition_extra_containers": [],
    "task_definition_volumes": [],
    "task_definition_task_role": "",
    "task_definition_execution_role_name": "petclinic-rest-task-execution-role",
    "task_definition_log_group": "/ecs/petclinic-rest-task",
    "task_definition_log_retention_days": 30,
    "task_definition_run_count": 2,
    "service_task_definition": "latest",
    "service_desired_count": 2,
    "service_minimum_healthy_percent": 100,
    "service_maximum_percent": 200,
    "service_health_check_grace_period": 60,
    "service_circuit_breaker_threshold_type": "BOUNDED_PERCENT",
    "service_circuit_breaker_threshold_value": 50,
    "service_availability_zone_rebalancing": "ENABLED",
    "service_scheduling_strategy": "REPLICA",
    "service_placement_strategy": [
        {"type": "spread", "field": "attribute:ecs.availability-zone"},
        {"type": "spread", "field": "instanceId"},
    ],
    "service_placement_constraints": [],
    "service_execute_command": False,
    "service_assign_public_ip": False,
    "service_capacity_provider": "",
    "security_groups_task_name": "petclinic-rest-task-sg",
    "service_security_group_names": [],
    "service_wait_timeout": 900,
    "service_wait_interval": 5,
}


def cluster(name: str = "petclinic-rest-cluster", **changes: Any) -> Host:
    """The tutorial's cluster with some values changed."""
    return Host(name, "cluster", {**copy.deepcopy(CLUSTER), **changes})


def service(name: str = "petclinic-rest-service", **changes: Any) -> Host:
    """The tutorial's service with some values changed."""
    return Host(name, "service", {**copy.deepcopy(SERVICE), **changes})


#: What the defaults make of `task_definition_launch_type: FARGATE`.
FARGATE = {
    "task_definition_launch_type": "FARGATE",
    "task_definition_network_mode": "awsvpc",
    "target_group_type": "ip",
    "service_security_group_names": ["petclinic-rest-task-sg"],
    "service_assign_public_ip": True,
}


def fargate(name: str = "petclinic-rest-service", **changes: Any) -> Host:
    """The tutorial's service on Fargate with some values changed, which count as given by the inventory."""
    host = service(name, **FARGATE | changes)
    host.given = {"task_definition_launch_type", *changes}
    return host


def seen(faults: Iterable[Fault]) -> list[str]:
    """The variables that faults name, each once, warnings marked with `?`."""
    return sorted({f.variable + ("?" if f.warning else "") for f in faults})


def one(check: Callable[[Host], Iterable[Fault]], host: Host, variable: str, says: str) -> None:
    """Assert that a check finds exactly one variable at fault, and what the problem or the remedy says."""
    faults = list(check(host))
    assert seen(faults) == [variable], faults
    assert any(says in f.problem + " " + f.remedy for f in faults), faults
