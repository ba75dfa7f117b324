# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The endpoint's own clock: between requests too, records and containers are brought in line with each other.

The embedded endpoint's scheduler decides, as it does without containers; here it gets facts to decide by: a task is
RUNNING when its containers are, healthy when its target is, and stopped when an essential container ended.
"""

import contextlib
import logging
import threading
import time
from collections import Counter
from typing import Any

from embedded_endpoint import server
from embedded_endpoint.gaps import (
    circuit_breaker,
    ecs_tasks,
    elbv2_targets,
    failing_tasks,
    reconcile,
    scheduler,
    target_registration,
    task_record,
)
from embedded_endpoint.gaps.deployment import Deployment, event
from embedded_endpoint.gaps.patching import LOCK
from moto.ecs.models import ecs_backends
from moto.elbv2 import elbv2_backends

from container_endpoint import balancer, definitions, engine, health, metrics, ports, registry, tasks
from container_endpoint.trouble import Trouble

TICK = 0.25  # seconds
LONGEST = 3.0  # seconds between two ticks of which none goes well
SAID_AFTER = 2  # looks in a row that Docker doesn't answer
_stop = threading.Event()
_clock, _docker = Trouble("tick"), Trouble("Docker doesn't answer")
_told: set[str] = set()  # ARNs of the services whose events say that Docker doesn't answer


def install(state) -> None:
    """Give the scheduler containers, and start the clock."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    # Docker asks a registry on the loopback interface by TLS before it does without: each time three lines of rubbish.
    server.QuietHandler.log_error = lambda *_args: None
    found = engine.find(state)
    found.end_all()  # of a server that was killed
    registry.install(state)
    ports.install()
    failing_tasks.come_up = come_up
    scheduler._come_up = _come_up
    scheduler._stop_unhealthy = _stop_unhealthy
    scheduler._stop_drained = _stop_drained
    reconcile.STEP_SECONDS = TICK
    threading.Thread(target=_run, args=(found,), daemon=True, name="containers").start()
    metrics.start(found, _stop)


def uninstall() -> None:
    """Stop the clock and take every container away."""
    _stop.set()
    with contextlib.suppress(Exception):
        engine.find(None).end_all()


def _run(found: engine.Engine) -> None:
    pause = TICK
    while not _stop.wait(pause):
        try:
            well = tick(found)
            _clock.over()
        except Exception as error:  # the clock must not stand still for one thing that went wrong
            _clock.met(error, trace=True)
            well = False
        pause = TICK if well else min(2 * pause, LONGEST)


def look(found: engine.Engine) -> tuple[list[dict[str, Any]] | None, dict[str, Any]]:
    """Our containers, None where Docker doesn't answer, and which of them ended."""
    began = time.monotonic()
    up = tasks.up()  # before Docker is asked: what is started meanwhile isn't missing
    try:
        containers = found.ours()
        ended = tasks.ended(containers, up)
    except engine.silence() as error:
        _docker.met(error)
        return None, {}
    _docker.over()
    _docker.well = began
    return containers, ended


def tick(found: engine.Engine) -> bool:
    """Look at the containers once, and let the records follow; then the other way round. False without Docker.

    Targets are asked then, too: a task that doesn't answer any more is unhealthy, whatever its container does.
    """
    was_out = _docker.looks > 0
    containers, ended = look(found)
    with LOCK:
        backends = [backend for regions in list(ecs_backends.values()) for backend in list(regions.values())]
        balancers = [backend for regions in list(elbv2_backends.values()) for backend in list(regions.values())]
        records = {}
        for backend in backends:
            # What ended with Docker says nothing about a revision.
            _record_ends(backend, ended, counts=not was_out)
            _say_whether_docker_answers(backend)
            if backend.clusters:
                reconcile.catch_up(backend)
            records |= {arn: task for group in backend.tasks.values() for arn, task in group.items()}
        if not _docker.looks:
            _told.clear()  # of services that were deleted meanwhile
        groups = [group for backend in balancers for group in list(backend.target_groups.values())]
    if containers is not None:
        tasks.end_unwanted(containers, records)
    balancer.follow(balancers)
    health.ask_due(groups)
    return containers is not None


def _say_whether_docker_answers(backend) -> None:
    """In an event of each service, once when it begins and once when it is over."""
    out = _docker.looks >= SAID_AFTER
    for service in backend.services.values():
        if service.status == "INACTIVE" or out == (service.arn in _told):
            continue
        if out:
            _told.add(service.arn)
            event(
                service,
                f"The Docker engine does not answer ({_docker.text}). Until it does, no container starts or "
                "ends, and tasks that are said to be RUNNING may have ended.",
            )
        else:
            _told.discard(service.arn)
            event(service, "The Docker engine answers again.")


def _record_ends(backend, ended: dict[str, dict[str, tuple[int | None, str | None]]], counts: bool = True) -> None:
    for group in backend.tasks.values():
        for arn, codes in ended.items():
            task = group.get(arn)
            if task is None or task.status != "RUNNING":
                continue
            for container in task.containers:
                if container.name in codes:
                    container.last_status = "STOPPED"
                    container.exit_code, container.reason = codes[container.name]
                    names = definitions.not_followed(container.definition)
                    if names and container.reason is None:
                        container.reason = f"The local endpoint started it without {', '.join(names)}"
            if not any(c.name in codes and c.definition.get("essential", True) for c in task.containers):
                continue
            target_registration.deregister(backend, task)
            task_record.stop(backend, task, "Essential container in task exited", "EssentialContainerExited")
            for container in task.containers:
                container.exit_code = codes.get(container.name, (container.exit_code,))[0]
            ecs_tasks._wake(backend, task)
            for service in backend.services.values():
                deployment = next((each for each in service.deployments if each.id == task.started_by), None)
                # Without a step to take it would look steady until the next one.
                under_way = deployment is not None and deployment.rollout_state == "IN_PROGRESS"
                if counts and under_way and not task.was_healthy:
                    circuit_breaker.failed(backend, service, deployment, 1)


task_record.TaskRecord.was_healthy = False
Deployment.said_what_is_left_out = False


def come_up(backend, task) -> bool:
    """PENDING becomes RUNNING when the containers do; False if the task failed instead and is STOPPED.

    Without Docker it stays PENDING: that says nothing about the task.
    """
    if _waits_for_docker(task):
        return True
    run = tasks.begin(backend, task)
    if run.state == tasks.FAILED:
        task_record.stop(backend, task, run.reason, run.code)
        for container in task.containers:
            container.exit_code = None
            if container.name == run.at_fault:
                container.reason = run.reason
        return False
    if run.state == tasks.UP:
        task_record.run(task)
    return True


def _waits_for_docker(task) -> bool:
    run = tasks.runs.get(task.task_arn)
    if run is None:
        return _docker.looks > 0
    if run.state != tasks.LOST:
        return False
    # That Docker answered before means nothing. Where it goes again and again, it gets longer each time.
    return _docker.looks > 0 or _docker.well < run.lost_at + run.losses - 1


def _come_up(backend, service) -> bool:
    registered: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    moved = False
    for task in scheduler.tasks_of(backend, service):
        if task.status != "PENDING":
            continue
        _say_what_is_left_out(backend, service, task)
        if not come_up(backend, task):
            failed[task.started_by] += 1
            moved = True
        elif task.status == "RUNNING":
            registered.update(target_registration.register(backend, service, task))
            task.sick = bool(task.targets)
            moved = True
            if not task.sick:
                _is_healthy(service, task)
    for arn, count in registered.items():
        event(service, f"registered {count} targets in (target-group {arn})")
    scheduler._count_failures(backend, service, failed)
    return moved


def _say_what_is_left_out(backend, service, task) -> None:
    """Once for each deployment: it is about the revision."""
    deployment = task.deployment
    if deployment is None or deployment.said_what_is_left_out:
        return
    deployment.said_what_is_left_out = True
    text = definitions.left_out(backend.describe_task_definition(task.task_definition_arn))
    if text:
        revision = deployment.task_definition.rpartition("/")[2]
        event(service, f"The local endpoint starts tasks of {revision} without: {text}.")


def _is_healthy(service, task) -> None:
    task.was_healthy = True
    circuit_breaker.healthy(service, scheduler._deployment(service, task.started_by))


def _stop_unhealthy(backend, service) -> bool:
    """Follow the health of the targets; a task whose target is unhealthy after the grace period is replaced."""
    balancers = elbv2_backends[backend.account_id][backend.region_name]
    stopped = []
    deregistered: Counter[str] = Counter()
    for task in scheduler.tasks_of(backend, service):
        if task.draining or not task.targets:
            continue
        states = []
        for arn, target in task.targets:
            group = balancers.target_groups.get(arn)
            if group is not None:
                states.append((health.state(group, target), group, target))
        sick = any(state != health.HEALTHY for state, *_ in states)
        if task.sick and not sick:
            _is_healthy(service, task)
        if sick and not task.sick:
            service.steady = False
        task.sick = sick
        failing = [(group, target) for state, group, target in states if state == health.UNHEALTHY]
        if failing and time.monotonic() - task.touched > (service.health_check_grace_period_seconds or 0):
            _say_unhealthy(service, task, *failing[0])
            deregistered.update(failing_tasks.stop_unhealthy(backend, task))
            stopped.append(task)
    if not stopped:
        return False
    event(service, f"has stopped {len(stopped)} running tasks: {scheduler._names(stopped)}.")
    for arn, number in deregistered.items():
        event(service, f"deregistered {number} targets in (target-group {arn})")
    for task in stopped:
        scheduler._deployment(service, task.started_by).unhealthy_tasks += 1
    service.steady = False
    if not _docker.looks:  # what went with Docker says nothing about a revision
        failed = Counter(task.started_by for task in stopped if not task.was_healthy)
        scheduler._count_failures(backend, service, failed)
    return True


def _say_unhealthy(service, task, group, target) -> None:
    check = health.checks(group).get(elbv2_targets._key(group, target))
    instance = "" if task.private_address() else f" (instance {target['Id']})"
    event(
        service,
        f"(task {task.id}){instance} (port {target['Port']}) is unhealthy in (target-group {group.arn}) "
        f"due to (reason {check.description if check else 'Health checks failed'}).",
    )


def _stop_drained(backend, service) -> bool:
    """As the scheduler's own, but a task that still answers somebody waits, up to the deregistration delay."""
    balancers = elbv2_backends[backend.account_id][backend.region_name]
    delays = [
        float(balancers.target_groups[each["targetGroupArn"]].attributes["deregistration_delay.timeout_seconds"])
        for each in service.load_balancers or []
        if each.get("targetGroupArn") in balancers.target_groups
    ]
    now = time.monotonic()
    drained = []
    for task in scheduler.tasks_of(backend, service):
        if task.draining:
            task.draining_since = getattr(task, "draining_since", now)
            # One look later at the earliest: a request that had just been given this target has reached it by then.
            if now - task.draining_since >= (max(delays) if tasks.busy(task) and delays else 2 * TICK if delays else 0):
                drained.append(task)
    for task in drained:
        reason = f"Scaling activity initiated by (deployment {service.deployments[0].id})"
        task_record.stop(backend, task, reason, "ServiceSchedulerInitiated")
    if drained:
        event(service, f"has stopped {len(drained)} running tasks: {scheduler._names(drained)}.")
        scheduler._forget_finished_deployments(backend, service)
    return bool(drained)
