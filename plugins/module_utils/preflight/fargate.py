# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only Fargate asks for: a size of its own list, network mode awsvpc, and nothing that needs an instance.

Rules: "Amazon ECS task definition differences for Fargate", "Troubleshoot Amazon ECS task definition invalid CPU or
memory errors" and "Amazon ECS task networking options for Fargate" in the ECS developer guide.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host, truthy
from ansible_collections.handson.ecs.plugins.module_utils.task_definitions import snake

#: Valid MiB by CPU units, smallest first.
SIZES: dict[int, list[int]] = {
    256: [512, 1024, 2048],
    512: list(range(1024, 4096 + 1, 1024)),
    1024: list(range(2048, 8192 + 1, 1024)),
    2048: list(range(4096, 16384 + 1, 1024)),
    4096: list(range(8192, 30720 + 1, 1024)),
    8192: list(range(16384, 61440 + 1, 4096)),
    16384: list(range(32768, 122880 + 1, 8192)),
}
#: Parameters of a container that are refused.
REFUSED = (
    "disable_networking",
    "dns_search_domains",
    "dns_servers",
    "docker_security_options",
    "extra_hosts",
    "links",
    "privileged",
)
#: The same inside of `linux_parameters`.
REFUSED_LINUX = ("devices", "max_swap", "shared_memory_size", "swappiness")
LOG_DRIVERS = ("awslogs", "splunk", "awsfirelens")
#: Parameters of a volume that need an instance.
REFUSED_VOLUMES = ("docker_volume_configuration", "fsx_windows_file_server_volume_configuration")


def sizes_text(sizes: list[int]) -> str:
    """Return valid MiB in words: all of a few, otherwise from, to and step."""
    if len(sizes) <= 4:
        return ", ".join(map(str, sizes[:-1])) + f" or {sizes[-1]} MiB"
    return f"{sizes[0]} to {sizes[-1]} MiB in steps of {sizes[1] - sizes[0]}"


def check_fargate_size(host: Host, cpu: int | None, memory: int | None) -> Iterator[Fault]:
    """Check the task's size. `cpu` is in CPU units, `memory` in MiB; None where it is open or can't be read."""
    every = f"Set it to one of {', '.join(map(str, SIZES))}."
    fitting = (
        f"Set it to {sizes_text(SIZES[cpu])}." if cpu in SIZES else "Set it to what goes with task_definition_cpu."
    )
    for variable, remedy in (("task_definition_cpu", every), ("task_definition_memory", fitting)):
        if not host.text(variable) and variable not in host.broken:
            yield host.fault(variable, "A task on Fargate needs a size, and this one is open.", remedy)
    if cpu is None:
        return
    if cpu not in SIZES:
        yield host.fault("task_definition_cpu", "Fargate has no such size.", every)
    elif memory is not None and memory not in SIZES[cpu]:
        enough = [m for m in SIZES[cpu] if m >= memory] or SIZES[cpu][-1:]
        larger = [c for c, sizes in SIZES.items() if memory in sizes]
        yield host.fault(
            "task_definition_memory",
            f"With {cpu} CPU units Fargate takes {sizes_text(SIZES[cpu])}.",
            f"Set it to {enough[0]}"
            + (f", or task_definition_cpu to {' or '.join(map(str, larger))}." if larger else "."),
        )


def check_fargate(host: Host) -> Iterator[Fault]:
    """Check what a task definition for Fargate may not have."""
    if host.text("task_definition_network_mode") != "awsvpc" and "task_definition_network_mode" not in host.broken:
        yield host.fault(
            "task_definition_network_mode",
            "Fargate knows awsvpc only.",
            "Set it to awsvpc, or take the line out: that is its default there.",
        )
    for extra in host.listed("task_definition_extra_containers"):
        if isinstance(extra, dict):
            given = _snake(extra)
            for said in _refused(given):
                yield host.fault(
                    "task_definition_extra_containers",
                    f"Fargate refuses {said} of the container {str(given.get('name', ''))!r}.",
                    "Leave it out, or run the service on EC2 (task_definition_launch_type).",
                )
    for volume in host.listed("task_definition_volumes"):
        given = _snake(volume) if isinstance(volume, dict) else {}
        source = _snake(given.get("host") or {}).get("source_path") if isinstance(given.get("host"), dict) else None
        for said in [f"the folder {source} of an instance"] * bool(source) + [
            k for k in REFUSED_VOLUMES if given.get(k)
        ]:
            yield host.fault(
                "task_definition_volumes",
                f"The volume {str(given.get('name', ''))!r} has {said}, which Fargate doesn't know.",
                "Give it a name alone (empty, gone with the task), or efs_volume_configuration.",
            )


def check_fargate_service(host: Host) -> Iterator[Fault]:
    """Check what a service on Fargate may not have, and whether its tasks get to their image."""
    if host.text("service_scheduling_strategy") == "DAEMON":
        yield host.fault(
            "service_scheduling_strategy", "Fargate has no instances to put a daemon on.", "Set it to REPLICA."
        )
    if host.listed("service_placement_constraints"):
        yield host.fault(
            "service_placement_constraints",
            "Fargate has no instances to choose from, and ECS refuses constraints there.",
            "Set it to [].",
        )
    # The default is for EC2, and the role leaves it out here. Who wrote one meant something by it.
    if "service_placement_strategy" in host.given and host.listed("service_placement_strategy"):
        yield host.fault(
            "service_placement_strategy",
            "Fargate spreads tasks over the zones by itself; this is not passed on.",
            "Take it out, or set it to [].",
            warning=True,
        )
    if "service_capacity_provider" in host.given and host.text("service_capacity_provider"):
        yield host.fault(
            "service_capacity_provider",
            "Tasks with the launch type FARGATE take no notice of capacity providers.",
            'Set it to "", or task_definition_launch_type to EC2.',
        )
    public = host.text("network_mode") in ("default", "create")
    if public and "service_assign_public_ip" in host.values and not truthy(host.values["service_assign_public_ip"]):
        yield host.fault(
            "service_assign_public_ip",
            "The subnets are public, and without a public address a task there reaches no registry and no log group, "
            "unless the VPC has endpoints for ECR, S3 and CloudWatch Logs.",
            "Set it to true, or take the line out: that is its default here.",
            warning=True,
        )


def on_fargate(host: Host) -> bool:
    """Return whether the host is a service that is to run on Fargate."""
    mine = host.kind == "service" and host.text("service_state") != "absent"
    return mine and host.text("task_definition_launch_type") == "FARGATE"


def check_living_service(host: Host, facts: Mapping[str, Any]) -> Iterator[Fault]:
    """Check that the service does not run on instances now.

    UpdateService takes no launch type. It may move a service to the capacity provider FARGATE (UpdateService,
    capacityProviderStrategy), with another target group, since ModifyTargetGroup takes no target type. This collection does
    neither: its services on Fargate have the launch type, and one target group. The modules refuse both as well, but by then the cluster may
    have lost the instances that the living service runs on.
    """
    for living in facts.get("services") or []:
        here = (living["cluster"], living["service"]) == (host.text("cluster_name"), host.text("service_name"))
        if here and on_fargate(host) and living["launch_type"] != "FARGATE":
            by = f"with launch type {living['launch_type']}" if living["launch_type"] else "by a capacity provider"
            yield host.fault(
                "task_definition_launch_type",
                f"The service stands already, {by}. AWS could move it to the capacity provider FARGATE with another target "
                "group, which this collection does not do; its launch type and its target group's type stay.",
                f"Take it away, then run again: ansible-playbook playbooks/teardown_service.yml --limit {host.name} "
                "(with the same inventories). It serves nobody in between.",
            )


def _snake(given: dict[Any, Any]) -> dict[str, Any]:
    return {snake(str(k)): v for k, v in given.items()}


def _refused(container: dict[str, Any]) -> Iterator[str]:
    """Yield what Fargate refuses of a container, in words."""
    yield from (key for key in REFUSED if container.get(key))
    linux = container.get("linux_parameters")
    linux = _snake(linux) if isinstance(linux, dict) else {}
    yield from (f"linux_parameters.{key}" for key in REFUSED_LINUX if linux.get(key) not in (None, "", []))
    capabilities = linux.get("capabilities")
    added = (capabilities.get("add") or []) if isinstance(capabilities, dict) else []
    yield from (f"the capability {name}" for name in map(str, added) if name != "SYS_PTRACE")
    for wanted in container.get("resource_requirements") or []:
        if isinstance(wanted, dict) and wanted.get("type") == "GPU":
            yield "a GPU"
    log = container.get("log_configuration")
    driver = str(_snake(log).get("log_driver") or "") if isinstance(log, dict) else ""
    if driver and driver not in LOG_DRIVERS:
        yield f"the log driver {driver} (it takes {', '.join(LOG_DRIVERS)})"
