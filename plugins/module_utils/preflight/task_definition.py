# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task definition: sizes, ports, environment and secrets, logs.

Rules: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html,
API_ContainerDefinition, API_PortMapping, API_HealthCheck; logs PutRetentionPolicy. What only Fargate refuses stands in
fargate.py.
"""

from __future__ import annotations

import re
from typing import Any, Iterator

from ansible_collections.handson.ecs.plugins.module_utils.log_groups import RETENTION_DAYS
from ansible_collections.handson.ecs.plugins.module_utils.preflight.account import SECRET_ARN
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fargate import check_fargate, check_fargate_size
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host, in_range, number, one_of
from ansible_collections.handson.ecs.plugins.module_utils.secrets import looks_secret
from ansible_collections.handson.ecs.plugins.module_utils.task_definitions import size, snake

#: CPU units of a task on EC2: an eighth of a vCPU to 192 of them.
TASK_CPU = (128, 196608)
#: MiB: less than this Docker 20.10 doesn't give a container.
LEAST_MEMORY = 6
#: Ports of the instance that are taken: SSH, Docker, the ECS agent.
RESERVED_PORTS = (22, 2375, 2376, 51678, 51679, 51680)

_SECRET_VALUE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b")


def units(value: Any) -> int | None:
    """Return a task's or container's size as a number: CPU units or MiB. None where it is open or no number."""
    return number(size(value))


def containers(host: Host) -> list[dict[str, Any]]:
    """Return the sizes and ports of all containers of the task.

    Each is {name, cpu, memory, memory_reservation, ports: [(on the host, in the container), …], host_ports: [those of
    the first that are fixed]}.
    """
    port = host.number("task_definition_host_port")
    own = {
        "name": host.text("task_definition_container_name"),
        "cpu": host.number("task_definition_container_cpu"),
        "memory": host.number("task_definition_memory_limit"),
        "memory_reservation": host.number("task_definition_memory_reservation"),
        "ports": [(port, host.number("task_definition_container_port"))],
        "host_ports": [port] if port else [],
    }
    found = [own]
    for extra in host.listed("task_definition_extra_containers"):
        if isinstance(extra, dict):
            given = {snake(str(k)): v for k, v in extra.items()}
            ports = [
                {snake(str(k)): v for k, v in p.items()}
                for p in given.get("port_mappings") or []
                if isinstance(p, dict)
            ]
            found.append(
                {
                    "name": str(given.get("name", "")),
                    **{k: number(given.get(k)) for k in ("cpu", "memory", "memory_reservation")},
                    "ports": [(number(p.get("host_port")), number(p.get("container_port"))) for p in ports],
                    "host_ports": [number(p.get("host_port")) for p in ports if number(p.get("host_port"))],
                }
            )
    return found


def reserved(host: Host) -> tuple[int, int]:
    """Return what one task takes of an instance: (CPU units, MiB).

    The task's own size where it is set; otherwise the sum over its containers, the soft limit before the hard one.
    """
    parts = containers(host)
    cpu = units(host.values.get("task_definition_cpu"))
    memory = units(host.values.get("task_definition_memory"))
    if cpu is None:
        cpu = sum(c["cpu"] or 0 for c in parts)
    if memory is None:
        memory = sum(c["memory_reservation"] or c["memory"] or 0 for c in parts)
    return cpu, memory


def check_retention(host: Host, variable: str) -> Iterator[Fault]:
    """Check the days that a log group keeps its events."""
    days = host.number(variable)
    if variable in host.values and variable not in host.broken and days not in RETENTION_DAYS:
        nearest = min(RETENTION_DAYS, key=lambda d: abs(d - days)) if days is not None else 30
        yield host.fault(
            variable,
            f"CloudWatch Logs keeps events for {', '.join(map(str, RETENTION_DAYS))} days.",
            f"Set it to one of these, such as {nearest}.",
        )


def check_task_definition(host: Host) -> Iterator[Fault]:
    """Check everything that RegisterTaskDefinition would refuse."""
    yield from one_of(host, "task_definition_launch_type", ("EC2", "FARGATE"), "The launch type")
    yield from one_of(host, "task_definition_network_mode", ("bridge", "host", "awsvpc"), "The network mode")
    yield from _sizes(host)
    yield from _ports(host)
    yield from _environment(host)
    yield from _secrets(host)
    yield from _health_check(host)
    if host.text("task_definition_launch_type") == "FARGATE":
        yield from check_fargate(host)
    if host.values.get("task_definition_stop_timeout") not in (None, ""):
        fargate = host.text("task_definition_launch_type") == "FARGATE"
        yield from in_range(
            host,
            "task_definition_stop_timeout",
            2 if fargate else 0,
            120 if fargate else None,
            "The stop timeout in seconds",
        )
    yield from in_range(host, "task_definition_run_count", 1, 10, "The number of tasks that one RunTask starts")
    yield from check_retention(host, "task_definition_log_retention_days")
    names = [c["name"] for c in containers(host)]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield host.fault(
            "task_definition_extra_containers", f"Two containers are named {name!r}.", "Give each its own name."
        )


def _sizes(host: Host) -> Iterator[Fault]:
    fargate = host.text("task_definition_launch_type") == "FARGATE"
    cpu, memory = units(host.values.get("task_definition_cpu")), units(host.values.get("task_definition_memory"))
    for variable, value, unit in (
        ("task_definition_cpu", cpu, "CPU units (1024 are one vCPU)"),
        ("task_definition_memory", memory, "MiB"),
    ):
        if host.text(variable) and value is None:
            yield host.fault(
                variable,
                f"A task's size is a whole number of {unit}.",
                f"Write {unit.split()[0]} as a number, in quotes or not.",
            )
    if fargate:
        yield from check_fargate_size(host, cpu, memory)
    elif cpu is not None and not TASK_CPU[0] <= cpu <= TASK_CPU[1]:
        yield host.fault(
            "task_definition_cpu",
            f"A task has {TASK_CPU[0]} to {TASK_CPU[1]} CPU units.",
            'Set it within these, or to "" to leave it open.',
        )
    if not fargate and memory is not None and memory < LEAST_MEMORY:
        yield host.fault(
            "task_definition_memory", f"Docker gives a container at least {LEAST_MEMORY} MiB.", "Set it higher."
        )
    for variable in ("task_definition_memory_reservation", "task_definition_memory_limit"):
        value = host.number(variable)
        if value is None and host.values.get(variable) is not None and variable not in host.broken:
            yield host.fault(variable, "An amount of MiB is a whole number.", "Write one, or null to leave it open.")
        if value is not None and value < LEAST_MEMORY:
            yield host.fault(
                variable,
                f"Docker gives a container at least {LEAST_MEMORY} MiB.",
                "Set it higher, or to null to leave it open.",
            )
    if (host.number("task_definition_container_cpu") or 0) < 0:
        yield host.fault(
            "task_definition_container_cpu", "CPU units are not negative.", "Set it to 0 or more, or to null."
        )
    parts = containers(host)
    own = parts[0]
    if (
        own["memory"] is not None
        and own["memory_reservation"] is not None
        and own["memory_reservation"] > own["memory"]
    ):
        yield host.fault(
            "task_definition_memory_reservation",
            f"The soft limit is above the hard limit of {own['memory']} MiB.",
            "Set task_definition_memory_reservation ≤ task_definition_memory_limit.",
        )
    if memory is not None:
        for variable, key, what in (
            ("task_definition_memory_limit", "memory", "hard"),
            ("task_definition_memory_reservation", "memory_reservation", "soft"),
        ):
            total = sum(c[key] or 0 for c in parts)
            if total > memory:
                shown = own[key] if own[key] is not None else total
                yield host.fault(
                    variable,
                    f"The {what} limits of the containers are {total} MiB, the task has {memory}.",
                    "Raise task_definition_memory, or lower the limits.",
                    value=shown,
                )
    elif not fargate and not host.text("task_definition_memory"):
        for part in parts:
            if not part["memory"] and not part["memory_reservation"]:
                variable = "task_definition_memory" if part is own else "task_definition_extra_containers"
                yield host.fault(
                    variable,
                    f"Neither the task nor its container {part['name']!r} has a memory size, and EC2 needs one.",
                    "Set task_definition_memory, or the container's soft or hard limit.",
                )
    total = sum(c["cpu"] or 0 for c in parts)
    if cpu is not None and total > cpu:
        yield host.fault(
            "task_definition_container_cpu",
            f"The containers reserve {total} CPU units, the task has {cpu}.",
            "Raise task_definition_cpu, or lower theirs.",
            value=own["cpu"],
        )


def _ports(host: Host) -> Iterator[Fault]:
    yield from in_range(host, "task_definition_container_port", 1, 65535, "A port")
    # 0 means "as the mode does it": Docker's choice in bridge mode, the container's own port in the others.
    yield from in_range(host, "task_definition_host_port", 0, 65535, "A host port")
    mode = host.text("task_definition_network_mode")
    port, inside = host.number("task_definition_host_port"), host.number("task_definition_container_port")
    if mode in ("awsvpc", "host") and port and inside and port != inside:
        yield host.fault(
            "task_definition_host_port",
            f"In network mode {mode} it is the container's port, {inside}.",
            f"Set it to 0 or to {inside}.",
        )
    for extra in containers(host)[1:] if mode in ("awsvpc", "host") else []:
        for there, within in extra["ports"]:
            if there and there != within:
                yield host.fault(
                    "task_definition_extra_containers",
                    f"{extra['name']!r} has host port {there} for its port {within}; in network mode {mode} they are the "
                    "same.",
                    "Leave host_port out.",
                )
    if mode == "bridge" and port in RESERVED_PORTS:
        yield host.fault(
            "task_definition_host_port",
            "SSH, Docker or the ECS agent listens there.",
            "Choose another, or 0 to let Docker choose.",
        )
    elif mode == "bridge" and port and 32768 <= port <= 65535:
        yield host.fault(
            "task_definition_host_port",
            "Docker gives ports from 32768 up to containers with host port 0; this one may be taken.",
            "Choose one below 32768, or 0.",
            warning=True,
        )


def environments(host: Host) -> Iterator[tuple[str, str, Any]]:
    """Yield (where, name, value) of every environment variable of every container."""
    for name, value in host.mapped("task_definition_environment").items():
        yield "task_definition_environment", str(name), value
    for extra in host.listed("task_definition_extra_containers"):
        given = extra.get("environment") if isinstance(extra, dict) else None
        if isinstance(given, dict):
            pairs = list(given.items())
        else:
            pairs = [(e.get("name"), e.get("value")) for e in given or [] if isinstance(e, dict)]
        for name, value in pairs:
            yield "task_definition_extra_containers", str(name), value


def _environment(host: Host) -> Iterator[Fault]:
    for where, name, value in environments(host):
        variable = f"{where}.{name}"
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", name):
            yield host.fault(
                variable,
                "A variable's name is made of letters, digits and _ . -, and begins with no digit.",
                "Give it another name.",
            )
        if isinstance(value, (dict, list)) or value is None:
            yield host.fault(variable, "Its value is no text.", "Write a text; JSON in quotes.")
        elif isinstance(value, bool):
            yield host.fault(
                variable,
                "YAML reads this as yes or no, and the container would see True or False.",
                'Put it in quotes: "true".',
            )
        if looks_secret(name) or (isinstance(value, str) and _SECRET_VALUE.search(value)):
            yield host.fault(
                variable,
                "This looks like a secret, and everyone who may read the task definition could read it.",
                "Keep it in Secrets Manager or as an SSM SecureString, and put its ARN into task_definition_secrets.",
            )


def _secrets(host: Host) -> Iterator[Fault]:
    plain = host.mapped("task_definition_environment")
    for name, value in host.mapped("task_definition_secrets").items():
        variable = f"task_definition_secrets.{name}"
        text = str(value or "")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", str(name)):
            yield host.fault(
                variable,
                "A variable's name is made of letters, digits and _ . -, and begins with no digit.",
                "Give it another name.",
            )
        if not SECRET_ARN.fullmatch(text) and not re.fullmatch(r"/[A-Za-z0-9_.\-/]+", text):
            yield host.fault(
                variable,
                "This is neither an ARN nor the path of an SSM parameter. If it is the secret itself, take it out now.",
                "Put there arn:aws:secretsmanager:…:secret:… or arn:aws:ssm:…:parameter/…; the value stays in AWS.",
            )
        if name in plain:
            yield host.fault(variable, "task_definition_environment has the same name.", "Keep it in one of the two.")


def _health_check(host: Host) -> Iterator[Fault]:
    check = {snake(str(k)): v for k, v in host.mapped("task_definition_health_check").items()}
    if not check:
        return
    command = check.get("command")
    if not isinstance(command, list) or len(command) < 2 or command[0] not in ("CMD", "CMD-SHELL"):
        yield host.fault(
            "task_definition_health_check.command",
            "It is a list that begins with CMD or CMD-SHELL.",
            "Write [CMD-SHELL, curl -f http://localhost/ || exit 1].",
            value=command,
        )
    for key, low, high in (("interval", 5, 300), ("timeout", 2, 60), ("retries", 1, 10), ("start_period", 0, 300)):
        value = number(check.get(key))
        if key in check and (value is None or not low <= value <= high):
            yield host.fault(
                f"task_definition_health_check.{key}",
                f"It goes from {low} to {high}.",
                "Set it within these.",
                value=check[key],
            )
