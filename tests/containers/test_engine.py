# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Finding Docker, and what is removed from it at the end."""

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import docker.errors
import pytest
from container_endpoint import base_image, engine, reach, repositories
from containers import machine

OURS, OTHER = "127.0.0.1:5011/", "127.0.0.1:5012/"


def image(number, *tags, digests=(), label=None):
    labels = {"handson.repository": label} if label else None
    return {
        "Id": f"sha256:{number}", "RepoTags": list(tags) or None, "RepoDigests": list(digests) or None, "Labels": labels
    }  # fmt: skip


@pytest.mark.parametrize(
    ("images", "names"),
    [
        ([image(1, OURS + "shop:v1"), image(2, "nginx:1")], [OURS + "shop:v1"]),
        ([image(1, OURS + "shop:v1", OURS + "shop:v2", "mine:1")], [OURS + "shop:v1", OURS + "shop:v2"]),
        ([image(1, OTHER + "shop:v1")], []),
        # It lost its tag to a newer build.
        ([image(1, "<none>:<none>", digests=[OURS + "shop@sha256:0"])], ["sha256:1"]),
        ([image(1, "mine:1", digests=[OURS + "shop@sha256:0"])], []),
        ([image(1, digests=["<none>@<none>"])], []),
        # It lost it before it was pushed.
        ([image(1, label=OURS + "shop"), image(2, "<none>:<none>", label=OURS + "shop")], ["sha256:1", "sha256:2"]),
        # Somebody's own image, built on ours, inherits that, and has a name by which it can be had again.
        ([image(1, "<none>:<none>", digests=["registry.example/mine@sha256:0"], label=OURS + "shop")], []),
        ([image(1, label=OTHER + "shop"), image(2, "mine:1", label=OURS + "shop")], []),
    ],
)
def test_which_images_are_forgotten(images, names):
    assert engine.to_forget(images, (OURS,)) == names


class Api:
    """The images of an engine. `kept` are the names of those that something is built on: they lose their name only."""

    def __init__(self, *images, kept=()):
        self.there, self.kept = list(images), kept

    def images(self, name=None, all=False):
        return [each for each in self.there if name is None or name in names_of(each)]

    def remove_image(self, name):
        if not self.images(name):
            raise docker.errors.ImageNotFound(name)
        if name in self.kept:
            self.images(name)[0]["RepoTags"] = None
            return
        self.there = [each for each in self.there if name not in names_of(each)]


def names_of(image):
    return [image["Id"], *(image["RepoTags"] or [])]


@pytest.mark.parametrize("shared", [False, True])
def test_the_base_stays_while_another_endpoint_builds_on_it(shared):
    base, other = image(0, base_image.REFERENCE), image(2, OTHER + "shop:v1")
    api = Api(base, image(1, OURS + "shop:v1"), *([other] if shared else []))
    found = engine.Engine(SimpleNamespace(api=api), "/state")
    assert found.forget_images((OURS + "shop:",), base_image.REFERENCE, "127.0.0.1:") == (1, 0)
    assert api.there == ([base, other] if shared else [])


def test_what_was_built_and_never_pushed_goes_too_and_so_does_the_base():
    base, lost = image(0, base_image.REFERENCE), image(1, "<none>:<none>", label=OURS + "shop")
    api = Api(base, lost, image(2, OURS + "shop:v1"))
    found = engine.Engine(SimpleNamespace(api=api), "/state")
    assert found.forget_images((OURS + "shop:",), base_image.REFERENCE, "127.0.0.1:") == (2, 0)
    assert api.there == []


def test_a_base_that_something_else_is_built_on_is_told():
    api = Api(image(0, base_image.REFERENCE), kept=[base_image.REFERENCE])
    found = engine.Engine(SimpleNamespace(api=api), "/state")
    assert found.forget_images((OURS + "shop:",), base_image.REFERENCE, "127.0.0.1:") == (0, 1)
    assert found.forget_images((OURS + "shop:",), base_image.REFERENCE, "127.0.0.1:") == (0, 0), "once"


def test_only_images_of_repositories_that_were_had_here_are_removed(tmp_path):
    """Whoever pushed to another registry on this port keeps what is there."""
    repositories.note(tmp_path, OURS + "shop")
    repositories.note(tmp_path, OURS + "shop")
    repositories.note(tmp_path, "127.0.0.1:5099/shop")  # the port that it had before
    assert (tmp_path / repositories.FILE).stat().st_mode & 0o777 == 0o600
    theirs = [image(2, OURS + "shopping:v1"), image(3, OURS + "mine:v1"), image(4, OURS + "team/shop:v1")]
    untagged = image(5, digests=[OURS + "shop@sha256:0"])
    mine = repositories.prefixes(repositories.noted(tmp_path))
    images = [image(1, OURS + "shop:v1"), *theirs, untagged, image(6, "127.0.0.1:5099/shop:v1")]
    assert engine.to_forget(images, mine) == [OURS + "shop:v1", "sha256:5", "127.0.0.1:5099/shop:v1"]
    repositories.forget(tmp_path)
    assert engine.to_forget(images, repositories.prefixes(repositories.noted(tmp_path))) == []


def test_what_ended_and_why():
    states = {
        "a": {"ExitCode": 3},
        "b": {"ExitCode": 137, "OOMKilled": True},
        "c": {"ExitCode": 137, "OOMKilled": False},
    }
    api = SimpleNamespace(inspect_container=lambda number: {"State": states[number]})
    found = engine.Engine(SimpleNamespace(api=api), "/state")
    assert found.exit_of("a") == (3, None) and found.exit_of("c") == (137, None)
    assert found.exit_of("b") == (137, "OutOfMemoryError: Container killed due to memory usage")


def test_the_clock_does_not_wait_long_for_an_engine_that_hangs():
    """What it asks goes by a client of its own; what takes its time, by the patient one."""
    asked = []

    class Client:
        def __init__(self, name):
            self.name = name

        def containers(self, **_):
            asked.append((self.name, "list"))
            return []

        def inspect_container(self, _):
            asked.append((self.name, "inspect"))
            return {"State": {"ExitCode": 0}}

        def __getattr__(self, called):
            return lambda *_, **__: asked.append((self.name, called))

    found = engine.Engine(SimpleNamespace(api=Client("patient")), "/state", Client("quick"))
    found.ours(), found.exit_of("a")
    assert asked == [("quick", "list"), ("quick", "inspect")]
    found.end_all(), found.end("a", 30, lambda: None)
    assert {name for name, _ in asked[2:]} == {"patient"}


def test_the_two_clients(monkeypatch, answering, tmp_path):
    for name, value in answering.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(engine, "_engine", None)
    found = engine.find(SimpleNamespace(path=tmp_path))
    assert (found.client.api.timeout, found._api(quick=True).timeout) == (60, 5)


def test_what_is_silent_is_not_waited_for_and_what_gets_on_is():
    with pytest.raises(engine.Silent, match=r"nothing was heard of it for 0\.2 s"):
        engine.listen(lambda _hear: time.sleep(1), 0.2)
    assert engine.listen(lambda hear: [(time.sleep(0.1), hear()) for _ in range(5)] and "done", 0.3) == "done"
    with pytest.raises(ZeroDivisionError):
        engine.listen(lambda _hear: 1 / 0, 5)


def start(tmp_path, port=0, command="start", **environment):
    command = [
        sys.executable,
        str(machine.ENDPOINT),
        command,
        "--state-dir",
        str(tmp_path / "state"),
        "--port",
        str(port),
    ]
    mine = {k: v for k, v in os.environ.items() if not k.startswith("HANDSON_")}  # a base image would be made before
    return subprocess.run(command, capture_output=True, text=True, env={**mine, **environment}, timeout=60)


@pytest.mark.parametrize("host", ["tcp://192.0.2.1:2375", "ssh://me@build.example.com", "tcp://docker:2376"])
def test_an_engine_on_another_machine_is_refused_unasked(tmp_path, host):
    begun = time.monotonic()
    started = start(tmp_path, DOCKER_HOST=host)
    assert started.returncode == 1 and f"The Docker engine at {host} is on another machine" in started.stderr
    for way_out in ("unset DOCKER_HOST", "Nothing was started", "make site"):
        assert way_out in started.stderr
    assert "Traceback" not in started.stderr and not (tmp_path / "state" / "pid").exists()
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    "host", ["tcp://127.0.0.1:2375", "tcp://localhost:2375", "tcp://[::1]:2375", "unix:///x", "npipe:////./x"]
)
def test_an_engine_of_this_machine(monkeypatch, host):
    monkeypatch.setenv("DOCKER_HOST", host)
    engine.refuse_elsewhere()


class Answers(http.server.BaseHTTPRequestHandler):
    """As much of an engine as is asked before the endpoint starts. It can push to where it can connect to."""

    def do_GET(self):
        if self.path.endswith("/version"):
            return self.answer(200, {"ApiVersion": "1.43"})
        return self.answer(200, self.server.info if self.path.endswith("/info") else "OK")

    def do_POST(self):
        asked = parse_qs(urlsplit(self.path).query)["fromImage"][0]
        if self.server.says:
            return self.answer(*self.server.says)
        if not self.server.apart:
            host, _, port = asked.partition("/")[0].partition(":")
            with socket.create_connection((host, int(port)), timeout=10) as connection:  # and waits for an answer
                connection.sendall(b"GET /v2/ HTTP/1.0\r\n\r\n")
                connection.recv(1)
        self.answer(404, {"message": f"{asked} not found"})

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def answering(request):
    """Where an engine seems to be."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.apart, server.info, server.says = (*getattr(request, "param", (False, {})), None)[:3]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"DOCKER_HOST": f"tcp://127.0.0.1:{server.server_port}", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    server.shutdown()
    server.server_close()


def test_an_engine_without_the_docker_command(tmp_path, answering):
    started, host = (start(tmp_path, PATH=str(tmp_path), **answering), answering["DOCKER_HOST"])
    assert (
        started.returncode == 1
        and f"A Docker engine answers at {host}, but there is no docker command" in started.stderr
    )
    assert "docker-ce-cli" in started.stderr and not (tmp_path / "state" / "pid").exists()


@pytest.mark.parametrize(
    ("answering", "kind"),
    [
        ((True, {"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}), "it is rootless"),
        ((True, {"OperatingSystem": "Docker Desktop"}), "it is Docker Desktop, in a virtual machine"),
        ((True, {"SecurityOptions": None}), "runs apart from this machine: it does not reach a port of 127.0.0.1"),
    ],
    indirect=["answering"],
)
def test_an_engine_that_can_not_push_here_is_refused_before_anything_is_made(tmp_path, answering, kind):
    (tmp_path / "docker").write_text("#!/bin/sh\n")
    (tmp_path / "docker").chmod(0o755)
    started = start(tmp_path, PATH=str(tmp_path), **answering)
    assert started.returncode == 1 and kind in started.stderr and "Traceback" not in started.stderr
    for way_out in ("Nothing was started", "docker context ls", "DOCKER_HOST", "make site"):
        assert way_out in started.stderr
    assert not (tmp_path / "state" / "pid").exists()


DENIED = "authorization denied by plugin opa: request rejected"
REFUSED = 'Get "http://127.0.0.1:5/v2/": dial tcp 127.0.0.1:5: connect: connection refused'


@pytest.mark.parametrize(
    ("answering", "wrong"),
    [
        ((False, {}, (403, {"message": DENIED})), f"did not pull from a port of 127.0.0.1 {{}} It says: {DENIED}"),
        ((False, {}, (500, {"message": "no space left"})), "did not pull {} It says: no space left"),
        ((False, {}, (200, {"error": "quota"})), 'did not pull {} It says: {"error": "quota"}'),
        ((False, {}, (500, {"message": REFUSED})), f"runs apart from this machine: {{}} It says: {REFUSED}"),
    ],
    indirect=["answering"],
)
def test_what_an_engine_says_that_does_not_pull_from_here(tmp_path, answering, wrong):
    (tmp_path / "docker").write_text("#!/bin/sh\n")
    (tmp_path / "docker").chmod(0o755)
    started = start(tmp_path, PATH=str(tmp_path), **answering)
    first, _, last = wrong.partition("{}")
    assert started.returncode == 1 and first in started.stderr and last in started.stderr
    assert "Nothing was started" in started.stderr and "Traceback" not in started.stderr


@pytest.mark.parametrize("helper", ["exit 1", "sleep 600"])
def test_the_users_credential_helper_is_not_asked(monkeypatch, tmp_path, answering, helper):
    """A store that is broken, or waits for a passphrase."""
    (tmp_path / "config.json").write_text('{"credsStore": "broken"}')
    program = tmp_path / "docker-credential-broken"
    program.write_text(f"#!/bin/sh\n{helper}\n")
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    for name, value in {**answering, "DOCKER_CONFIG": str(tmp_path), "PATH": path}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(engine, "_engine", None)
    monkeypatch.setattr(reach, "SECONDS", 15)
    reach.refuse_apart(engine.find(SimpleNamespace(path=tmp_path)))


def test_an_engine_that_says_nothing_is_not_said_to_be_elsewhere(monkeypatch):
    monkeypatch.setattr(reach, "SECONDS", 0.2)
    api = SimpleNamespace(pull=lambda *_, **__: time.sleep(2))
    with pytest.raises(engine.NoEngine, match=r"did not answer when .*nothing was heard of it for 0\.2 s") as raised:
        reach.refuse_apart(engine.Engine(SimpleNamespace(api=api), "/state"))
    assert "docker info" in str(raised.value) and "apart" not in str(raised.value)


def test_stop_without_the_engine_says_what_stays_in_it(tmp_path):
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/no-such-socket"}
    never = start(tmp_path, command="stop", **nowhere)
    assert (never.returncode, never.stdout, never.stderr) == (0, "not running\n", "")
    state = tmp_path / "state"
    state.mkdir()
    for name in ("a", "b", "c", "d", "e"):
        repositories.note(state, OURS + name)
    engine.Engine(None, str(state)).note_containers()
    at = time.mktime((2026, 3, 1, 14, 5, 9, 0, 0, -1))
    os.utime(state / engine.STARTED, (at, at))
    stopped = start(tmp_path, command="stop", **nowhere)
    assert stopped.returncode == 1 and "Traceback" not in stopped.stderr
    images = "the images of 127.0.0.1:5011/a, 127.0.0.1:5011/b, 127.0.0.1:5011/c and 2 more"
    assert f"So this stays in it: the endpoint's containers (last started 2026-03-01 14:05:09) and {images}. Start the engine" in stopped.stderr
    assert "Nothing was started" not in stopped.stderr and f"rm -r {state}" in stopped.stderr
    assert (state / engine.STARTED).stat().st_mode & 0o777 == 0o600
    assert len(repositories.noted(state)) == 5, "the next stop knows as much"


def test_a_taken_port_of_the_endpoint_names_the_command_that_starts_this_one(tmp_path, answering):
    (tmp_path / "docker").write_text("#!/bin/sh\n")
    (tmp_path / "docker").chmod(0o755)
    port = int(answering["DOCKER_HOST"].rpartition(":")[2])
    started = start(tmp_path, port, PATH=str(tmp_path), **answering)
    assert started.returncode == 1 and f"(HANDSON_ENDPOINT_PORT={port + 1} make containers)" in started.stderr


def test_without_an_engine_nothing_starts_and_the_message_says_the_way_out(tmp_path):
    started = start(tmp_path, DOCKER_HOST=f"unix://{tmp_path}/no-such-socket")
    assert started.returncode == 1 and started.stdout == ""
    assert f"No Docker engine answers at unix://{tmp_path}/no-such-socket" in started.stderr
    for way_out in ("https://docs.docker.com/engine/install/", "DOCKER_HOST", "make site"):
        assert way_out in started.stderr
    assert "Traceback" not in started.stderr and not (tmp_path / "state" / "pid").exists()
