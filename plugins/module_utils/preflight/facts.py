# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the read-only calls found, held against the inventory.

`facts` is what the module `preflight_info` returns: {account, arn, region, endpoint, instance_types, subnets,
default_subnets, parameters, listeners, clusters, capacity_providers, connections, source_credentials, buckets, images,
problems}. A key is None where its call was not made or failed.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.preflight import delivery_facts
from ansible_collections.handson.ecs.plugins.module_utils.preflight.account import SETTINGS
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fargate import on_fargate
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import NOTHING, Fault, Host
from ansible_collections.handson.ecs.plugins.module_utils.preflight.instance_types import closest
from ansible_collections.handson.ecs.plugins.module_utils.preflight.instances import check_architecture
from ansible_collections.handson.ecs.plugins.module_utils.preflight.load_balancer import check_listener_port
from ansible_collections.handson.ecs.plugins.module_utils.preflight.service import cluster_of


def questions(hosts: list[Host], everyone: list[Host], image_needed: bool = False) -> dict[str, Any]:
    """Return the options of `preflight_info`: what must be asked for these hosts.

    A service needs the instance type of its cluster, which is among `everyone` and perhaps not of this run.
    `image_needed` asks for the images of services that nobody builds one for.
    """
    clusters = [h for h in hosts if h.kind == "cluster"]
    running = [c for c in clusters if c.text("instances_state") != "absent"]
    by_name = {h.name: h for h in everyone if h.kind == "cluster"}
    theirs = [cluster_of(h, by_name) for h in hosts if h.kind == "service"]
    return {
        "instance_types": sorted(
            {c.text("instances_type") for c in (*running, *theirs) if c and c.text("instances_type")}
        ),
        "subnet_ids": sorted(
            {str(s) for c in clusters if c.text("network_mode") == "existing" for s in c.listed("network_subnet_ids")}
        ),
        "default_subnets": any(c.text("network_mode") == "default" for c in clusters),
        "parameters": sorted(
            {
                c.text("instances_image_parameter")
                for c in running
                if not c.text("instances_image_id") and c.text("instances_image_parameter").startswith("/")
            }
        ),
        "listeners": [
            {"load_balancer": name, "port": port}
            for name, port in sorted({listener_of(h) for h in hosts if h.kind == "service"} - {None})
        ],
        # Only listeners of the local endpoint with containers are ports of a machine.
        "listener_ports": sorted(
            {c.number("load_balancer_listener_port") for c in clusters if "local_endpoint_containers" in c.given} - {None}
        ),
        "clusters": sorted({h.text("cluster_name") for h in hosts if h.kind in ("cluster", "service")} - {""}),
        # Only of those can something be wrong that is not told later without harm.
        "services": [
            {"cluster": h.text("cluster_name"), "service": h.text("service_name")} for h in hosts if on_fargate(h)
        ],
        **delivery_facts.questions(hosts, image_needed),
    }


def listener_of(service: Host) -> tuple[str, int] | None:
    """Return (load balancer, port) of the listener that a service hangs on, or None where that can't be told."""
    name, port = service.text("load_balancer_name"), service.text("load_balancer_service_port")
    return (name, int(port)) if name and port.isdigit() else None


def standing(hosts: list[Host], facts: Mapping[str, Any]) -> list[str]:
    """Return the services for which their cluster has nothing to make any more, so that they need not wait for it.

    That is the cluster itself, the capacity provider that the service asks for, and the listener that it hangs on, if
    that is the only one of its load balancer that does not redirect: otherwise a certificate or port has been changed,
    and the cluster is about to move what hangs on the other one, or was cut off in that. A listener that somebody else
    put there, on a port that nobody asks for and without the cluster's tags, does not count.
    """
    wanted = {listener_of(h) for h in hosts if h.kind == "service"}
    owners = {h.text("load_balancer_name"): h.text("cluster_name") for h in hosts if h.kind == "service"}
    open_ports: dict[str, set[int]] = {}
    for listener in facts.get("listeners") or []:
        name, port, tags = listener["load_balancer"], listener["port"], listener.get("tags")
        ours = (name, port) in wanted or tags is None or tags.get("handson:cluster") == owners.get(name)
        if ours and "redirect" not in (listener.get("default_actions") or []):
            open_ports.setdefault(name, set()).add(port)
    listening = {(name, port) for name, ports in open_ports.items() if len(ports) == 1 for port in ports}
    active, attached = facts.get("clusters") or [], facts.get("capacity_providers") or {}
    return [
        h.name
        for h in hosts
        if h.kind == "service"
        and listener_of(h) in listening
        and h.text("cluster_name") in active
        and capacity_provider_of(h) in {"", *attached.get(h.text("cluster_name"), [])}
    ]


def capacity_provider_of(service: Host) -> str:
    """Return the capacity provider that a service asks for, as the role `service` does; `""` for a launch type.

    One must be associated with the cluster, AWS's own for Fargate, too (API_CapacityProviderStrategyItem).
    """
    launched = service.text("task_definition_launch_type") != "EC2"
    if launched or service.text("service_scheduling_strategy") != "REPLICA":
        return ""
    return service.text("service_capacity_provider")


def check_problems(host: Host, facts: Mapping[str, Any]) -> Iterator[Fault]:
    """Turn calls that failed into faults. Every host of the account gets the same ones; the report prints them once."""
    for problem in facts.get("problems") or []:
        call, said = problem["call"], problem["message"]
        if problem["kind"] == "unreachable":
            where = facts.get("endpoint") or f"AWS in {facts.get('region') or 'the region'}"
            text = f"{where} does not answer: {said}"
            remedy = (
                "Start the local endpoint, or look at AWS_ENDPOINT_URL in aws_environment_extra and in your shell "
                "(unset it there, if AWS itself is meant), at aws_region and your connection."
            )
        elif problem["kind"] == "credentials":
            text = f"There are no valid credentials: {said}"
            remedy = (
                "Log in (aws sso login, or AWS_PROFILE or the AWS_ACCESS_KEY_ID pair in your shell) "
                "and try `aws sts get-caller-identity`."
            )
        elif problem["kind"] == "permission":
            text = f"The caller {facts.get('arn') or ''} may not call {call}: {said}"
            remedy = f"Allow {problem['action']} to the caller; see docs for the policy of the whole run."
        else:
            text, remedy = f"{call} failed: {said}", "Try again; if it stays, look at the message."
        yield Fault(host.name, f"aws:{call}", NOTHING, text, remedy)


def check_identity(host: Host, facts: Mapping[str, Any]) -> Iterator[Fault]:
    """Check that credentials and region are those of the inventory."""
    account, mine = facts.get("account"), host.text("aws_account_id").strip()
    if account and mine and account != mine and "aws_account_id" not in host.broken:
        remedy = f"Take credentials of {mine} (AWS_PROFILE), or write {account} into {SETTINGS}."
        if facts.get("endpoint"):
            # Exported for another AWS client, keys and URL outrank any profile.
            remedy = (
                f"It is not AWS that answers, but {facts['endpoint']}. If AWS is meant, begin with "
                f"`unset AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY` in your shell. {remedy}"
            )
        yield host.fault(
            "aws_account_id",
            f"aws_account_id says {mine}, but your credentials belong to {account} ({facts.get('arn')}).",
            remedy,
        )
    region = facts.get("region")
    if region and host.text("aws_region") and region != host.text("aws_region"):
        yield host.fault(
            "aws_region",
            f"aws_region says {host.text('aws_region')}, but the calls go to {region}.",
            "Take AWS_REGION out of aws_environment_extra; aws_region sets it.",
        )


def check_cluster_facts(host: Host, facts: Mapping[str, Any]) -> Iterator[Fault]:
    """Check a cluster's instance type, subnets and image against what the account has."""
    if host.kind != "cluster":
        return
    if host.text("instances_state") != "absent":
        yield from _instance_type(host, facts)
        yield from _image(host, facts)
    yield from _subnets(host, facts)
    yield from check_listener_port(host, facts)


def _instance_type(host: Host, facts: Mapping[str, Any]) -> Iterator[Fault]:
    types, kind = facts.get("instance_types"), host.text("instances_type")
    if types is None or not kind:
        return
    if kind not in types:
        like = closest(kind)
        yield host.fault(
            "instances_type",
            f"{host.text('aws_region')} offers no such instance type.",
            (
                f"Did you mean {like}?"
                if like
                else "Choose one that `aws ec2 describe-instance-types` lists, such as t2.medium."
            ),
        )
    elif not host.text("instances_image_id"):
        yield from check_architecture(host, kind, types)


def _image(host: Host, facts: Mapping[str, Any]) -> Iterator[Fault]:
    parameters, name = facts.get("parameters"), host.text("instances_image_parameter")
    if parameters is None or host.text("instances_image_id") or name not in parameters:
        return
    value = parameters[name]
    if value is None:
        yield host.fault(
            "instances_image_parameter",
            f"{host.text('aws_region')} has no such parameter.",
            "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id is AWS's for Amazon Linux 2023.",
        )
    elif not str(value).startswith("ami-"):
        yield host.fault(
            "instances_image_parameter",
            "The parameter holds no image id.",
            "Name the parameter that ends in /image_id.",
        )


def _subnets(host: Host, facts: Mapping[str, Any]) -> Iterator[Fault]:
    mode = host.text("network_mode")
    if mode == "default" and facts.get("default_subnets") is not None:
        found = facts["default_subnets"]
        if not found:
            yield host.fault(
                "network_mode",
                "This region has no default VPC with default subnets.",
                "Set network_mode to create, or to existing with network_vpc_id and network_subnet_ids.",
            )
        elif len({s["availability_zone"] for s in found}) < 2:
            yield host.fault(
                "network_mode",
                "The default VPC has subnets in one zone only; a load balancer needs two.",
                "Set network_mode to create or existing.",
            )
    if mode == "existing" and facts.get("subnets") is not None:
        wanted = {str(s) for s in host.listed("network_subnet_ids")}
        found = [s for s in facts["subnets"] if s["id"] in wanted]
        missing = sorted(wanted - {s["id"] for s in found})
        if missing:
            yield host.fault(
                "network_subnet_ids",
                f"There is no {', '.join(missing)} in {host.text('aws_region')}.",
                "Name subnets that are there.",
            )
        vpcs = sorted({s["vpc_id"] for s in found})
        vpc = host.text("network_vpc_id")
        if len(vpcs) > 1:
            yield host.fault(
                "network_subnet_ids", f"They lie in several VPCs: {', '.join(vpcs)}.", "Name subnets of one VPC."
            )
        elif vpcs and vpc and vpcs != [vpc]:
            yield host.fault("network_vpc_id", f"The subnets lie in {vpcs[0]}.", "Name the VPC of the subnets.")
        zones = sorted({s["availability_zone"] for s in found})
        if len(wanted) > 1 and not missing and len(zones) < 2:
            yield host.fault(
                "network_subnet_ids",
                f"They all lie in the zone {zones[0]}; a load balancer needs two.",
                "Name subnets of at least two zones.",
            )
        for zone in zones if len(zones) > 1 else []:
            sharing = sorted(s["id"] for s in found if s["availability_zone"] == zone)
            if len(sharing) > 1:
                yield host.fault(
                    "network_subnet_ids",
                    f"{', '.join(sharing)} all lie in the zone {zone}; a load balancer takes one subnet of a zone.",
                    "Name one of them.",
                )
