# SPDX-License-Identifier: GPL-3.0-or-later
import time

import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import IMAGE, Failed, run

CLUSTER = "petclinic-rest-cluster"
FAMILY = "petclinic-rest-task"
OPTIONS = {
    "cluster": CLUSTER,
    "task_definition": FAMILY,
    "owner": {"handson:service": "petclinic-rest-service"},
    "wait_interval": 0.01,
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
        ImageId=IMAGE,
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


def test_fewer_tasks_than_asked_for_are_stopped_and_named(aws, cluster):
    with (
        recorded() as calls,
        pytest.raises(Failed, match=r"started 3 of 5 tasks.*RESOURCE:MEMORY.*instances_count") as failed,
    ):
        run("ecs_run_task", **OPTIONS, count=5)
    stopped = [parameters["task"].rsplit("/", 1)[-1] for operation, parameters in calls if operation == "StopTask"]
    assert len(stopped) == 3 and f"What started was stopped: {', '.join(stopped)}." in failed.value.result["msg"]
    assert failed.value.result["changed"] and running(aws) == []


def test_too_few_tasks_that_cannot_be_stopped_are_named(cluster):
    def denied(_real, _parameters):
        raise error("AccessDeniedException", "not authorized to perform ecs:StopTask")

    with recorded(StopTask=denied), pytest.raises(Failed, match="may go on, since .*not authorized.*instances_count") as failed:
        run("ecs_run_task", **OPTIONS, count=5)
    assert failed.value.result["changed"]


def test_where_none_started_nothing_changed(cluster):
    with (
        recorded(RunTask=lambda *_: {"tasks": [], "failures": [{"arn": "i-1", "reason": "AGENT"}]}) as calls,
        pytest.raises(Failed, match=r"started 0 of 1 tasks.*AGENT \(i-1\)\. Raise instances_count") as failed,
    ):
        run("ecs_run_task", **OPTIONS)
    assert not failed.value.result["changed"] and "StopTask" not in operations(calls)


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

    with (
        recorded(DescribeTasks=pending) as calls,
        pytest.raises(Failed, match="After 0 s the tasks are PENDING") as failed,
    ):
        run("ecs_run_task", **{**OPTIONS, "wait_timeout": 0})
    (arn,) = next(parameters["tasks"] for operation, parameters in calls if operation == "DescribeTasks")
    assert failed.value.result["changed"] and arn.rsplit("/", 1)[-1] in failed.value.result["msg"]


def test_what_went_wrong_after_the_start_is_a_change(cluster):
    def denied(_real, _parameters):
        raise error("AccessDeniedException", "not authorized to perform ecs:DescribeTasks")

    with recorded(DescribeTasks=denied), pytest.raises(Failed, match="Could not run") as failed:
        run("ecs_run_task", **OPTIONS)
    assert failed.value.result["changed"]


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


def test_a_task_that_ecs_does_not_know_yet_is_waited_for(cluster):
    looks = []

    def not_yet(real, parameters):
        looks.append(parameters)
        if len(looks) > 2:
            return real()
        missing = [{"arn": arn, "reason": "MISSING"} for arn in parameters["tasks"]]
        return {"tasks": real()["tasks"][: len(looks) - 1], "failures": missing[len(looks) - 1 :]}

    with recorded(DescribeTasks=not_yet):
        result = run("ecs_run_task", **OPTIONS, count=2)
    assert len(looks) == 3 and [t["status"] for t in result["tasks"]] == ["RUNNING", "RUNNING"]
    with (
        recorded(DescribeTasks=lambda *_: {"tasks": [], "failures": []}),
        pytest.raises(Failed, match="After 0 s the tasks are MISSING"),
    ):
        run("ecs_run_task", **{**OPTIONS, "wait_timeout": 0})


def test_a_service_linked_role_that_is_being_made_is_waited_for(aws, cluster, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    refusals = [
        error("InvalidParameterException", "Unable to assume the service linked role. Please verify that it exists.")
    ]

    def refuse_once(real, parameters):
        if refusals:
            raise refusals.pop()
        return real()

    with recorded(RunTask=refuse_once) as calls:
        run("ecs_run_task", **OPTIONS)
    tokens = [parameters["clientToken"] for operation, parameters in calls if operation == "RunTask"]
    assert len(tokens) == 2 and len(set(tokens)) == 1 and len(running(aws)) == 1


def test_what_was_run_once_is_stopped_and_nothing_else(aws, cluster, define):
    ours = {t["id"] for t in run("ecs_run_task", **OPTIONS, count=2)["tasks"]}
    somebodys = aws("ecs").run_task(cluster=CLUSTER, taskDefinition=FAMILY)["tasks"][0]["taskArn"]
    define("2")  # an older revision's tasks go, too
    absent = {**OPTIONS, "state": "absent"}
    checked = run("ecs_run_task", check=True, **absent)
    assert checked["changed"] and {t["id"] for t in checked["tasks"]} == ours
    assert {t["lastStatus"] for t in running(aws)} == {"RUNNING"} and len(running(aws)) == 3
    stopped = run("ecs_run_task", **absent)
    assert stopped["changed"] and {t["id"] for t in stopped["tasks"]} == ours
    assert {t["status"] for t in stopped["tasks"]} == {"STOPPED"}
    assert aws("ecs").list_tasks(cluster=CLUSTER, desiredStatus="RUNNING")["taskArns"] == [somebodys]
    assert not run("ecs_run_task", **absent)["changed"]
    assert not run("ecs_run_task", check=True, **absent)["changed"]


def test_tasks_of_a_service_are_left_to_it(aws, cluster):
    run("ecs_run_task", **OPTIONS)

    def of_a_service(real, parameters):
        answer = real()
        for task in answer["tasks"]:
            task["group"] = "service:petclinic-rest-service"
        return answer

    with recorded(DescribeTasks=of_a_service) as calls:
        assert not run("ecs_run_task", **OPTIONS, state="absent")["changed"]
    assert operations(calls) == ["ListTasks", "DescribeTasks"]


def test_all_pages_of_tasks_are_stopped_a_hundred_at_a_time(cluster):
    arns = [f"arn:aws:ecs:ap-southeast-1:123456789012:task/{CLUSTER}/{n:03}" for n in range(150)]
    tags = [{"key": k, "value": v} for k, v in OPTIONS["owner"].items()]
    stopped = []

    def pages(real, parameters):
        assert parameters["family"] == FAMILY and parameters["desiredStatus"] == "RUNNING"
        return {"taskArns": arns[100:]} if parameters.get("nextToken") else {"taskArns": arns[:100], "nextToken": "2"}

    def tasks(real, parameters):
        assert len(parameters["tasks"]) <= 100
        return {
            "tasks": [
                {"taskArn": a, "lastStatus": "STOPPED" if a in stopped else "RUNNING", "tags": tags}
                for a in parameters["tasks"]
            ]
        }

    def stop(real, parameters):
        stopped.append(parameters["task"])
        if len(stopped) == 1:
            raise error("InvalidParameterException", "The referenced task was not found.")
        return {"task": {}}

    with recorded(ListTasks=pages, DescribeTasks=tasks, StopTask=stop):
        assert run("ecs_run_task", **{**OPTIONS, "task_definition": f"{FAMILY}:1"}, state="absent")["changed"]
    assert stopped == arns


def test_tasks_that_do_not_stop_are_named(cluster):
    task = run("ecs_run_task", **OPTIONS)["tasks"][0]["id"]
    with (
        recorded(StopTask=lambda *_: {"task": {}}),
        pytest.raises(Failed, match=f"After 0 s .wait_timeout.*{task}.*second run"),
    ):
        run("ecs_run_task", **{**OPTIONS, "wait_timeout": 0}, state="absent")


def test_without_its_cluster_there_is_nothing_to_stop(aws):
    for check in (True, False):
        assert run("ecs_run_task", check=check, **OPTIONS, state="absent") | {"invocation": 0} == {
            "changed": False,
            "tasks": [],
            "invocation": 0,
        }


def test_a_cluster_that_goes_meanwhile_took_its_tasks_along(cluster):
    run("ecs_run_task", **OPTIONS)
    looks = []

    def gone(real, parameters):
        looks.append(parameters)
        if len(looks) > 1:
            raise error("ClusterNotFoundException", "Cluster not found.")
        return real()

    with recorded(DescribeTasks=gone):
        assert run("ecs_run_task", **OPTIONS, state="absent")["changed"]


GROUP = "/ecs/petclinic-rest-task"
JOB = {**OPTIONS, "container": "app", "wait_for": "stopped"}


@pytest.fixture
def job(aws, cluster):
    """A task definition with a log. Returns a function that makes tasks end after `looks` looks, and writes their log."""
    logging = {"logDriver": "awslogs", "options": {"awslogs-group": GROUP, "awslogs-stream-prefix": "petclinic"}}
    containers = [
        {"name": "app", "image": "petclinic:1", "memory": 128, "logConfiguration": logging},
        {"name": "proxy", "image": "proxy:1", "memory": 128, "logConfiguration": logging},
    ]
    aws("ecs").register_task_definition(family=FAMILY, containerDefinitions=containers)
    aws("logs").create_log_group(logGroupName=GROUP)

    def write(task, text):
        stream = {"logGroupName": GROUP, "logStreamName": f"petclinic/app/{task['taskArn'].rsplit('/', 1)[-1]}"}
        if not aws("logs").describe_log_streams(logGroupName=GROUP)["logStreams"]:
            aws("logs").create_log_stream(**stream)
        aws("logs").put_log_events(**stream, logEvents=[{"timestamp": int(time.time() * 1000), "message": text}])

    def ends(codes, looks=3, reason="Essential container in task exited"):
        seen = []

        def look(real, _parameters):
            answer = real()
            seen.append(answer)
            for task in answer["tasks"]:
                if len(seen) <= looks:
                    write(task, f"step {len(seen)}")
                if len(seen) >= looks:
                    task.update(lastStatus="STOPPED", stopCode="EssentialContainerExited", stoppedReason=reason)
                    for container in task["containers"]:
                        if codes.get(container["name"]) is not None:
                            container["exitCode"] = codes[container["name"]]
            return answer

        return recorded(DescribeTasks=look)

    return ends


def test_a_job_is_followed_to_its_end_with_its_log(job, tmp_path):
    progress = tmp_path / "progress"
    with job({"app": 0, "proxy": 143}) as calls:
        result = run("ecs_run_task", **JOB, command=["python", "-m", "migrate"], progress_file=str(progress))
    assert result["changed"] and result["tasks"][0]["exit_codes"] == {"app": 0, "proxy": 143}, "the proxy was only told to go"
    assert result["tasks"][0]["stopped_reason"] == "Essential container in task exited"
    request = next(parameters for operation, parameters in calls if operation == "RunTask")
    assert request["overrides"] == {"containerOverrides": [{"name": "app", "command": ["python", "-m", "migrate"]}]}
    shown = progress.read_text().splitlines()
    assert [text.split("] ")[1] for text in result["log"]] == ["step 1", "step 2", "step 3"]
    task = result["tasks"][0]["id"]
    assert f"[{task[:8]}] step 1" in shown[1] and "exit code app 0, proxy 143" in shown[-1]


def test_a_job_that_fails_is_told_with_its_last_lines(job):
    with job({"app": 3}, looks=12), pytest.raises(Failed) as failed:
        run("ecs_run_task", **JOB)
    said = failed.value.result
    assert said["changed"] and "1 of 1 tasks ended with a failure" in said["msg"] and "exited with code 3" in said["msg"]
    assert f"aws logs tail {GROUP}" in said["msg"] and "log" not in said
    assert "last lines of the log" in said["msg"] and "step 12" in said["msg"] and "step 2\n" not in said["msg"]
    assert said["tasks"][0]["exit_codes"] == {"app": 3}


def test_a_job_that_never_started_has_no_exit_code_and_failed(job):
    with job({}, looks=1, reason="CannotPullContainerError: not found"), pytest.raises(Failed, match="CannotPullContainerError"):
        run("ecs_run_task", **JOB)


def test_a_server_does_not_hold_a_job_for_ever(job, aws):
    with pytest.raises(Failed, match=r"After 0 s .task_definition_run_timeout.*not ended.*task_definition_run_wait=started.*stop-task"):
        run("ecs_run_task", **{**JOB, "wait_timeout": 0})
    assert len(running(aws)) == 1, "it isn't ours to stop"


def test_nobody_waits(cluster):
    with recorded() as calls:
        result = run("ecs_run_task", **OPTIONS, wait_for="nothing")
    assert result["changed"] and result["tasks"][0]["status"] == "PENDING" and operations(calls) == ["RunTask"]


def test_a_log_that_may_not_be_read_is_said_once(job, tmp_path):
    progress = tmp_path / "progress"

    def denied(_real, _parameters):
        raise error("AccessDeniedException", "not authorized to perform logs:GetLogEvents")

    with job({"app": 0}), recorded(GetLogEvents=denied):
        assert run("ecs_run_task", **JOB, progress_file=str(progress))["log"] == []
    assert progress.read_text().count("cannot be read: not authorized") == 2, "once for each stream"


def test_a_command_is_some_containers(cluster):
    with pytest.raises(Failed, match="missing parameter.*command.*container"):
        run("ecs_run_task", **OPTIONS, command=["true"])
