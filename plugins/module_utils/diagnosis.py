# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why does a service not become steady? Pure functions over what ECS and the load balancer say.

The texts looked for are those of "Amazon ECS stopped tasks error messages" and "Service event messages" in the ECS
documentation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Iterable, Mapping


@dataclass(frozen=True)
class Cause:
    """One reason, and what to do about it."""

    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem}\n  -> {self.remedy}"


#: (pattern in a stopped task's or container's reason, remedy). The first match counts.
STOPPED = (
    (
        r"exec format error|no matching manifest for|descriptor matching platform",
        "The image is built for another processor architecture than the instance's. Build it for that of "
        "instances_type (image_platform, such as linux/amd64).",
    ),
    (
        r"CannotPullContainerError|ImageNotFound|pull access denied|manifest unknown|unable to .*registry auth",
        "The image cannot be pulled. Is it pushed (playbooks/image.yml), is image_reference right, does the instance "
        "reach the registry, and may the execution role read it?",
    ),
    (
        r"(ResourceInitializationError|Cannot(Start|Create)ContainerError).*"
        r"(logging driver|logger|log (stream|group|driver)|cloudwatch|awslogs)",
        "The log driver cannot start. Does the log group task_definition_log_group exist, in this region, and may the "
        "execution role write to it?",
    ),
    (
        r"ResourceInitializationError.*(secret|ssm|parameter)|unable to (pull|retrieve) secret"
        r"|AccessDenied.*(secret|ssm)",
        "A secret cannot be read. Check the ARNs in task_definition_secrets, and that the execution role may read "
        "them.",
    ),
    (
        # Not in the middle of a name such as "chatroom".
        r"OutOfMemory|\bOOM",
        "The container used more memory than its hard limit. Raise task_definition_memory or "
        "task_definition_memory_limit.",
    ),
    (
        r"failed (ELB|container) health checks",
        "The health check failed. Compare target_group_health_check_path with what the program answers, and give slow "
        "starters a longer service_health_check_grace_period.",
    ),
    (
        r"CannotStartContainerError|CannotCreateContainerError",
        "The container does not start. Look at task_definition_command and at the image's entry point.",
    ),
    (
        r"Host EC2 \(instance|spot|instance .*(terminated|stopped)",
        "The instance under the task went away. ECS starts the task elsewhere if there is room; otherwise raise "
        "instances_count.",
    ),
)

#: The rest: a container that ended by itself.
EXITED = re.compile(r"Essential container in task exited|exited", re.IGNORECASE)

#: Stop codes of tasks that somebody or the scheduler wanted to stop: their containers end too, and that is no cause.
#: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
WANTED = {"UserInitiated", "ServiceSchedulerInitiated"}

#: (pattern in a service event, remedy)
EVENTS = (
    (
        r"unable to place a task.*(insufficient memory|insufficient CPU|already using a port|No Container Instances)",
        "There is no instance with room for a task. Raise instances_count or instances_type, or ask for less in "
        "task_definition_cpu and task_definition_memory. With no instances at all: playbooks/cluster.yml.",
    ),
    (
        r"unable to place a task",
        "No container instance meets all requirements: room, ports, attributes, placement constraints.",
    ),
    (
        r"unable to consistently start tasks",
        "Tasks end soon after their start. Stopped tasks keep their reason for an hour: in the console under the "
        "service, tab Tasks, desired status Stopped.",
    ),
    (
        r"unable to assume the role|unable to register targets|could not launch|unable to stop or start tasks",
        "Read the event: ECS names what it may not or cannot do.",
    ),
    (
        r"is unhealthy in \(?target-group",
        "Targets fail the load balancer's health check. Compare target_group_health_check_path and its matcher with "
        "what the program answers; do the instance security group's rules let the load balancer in?",
    ),
)


def from_stopped_tasks(tasks: Iterable[Mapping[str, Any]], log_groups: Mapping[str, str] | None = None) -> list[Cause]:
    """Return the causes that stopped tasks (DescribeTasks) tell.

    A task that a person or the scheduler stopped tells nothing, unless it was for its health. `log_groups` are the log
    groups of the containers, by container name, where they are known.
    """
    causes: list[Cause] = []
    for task in tasks:
        reason = task.get("stoppedReason") or ""
        unhealthy = "health check" in reason
        if task.get("stopCode") in WANTED and not unhealthy:
            continue
        said, ended = [reason], []
        for container in task.get("containers") or []:
            code, why = container.get("exitCode"), container.get("reason")
            if why and why == reason:
                continue
            # Who is stopped for its health ends by SIGTERM, and an exit code says nothing.
            if why or (code is not None and not unhealthy):
                ended.append(container.get("name"))
                exited = f" exited with code {code}" if code is not None else ""
                said.append(f"container {container.get('name')}{exited}{f': {why}' if why else ''}")
        text = "; ".join(s for s in said if s)
        remedy = _first(STOPPED, text) or (_look_at_log(ended, log_groups or {}) if EXITED.search(text) else None)
        if text and remedy:
            causes.append(Cause(f"A task stopped: {text}", remedy))
    return _unique(causes)


def ended_tasks(tasks: Iterable[Mapping[str, Any]], deployment: str | None) -> list[Mapping[str, Any]]:
    """Return the stopped tasks (DescribeTasks) of a deployment that ended without the scheduler's wish, newest first.

    One that somebody stopped is among them, since ECS replaces that as well. Those that a roll-out or scaling stopped
    are not.
    """
    mine = [
        t
        for t in tasks
        if t.get("startedBy") == deployment
        and t.get("lastStatus") == "STOPPED"
        and (t.get("stopCode") != "ServiceSchedulerInitiated" or "health check" in (t.get("stoppedReason") or ""))
    ]
    return sorted(mine, key=lambda t: str(t.get("stoppedAt") or ""), reverse=True)


def told_ended(ended: Iterable[Mapping[str, Any]], now: datetime, replaced: bool) -> str:
    """Return one line on tasks that ended, such as "1 task ended 40 s ago (…) and was replaced"; empty without any."""
    ended = list(ended)
    if not ended:
        return ""
    stopped = ended[0].get("stoppedAt")
    ago = f" {_ago((now - stopped).total_seconds())} ago" if stopped else ""
    why = _why_it_ended(ended[0])
    if len(ended) == 1:
        return f"1 task ended{ago} ({why}) and {'was' if replaced else 'is not yet'} replaced"
    return (
        f"{len(ended)} tasks ended within the last hour, the last one{ago} ({why}), and "
        f"{'were' if replaced else 'are not all'} replaced"
    )


def _why_it_ended(task: Mapping[str, Any]) -> str:
    """Return what a stopped task says in few words: the containers that ended, or else its reason."""
    reason = task.get("stoppedReason") or task.get("stopCode") or "ECS gives no reason"
    if task.get("stopCode") != "EssentialContainerExited":
        return reason
    said = []
    for container in task.get("containers") or []:
        if container.get("exitCode") is not None:
            why = f": {container['reason']}" if container.get("reason") else ""
            said.append(f"container {container.get('name')} exited with code {container['exitCode']}{why}")
    return "; ".join(said) or reason


def _ago(seconds: float) -> str:
    return f"{max(seconds, 0):.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _look_at_log(containers: list[Any], log_groups: Mapping[str, str]) -> str:
    groups = sorted({log_groups[name] for name in containers if name in log_groups})
    if not groups:
        return "The program ended. Its log says why: log group task_definition_log_group."
    commands = " and ".join(f"aws logs tail {group} --since 1h" for group in groups)
    return f"The program ended. Its log group (task_definition_log_group) says why: {commands}"


def from_targets(descriptions: Iterable[Mapping[str, Any]]) -> list[Cause]:
    """Return the causes that unhealthy targets (DescribeTargetHealth) tell."""
    causes = []
    for described in descriptions:
        health = described.get("TargetHealth") or {}
        if health.get("State") != "unhealthy":
            continue
        target = described.get("Target") or {}
        what = health.get("Description") or health.get("Reason") or "no reason given"
        problem = f"Target {target.get('Id')}:{target.get('Port')} is unhealthy: {what}"
        if health.get("Reason") == "Target.Timeout":
            remedy = (
                "It does not answer in time. Do the security group's rules let the load balancer in, does the program "
                "listen on task_definition_container_port, and does it answer within target_group_health_check_timeout?"
            )
        elif health.get("Reason") == "Target.FailedHealthChecks":
            remedy = (
                "No connection, or no proper answer. Does the program listen on task_definition_container_port, on all "
                "addresses (0.0.0.0), and speak target_group_protocol?"
            )
        else:
            remedy = "Compare target_group_health_check_path and target_group_health_check_matcher with its answer."
        causes.append(Cause(problem, remedy))
    return _unique(causes)


def from_events(events: Iterable[Mapping[str, Any]]) -> list[Cause]:
    """Return the causes that service events tell, newest first."""
    causes = []
    for event in events:
        remedy = _first(EVENTS, event.get("message", ""))
        if remedy:
            causes.append(Cause(f"ECS says: {event['message']}", remedy))
    return _unique(causes)


def _first(table: Iterable[tuple[str, str]], text: str) -> str | None:
    return next((remedy for pattern, remedy in table if re.search(pattern, text, re.IGNORECASE | re.DOTALL)), None)


#: What differs between tasks that fail alike: ids, instances, addresses, ports.
_DIFFERS = re.compile(r"[0-9a-f]{8,}|i-[0-9a-f]+|\d+\.\d+\.\d+\.\d+|:\d+\b|\(port \d+\)")


def _unique(causes: list[Cause], most: int = 3) -> list[Cause]:
    """Keep one cause of a kind and no more than `most`."""
    kept: dict[str, Cause] = {}
    for cause in causes:
        kept.setdefault(_DIFFERS.sub("", cause.problem), cause)
    return list(kept.values())[:most]
