# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollout against a scripted ECS; time passes only where it sleeps."""

from datetime import datetime, timezone

import pytest
from botocore.exceptions import ClientError

from ansible_collections.handson.ecs.plugins.module_utils import rollout as code
from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError

NOW = datetime(2026, 11, 1, tzinfo=timezone.utc)
GOOD, OURS = "ecs-svc/1", "ecs-svc/2"


def deployment(id=OURS, state="IN_PROGRESS", status="PRIMARY", reason="", revision=2):
    return {
        "id": id,
        "status": status,
        "rolloutState": state,
        "rolloutStateReason": reason,
        "taskDefinition": f"arn:task-definition/f:{revision}",
    }


def service(*deployments, running=2, events=(), rollback=True):
    deployments = deployments or (deployment(state="COMPLETED"),)
    return {
        "status": "ACTIVE",
        "taskDefinition": deployments[0]["taskDefinition"],
        "deployments": list(deployments),
        "runningCount": running,
        "desiredCount": 2,
        "pendingCount": 0,
        "events": [{"id": e, "createdAt": NOW, "message": f"(service s) {e}"} for e in events],
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": rollback}},
    }


class Fake:
    """Answers DescribeServices with one state after the other, and keeps the last."""

    def __init__(self, *states, tasks=(), denied=(), log_group=None):
        self.states, self.tasks, self.denied, self.log_group = list(states), list(tasks), denied, log_group
        self.calls = []

    def __call__(self, _service):
        return self

    def __getattr__(self, operation):
        def call(**parameters):
            self.calls.append(operation)
            if operation in self.denied:
                raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)
            return getattr(self, f"_{operation}")(**parameters)

        return call

    def _describe_services(self, cluster, services):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"services": [state] if state else []}

    def _list_tasks(self, cluster, serviceName, desiredStatus):
        assert desiredStatus == "STOPPED"
        return {"taskArns": [str(i) for i, _ in enumerate(self.tasks)]}

    def _describe_tasks(self, cluster, tasks):
        return {"tasks": [self.tasks[int(i)] for i in tasks]}

    def _describe_task_definition(self, taskDefinition):
        options = {"awslogs-group": self.log_group} if self.log_group else {}
        log = {"logConfiguration": {"options": options}}
        return {"taskDefinition": {"containerDefinitions": [{"name": "app", **log}]}}


def crashed(started_by=OURS, at=0):
    return {
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "startedBy": started_by,
        "stoppedAt": NOW.replace(minute=at),
        "taskDefinitionArn": "arn:task-definition/f:2",
        "containers": [{"name": "app", "exitCode": 1}],
    }


@pytest.fixture
def clock(monkeypatch):
    """A clock that only sleeping moves."""

    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

        def sleep(self, seconds):
            self.now += seconds

    clock = Clock()
    monkeypatch.setattr(code, "time", clock)
    return clock


def rollout(fake, timeout=30, progress=None):
    return code.Rollout(
        fake, {"name": "s", "cluster": "c", "wait_timeout": timeout, "wait_interval": 5, "progress_file": progress}
    )


def failure(fake, first, follow=True, **options):
    this = rollout(fake, **options)
    if follow:
        this.follow(first, set())
    with pytest.raises(ResourceError) as raised:
        this.wait(first)
    return raised.value


def test_a_steady_service_costs_no_call(clock):
    fake = Fake()
    assert rollout(fake).wait(service(events=["has reached a steady state."])) == []
    assert fake.calls == [] and clock.now == 0


def test_a_deployment_is_followed_until_it_is_steady(clock, tmp_path):
    progress = tmp_path / "progress"
    fake = Fake(
        service(deployment(), running=1, events=["b", "a", "old"]),
        service(deployment(state="COMPLETED"), events=["has reached a steady state.", "b", "a", "old"]),
    )
    this = rollout(fake, progress=str(progress))
    this.follow(service(deployment()), seen={"old"})
    said = this.wait(service(deployment(), running=0, events=["a", "old"]))
    assert [s.removeprefix("(service s) ") for s in said] == ["a", "b", "has reached a steady state."]
    assert this.latest["runningCount"] == 2 and clock.now == 10
    lines = progress.read_text().splitlines()
    assert "0 of 2 tasks running, 0 pending" in lines and "1 of 2 tasks running, 0 pending" in lines


def test_the_counts_are_said_when_they_change(clock, tmp_path):
    progress = tmp_path / "progress"
    fake = Fake(service(deployment(), running=1), service(deployment(), running=1), service())
    rollout(fake, progress=str(progress)).wait(service(deployment(), running=1))
    assert progress.read_text().count("1 of 2") == 1


def test_a_run_that_goes_on_tells_nothing_from_before_the_last_steady_state(clock):
    going = service(deployment(), running=1, events=["new", "has reached a steady state.", "very old"])
    assert rollout(Fake(service(events=["newer", "new"]))).wait(going) == ["(service s) new", "(service s) newer"]


def test_a_failure_names_causes_revision_and_log_group(clock):
    failed = service(deployment(state="FAILED", reason="tasks failed to start."), running=0)
    fake = Fake(failed, tasks=[crashed(), crashed(GOOD)], log_group="/ecs/app")
    error = failure(fake, failed)
    assert str(error).startswith(
        "The deployment of f:2 to the service 's' failed: tasks failed to start.\n- A task stopped"
    )
    assert "aws logs tail /ecs/app" in error.details["causes"][0]["remedy"]
    assert error.details["changed"] and error.details["rolled_back_to"] is None
    assert clock.now == 0


def test_a_failure_that_the_run_found_is_no_change(clock):
    failed = service(deployment(state="FAILED"), running=0)
    assert not failure(Fake(failed), failed, follow=False).details["changed"]


def test_stopped_tasks_of_other_deployments_are_no_cause(clock):
    failed = service(deployment(state="FAILED"), running=0)
    error = failure(Fake(failed, tasks=[crashed(GOOD)]), failed)
    assert error.details["causes"] == [] and "ECS names no cause" in str(error)


def test_the_newest_stopped_task_comes_first(clock):
    failed = service(deployment(state="FAILED"), running=0)
    pulled = {**crashed(at=30), "stoppedReason": "CannotPullContainerError: x", "containers": []}
    error = failure(Fake(failed, tasks=[crashed(at=1), pulled]), failed)
    assert "CannotPull" in error.details["causes"][0]["problem"]


def test_a_roll_back_is_waited_for(clock):
    reason = f"ECS deployment circuit breaker: rolling back to deploymentId {GOOD}."
    back = deployment(GOOD, reason=reason, revision=1)
    gone = deployment(state="FAILED", status="ACTIVE", reason="tasks failed to start.")
    done = f"rolling back to deployment {GOOD}."
    fake = Fake(
        service(back, gone), service(back, gone), service(deployment(GOOD, "COMPLETED", revision=1), events=[done])
    )
    error = failure(fake, service(deployment()))
    assert error.details["rolled_back_to"] == "f:1" and clock.now == 15
    assert "ECS rolled back: the service uses f:1 again, with 2 of 2 tasks running" in str(error)


def test_a_roll_back_to_another_image_of_the_same_revision(clock):
    back = deployment(GOOD, reason=f"rolling back to deploymentId {GOOD}.", state="COMPLETED")
    error = failure(Fake(service(back)), service(deployment()))
    assert "what the image's tag names once more" in str(error) and "service_follow_tag to false" in str(error)
    assert "service_task_definition" not in str(error)


def test_the_causes_are_asked_for_before_the_roll_back_ends(clock):
    back = deployment(GOOD, reason="rolling back", revision=1)
    gone = deployment(state="FAILED", status="ACTIVE")
    fake = Fake(service(back, gone), service(deployment(GOOD, "COMPLETED", reason="rolling back", revision=1)))
    failure(fake, service(deployment()))
    assert fake.calls == ["describe_services", "list_tasks", "describe_services"]


def test_a_failure_may_be_told_a_moment_before_its_roll_back(clock):
    old = deployment(GOOD, "COMPLETED", "ACTIVE", revision=1)
    failed = deployment(state="FAILED")
    fake = Fake(service(failed, old), service(deployment(GOOD, "COMPLETED", reason="rolling back", revision=1)))
    assert failure(fake, service(deployment(), old)).details["rolled_back_to"] == "f:1"
    # It is not waited for where nobody asked for it.
    fake = Fake(service(failed, old, rollback=False))
    assert failure(fake, service(failed, old, rollback=False)).details["rolled_back_to"] is None
    assert "describe_services" not in fake.calls
    # And not for long.
    fake = Fake(service(failed, old))
    assert failure(fake, service(failed, old)).details["rolled_back_to"] is None
    assert fake.calls.count("describe_services") == code.ROLLBACK_LOOKS


def test_a_roll_back_that_takes_too_long_is_still_the_failure_of_the_deployment(clock):
    back = service(deployment(GOOD, reason="rolling back", revision=1), deployment(state="FAILED", status="ACTIVE"))
    error = failure(Fake(back), service(deployment()), timeout=20)
    assert "The deployment of" in str(error) and clock.now == 20


def test_another_deployment_took_its_place(clock):
    error = failure(Fake(service(deployment("ecs-svc/3"))), service(deployment()))
    assert "ECS replaced it by ecs-svc/3" in str(error) and error.details["rolled_back_to"] is None


def test_time_over(clock):
    event = "was unable to place a task because no container instance met all of its requirements."
    waiting = service(deployment(), running=1, events=[event])
    error = failure(Fake(waiting), waiting, timeout=20)
    assert "not steady after 20 s" in str(error) and clock.now == 20
    assert "unable to place" in error.details["causes"][0]["problem"]
    assert error.details["events"] == [f"(service s) {event}"]


def test_events_from_before_are_no_cause(clock):
    waiting = service(deployment(), running=1, events=["was unable to place a task"])
    this = rollout(Fake(waiting), timeout=0)
    this.follow(waiting, seen={"was unable to place a task"})
    with pytest.raises(ResourceError) as raised:
        this.wait(waiting)
    assert raised.value.details["causes"] == []


def test_what_may_not_be_read_hides_nothing_else(clock):
    waiting = service(deployment(), running=1, events=["was unable to place a task"])
    fake = Fake(waiting, denied=("list_tasks", "describe_target_health"))
    waiting["loadBalancers"] = [{"targetGroupArn": "arn:tg"}]
    assert len(failure(fake, waiting, timeout=0).details["causes"]) == 1
    fake = Fake(waiting, tasks=[crashed()], denied=("describe_task_definition", "describe_target_health"))
    assert "task_definition_log_group" in failure(fake, waiting, timeout=0).details["causes"][0]["remedy"]


@pytest.mark.parametrize("state", [None, {"status": "INACTIVE"}])
def test_a_service_that_is_deleted_meanwhile(clock, state):
    assert "was deleted" in str(failure(Fake(state), service(deployment(), running=0)))
