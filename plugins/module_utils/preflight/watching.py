# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Monitoring and scaling: thresholds, bounds, and two controllers for one number.

The rules of policies and alarms are those of the modules `scalable_target`, `auto_scaling_policy` and `metric_alarms`.
"""

from __future__ import annotations

import copy
import math
import re
from typing import Any, Iterator, Mapping

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError

from ansible_collections.handson.ecs.plugins.module_utils import metric_alarms
from ansible_collections.handson.ecs.plugins.module_utils import scalable_target_options as scaling
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import (
    Fault,
    Host,
    in_range,
    number,
    one_of,
    truthy,
)

MODES = ("none", "target_tracking", "capacity_provider")
METRICS = ("ECSServiceAverageCPUUtilization", "ECSServiceAverageMemoryUtilization", "ALBRequestCountPerTarget")
#: The alarms that a service has in any case (roles/monitoring/vars/main.yml).
_ROLES_ALARMS = ("unhealthy-hosts", "errors", "short-of-tasks")
_TOPIC = r"[A-Za-z0-9_-]{1,256}"
_EMAIL = r"[^@\s]+@[^@\s]+\.[^@\s]+"


def check_service_scaling(host: Host) -> Iterator[Fault]:
    """Check how a service scales."""
    if not truthy(host.values.get("service_scaling_enabled")):
        return
    yield from in_range(host, "service_scaling_min", 0, None, "The fewest tasks")
    yield from in_range(host, "service_scaling_max", 0, None, "The most tasks")
    least, most = host.number("service_scaling_min"), host.number("service_scaling_max")
    if least is not None and most is not None and 0 <= most < least:
        yield host.fault("service_scaling_max", f"The fewest tasks are {least}.", "Raise it, or lower service_scaling_min.")
    desired = host.number("service_desired_count")
    if None not in (least, most, desired) and least <= most and not least <= desired <= most:
        yield host.fault(
            "service_desired_count",
            f"The scaler would take it to {least if desired < least else most} at once: it keeps between {least} and {most}.",
            "Choose a number between them; it counts for a new service only.",
        )
    if host.text("service_scheduling_strategy") == "DAEMON":
        yield host.fault(
            "service_scaling_enabled", "A DAEMON service has one task on each instance, and nothing scales it.", "Set it to false."
        )
    yield from _own_scaling(host, least, most)
    if not host.listed("service_scaling_policies"):
        yield from one_of(host, "service_scaling_metric", METRICS, "The metric")
        yield from _positive(host, "service_scaling_target")
        for variable in ("service_scaling_scale_out_cooldown", "service_scaling_scale_in_cooldown"):
            yield from in_range(host, variable, 0, None, "A cooldown in seconds")


def _own_scaling(host: Host, least: int | None, most: int | None) -> Iterator[Fault]:
    """Check what the inventory brings along in the form of the module `scalable_target`."""
    module = "scalable_target"
    policies, faults = _held(host, "service_scaling_policies", scaling.POLICY_OPTIONS, module)
    actions, more = _held(host, "service_scaling_scheduled_actions", scaling.ACTION_OPTIONS, module)
    yield from (*faults, *more)
    for wrong in (*scaling.policy_faults(policies), *scaling.action_faults(actions, least, most)):
        yield host.fault(f"service_scaling_{wrong.option}", wrong.problem, wrong.remedy)
    if "service_scaling_suspended" not in host.broken:
        for problem in _refused(host.mapped("service_scaling_suspended"), scaling.SUSPENDED_OPTIONS)[1]:
            yield host.fault("service_scaling_suspended", f"{problem}.", "Set scale_in, scale_out and scheduled to true or false.")


def check_instance_scaling(host: Host) -> Iterator[Fault]:
    """Check how the container instances of a cluster scale."""
    yield from one_of(host, "instance_scaling_mode", MODES, "The mode")
    mode = host.text("instance_scaling_mode")
    if mode == "target_tracking":
        yield from _positive(host, "instance_scaling_target")
        yield from in_range(host, "instance_scaling_warmup", 0, None, "A warm-up in seconds")
        if truthy(host.values.get("instances_capacity_provider_enabled")) and truthy(
            host.values.get("instances_capacity_provider_managed_scaling", True)
        ):
            yield host.fault(
                "instance_scaling_mode",
                "The capacity provider scales the same group, and two controllers would fight.",
                "Set it to capacity_provider, or instances_capacity_provider_enabled to false.",
            )
    least, most = host.number("instances_min"), host.number("instances_max")
    if mode in MODES[1:] and least is not None and least == most:
        yield host.fault(
            "instances_max",
            f"instances_min is {least} as well, so nothing can scale.",
            "Raise it (the tutorial's is 4), or set instance_scaling_mode to none.",
            warning=True,
        )


def check_monitoring(host: Host) -> Iterator[Fault]:
    """Check alarms, and who is told."""
    if not truthy(host.values.get("monitoring_enabled")):
        return
    yield from in_range(host, "monitoring_reservation_threshold", 1, 100, "A percentage")
    yield from in_range(host, "monitoring_error_threshold", 1, 100, "A percentage")
    yield from _latency(host)
    yield from in_range(host, "monitoring_least_tasks", 0, None, "A number of tasks")
    if host.kind != "cluster":
        yield from _own_alarms(host)
        yield from _own_widgets(host)
        return
    yield from in_range(host, "monitoring_load_balancer_errors", 0, None, "A number of answers")
    if not re.fullmatch(_TOPIC, host.text("monitoring_topic_name")):
        yield host.fault(
            "monitoring_topic_name", "A topic's name is 1 to 256 letters, digits, - and _.", "Set it to another name."
        )
    for address in host.listed("monitoring_emails"):
        if not re.fullmatch(_EMAIL, str(address)):
            yield host.fault("monitoring_emails", f"{address!r} is no e-mail address.", "Mend it, or take it out.")
    if host.text("monitoring_kms_key").endswith("alias/aws/sns"):
        yield host.fault(
            "monitoring_kms_key",
            "That is AWS's own key, which alarms may not use: nobody would be told.",
            "Name a key of yours whose policy lets CloudWatch and EventBridge use it, or leave it empty.",
        )


def _latency(host: Host) -> Iterator[Fault]:
    variable = "monitoring_latency_threshold"
    if variable in host.broken or variable not in host.values:
        return
    if _amount(host.values[variable]) is None:
        remedy = "Choose one such as 0.5, or 0 for no alarm."
        yield host.fault(variable, "The latency is a number of seconds, 0 or more.", remedy)


def _amount(value: Any) -> float | None:
    """Return a number of 0 or more, whole or not, None where it is none."""
    try:
        found = None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
    return found if found is not None and 0 <= found < math.inf else None


def _own_alarms(host: Host) -> Iterator[Fault]:
    alarms, faults = _held(host, "monitoring_alarms", metric_alarms.OPTIONS, "metric_alarms")
    yield from faults
    taken = set(_ROLES_ALARMS)
    taken |= {"latency"} if _amount(host.values.get("monitoring_latency_threshold")) else set()
    taken |= {"error-lines"} if host.text("monitoring_error_pattern") else set()
    for alarm in alarms:
        for problem in metric_alarms.faults(alarm):
            yield host.fault(
                "monitoring_alarms",
                f"The alarm {alarm['name']!r}: {problem}.",
                "CloudWatch would refuse it: mend that. The options: ansible-doc handson.ecs.metric_alarms",
                value=alarm,
            )
        if alarm["name"] in taken:
            problem = f"There is another alarm named {alarm['name']!r}: these are added to the role's own."
            yield host.fault("monitoring_alarms", problem, "Give it another name.", value=alarm)
        taken.add(alarm["name"])


def _own_widgets(host: Host) -> Iterator[Fault]:
    """Check the grid, and what each widget has (CloudWatch API Reference, "Dashboard Body Structure and Syntax")."""
    for at, widget in enumerate([] if "monitoring_widgets" in host.broken else host.listed("monitoring_widgets"), 1):
        problems = [f"it has no {what}" for what in ("type", "properties") if not widget.get(what)]
        for option, low, high in (("x", 0, 23), ("y", 0, None), ("width", 1, 24), ("height", 1, 1000)):
            value = number(widget.get(option, low))
            if value is None or value < low or (high is not None and value > high):
                problems.append(f"{option} is {widget[option]!r}, and goes from {low}{f' to {high}' if high else ' on'}")
        if ("x" in widget) != ("y" in widget):
            problems.append("of x and y it has one alone")
        for problem in problems:
            yield host.fault(
                "monitoring_widgets",
                f"The widget {at}: {problem}.",
                "Mend it; in the console a dashboard's Actions > View/edit source shows the form.",
                value=widget,
            )


def _held(
    host: Host, variable: str, options: Mapping[str, Any], module: str
) -> tuple[list[dict[str, Any]], list[Fault]]:
    """Hold a list against the options of a module. Return those that it takes, with its defaults, and the faults."""
    taken: list[dict[str, Any]] = []
    faults: list[Fault] = []
    for at, item in enumerate([] if variable in host.broken else host.listed(variable), 1):
        values, problems = _refused(item, options)
        name = item.get("name", at) if isinstance(item, Mapping) else at
        for problem in problems:
            remedy = f"Mend it; the options: ansible-doc handson.ecs.{module}"
            faults.append(host.fault(variable, f"In {name!r}: {problem}.", remedy, value=item))
        if not problems:
            taken.append(values)
    return taken, faults


def _refused(values: Any, options: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the values in the options' types and with their defaults, and what a module would refuse of them."""
    if not isinstance(values, Mapping):
        return {}, ["it is no dictionary"]
    result = ArgumentSpecValidator({k: dict(v) for k, v in options.items()}).validate(copy.deepcopy(dict(values)))
    said = []
    for error in result.errors.errors:
        text = error.msg.rstrip(".")
        said.append(f"there is no option {text}" if isinstance(error, UnsupportedError) else text)
    return result.validated_parameters, said


def check_together(service: Host, cluster: Host | None) -> Iterator[Fault]:
    """Check what a service leans on in its cluster: alarms are told to the cluster's topic."""
    if cluster is not None and truthy(service.values.get("monitoring_enabled")):
        if not truthy(cluster.values.get("monitoring_enabled")):
            yield service.fault(
                "monitoring_enabled",
                f"Its alarms are told to the topic of {cluster.name}, which has no monitoring.",
                f"Set it on {cluster.name}: it holds for the services, too.",
            )


def _positive(host: Host, variable: str) -> Iterator[Fault]:
    value = host.values.get(variable)
    if variable in host.broken or variable not in host.values:
        return
    try:
        right = not isinstance(value, bool) and float(value) > 0
    except (TypeError, ValueError):
        right = False
    if not right:
        yield host.fault(variable, "The target is a number above 0.", "The tutorial's is 55.")
