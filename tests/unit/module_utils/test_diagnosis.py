# SPDX-License-Identifier: GPL-3.0-or-later
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.handson.ecs.plugins.module_utils import diagnosis

PULL = (
    "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref r/app:1: not found"
)


def task(reason="", code=None, stop="TaskFailedToStart", why=None, name="app"):
    container = {"name": name}
    if code is not None:
        container["exitCode"] = code
    if why:
        container["reason"] = why
    return {"stoppedReason": reason, "stopCode": stop, "containers": [container]}


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        (PULL, "image_reference"),
        (
            "CannotPullContainerError: no matching manifest for linux/amd64 in the manifest list entries",
            "image_platform",
        ),
        (
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
            "failed: unable to get registry auth from asm",
            "execution role",
        ),
        (
            "ResourceInitializationError: unable to pull secrets: unable to retrieve secret from asm: AccessDenied",
            "task_definition_secrets",
        ),
        (
            "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to "
            "create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist.",
            "task_definition_log_group",
        ),
        (
            "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times",
            "task_definition_log_group",
        ),
        ("OutOfMemoryError: Container killed due to memory usage", "task_definition_memory"),
        ("Task failed ELB health checks in (target-group arn:tg)", "service_health_check_grace_period"),
        ("Task failed container health checks", "service_health_check_grace_period"),
        ('CannotStartContainerError: exec: "java": executable file not found in $PATH', "task_definition_command"),
        ("CannotStartContainerError: exec /bin/app: exec format error", "architecture"),
        ("Host EC2 (instance i-0123456789abcdef0) terminated.", "instances_count"),
        ("Essential container in task exited", "task_definition_log_group"),
    ],
)
def test_stopped_tasks(reason, word):
    causes = diagnosis.from_stopped_tasks([task(reason)])
    assert len(causes) == 1 and reason in causes[0].problem and word in causes[0].remedy


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("Scaling activity initiated by (deployment ecs-svc/1)", "ServiceSchedulerInitiated"),
        ("Task stopped by user", "UserInitiated"),
        ("", None),
        ("something new", "TaskFailedToStart"),
    ],
)
def test_what_was_wanted_or_is_not_understood_is_no_cause(reason, stop):
    assert diagnosis.from_stopped_tasks([{"stoppedReason": reason, "stopCode": stop}]) == []
    if stop in diagnosis.WANTED:
        assert diagnosis.from_stopped_tasks([task(reason, code=143, stop=stop)]) == []


@pytest.mark.parametrize("code", [0, 1, 137])
def test_exit_code(code):
    causes = diagnosis.from_stopped_tasks(
        [task("Essential container in task exited", code, "EssentialContainerExited")]
    )
    assert causes[0].problem.endswith(f"container app exited with code {code}")


def test_oom_is_a_word():
    chatroom = task("Essential container in task exited", 1, "EssentialContainerExited", name="chatroom")
    assert "log" in diagnosis.from_stopped_tasks([chatroom])[0].remedy
    killed = task("Essential container in task exited", 137, "EssentialContainerExited", why="OutOfMemoryError: …")
    assert "task_definition_memory" in diagnosis.from_stopped_tasks([killed])[0].remedy


def test_the_log_group_of_the_container_that_ended():
    ended = task("Essential container in task exited", 1, "EssentialContainerExited")
    remedy = diagnosis.from_stopped_tasks([ended], {"app": "/ecs/app", "sidecar": "/ecs/sidecar"})[0].remedy
    assert "aws logs tail /ecs/app --since 1h" in remedy and "sidecar" not in remedy


def test_who_is_stopped_for_its_health_ends_by_a_signal_that_says_nothing():
    ill = task("Task failed ELB health checks in (target-group arn:tg)", 143, "ServiceSchedulerInitiated")
    assert "143" not in diagnosis.from_stopped_tasks([ill])[0].problem


def test_a_reason_is_said_once():
    causes = diagnosis.from_stopped_tasks([task(PULL, why=PULL)] * 4)
    assert len(causes) == 1 and causes[0].problem.count("CannotPull") == 1


@pytest.mark.parametrize(
    ("health", "words"),
    [
        ({"State": "healthy"}, None),
        ({"State": "initial", "Reason": "Elb.RegistrationInProgress"}, None),
        ({"State": "draining"}, None),
        (
            {
                "State": "unhealthy",
                "Reason": "Target.ResponseCodeMismatch",
                "Description": "Health checks failed with these codes: [500]",
            },
            ["i-1:32768", "[500]", "target_group_health_check_matcher"],
        ),
        (
            {"State": "unhealthy", "Reason": "Target.Timeout", "Description": "Request timed out"},
            ["security group", "timeout"],
        ),
        ({"State": "unhealthy", "Reason": "Target.FailedHealthChecks"}, ["Target.FailedHealthChecks", "0.0.0.0"]),
        ({"State": "unhealthy"}, ["no reason given"]),
    ],
)
def test_targets(health, words):
    causes = diagnosis.from_targets([{"Target": {"Id": "i-1", "Port": 32768}, "TargetHealth": health}])
    assert len(causes) == (words is not None)
    for word in words or []:
        assert word in str(causes[0])


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("has reached a steady state.", None),
        ("(deployment ecs-svc/1) deployment failed: tasks failed to start.", None),  # its tasks say why
        (
            "was unable to place a task because no container instance met all of its requirements. The closest "
            "matching (container-instance 1a2b) has insufficient memory available.",
            "instances_count",
        ),
        (
            "was unable to place a task because no container instance met all of its requirements. Reason: No "
            "Container Instances were found in your cluster.",
            "playbooks/cluster.yml",
        ),
        ("was unable to place a task because no container instance met all of its requirements.", "constraints"),
        ("is unable to consistently start tasks successfully.", "an hour"),
        (
            "(task 1a) (port 80) is unhealthy in (target-group arn) due to (reason Health checks failed).",
            "health_check_path",
        ),
    ],
)
def test_events(message, word):
    causes = diagnosis.from_events([{"message": f"(service s) {message}"}])
    assert [word in c.remedy for c in causes] == ([True] if word else [])


def test_one_cause_of_a_kind_and_three_at_most():
    def unhealthy(i):
        return {
            "message": f"(service s) (task {i:032x}) (instance i-{i:017x}) (port {32768 + i}) is unhealthy in "
            "(target-group arn:tg/1) due to (reason Health checks failed with these codes: [500])"
        }

    assert len(diagnosis.from_events([unhealthy(1), unhealthy(2)])) == 1
    many = [task(f"Essential container in task exited {word}") for word in ("a", "b", "c", "d")]
    assert len(diagnosis.from_stopped_tasks(many)) == 3
    codes = [task("Essential container in task exited", code, "EssentialContainerExited") for code in (1, 137)]
    assert len(diagnosis.from_stopped_tasks(codes)) == 2


def test_a_cause_is_shown_with_its_remedy_below():
    assert str(diagnosis.Cause("broken", "mend it")) == "broken\n  -> mend it"


NOW = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
D = "ecs-svc/1"


def ended(reason="Essential container in task exited", code="EssentialContainerExited", ago=40, exit_code=137, by=D, why=None):
    container = {"name": "app", "exitCode": exit_code, **({"reason": why} if why else {})}
    when = NOW - timedelta(seconds=ago)
    return {
        "startedBy": by,
        "lastStatus": "STOPPED",
        "stopCode": code,
        "stoppedReason": reason,
        "stoppedAt": when,
        "containers": [container],
    }


HEALTH = "Task failed ELB health checks in (target-group t)"


@pytest.mark.parametrize(
    ("tasks", "replaced", "said"),
    [
        ([], True, ""),
        ([ended()], True, "1 task ended 40 s ago (container app exited with code 137) and was replaced"),
        ([ended()], False, "1 task ended 40 s ago (container app exited with code 137) and is not yet replaced"),
        (
            [ended(why="OutOfMemoryError: Container killed due to memory usage", ago=600)],
            True,
            "1 task ended 10 min ago (container app exited with code 137: OutOfMemoryError: Container killed due to memory "
            "usage) and was replaced",
        ),
        (
            [ended(ago=300), ended(HEALTH, "ServiceSchedulerInitiated", ago=60)],
            True,
            f"2 tasks ended within the last hour, the last one 60 s ago ({HEALTH}), and were replaced",
        ),
        ([ended("Task stopped by user", "UserInitiated")], True, "1 task ended 40 s ago (Task stopped by user) and was replaced"),
        ([ended("Scaling activity initiated by (deployment ecs-svc/1)", "ServiceSchedulerInitiated")], True, ""),
        ([ended(by="ecs-svc/0")], True, ""),  # of a roll-out that is over
        ([{**ended(), "lastStatus": "DEACTIVATING"}], True, ""),
    ],
)
def test_tasks_that_ended_lately(tasks, replaced, said):
    assert diagnosis.told_ended(diagnosis.ended_tasks(tasks, D), NOW, replaced) == said
