# SPDX-License-Identifier: GPL-3.0-or-later
"""One host at a time: what AWS would refuse, by variable."""

import pytest
from ansible_collections.handson.ecs.plugins.module_utils.preflight import (
    account,
    checks,
    image,
    instances,
    load_balancer,
    names,
    network,
    service as services,
    task_definition as tasks,
)
from unit.preflight.samples import cluster, one, seen, service

ROLE = "arn:aws:iam::123456789012:role/x"
SECRET = "arn:aws:secretsmanager:ap-southeast-1:123456789012:secret:db-AbCdEf"

DAEMON = {
    "service_scheduling_strategy": "DAEMON",
    "service_minimum_healthy_percent": 50,
    "service_maximum_percent": 100,
    "service_availability_zone_rebalancing": "DISABLED",
}


def test_the_tutorial_has_no_fault():
    assert checks.check_values([cluster(), service()]) == []


def test_numbers_may_be_text():
    host = cluster(instances_count="2", instances_min="2", instances_max="2", load_balancer_listener_port="80")
    assert checks.check_values([host, service(service_desired_count="2", task_definition_cpu=512)]) == []


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("load_balancer_name", "a" * 32, ""),
        ("load_balancer_name", "petclinic-rest-production-alb-001", "33 characters"),
        ("load_balancer_name", "-alb", "hyphen at its ends"),
        ("load_balancer_name", "alb-", "hyphen at its ends"),
        ("load_balancer_name", "my_alb", "letters, digits and hyphens"),
        ("load_balancer_name", "internal-alb", "'internal-'"),
        ("load_balancer_name", "", "empty"),
        ("security_groups_instance_name", "sg-web", "'sg-'"),
        ("security_groups_instance_name", "g" * 256, "256 characters"),
        ("security_groups_instance_name", "web (blue)", ""),
        ("cluster_name", "pet clinic", "letters, digits, hyphens and underscores"),
        ("cluster_name", "c" * 255, ""),
        ("instances_role_name", "r" * 65, "at most 64"),
        ("instances_capacity_provider_name", "aws-one", "'aws'"),
        ("instances_capacity_provider_name", "ecs-one", "'ecs'"),
        ("instances_capacity_provider_name", "fargate-one", "'fargate'"),
        ("key_pair_name", "schlüssel", "ASCII"),
        ("key_pair_name", "my key", ""),
        ("instances_name", "a:b", "colons"),
    ],
)
def test_names_of_a_cluster(variable, value, says):
    host = cluster(**{variable: value})
    if says:
        one(names.check_names, host, variable, says)
    else:
        assert list(names.check_names(host)) == []


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("target_group_name", "petclinic-rest-production-target-1", "34 characters"),
        ("registry_name", "PetClinic", "lower case"),
        ("registry_name", "team/pet.clinic_rest-1", ""),
        ("registry_name", "pet//clinic", "lower case"),
        ("registry_name", "a", "at least 2"),
        ("task_definition_family", "pet/task", "letters"),
        ("task_definition_execution_role_name", "x" * 65, "65 characters"),
        ("task_definition_log_group", "/ecs/pet clinic", "letters, digits"),
        ("task_definition_log_group", "aws/ecs", "'aws/'"),
        ("service_name", "s" * 256, "at most 255"),
    ],
)
def test_names_of_a_service(variable, value, says):
    host = service(**{variable: value})
    if says:
        one(names.check_names, host, variable, says)
    else:
        assert list(names.check_names(host)) == []


def test_a_derived_name_points_to_its_prefix():
    prefix = "a-rather-long-name-for-a-shop-x"
    fault = next(names.check_names(cluster(cluster_prefix=prefix, load_balancer_name=f"{prefix}-alb")))
    assert "cluster_prefix" in fault.remedy
    given = cluster(cluster_prefix=prefix, load_balancer_name=f"{prefix}-alb")
    given.given = {"load_balancer_name"}
    assert "cluster_prefix" not in next(names.check_names(given)).remedy


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("aws_account_id", "", "group_vars/all.yml of your inventory"),
        ("aws_account_id", "12345", "has 5"),
        ("aws_account_id", 12345678901, "without quotes"),
        ("aws_account_id", "12345678901x", "12 digits"),
        ("aws_region", "", "not filled in"),
        ("aws_region", "singapore", "looks like"),
        ("aws_region", "ap-southeast-1a", "a zone, not a region"),
    ],
)
def test_account(variable, value, says):
    one(account.check_account, cluster(**{variable: value}), variable, says)


@pytest.mark.parametrize("region", ["us-gov-west-1", "eu-central-2", "cn-north-1", "il-central-1", "mx-central-1"])
def test_regions(region):
    assert list(account.check_account(cluster(aws_region=region, aws_account_id=123456789012))) == []


@pytest.mark.parametrize(
    ("tags", "where", "says"),
    [
        ({"aws:team": "x"}, "stack_tags.aws:team", "AWS's own"),
        ({"k" * 129: "x"}, "stack_tags." + "k" * 129, "128"),
        ({"team": "v" * 257}, "stack_tags.team", "256"),
        ({"team": "a|b"}, "stack_tags.team", "letters"),
        ({"team": None}, "stack_tags.team", "text"),
        ({f"t{n}": n for n in range(50)}, "stack_tags", "AWS allows 50"),
        ({"handson:cluster": "other"}, "stack_tags.handson:cluster", "set by the run"),
    ],
)
def test_tags(tags, where, says):
    one(account.check_tags, cluster(stack_tags=tags), where, says)


@pytest.mark.parametrize(
    ("host", "variable", "says"),
    [
        (cluster(instances_volume_kms_key="key"), "instances_volume_kms_key", "no KMS key"),
        (service(registry_kms_key="arn:aws:kms:x"), "registry_kms_key", "no KMS key"),
        (service(task_definition_task_role="arn:aws:iam::1:role/x"), "task_definition_task_role", "not the ARN"),
        (service(task_definition_task_role="a b"), "task_definition_task_role", "neither"),
        (cluster(load_balancer_certificate_arn="cert"), "load_balancer_certificate_arn", "not the ARN"),
        (
            cluster(load_balancer_certificate_arn="arn:aws:acm:us-east-1:123456789012:certificate/a-b"),
            "load_balancer_certificate_arn",
            "lies in us-east-1",
        ),
    ],
)
def test_arns(host, variable, says):
    one(account.check_arns, host, variable, says)


@pytest.mark.parametrize(
    "host",
    [
        cluster(instances_volume_kms_key="alias/aws/ebs"),
        service(task_definition_task_role=ROLE),
        service(task_definition_task_role="my-role"),
        cluster(load_balancer_certificate_arn="arn:aws:acm:ap-southeast-1:123456789012:certificate/a-b"),
    ],
)
def test_good_arns(host):
    assert list(account.check_arns(host)) == []


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        ({"network_mode": "mine"}, "network_mode", "default, existing, create"),
        ({"network_vpc_id": "vpc-0a1b2c3d"}, "network_vpc_id", "'default'"),
        ({"network_mode": "create", "network_cidr": "10.0.0.0/8"}, "network_cidr", "/16 to /28"),
        ({"network_mode": "create", "network_cidr": "10.0.0.1/16"}, "network_cidr", "the block is 10.0.0.0/16"),
        ({"network_mode": "create", "network_cidr": "10.0.0"}, "network_cidr", "looks like"),
        ({"network_mode": "create", "network_subnet_cidrs": ["10.0.0.0/24"]}, "network_subnet_cidrs", "one subnet"),
        (
            {"network_mode": "create", "network_subnet_cidrs": ["10.0.0.0/24", "10.1.0.0/24"]},
            "network_subnet_cidrs",
            "outside",
        ),
        (
            {"network_mode": "create", "network_subnet_cidrs": ["10.0.0.0/24", "10.0.0.128/25"]},
            "network_subnet_cidrs",
            "overlaps",
        ),
        (
            {"network_mode": "create", "network_subnet_cidrs": ["10.0.0.0/24", "10.0.1.0/29"]},
            "network_subnet_cidrs",
            "/28",
        ),
        (
            {"network_mode": "create", "network_subnet_cidrs": ["10.0.0.0/24", "10.0.1.7/24"]},
            "network_subnet_cidrs",
            "10.0.1.0/24",
        ),
        (
            {"network_mode": "create", "network_availability_zones": ["ap-southeast-1a"]},
            "network_availability_zones",
            "1 zones for 2",
        ),
        (
            {"network_mode": "create", "network_availability_zones": ["ap-southeast-1a"] * 2},
            "network_availability_zones",
            "one zone",
        ),
        (
            {
                "network_mode": "create",
                "network_subnet_cidrs": ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"],
                "network_availability_zones": ["ap-southeast-1a", "ap-southeast-1b", "ap-southeast-1a"],
            },
            "network_availability_zones",
            "one zone, ap-southeast-1a;",
        ),
        (
            {"network_mode": "create", "network_availability_zones": ["us-east-1a", "ap-southeast-1b"]},
            "network_availability_zones",
            "us-east-1a is not",
        ),
    ],
)
def test_network(changes, variable, says):
    one(network.check_network, cluster(**changes), variable, says)


def test_an_existing_network_needs_its_ids():
    host = cluster(network_mode="existing")
    assert seen(network.check_network(host)) == ["network_subnet_ids", "network_vpc_id"]
    two = ["subnet-0a1b2c3d", "subnet-0a1b2c3e"]
    assert (
        list(
            network.check_network(
                cluster(network_mode="existing", network_vpc_id="vpc-0a1b2c3d", network_subnet_ids=two)
            )
        )
        == []
    )
    host = cluster(network_mode="existing", network_vpc_id="default", network_subnet_ids=["a", "b"])
    assert seen(network.check_network(host)) == ["network_subnet_ids", "network_vpc_id"]


def test_sources():
    one(
        network.check_sources,
        cluster(security_groups_ssh_cidrs=["203.0.113.7"]),
        "security_groups_ssh_cidrs",
        "203.0.113.7",
    )
    one(
        network.check_sources,
        cluster(security_groups_load_balancer_cidrs=[]),
        "security_groups_load_balancer_cidrs?",
        "Nobody",
    )
    assert list(network.check_sources(cluster(security_groups_ssh_cidrs=[]))) == []
    assert seen(network.check_open_ssh(cluster())) == ["security_groups_ssh_cidrs?"]
    assert list(network.check_open_ssh(cluster(security_groups_ssh_cidrs=["203.0.113.7/32"]))) == []


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("load_balancer_listener_port", 70000, "1 to 65535"),
        ("load_balancer_listener_port", 0, "1 to 65535"),
        ("load_balancer_idle_timeout", 4001, "1 to 4000"),
        ("load_balancer_scheme", "public", "internet-facing"),
        ("load_balancer_ip_address_type", "ipv6", "dualstack"),
    ],
)
def test_load_balancer(variable, value, says):
    one(load_balancer.check_load_balancer, cluster(**{variable: value}), variable, says)


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        (
            {"target_group_health_check_path": "actuator/health"},
            "target_group_health_check_path",
            "Write /actuator/health",
        ),
        ({"target_group_health_check_path": "/a b"}, "target_group_health_check_path", "no spaces"),
        ({"target_group_health_check_interval": 301}, "target_group_health_check_interval", "5 to 300"),
        ({"target_group_health_check_timeout": 30}, "target_group_health_check_timeout", "before the next"),
        ({"target_group_health_check_timeout": 1}, "target_group_health_check_timeout", "2 to 120"),
        ({"target_group_healthy_threshold": 1}, "target_group_healthy_threshold", "2 to 10"),
        ({"target_group_unhealthy_threshold": 11}, "target_group_unhealthy_threshold", "2 to 10"),
        ({"target_group_deregistration_delay": 3601}, "target_group_deregistration_delay", "0 to 3600"),
        ({"target_group_health_check_matcher": "2xx"}, "target_group_health_check_matcher", "200 to 499"),
        ({"target_group_health_check_matcher": "500"}, "target_group_health_check_matcher", "200 to 499"),
        ({"target_group_port": 65536}, "target_group_port", "65535"),
        ({"target_group_type": "ip"}, "target_group_type", "register as instance"),
        ({"target_group_rule_priority": 1}, "target_group_rule_priority", "neither paths nor host names"),
        (
            {"target_group_rule_priority": 50001, "target_group_rule_paths": ["/x*"]},
            "target_group_rule_priority",
            "50000",
        ),
        (
            {"target_group_rule_priority": "first", "target_group_rule_paths": ["/x*"]},
            "target_group_rule_priority",
            "default",
        ),
        ({"target_group_rule_paths": ["/x*"]}, "target_group_rule_paths", "no conditions"),
        (
            {"target_group_rule_priority": 1, "target_group_rule_paths": ["x*"]},
            "target_group_rule_paths",
            "begins with /",
        ),
        (
            {"target_group_rule_priority": 1, "target_group_rule_paths": ["/" + "x" * 128]},
            "target_group_rule_paths",
            "128",
        ),
        (
            {"target_group_rule_priority": 1, "target_group_rule_paths": [f"/{n}" for n in range(6)]},
            "target_group_rule_paths",
            "at most 5",
        ),
        (
            {"target_group_rule_priority": 1, "target_group_rule_hosts": ["localhost"]},
            "target_group_rule_hosts",
            "a dot",
        ),
    ],
)
def test_target_group(changes, variable, says):
    one(load_balancer.check_target_group, service(**changes), variable, says)


@pytest.mark.parametrize("matcher", ["200", "200-299", "200,302", "200,201,404"])
def test_good_matchers(matcher):
    assert list(load_balancer.check_target_group(service(target_group_health_check_matcher=matcher))) == []


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        ({"instances_type": "medium"}, "instances_type", "t2.medium"),
        ({"instances_count": 3}, "instances_count", "instances_max (2)"),
        ({"instances_count": 1}, "instances_count", "instances_min (2)"),
        ({"instances_min": 3}, "instances_min", "instances_max (2)"),
        ({"instances_min": -1}, "instances_min", "0 or more"),
        ({"instances_count": "two"}, "instances_count", "keep"),
        ({"instances_volume_size": 8}, "instances_volume_size", "needs 30"),
        ({"instances_volume_type": "gp2", "instances_volume_size": 20000}, "instances_volume_size", "16384"),
        ({"instances_volume_type": "st1"}, "instances_volume_type", "gp3"),
        ({"instances_metadata_hop_limit": 65}, "instances_metadata_hop_limit", "1 to 64"),
        ({"instances_image_id": "ami"}, "instances_image_id", "ami-"),
        ({"instances_image_parameter": "recommended"}, "instances_image_parameter", "begins with /"),
        ({"instances_type": "t4g.small"}, "instances_image_parameter", "/arm64/recommended/"),
        ({"instances_agent_config": {"ECS_CLUSTER": "x"}}, "instances_agent_config.ECS_CLUSTER", "elsewhere"),
        ({"instances_user_data": "#" * 16000}, "instances_user_data", "16000 bytes"),
        (
            {"instances_capacity_provider_enabled": True, "instances_capacity_provider_target_capacity": 0},
            "instances_capacity_provider_target_capacity",
            "1 to 100",
        ),
        (
            {"instances_capacity_provider_enabled": "yes", "instances_capacity_provider_managed_scaling": False},
            "instances_capacity_provider_termination_protection",
            "needs managed scaling",
        ),
    ],
)
def test_instances(changes, variable, says):
    one(instances.check_instances, cluster(**changes), variable, says)


def test_instances_may_be_kept():
    assert list(instances.check_instances(cluster(instances_count="keep"))) == []


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        ({"key_pair_type": "dsa"}, "key_pair_type", "ed25519"),
        ({"cluster_container_insights": "on"}, "cluster_container_insights", "enhanced"),
    ],
)
def test_cluster(changes, variable, says):
    one(instances.check_cluster, cluster(**changes), variable, says)


@pytest.mark.parametrize(
    ("check", "changes", "variable", "says"),
    [
        (image.check_registry, {"registry_tag_mutability": "NEVER"}, "registry_tag_mutability", "IMMUTABLE"),
        (image.check_registry, {"registry_kms_key": "alias/x"}, "registry_kms_key", "AES256"),
        (image.check_registry, {"registry_keep_images": 0}, "registry_keep_images", "1 or more"),
        (image.check_image, {"image_tag": "a:b"}, "image_tag", "128"),
        (image.check_image, {"image_reference": "Nginx:1"}, "image_reference", "lower case"),
        (image.check_image, {"image_reference": "nginx:"}, "image_reference", "reference"),
        (
            image.check_image,
            {"registry_tag_mutability": "IMMUTABLE", "image_context": "app"},
            "registry_tag_mutability?",
            "second push",
        ),
    ],
)
def test_image(check, changes, variable, says):
    one(check, service(**changes), variable, says)


BUILT = {"build_project_source_url": "https://github.com/a/b"}


@pytest.mark.parametrize(
    ("mutability", "excluded", "changes", "told"),
    [
        ("MUTABLE", [], BUILT, []),
        ("IMMUTABLE", [], {}, []),
        ("IMMUTABLE", [], BUILT, ["registry_tag_mutability"]),
        ("IMMUTABLE", [], {**BUILT, "image_tag": "1.0", "build_project_webhook_enabled": True}, ["registry_tag_mutability"]),
        ("IMMUTABLE", [], {**BUILT, "image_tag": "1.0", "pipeline_enabled": "yes"}, ["registry_tag_mutability"]),
        # A person gives each build its own.
        ("IMMUTABLE", [], {**BUILT, "image_tag": "1.0"}, ["registry_tag_mutability?"]),
        ("IMMUTABLE", [], {**BUILT, "service_state": "absent"}, []),
        ("IMMUTABLE", [], {**BUILT, "image_context": "app"}, ["registry_tag_mutability"]),
        ("IMMUTABLE", [], {**BUILT, "build_project_buildspec_path": "ci/build.yml"}, ["registry_tag_mutability?"]),
        ("IMMUTABLE_WITH_EXCLUSION", ["latest"], BUILT, []),
        ("IMMUTABLE_WITH_EXCLUSION", ["dev", "late*"], BUILT, []),
        ("IMMUTABLE_WITH_EXCLUSION", ["dev*"], BUILT, ["registry_tag_mutability"]),
        ("MUTABLE_WITH_EXCLUSION", ["v*"], BUILT, []),
        ("MUTABLE_WITH_EXCLUSION", ["*"], BUILT, ["registry_tag_mutability"]),
        ("IMMUTABLE_WITH_EXCLUSION", ["latest"], {"image_context": "app"}, []),
        ("IMMUTABLE_WITH_EXCLUSION", ["dev*"], {"image_context": "app"}, ["registry_tag_mutability?"]),
    ],
)
def test_a_tag_that_each_build_pushes(mutability, excluded, changes, told):
    host = service(registry_tag_mutability=mutability, registry_tag_mutability_exclusions=excluded, **changes)
    assert list(image.check_registry(host)) == []
    assert seen(image.check_image(host)) == told


@pytest.mark.parametrize(
    ("mutability", "excluded", "says"),
    [
        ("IMMUTABLE_WITH_EXCLUSION", [], "such as [latest]"),
        ("MUTABLE_WITH_EXCLUSION", [], "no tag is excluded"),
        ("IMMUTABLE", ["latest"], "IMMUTABLE_WITH_EXCLUSION"),
        ("IMMUTABLE_WITH_EXCLUSION", list("abcdef"), "at most 5"),
    ],
)
def test_tags_that_are_excluded(mutability, excluded, says):
    host = service(registry_tag_mutability=mutability, registry_tag_mutability_exclusions=excluded)
    one(image.check_registry, host, "registry_tag_mutability_exclusions", says)


@pytest.mark.parametrize(
    "reference",
    [
        "nginx",
        "nginx:1.27",
        "public.ecr.aws/nginx/nginx:latest",
        "127.0.0.1:4580/api:v1",
        "localhost:5000/a/b@sha256:" + "0" * 64,
        ".dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest:latest",  # no account yet: told where the account is
    ],
)
def test_good_references(reference):
    assert list(image.check_image(service(image_reference=reference))) == []


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        ({"task_definition_cpu": "64"}, "task_definition_cpu", "128 to 196608"),
        ({"task_definition_cpu": "half"}, "task_definition_cpu", "whole number"),
        (
            {"task_definition_memory": "4", "task_definition_memory_reservation": None},
            "task_definition_memory",
            "6 MiB",
        ),
        (
            {"task_definition_memory_limit": 5, "task_definition_memory_reservation": None},
            "task_definition_memory_limit",
            "6 MiB",
        ),
        ({"task_definition_memory_limit": 500}, "task_definition_memory_reservation", "above the hard limit of 500"),
        ({"task_definition_memory_limit": 2048}, "task_definition_memory_limit", "2048 MiB, the task has 1024"),
        ({"task_definition_memory_reservation": "lots"}, "task_definition_memory_reservation", "whole number"),
        ({"task_definition_memory_reservation": 1025}, "task_definition_memory_reservation", "1025 MiB"),
        ({"task_definition_container_cpu": 600}, "task_definition_container_cpu", "600 CPU units, the task has 512"),
        (
            {"task_definition_memory": "", "task_definition_memory_reservation": None},
            "task_definition_memory",
            "EC2 needs one",
        ),
        (
            {"task_definition_memory": "", "task_definition_extra_containers": [{"name": "log"}]},
            "task_definition_extra_containers",
            "'log'",
        ),
        (
            {"task_definition_extra_containers": [{"name": "log", "memory": 600, "memoryReservation": 500}]},
            "task_definition_memory_reservation",
            "1125 MiB",
        ),
        (
            {"task_definition_extra_containers": [{"name": "petclinic-rest-app"}]},
            "task_definition_extra_containers",
            "Two containers",
        ),
        ({"task_definition_container_port": 70000}, "task_definition_container_port", "1 to 65535"),
        ({"task_definition_container_port": 0}, "task_definition_container_port", "1 to 65535"),
        ({"task_definition_host_port": -1}, "task_definition_host_port", "0 to 65535"),
        ({"task_definition_host_port": 22}, "task_definition_host_port", "SSH"),
        ({"task_definition_host_port": 49153}, "task_definition_host_port?", "may be taken"),
        (
            {"task_definition_network_mode": "awsvpc", "task_definition_host_port": 80},
            "task_definition_host_port",
            "container's port, 9460",
        ),
        (
            {"task_definition_network_mode": "host", "task_definition_host_port": 80},
            "task_definition_host_port",
            "container's port, 9460",
        ),
        ({"task_definition_network_mode": "vpc"}, "task_definition_network_mode", "awsvpc"),
        ({"task_definition_launch_type": "CLOUD"}, "task_definition_launch_type", "FARGATE"),
        ({"task_definition_log_retention_days": 31}, "task_definition_log_retention_days", "such as 30"),
        ({"task_definition_run_count": 11}, "task_definition_run_count", "1 to 10"),
        ({"task_definition_stop_timeout": -1}, "task_definition_stop_timeout", "0 or more"),
        ({"task_definition_health_check": {"command": ["curl"]}}, "task_definition_health_check.command", "CMD-SHELL"),
        (
            {"task_definition_health_check": {"command": ["CMD", "x"], "startPeriod": 301}},
            "task_definition_health_check.start_period",
            "0 to 300",
        ),
        ({"task_definition_environment": {"1A": "x"}}, "task_definition_environment.1A", "letters"),
        ({"task_definition_environment": {"A": {"b": 1}}}, "task_definition_environment.A", "no text"),
        ({"task_definition_environment": {"A": True}}, "task_definition_environment.A", '"true"'),
        ({"task_definition_secrets": {"A": "hunter2"}}, "task_definition_secrets.A", "neither an ARN"),
        (
            {"task_definition_secrets": {"A": SECRET}, "task_definition_environment": {"A": "x"}},
            "task_definition_secrets.A",
            "same name",
        ),
        ({"task_definition_launch_type": "FARGATE"}, "task_definition_network_mode", "awsvpc only"),
    ],
)
def test_task_definition(changes, variable, says):
    one(tasks.check_task_definition, service(**changes), variable, says)


@pytest.mark.parametrize(
    "changes",
    [
        {"task_definition_memory": ""},
        {"task_definition_cpu": "", "task_definition_memory": "", "task_definition_memory_limit": 625},
        {"task_definition_cpu": ".5 vCPU", "task_definition_memory": "1 GB"},
        {"task_definition_environment": {"SPRING.PROFILES": "aws", "PORT": 80}},
        {"task_definition_secrets": {"A": SECRET, "B": "/shop/db/password"}},
        {"task_definition_network_mode": "awsvpc"},
        {"task_definition_host_port": 9460},
    ],
)
def test_good_task_definitions(changes):
    assert list(tasks.check_task_definition(service(**changes))) == []


def test_a_secret_is_told_and_never_shown():
    extra = [{"name": "log", "environment": [{"name": "TOKEN", "value": "s3cr3t"}]}]
    host = service(
        task_definition_environment={"DB_PASSWORD": "hunter2", "URL": "-----BEGIN PRIVATE KEY-----"},
        task_definition_secrets={"PIN": "4711"},
        task_definition_extra_containers=extra,
    )
    faults = list(tasks.check_task_definition(host))
    assert seen(faults) == [
        "task_definition_environment.DB_PASSWORD",
        "task_definition_environment.URL",
        "task_definition_extra_containers.TOKEN",
        "task_definition_secrets.PIN",
    ]
    text = checks.report(faults) + str([checks.as_dict(f) for f in faults])
    assert not any(secret in text for secret in ("hunter2", "s3cr3t", "4711", "BEGIN"))


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        ({"service_desired_count": "many"}, "service_desired_count", "keep"),
        ({"service_desired_count": -1}, "service_desired_count", "0 or more"),
        ({"service_minimum_healthy_percent": 101}, "service_minimum_healthy_percent", "0 to 100"),
        ({"service_task_definition": "petclinic"}, "service_task_definition", "family:revision"),
        ({"service_health_check_grace_period": -1}, "service_health_check_grace_period", "from 0"),
        (
            {"service_minimum_healthy_percent": 50, "service_maximum_percent": 100},
            "service_availability_zone_rebalancing",
            "DISABLED",
        ),
        ({"service_circuit_breaker_threshold_type": "PERCENT"}, "service_circuit_breaker_threshold_type", "COUNT"),
        ({"service_circuit_breaker_threshold_value": 101}, "service_circuit_breaker_threshold_value", "1 to 100"),
        (
            {"service_circuit_breaker_threshold_type": "COUNT", "service_circuit_breaker_threshold_value": 0},
            "service_circuit_breaker_threshold_value",
            "1 or more",
        ),
        ({"service_assign_public_ip": True}, "service_assign_public_ip", "Fargate"),
        ({"service_scheduling_strategy": "EVERY"}, "service_scheduling_strategy", "DAEMON"),
        (
            {**DAEMON, "service_availability_zone_rebalancing": "ENABLED"},
            "service_availability_zone_rebalancing",
            "daemon",
        ),
        ({**DAEMON, "service_maximum_percent": 101}, "service_maximum_percent", "100"),
        ({**DAEMON, "service_minimum_healthy_percent": 100}, "service_minimum_healthy_percent", "50"),
        (
            {"service_placement_strategy": [{"type": "binpack", "field": "memory"}]},
            "service_availability_zone_rebalancing?",
            "first",
        ),
        (
            {
                "service_placement_constraints": [
                    {"type": "memberOf", "expression": "attribute:ecs.availability-zone == a"}
                ]
            },
            "service_availability_zone_rebalancing",
            "constraint",
        ),
    ],
)
def test_service(changes, variable, says):
    one(services.check_service, service(**changes), variable, says)


@pytest.mark.parametrize(
    ("desired", "low", "high", "deadlock"),
    [
        (2, 100, 200, False),
        (2, 50, 100, False),
        (2, 100, 100, True),
        (1, 50, 100, True),  # half of one is one, rounded up
        (1, 100, 150, True),  # one and a half is one, rounded down
        (1, 0, 100, False),
        (3, 100, 133, True),
        (3, 100, 134, False),
        (4, 76, 124, True),
        (0, 100, 100, False),
        ("keep", 100, 100, True),
        ("keep", 50, 100, False),
    ],
)
def test_percentages_that_stand_still(desired, low, high, deadlock):
    host = service(
        service_desired_count=desired,
        service_minimum_healthy_percent=low,
        service_maximum_percent=high,
        service_availability_zone_rebalancing="DISABLED",
    )
    assert seen(services.check_service(host)) == (["service_maximum_percent"] if deadlock else [])


def test_a_possible_daemon():
    assert list(services.check_service(service(**DAEMON))) == []


ELSEWHERE = "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/other:1"


@pytest.mark.parametrize(
    ("reference", "denied"),
    [
        ("nginx:1", False),
        ("public.ecr.aws/nginx/nginx:1", False),
        ("123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest:2", False),
        ("123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest@sha256:" + "a" * 64, False),
        ("123456789012.dkr-ecr.ap-southeast-1.on.aws/petclinic-rest:2", False),
        (ELSEWHERE, True),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/petclinic-rest:2", True),
        ("210987654321.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest", True),
        ("210987654321.dkr.ecr.cn-north-1.amazonaws.com.cn/petclinic-rest", True),
    ],
)
def test_an_image_of_another_repository(reference, denied):
    assert seen(image.check_image(service(image_reference=reference))) == (["image_reference"] if denied else [])
    extra = [{"name": "log", "image": reference}]
    faults = list(image.check_image(service(task_definition_extra_containers=extra)))
    assert seen(faults) == (["task_definition_extra_containers"] if denied else [])


def test_an_image_of_another_repository_says_the_way_out():
    one(image.check_image, service(image_reference=ELSEWHERE), "image_reference", "Set registry_name to other")
    other = service(image_reference=ELSEWHERE, registry_name="other")
    assert list(image.check_image(other)) == []
