# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VPC, its subnets, and who may reach what."""

from __future__ import annotations

import re
from typing import Iterator

from ansible_collections.handson.ecs.plugins.module_utils import networks
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host, one_of

WORLD = ("0.0.0.0/0", "::/0")


def check_network(host: Host) -> Iterator[Fault]:
    """Check the variables of the network mode that is chosen."""
    yield from one_of(host, "network_mode", ("default", "existing", "create"), "The network mode")
    mode = host.text("network_mode")
    if mode == "create":
        yield from _created(host)
    elif mode == "existing":
        yield from _existing(host)
    elif mode == "default":
        for variable in ("network_vpc_id", "network_subnet_ids"):
            if host.values.get(variable):
                yield host.fault(
                    variable,
                    "It is given, but network_mode is 'default'.",
                    "Set network_mode to 'existing', or leave this empty.",
                )


def _existing(host: Host) -> Iterator[Fault]:
    vpc = host.text("network_vpc_id")
    if not vpc:
        yield host.fault(
            "network_vpc_id",
            "network_mode is 'existing', and no VPC is named.",
            "Put the VPC's id there, such as vpc-0a1b2c3d4e5f67890.",
            value="",
        )
    elif not re.fullmatch(r"vpc-([0-9a-f]{8}|[0-9a-f]{17})", vpc):
        yield host.fault("network_vpc_id", "This is not the id of a VPC.", "It looks like vpc-0a1b2c3d4e5f67890.")
    if "network_subnet_ids" in host.broken:
        return
    subnets = [str(s) for s in host.listed("network_subnet_ids")]
    if len(set(subnets)) < 2:
        said = "is one subnet" if len(set(subnets)) == 1 else "are no subnets"
        yield host.fault(
            "network_subnet_ids",
            f"There {said}; a load balancer needs subnets in two zones.",
            "Name subnets of at least two zones.",
        )
    for subnet in sorted(set(subnets)):
        if not re.fullmatch(r"subnet-([0-9a-f]{8}|[0-9a-f]{17})", subnet):
            yield host.fault(
                "network_subnet_ids",
                f"{subnet!r} is not the id of a subnet.",
                "It looks like subnet-0a1b2c3d4e5f67890.",
            )
    if len(subnets) != len(set(subnets)):
        yield host.fault("network_subnet_ids", "A subnet is named twice.", "Name each once.")


def _created(host: Host) -> Iterator[Fault]:
    zones = [str(z) for z in host.listed("network_availability_zones")]
    cidrs = host.listed("network_subnet_cidrs")
    for variable, value, problem, remedy in networks.faults(host.values.get("network_cidr"), cidrs, zones):
        # What can't be read is told already, and what it is held against says nothing.
        unread = {variable} if variable != "network_availability_zones" else {variable, "network_subnet_cidrs"}
        if not unread & host.broken:
            yield host.fault(variable, problem, remedy, value=value)
    for zone in sorted(set(zones)):
        if not zone.startswith(host.text("aws_region")):
            yield host.fault(
                "network_availability_zones",
                f"{zone} is not a zone of {host.text('aws_region')}.",
                "Name zones of aws_region.",
            )


def check_sources(host: Host) -> Iterator[Fault]:
    """Check the blocks that may reach the load balancer and the instances."""
    for variable in ("security_groups_load_balancer_cidrs", "security_groups_ssh_cidrs"):
        for text in host.listed(variable):
            wrong = networks.parsed(text)[1]
            if wrong:
                yield host.fault(variable, f"{text!r}: {wrong}", "Write blocks such as 203.0.113.7/32.")
    if host.values.get("security_groups_load_balancer_cidrs") == []:
        yield host.fault(
            "security_groups_load_balancer_cidrs",
            "Nobody may reach the load balancer.",
            "Name the blocks that may, unless that is meant.",
            warning=True,
        )


def check_open_ssh(host: Host) -> Iterator[Fault]:
    """Warn of a port 22 that is open to everyone. Meant for real accounts only."""
    if any(block in WORLD for block in host.listed("security_groups_ssh_cidrs")):
        yield host.fault(
            "security_groups_ssh_cidrs",
            "Port 22 of the container instances is open to the whole world, as in the tutorial.",
            "Name your own address (203.0.113.7/32), or [] to close it.",
            warning=True,
        )
