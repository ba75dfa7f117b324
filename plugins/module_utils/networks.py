# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VPC with public subnets is made of, and which of the things that are there are its parts."""

from __future__ import annotations

import ipaddress
from typing import Any, Iterable, Iterator, Mapping, Sequence

from ansible_collections.handson.ecs.plugins.module_utils.compare import foreign_because, tags_to_dict

#: The route that makes a subnet public.
ANYWHERE = "0.0.0.0/0"


def check(cidr: str, subnet_cidrs: Sequence[str], zones: Sequence[str]) -> None:
    """Raise ValueError with the first of `faults`."""
    for variable, value, problem, remedy in faults(cidr, subnet_cidrs, zones):
        raise ValueError(f"{variable} is {value!r}. {problem} {remedy}")


def faults(cidr: Any, subnet_cidrs: Sequence[Any], zones: Sequence[str]) -> Iterator[tuple[str, Any, str, str]]:
    """Yield (variable, its value, what is wrong, what to do) of a VPC with public subnets for a load balancer.

    Blocks are /16 to /28 (https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html and
    …/subnet-sizing.html), those of the subnets lie in the VPC's and do not overlap. A load balancer wants two zones,
    and takes one subnet of each
    (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html).
    `zones` are one for each subnet, or empty.
    """
    variable, given = "network_cidr", cidr
    vpc, wrong = block_of(cidr, "A VPC's block")
    if wrong:
        yield variable, given, wrong, "Write a block such as 10.0.0.0/16."
    variable, given = "network_subnet_cidrs", list(subnet_cidrs)
    if len(given) < 2:
        said = "is one subnet" if len(given) == 1 else "are no subnets"
        yield variable, given, f"There {said}; a load balancer needs subnets in two zones.", "Name at least two blocks."
    seen: list[ipaddress.IPv4Network] = []
    for text in given:
        subnet, wrong = block_of(text, "a subnet")
        if subnet is None:
            yield variable, given, f"{text!r}: {wrong}", "Write blocks such as 10.0.0.0/24."
            continue
        if vpc is not None and not subnet.subnet_of(vpc):
            problem = f"{text} lies outside the VPC's block {vpc}."
            yield variable, given, problem, "Choose a block inside network_cidr."
        for other in seen:
            if subnet.overlaps(other):
                yield variable, given, f"{text} overlaps {other}.", "Choose blocks that don't overlap."
        seen.append(subnet)
    variable = "network_availability_zones"
    if zones and len(zones) != len(given):
        yield (
            variable,
            list(zones),
            f"There are {len(zones)} zones for {len(given)} subnets.",
            "Name one zone for each subnet, in their order, or leave it empty.",
        )
    elif len(set(zones)) < len(zones):
        twice = sorted({z for z in zones if list(zones).count(z) > 1})
        yield (
            variable,
            list(zones),
            f"Several subnets lie in one zone, {', '.join(twice)}; a load balancer takes one subnet of a zone.",
            "Name another zone for each subnet, or fewer subnets.",
        )


def parsed(text: Any) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network | None, str]:
    """Parse a CIDR block. Returns (network, "") or (None, what is wrong with it)."""
    if not isinstance(text, str) or "/" not in text:
        return None, "A CIDR block looks like 10.0.0.0/16."
    try:
        return ipaddress.ip_network(text), ""
    except ValueError:
        pass
    try:
        return None, f"It has bits set behind its prefix; the block is {ipaddress.ip_network(text, strict=False)}."
    except ValueError:
        return None, "A CIDR block looks like 10.0.0.0/16."


def block_of(text: Any, what: str) -> tuple[ipaddress.IPv4Network | None, str]:
    """Parse an IPv4 block of the size that AWS takes. Returns as `parsed` does; `what` is the subject of the text."""
    block, wrong = parsed(text)
    if block is not None and (block.version != 4 or not 16 <= block.prefixlen <= 28):
        return None, f"{what} is an IPv4 block from /16 to /28."
    return block, wrong


def zones_for(subnet_cidrs: Sequence[str], there: Mapping[str, str], zones: Sequence[str]) -> dict[str, str]:
    """Return {CIDR: zone} for subnets whose zones nobody named, each in a zone of its own.

    A subnet that is `there` ({CIDR: zone}) stays where it is. Each other gets the first zone of `zones` that none of
    them uses. Raises ValueError where there are fewer zones than subnets: a load balancer takes one subnet of a zone.
    """
    chosen = {cidr: there[cidr] for cidr in subnet_cidrs if cidr in there}
    shared = sorted({z for z in chosen.values() if list(chosen.values()).count(z) > 1})
    if shared:
        raise ValueError(
            f"Several subnets of network_subnet_cidrs lie in one zone, {', '.join(shared)}, and a load balancer takes "
            "one subnet of a zone. Take all but one of them out of network_subnet_cidrs."
        )
    for cidr in subnet_cidrs:
        if cidr not in chosen:
            free = [z for z in zones if z not in chosen.values()]
            if not free:
                raise ValueError(
                    f"The region offers {len(zones)} availability zones for {len(subnet_cidrs)} subnets, and a load "
                    "balancer takes one subnet of a zone. Name fewer blocks in network_subnet_cidrs (two at least), or "
                    "choose another aws_region."
                )
            chosen[cidr] = free[0]
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
