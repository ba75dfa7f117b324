# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The Docker engine: finding it, and the few things that are asked of it.

Everything made here carries the label ``handson.endpoint=<state directory>``, and only what carries it is touched.
"""

import contextlib
import http.client
import ipaddress
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LABEL, TASK, CONTAINER = "handson.endpoint", "handson.task", "handson.container"
REPOSITORY = "handson.repository"  # the label that module image gives what it builds: module_utils/images.py
LAYERS = "layers"  # the folder of what was pushed, below the state directory
STARTED = "started-containers"  # a file there: there may be some in the engine
TIMEOUT = 60  # seconds for one call of the engine
LOOK_TIMEOUT = 5  # seconds for one that the endpoint's clock waits for
#: The reason of a container that the kernel ended at its hard limit:
#: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
_engine: "Engine | None" = None


class NoEngine(Exception):
    """There is no Docker engine to talk to: what is wrong, and the way out of somebody who wants to start one."""

    def __init__(self, wrong: str, way_out: str):
        super().__init__(f"{wrong} {way_out}")
        self.wrong = wrong


class Engine:
    """One Docker engine, for the containers of one state directory."""

    def __init__(self, client: Any, owner: str, quick: Any = None):
        """`quick` is an APIClient that doesn't wait long, for what the clock asks; else it is the client's own."""
        self.client = client
        self.owner = owner
        self._quick = quick

    def note_containers(self) -> None:
        """Note in the state directory that there may be some of ours."""
        (Path(self.owner) / STARTED).touch(mode=0o600)

    def _api(self, quick: bool) -> Any:
        return self._quick if quick and self._quick is not None else self.client.api

    def ours(self, quick: bool = True) -> list[dict[str, Any]]:
        """Our containers, running or not: [{Id, State, Labels, …}], in one call."""
        return self._api(quick).containers(all=True, filters={"label": f"{LABEL}={self.owner}"})

    def exit_of(self, container_id: str, quick: bool = True) -> tuple[int | None, str | None]:
        """With which code a container ended, and why in ECS's words, where the code alone says too little."""
        state = self._api(quick).inspect_container(container_id)["State"]
        return state.get("ExitCode"), OUT_OF_MEMORY if state.get("OOMKilled") else None

    def end(self, container_id: str, seconds: int, then: Callable[[], None]) -> int | None:
        """SIGTERM, SIGKILL after so many seconds, `then`, and away with it. Its exit code, None if it is gone."""
        import docker.errors

        with contextlib.suppress(docker.errors.NotFound):
            self.client.api.stop(container_id, timeout=seconds)
            code, _reason = self.exit_of(container_id, quick=False)
            then()
            self.client.api.remove_container(container_id, v=True, force=True)
            return code
        return None

    def end_all(self, task: str | None = None) -> list[str]:
        """Remove every container of ours at once, or those of one task (its ARN); their ids."""
        import docker.errors

        ours = [each for each in self.ours(quick=False) if task in (None, each["Labels"][TASK])]
        for container in ours:
            with contextlib.suppress(docker.errors.APIError):
                self.client.api.remove_container(container["Id"], v=True, force=True)
        return [each["Id"] for each in ours]

    def has_image(self, reference: str) -> bool:
        """Whether the engine has an image under that name."""
        return bool(self.client.api.images(name=reference))

    def forget_images(self, prefixes: tuple[str, ...], base: str, place: str) -> tuple[int, int]:
        """Remove the images whose tags, or names by which they were pushed, begin so, and then the base image.

        That one stays while another endpoint has images at the same `place`: made anew it would be another one, and so
        would all that are built on it. Returns how many names went, and how many of the images stay all the same, the
        base image among them where something else is built on it.
        """
        import docker.errors

        gone = 0
        for name in to_forget(self.client.api.images(), prefixes):
            with contextlib.suppress(docker.errors.APIError):
                self.client.api.remove_image(name)
                gone += 1
        images, left = self.client.api.images(), 0
        if not to_forget(images, (place,)):
            numbers = {each["Id"] for each in self.client.api.images(name=base)}
            with contextlib.suppress(docker.errors.APIError):
                self.client.api.remove_image(base)
            # Docker may take the name and keep the image, where another one is built on it.
            left = sum(each["Id"] in numbers for each in self.client.api.images(all=True))
        return gone, left + len(to_forget(images, prefixes))


def to_forget(images: list[dict[str, Any]], prefixes: tuple[str, ...]) -> list[str]:
    """By which names to remove the images under prefixes: their tags, or the id of one that has none any more.

    One that lost its tag before it was pushed has no name at all; what the build wrote on it tells whose it is. Images
    that are built on ours inherit that, so that it counts only where there is no name: nobody misses such a one.
    """
    names = []
    for image in images:
        tags = [tag for tag in image.get("RepoTags") or [] if tag != "<none>:<none>"]
        digests = [each for each in image.get("RepoDigests") or [] if not each.startswith("<none>")]
        ours = [each for each in [*tags, *digests] if each.startswith(prefixes)]
        built_for = (image.get("Labels") or {}).get(REPOSITORY)
        nameless = not tags and not digests
        mine = bool(ours) or (nameless and built_for is not None and f"{built_for}:".startswith(prefixes))
        # One that lost its tag to a newer build goes by its id.
        names += [each for each in ours if each in tags] or ([image["Id"]] if mine and not tags else [])
    return names


def silence() -> tuple[type[Exception], ...]:
    """How it looks when the engine doesn't answer, or answers with an error. Only where `find` found the package."""
    import docker.errors
    import requests

    return requests.exceptions.RequestException, docker.errors.DockerException


def is_lost(error: Exception) -> bool:
    """Whether an error says that the engine went away or went silent, and not that it refused something."""
    import requests
    import urllib3

    # Of a stream, docker-py passes urllib3's errors on as they are.
    gone = (
        requests.exceptions.ConnectionError,
        requests.exceptions.Timeout,
        requests.exceptions.ChunkedEncodingError,
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        ConnectionError,
    )
    return isinstance(error, gone)


class Silent(Exception):
    """Something was not heard of for too long."""


def listen(work: Callable[[Callable[[], None]], Any], seconds: float) -> Any:
    """What `work` returns or raises, or Silent once it did not call what it is given for so many seconds.

    For a pull: docker-py lets it take forever, and the user's credential helper, which it may ask first, as well.
    """
    result: dict[str, Any] = {}
    done = threading.Event()
    heard = time.monotonic()

    def hear() -> None:
        nonlocal heard
        heard = time.monotonic()

    def run() -> None:
        try:
            result["value"] = work(hear)
        except Exception as error:  # raised again below, where somebody waits for it
            result["error"] = error
        done.set()

    threading.Thread(target=run, daemon=True).start()
    while not done.wait(max(heard + seconds - time.monotonic(), 0)):
        if time.monotonic() - heard >= seconds:
            raise Silent(f"nothing was heard of it for {seconds:g} s")
    if "error" in result:
        raise result["error"]
    return result["value"]


def find(state) -> Engine:
    """The engine that the docker command would use. Raises NoEngine with the way out."""
    global _engine
    if _engine is not None:
        return _engine
    try:
        import docker
    except ImportError:
        raise NoEngine(
            "Real containers need the Python package `docker`, which comes with moto[server].",
            "Install it: pip install -r requirements.txt. Without containers: make site.",
        ) from None
    place = host()
    try:
        client = docker.DockerClient(base_url=place, timeout=TIMEOUT, version="auto")
        client.ping()
    except (docker.errors.DockerException, OSError) as error:
        raise NoEngine(
            f"No Docker engine answers at {place}: {error}.",
            "Nothing was started. Install Docker (https://docs.docker.com/engine/install/), start it (sudo systemctl "
            "start docker), or say where it is with DOCKER_HOST. Without containers: make site.",
        ) from None
    quick = docker.APIClient(base_url=place, timeout=LOOK_TIMEOUT, version=client.api.api_version)
    _engine = Engine(client, str(state.path), quick)
    return _engine


def refuse_elsewhere() -> None:
    """Raise NoEngine where the engine is another machine's. It isn't asked anything: nobody may answer for a minute."""
    place = host()
    there = urlsplit(place)
    if there.scheme not in ("tcp", "http", "https", "ssh") or _is_here(there.hostname or ""):
        return
    raise NoEngine(
        f"The Docker engine at {place} is on another machine, and this endpoint's registry and load balancers answer "
        "on the loopback interface of this one: it could neither push an image nor reach a container.",
        "Nothing was started. Take an engine of this machine: unset DOCKER_HOST, or docker context use default. "
        "Without containers: make site.",
    )


def _is_here(name: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(name).is_loopback
    return name in ("", "localhost")


def refuse_without_command() -> None:
    """Raise NoEngine where there is an engine and no docker command, by which images are built and pushed."""
    if shutil.which("docker") is None:
        raise NoEngine(
            f"A Docker engine answers at {host()}, but there is no docker command here, by which images are built and "
            "pushed.",
            "Nothing was started. Install it (https://docs.docker.com/engine/install/, package docker-ce-cli; "
            "Debian and Ubuntu: docker.io or docker-cli), or put its folder on the PATH. Without containers: make "
            "site.",
        )


def host() -> str:
    """Where the engine is: DOCKER_HOST, else the docker command's current context, else the usual socket."""
    if os.environ.get("DOCKER_HOST"):
        return os.environ["DOCKER_HOST"]
    command = shutil.which("docker")
    if command:
        shown = subprocess.run(
            [command, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
        if shown:
            return shown
    return "unix:///var/run/docker.sock"
