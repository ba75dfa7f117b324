# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Tasks as containers: what the records want is started, what they no longer want is ended, what ended is recorded.

The container's ports are published on free ports of the loopback interface. Those of the records (dynamic host ports
of several instances) would collide on one machine; ``health.addresses`` leads from one to the other.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from embedded_endpoint.gaps import task_record
from embedded_endpoint.probe import HOST

from container_endpoint import engine, health, logs, registry, secrets

LOG = logging.getLogger("container_endpoint")
STARTING, UP, FAILED, LOST = "starting", "up", "failed", "lost"
STOP_SECONDS = 30  # stopTimeout's default on EC2
#: How a container ended that somebody removed: `docker rm --force` sends SIGKILL.
REMOVED = (137, "The container was removed from Docker, and not by ECS")
AGAIN = 5.0  # seconds until a container that could not be ended is tried again
MOST_LOSSES = 5  # of one task: an engine that goes each time that this one is started, and is back, can't start it
PULL_SILENCE = 120.0  # seconds in which a pull must get on; the agent gives it a minute, a person may have to type


class Run:
    """What Docker makes of one task record."""

    def __init__(self) -> None:
        self.state = STARTING
        self.ids: dict[str, str] = {}  # container name -> Docker's id
        self.ends: dict[str, tuple[int | None, str | None]] = {}  # by container name, as long as Docker knew
        self.reason = self.code = ""
        self.at_fault: str | None = None  # the container that failed
        self.addresses: list[tuple[str, int]] = []  # keys in health.addresses
        self.losses = 0  # how often Docker went while the task started
        self.lost_at = 0.0

    def lose(self, error: Exception) -> None:
        """Docker went away meanwhile: what there is of it is removed when Docker is back, and it is started anew."""
        self.losses, self.lost_at = self.losses + 1, time.monotonic()
        self.reason = str(error)
        self.forget_addresses()
        self.state = LOST

    def forget_addresses(self) -> None:
        """Nobody is asked or sent there any more."""
        for key in self.addresses:
            health.addresses.pop(key, None)
        self.addresses = []


runs: dict[str, Run] = {}  # by task ARN
_ending: set[str] = set()  # container ids


def begin(backend, task: task_record.TaskRecord) -> Run:
    """Start a task's containers in the background; the same Run on every call, and another one once it is lost."""
    before = runs.get(task.task_arn)
    if before is None or before.state == LOST:
        runs[task.task_arn] = Run()
        runs[task.task_arn].losses = before.losses if before else 0
        threading.Thread(target=_start, args=(backend, task, runs[task.task_arn]), daemon=True).start()
    return runs[task.task_arn]


def _start(backend, task, run: Run) -> None:
    client = engine.find(None).client
    name = ""
    try:
        if run.losses:  # also a container of which Docker could not tell any more that it is made
            for container_id in engine.find(None).end_all(task.task_arn):
                logs.finish(container_id)
        for container in task.containers:
            name = container.name
            specification = _specification(backend, task, container)
            environment = specification.pop("environment") | secrets.resolve(backend, container.definition)
            _pull(client, specification["image"])
            engine.find(None).note_containers()
            made = client.containers.create(environment=environment, **specification)
            run.ids[name] = made.id
            made.start()
            made.reload()
            _publish(backend, task, container, made, run)
            logs.follow(backend, task, container, made)
        run.state = UP
        return
    except Exception as error:  # a thread's exception reaches nobody else
        gone = _loss(error)
        if gone is not None and run.losses < MOST_LOSSES:
            LOG.warning("task %s waits, Docker went while it started: %s", task.task_arn, gone)
            run.lose(gone)
            return
        run.code, run.reason = "TaskFailedToStart", _why(task, error)
    run.at_fault, run.state = name, FAILED


def _loss(error: Exception) -> Exception | None:
    """How Docker went away, where it did: an engine that is being ended also refuses, and leaves pulls unfinished."""
    if engine.is_lost(error):
        return error
    try:
        engine.find(None).ours()
    except Exception as gone:
        return gone
    return None


def _why(task, error: Exception) -> str:
    """The reason of a task that could not be started, in ECS's words."""
    import docker.errors

    if isinstance(error, Unpullable):
        return f"CannotPullContainerError: {error}"
    if isinstance(error, secrets.Unresolved):
        return f"ResourceInitializationError: {error}"
    if isinstance(error, docker.errors.APIError):
        return f"CannotStartContainerError: {error.explanation or error}"
    if not isinstance(error, engine.silence()):
        LOG.error("task %s", task.task_arn, exc_info=error)
    return f"CannotStartContainerError: {error}"


class Unpullable(Exception):
    """The image isn't there; the text is the agent's."""


def _pull(client, image: str) -> None:
    """Get an image anew, as the agent does by default; from the machine itself where no registry has it."""
    import docker.errors

    ours = registry.is_ours(image)
    try:
        engine.listen(lambda hear: _ask_for(client, image, ours, hear), PULL_SILENCE)
    except (docker.errors.DockerException, engine.Silent) as error:
        if not ours:
            try:
                client.images.get(image)
                return
            except docker.errors.APIError:
                pass
        raise Unpullable(
            f"pull image manifest has been retried 1 time(s): failed to resolve ref {image}: "
            f"{getattr(error, 'explanation', None) or error}"
        ) from None


def _ask_for(client, image: str, ours: bool, hear: Callable[[], None]) -> None:
    import docker.errors

    repository, _, rest = image.rpartition("/")
    name, _, tag = rest.partition(":")
    if "@" in image:
        place = {"repository": image}
    else:
        place = {"repository": f"{repository}/{name}" if repository else name, "tag": tag or "latest"}
    # Without it, docker-py asks the user's credential helpers first. This registry wants no password.
    anyone = {"auth_config": {}} if ours else {}
    for said in client.api.pull(**place, stream=True, decode=True, **anyone):
        hear()
        if said.get("error"):
            raise docker.errors.APIError(said["error"], explanation=said["error"])


def _image(task, container) -> str:
    """The image, by the digest that the deployment resolved: a tag that moves meanwhile is not pulled by some tasks."""
    if task.deployment is None:  # run once
        return container.image
    return task.deployment.revision.pinned(container.name, container.image)


def _specification(backend, task, container) -> dict[str, Any]:
    """The container definition in the words of Docker, with the overrides of RunTask on top."""
    definition = container.definition
    overrides = (task.overrides or {}).get("containerOverrides") or []
    override = next((each for each in overrides if each.get("name") == container.name), {})
    environment = {each["name"]: each["value"] for each in definition.get("environment") or []}
    environment |= {each["name"]: each["value"] for each in override.get("environment") or []}
    memory, soft = definition.get("memory"), definition.get("memoryReservation")
    hard = memory or (task.memory if not soft else None)
    specification = {
        "image": _image(task, container),
        "name": f"ecs-{task.group.rpartition(':')[2]}-{container.name}-{task.id[:8]}",
        "command": override.get("command") or definition.get("command"),
        "entrypoint": definition.get("entryPoint"),
        "environment": environment,
        "user": definition.get("user"),
        "working_dir": definition.get("workingDirectory"),
        "read_only": bool(definition.get("readonlyRootFilesystem")),
        "init": bool((definition.get("linuxParameters") or {}).get("initProcessEnabled")),
        "mem_limit": f"{hard}m" if hard else None,
        "mem_reservation": f"{soft}m" if soft else None,
        "cpu_shares": max(int(definition.get("cpu") or 0), 2),
        "ports": {
            f"{each['containerPort']}/{each.get('protocol', 'tcp')}": (HOST, None)
            for each in definition.get("portMappings") or []
        },
        "labels": {
            engine.LABEL: engine.find(None).owner,
            engine.TASK: task.task_arn,
            engine.CONTAINER: container.name,
        },
    }
    return {key: value for key, value in specification.items() if value not in (None, [], {})} | {
        "environment": environment
    }


def _publish(backend, task, container, made, run: Run) -> None:
    container.runtime_id = made.id
    published = made.attrs["NetworkSettings"]["Ports"] or {}
    instances = backend.container_instances.get(task.cluster_name, {})
    instance = instances.get((task.container_instance_arn or "").split("/")[-1])
    for mapping in container.definition.get("portMappings") or []:
        bindings = published.get(f"{mapping['containerPort']}/{mapping.get('protocol', 'tcp')}")
        if not bindings:
            continue
        if task.private_address():
            key = (task.private_address(), int(mapping["containerPort"]))
        elif instance is not None:
            key = (instance.ec2_instance_id, int(task.host_port(container.name, mapping["containerPort"])))
        else:
            continue
        health.addresses[key] = (HOST, int(bindings[0]["HostPort"]))
        run.addresses.append(key)


def busy(task) -> bool:
    """Whether requests are on their way to a task."""
    from container_endpoint import balancer

    run = runs.get(task.task_arn)
    places = [health.addresses.get(key) for key in run.addresses] if run else []
    return any(balancer.open_requests[place] > 0 for place in places if place)


def up() -> dict[str, dict[str, str]]:
    """{task ARN: {container name: Docker's id}} of the tasks whose containers are all started."""
    return {arn: dict(run.ids) for arn, run in list(runs.items()) if run.state == UP}


def ended(
    containers: list[dict[str, Any]], before: dict[str, dict[str, str]]
) -> dict[str, dict[str, tuple[int | None, str | None]]]:
    """{task ARN: {container name: (exit code, reason)}} of the containers that ended, but not by us.

    `before` is what was `up` before Docker was asked for `containers`: what isn't there any more, somebody removed.
    """
    import docker.errors

    found: dict[str, dict[str, tuple[int | None, str | None]]] = {}
    for each in containers:
        if each["State"] in ("exited", "dead") and each["Id"] not in _ending:
            arn, name = each["Labels"][engine.TASK], each["Labels"][engine.CONTAINER]
            if arn in runs and (runs[arn].state == LOST or runs[arn].ids.get(name) != each["Id"]):
                continue  # of a start that Docker's absence spoilt
            with contextlib.suppress(docker.errors.NotFound):  # removed just now: the next look misses it
                found.setdefault(arn, {})[name] = engine.find(None).exit_of(each["Id"])
                if arn in runs:
                    runs[arn].ends[name] = found[arn][name]
    there = {each["Id"] for each in containers}
    for arn, ids in before.items():
        for name, container_id in ids.items():
            if container_id not in there and container_id not in _ending:
                found.setdefault(arn, {})[name] = runs[arn].ends.get(name, REMOVED)
    return found


def end_unwanted(containers: list[dict[str, Any]], records: dict[str, task_record.TaskRecord]) -> None:
    """End the containers of tasks that are stopped or that nobody knows any more, each in the background."""
    for each in containers:
        arn = each["Labels"][engine.TASK]
        task = records.get(arn)
        if task is not None and task.status != "STOPPED":
            continue
        run = runs.get(arn)
        if each["Id"] in _ending or (run is not None and run.state == STARTING):
            continue
        _ending.add(each["Id"])
        threading.Thread(target=_end, args=(each, task), daemon=True).start()
    gone = [arn for arn, task in records.items() if task.status == "STOPPED"]
    for arn in [*gone, *(arn for arn in list(runs) if arn not in records)]:
        run = runs.get(arn)
        if run is None or run.state == STARTING:
            continue
        run.forget_addresses()
        run.ids = {}


def _end(each: dict[str, Any], task) -> None:
    seconds = STOP_SECONDS
    container = None
    if task is not None:
        container = next((c for c in task.containers if c.name == each["Labels"][engine.CONTAINER]), None)
        if container is not None:
            seconds = int(container.definition.get("stopTimeout") or STOP_SECONDS)
    started = time.monotonic()
    try:
        code = engine.find(None).end(each["Id"], seconds, lambda: logs.finish(each["Id"]))
        if container is not None and code is not None:
            container.exit_code = code
    except Exception as error:
        known = isinstance(error, engine.silence())
        text = "container %s after %.0f s: %s"
        LOG.warning(text, each["Id"][:12], time.monotonic() - started, error, exc_info=not known)
        time.sleep(AGAIN)
    finally:
        _ending.discard(each["Id"])
