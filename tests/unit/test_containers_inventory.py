# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""inventories/containers, laid over inventories/local: the same deployments, each with an application to build."""

import re
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


def test_its_state_folder_is_the_one_of_make():
    variables, makefile = read(CONTAINERS, "group_vars/all.yml"), (ROOT / "Makefile").read_text()
    assert variables["stack_state_dir"].endswith("'/.handson') }}/containers")
    assert "\nCONTAINERS_STATE = $(or $(HANDSON_STATE_DIR),$(CURDIR)/.handson)/containers\n" in makefile
