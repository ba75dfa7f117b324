# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load balancer, its target groups, and how services share one listener.

Ranges: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html, API_CreateRule.
"""

from __future__ import annotations

import re
from typing import Any, Iterator, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.load_balancers import MAX_CONDITION_VALUES
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host, in_range, one_of
from ansible_collections.handson.ecs.plugins.module_utils.preflight.patterns import MAX_WILDCARDS, covers, wildcards


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


def check_listener_port(host: Host, facts: Mapping[str, Any]) -> Iterator[Fault]:
    """Check that a cluster's listener gets its port, where that is one of this machine (`taken_ports` in facts)."""
    port = host.number("load_balancer_listener_port")
    for taken in facts.get("taken_ports") or []:
        if taken["port"] == port:
            yield host.fault(
                "load_balancer_listener_port",
                f"The local endpoint's listeners are ports of this machine, and {port} is held by {taken['holder']}.",
                "Set it to a free port above 1023, or stop what holds this one.",
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
    if len(paths) + len(names) > MAX_CONDITION_VALUES:
        yield host.fault(
            "target_group_rule_paths" if paths else "target_group_rule_hosts",
            f"These are {len(paths) + len(names)} conditions; a rule has at most {MAX_CONDITION_VALUES} values.",
            "Take some away, or use wildcards.",
        )
    count = sum(wildcards(str(pattern)) for pattern in paths + names)
    if count > MAX_WILDCARDS:
        yield host.fault(
            "target_group_rule_paths" if paths else "target_group_rule_hosts",
            f"These have {count} wildcards; a rule has at most {MAX_WILDCARDS}.",
            "Take some away.",
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
        if len(name) > 128 or not re.fullmatch(r"[A-Za-z0-9_*?.-]+\.[A-Za-z*?]+", name):
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


def _priority(host: Host) -> str:
    """Return `default`, or a number as digits however it was written, or "" where it is neither."""
    number = host.number("target_group_rule_priority")
    if number is not None:
        return str(number)
    return "default" if host.text("target_group_rule_priority") == "default" else ""


def _matches(host: Host) -> list[tuple[str, str]]:
    """Return every (path, host name) that a rule takes. What it says nothing about is `*`; host names ignore case."""
    paths = [str(p) for p in host.listed("target_group_rule_paths")] or ["*"]
    names = [str(n).lower() for n in host.listed("target_group_rule_hosts")] or ["*"]
    return [(path, name) for path in paths for name in names]


def _covers(wide: tuple[str, str], narrow: tuple[str, str]) -> bool:
    return covers(wide[0], narrow[0], start="/") and covers(wide[1], narrow[1])


def check_shared_listeners(hosts: list[Host]) -> Iterator[Fault]:
    """Check that services of one listener don't take places or requests from each other. Both get the fault.

    A service that is retired gives its place back only when the others are steady: it is in the way of who wants the
    same priority, and nobody's rival for requests.
    """
    conditions = ("target_group_rule_priority", "target_group_rule_paths", "target_group_rule_hosts")
    services = [h for h in hosts if h.kind == "service" and h.text("load_balancer_name") and _priority(h)]
    services = [h for h in services if not h.broken.intersection(conditions)]
    for host in services:
        if host.text("service_state") == "absent":
            continue
        others = [h for h in services if h is not host and _listener(h) == _listener(host)]
        staying = [h for h in others if h.text("service_state") != "absent"]
        for other in others:
            if _priority(other) == _priority(host):
                yield _one_priority(host, other, goes=other not in staying)
        for other in staying:
            same = sorted({path for path, name in _matches(host) if path != "*" and (path, name) in _matches(other)})
            if same:
                yield host.fault(
                    "target_group_rule_paths",
                    f"{other.name} has the path {', '.join(same)} on {host.text('load_balancer_name')}, too; "
                    "only one of them would get it.",
                    "Give them different paths or host names.",
                )
        yield from _shadowed(host, staying)


def _one_priority(host: Host, other: Host, goes: bool) -> Fault:
    balancer, is_default = host.text("load_balancer_name"), _priority(host) == "default"
    if goes:
        held = "the default action" if is_default else "this priority"
        problem = (
            f"{other.name} has {held} of {balancer}. It is in the group retired_services and taken away last, "
            "when this service is steady; so the place is not free in time."
        )
        gapless = (
            "Without a gap: set it to 50000 with target_group_rule_paths ['/*'], which comes after all other rules."
            if is_default
            else "Give this one another priority."
        )
        remedy = (
            f"{gapless} Or take {other.name} away first (ansible-playbook teardown.yml --limit {other.name}), and then "
            "out of the group."
        )
    elif is_default:
        problem = f"{other.name} is the default action of {balancer}, too; a listener has one."
        remedy = "Give one of them a target_group_rule_priority from 1 to 50000 and target_group_rule_paths."
    else:
        problem = f"{other.name} has the same priority on {balancer}; each is taken once."
        remedy = "Give one of them another priority."
    return host.fault("target_group_rule_priority", problem, remedy)


def _shadowed(host: Host, others: list[Host]) -> Iterator[Fault]:
    """Yield a fault for the host and for whoever takes every request of one of its paths by a smaller priority.

    The rule with the smallest number is asked first, and the default action last.
    """

    def order(service: Host) -> int:
        number = service.number("target_group_rule_priority")
        return 50001 if number is None else number

    # A rule without any condition is a fault of its own (see `_rule`); it would seem to take everything.
    before = [o for o in others if o.listed("target_group_rule_paths") or o.listed("target_group_rule_hosts")]
    before = sorted((o for o in before if order(o) < order(host)), key=order)
    takers = {
        mine: next((o for o in before if any(_covers(theirs, mine) for theirs in _matches(o))), None)
        for mine in _matches(host)
    }
    lost: dict[str, set[str]] = {}
    for path, name in takers:
        if not all(taker for (other, _name), taker in takers.items() if other == path):
            continue  # under another of its host names it comes through
        if path == "*" or (path, name) not in _matches(takers[path, name]):  # the same path was told already
            lost.setdefault(takers[path, name].name, set()).add(path)
    for taker in (o for o in before if o.name in lost):
        yield from _taken(host, taker, sorted(lost[taker.name]))


def _taken(host: Host, taker: Host, paths: list[str]) -> Iterator[Fault]:
    wanted = host.listed("target_group_rule_hosts") if paths == ["*"] else paths
    requests = f"requests for {', '.join(map(str, wanted))}" if wanted else "requests"
    taken = ", ".join(map(str, taker.listed("target_group_rule_paths") or taker.listed("target_group_rule_hosts")))
    place = "is the default action, which comes last" if _priority(host) == "default" else f"has {_priority(host)}"
    order = f"{taker.name} takes {taken} at priority {_priority(taker)}, and {host.name} {place}"
    remedy = "The smallest priority is asked first. Give it to the service with the narrower pattern, or change the patterns."
    for told, whose in ((host, "It"), (taker, host.name)):
        yield told.fault("target_group_rule_priority", f"{whose} never gets any {requests}: {order}.", remedy)
