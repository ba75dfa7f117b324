# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""inventories/fargate, laid over the others, changes a few values and nothing else."""

from pathlib import Path

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager

INVENTORIES = Path(__file__).resolve().parents[2] / "inventories"
CHANGES = {
    "petclinic-rest-cluster": {"instances_count": 0, "instances_min": 0, "instance_scaling_mode": "none"},
    "petclinic-rest-service": {
        "task_definition_launch_type": "FARGATE",
        "task_definition_cpu": "512",
        "task_definition_memory": "1024",
    },
}
#: What Ansible adds of its own.
MAGIC = ("ansible_", "inventory_", "groups", "group_names", "omit", "playbook_dir")


def inventory(*names):
    """{host: (its groups, its variables)} and {group: its hosts}, as Ansible reads these inventories together."""
    loader = DataLoader()
    manager = InventoryManager(loader=loader, sources=[str(INVENTORIES / name) for name in names])
    variables = VariableManager(loader=loader, inventory=manager)
    hosts = {
        h.name: {k: v for k, v in variables.get_vars(host=h).items() if not k.startswith(MAGIC)}
        for h in manager.get_hosts()
    }
    # "ungrouped" tells of no deployment.
    groups = {name: sorted(g.name for g in group.get_hosts()) for name, group in manager.groups.items()}
    return hosts, {k: v for k, v in groups.items() if k != "ungrouped"}


@pytest.mark.parametrize("below", ["local", "aws"])
def test_only_these_values_change(below):
    before, groups = inventory(below)
    after, groups_after = inventory(below, "fargate")
    assert groups_after == groups and sorted(after) == sorted(before)
    for name, values in before.items():
        assert after[name] == {**values, **CHANGES.get(name, {})}, name
    assert all(after[name] != before[name] for name in CHANGES)
