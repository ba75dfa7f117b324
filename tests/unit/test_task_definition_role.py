# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Which role a task has, and what ours may do."""

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLE = Path(__file__).resolve().parents[2] / "roles/task_definition"


def values(**given):
    """The variables of the role with what the inventory says."""
    loader, found = DataLoader(), {}
    for file in ("naming/defaults", "task_definition/defaults", "task_definition/vars"):
        found |= loader.load_from_file(str(ROLE.parent / file / "main.yml"), trusted_as_template=True)
    return Templar(loader, variables=found | {"service_prefix": "petclinic-rest"} | given)


def task(file, name):
    (found,) = (
        t
        for t in DataLoader().load_from_file(str(ROLE / "tasks" / f"{file}.yml"), trusted_as_template=True)
        if t["name"] == f"{file} | {name}"
    )
    return found


@pytest.mark.parametrize(
    ("given", "made", "named"),
    [
        ({}, False, ""),
        ({"service_execute_command": False}, False, ""),
        ({"service_execute_command": True}, True, "petclinic-rest-task-role"),
        ({"service_execute_command": "yes"}, True, "petclinic-rest-task-role"),
        ({"service_execute_command": True, "task_definition_task_role": "own"}, False, "own"),
        ({"task_definition_task_role": "own"}, False, "own"),
    ],
)
def test_a_role_is_made_for_ecs_exec_alone(given, made, named):
    templar = values(**given)
    condition = task("present", "Keep the task role for ECS Exec")["when"]
    assert templar.evaluate_conditional(condition) is made
    option = task("define", "Keep the task definition")["handson.ecs.ecs_task_definition"]["task_role"]
    assert templar.template(option) == named


@pytest.mark.parametrize(
    ("named", "deleted"),
    [
        ("", True),
        ("own", True),
        ("petclinic-rest-task-role", False),
        ("arn:aws:iam::123456789012:role/team/petclinic-rest-task-role", False),
    ],
)
def test_a_role_that_the_inventory_names_is_not_deleted(named, deleted):
    condition = task("absent", "Delete the task role for ECS Exec")["when"]
    assert values(task_definition_task_role=named).evaluate_conditional(condition) is deleted


def test_it_may_open_the_channels_of_ecs_exec_and_nothing_else():
    """The task role of "Monitor Amazon ECS containers with ECS Exec" in the ECS documentation."""
    (statement,) = values().available_variables["__task_definition_exec_policy"]["Statement"]
    channels = ("CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel")
    assert (statement["Effect"], statement["Resource"]) == ("Allow", "*")
    assert statement["Action"] == [f"ssmmessages:{c}" for c in channels]
