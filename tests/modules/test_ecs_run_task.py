# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from modules.aws_calls import operations, recorded
from modules.harness import Failed, run

CLUSTER = "petclinic-rest-cluster"
FAMILY = "petclinic-rest-task"
OPTIONS = {
    "cluster": CLUSTER,
    "task_definition": FAMILY,
    "owner": {"handson:service": "petclinic-rest-service"},
    "wait_interval": 0.05,
    "wait_timeout": 10,
}


@pytest.fixture
def define(aws):
    """Return a function that registers the task definition."""

    def define(tag="1", **options):
        container = {"name": "app", "image": f"petclinic:{tag}", "memory": 1024}
        aws("ecs").register_task_definition(family=FAMILY, containerDefinitions=[container], **options)

    return define


@pytest.fixture
def cluster(aws, default_subnets, define):
    """A cluster with one container instance, and the task definition."""
    define()
    aws("ecs").create_cluster(clusterName=CLUSTER)
    aws("ec2").run_instances(
        ImageId=aws("ec2").describe_images()["Images"][0]["ImageId"],
        InstanceType="t2.medium",
        MinCount=1,
        MaxCount=1,
        SubnetId=default_subnets[0],
        UserData=f"#!/bin/bash\necho ECS_CLUSTER={CLUSTER} >> /etc/ecs/ecs.config\n",
    )
    return CLUSTER


def running(aws):
    arns = aws("ecs").list_tasks(cluster=CLUSTER)["taskArns"]
    return aws("ecs").describe_tasks(cluster=CLUSTER, tasks=arns, include=["TAGS"])["tasks"] if arns else []


def test_tasks_run(aws, cluster, tmp_path):
    progress = tmp_path / "progress"
    result = run("ecs_run_task", **OPTIONS, count=2, tags={"team": "vets"}, progress_file=str(progress))
    assert result["changed"] and [t["status"] for t in result["tasks"]] == ["RUNNING", "RUNNING"]
    assert result["tasks"][0]["exit_codes"] == {}
    tasks = running(aws)
    assert {t["taskArn"].rsplit("/", 1)[-1] for t in tasks} == {t["id"] for t in result["tasks"]}
    assert {t["startedBy"] for t in tasks} == {"handson.ecs"}
    tags = {t["key"]: t["value"] for t in tasks[0]["tags"]}
    assert tags["handson:service"] == "petclinic-rest-service" and tags["team"] == "vets"
    assert "2 tasks: RUNNING, RUNNING" in progress.read_text()


def test_check_mode_starts_nothing_and_asks_nothing(aws, cluster):
    with recorded() as calls:
        result = run("ecs_run_task", check=True, **OPTIONS)
    assert result["changed"] and result["tasks"] == [] and operations(calls) == []
    assert running(aws) == []


def test_each_run_starts_anew_with_a_token_of_its_own(aws, cluster):
    with recorded() as calls:
        run("ecs_run_task", **OPTIONS)
        run("ecs_run_task", **OPTIONS)
    tokens = [parameters["clientToken"] for operation, parameters in calls if operation == "RunTask"]
    assert len(set(tokens)) == 2 and len(running(aws)) == 2


def test_fewer_tasks_than_asked_for(aws, cluster):
    with pytest.raises(Failed, match=r"started 3 of 5 tasks.*RESOURCE:MEMORY.*instances_count"):
        run("ecs_run_task", **OPTIONS, count=5)


def test_a_crash_is_told_with_its_exit_code(cluster, define):
    define("crash")
    with pytest.raises(Failed) as failed:
        run("ecs_run_task", **OPTIONS)
    said = failed.value.result
    assert "1 of 1 tasks ended with a failure" in said["msg"] and "exited with code 1" in said["msg"]
    assert said["tasks"][0]["exit_codes"] == {"app": 1} and said["tasks"][0]["status"] == "STOPPED"


def test_an_image_that_cannot_be_pulled(cluster, define):
    define("no-such-image")
    with pytest.raises(Failed, match=r"(?s)CannotPullContainerError.*playbooks/image.yml"):
        run("ecs_run_task", **OPTIONS)


def test_a_task_that_did_its_work_is_no_failure(cluster):
    def ended(real, _parameters):
        answer = real()
        for task in answer["tasks"]:
            task.update(
                lastStatus="STOPPED", stopCode="EssentialContainerExited", stoppedReason="Essential container …"
            )
            task["containers"][0]["exitCode"] = 0
        return answer

    with recorded(DescribeTasks=ended):
        result = run("ecs_run_task", **OPTIONS)
    assert result["tasks"][0]["exit_codes"] == {"app": 0}


def test_the_time_is_over(cluster):
    def pending(real, _parameters):
        answer = real()
        for task in answer["tasks"]:
            task["lastStatus"] = "PENDING"
        return answer

    with recorded(DescribeTasks=pending), pytest.raises(Failed, match="After 0 s the tasks are PENDING"):
        run("ecs_run_task", **{**OPTIONS, "wait_timeout": 0})


def test_no_cluster_and_no_task_definition(aws, define):
    with pytest.raises(Failed, match=f"Could not run '{FAMILY}'.*ClusterNotFound"):
        define()
        run("ecs_run_task", **OPTIONS)
    aws("ecs").create_cluster(clusterName=CLUSTER)
    with pytest.raises(Failed, match="No Container Instances were found"):
        run("ecs_run_task", **OPTIONS)
    with pytest.raises(Failed, match="Could not run 'other'"):
        run("ecs_run_task", **{**OPTIONS, "task_definition": "other"})


def test_a_task_with_an_address_of_its_own(aws, cluster, define):
    define(networkMode="awsvpc")
    vpc = aws("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    group = aws("ec2").create_security_group(GroupName="tasks", Description="tasks", VpcId=vpc)["GroupId"]
    with recorded() as calls:
        run("ecs_run_task", **OPTIONS, network={"mode": "default"}, security_groups=["tasks"])
    request = next(parameters for operation, parameters in calls if operation == "RunTask")
    configuration = request["networkConfiguration"]["awsvpcConfiguration"]
    assert configuration["securityGroups"] == [group] and configuration["assignPublicIp"] == "DISABLED"
    assert len(configuration["subnets"]) >= 2
    with pytest.raises(Failed, match="no security group named 'other'.*network.yml"):
        run("ecs_run_task", **OPTIONS, network={"mode": "default"}, security_groups=["other"])
