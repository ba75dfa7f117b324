# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that CloudFormation makes."""

import pytest
from ansible_collections.handson.ecs.plugins.module_utils.preflight import checks, stack
from unit.preflight.samples import cluster, one, seen

STACK = {"cluster_made_by": "stack", "network_mode": "create", "instances_type": "t2.micro"}


def by_stack(**values):
    """A cluster made by a stack, whose inventory gives `values`."""
    host = cluster(**STACK, cluster_stack_name="Demo", cluster_stack_template="", cluster_stack_wait_timeout=1800)
    host.values.update(values)
    host.given = set(values)
    return host


def test_a_stack_has_no_fault():
    assert checks.check_values([by_stack()]) == []


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"cluster_made_by": "terraform"}, "roles, stack"),
        ({"cluster_stack_name": "my_cluster"}, "a letter first"),
        ({"cluster_stack_name": "1st"}, "a letter first"),
        ({"network_mode": "existing"}, "VPC of its own"),
        ({"network_subnet_cidrs": ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]}, "two subnets"),
        ({"network_availability_zones": ["ap-southeast-1a"]}, "two subnets"),
        ({"security_groups_load_balancer_cidrs": ["192.0.2.0/24", "198.51.100.0/24"]}, "one IPv4 block"),
        ({"security_groups_load_balancer_cidrs": []}, "one IPv4 block"),
        ({"security_groups_load_balancer_cidrs": ["::/0"]}, "one IPv4 block"),
        ({"load_balancer_ip_address_type": "dualstack"}, "IPv4 alone"),
        ({"load_balancer_certificate_arn": "arn:aws:acm:ap-southeast-1:123456789012:certificate/x"}, "HTTPS listener"),
        ({"load_balancer_deletion_protection": True}, "deletion protection"),
        ({"instances_user_data": "yum update"}, "user data"),
        ({"instances_capacity_provider_enabled": "true"}, "capacity provider"),
        ({"instance_scaling_mode": "capacity_provider"}, "capacity provider"),
        ({"instances_public_ip": False}, "subnet's"),
        ({"cluster_stack_template": "/nowhere/cluster.yml"}, "no such file"),
        ({"cluster_stack_wait_timeout": 0}, "1 or more"),
    ],
)
def test_what_the_stack_can_not_be(values, says):
    one(stack.check_made_by, by_stack(**values), *values, says)


@pytest.mark.parametrize(
    "values",
    [
        {"load_balancer_deletion_protection": False, "instances_agent_config": {}, "load_balancer_certificate_arn": ""},
        {"security_groups_load_balancer_cidrs": ["192.0.2.0/24"]},
        {"network_availability_zones": ["ap-southeast-1a", "ap-southeast-1b"]},
        {"instance_scaling_mode": "target_tracking"},
        {"cluster_stack_template": __file__, "instances_user_data": "of my own template", "network_mode": "existing"},
    ],
)
def test_what_it_can_be(values):
    assert list(stack.check_made_by(by_stack(**values))) == []


@pytest.mark.parametrize(
    ("made_by", "facts", "faulty"),
    [
        ("stack", {"clusters": ["petclinic-rest-cluster"], "stack_clusters": ["petclinic-rest-cluster"]}, False),
        ("roles", {"clusters": ["petclinic-rest-cluster"], "stack_clusters": []}, False),
        ("stack", {"clusters": [], "stack_clusters": []}, False),
        ("stack", {"clusters": None, "stack_clusters": None}, False),
        ("stack", {"clusters": ["petclinic-rest-cluster"], "stack_clusters": []}, True),
        ("roles", {"clusters": ["petclinic-rest-cluster"], "stack_clusters": ["petclinic-rest-cluster"]}, True),
    ],
)
def test_a_cluster_stays_what_it_was_made_by(made_by, facts, faulty):
    found = list(stack.check_made_as_before(cluster(cluster_made_by=made_by), facts))
    assert seen(found) == (["cluster_made_by"] if faulty else [])
    assert all("teardown.yml" in f.remedy for f in found)


def test_what_changes_nothing_in_a_stack():
    found = list(stack.check_made_by(by_stack(security_groups_ssh_cidrs=["192.0.2.1/32"], key_pair_name="mine")))
    assert seen(found) == ["key_pair_name?", "security_groups_ssh_cidrs?"]
    assert not list(stack.check_made_by(by_stack(security_groups_ssh_cidrs=[])))
