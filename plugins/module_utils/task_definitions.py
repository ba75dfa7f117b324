# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between a task definition as ECS describes it and the options of the module `ecs_task_definition`.

ECS fills in defaults when it registers a task definition (empty lists, `cpu: 0`, `essential: true`, a port's
protocol). Both sides are brought to one form without them, so that only a real difference is a new revision.
Rules: RegisterTaskDefinition and "Amazon ECS task definition parameters" in the ECS documentation.
"""

from __future__ import annotations

import re
from typing import Any, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.secrets import (  # noqa: F401 (SECRET_NAME is for others)
    SECRET_NAME,
    fingerprint,
    looks_secret,
)

#: Below these keys stand the user's own names, which must not be turned from snake_case to camelCase.
VERBATIM = {"environment", "secrets", "docker_labels", "options", "driver_opts", "labels"}
#: Keys whose lists have no order.
UNORDERED = {"port_mappings", "secret_options", "requires_compatibilities", "mount_points", "ulimits", "extra_hosts"}
#: A URL with a password in it, under whatever name.
SECRET_VALUE = re.compile(r"://[^/@\s:]*:[^/@\s]+@")
#: What stands for nothing: ECS adds some of these (`secretOptions: []`, `host: {}`) and leaves others out.
EMPTY = (None, "", [], {})


def camel(name: str) -> str:
    """Turn an option's name into the API's: `memory_reservation` into `memoryReservation`."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def snake(name: str) -> str:
    """Turn the API's name into an option's: `memoryReservation` into `memory_reservation`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda m: "_" + m.group(1).lower(), name)


def to_aws(value: Any, verbatim: bool = False) -> Any:
    """Turn the keys of nested options into the API's, except those below VERBATIM."""
    if isinstance(value, Mapping):
        return {str(k) if verbatim else camel(k): to_aws(v, verbatim or k in VERBATIM) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_aws(v, verbatim) for v in value]
    return value


def from_aws(value: Any, verbatim: bool = False) -> Any:
    """Turn the keys of what the API describes into the options', except those below VERBATIM.

    Empty values are left out, also in the depth: ECS fills them in (`secretOptions: []` of every log configuration,
    `host: {}` of every volume), and an option that is not given means the same.
    """
    if isinstance(value, Mapping):
        out = {k if verbatim else snake(k): from_aws(v, verbatim or snake(k) in VERBATIM) for k, v in value.items()}
        return out if verbatim else {k: v for k, v in out.items() if v not in EMPTY}
    if isinstance(value, (list, tuple)):
        return [from_aws(v, verbatim) for v in value]
    return value


def container_to_aws(container: Mapping[str, Any]) -> dict[str, Any]:
    """Return the API's container definition of one container in normal form."""
    out = to_aws({k: v for k, v in container.items() if k not in ("environment", "secrets")})
    if container.get("environment"):
        out["environment"] = [{"name": k, "value": v} for k, v in sorted(container["environment"].items())]
    if container.get("secrets"):
        out["secrets"] = [{"name": k, "valueFrom": v} for k, v in sorted(container["secrets"].items())]
    return out


def normal_container(container: Mapping[str, Any], network_mode: str) -> dict[str, Any]:
    """Return one container, given as an option, in normal form: no defaults, no order where order means nothing."""
    out = {k: _plain(v, k in VERBATIM) for k, v in container.items()}
    out["essential"] = bool(container.get("essential", True))
    out["environment"] = {str(k): _text(v) for k, v in (container.get("environment") or {}).items()}
    out["secrets"] = {str(k): str(v) for k, v in (container.get("secrets") or {}).items()}
    out["port_mappings"] = [_normal_port(p, network_mode) for p in container.get("port_mappings") or []]
    if out.get("health_check"):
        check = {"interval": 30, "timeout": 5, "retries": 3, **out["health_check"]}
        out["health_check"] = {k: v if k == "command" else int(v) for k, v in check.items()}
    for key in ("cpu", "memory", "memory_reservation", "stop_timeout", "start_timeout"):
        if out.get(key) not in EMPTY:
            out[key] = int(out[key])
    if out.get("cpu") == 0:
        del out["cpu"]
    out = {k: _sorted(k, v) for k, v in out.items()}
    return {k: v for k, v in out.items() if v not in EMPTY}


def container_from_aws(container: Mapping[str, Any], network_mode: str) -> dict[str, Any]:
    """Return one container of DescribeTaskDefinition in normal form."""
    plain = {k: v for k, v in container.items() if k not in ("environment", "secrets")}
    out = from_aws(plain)
    out["environment"] = {e["name"]: e.get("value", "") for e in container.get("environment") or []}
    out["secrets"] = {s["name"]: s["valueFrom"] for s in container.get("secrets") or []}
    return normal_container(out, network_mode)


def size(value: Any) -> str | None:
    """Return a task's cpu or memory as ECS keeps it, CPU units or MiB as text, or None where it is left open.

    ECS also takes `1 vCPU`, `.5 vCPU`, `1 GB`.
    """
    text = str(value if value is not None else "").strip()
    if not text:
        return None
    match = re.fullmatch(r"(\d*\.?\d+)\s*(vcpu|gb)", text, re.IGNORECASE)
    return str(int(float(match.group(1)) * 1024)) if match else text


def role_name(role: str | None) -> str | None:
    """Return a role's name, of a name or of an ARN (`arn:aws:iam::1:role/path/name`), or None where there is none."""
    return role.rsplit("/", 1)[-1] if role else None


#: What ECS adds to a revision, apart from what it says of the task.
OF_THE_REVISION = {
    *("taskDefinitionArn", "revision", "status", "registeredAt", "registeredBy", "deregisteredAt"),
    *("requiresAttributes", "compatibilities", "requiresCompatibilities", "containerDefinitions"),
}


def image_of(definition: Mapping[str, Any], container: str) -> str | None:
    """Return the image of a container of DescribeTaskDefinition's taskDefinition, or None where there is none."""
    return next((c["image"] for c in definition.get("containerDefinitions") or [] if c.get("name") == container), None)


def same_task(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two revisions (DescribeTaskDefinition's taskDefinition) describe the same task."""

    def plain(definition: Mapping[str, Any]) -> tuple[Any, Any]:
        mode = definition.get("networkMode") or "bridge"
        containers = [container_from_aws(c, mode) for c in definition.get("containerDefinitions") or []]
        return from_aws({k: v for k, v in definition.items() if k not in OF_THE_REVISION}), containers

    return plain(one) == plain(other)


def masked(containers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return containers fit to be shown: the value of a variable that looks secret is replaced by a fingerprint.

    The fingerprint still shows that a value changed. Secrets belong into `secrets`, which holds ARNs, no values.
    """
    shown = {}
    for name, container in containers.items():
        environment = {
            k: fingerprint(v) if looks_secret(k) or SECRET_VALUE.search(v) else v
            for k, v in container.get("environment", {}).items()
        }
        shown[name] = {**container, **({"environment": environment} if environment else {})}
    return shown


def _normal_port(port: Mapping[str, Any], network_mode: str) -> dict[str, Any]:
    out = {k: v for k, v in port.items() if v not in EMPTY}
    out["protocol"] = out.get("protocol", "tcp")
    if "container_port" in out:  # a container_port_range has none
        out["container_port"] = int(out["container_port"])
        # Left open, the host port is the container's own in awsvpc and host mode, Docker's choice (0) in bridge mode.
        fixed = network_mode in ("awsvpc", "host")
        out["host_port"] = int(out.get("host_port") or 0) or (out["container_port"] if fixed else 0)
    return out


def _plain(value: Any, verbatim: bool) -> Any:
    """Leave out what is empty in the depth; below VERBATIM every value is text, as the API wants it."""
    if isinstance(value, Mapping):
        if verbatim:
            return {str(k): _text(v) for k, v in value.items() if v is not None}
        out = {k: _plain(v, k in VERBATIM) for k, v in value.items()}
        return {k: v for k, v in out.items() if v not in EMPTY}
    if isinstance(value, (list, tuple)):
        return [_plain(v, verbatim) for v in value]
    return value


def _sorted(key: str, value: Any) -> Any:
    if key in UNORDERED and isinstance(value, list):
        return sorted(value, key=lambda v: sorted(v.items(), key=str) if isinstance(v, Mapping) else str(v))
    return value


def _text(value: Any) -> str:
    """An environment value is text. YAML's true is written the way a shell script or a JVM reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
