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
from typing import Any

from embedded_endpoint.gaps import task_record
from embedded_endpoint.probe import HOST

from container_endpoint import engine, health, logs, registry, secrets

LOG = logging.getLogger("container_endpoint")
STARTING, UP, FAILED = "starting", "up", "failed"
STOP_SECONDS = 30  # stopTimeout's default on EC2
#: How a container ended that somebody removed: `docker rm --force` sends SIGKILL.
REMOVED = (137, "The container was removed from Docker, and not by ECS")
AGAIN = 5.0  # seconds until a container that could not be ended is tried again


class Run:
    """What Docker makes of one task record."""

    def __init__(self) -> None:
        self.state = STARTING
        self.ids: dict[str, str] = {}  # container name -> Docker's id
        self.ends: dict[str, tuple[int | None, str | None]] = {}  # by container name, as long as Docker knew
        self.reason = self.code = ""
        self.at_fault: str | None = None  # the container that failed
        self.addresses: list[tuple[str, int]] = []  # keys in health.addresses


runs: dict[str, Run] = {}  # by task ARN
_ending: set[str] = set()  # container ids


def begin(backend, task: task_record.TaskRecord) -> Run:
    """Start a task's containers in the background; the same Run on every call."""
    if task.task_arn not in runs:
        runs[task.task_arn] = Run()
        threading.Thread(target=_start, args=(backend, task, runs[task.task_arn]), daemon=True).start()
    return runs[task.task_arn]


def _start(backend, task, run: Run) -> None:
    import docker.errors

    client = engine.find(None).client
    name = ""
    try:
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
    except Unpullable as error:
        run.code, run.reason = "TaskFailedToStart", f"CannotPullContainerError: {error}"
    except secrets.Unresolved as error:
        run.code, run.reason = "TaskFailedToStart", f"ResourceInitializationError: {error}"
    except docker.errors.APIError as error:
        run.code, run.reason = "TaskFailedToStart", f"CannotStartContainerError: {error.explanation or error}"
    except engine.silence() as error:
        run.code, run.reason = "TaskFailedToStart", f"CannotStartContainerError: {error}"
    except Exception as error:  # a thread's exception reaches nobody else
        LOG.exception("task %s", task.task_arn)
        run.code, run.reason = "TaskFailedToStart", f"CannotStartContainerError: {error}"
    run.at_fault, run.state = name, FAILED


class Unpullable(Exception):
    """The image isn't there; the text is the agent's."""


def _pull(client, image: str) -> None:
    """Get an image anew, as the agent does by default; from the machine itself where no registry has it."""
    import docker.errors

    try:
        repository, _, rest = image.rpartition("/")
        name, _, tag = rest.partition(":")
        if "@" in image:
            client.images.pull(image)
        else:
            client.images.pull(f"{repository}/{name}" if repository else name, tag=tag or "latest")
    except docker.errors.APIError as error:
        if not registry.is_ours(image):
            try:
                client.images.get(image)
                return
            except docker.errors.APIError:
                pass
        raise Unpullable(
            f"pull image manifest has been retried 1 time(s): failed to resolve ref {image}: "
            f"{error.explanation or error}"
        ) from None


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
        for key in run.addresses:
            health.addresses.pop(key, None)
        run.addresses, run.ids = [], {}


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
