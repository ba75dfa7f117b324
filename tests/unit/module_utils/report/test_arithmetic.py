# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from unit.module_utils.report.example import instance, seen, service

from ansible_collections.handson.ecs.plugins.module_utils.report.arithmetic import rows


def test_the_tutorials_percentages():
    """Section 6: two tasks reserve 25 % of the CPU, 50 % in a deployment, and 25.9 % of the memory."""
    one, together = rows(seen()["clusters"][0])
    assert one["now"] == {"cpu": pytest.approx(25.0), "memory": pytest.approx(25.9, abs=0.05)}
    assert one["deploying"] == {"cpu": pytest.approx(50.0), "memory": pytest.approx(51.8, abs=0.05)}
    assert (one["tasks"], one["most"]) == (2, 4)
    assert together["now"] == one["now"] and together["deploying"] == one["deploying"]
    assert (together["registered"].cpu, together["registered"].memory) == (4096, 7906)


def test_in_place_nothing_is_added():
    cluster = seen()["clusters"][0] | {"services": [service(minimum_percent=50, maximum_percent=100)]}
    assert rows(cluster)[0]["most"] == 2


def test_several_services_and_one_deployment_at_a_time():
    small = service(name="small", task={"cpu": 256, "memory": 256, "images": []}, running=1, desired=1)
    *_each, together = rows(seen()["clusters"][0] | {"services": [service(), small]})
    assert together["now"]["cpu"] == pytest.approx(100 * (1024 + 256) / 4096)
    assert together["deploying"]["cpu"] == pytest.approx(100 * (2048 + 256) / 4096)


def test_what_an_instance_that_is_going_registers():
    gone = instance("c") | {"status": "DEREGISTERING"}
    draining = instance("d") | {"status": "DRAINING"}
    cluster = seen()["clusters"][0] | {"instances": [instance("a"), gone, draining]}
    assert rows(cluster)[-1]["registered"].cpu == 4096


@pytest.mark.parametrize(
    "change",
    [{"instances": []}, {"services": []}, {"services": [service(launch_type="FARGATE")]}, {"services": [{"missing": True}]}],
)
def test_nothing_to_count(change):
    assert rows(seen()["clusters"][0] | change) == []
