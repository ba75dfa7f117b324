# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VPC with public subnets is made of, and which of the things that are there are its parts."""

from __future__ import annotations

import ipaddress
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.handson.ecs.plugins.module_utils.compare import foreign_because, tags_to_dict

#: The route that makes a subnet public.
ANYWHERE = "0.0.0.0/0"


def check(cidr: str, subnet_cidrs: Sequence[str], zones: Sequence[str]) -> None:
    """Raise ValueError where these blocks and zones cannot be a VPC with public subnets for a load balancer.

    Blocks are /16 to /28 (https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html and
    …/subnet-sizing.html), those of the subnets lie in the VPC's and do not overlap. A load balancer wants two zones.
    """
    vpc = _block("network_cidr", cidr)
    if len(subnet_cidrs) < 2:
        raise ValueError(
            f"network_subnet_cidrs is {list(subnet_cidrs)}, but a load balancer needs subnets in two zones: name two."
        )
    blocks: list[ipaddress.IPv4Network] = []
    for text in subnet_cidrs:
        block = _block("network_subnet_cidrs", text)
        if not block.subnet_of(vpc):
            raise ValueError(f"network_subnet_cidrs has {text}, which is not inside network_cidr, {cidr}.")
        for other in blocks:
            if block.overlaps(other):
                raise ValueError(f"network_subnet_cidrs has {other} and {text}, which overlap.")
        blocks.append(block)
    if zones and len(zones) != len(subnet_cidrs):
        raise ValueError(
            f"network_availability_zones names {len(zones)} zones for {len(subnet_cidrs)} subnets. Name one for each, "
            "or none for the first ones of the region."
        )
    if zones and len(set(zones)) < 2:
        raise ValueError(
            f"network_availability_zones names only {zones[0]}; a load balancer needs subnets in two zones."
        )


def _block(variable: str, text: str) -> ipaddress.IPv4Network:
    try:
        block = ipaddress.IPv4Network(text)
    except ValueError as e:
        raise ValueError(f"{variable} has {text!r}, which is no IPv4 block: {e}.") from None
    if not 16 <= block.prefixlen <= 28:
        raise ValueError(f"{variable} has {text}, but AWS takes blocks from /16 to /28.")
    return block


def zones_for(subnet_cidrs: Sequence[str], there: Mapping[str, str], zones: Sequence[str]) -> dict[str, str]:
    """Return {CIDR: zone} for subnets whose zones nobody named.

    A subnet that is `there` ({CIDR: zone}) stays where it is. Each other gets the first zone of `zones` that fewest of
    them use. Raises ValueError where the region has less than two zones.
    """
    chosen = {cidr: there[cidr] for cidr in subnet_cidrs if cidr in there}
    for cidr in subnet_cidrs:
        if cidr not in chosen:
            if len(zones) < 2:
                raise ValueError(
                    f"The region offers {len(zones)} availability zones for a load balancer's two subnets. Name zones "
                    "in network_availability_zones, or choose another aws_region."
                )
            used = list(chosen.values())
            chosen[cidr] = min(zones, key=used.count)
    return chosen


def first_zones(zones: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of a region's usable zones (DescribeAvailabilityZones), sorted. Local zones are none."""
    return sorted(
        z["ZoneName"]
        for z in zones
        if z.get("State", "available") == "available"
        and z.get("ZoneType", "availability-zone") == "availability-zone"
        and z.get("OptInStatus", "opt-in-not-required") != "not-opted-in"
    )


def ours(things: Iterable[Mapping[str, Any]], owner: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the things that carry the owner's tags."""
    return [t for t in things if not foreign_because(tags_to_dict(t.get("Tags")), owner)]


def is_main(table: Mapping[str, Any]) -> bool:
    """Return whether a route table is the one that came with its VPC and goes with it."""
    return any(a.get("Main") for a in table.get("Associations") or [])


def associated(table: Mapping[str, Any]) -> dict[str, str]:
    """Return {subnet's id: association's id} of a route table."""
    return {a["SubnetId"]: a["RouteTableAssociationId"] for a in table.get("Associations") or [] if a.get("SubnetId")}


def default_route(table: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return a route table's route to anywhere."""
    routes = (table or {}).get("Routes") or []
    return next((r for r in routes if r.get("DestinationCidrBlock") == ANYWHERE), None)


def most_used(tables: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return route tables with the one first that has most subnets, so that its doubles are the rest."""
    return sorted(tables, key=lambda t: (-len(associated(t)), t["RouteTableId"]))


def common_tags(things: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the tags that all the things carry with the same values, without Name, which is each one's own."""
    all_tags = [tags_to_dict(t.get("Tags")) for t in things]
    if not all_tags:
        return {}
    first, *rest = all_tags
    return {k: v for k, v in first.items() if k != "Name" and all(tags.get(k) == v for tags in rest)}
