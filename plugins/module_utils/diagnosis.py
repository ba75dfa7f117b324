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
        r"CannotPullContainerError|ImageNotFound|pull access denied|manifest unknown",
        "The image cannot be pulled. Is it pushed (playbooks/image.yml), is image_reference right, does the instance "
        "reach the registry, and may the execution role read it?",
    ),
    (
        r"ResourceInitializationError.*(secret|ssm|parameter)|unable to (pull|retrieve) secret|AccessDenied.*(secret|ssm)",
        "A secret cannot be read. Check the ARNs in task_definition_secrets, and that the execution role may read them.",
    ),
    (
        r"ResourceInitializationError.*(log|cloudwatch)|CannotStartContainerError.*awslogs",
        "The log driver cannot start. Does the log group task_definition_log_group exist, in this region?",
    ),
    (
        r"OutOfMemory|OOM",
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
        r"Essential container in task exited|exited",
        "The program ended. Its log says why: log group task_definition_log_group.",
    ),
)

#: (pattern in a service event, problem in short or None for the event itself, remedy)
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
        r"unable to assume the role|unable to register targets|unable to consistently start",
        "Read the event: ECS names what it may not or cannot do.",
    ),
    (
        r"is unhealthy in \(?target-group",
        "Targets fail the load balancer's health check. Compare target_group_health_check_path and its matcher with "
        "what the program answers; do the instance security group's rules let the load balancer in?",
    ),
)


def from_stopped_tasks(tasks: Iterable[Mapping[str, Any]]) -> list[Cause]:
    """Return the causes that stopped tasks (DescribeTasks) tell. A task that the scheduler stopped tells nothing."""
    causes: list[Cause] = []
    for task in tasks:
        reason = task.get("stoppedReason") or ""
        if task.get("stopCode") == "ServiceSchedulerInitiated" and "health check" not in reason:
            continue
        said = [reason]
        for container in task.get("containers") or []:
            code = container.get("exitCode")
            if code or container.get("reason"):
                ended = f" exited with code {code}" if code is not None else ""
                said.append(f"container {container.get('name')}{ended}: {container.get('reason') or 'no reason given'}")
        text = "; ".join(s for s in said if s)
        remedy = _first(STOPPED, text)
        if text and remedy:
            causes.append(Cause(f"A task stopped: {text}", remedy))
    return _unique(causes)


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


def _unique(causes: list[Cause], most: int = 3) -> list[Cause]:
    """Keep one cause of a kind (ids and ports differ from task to task) and no more than `most`."""
    kept: dict[str, Cause] = {}
    for cause in causes:
        kept.setdefault(re.sub(r"[0-9a-f]{8,}|i-[0-9a-f]+|:\d+", "", cause.problem), cause)
    return list(kept.values())[:most]
