# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""inventories/containers, laid over inventories/local: the same deployments, each with an application to build."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LOCAL, CONTAINERS = ROOT / "inventories/local", ROOT / "inventories/containers"
#: The first column of the table of applications.
NAMES = re.findall(r"(?m)^\| (`.*?) \| \d+ \|", (ROOT / "examples/apps/README.md").read_text())
APPS = re.findall(r"`([a-z-]+)`", "".join(NAMES))


def read(inventory, file):
    path = inventory / file
    return yaml.safe_load(path.read_text()) if path.exists() else {}


def children(group):
    return set(read(LOCAL, "hosts.yml")["all"]["children"][group]["hosts"])


def test_it_has_the_hosts_of_the_one_below():
    assert set(read(CONTAINERS, "hosts.yml")["all"]["hosts"]) == children("clusters") | children("services")


def test_each_cluster_has_a_port_of_its_own():
    ports = [read(CONTAINERS, f"host_vars/{c}.yml")["load_balancer_listener_port"] for c in children("clusters")]
    assert len(set(ports)) == len(ports) and min(ports) > 1023  # without root


@pytest.mark.parametrize("service", sorted(children("services")))
def test_each_service_has_an_application_and_is_asked_more_than_below(service):
    variables = read(CONTAINERS, f"host_vars/{service}.yml")
    assert variables.get("containers_app", service) in APPS
    both = (variables, read(LOCAL, f"host_vars/{service}.yml"))
    asked, below = ({r["path"] for r in each["verify_requests"]} for each in both)
    assert asked > below


@pytest.mark.parametrize("given", ["", "/elsewhere"])
def test_its_state_folder_is_the_one_of_make(tmp_path, given):
    """From whatever folder make is called: with -C it leaves the shell's own folder in the environment."""
    lines = [
        "folders:",
        # Without anything that takes a shell make starts a program itself, with its own environment.
        "\t@ansible -i inventories/local -i inventories/containers petclinic-rest-cluster -m debug -a var=stack_state_dir",
        "\t@echo make=$(CONTAINERS_STATE)=",
    ]
    (tmp_path / "folders.mk").write_text("\n".join(lines) + "\n")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HANDSON_", "ANSIBLE_", "MAKE"))}
    environment = {**kept, "PWD": str(tmp_path), **({"HANDSON_STATE_DIR": given} if given else {})}
    command = ["make", "-C", str(ROOT), "-f", "Makefile", "-f", str(tmp_path / "folders.mk"), "folders"]
    binaries = f"BIN={Path(sys.executable).parent}"
    made = subprocess.run(
        [*command, binaries], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    wanted = f"{given or f'{ROOT}/.handson'}/containers"
    assert f"stack_state_dir: {wanted}\n" in made.stdout, made.stdout + made.stderr
    assert f"make={wanted}=" in made.stdout


@pytest.mark.parametrize("shell", [{}, {"PWD": "/somewhere/else"}])
def test_without_make_it_is_below_the_folder_that_ansible_runs_in(shell):
    """Whatever the shell says of it: cron says nothing."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HANDSON_", "ANSIBLE_")) and k != "PWD"}
    defaults = [x for role in ("naming", "local_endpoint") for x in ("-e", f"@roles/{role}/defaults/main.yml")]
    shown = ["-m", "debug", "-a", "msg={{ stack_state_dir }}={{ local_endpoint_state_dir }}"]
    command = [str(Path(sys.executable).parent / "ansible"), "-i", "inventories/local", *defaults, "petclinic-rest-cluster", *shown]
    done = subprocess.run(command, cwd=ROOT, env={**kept, **shell}, capture_output=True, text=True, timeout=60)
    assert f"msg: {ROOT}/.handson={ROOT}/.handson\n" in done.stdout, done.stdout + done.stderr
