# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.handson.ecs.plugins.filter.capacity import FilterModule, capacity


def test_the_tutorials_cluster():
    assert capacity({"cpu": 512, "memory": 1024}, "t2.medium", instances=2, tasks=2) == {
        "each": 3,
        "bounded_by": ["memory"],
        "room": 6,
        "room_max": 6,
        "reserved": {"cpu": 25.0, "memory": 25.9},
        "reserved_in_rollout": {"cpu": 50.0, "memory": 51.8},
        "rollout": [2, 4],
        "deadlock": False,
        "rollout_fits": True,
        "instances_needed": 1,
        "problems": [],
    }


@pytest.mark.parametrize(
    ("task", "options", "key", "value"),
    [
        ({"cpu": "512", "memory": "625"}, {"instances": 2, "instances_max": 4}, "room_max", 16),
        ({"cpu": 512, "memory": 625, "awsvpc": True}, {}, "each", 2),
        ({"cpu": 512, "memory": 625, "host_port": 80}, {}, "bounded_by", ["its host port"]),
        ({"cpu": 512, "memory": None}, {"tasks": 13}, "instances_needed", 4),
        ({"cpu": 4096}, {"tasks": 1}, "instances_needed", None),
        ({"cpu": 512}, {"tasks": 2, "maximum_percent": 100}, "deadlock", True),
        ({"cpu": 512}, {"asked": {"t2.medium": {"vcpus": 4, "memory": 8192, "interfaces": 3}}}, "each", 8),
    ],
)
def test_options(task, options, key, value):
    assert FilterModule().filters()["capacity"](task, instance_type="t2.medium", **options)[key] == value


@pytest.mark.parametrize(
    ("task", "options", "says"),
    [
        ({}, {"instance_type": "t2.mediun"}, "Did you mean t2.medium"),
        ({}, {"instance_type": "zz9"}, "asked"),
        ({}, {}, "instance_type is ''"),
        ({"cpu": "half"}, {"instance_type": "t2.medium"}, "no whole number"),
        ("512", {"instance_type": "t2.medium"}, "no whole number"),
        ({}, {"instance_type": "t2.medium", "count": 2}, "no option count"),
    ],
)
def test_mistakes(task, options, says):
    with pytest.raises(AnsibleFilterError, match=says):
        capacity(task, **options)
