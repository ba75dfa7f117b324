# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load balancer, its target groups, and how services share one listener.

Ranges: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html, API_CreateRule.
"""

from __future__ import annotations

import re
from typing import Any, Iterator

from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host, in_range, one_of


def check_load_balancer(host: Host) -> Iterator[Fault]:
    """Check a cluster's load balancer."""
    yield from one_of(host, "load_balancer_scheme", ("internet-facing", "internal"), "The scheme")
    yield from one_of(host, "load_balancer_ip_address_type", ("ipv4", "dualstack"), "The IP address type")
    yield from in_range(host, "load_balancer_listener_port", 1, 65535, "A port")
    yield from in_range(host, "load_balancer_idle_timeout", 1, 4000, "The idle timeout in seconds")
    if host.text("load_balancer_certificate_arn"):
        if host.number("load_balancer_listener_port") == 443:
            yield host.fault(
                "load_balancer_listener_port",
                "With a certificate, 443 is the HTTPS listener; this is the port that sends browsers there.",
                "Set it to 80.",
            )
        if not host.text("load_balancer_ssl_policy").startswith("ELBSecurityPolicy-"):
            yield host.fault(
                "load_balancer_ssl_policy",
                "This is no security policy.",
                "It looks like ELBSecurityPolicy-TLS13-1-2-2021-06.",
            )


def check_target_group(host: Host) -> Iterator[Fault]:
    """Check a service's target group and its health check."""
    yield from one_of(host, "target_group_protocol", ("HTTP", "HTTPS"), "The protocol")
    yield from in_range(host, "target_group_port", 1, 65535, "A port")
    yield from one_of(host, "target_group_type", ("instance", "ip"), "The target type")
    awsvpc = host.text("task_definition_network_mode") == "awsvpc"
    wanted = "ip" if awsvpc else "instance"
    if host.text("target_group_type") in ("instance", "ip") and host.text("target_group_type") != wanted:
        yield host.fault(
            "target_group_type",
            f"Tasks of network mode {host.text('task_definition_network_mode')} register as {wanted}.",
            f"Set it to {wanted}, or leave it to its default.",
        )
    yield from in_range(host, "target_group_deregistration_delay", 0, 3600, "The deregistration delay in seconds")
    yield from in_range(host, "target_group_health_check_interval", 5, 300, "The interval in seconds")
    yield from in_range(host, "target_group_health_check_timeout", 2, 120, "The timeout in seconds")
    yield from in_range(host, "target_group_healthy_threshold", 2, 10, "The healthy threshold")
    yield from in_range(host, "target_group_unhealthy_threshold", 2, 10, "The unhealthy threshold")
    timeout, interval = host.number("target_group_health_check_timeout"), host.number(
        "target_group_health_check_interval"
    )
    if timeout is not None and interval is not None and timeout >= interval:
        yield host.fault(
            "target_group_health_check_timeout",
            f"A check must end before the next one begins, {interval} s later.",
            "Set it below target_group_health_check_interval.",
        )
    if "target_group_health_check_path" not in host.broken:
        path = host.text("target_group_health_check_path")
        if not path.startswith("/"):
            yield host.fault("target_group_health_check_path", "A path begins with /.", f"Write /{path.lstrip('/')}.")
        elif len(path) > 1024 or re.search(r"\s", path):
            yield host.fault(
                "target_group_health_check_path", "A path has at most 1024 characters and no spaces.", "Shorten it."
            )
    yield from _matcher(host)
    yield from _rule(host)


def _matcher(host: Host) -> Iterator[Fault]:
    text = host.text("target_group_health_check_matcher")
    codes = [int(code) for code in re.findall(r"\d+", text)]
    if not re.fullmatch(r"\d{3}(-\d{3}|(,\d{3})*)", text) or not all(200 <= c <= 499 for c in codes):
        yield host.fault(
            "target_group_health_check_matcher",
            "These are no HTTP codes from 200 to 499.",
            'Write "200", "200,302" or "200-299".',
        )


def _rule(host: Host) -> Iterator[Fault]:
    yield from in_range(host, "target_group_rule_priority", 1, 50000, "A rule's priority", also="default")
    paths, names = host.listed("target_group_rule_paths"), host.listed("target_group_rule_hosts")
    is_default = host.text("target_group_rule_priority") == "default"
    if not is_default and host.number("target_group_rule_priority") is not None and not paths and not names:
        yield host.fault(
            "target_group_rule_priority",
            "A rule needs a condition, and there are neither paths nor host names.",
            "Set target_group_rule_paths (such as ['/api/users*']) or target_group_rule_hosts, "
            "or the priority to default.",
        )
    if is_default and (paths or names):
        variable = "target_group_rule_paths" if paths else "target_group_rule_hosts"
        yield host.fault(
            variable,
            "The listener's default action has no conditions.",
            "Set target_group_rule_priority to a number from 1 to 50000.",
        )
    if len(paths) + len(names) > 5:
        yield host.fault(
            "target_group_rule_paths" if paths else "target_group_rule_hosts",
            f"These are {len(paths) + len(names)} conditions; a rule has at most 5 values.",
            "Take some away, or use wildcards.",
        )
    for path in map(str, paths):
        if len(path) > 128:
            yield host.fault(
                "target_group_rule_paths",
                f"A path pattern has at most 128 characters, this has {len(path)}.",
                "Shorten it.",
                value=path,
            )
        elif not re.fullmatch(r"[/*][A-Za-z0-9_\-.$/~\"'@:+&*?]*", path):
            yield host.fault(
                "target_group_rule_paths",
                "A path pattern begins with / and is made of letters, digits and _-.$/~\"'@:+&*?.",
                f"Write it like /api/users*, not {path!r}.",
                value=path,
            )
    for name in map(str, names):
        if len(name) > 128 or not re.fullmatch(r"[A-Za-z0-9*?.-]+\.[A-Za-z*?]+", name):
            yield host.fault(
                "target_group_rule_hosts",
                "A host name has at most 128 characters and a dot in it.",
                "Write it like shop.example.com.",
                value=name,
            )


def _listener(host: Host) -> tuple[str, ...]:
    return tuple(
        host.text(v) for v in ("aws_account_id", "aws_region", "load_balancer_name", "load_balancer_service_port")
    )


def _overlap(one: list[Any], other: list[Any]) -> bool:
    return not one or not other or bool({str(x).lower() for x in one} & {str(x).lower() for x in other})


def check_shared_listeners(hosts: list[Host]) -> Iterator[Fault]:
    """Check that services of one listener want neither the same priority nor the same path. Both get the fault."""
    services = [h for h in hosts if h.kind == "service"]
    for host in services:
        balancer = host.text("load_balancer_name")
        for other in services:
            if other is host or not balancer or _listener(other) != _listener(host):
                continue
            priority = host.text("target_group_rule_priority")
            if priority and priority == other.text("target_group_rule_priority"):
                if priority == "default":
                    problem = f"{other.name} is the default action of {balancer}, too; a listener has one."
                    remedy = (
                        "Give one of them a target_group_rule_priority from 1 to 50000 and target_group_rule_paths."
                    )
                else:
                    problem = f"{other.name} has the same priority on {balancer}; each is taken once."
                    remedy = "Give one of them another priority."
                yield host.fault("target_group_rule_priority", problem, remedy)
            same = {str(p) for p in host.listed("target_group_rule_paths")} & {
                str(p) for p in other.listed("target_group_rule_paths")
            }
            if same and _overlap(host.listed("target_group_rule_hosts"), other.listed("target_group_rule_hosts")):
                yield host.fault(
                    "target_group_rule_paths",
                    f"{other.name} has the path {', '.join(sorted(same))} on {balancer}, too; "
                    "only one of them would get it.",
                    "Give them different paths or host names.",
                )
