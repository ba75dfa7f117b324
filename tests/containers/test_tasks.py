# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Task records and Docker's containers: what one says of the other."""

import time
from types import SimpleNamespace

import docker.errors
import pytest
import requests
from container_endpoint import balancer, engine, health, registry, tasks

ARN = "arn:aws:ecs:ap-southeast-1:123456789012:task/shop/0123456789abcdef0123456789abcdef"


class Engine:
    """Docker, without any."""

    owner = "/state"

    def __init__(self):
        images = Images()
        self.client, self.ended = SimpleNamespace(images=images, api=images), []
        self.gone, self.removed = False, []

    def ours(self):
        if self.gone:
            raise requests.exceptions.ConnectionError("refused")
        return []

    def end_all(self, task):
        self.removed.append(task)
        return []

    def note_containers(self):
        pass

    def exit_of(self, container_id):
        return (137, engine.OUT_OF_MEMORY) if container_id == "big" else (3, None)

    def end(self, container_id, seconds, then):
        then()
        self.ended.append((container_id, seconds))
        return 143


class Images:
    """The images of Docker and what registries have."""

    def __init__(self):
        self.here, self.there, self.asked = set(), set(), []
        self.logins, self.helper, self.says = [], None, [{"status": "Pulling"}]

    def pull(self, repository, tag=None, stream=True, decode=True, auth_config=None):
        assert stream and decode
        self.asked.append((repository, tag))
        self.logins.append(auth_config)
        if auth_config is None and self.helper:
            self.helper()
        if (repository, tag) not in self.there:
            raise docker.errors.APIError("manifest unknown", explanation="manifest unknown")
        return iter(self.says)

    def get(self, name):
        if name not in self.here:
            raise docker.errors.ImageNotFound("no such image")


@pytest.fixture(autouse=True)
def found(monkeypatch):
    """An engine that has nothing, and no task that runs."""
    it = Engine()
    monkeypatch.setattr(engine, "_engine", it)
    monkeypatch.setattr(tasks, "runs", {})
    monkeypatch.setattr(tasks, "_ending", set())
    monkeypatch.setattr(health, "addresses", {})
    return it


def task(*definitions, overrides=None, memory="1024", status="RUNNING"):
    containers = [
        SimpleNamespace(name=each["name"], image=each.get("image", "shop:v1"), definition=each, exit_code=None)
        for each in definitions
    ]
    return SimpleNamespace(
        task_arn=ARN,
        id=ARN.rsplit("/", 1)[1],
        group="service:shop",
        cluster_name="shop",
        container_instance_arn="arn:…/instance",
        containers=containers,
        overrides=overrides,
        memory=memory,
        status=status,
        deployment=None,
        private_address=lambda: "",
        host_port=lambda _name, port: 32768 + port,
    )


def specification(definition, **options):
    it = task({"name": "app", **definition}, **options)
    return tasks._specification(None, it, it.containers[0])


@pytest.mark.parametrize(
    ("definition", "wanted"),
    [
        ({}, {"image": "shop:v1", "name": "ecs-shop-app-01234567", "mem_limit": "1024m", "cpu_shares": 2}),
        ({"memory": 256, "memoryReservation": 128}, {"mem_limit": "256m", "mem_reservation": "128m"}),
        ({"cpu": 512}, {"cpu_shares": 512}),
        ({"portMappings": [{"containerPort": 80}]}, {"ports": {"80/tcp": ("127.0.0.1", None)}}),
        ({"portMappings": [{"containerPort": 53, "protocol": "udp"}]}, {"ports": {"53/udp": ("127.0.0.1", None)}}),
        ({"entryPoint": ["/x"], "command": ["a"], "user": "1"}, {"entrypoint": ["/x"], "command": ["a"], "user": "1"}),
        ({"environment": [{"name": "A", "value": "1"}]}, {"environment": {"A": "1"}}),
        ({"readonlyRootFilesystem": True, "workingDirectory": "/w"}, {"read_only": True, "working_dir": "/w"}),
        ({"linuxParameters": {"initProcessEnabled": True}}, {"init": True}),
    ],
)
def test_a_container_definition_in_dockers_words(definition, wanted):
    made = specification(definition)
    assert {key: made[key] for key in wanted} == wanted
    assert "privileged" not in made
    assert made["labels"] == {"handson.endpoint": "/state", "handson.task": ARN, "handson.container": "app"}


def test_the_tasks_memory_is_no_limit_where_the_container_has_a_reservation():
    assert "mem_limit" not in specification({"memoryReservation": 625})


def test_overrides_of_a_task_that_is_run_once():
    over = {"name": "app", "command": ["other"], "environment": [{"name": "A", "value": "2"}]}
    both = {"command": ["first"], "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]}
    made = specification(both, overrides={"containerOverrides": [{"name": "else"}, over]})
    assert made["command"] == ["other"] and made["environment"] == {"A": "2", "B": "1"}


@pytest.mark.parametrize(
    ("image", "asked"),
    [
        ("127.0.0.1:5011/shop:v1", ("127.0.0.1:5011/shop", "v1")),
        ("127.0.0.1:5011/shop", ("127.0.0.1:5011/shop", "latest")),
        ("nginx", ("nginx", "latest")),
        ("127.0.0.1:5011/shop@sha256:00", ("127.0.0.1:5011/shop@sha256:00", None)),
    ],
)
def test_what_is_pulled(found, image, asked):
    found.client.images.there.add(asked)
    tasks._pull(found.client, image)
    assert found.client.images.asked == [asked]


def test_an_image_that_no_registry_has(found, monkeypatch):
    monkeypatch.setattr(registry, "is_ours", lambda image: image.startswith("127."))
    found.client.images.here |= {"mine:1", "127.0.0.1:5011/shop:v9"}
    tasks._pull(found.client, "mine:1")  # from the machine itself
    # Our own registry knows best: what was pushed there once and deleted since is not there.
    with pytest.raises(tasks.Unpullable, match="failed to resolve ref 127.0.0.1:5011/shop:v9: manifest unknown"):
        tasks._pull(found.client, "127.0.0.1:5011/shop:v9")


def store_error():
    raise docker.errors.DockerException("credentials store error: docker-credential-x exited with 1")


@pytest.mark.parametrize("helper", [store_error, lambda: time.sleep(2)])
def test_a_credential_helper_that_is_broken_or_waits(found, monkeypatch, helper):
    monkeypatch.setattr(registry, "is_ours", lambda image: image.startswith("127."))
    monkeypatch.setattr(tasks, "PULL_SILENCE", 0.2)
    images = found.client.images
    images.helper, images.here = helper, {"mine:1"}
    images.there = {("127.0.0.1:5011/shop", "v1"), ("mine", "1"), ("x", "1")}
    tasks._pull(found.client, "127.0.0.1:5011/shop:v1")
    assert images.logins == [{}], "this registry wants no password, and nobody is asked for one"
    tasks._pull(found.client, "mine:1")  # from the machine itself
    with pytest.raises(tasks.Unpullable, match=r"ref x:1: (credentials store error|nothing was heard of it)"):
        tasks._pull(found.client, "x:1")


def test_a_pull_that_breaks_off_says_why(found):
    found.client.images.there.add(("nginx", "latest"))
    found.client.images.says = [{"status": "Pulling"}, {"error": "no space left on device"}]
    with pytest.raises(tasks.Unpullable, match="no space left on device"):
        tasks._pull(found.client, "nginx")


@pytest.mark.parametrize(
    ("broken", "code", "reason"),
    [
        ("_pull", "TaskFailedToStart", "CannotPullContainerError: gone"),
        ("_specification", "TaskFailedToStart", "CannotStartContainerError: gone"),
    ],
)
def test_a_start_that_fails_says_why(monkeypatch, broken, code, reason):
    def fail(*_):
        raise tasks.Unpullable("gone") if broken == "_pull" else KeyError("gone")

    monkeypatch.setattr(tasks, broken, fail)
    it, run = task({"name": "app"}), tasks.Run()
    tasks._start(None, it, run)
    assert (run.state, run.code, run.at_fault) == (tasks.FAILED, code, "app")
    assert run.reason.replace("'", "") == reason


def test_where_a_container_is_reached():
    it, run = task({"name": "app", "portMappings": [{"containerPort": 80}]}), tasks.Run()
    instance = SimpleNamespace(ec2_instance_id="i-1")
    backend = SimpleNamespace(container_instances={"shop": {"instance": instance}})
    ports = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "49153"}]}
    made = SimpleNamespace(id="c0ffee", attrs={"NetworkSettings": {"Ports": ports}})
    tasks._publish(backend, it, it.containers[0], made, run)
    assert health.addresses == {("i-1", 32848): ("127.0.0.1", 49153)} and it.containers[0].runtime_id == "c0ffee"
    it.private_address = lambda: "10.0.0.5"  # awsvpc: the task's own address
    tasks._publish(backend, it, it.containers[0], made, run)
    assert health.addresses["10.0.0.5", 80] == ("127.0.0.1", 49153)


def listed(container_id, state, arn=ARN, name="app"):
    return {"Id": container_id, "State": state, "Labels": {"handson.task": arn, "handson.container": name}}


def test_which_ended_by_themselves():
    tasks._ending.add("being-ended")
    containers = [listed("a", "exited"), listed("b", "running", name="log"), listed("being-ended", "exited", name="x")]
    containers.append(listed("big", "exited", name="big"))
    assert tasks.ended(containers, {}) == {ARN: {"app": (3, None), "big": (137, engine.OUT_OF_MEMORY)}}


def test_which_were_removed_by_somebody(found, monkeypatch):
    """They are in no list any more: `docker rm --force`, `docker system prune`."""
    for arn, state, ids in (
        (ARN, tasks.UP, {"app": "a", "log": "b", "ours": "being-ended"}),
        ("starting", tasks.STARTING, {"app": "c"}),
        ("failed", tasks.FAILED, {"app": "d"}),
    ):
        tasks.runs[arn] = tasks.Run()
        tasks.runs[arn].state, tasks.runs[arn].ids = state, ids
    tasks._ending.add("being-ended")
    before = tasks.up()
    tasks.runs["starting"].state = tasks.UP  # after Docker was asked
    missing = tasks.ended([listed("b", "running", name="log")], before)
    assert missing == {ARN: {"app": (137, "The container was removed from Docker, and not by ECS")}}
    # Its exit code was known before.
    tasks.ended([listed("a", "exited"), listed("b", "running", name="log")], before)
    assert tasks.ended([listed("b", "running", name="log")], before) == {ARN: {"app": (3, None)}}
    # Removed between the list and the question how it ended.
    monkeypatch.setattr(found, "exit_of", gone)
    assert tasks.ended([listed("a", "exited"), listed("b", "running", name="log")], before) == {}
    tasks.end_unwanted([], {ARN: task({"name": "app"}, status="STOPPED")})
    assert ARN not in {arn for arn, ids in tasks.up().items() if ids}, "nothing of a stopped task is missed"


def gone(_container_id):
    raise docker.errors.NotFound("no such container")


def test_a_container_that_can_not_be_ended_is_tried_again_after_a_while(found, monkeypatch):
    slept = []
    monkeypatch.setattr(tasks.time, "sleep", slept.append)
    monkeypatch.setattr(tasks.threading, "Thread", Now)
    monkeypatch.setattr(found, "end", lambda *_: gone(None))
    tasks.end_unwanted([listed("a", "running", arn="forgotten")], {})
    assert slept == [tasks.AGAIN] and not tasks._ending


def no_answer(*_):
    raise requests.exceptions.ConnectionError("refused")


def unpullable(*_):
    raise tasks.Unpullable("context canceled")


@pytest.mark.parametrize("how", [no_answer, unpullable])
def test_an_engine_that_goes_while_a_task_starts(found, monkeypatch, how):
    """Nothing is wrong with the task: what there is of it goes, and it is started anew."""
    monkeypatch.setattr(tasks.threading, "Thread", Now)
    monkeypatch.setattr(tasks, "_pull", how)
    it, found.gone = task({"name": "app"}, status="PENDING"), True
    first = tasks.begin(None, it)
    assert (first.state, first.code, found.removed) == (tasks.LOST, "", [])
    found.gone = False
    assert tasks.ended([listed("a", "exited")], {}) == {}, "what it left does not end the task"
    monkeypatch.setattr(tasks, "_pull", lambda *_: None)
    made = SimpleNamespace(id="b", attrs={"NetworkSettings": {"Ports": {}}}, start=lambda: None, reload=lambda: None)
    found.client.containers = SimpleNamespace(create=lambda **_: made)
    monkeypatch.setattr(tasks, "_publish", lambda *_: None)
    second = tasks.begin(None, it)
    assert (second.state, found.removed) == (tasks.UP, [ARN]) and tasks.begin(None, it) is second
    assert tasks.ended([listed("a", "exited")], {}) == {}
    assert tasks.ended([listed("b", "exited")], {}) == {ARN: {"app": (3, None)}}


def test_an_engine_that_goes_at_each_start_of_a_task_can_not_start_it(monkeypatch):
    monkeypatch.setattr(tasks.threading, "Thread", Now)
    monkeypatch.setattr(tasks, "_pull", no_answer)
    it = task({"name": "app"}, status="PENDING")
    runs = [tasks.begin(None, it) for _ in range(tasks.MOST_LOSSES + 1)]
    assert [each.state for each in runs] == [tasks.LOST] * tasks.MOST_LOSSES + [tasks.FAILED]
    assert runs[-1].reason == "CannotStartContainerError: refused"


@pytest.mark.parametrize(("count", "is_busy"), [(0, False), (1, True), (-1, False)])
def test_which_task_still_answers_somebody(monkeypatch, count, is_busy):
    it, run = task({"name": "app"}), tasks.Run()
    run.addresses, health.addresses["i-1", 1] = [("i-1", 1)], ("127.0.0.1", 49153)
    tasks.runs[ARN] = run
    monkeypatch.setitem(balancer.open_requests, ("127.0.0.1", 49153), count)
    assert tasks.busy(it) is is_busy


def test_what_is_ended(found, monkeypatch):
    monkeypatch.setattr(tasks.threading, "Thread", Now)
    containers = [listed("a", "running"), listed("b", "running", arn="forgotten"), listed("c", "running", arn="starting")]
    tasks.runs["starting"] = tasks.Run()
    running, stopped = task({"name": "app"}), task({"name": "app", "stopTimeout": 7}, status="STOPPED")
    tasks.end_unwanted(containers, {ARN: running, "starting": stopped})
    assert found.ended == [("b", 30)], "not one that runs, nor one that is still being started"
    tasks.runs[ARN] = tasks.Run()
    tasks.runs[ARN].state, tasks.runs[ARN].addresses = tasks.UP, [("i-1", 1)]
    health.addresses["i-1", 1] = ("127.0.0.1", 1)
    tasks.end_unwanted(containers[:1], {ARN: stopped})
    assert found.ended[1:] == [("a", 7)] and health.addresses == {} and stopped.containers[0].exit_code == 143


class Now:
    """A thread that does its work at once."""

    def __init__(self, target, args, daemon):
        self.work = lambda: target(*args)

    def start(self):
        self.work()
