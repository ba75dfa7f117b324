# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Which services the main job goes on with."""

from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

SITE = Path(__file__).resolve().parents[2] / "playbooks/site.yml"
CLUSTER, SERVICE = "petclinic-rest-cluster", "petclinic-rest-service"


def task(name):
    (found,) = [t for play in yaml.safe_load(SITE.read_text()) for t in play.get("tasks", []) if t["name"] == name]
    return found


def holds(condition, **variables):
    return Templar(loader=DataLoader(), variables=variables).evaluate_conditional(trust_as_template(condition))


@pytest.mark.parametrize(
    ("left", "play", "standing", "goes_on", "made_there"),
    [
        ([CLUSTER, SERVICE], [CLUSTER, SERVICE], [], True, True),
        ([CLUSTER, SERVICE], [CLUSTER, SERVICE], [SERVICE], True, False),
        # Its cluster failed: one that waited for it stops, one that was rolled out before is verified.
        ([SERVICE], [CLUSTER, SERVICE], [], False, None),
        ([SERVICE], [CLUSTER, SERVICE], [SERVICE], True, False),
        # A run of the service alone.
        ([SERVICE], [SERVICE], [], True, True),
    ],
)
def test_a_service_and_its_cluster(left, play, standing, goes_on, made_there):
    variables = {
        "ansible_play_hosts": left,
        "ansible_play_hosts_all": play,
        "inventory_hostname": SERVICE,
        "cluster_name": CLUSTER,
        "groups": {"clusters": [CLUSTER], "services": [SERVICE]},
        "__preflight_result": {"standing": standing},
    }
    assert holds(task("Stop where the cluster failed")["ansible.builtin.assert"]["that"], **variables) is goes_on
    if goes_on:
        assert holds(task("Make the service whose cluster is new")["when"], **variables) is made_there
    assert holds(task("Make the service whose cluster stands already")["when"], **variables) is (SERVICE in standing)
