# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What tests with real containers need of this machine: a Docker engine, something to build on, a folder of their own.

tests/run.py, which has no pytest, uses it as well.
"""

import contextlib
import fcntl
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENDPOINT = ROOT / "roles/local_endpoint/files/container_endpoint"
BASE_VARIABLE, DEFAULT_BASE, LOCAL_BASE = "HANDSON_BASE_IMAGE", "python:3.12-slim", "handson/python:local"
PREFIX, IN_USE = "handson-containers-", "in-use"
LABEL = "handson.endpoint"  # of every container that the endpoint starts: its state folder


def docker(*arguments: str, seconds: int = 60) -> subprocess.CompletedProcess:
    """Run the docker command."""
    return subprocess.run(
        ["docker", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds
    )


@functools.cache
def why_not() -> str:
    """Why no container can run here; empty if one can."""
    if not shutil.which("docker"):
        return "there is no docker command"
    try:
        found = docker("info")
    except subprocess.TimeoutExpired:
        return "the Docker engine does not answer within a minute"
    if found.returncode or "Cannot connect" in found.stderr:  # an old client exits with 0
        last = (found.stderr.strip() or "docker info fails").splitlines()[-1]
        return last if last.startswith("Cannot") else f"no Docker engine answers: {last}"
    return ""


@functools.cache
def base_image() -> str:
    """What to build on: HANDSON_BASE_IMAGE, else the default where Docker has it or can get it, else one made here."""
    given = os.environ.get(BASE_VARIABLE)
    if given or not sys.platform.startswith("linux"):
        return given or DEFAULT_BASE
    if docker("image", "inspect", DEFAULT_BASE).returncode == 0:
        return DEFAULT_BASE
    with contextlib.suppress(subprocess.TimeoutExpired):
        if docker("pull", "--quiet", DEFAULT_BASE, seconds=90).returncode == 0:
            return DEFAULT_BASE
    return LOCAL_BASE


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nothing listens on now, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def state_folder() -> Iterator[Path]:
    """A folder for one run of tests. What is left in Docker of a run that was killed goes first, and ours at the end."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    # Held as long as this process lives, and by no process that it starts.
    with (folder / IN_USE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            away(folder)


def sweep() -> None:
    """End the endpoints of runs that were killed, with their containers and images."""
    for folder in Path(tempfile.gettempdir()).resolve().glob(f"{PREFIX}*"):
        if folder.stat().st_uid != os.getuid() or not (folder / IN_USE).is_file():
            continue
        with (folder / IN_USE).open() as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            away(folder)


def away(folder: Path) -> None:
    """Stop the endpoints below a folder, with all that they have in Docker, and remove it."""
    for log in folder.rglob("endpoint.log"):
        command = [sys.executable, str(ENDPOINT), "stop", "--state-dir", str(log.parent)]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    shutil.rmtree(folder, ignore_errors=True)


def left_in_docker(state: Path, port: int | str) -> list[str]:
    """What Docker still has of an endpoint: containers and images. It makes no network."""
    found = told("ps", "--all", "--filter", f"label={LABEL}={state}", "--format", "container {{.Names}}")
    lines = told("images", "--all", "--digests", "--format", "{{json .}}").splitlines()
    names = [f"{each['Repository']}:{each['Tag']}" for each in map(json.loads, lines)]
    return [*found.splitlines(), *(f"image {name}" for name in names if name.startswith(f"127.0.0.1:{port}/"))]


def networks() -> set[str]:
    """The networks that Docker has."""
    return set(told("network", "ls", "--no-trunc", "--quiet").split())


def images() -> set[str]:
    """The ids of all images that Docker has, those without a name as well."""
    return set(told("images", "--all", "--no-trunc", "--quiet").split())


def told(*arguments: str) -> str:
    """What the docker command prints. An engine that does not answer has not said that there is nothing."""
    done = docker(*arguments)
    if done.returncode:
        raise RuntimeError(f"docker {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout
