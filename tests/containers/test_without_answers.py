# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Docker goes away while the endpoint runs: what is logged, what the records say, and how it goes on afterwards."""

import time
from types import SimpleNamespace

import pytest
import requests
from container_endpoint import engine, runtime, tasks
from container_endpoint.trouble import Trouble


class Docker:
    """An engine that can be gone."""

    owner, gone = "/state", False

    def __init__(self):
        self.asked = 0

    def ours(self, quick=True):
        self.asked += 1
        if self.gone:
            place = f"<object at 0x7f{self.asked:010x}>"
            raise requests.exceptions.ConnectionError(f"{place}: Connection refused")
        return []


@pytest.fixture
def found(monkeypatch):
    """An engine that answers, and a service with a task of which a container runs."""
    it = Docker()
    monkeypatch.setattr(engine, "_engine", it)
    monkeypatch.setattr(runtime, "_docker", Trouble("Docker doesn't answer"))
    monkeypatch.setattr(runtime, "_clock", Trouble("tick"))
    monkeypatch.setattr(runtime, "_told", set())
    monkeypatch.setattr(tasks, "runs", {})
    it.service = SimpleNamespace(name="shop", arn="arn:shop", status="ACTIVE", events=[], deployments=[])
    closed = SimpleNamespace(name="old", arn="arn:old", status="INACTIVE", events=[], deployments=[])
    backend = SimpleNamespace(services={"shop": it.service, "old": closed}, tasks={}, clusters={})
    it.closed = closed
    monkeypatch.setattr(runtime, "ecs_backends", {"123456789012": {"ap-southeast-1": backend}})
    monkeypatch.setattr(runtime, "elbv2_backends", {})
    it.backend = backend
    return it


def said(service):
    return [each["message"] for each in reversed(service.events)]


def test_it_is_told_once_when_docker_goes_and_once_when_it_is_back(found, caplog):
    assert runtime.tick(found) and not caplog.messages
    found.gone = True
    assert [runtime.tick(found) for _ in range(5)] == [False] * 5
    assert len(caplog.messages) == 1 and "Connection refused" in caplog.text and "Traceback" not in caplog.text
    (event,) = said(found.service)
    assert event.startswith("(service shop) The Docker engine does not answer (") and "may have ended" in event
    found.gone = False
    assert runtime.tick(found) and runtime.tick(found)
    assert len(caplog.messages) == 2 and caplog.messages[1] == "Docker doesn't answer: well again after 5 looks"
    assert said(found.service)[1:] == ["(service shop) The Docker engine answers again."] and not found.closed.events


def test_one_answer_that_is_missing_is_no_event(found):
    found.gone = True
    runtime.tick(found)
    found.gone = False
    runtime.tick(found)
    assert not found.service.events


def test_the_clock_slows_down_and_logs_a_fault_once(found, monkeypatch, caplog):
    pauses = []
    wait = SimpleNamespace(wait=lambda pause: pauses.append(pause) or len(pauses) > 8)
    monkeypatch.setattr(runtime, "_stop", wait)
    monkeypatch.setattr(runtime, "tick", lambda _: 1 / 0 if len(pauses) < 7 else True)
    runtime._run(found)
    assert pauses == [0.25, 0.5, 1, 2, 3, 3, 3, 0.25, 0.25]
    assert len(caplog.messages) == 2 and caplog.text.count("Traceback") == 1 and "ZeroDivisionError" in caplog.text


def test_targets_are_asked_without_docker_and_no_container_is_taken_for_removed(found, monkeypatch):
    asked = []
    monkeypatch.setattr(runtime.health, "ask_due", asked.append)
    tasks.runs["task"] = tasks.Run()
    tasks.runs["task"].state, tasks.runs["task"].ids = tasks.UP, {"app": "a"}
    found.gone = True
    assert runtime.look(found) == (None, {})
    runtime.tick(found)
    assert asked == [[]]
    found.gone = False
    assert runtime.look(found)[1]["task"]["app"][0] == 137


def pending():
    return SimpleNamespace(task_arn="arn:task", status="PENDING", containers=[], started_by="ecs-svc/1")


def test_without_docker_a_task_waits_and_does_not_fail(found, monkeypatch):
    begun = []
    monkeypatch.setattr(tasks, "begin", lambda _backend, task: begun.append(task) or tasks.Run())
    found.gone, task = True, pending()
    runtime.tick(found)
    assert runtime.come_up(found.backend, task) and (task.status, begun) == ("PENDING", [])
    found.gone = False
    runtime.tick(found)
    assert runtime.come_up(found.backend, task) and begun == [task]


def test_a_start_that_docker_spoilt_waits_until_docker_was_seen_again(found, monkeypatch):
    begun = []
    monkeypatch.setattr(tasks, "begin", lambda _backend, task: begun.append(task) or tasks.Run())
    runtime.tick(found)  # it answered before
    run, task = tasks.Run(), pending()
    run.lose(requests.exceptions.ConnectionError("refused"))
    tasks.runs[task.task_arn] = run
    assert runtime.come_up(found.backend, task) and not begun
    found.gone = True
    runtime.tick(found)
    assert runtime.come_up(found.backend, task) and not begun
    found.gone = False
    time.sleep(0.01)
    runtime.tick(found)
    assert runtime.come_up(found.backend, task) and begun == [task]


@pytest.mark.parametrize("out", [False, True])
def test_what_ended_with_docker_is_no_failure_of_a_revision(found, monkeypatch, out):
    counted = []
    monkeypatch.setattr(runtime.circuit_breaker, "failed", lambda *given: counted.append(given[-1]))
    for module, name in (
        (runtime.target_registration, "deregister"),
        (runtime.task_record, "stop"),
        (runtime.ecs_tasks, "_wake"),
    ):
        monkeypatch.setattr(module, name, lambda *_: None)
    container = SimpleNamespace(name="app", definition={}, last_status="RUNNING", exit_code=None, reason=None)
    it = SimpleNamespace(status="RUNNING", containers=[container], started_by="ecs-svc/1", was_healthy=False)
    found.service.deployments = [SimpleNamespace(id="ecs-svc/1", rollout_state="IN_PROGRESS")]
    found.backend.tasks = {"shop": {"arn:task": it}}
    monkeypatch.setattr(tasks, "end_unwanted", lambda *_: None)
    found.gone = out
    runtime.tick(found)
    found.gone = False
    monkeypatch.setattr(tasks, "ended", lambda *_: {"arn:task": {"app": (137, None)}})
    runtime.tick(found)
    assert container.exit_code == 137 and counted == ([] if out else [1])


@pytest.mark.parametrize("out", [False, True])
def test_targets_that_went_with_docker_are_no_failures_of_a_revision(found, monkeypatch, out):
    counted = []
    group = SimpleNamespace(arn="arn:group")
    balancers = {"123456789012": {"ap-southeast-1": SimpleNamespace(target_groups={"arn:group": group})}}
    monkeypatch.setattr(runtime, "elbv2_backends", balancers)
    it = SimpleNamespace(
        targets=[("arn:group", {"Id": "i-1", "Port": 80})], draining=False, sick=True, touched=0, was_healthy=False,
        started_by="ecs-svc/1", id="1",
    )  # fmt: skip
    deployment = SimpleNamespace(unhealthy_tasks=0)
    scheduler = SimpleNamespace(
        tasks_of=lambda *_: [it], _names=lambda _: "", _deployment=lambda *_: deployment,
        _count_failures=lambda _backend, _service, failed: counted.append(dict(failed)),
    )  # fmt: skip
    monkeypatch.setattr(runtime, "scheduler", scheduler)
    monkeypatch.setattr(runtime.health, "state", lambda *_: runtime.health.UNHEALTHY)
    monkeypatch.setattr(runtime.failing_tasks, "stop_unhealthy", lambda *_: [])
    monkeypatch.setattr(runtime, "_say_unhealthy", lambda *_: None)
    found.service.health_check_grace_period_seconds = 0
    found.backend.account_id, found.backend.region_name = "123456789012", "ap-southeast-1"
    if out:
        runtime._docker.met("gone")
    assert runtime._stop_unhealthy(found.backend, found.service) and deployment.unhealthy_tasks == 1
    assert counted == ([] if out else [{"ecs-svc/1": 1}])
