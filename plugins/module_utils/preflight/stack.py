# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that CloudFormation makes: what its template can't do is told before it is tried."""

from __future__ import annotations

import os
from typing import Any, Iterator, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host, in_range, one_of, truthy
from ansible_collections.handson.ecs.plugins.module_utils.preflight.names import STACK, problem_of

#: Variable -> (the value that asks for nothing, what it would be). The roles do these, the template does not.
ONLY_ROLES = {
    "instances_image_id": ("", "an image that is named by its id"),
    "instances_volume_kms_key": ("", "a key of your own for the volumes"),
    "instances_agent_config": ({}, "further settings of the agent"),
    "instances_user_data": ("", "further lines of user data"),
    "instances_public_ip": (None, "another choice than the subnet's"),
    "instances_refresh": (False, "an instance refresh"),
    "instances_capacity_provider_enabled": (False, "a capacity provider"),
    "load_balancer_certificate_arn": ("", "an HTTPS listener"),
    "load_balancer_deletion_protection": (False, "deletion protection"),
}


def by_stack(host: Host) -> bool:
    """Return whether this cluster is made by CloudFormation."""
    return host.text("cluster_made_by") == "stack"


def check_made_by(host: Host) -> Iterator[Fault]:
    """Check how the cluster is made, and of a stack whether this collection's template can make it."""
    yield from one_of(host, "cluster_made_by", ("roles", "stack"), "What a cluster is made by")
    if not by_stack(host):
        return
    problem = problem_of(host.text("cluster_stack_name"), STACK)
    if problem and "cluster_stack_name" not in host.broken:
        yield host.fault("cluster_stack_name", problem, "Set cluster_stack_name to another name.")
    yield from in_range(host, "cluster_stack_wait_timeout", 1, None, "A number of seconds")
    template = host.text("cluster_stack_template")
    if template:
        if not os.path.isfile(template):
            yield host.fault("cluster_stack_template", "There is no such file.", "Write its whole path.")
        return
    if host.text("network_mode") != "create":
        yield host.fault(
            "network_mode", "A stack makes a VPC of its own.", "Leave it out, or set cluster_made_by to roles."
        )
    for variable, (nothing, what) in ONLY_ROLES.items():
        value = host.values.get(variable, nothing)
        asked = truthy(value) if isinstance(nothing, bool) else value not in (nothing, None, "")
        if variable in host.given and asked:
            yield host.fault(
                variable,
                f"The stack's template has no place for {what}.",
                "Leave it out, set cluster_made_by to roles, or name a template of your own in cluster_stack_template.",
            )
    # instances_capacity_provider_enabled follows the mode, and then nobody has given it.
    if host.text("instance_scaling_mode") == "capacity_provider":
        yield host.fault(
            "instance_scaling_mode",
            "The stack's template has no place for a capacity provider.",
            "Set it to target_tracking or none, set cluster_made_by to roles, or name a template of your own in "
            "cluster_stack_template.",
        )
    for variable, what in (("security_groups_ssh_cidrs", "SSH is closed"), ("key_pair_name", "instances have no key")):
        if variable in host.given and host.values.get(variable):
            yield host.fault(
                variable, f"It changes nothing here: in a cluster that a stack makes, {what}.", "Leave it out.", warning=True
            )
    if host.text("load_balancer_ip_address_type") not in ("", "ipv4"):
        yield host.fault("load_balancer_ip_address_type", "The stack's VPC has IPv4 alone.", "Set it to ipv4.")
    yield from _counts(host)


def _counts(host: Host) -> Iterator[Fault]:
    """The template has two subnets, and takes one block for who may reach the load balancer."""
    subnets, zones = host.listed("network_subnet_cidrs"), host.listed("network_availability_zones")
    if len(subnets) > 2:
        yield host.fault("network_subnet_cidrs", f"These are {len(subnets)}; the stack has two subnets.", "Name two.")
    if len(zones) == 1:
        yield host.fault("network_availability_zones", "The stack has two subnets.", "Name two zones, or none.")
    sources = host.listed("security_groups_load_balancer_cidrs")
    if len(sources) != 1 or ":" in str(sources[0]):
        yield host.fault(
            "security_groups_load_balancer_cidrs",
            "The stack's template takes one IPv4 block.",
            "Name one that holds them all, or set cluster_made_by to roles.",
        )


def check_made_as_before(host: Host, facts: Mapping[str, Any]) -> Iterator[Fault]:
    """Check that a cluster that stands was made in the way that the inventory asks for. Both at once would collide."""
    active, by_stacks = facts.get("clusters"), facts.get("stack_clusters")
    name = host.text("cluster_name")
    if host.kind != "cluster" or not active or by_stacks is None or name not in active:
        return
    was = "stack" if name in by_stacks else "roles"
    if host.text("cluster_made_by") in ("roles", "stack") and host.text("cluster_made_by") != was:
        yield host.fault(
            "cluster_made_by",
            f"The cluster {name} stands, and was made by {'a CloudFormation stack' if was == 'stack' else 'the roles'}.",
            f"Set it to {was}, or take the cluster away first: ansible-playbook teardown.yml --limit {host.name}",
        )
