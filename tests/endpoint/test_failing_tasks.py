# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Tasks that fail because their image's tag says so, and what the circuit breaker makes of it."""

import re

import pytest

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


@pytest.fixture
def create(demo, load_balancers):
    """Create the service `web`, of an image with this tag."""

    def make(tag, **options):
        define(demo, tag)
        options = {"desiredCount": 2, "launchType": "EC2", "deploymentConfiguration": BREAKER, **options}
        demo.ecs.create_service(
            cluster="demo", serviceName="web", taskDefinition="web", loadBalancers=load_balancers, **options
        )

    return make


def define(demo, tag):
    container = {"name": "web", "image": f"petclinic:{tag}", "memory": 128, "portMappings": [{"containerPort": 9460}]}
    return demo.task_definition(cpu="128", memory="128", containerDefinitions=[container])


def deploy(demo, tag, **options):
    revision = define(demo, tag)
    demo.ecs.update_service(cluster="demo", service="web", taskDefinition="web", **options)
    return revision


def events(service):
    """The events, newest first, without ids and ARNs."""
    texts = [each["message"].removeprefix("(service web) ") for each in service["events"]]
    return [re.sub(r"(task|target-group|instance|port) [^ )]+", r"\1", re.sub(r"ecs-svc/\d+", "ID", t)) for t in texts]


def until(demo, done, steps=30):
    for _ in range(steps):
        service = demo.service()
        if done(service):
            return service
    raise AssertionError(events(service))


def failed(service):
    return any(each.get("rolloutState") == "FAILED" for each in service["deployments"])


def stopped(demo):
    arns = demo.ecs.list_tasks(cluster="demo", serviceName="web", desiredStatus="STOPPED")["taskArns"]
    return demo.ecs.describe_tasks(cluster="demo", tasks=arns)["tasks"]


def test_crash(demo, create):
    create("crash-on-start")
    service = until(demo, failed)
    deployment = service["deployments"][0]
    assert deployment["status"] == "PRIMARY" and deployment["failedTasks"] == 4  # two at a time, the limit is three
    assert deployment["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert events(service)[0] == "(deployment ID) deployment failed: tasks failed to start."
    for task in stopped(demo):
        assert (task["stopCode"], task["stoppedReason"]) == (
            "EssentialContainerExited",
            "Essential container in task exited",
        )
        assert task["containers"][0]["exitCode"] == 1 and task["lastStatus"] == "STOPPED" and "startedAt" in task
    for _ in range(3):  # a failed deployment starts nothing
        service = demo.service()
    assert service["pendingCount"] == 0 and len(stopped(demo)) == 4
    assert demo.elbv2.describe_target_health(TargetGroupArn=demo.target_group)["TargetHealthDescriptions"] == []

    deploy(demo, "fixed")
    assert demo.until_steady()["runningCount"] == 2


def test_image_that_is_not_there(demo, create):
    create("no-such-image")
    until(demo, failed)
    task = stopped(demo)[0]
    ref = "docker.io/library/petclinic:no-such-image"
    reason = (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
        f"{ref}: {ref}: not found"
    )
    assert task["stopCode"] == "TaskFailedToStart" and task["stoppedReason"] == reason
    assert task["containers"][0]["reason"] == reason and "exitCode" not in task["containers"][0]
    assert "startedAt" not in task


def test_roll_back(demo, create):
    create("1")
    before = demo.until_steady()
    running = set(demo.ecs.list_tasks(cluster="demo", serviceName="web")["taskArns"])
    broken = deploy(demo, "crash")
    service = until(demo, failed)
    first, second = service["deployments"]
    assert (first["status"], first["rolloutState"]) == ("PRIMARY", "IN_PROGRESS")
    reason = f"ECS deployment circuit breaker: rolling back to deploymentId {first['id']}."
    assert first["rolloutStateReason"] == reason
    assert (second["status"], second["rolloutState"], second["taskDefinition"]) == ("ACTIVE", "FAILED", broken)
    assert service["taskDefinition"] == first["taskDefinition"] == before["taskDefinition"]
    assert events(service)[:2] == [
        "rolling back to deployment ID.",
        "(deployment ID) deployment failed: tasks failed to start.",
    ]
    service = demo.until_steady()
    assert [each["rolloutState"] for each in service["deployments"]] == ["COMPLETED"]
    assert set(demo.ecs.list_tasks(cluster="demo", serviceName="web")["taskArns"]) == running  # they never left
    assert len(demo.healthy(demo.target_group)) == 2
    assert {task["startedBy"] for task in stopped(demo)} == {second["id"]}


def test_roll_back_where_the_old_tasks_are_gone(demo, create):
    create("1", deploymentConfiguration={**BREAKER, "minimumHealthyPercent": 0, "maximumPercent": 100})
    before = demo.until_steady()
    deploy(demo, "no-such-image")
    until(demo, failed)
    service = demo.until_steady()
    assert service["taskDefinition"] == before["taskDefinition"] and service["runningCount"] == 2
    assert len(demo.healthy(demo.target_group)) == 2


def test_without_roll_back_the_old_tasks_serve_on(demo, create):
    create("1", deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": False}})
    demo.until_steady()
    broken = deploy(demo, "crash")
    until(demo, failed)
    for _ in range(4):
        service = demo.service()
    assert [each["status"] for each in service["deployments"]] == ["PRIMARY", "ACTIVE"]
    assert service["taskDefinition"] == broken and service["runningCount"] == 2
    assert len(demo.healthy(demo.target_group)) == 2


def test_unhealthy(demo, create):
    create("1", healthCheckGracePeriodSeconds=30)
    demo.until_steady()
    deploy(demo, "unhealthy")

    def ill():
        found = demo.elbv2.describe_target_health(TargetGroupArn=demo.target_group)["TargetHealthDescriptions"]
        return [each["TargetHealth"] for each in found if each["TargetHealth"]["State"] != "healthy"]

    until(demo, lambda service: ill())
    assert ill() == 2 * [
        {
            "State": "unhealthy",
            "Reason": "Target.ResponseCodeMismatch",
            "Description": "Health checks failed with these codes: [500]",
        }
    ]
    assert len(demo.healthy(demo.target_group)) == 2
    service = until(demo, lambda service: service["deployments"][0]["failedTasks"] == 2)
    assert events(service)[:4] == [
        "deregistered 2 targets in (target-group)",
        "has stopped 2 running tasks: (task) (task).",
        "(task) (instance) (port) is unhealthy in (target-group) due to "
        "(reason Health checks failed with these codes: [500]).",
        "(task) (instance) (port) is unhealthy in (target-group) due to "
        "(reason Health checks failed with these codes: [500]).",
    ]
    assert ill() == []
    reason = f"Task failed ELB health checks in (target-group {demo.target_group})"
    assert {(t["stopCode"], t["stoppedReason"]) for t in stopped(demo)} == {("ServiceSchedulerInitiated", reason)}
    service = until(demo, lambda service: service["pendingCount"])
    assert events(service)[0] == (
        "has started 2 tasks: (task) (task). Amazon ECS replaced 2 tasks due to an unhealthy status."
    )
    until(demo, failed)
    assert len(demo.healthy(demo.target_group)) == 2
    assert demo.until_steady()["runningCount"] == 2


def test_the_grace_period_delays_the_stop(demo, create):
    def steps(grace):
        create("unhealthy", healthCheckGracePeriodSeconds=grace)
        count = 0
        while not demo.service()["deployments"][0]["failedTasks"]:
            count += 1
        demo.ecs.delete_service(cluster="demo", service="web", force=True)
        until(demo, lambda service: service["status"] == "INACTIVE")
        return count

    assert steps(90) - steps(0) == 3


@pytest.mark.parametrize(
    ("given", "count", "failures"),
    [
        (None, 1, 3),
        (None, 7, 4),
        ({"type": "COUNT", "value": 1}, 2, 1),
        ({"type": "BOUNDED_PERCENT", "value": 100}, 2, 3),
        ({"type": "UNBOUNDED_PERCENT", "value": 50}, 2, 1),
    ],
)
def test_threshold(demo, create, given, count, failures):
    breaker = {**BREAKER["deploymentCircuitBreaker"], **({"thresholdConfiguration": given} if given else {})}
    create("crash", desiredCount=count, deploymentConfiguration={"deploymentCircuitBreaker": breaker})
    found = until(demo, failed)["deployments"][0]["failedTasks"]
    # All of the desired tasks fail at a time.
    assert found == -(-failures // count) * count


def test_without_circuit_breaker_ecs_tries_on_more_slowly(demo, create):
    create(
        "crash",
        desiredCount=1,
        deploymentConfiguration={"deploymentCircuitBreaker": {"enable": False, "rollback": False}},
    )
    for _ in range(40):
        service = demo.service()
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    said = [text for text in events(service) if text.startswith("is unable to consistently start tasks successfully.")]
    assert len(said) == 1
    assert 4 <= service["deployments"][0]["failedTasks"] <= 8


@pytest.mark.parametrize(("tag", "code"), [("crash", 1), ("no-such-image", None), ("unhealthy", None)])
def test_one_off_task(demo, tag, code):
    define(demo, tag)
    arn = demo.ecs.run_task(cluster="demo", taskDefinition="web")["tasks"][0]["taskArn"]
    task = demo.ecs.describe_tasks(cluster="demo", tasks=[arn])["tasks"][0]
    # Nobody checks the health of a task without a service.
    assert task["lastStatus"] == ("RUNNING" if tag == "unhealthy" else "STOPPED")
    assert task["containers"][0].get("exitCode") == code
