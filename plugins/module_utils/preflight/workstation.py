# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workstation: an instance, or a Cloud9 environment, to work on.

Ranges: cloudformation CreateStack (name), ec2 RunInstances, AWS::Cloud9::EnvironmentEC2 (minutes).
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Iterator, Mapping

from ansible_collections.handson.ecs.plugins.module_utils import networks
from ansible_collections.handson.ecs.plugins.module_utils.preflight import account
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host, in_range, one_of
from ansible_collections.handson.ecs.plugins.module_utils.preflight.instance_types import closest, instance_type
from ansible_collections.handson.ecs.plugins.module_utils.preflight.names import (
    KEY_PAIR,
    REPOSITORY,
    STACK,
    Rule,
    problem_of,
)
from ansible_collections.handson.ecs.plugins.module_utils.preflight.network import WORLD

#: The snapshot of the Amazon Linux 2023 image has 8 GiB; two JDKs, Docker and a build's cache want twice as much.
IMAGE_GIB, ENOUGH_GIB = 8, 16
#: A shorter time could end before anybody has got in after a start.
LEAST_IDLE_MINUTES, MOST_IDLE_MINUTES = 5, 20160
#: What a URL of a repository is made of. It becomes a word of a shell script, so no quotes and no spaces.
REPOSITORY_URL = r"https://[A-Za-z0-9.-]+(:\d+)?(/[A-Za-z0-9._~-]+)+"
#: All that check_unique reads of a workstation, and so all that is read of one that the run does not deploy: its
#: workstation_cidrs, for instance, would ask workstation_address_url for an address that nobody needs.
LOOKED_UP = ("aws_account_id", "aws_region", "workstation_name", "workstation_key_name")
AMAZON_LINUX = "/aws/service/ami-amazon-linux-latest/al2023-ami-"


def on_ec2(host: Host) -> bool:
    """Return whether this is an instance of our own, and not one of Cloud9's."""
    return host.text("workstation_kind") == "ec2"


def check_workstation(host: Host) -> Iterator[Fault]:
    """Check all that the inventory says about a workstation."""
    yield from account.check_tags(_owned(host))
    yield from one_of(host, "workstation_kind", ("ec2", "cloud9"), "The kind of a workstation")
    yield from _named(host, "workstation_name", STACK)
    kind = host.text("workstation_instance_type")
    if "workstation_instance_type" not in host.broken and not re.fullmatch(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", kind):
        yield host.fault("workstation_instance_type", "This is no instance type.", "It looks like t2.micro.")
    yield from _idle(host)
    yield from _repositories(host)
    yield from _subnet(host)
    if on_ec2(host):
        yield from _named(host, "workstation_key_name", KEY_PAIR)
        yield from _volume(host)
        yield from _image(host, kind, None)
        yield from in_range(host, "workstation_metadata_hop_limit", 1, 64, "The hop limit")
        yield from _sources(host)
        yield from _ports(host)
        yield from _registries(host)
        yield from _packages(host)


def check_unique(hosts: list[Host]) -> Iterator[Fault]:
    """Check that no workstation takes the name of another one's stack, or the key pair of anything else."""
    taken: dict[tuple[str, ...], list[tuple[Host, str]]] = {}
    for host in hosts:
        own = {"workstation": ("workstation_name", "workstation_key_name"), "cluster": ("key_pair_name",)}
        for variable in own.get(host.kind, ()):
            if host.text(variable):
                what = "stack" if variable == "workstation_name" else "key pair"
                place = (host.text("aws_account_id"), host.text("aws_region"), what, host.text(variable))
                taken.setdefault(place, []).append((host, variable))
    for (_, _, what, _), sharers in taken.items():
        for host, variable in sharers if len(sharers) > 1 else []:
            if host.kind == "workstation":
                others = ", ".join(h.name for h, _ in sharers if h is not host)
                yield host.fault(variable, f"{others} has the same {what}.", f"Give {variable} another value.")


def _owned(host: Host) -> Host:
    """Return the host with its own tags of ownership where those of a cluster stand."""
    return dataclasses.replace(
        host, values={**host.values, "stack_cluster_owner": host.mapped("stack_workstation_owner")}
    )


def _named(host: Host, variable: str, rule: Rule) -> Iterator[Fault]:
    problem = problem_of(host.text(variable), rule) if variable not in host.broken else None
    if problem:
        yield host.fault(variable, problem, f"Set {variable} to another name.", value=host.text(variable))


def _idle(host: Host) -> Iterator[Fault]:
    minutes = host.number("workstation_idle_minutes")
    if minutes == 0:
        return
    yield from in_range(
        host, "workstation_idle_minutes", LEAST_IDLE_MINUTES, MOST_IDLE_MINUTES, "The time without use", also="0"
    )


def _repositories(host: Host) -> Iterator[Fault]:
    names: dict[str, str] = {}
    for url in map(str, host.listed("workstation_repositories")):
        if "@" in url.split("://")[-1]:
            # Not the URL itself: what stands before the @ may be a secret.
            yield host.fault(
                "workstation_repositories",
                "One of the URLs has credentials in it, and user data can be read by everything on the instance.",
                "Take them out. Clone a private repository by hand, after you have logged in.",
                value="(not shown)",
            )
            continue
        if not re.fullmatch(REPOSITORY_URL, url):
            yield host.fault(
                "workstation_repositories",
                f"{url!r} is not the https address of a repository.",
                "It looks like https://github.com/voyagerwoo/petclinic-rest.",
            )
            continue
        name = re.sub(r"\.git$", "", url.rsplit("/", 1)[-1])
        if name in names:
            yield host.fault(
                "workstation_repositories",
                f"{names[name]} and {url} would be cloned into one folder, {name}.",
                "Clone one of them by hand.",
            )
        names[name] = url


def _subnet(host: Host) -> Iterator[Fault]:
    vpc, subnet = host.text("workstation_vpc_id"), host.text("workstation_subnet_id")
    if vpc and not re.fullmatch(r"vpc-([0-9a-f]{8}|[0-9a-f]{17})", vpc):
        yield host.fault("workstation_vpc_id", "This is not the id of a VPC.", "It looks like vpc-0a1b2c3d4e5f67890.")
    if subnet and not re.fullmatch(r"subnet-([0-9a-f]{8}|[0-9a-f]{17})", subnet):
        yield host.fault(
            "workstation_subnet_id", "This is not the id of a subnet.", "It looks like subnet-0a1b2c3d4e5f67890."
        )
    if on_ec2(host) and bool(vpc) != bool(subnet):
        missing, given = ("workstation_vpc_id", "subnet") if subnet else ("workstation_subnet_id", "VPC")
        yield host.fault(
            missing, f"A {given} is named without it.", "Name both, or neither for the default VPC.", value=""
        )


def _volume(host: Host) -> Iterator[Fault]:
    size = host.number("workstation_volume_size")
    yield from in_range(host, "workstation_volume_size", IMAGE_GIB, 16384, "The size of a root volume in GiB")
    if size is not None and IMAGE_GIB <= size < ENOUGH_GIB:
        yield host.fault(
            "workstation_volume_size",
            "That is little for two JDKs, Docker's images and Maven's cache.",
            f"Set it to {ENOUGH_GIB} or more.",
            warning=True,
        )


def _image(host: Host, kind: str, asked: Mapping[str, Any] | None) -> Iterator[Fault]:
    parameter = host.text("workstation_image_parameter")
    if not parameter.startswith("/"):
        yield host.fault(
            "workstation_image_parameter", "The name of AWS's image parameter begins with /.", AMAZON_LINUX + "…"
        )
        return
    known = instance_type(kind, asked)
    if known is None or not known.architectures or not parameter.startswith(AMAZON_LINUX):
        return
    image = "arm64" if parameter.endswith("-arm64") else "x86_64"
    if image not in known.architectures:
        right = re.sub(r"-(arm64|x86_64)$", "-x86_64" if image == "arm64" else "-arm64", parameter)
        yield host.fault(
            "workstation_image_parameter",
            f"The image is for {image}, {kind} is {'/'.join(known.architectures)}.",
            f"Set it to {right}, or choose another workstation_instance_type.",
        )


def _sources(host: Host) -> Iterator[Fault]:
    variable = "workstation_cidrs"
    for text in map(str, host.listed(variable)):
        if text in ("/32", "/128"):
            yield host.fault(
                variable,
                f"{host.text('workstation_address_url') or 'Nobody'} did not tell your own address.",
                "Set it yourself: [203.0.113.7/32], or [] to let nobody in but by Session Manager.",
            )
            continue
        wrong = networks.parsed(text)[1]
        if wrong:
            yield host.fault(variable, f"{text!r}: {wrong}", "Write blocks such as 203.0.113.7/32.")


def _ports(host: Host) -> Iterator[Fault]:
    for port in host.listed("workstation_ports"):
        if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535:
            yield host.fault("workstation_ports", f"{port!r} is no port.", "A port goes from 1 to 65535.")


def _registries(host: Host) -> Iterator[Fault]:
    for name in map(str, host.listed("workstation_registries")):
        problem = problem_of(name, REPOSITORY)
        if problem:
            yield host.fault("workstation_registries", f"{name!r}: {problem}", "Name repositories of this account.")


def _packages(host: Host) -> Iterator[Fault]:
    for name in map(str, host.listed("workstation_packages")):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", name):
            yield host.fault("workstation_packages", f"{name!r} is no package.", "`dnf search` tells the names.")


# --- what the account shows -------------------------------------------------------------------------------------------


def questions(hosts: list[Host], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of `preflight_info` with what must be asked for workstations on top."""
    mine = [h for h in hosts if h.kind == "workstation" and h.text("workstation_state") != "absent"]
    own = [h for h in mine if on_ec2(h)]
    if not mine:
        return dict(asked)
    types = {h.text("workstation_instance_type") for h in mine} - {""}
    parameters = {name for h in own if (name := h.text("workstation_image_parameter")).startswith("/")}
    return {
        **asked,
        "instance_types": sorted({*asked.get("instance_types", []), *types}),
        "parameters": sorted({*asked.get("parameters", []), *parameters}),
        "default_subnets": bool(asked.get("default_subnets")) or any(not h.text("workstation_subnet_id") for h in mine),
    }


def check_facts(host: Host, facts: Mapping[str, Any]) -> Iterator[Fault]:
    """Check a workstation against what the account has, and on a real one who may reach it."""
    if host.kind != "workstation" or host.text("workstation_state") == "absent":
        return
    endpoint = facts.get("endpoint")
    if endpoint and host.text("workstation_kind") == "cloud9":
        yield host.fault(
            "workstation_kind",
            f"{endpoint} is not AWS and has no Cloud9.",
            "Set it to ec2, or take an inventory of a real account that still has Cloud9.",
        )
    types, kind = facts.get("instance_types"), host.text("workstation_instance_type")
    if types is not None and kind and kind not in types:
        like = closest(kind)
        yield host.fault(
            "workstation_instance_type",
            f"{host.text('aws_region')} offers no such instance type.",
            f"Did you mean {like}?" if like else "`aws ec2 describe-instance-types` lists those that there are.",
        )
    parameters, name = facts.get("parameters"), host.text("workstation_image_parameter")
    if on_ec2(host):
        if types is not None and kind in types:
            yield from _image(host, kind, types)
        if parameters is not None and name in parameters and not str(parameters[name] or "").startswith("ami-"):
            said = "has no such parameter" if parameters[name] is None else "holds no image id under this name"
            yield host.fault(
                "workstation_image_parameter",
                f"{host.text('aws_region')} {said}.",
                f"{AMAZON_LINUX}kernel-default-x86_64 is AWS's for Amazon Linux 2023.",
            )
        if not endpoint and any(block in WORLD for block in host.listed("workstation_cidrs")):
            yield host.fault(
                "workstation_cidrs",
                f"The ports {', '.join(map(str, host.listed('workstation_ports')))} are open to the whole world.",
                "Name your own address (203.0.113.7/32), or [] to let nobody in but by Session Manager.",
                warning=True,
            )
    if facts.get("default_subnets") == [] and not host.text("workstation_subnet_id"):
        yield host.fault(
            "workstation_subnet_id",
            "This region has no default VPC with default subnets.",
            "Name workstation_vpc_id and workstation_subnet_id: a subnet with a way to the internet. Or make the "
            "default VPC anew: aws ec2 create-default-vpc.",
            value="",
        )
