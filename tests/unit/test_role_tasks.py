# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What tasks of the roles must do first, and what they must pass on."""

from pathlib import Path

import pytest
import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"


def tasks(role, file):
    return yaml.safe_load((ROLES / role / "tasks" / file).read_text(encoding="utf-8"))


@pytest.mark.parametrize("role", ["instances", "load_balancer"])
def test_what_services_stand_on_refuses_to_go_before_them(role):
    first = tasks(role, "absent.yml")[0]
    assert first["handson.ecs.ecs_cluster"] == {
        "name": "{{ cluster_name }}",
        "state": "absent",
        "only_refuse": True,
        "owner": "{{ stack_cluster_owner }}",
    }
    assert first["when"] == "not ansible_check_mode"


def test_tasks_that_were_run_once_stop_before_their_definition_goes():
    first = tasks("task_definition", "absent.yml")[0]["handson.ecs.ecs_run_task"]
    assert first["state"] == "absent" and first["owner"] == "{{ stack_service_owner }}"


def test_tasks_that_are_run_once_get_the_services_addresses():
    (run,) = tasks("task_definition", "run.yml")
    (keep,) = (t["handson.ecs.ecs_service"] for t in tasks("service", "present.yml") if "handson.ecs.ecs_service" in t)
    for option in ("network", "security_groups", "assign_public_ip"):
        assert run["handson.ecs.ecs_run_task"][option] == keep[option]
