# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what a scaler may ask for fits what the instances may be."""

import pytest

from ansible_collections.handson.ecs.plugins.module_utils.preflight import capacity

from unit.preflight.samples import cluster, fargate, seen, service

SCALED = {"service_scaling_enabled": True, "service_scaling_min": 2, "service_scaling_max": 8, "task_definition_memory": ""}
MANAGED = {"instances_capacity_provider_enabled": True, "instances_max": 4}


@pytest.mark.parametrize(
    ("of_cluster", "of_service", "expected", "says"),
    [
        ({}, {}, [], ""),  # 7.1: 8 tasks on 2 instances
        ({}, {"service_scaling_max": 12}, ["service_scaling_max?"], "2 × t2.medium have room for 8 (each for 4, bounded by CPU)"),
        ({}, {"service_scaling_max": 12}, ["service_scaling_max?"], "Lower it to 8, or raise instances_count and instances_max to 3"),
        ({"instances_count": 3}, {"service_scaling_max": 12}, [], ""),  # after the step by hand
        ({"instances_max": 4}, {"service_scaling_max": 16}, ["service_scaling_max?"], "instance_scaling_mode"),
        ({"instances_max": 4, "instance_scaling_mode": "target_tracking"}, {"service_scaling_max": 16}, [], ""),  # 7.2
        ({"instances_max": 4, "instance_scaling_mode": "capacity_provider"}, {"service_scaling_max": 16}, [], ""),
        (MANAGED, {"service_scaling_max": 16}, [], ""),
        (MANAGED, {"service_scaling_max": 17}, ["service_scaling_max?"], "raise instances_max to 5"),
        ({"instances_count": "keep", "instances_max": 3}, {"service_scaling_max": 12}, [], ""),
        ({}, {"service_scaling_min": 9, "service_scaling_max": 12}, ["service_scaling_min"], "never have its fewest tasks"),
        ({}, {"service_scaling_max": 99, "service_scaling_enabled": False}, [], ""),
        ({}, {"service_scaling_max": 99, "service_state": "absent"}, [], ""),
        ({}, {"service_scaling_max": None}, [], ""),
        ({"instances_type": "zz9.plural"}, {"service_scaling_max": 99}, [], ""),
        ({"instances_max": 4, "instance_scaling_mode": "target_tracking"}, {"task_definition_memory": "1024", "service_scaling_max": 16},
         ["service_scaling_max?"], "room for 12 (each for 3, bounded by memory)"),
    ],
)  # fmt: skip
def test_scaled_room(of_cluster, of_service, expected, says):
    faults = list(capacity.check_room(service(**SCALED | of_service), {"petclinic-rest-cluster": cluster(**of_cluster)}))
    assert seen(faults) == expected
    assert not says or any(says in f"{f.problem} {f.remedy}" for f in faults)


def test_fargate_has_no_instances_to_fit():
    assert list(capacity.check_room(fargate(**SCALED | {"service_scaling_max": 99}), {"petclinic-rest-cluster": cluster()})) == []


def test_instances_that_come_for_cpu_do_not_come_for_tasks_that_wait():
    scaled = cluster(instances_max=4, instance_scaling_mode="target_tracking")
    faults = list(capacity.check_room(service(service_desired_count=7), {scaled.name: scaled}))
    assert seen(faults) == ["service_desired_count"]
