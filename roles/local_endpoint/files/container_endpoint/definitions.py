# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What a task definition asks for and containers here don't get: refused, or said where people look.

Without its volume a container would lose what it writes, without its dependency begin too early, and privileged be
root on this machine: that is refused when it is registered. The rest is told by an event of the service and by the
reason of a container that ended.
"""

from typing import Any

from embedded_endpoint.gaps import errors
from embedded_endpoint.gaps.patching import replace
from moto.ecs.models import EC2ContainerServiceBackend

#: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
REFUSED = {
    "mountPoints": "what it writes there would be lost",
    "volumesFrom": "what it writes there would be lost",
    "dependsOn": "it would not wait for the other container",
    "privileged": "it would be root on this machine, for whoever here can call the endpoint",
}
#: What tasks.py, secrets.py, logs.py and the records follow. Names of ports are for other services than these.
FOLLOWED = {
    "name", "image", "versionConsistency", "command", "entryPoint", "workingDirectory", "user", "environment",
    "secrets", "essential", "cpu", "memory", "memoryReservation", "portMappings", "readonlyRootFilesystem", "stopTimeout",
}  # fmt: skip
#: Settings of the task definition itself, by moto's names:
#: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html
NOT_FOLLOWED = {
    "task_role_arn": "taskRoleArn",
    "pid_mode": "pidMode",
    "ipc_mode": "ipcMode",
    "proxy_configuration": "proxyConfiguration",
    "runtime_platform": "runtimePlatform",
    "ephemeral_storage": "ephemeralStorage",
    "inference_accelerators": "inferenceAccelerators",
}


def refused(container: dict[str, Any]) -> str:
    """Why a container can't be started as it is defined; empty if it can."""
    found = [f"{name} ({why})" for name, why in REFUSED.items() if container.get(name)]
    return " and ".join(found)


def not_followed(container: dict[str, Any]) -> list[str]:
    """The settings of a container definition that make no difference here."""
    names = [name for name, value in container.items() if value and name not in FOLLOWED and name not in REFUSED]
    parameters = container.get("linuxParameters") or {}
    if not any(value for name, value in parameters.items() if name != "initProcessEnabled"):
        names = [name for name in names if name != "linuxParameters"]
    logs = container.get("logConfiguration") or {}
    if logs.get("logDriver") == "awslogs":
        names = [name for name in names if name != "logConfiguration"]
    return sorted(names)


def left_out(definition) -> str:
    """What a task is started without, in words for an event; empty if nothing is left out."""
    said = [name for attribute, name in NOT_FOLLOWED.items() if getattr(definition, attribute, None)]
    for container in definition.container_definitions:
        names = not_followed(container)
        if names:
            said.append(f"{', '.join(names)} of container {container['name']}")
    if definition.network_mode in ("awsvpc", "host") and len(definition.container_definitions) > 1:
        mode = definition.network_mode
        said.append(f"the network that containers share in mode {mode} (here localhost is each one's own)")
    return "; ".join(said)


@replace(EC2ContainerServiceBackend)
def register_task_definition(original, self, family, container_definitions, *args, **kwargs):
    for container in container_definitions or []:
        why = refused(container)
        if why:
            raise errors.client(
                f"The local endpoint's containers can't follow {why} of container {container.get('name')}. Leave it out "
                "here, or try it without containers (make site) or on a real account."
            )
    return original(self, family, container_definitions, *args, **kwargs)
