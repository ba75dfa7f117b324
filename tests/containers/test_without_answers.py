# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Docker goes away while the endpoint runs: what is logged, what the records say, and how it goes on afterwards."""

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

    def ours(self):
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
