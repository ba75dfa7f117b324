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


@pytest.mark.parametrize(
    "tasks, stages",
    [
        ("cluster", ["network", "load_balancer", "cluster"]),
        ("before_cluster", ["image", "task"]),
        ("service", ["service"]),
        ("workstation", ["workstation"]),
    ],
)
def test_site_and_teardown_do_what_the_stages_do(tasks, stages):
    of_stages = [r for stage in stages for r in roles_of(f"playbooks/{stage}.yml")]
    # A cluster is made by the roles or by a stack, each by a file of its own.
    files = [tasks, "cluster_stack"] if tasks == "cluster" else [tasks]
    assert [r for file in files for r in roles_of(f"playbooks/tasks/{file}.yml")] == of_stages
    gone = [r for stage in stages for r in roles_of(f"playbooks/teardown_{stage}.yml")]
    assert sorted(roles_of(f"playbooks/tasks/{tasks}_absent.yml")) == sorted(gone)
    # An image goes with its registry; nothing else may be left out.
    assert set(of_stages) - set(gone) <= {"image"}


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
    wanted = "teardown_preflight.yml" if playbook.startswith("teardown") else "preflight.yml"
    assert first["ansible.builtin.import_playbook"] == wanted
