# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils import ecs_clusters

INSTANCE = {
    "containerInstanceArn": "arn:ci/1",
    "ec2InstanceId": "i-1",
    "status": "ACTIVE",
    "agentConnected": True,
}


def instance(**other):
    return {**INSTANCE, **other}


def test_list_all_follows_every_page():
    pages = {None: {"arns": [1], "nextToken": "a"}, "a": {"arns": [2], "nextToken": "b"}, "b": {"arns": [3]}}
    seen = []

    def operation(cluster, nextToken=None):
        seen.append(cluster)
        return pages[nextToken]

    assert ecs_clusters.list_all(operation, "arns", cluster="c") == [1, 2, 3]
    assert seen == ["c", "c", "c"]


@pytest.mark.parametrize(
    ("settings", "insights"),
    [
        (None, "disabled"),
        ([], "disabled"),
        ([{"name": "containerInsights", "value": "enhanced"}], "enhanced"),
        ([{"name": "other", "value": "enabled"}], "disabled"),
    ],
)
def test_cluster_from_aws(settings, insights):
    cluster = {
        "clusterName": "c",
        "clusterArn": "arn:c",
        "status": "ACTIVE",
        "settings": settings,
        "runningTasksCount": 3,
    }
    found = ecs_clusters.cluster_from_aws(cluster)
    assert found["container_insights"] == insights
    assert found["running_tasks_count"] == 3 and found["active_services_count"] == 0
    assert found["capacity_providers"] == [] and found["tags"] == {}


@pytest.mark.parametrize(
    ("ec2_id", "states", "left"),
    [
        ("i-1", {"i-1": "terminated"}, True),
        ("i-1", {}, True),
        ("i-1", {"i-1": "shutting-down"}, False),
        ("i-1", {"i-1": "running"}, False),
        ("i-1", {"i-1": "stopped"}, False),
        ("mi-1", {}, False),
        (None, {}, False),
    ],
)
def test_left_behind(ec2_id, states, left):
    for connected in (True, False):
        rows = [instance(ec2InstanceId=ec2_id, agentConnected=connected)]
        assert ecs_clusters.left_behind(rows, states) == (["arn:ci/1"] if left else [])


@pytest.mark.parametrize(
    ("ec2_id", "connected", "states", "cut"),
    [
        ("i-1", True, {"i-1": "running"}, False),
        ("i-1", True, {"i-1": "terminated"}, True),
        ("i-1", True, {}, True),
        ("i-1", False, {"i-1": "running"}, True),
        ("i-1", False, {}, True),
        ("mi-1", False, {}, False),
        (None, False, {}, False),
    ],
)
def test_cut_off(ec2_id, connected, states, cut):
    rows = [instance(ec2InstanceId=ec2_id, agentConnected=connected)]
    assert ecs_clusters.cut_off(rows, states) == (["arn:ci/1"] if cut else [])


@pytest.mark.parametrize(
    ("status", "container_instance", "going"),
    [
        ("STOPPED", None, False),
        ("DEPROVISIONING", None, True),
        ("STOPPING", "arn:ci/1", True),
        ("RUNNING", "arn:ci/2", False),
    ],
)
def test_still_going(status, container_instance, going):
    task = {"taskArn": "t", "lastStatus": status, "containerInstanceArn": container_instance}
    assert ecs_clusters.still_going([task], ["arn:ci/2"]) == (["t"] if going else [])


def test_without_service():
    tasks = [
        {"taskArn": "1", "group": "service:vets"},
        {"taskArn": "2", "group": "family:vets"},
        {"taskArn": "3", "group": "service"},
        {"taskArn": "4"},
    ]
    assert ecs_clusters.without_service(tasks) == ["2", "3", "4"]


@pytest.mark.parametrize(
    ("other", "is_ready"),
    [
        ({}, True),
        ({"agentConnected": False}, False),
        ({"status": "REGISTERING"}, False),
        ({"status": "DRAINING"}, False),
    ],
)
def test_ready(other, is_ready):
    assert ecs_clusters.ready(instance(**other)) is is_ready


@pytest.mark.parametrize(
    ("draining", "launched", "said", "unsaid"),
    [
        ({"i-2": True}, {"i-1": "running", "i-2": "running"}, ["i-2 is DRAINING", "-e count=2"], ["not registered", "ECS_CLUSTER"]),
        ({"i-2": False}, {"i-1": "running", "i-2": "running"}, ["by a person", "--status ACTIVE"], ["count=", "ECS_CLUSTER"]),
        ({"i-2": True}, {f"i-{n}": "running" for n in (1, 2, 3)}, ["not registered with ECS: i-3", "-e count=2", "ECS_CLUSTER"], []),
        ({"i-2": True}, None, ["-e count=2"], ["ECS_CLUSTER"]),
    ],
)
def test_why_not_ready_where_instances_drain(draining, launched, said, unsaid):
    text = ecs_clusters.why_not_ready(2, [instance()], launched, None, draining)
    for part in said:
        assert part in text
    for part in unsaid:
        assert part not in text


def test_container_instance_row():
    row = ecs_clusters.container_instance_row(
        instance(
            remainingResources=[{"name": "CPU", "integerValue": 1024}, {"name": "MEMORY", "integerValue": 953}],
            attributes=[{"name": "ecs.instance-type", "value": "t3.medium"}, {"name": "ecs.capability.x"}],
        )
    )
    assert (row["remaining_cpu"], row["remaining_memory"]) == (1024, 953)
    assert row["instance_type"] == "t3.medium" and row["availability_zone"] is None


@pytest.mark.parametrize(
    ("instances", "line"),
    [
        ([], "cluster c: 0 of 2 container instances ready"),
        ([instance()], "cluster c: 1 of 2 container instances ready"),
        (
            [instance(), instance(ec2InstanceId="i-2", agentConnected=False)],
            "cluster c: 1 of 2 container instances ready (i-2 agent not connected)",
        ),
        (
            [instance(status="REGISTERING", agentConnected=False)],
            "cluster c: 0 of 2 container instances ready (i-1 is REGISTERING)",
        ),
    ],
)
def test_progress(instances, line):
    assert ecs_clusters.progress("c", 2, instances) == line


@pytest.mark.parametrize(
    ("instances", "launched", "failure", "said", "unsaid"),
    [
        ([], None, None, ["0 of 2 are ready", "ECS_CLUSTER"], ["auto scaling group runs"]),
        ([], {"i-1": "running", "i-2": "pending"}, None, ["runs 1 EC2", "not registered with ECS: i-1"], ["i-2"]),
        ([instance()], {"i-1": "running"}, None, ["1 of 2", "Raise the group's desired capacity"], ["ECS_CLUSTER"]),
        ([], {}, "no capacity", ["runs 0 EC2", "last launch failed: no capacity"], ["ECS_CLUSTER", "Raise"]),
        ([instance(agentConnected=False)], None, None, ["agent of i-1 is not connected"], []),
    ],
)
def test_why_not_ready(instances, launched, failure, said, unsaid):
    text = ecs_clusters.why_not_ready(2, instances, launched, failure)
    for part in said:
        assert part in text
    for part in unsaid:
        assert part not in text
