# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What is laid over another inventory, inventories/fargate and those of sections, changes a few values and nothing else."""

import re
from pathlib import Path

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager

INVENTORIES = Path(__file__).resolve().parents[2] / "inventories"
CLUSTER, SERVICE = "petclinic-rest-cluster", "petclinic-rest-service"
UNSCALED = {"instances_max": 2, "instance_scaling_mode": "none"}
SIZED = {"task_definition_memory": "1024", "service_scaling_enabled": False}
CHANGES = {
    "fargate": {
        CLUSTER: {"instances_count": 0, "instances_min": 0, "instance_scaling_mode": "none"},
        SERVICE: {"task_definition_launch_type": "FARGATE", "task_definition_cpu": "512", "task_definition_memory": "1024"},
    },
    "section-4": {
        CLUSTER: {**UNSCALED, "monitoring_enabled": False},
        SERVICE: {**SIZED, "build_project_source_url": "", "pipeline_enabled": False},
    },
    "section-6": {CLUSTER: UNSCALED, SERVICE: SIZED},
    "section-7.1": {CLUSTER: UNSCALED, SERVICE: {"service_scaling_max": 8}},
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
@pytest.mark.parametrize("overlay", CHANGES)
def test_only_these_values_change(overlay, below):
    before, groups = inventory(below)
    after, groups_after = inventory(below, overlay)
    assert groups_after == groups and sorted(after) == sorted(before)
    for name, values in before.items():
        assert after[name] == {**values, **CHANGES[overlay].get(name, {})}, name
    assert all(after[name] != before[name] for name in CHANGES[overlay])


@pytest.mark.parametrize(("overlay", "column"), [("section-4", 0), ("section-6", 0), ("section-7.1", 1)])
def test_sections_are_those_of_the_readmes_table(overlay, column):
    """README.md says which value belongs to which section; the last column is inventories/local."""
    table = re.findall(r"^\| `(\w+)` \| (.*) \|$", (INVENTORIES.parent / "README.md").read_text(), re.MULTILINE)
    rows = {name: [cell.strip().strip("`").strip('"') for cell in cells.split(" | ")] for name, cells in table}
    (hosts, _), (last, _) = inventory("local", overlay), inventory("local")
    given = {**hosts[CLUSTER], **hosts[SERVICE]}
    final = {**last[CLUSTER], **last[SERVICE]}
    compared = [n for n in ("task_definition_memory", "service_scaling_enabled", "instances_max", "instance_scaling_mode") if n in rows]
    assert len(compared) == 4
    for name in compared:
        assert str(given[name]).lower() == rows[name][column], name
        assert str(final[name]).lower() == rows[name][-1], name
