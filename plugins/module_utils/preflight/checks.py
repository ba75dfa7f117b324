# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All checks in one order, and the report."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.preflight import (
    account,
    capacity,
    delivery,
    delivery_facts,
    facts as found,
    fargate,
    image,
    instances,
    load_balancer,
    names,
    network,
    service,
    stack,
    task_definition,
    watching,
    workstation,
)
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import NOTHING, Fault, Host

_EVERY = (account.check_account, account.check_tags, account.check_arns, names.check_names)
_CLUSTER = (
    stack.check_made_by,
    network.check_network,
    network.check_sources,
    load_balancer.check_load_balancer,
    instances.check_cluster,
    instances.check_instances,
    watching.check_instance_scaling,
    watching.check_monitoring,
)
_SERVICE = (
    image.check_registry,
    image.check_image,
    task_definition.check_task_definition,
    load_balancer.check_target_group,
    service.check_service,
    delivery.check_delivery,
    watching.check_service_scaling,
    watching.check_monitoring,
)

_OF_KIND = {
    "cluster": _EVERY + _CLUSTER,
    "service": _EVERY + _SERVICE,
    "workstation": (account.check_account, workstation.check_workstation),
}


def check_values(hosts: list[Host]) -> list[Fault]:
    """Return the faults that the inventory alone shows. No network."""
    clusters = {h.name: h for h in hosts if h.kind == "cluster"}
    faults: list[Fault] = []
    for host in hosts:
        for check in _OF_KIND[host.kind]:
            faults += check(host)
        if host.kind == "service":
            faults += service.check_cluster_of(host, clusters)
            faults += watching.check_together(host, service.cluster_of(host, clusters))
    faults += names.check_unique(hosts)
    faults += workstation.check_unique(hosts)
    faults += _unique_services(hosts)
    faults += load_balancer.check_shared_listeners(hosts)
    faults += delivery.check_shared_caches(hosts)
    return faults


def check_retired(host: Host, services: list[str]) -> Iterator[Fault]:
    """Check that a service that is to go is not among those that are to stay."""
    if host.name in services:
        problem = "It is in the group services as well, so it is to stay and to go."
        yield Fault(host.name, "group retired_services", NOTHING, problem, "Take it out of one of the two groups.")


def check_room(hosts: list[Host], types: Mapping[str, Any]) -> list[Fault]:
    """Return the faults of tasks that find no room. `types` is what DescribeInstanceTypes told of those asked for."""
    clusters = {h.name: h for h in hosts if h.kind == "cluster"}
    services = [h for h in hosts if h.kind == "service"]
    faults: list[Fault] = []
    for host in services:
        faults += capacity.check_room(host, clusters, types)
    for cluster in clusters.values():
        mine = [s for s in services if service.cluster_of(s, clusters) is cluster]
        faults += capacity.check_shared_room(cluster, mine, types)
    return faults


def check_account(hosts: list[Host]) -> list[Fault]:
    """Return the faults of account and region alone."""
    return [fault for host in hosts for fault in account.check_account(host)]


def check_facts(hosts: list[Host], facts: Mapping[str, Any], scope: str) -> list[Fault]:
    """Return the faults that the account shows, and on a real one the warnings that an emulator needs not."""
    faults: list[Fault] = []
    for host in hosts:
        faults += found.check_problems(host, facts)
        faults += found.check_identity(host, facts)
        if scope == "all":
            faults += found.check_cluster_facts(host, facts)
            faults += stack.check_made_as_before(host, facts)
            faults += workstation.check_facts(host, facts)
            faults += fargate.check_living_service(host, facts)
            faults += delivery_facts.check_delivery_facts(host, facts)
            if host.kind == "cluster" and not stack.by_stack(host) and not facts.get("endpoint"):
                faults += network.check_open_ssh(host)
    return faults


def _unique_services(hosts: list[Host]) -> Iterator[Fault]:
    taken: dict[tuple[str, str], list[Host]] = {}
    for host in hosts:
        if host.kind == "service" and host.text("service_name"):
            taken.setdefault((host.text("cluster_name"), host.text("service_name")), []).append(host)
    for sharers in taken.values():
        for host in sharers if len(sharers) > 1 else []:
            others = ", ".join(h.name for h in sharers if h is not host)
            yield host.fault(
                "service_name",
                f"{others} has the same in the cluster {host.text('cluster_name')}.",
                "Give one of them another name.",
            )


def of_deployed(faults: Iterable[Fault], hosts: list[Host]) -> list[Fault]:
    """Return the faults of hosts that the run deploys, each once, in a steady order."""
    deployed = {h.name for h in hosts if h.deployed}
    once = {(f.host, f.shown(), f.problem): f for f in faults if f.host in deployed}
    return [once[key] for key in sorted(once)]


def as_dict(fault: Fault) -> dict[str, Any]:
    """Return a fault for the task's result. The value is text, and missing where it is not shown."""
    shown = fault.shown()
    known = {} if fault.value is NOTHING or shown == fault.variable else {"value": fault.value}
    return {"host": fault.host, "variable": fault.variable, **known, "problem": fault.problem, "remedy": fault.remedy}


def report(faults: list[Fault]) -> str:
    """Return one readable text with every fault. What several hosts have in common stands there once."""
    bodies: dict[tuple[str, str, str], list[str]] = {}
    for fault in faults:
        bodies.setdefault((fault.shown(), fault.problem, fault.remedy), []).append(fault.host)
    blocks: dict[str, list[str]] = {}
    for (shown, problem, remedy), on in bodies.items():
        blocks.setdefault(", ".join(sorted(set(on))), []).append(f"  {shown}\n      {problem}\n      -> {remedy}")
    return "\n\n".join(f"{on}:\n" + "\n".join(lines) for on, lines in sorted(blocks.items()))


def counted(faults: list[Fault]) -> int:
    """Return how many different faults these are; the same one on several hosts is one to mend."""
    return len({(f.shown(), f.problem, f.remedy) for f in faults})
