# SPDX-License-Identifier: GPL-3.0-or-later
import threading
import time

import pytest
from modules.aws_calls import operations, recorded
from modules.harness import IMAGE, Failed, run

CLUSTER = "petclinic-rest-cluster"
GROUP = "petclinic-rest-instances"


@pytest.fixture
def cluster(aws):
    aws("ecs").create_cluster(clusterName=CLUSTER)


@pytest.fixture
def register(aws, cluster):
    """Return a function that starts an EC2 instance, registers it as its agent would, and gives its id."""

    def register():
        made = aws("ec2").run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        aws("ecs").register_container_instance(
            cluster=CLUSTER,
            instanceIdentityDocument='{"instanceId": "%s"}' % made,
            instanceIdentityDocumentSignature="x",
        )
        return made

    return register


@pytest.fixture
def group(aws, default_subnets):
    """An auto scaling group of two instances that never register; their ids."""
    aws("ec2").create_launch_template(LaunchTemplateName=GROUP, LaunchTemplateData={"ImageId": IMAGE})
    aws("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=GROUP,
        LaunchTemplate={"LaunchTemplateName": GROUP},
        MinSize=2,
        MaxSize=2,
        VPCZoneIdentifier=default_subnets[0],
    )
    found = aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]
    return sorted(i["InstanceId"] for i in found["Instances"])


def test_ready_instances_are_not_waited_for(register):
    ids = sorted([register(), register()])
    with recorded() as calls:
        result = run("ecs_cluster_wait", cluster=CLUSTER, instances=2)
    assert not result["changed"] and result["ready"] == 2
    assert sorted(i["instance_id"] for i in result["container_instances"]) == ids
    assert all(i["agent_connected"] and i["remaining_memory"] for i in result["container_instances"])
    assert operations(calls) == ["DescribeClusters", "ListContainerInstances", "DescribeContainerInstances"]


def test_an_instance_that_comes_later(register, tmp_path):
    progress = tmp_path / "progress"
    progress.write_text("before\n")
    later = threading.Timer(1.5, register)
    later.start()
    try:
        started = time.monotonic()
        result = run(
            "ecs_cluster_wait", cluster=CLUSTER, instances=1, timeout=30, interval=0.2, progress_file=str(progress)
        )
    finally:
        later.join()
    assert result["ready"] == 1 and result["waited"] >= 1
    assert time.monotonic() - started < 20
    assert progress.read_text().splitlines() == [
        "before",
        f"cluster {CLUSTER}: 0 of 1 container instances ready",
        f"cluster {CLUSTER}: 1 of 1 container instances ready",
    ]


def test_check_mode_looks_once(cluster):
    started = time.monotonic()
    result = run("ecs_cluster_wait", check=True, cluster=CLUSTER, instances=2)
    assert not result["changed"] and result["ready"] == 0
    assert time.monotonic() - started < 10


def test_a_missing_cluster(aws):
    with pytest.raises(Failed, match="no ECS cluster named 'petclinic-rest-cluster'.*cluster.yml"):
        run("ecs_cluster_wait", cluster=CLUSTER, instances=1)
    assert not run("ecs_cluster_wait", check=True, cluster=CLUSTER, instances=1)["changed"]


def test_instances_that_run_but_never_register(cluster, group):
    with pytest.raises(Failed, match="0 of 2 are ready.*runs 2 EC2 instances.*not registered") as failed:
        run("ecs_cluster_wait", cluster=CLUSTER, instances=2, timeout=1, auto_scaling_group=GROUP)
    message = failed.value.result["msg"]
    assert ", ".join(group) in message
    assert "ECS_CLUSTER" in message and "instance profile" in message and "route" in message


def test_an_agent_that_is_not_connected(register):
    ec2_id = register()

    def disconnected(real, parameters):
        found = real()
        found["containerInstances"][0]["agentConnected"] = False
        return found

    with (
        recorded(DescribeContainerInstances=disconnected),
        pytest.raises(Failed, match=f"0 of 1 are ready; the agent of {ec2_id} is not connected"),
    ):
        run("ecs_cluster_wait", cluster=CLUSTER, instances=1, timeout=0)


def test_a_launch_that_failed_says_why(cluster, group):
    failed = {"StatusCode": "Failed", "StatusMessage": "You have requested more vCPU capacity than your limit of 0"}
    with (
        recorded(DescribeScalingActivities=lambda *_: {"Activities": [failed]}),
        pytest.raises(Failed, match="more vCPU capacity than your limit"),
    ):
        run("ecs_cluster_wait", cluster=CLUSTER, instances=3, timeout=0, auto_scaling_group=GROUP)


def test_a_group_that_is_not_there(cluster):
    with pytest.raises(Failed, match="no auto scaling group named 'petclinic-rest-instances'"):
        run("ecs_cluster_wait", cluster=CLUSTER, instances=1, timeout=0, auto_scaling_group=GROUP)


def test_instances_that_drain_are_named_with_the_way_out(aws, cluster, register):
    mine, other, _third = register(), register(), register()
    ecs = aws("ecs")
    arns = ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"]
    found = ecs.describe_container_instances(cluster=CLUSTER, containerInstances=arns)["containerInstances"]
    by_id = {i["ec2InstanceId"]: i["containerInstanceArn"] for i in found}
    ecs.put_attributes(cluster=CLUSTER, attributes=[{"name": "handson.draining", "value": "x", "targetId": by_id[mine]}])
    ecs.update_container_instances_state(
        cluster=CLUSTER, containerInstances=[by_id[mine], by_id[other]], status="DRAINING"
    )
    with pytest.raises(Failed, match="1 of 3 are ready") as failed:
        run("ecs_cluster_wait", cluster=CLUSTER, instances=3, timeout=0)
    message = failed.value.result["msg"]
    assert f"{mine} was drained by a scale-in" in message and "scale_instances.yml -e count=3" in message
    assert f"{other} was drained by a person" in message and "not registered" not in message
