# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Finding Docker, and what is removed from it at the end."""

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import docker.errors
import pytest
from container_endpoint import base_image, engine, repositories
from containers import machine

OURS, OTHER = "127.0.0.1:5011/", "127.0.0.1:5012/"


def image(number, *tags, digests=()):
    return {"Id": f"sha256:{number}", "RepoTags": list(tags) or None, "RepoDigests": list(digests) or None}


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
    ],
)
def test_which_images_are_forgotten(images, names):
    assert engine.to_forget(images, (OURS,)) == names


class Api:
    """The images of an engine."""

    def __init__(self, *images):
        self.there = list(images)

    def images(self):
        return self.there

    def remove_image(self, name):
        if not any(name in (each["RepoTags"] or []) for each in self.there):
            raise docker.errors.ImageNotFound(name)
        self.there = [each for each in self.there if name not in (each["RepoTags"] or [])]


@pytest.mark.parametrize("shared", [False, True])
def test_the_base_stays_while_another_endpoint_builds_on_it(shared):
    base, other = image(0, base_image.REFERENCE), image(2, OTHER + "shop:v1")
    api = Api(base, image(1, OURS + "shop:v1"), *([other] if shared else []))
    found = engine.Engine(SimpleNamespace(api=api), "/state")
    assert found.forget_images((OURS + "shop:",), base_image.REFERENCE, "127.0.0.1:") == (1, 0)
    assert api.there == ([base, other] if shared else [])


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


def start(tmp_path, port=0, **environment):
    command = [
        sys.executable,
        str(machine.ENDPOINT),
        "start",
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
    """As much of an engine as is asked before the endpoint starts."""

    def do_GET(self):
        body = json.dumps({"ApiVersion": "1.43"}).encode() if self.path.endswith("/version") else b"OK"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def answering():
    """Where an engine seems to be."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
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
