# SPDX-License-Identifier: GPL-3.0-or-later
import base64

import pytest
from ansible_collections.handson.ecs.plugins.module_utils import auto_scaling_drains as drains
from modules.aws_calls import error, operations, recorded
from modules.harness import IMAGE, Failed, run

CLUSTER, GROUP = "petclinic-rest-cluster", "petclinic-rest-ecs-instances"
OWNER = {"handson:cluster": CLUSTER}
OPTIONS = {"auto_scaling_group": GROUP, "cluster": CLUSTER, "owner": OWNER, "interval": 0.01, "timeout": 20}
TAG = {"ResourceType": "auto-scaling-group", "Key": "handson:cluster", "Value": CLUSTER, "PropagateAtLaunch": True}


@pytest.fixture
def group(aws, default_subnets):
    """A group of two to four container instances, and a function that gives (desired capacity, ids)."""
    aws("ecs").create_cluster(clusterName=CLUSTER)
    user_data = base64.b64encode(f"#!/bin/bash\necho ECS_CLUSTER={CLUSTER} >> /etc/ecs/ecs.config\n".encode()).decode()
    aws("ec2").create_launch_template(
        LaunchTemplateName=GROUP,
        LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "t2.medium", "UserData": user_data},
    )
    aws("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=GROUP,
        LaunchTemplate={"LaunchTemplateName": GROUP},
        MinSize=1,
        MaxSize=4,
        DesiredCapacity=3,
        VPCZoneIdentifier=",".join(default_subnets[:2]),
        Tags=[{**TAG, "ResourceId": GROUP}],
    )

    def group():
        found = aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]
        return found["DesiredCapacity"], sorted(i["InstanceId"] for i in found["Instances"])

    return group


@pytest.fixture
def service(aws, group):
    """A service with a task on each instance; the function gives {instance id: its running tasks}."""
    ecs = aws("ecs")
    ecs.register_task_definition(
        family="t", containerDefinitions=[{"name": "app", "image": "app", "memoryReservation": 625}]
    )
    ecs.create_service(
        cluster=CLUSTER,
        serviceName="s",
        taskDefinition="t",
        desiredCount=3,
        placementStrategy=[{"type": "spread", "field": "instanceId"}],
    )
    for _ in range(6):
        ecs.describe_services(cluster=CLUSTER, services=["s"])

    def tasks():
        arns = ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"]
        found = ecs.describe_container_instances(cluster=CLUSTER, containerInstances=arns)["containerInstances"]
        return {i["ec2InstanceId"]: (i["status"], i["runningTasksCount"]) for i in found}

    return tasks


def test_more(group):
    checked = run("auto_scaling_capacity", check=True, count=4, **OPTIONS)
    assert checked["changed"] and checked["diff"]["after"] == {"desired": 4} and group()[0] == 3
    result = run("auto_scaling_capacity", count=4, **OPTIONS)
    assert (result["changed"], result["before"], result["count"]) == (True, 3, 4)
    assert group()[0] == 4 and len(group()[1]) == 4
    with recorded() as calls:
        assert not run("auto_scaling_capacity", count=4, **OPTIONS)["changed"]
    assert operations(calls) == [
        "DescribeAutoScalingGroups",
        "DescribePolicies",
        "ListContainerInstances",
        "DescribeContainerInstances",
    ]


def test_fewer_lets_the_tasks_move_first(aws, group, service, tmp_path):
    assert sorted(n for _status, n in service().values()) == [1, 1, 1]
    before = group()[1]
    checked = run("auto_scaling_capacity", check=True, count=2, **OPTIONS)
    assert len(checked["removed"]) == 1 and all(status == "ACTIVE" for status, _n in service().values())
    progress = tmp_path / "progress"
    with recorded() as calls:
        result = run("auto_scaling_capacity", count=2, progress_file=str(progress), **OPTIONS)
    assert result["removed"] == checked["removed"] and group() == (2, sorted(set(before) - set(result["removed"])))
    assert "SetDesiredCapacity" not in operations(calls)
    assert "draining" in progress.read_text() and "goes" in progress.read_text()
    assert sum(n for _status, n in service().values()) == 3, "the service has all of its tasks elsewhere"


def test_tasks_that_stay_keep_their_instance(aws, group, service):
    ecs = aws("ecs")
    ecs.register_task_definition(
        family="large", containerDefinitions=[{"name": "app", "image": "app", "memoryReservation": 3000}]
    )
    ecs.create_service(cluster=CLUSTER, serviceName="large", taskDefinition="large", desiredCount=3)
    for _ in range(6):
        ecs.describe_services(cluster=CLUSTER, services=["large"])
    with pytest.raises(Failed, match="no room for it.*run again"):
        run("auto_scaling_capacity", count=2, **{**OPTIONS, "timeout": 1})
    assert group()[0] == 3 and {status for status, _n in service().values()} == {"ACTIVE"}


def test_what_drains_already_goes_first(aws, group, service):
    ecs, last = aws("ecs"), group()[1][-1]
    arns = ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"]
    found = ecs.describe_container_instances(cluster=CLUSTER, containerInstances=arns)["containerInstances"]
    arn = next(i["containerInstanceArn"] for i in found if i["ec2InstanceId"] == last)
    ecs.update_container_instances_state(cluster=CLUSTER, containerInstances=[arn], status="DRAINING")
    assert run("auto_scaling_capacity", count=2, **OPTIONS)["removed"] == [last]


@pytest.fixture
def cut_short(group, service, monkeypatch):
    """Kill a scale-in to two between draining and terminating; the id of the instance that it drained."""

    def killed(real, parameters):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(drains, "take_back", lambda *_: None)  # a killed process does nothing more
        with recorded(TerminateInstanceInAutoScalingGroup=killed), pytest.raises(KeyboardInterrupt):
            run("auto_scaling_capacity", count=2, **OPTIONS)
    (drained,) = (i for i, (status, _n) in service().items() if status == "DRAINING")
    return drained


def marks(aws):
    found = aws("ecs").list_attributes(cluster=CLUSTER, targetType="container-instance")["attributes"]
    return [a for a in found if a["name"] == drains.MARK]


def test_a_scale_in_cut_short_is_taken_back_with_the_old_count(aws, group, service, cut_short):
    assert len(marks(aws)) == 1
    checked = run("auto_scaling_capacity", check=True, count=3, **OPTIONS)
    assert checked["changed"] and checked["taken_back"] == [cut_short] and service()[cut_short][0] == "DRAINING"
    assert checked["diff"]["before"]["left_draining"] == [cut_short]
    result = run("auto_scaling_capacity", count=3, **OPTIONS)
    assert (result["changed"], result["taken_back"], result["removed"]) == (True, [cut_short], [])
    assert {status for status, _n in service().values()} == {"ACTIVE"} and group()[0] == 3 and not marks(aws)
    assert not run("auto_scaling_capacity", count=3, **OPTIONS)["changed"]


def test_a_scale_in_cut_short_goes_on_with_the_same_instance(group, cut_short):
    assert run("auto_scaling_capacity", count=2, **OPTIONS)["removed"] == [cut_short]
    assert cut_short not in group()[1] and group()[0] == 2


def test_a_scale_in_cut_short_that_then_times_out_gives_the_instance_back(aws, group, service, cut_short):
    def never_empty(real, parameters):
        found = real()
        for instance in found["containerInstances"]:
            instance["runningTasksCount"] = 1
        return found

    with recorded(DescribeContainerInstances=never_empty), pytest.raises(Failed, match="drained for this takes tasks"):
        run("auto_scaling_capacity", count=2, **{**OPTIONS, "timeout": 0})
    assert {status for status, _n in service().values()} == {"ACTIVE"} and not marks(aws)


@pytest.mark.parametrize("exception", [KeyboardInterrupt(), error("Throttling", "Rate exceeded")])
def test_whatever_stops_it_the_instances_take_tasks_again(aws, group, service, exception):
    def stopped(real, parameters):
        raise exception

    with recorded(TerminateInstanceInAutoScalingGroup=stopped), pytest.raises((KeyboardInterrupt, Failed)):
        run("auto_scaling_capacity", count=2, **OPTIONS)
    assert {status for status, _n in service().values()} == {"ACTIVE"} and group()[0] == 3 and not marks(aws)


def test_what_a_person_drained_stays_as_it_is(aws, group, service):
    arn = aws("ecs").list_container_instances(cluster=CLUSTER)["containerInstanceArns"][0]
    aws("ecs").update_container_instances_state(cluster=CLUSTER, containerInstances=[arn], status="DRAINING")
    assert not run("auto_scaling_capacity", count=3, **OPTIONS)["changed"]
    assert run("auto_scaling_capacity", count=4, **OPTIONS)["taken_back"] == []
    assert sorted(status for status, _n in service().values()) == ["ACTIVE", "ACTIVE", "ACTIVE", "DRAINING"]


@pytest.mark.parametrize(("count", "said"), [(5, "max 4.*raise instances_max"), (0, "min 1.*lower instances_min")])
def test_outside_of_the_bounds_is_refused(group, count, said):
    with pytest.raises(Failed, match=said):
        run("auto_scaling_capacity", count=count, **OPTIONS)
    assert group()[0] == 3


def test_a_foreign_group_is_refused(aws, group):
    with pytest.raises(Failed, match="is not ours"):
        run("auto_scaling_capacity", count=4, **{**OPTIONS, "owner": {"handson:cluster": "other"}})
    assert group()[0] == 3


def test_a_group_that_ecs_scales_is_refused(aws, group):
    aws("autoscaling").put_scaling_policy(
        AutoScalingGroupName=GROUP,
        PolicyName="ECSManagedAutoScalingPolicy-1",
        AdjustmentType="ChangeInCapacity",
        ScalingAdjustment=1,
    )
    with pytest.raises(Failed, match="managed scaling.*instances_min and instances_max"):
        run("auto_scaling_capacity", count=4, **OPTIONS)


def test_no_group_names_the_playbook(aws):
    with pytest.raises(Failed, match="playbooks/cluster.yml"):
        run("auto_scaling_capacity", count=4, **OPTIONS)
