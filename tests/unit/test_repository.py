# SPDX-License-Identifier: GPL-3.0-or-later
"""What must agree across files."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def read(path):
    return yaml.safe_load((ROOT / path).read_text())


def roles_of(path):
    """The roles that a playbook or task file enters, in order, without the one that only names."""
    found = re.findall(r"handson\.ecs\.(\w+)", (ROOT / path).read_text())
    return [r for r in found if (ROOT / "roles" / r).is_dir() and r != "naming"]


#: Task file of site.yml -> the stages whose roles it enters, in order. Stages that are in two of them have a role for
#: clusters and one for services, or one that does both.
TASKS = {
    "cluster": ["network", "load_balancer", "cluster", "scaling", "monitoring"],
    "before_cluster": ["image", "task", "build"],
    # Builds come a second time: to take away those that are wanted no more, after the pipeline that would start them.
    "service": ["service", "scaling", "monitoring", "pipeline", "build"],
    "workstation": ["workstation"],
}
#: Which of the scaling stage's roles is whose.
NOT_OF = {"cluster": {"service_scaling"}, "service": {"instance_scaling"}}


@pytest.mark.parametrize("tasks", TASKS)
def test_site_does_what_the_stages_do(tasks):
    stages = [r for stage in TASKS[tasks] for r in dict.fromkeys(roles_of(f"playbooks/{stage}.yml"))]
    # A cluster is made by the roles or by a stack, each by a file of its own.
    wanted = [r for r in stages if r not in NOT_OF.get(tasks, ()) and r != "cluster_stack"]
    assert list(dict.fromkeys(roles_of(f"playbooks/tasks/{tasks}.yml"))) == wanted
    if tasks == "cluster":
        assert roles_of("playbooks/tasks/cluster_stack.yml") == ["cluster_stack", *wanted[-2:]]


def test_scaling_leaves_nothing_undone_for_what_another_play_refuses():
    plays = [play for play in read("playbooks/scaling.yml") if "hosts" in play]
    # A playbook ends where all hosts of a play have failed.
    assert [play["hosts"] for play in plays] == ["clusters", "services", "clusters"]
    entered = [[t["ansible.builtin.import_role"]["tasks_from"] for t in play["tasks"]] for play in plays]
    assert entered == [["tell"], ["tell"], ["bounds"]] and not plays[-1].get("roles")


def test_teardown_takes_away_what_the_stages_make():
    made = {r for stages in TASKS.values() for stage in stages for r in roles_of(f"playbooks/{stage}.yml")}
    by_stage = {r for stages in TASKS.values() for stage in stages for r in roles_of(f"playbooks/teardown_{stage}.yml")}
    at_once = {r for tasks in TASKS for r in roles_of(f"playbooks/tasks/{tasks}_absent.yml")}
    # An image goes with its registry; nothing else may be left out.
    assert made - {"image"} == by_stage == at_once


def test_galaxy_users_get_the_same_collections():
    dependencies = read("galaxy.yml")["dependencies"]
    wanted = {c["name"]: c["version"] for c in read("collections/requirements.yml")["collections"]}
    assert wanted == dependencies


def test_every_module_has_an_action_so_that_it_runs_in_the_worker():
    modules = {p.stem for p in (ROOT / "plugins/modules").glob("*.py")}
    actions = {p.stem for p in (ROOT / "plugins/action").glob("*.py")}
    assert modules - actions == {"preflight_info"}, "preflight runs that one itself"
    assert actions <= modules


def test_modules_that_show_progress_take_a_progress_file():
    for action in (ROOT / "plugins/action").glob("*.py"):
        module = (ROOT / "plugins/modules" / action.name).read_text()
        assert ("LiveAction" in action.read_text()) == ("progress_file=" in module or '"progress_file":' in module), action.name


@pytest.mark.parametrize("playbook", sorted(p.name for p in (ROOT / "playbooks").glob("*.yml")))
def test_every_play_is_local_and_reaches_aws_by_the_sdks_environment(playbook):
    for play in read(f"playbooks/{playbook}"):
        if "hosts" not in play:
            assert "ansible.builtin.import_playbook" in play
            continue
        assert play["connection"] == "local" and play["gather_facts"] is False
        assert play["environment"] == "{{ aws_environment }}"
        assert play["vars"]["ansible_python_interpreter"] == "{{ ansible_playbook_python }}"


@pytest.mark.parametrize("playbook", sorted(p.name for p in (ROOT / "playbooks").glob("*.yml") if "preflight" not in p.name))
def test_every_playbook_begins_with_its_preflight(playbook):
    first = read(f"playbooks/{playbook}")[0]
    if playbook == "rehearse_scaling.yml":  # reads the inventory and calls no AWS
        assert all(t.get("handson.ecs.scaling_rehearsal") for t in first["tasks"])
        return
    wanted = "teardown_preflight.yml" if playbook.startswith("teardown") else "preflight.yml"
    assert first["ansible.builtin.import_playbook"] == wanted
