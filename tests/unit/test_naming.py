# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role `naming` derives."""

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

DEFAULTS = str(Path(__file__).resolve().parents[2] / "roles/naming/defaults/main.yml")


@pytest.mark.parametrize(
    ("region", "partition", "uri"),
    [
        ("ap-southeast-1", "aws", "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/vets"),
        ("cn-north-1", "aws-cn", "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/vets"),
        ("us-gov-west-1", "aws-us-gov", "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com/vets"),
    ],
)
def test_the_partition_of_a_region(region, partition, uri):
    loader = DataLoader()
    values = loader.load_from_file(DEFAULTS, trusted_as_template=True)
    given = {"aws_region": region, "aws_account_id": "123456789012", "inventory_hostname": "vets-service"}
    templar = Templar(loader, variables={**values, **given})
    assert templar.template(values["__naming_partition"]) == partition
    assert templar.template(values["registry_uri"]) == uri


def derived(variable, hosts=None, **given):
    """What the defaults make of a variable on a service's host."""
    loader = DataLoader()
    values = loader.load_from_file(DEFAULTS, trusted_as_template=True)
    given = {"inventory_hostname": "vets-service", "cluster_name": "vets-cluster", "hostvars": hosts or {}, **given}
    return Templar(loader, variables={**values, **given}).template(values[variable])


@pytest.mark.parametrize(
    ("given", "mode", "groups", "public"),
    [
        ({}, "bridge", [], False),
        ({"task_definition_network_mode": "host"}, "host", [], False),
        ({"task_definition_network_mode": "awsvpc"}, "awsvpc", ["vets-task-sg"], False),
        ({"task_definition_launch_type": "FARGATE"}, "awsvpc", ["vets-task-sg"], True),
        ({"task_definition_launch_type": "FARGATE", "network_mode": "create"}, "awsvpc", ["vets-task-sg"], True),
        ({"task_definition_launch_type": "FARGATE", "network_mode": "existing"}, "awsvpc", ["vets-task-sg"], True),
    ],
)
def test_the_launch_type_is_enough(given, mode, groups, public):
    for variable, wanted in (
        ("task_definition_network_mode", mode),
        ("service_security_group_names", groups),
        ("service_assign_public_ip", public),
    ):
        assert (given.get(variable) or derived(variable, **given)) == wanted, variable


@pytest.mark.parametrize(("mode", "public"), [("existing", False), ("create", True), ("default", True)])
def test_tasks_beside_an_internal_load_balancer(mode, public):
    hosts = {"vets-cluster": {"load_balancer_scheme": "internal", "network_mode": mode}}
    assert derived("service_assign_public_ip", hosts, task_definition_launch_type="FARGATE") is public
