# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What a task definition asks for and containers don't get: refused, or said."""

from types import SimpleNamespace

import pytest
from container_endpoint import definitions, engine, runtime
from moto.ecs.exceptions import ECSException
from moto.ecs.models import EC2ContainerServiceBackend

AWSLOGS = {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/shop"}}


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ({"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}, "mountPoints"),
        ({"volumesFrom": [{"sourceContainer": "other"}]}, "volumesFrom"),
        ({"dependsOn": [{"containerName": "db", "condition": "HEALTHY"}]}, "dependsOn"),
        ({"privileged": True}, "privileged (it would be root on this machine"),
    ],
)
def test_what_would_lose_data_or_order_or_rule_the_machine_is_refused(setting, why):
    backend = EC2ContainerServiceBackend("ap-southeast-1", "123456789012")
    container = {"name": "app", "image": "shop:v1", "memory": 64}
    with pytest.raises(ECSException) as refused:
        backend.register_task_definition("shop", [container | setting])
    assert why in refused.value.message and "make site" in refused.value.message and "app" in refused.value.message
    assert not backend.task_definitions.get("shop")
    empty = {"mountPoints": [], "volumesFrom": [], "dependsOn": [], "privileged": False}
    assert backend.register_task_definition("shop", [container | empty]).revision == 1


@pytest.mark.parametrize(
    ("container", "names"),
    [
        ({"image": "shop:v1", "memory": 64, "essential": True, "mountPoints": [], "logConfiguration": AWSLOGS}, []),
        ({"linuxParameters": {"initProcessEnabled": True}, "hostname": "", "ulimits": None}, []),
        ({"linuxParameters": {"initProcessEnabled": True, "tmpfs": [{"size": 1}]}}, ["linuxParameters"]),
        ({"logConfiguration": {"logDriver": "json-file"}}, ["logConfiguration"]),
        ({"healthCheck": {"command": ["CMD", "true"]}, "ulimits": [{"name": "core"}]}, ["healthCheck", "ulimits"]),
        ({"environmentFiles": [{"value": "arn:…"}], "aFieldOfNextYear": 1}, ["aFieldOfNextYear", "environmentFiles"]),
    ],
)
def test_what_makes_no_difference_here(container, names):
    assert definitions.not_followed({"name": "app", **container}) == names


def test_what_is_left_out_in_words():
    app, sidecar = {"name": "app", "healthCheck": {"command": ["CMD", "true"]}}, {"name": "sidecar"}
    plain = SimpleNamespace(container_definitions=[sidecar], network_mode="awsvpc")
    assert definitions.left_out(plain) == ""
    definition = SimpleNamespace(container_definitions=[app, sidecar], network_mode="awsvpc", pid_mode="task")
    said = definitions.left_out(definition)
    assert said.startswith("pidMode; healthCheck of container app; the network that containers share in mode awsvpc")


def test_the_event_comes_once_for_a_deployment_and_a_container_that_ended_says_it(monkeypatch):
    container = {"name": "app", "essential": True, "healthCheck": {"command": ["CMD", "true"]}}
    definition = SimpleNamespace(container_definitions=[container], network_mode="bridge")
    deployment = SimpleNamespace(said_what_is_left_out=False, task_definition="arn:…:task-definition/shop:1", id="d")
    record = SimpleNamespace(name="app", definition=container, last_status="RUNNING", exit_code=None, reason=None)
    task = SimpleNamespace(
        deployment=deployment, task_definition_arn="shop:1", status="RUNNING", containers=[record], started_by=None
    )
    service = SimpleNamespace(name="shop", events=[], deployments=[])
    backend = SimpleNamespace(
        describe_task_definition=lambda _arn: definition, tasks={"c": {"t": task}}, services={"shop": service}
    )
    for _ in range(2):
        runtime._say_what_is_left_out(backend, service, task)
    (event,) = service.events
    assert "The local endpoint starts tasks of shop:1 without: healthCheck of container app." in event["message"]
    monkeypatch.setattr(runtime.target_registration, "deregister", lambda *_: None)
    monkeypatch.setattr(runtime.task_record, "stop", lambda *_: None)
    monkeypatch.setattr(runtime.ecs_tasks, "_wake", lambda *_: None)
    runtime._record_ends(backend, {"t": {"app": (3, None)}})
    assert (record.exit_code, record.reason) == (3, "The local endpoint started it without healthCheck")
    runtime._record_ends(backend, {"t": {"app": (137, engine.OUT_OF_MEMORY)}})
    assert (record.exit_code, record.reason) == (137, engine.OUT_OF_MEMORY)
