# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What the role monitoring takes for wrong where nobody says so."""

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLES = Path(__file__).resolve().parents[2] / "roles"
CLUSTER = "petclinic-rest-cluster"


def read(file):
    return DataLoader().load_from_file(str(ROLES / file / "main.yml"), trusted_as_template=True)


def value(name, cluster=None, **given):
    """What a variable of the role is on the host of the petclinic service, whose cluster's host sets `cluster`."""
    values = {**read("naming/defaults"), **read("monitoring/defaults"), **read("monitoring/vars")}
    values |= {
        "inventory_hostname": "petclinic-rest-service",
        "cluster_name": CLUSTER,
        "cluster_container_insights": "disabled",
        "aws_account_id": "123456789012",
        "aws_region": "ap-southeast-1",
        "hostvars": {CLUSTER: cluster or {}},
        **given,
    }
    return Templar(DataLoader(), variables=values).template(values[name])


@pytest.mark.parametrize(
    ("given", "least"),
    [
        ({}, 2),
        ({"service_desired_count": 4}, 4),
        ({"service_desired_count": "4"}, 4),
        ({"service_desired_count": "keep"}, 1),
        ({"service_desired_count": 0}, 0),
        ({"service_scheduling_strategy": "DAEMON", "service_desired_count": 4}, 1),
        ({"service_scaling_enabled": True, "service_desired_count": 8}, 2),
        ({"service_scaling_enabled": True, "service_scaling_min": "3"}, 3),
        (
            {
                "service_scaling_enabled": True,
                "service_scaling_scheduled_actions": [{"min": 4}, {"max": 9}, {"min": None, "max": 4}, {"min": "1"}],
            },
            1,
        ),
        ({"monitoring_least_tasks": 5}, 5),
    ],
)
def test_a_service_is_short_below_what_it_should_have(given, least):
    assert value("monitoring_least_tasks", **given) == least
    (short,) = [a for a in value("__monitoring_service_alarms", **given) if a["name"] == "short-of-tasks"]
    assert (short["threshold"], short["missing"]) == (least, "breaching" if least else "notBreaching")


def test_the_number_of_tasks_is_the_role_services_own():
    assert value("monitoring_least_tasks") == read("service/defaults")["service_desired_count"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, True),
        ({"instance_scaling_mode": "target_tracking"}, True),
        ({"instance_scaling_mode": "capacity_provider"}, False),
        ({"instance_scaling_mode": "capacity_provider", "instances_capacity_provider_target_capacity": 90}, False),
        ({"instance_scaling_mode": "capacity_provider", "instances_capacity_provider_target_capacity": 80}, True),
        ({"instances_capacity_provider_enabled": True}, False),
        ({"instances_capacity_provider_enabled": True, "instances_capacity_provider_managed_scaling": False}, True),
    ],
)
def test_full_instances_are_nothing_to_wake_up_for_where_full_is_the_goal(given, told):
    names = [a["name"] for a in value("__monitoring_cluster_alarms", cluster=given)]
    assert names == [*(("cpu-reservation", "memory-reservation") if told else ()), "load-balancer-errors"]
    assert len(value("__monitoring_widgets", cluster=given)[0]["properties"]["annotations"]["horizontal"]) == told
    defaults = read("instances/defaults")
    assert defaults["instances_capacity_provider_target_capacity"] == 100
    assert defaults["instances_capacity_provider_managed_scaling"] is True


def test_the_dashboard_says_what_it_takes_to_see_the_tasks_that_are_wanted():
    titles = [value("__monitoring_widgets", cluster_container_insights=i)[3]["properties"]["title"] for i in ("disabled", "enabled")]
    assert "Container Insights" in titles[0] and titles[1] == "petclinic-rest-service: tasks"
