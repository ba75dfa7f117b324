# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options `policies`, `scheduled_actions` and `suspended` of the module `scalable_target`, and what is wrong with them.

The module and preflight ask alike.
"""

from __future__ import annotations

import functools
import re
import zoneinfo
from typing import Any, Iterable, Iterator, Mapping, NamedTuple, Sequence

from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError
from ansible_collections.handson.ecs.plugins.module_utils.scalable_targets import REQUESTS, SUSPENDED

# --- as the module's argument spec has them

_COMPARISONS = [
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
]
_STATISTICS = ["Average", "Minimum", "Maximum"]
_ALARM_OPTIONS = {
    "metric": {"type": "str", "choices": ["CPUUtilization", "MemoryUtilization"], "default": "CPUUtilization"},
    "statistic": {"type": "str", "choices": _STATISTICS, "default": "Average"},
    "comparison": {"type": "str", "choices": _COMPARISONS, "required": True},
    "threshold": {"type": "float", "required": True},
    "period": {"type": "int", "default": 60},
    "evaluation_periods": {"type": "int", "default": 3},
    "datapoints_to_alarm": {"type": "int"},
}
_STEP_OPTIONS = {
    "lower": {"type": "float"},
    "upper": {"type": "float"},
    "adjustment": {"type": "int", "required": True},
}
POLICY_OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "type": {"type": "str", "choices": ["target_tracking", "step"], "default": "target_tracking"},
    "metric": {
        "type": "str",
        "choices": ["ECSServiceAverageCPUUtilization", "ECSServiceAverageMemoryUtilization", REQUESTS],
    },
    "target": {"type": "float"},
    "scale_out_cooldown": {"type": "int", "default": 300},
    "scale_in_cooldown": {"type": "int", "default": 300},
    "disable_scale_in": {"type": "bool", "default": False},
    "load_balancer": {"type": "str"},
    "target_group": {"type": "str"},
    "adjustment_type": {"type": "str", "choices": ["ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity"]},
    "cooldown": {"type": "int", "default": 300},
    "min_adjustment_magnitude": {"type": "int"},
    "metric_aggregation": {"type": "str", "choices": _STATISTICS, "default": "Average"},
    "steps": {"type": "list", "elements": "dict", "options": _STEP_OPTIONS},
    "alarm": {"type": "dict", "options": _ALARM_OPTIONS},
}
ACTION_OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "schedule": {"type": "str", "required": True},
    "timezone": {"type": "str", "default": "UTC"},
    "min": {"type": "int"},
    "max": {"type": "int"},
}
SUSPENDED_OPTIONS: dict[str, dict[str, Any]] = {option: {"type": "bool", "default": False} for option in SUSPENDED}


# --- checks: what AWS refuses, said before anything is written


class Wrong(NamedTuple):
    """What is wrong with which option, and the way out."""

    option: str
    problem: str
    remedy: str


def check(
    minimum: int, maximum: int, policies: Sequence[Mapping[str, Any]], actions: Sequence[Mapping[str, Any]]
) -> None:
    """Raise ResourceError with all that contradicts itself, or that AWS would refuse."""
    found = [*bounds_faults(minimum, maximum), *policy_faults(policies), *action_faults(actions, minimum, maximum)]
    if found:
        raise ResourceError("\n".join(f"{f.problem} {f.remedy}" for f in found))


def bounds_faults(minimum: int, maximum: int) -> Iterator[Wrong]:
    """Say what is wrong with the bounds."""
    if minimum < 0:
        yield Wrong("min", f"min is {minimum}: a service has 0 tasks or more.", "Raise min.")
    if minimum > maximum:
        problem = f"min is {minimum} and max is {maximum}: min must not be above max."
        yield Wrong("max", problem, "Raise max or lower min.")


def policy_faults(policies: Sequence[Mapping[str, Any]]) -> Iterator[Wrong]:
    """Say what AWS would refuse of the option `policies` (PutScalingPolicy, PutMetricAlarm), whatever an emulator takes."""
    yield from _twice("policies", policies)
    tracked: dict[Any, str] = {}
    for policy in policies:
        said = _step_faults(policy) if policy["type"] == "step" else _tracking_faults(policy)
        yield from (Wrong("policies", f"The scaling policy {policy['name']!r}: {what}", way) for what, way in said)
        if policy["type"] == "step" or not policy.get("metric"):
            continue
        metric = (policy["metric"], policy.get("target_group"))
        if metric in tracked:
            yield Wrong(
                "policies",
                f"The policies {tracked[metric]!r} and {policy['name']!r} both track {policy['metric']}: AWS takes one for "
                "a metric.",
                "Take one of them away.",
            )
        tracked[metric] = policy["name"]


def _twice(option: str, items: Iterable[Mapping[str, Any]]) -> Iterator[Wrong]:
    names = [item["name"] for item in items]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield Wrong(option, f"{option} has {name!r} twice.", "Give each another name.")


#: What is wrong, and the way out.
_Said = Iterator[tuple[str, str]]


def _tracking_faults(policy: Mapping[str, Any]) -> _Said:
    missing = [o for o in ("metric", "target") if policy.get(o) is None]
    if missing:
        yield "a target tracking policy needs metric and target.", f"Give it {' and '.join(missing)}."
    if policy.get("target") is not None and policy["target"] <= 0:
        yield f"target is {policy['target']:g}, and must be above 0.", "Raise it; the tutorial's is 55."
    yield from _cooldown_faults(policy, "scale_out_cooldown", "scale_in_cooldown")
    named = [o for o in ("load_balancer", "target_group") if policy.get(o)]
    if policy.get("metric") == REQUESTS and len(named) < 2:
        yield f"{REQUESTS} needs load_balancer and target_group, whose requests are counted.", "Name both."
    if policy.get("metric") and policy["metric"] != REQUESTS and named:
        problem = f"{' and '.join(named)} belong to {REQUESTS}, and the metric is {policy['metric']}."
        yield problem, "Take them out, or choose that metric."


def _cooldown_faults(policy: Mapping[str, Any], *options: str) -> _Said:
    for option in options:
        if (policy.get(option) or 0) < 0:
            yield f"{option} is {policy[option]}, and must be 0 seconds or more.", "Raise it."


def _step_faults(policy: Mapping[str, Any]) -> _Said:
    missing = [o for o in ("adjustment_type", "steps", "alarm") if not policy.get(o)]
    if missing:
        yield f"a step policy needs {', '.join(missing)}.", "Add what is missing."
    yield from _cooldown_faults(policy, "cooldown")
    kind, steps = policy.get("adjustment_type"), policy.get("steps") or []
    if kind == "ExactCapacity" and any(s["adjustment"] < 0 for s in steps):
        yield "with ExactCapacity an adjustment is a number of tasks, 0 or more.", "Raise it, or choose ChangeInCapacity."
    if policy.get("min_adjustment_magnitude") and kind and kind != "PercentChangeInCapacity":
        yield "min_adjustment_magnitude goes with PercentChangeInCapacity only.", "Take it out, or choose that."
    if steps:
        yield from _interval_faults(steps)
    alarm = policy.get("alarm") or {}
    wanted, most = alarm.get("datapoints_to_alarm"), alarm.get("evaluation_periods") or 0
    if wanted is not None and not 1 <= wanted <= most:
        problem = f"datapoints_to_alarm is {wanted}, outside of 1 to evaluation_periods, which is {most}."
        yield problem, "Lower it, or raise evaluation_periods."


def _interval_faults(unsorted: Sequence[Mapping[str, Any]]) -> _Said:
    """AWS's rules for step adjustments (User Guide, "Step adjustments"): no gap, no overlap, open at the outer end."""
    steps = sorted(unsorted, key=lambda s: float("-inf") if s.get("lower") is None else s["lower"])
    lone = [s for s in steps if s.get("lower") is None and s.get("upper") is None]
    if lone and len(steps) > 1:
        yield "a step without lower and upper covers everything, and must be the only one.", "Give it its lower or upper."
        return
    turned = [s for s in steps if None not in (s.get("lower"), s.get("upper")) and s["lower"] >= s["upper"]]
    for step in turned:
        yield f"a step goes from {step['lower']:g} to {step['upper']:g}: lower must be below upper.", "Mend one of the two."
    if turned:
        return
    for one, other in zip(steps, steps[1:]):
        if one.get("upper") is None or other.get("lower") is None or one["upper"] != other["lower"]:
            yield (
                f"after the step up to {_bound(one.get('upper'))} comes one from {_bound(other.get('lower'))}: steps must "
                "follow each other without gap or overlap.",
                "Begin each where the one below it ends.",
            )
    first, last = steps[0].get("lower"), steps[-1].get("upper")
    if first is not None and first < 0:
        yield f"the lowest step begins at {first:g}, below the threshold: it has to be open there.", "Leave its lower out."
    if last is not None and last > 0:
        yield f"the highest step ends at {last:g}, above the threshold: it has to be open there.", "Leave its upper out."


def _bound(number: float | None) -> str:
    return "infinity" if number is None else f"{number:g}"


#: Of PutScheduledAction's `Schedule` (API Reference). Whether the fields of cron say something AWS alone can tell.
_SCHEDULES = (
    re.compile(r"at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)"),
    re.compile(r"rate\([1-9]\d* (minute|hour|day)s?\)"),
    re.compile(r"cron\(\s*(\S+\s+){5}\S+\s*\)"),
)


#: A system with fewer time zones has no whole database (tzdata), and names can't be checked.
_ZONES = 300


@functools.lru_cache(maxsize=None)
def _zones() -> frozenset[str]:
    """Return the names of all time zones; none where this machine doesn't have them."""
    found = zoneinfo.available_timezones()
    return frozenset(found if len(found) >= _ZONES else ())


def action_faults(
    actions: Sequence[Mapping[str, Any]], minimum: int | None, maximum: int | None
) -> Iterator[Wrong]:
    """Say what AWS would refuse of the option `scheduled_actions`. The bounds are None where they are not known."""
    yield from _twice("scheduled_actions", actions)
    for action in actions:
        said = _action_faults(action, minimum, maximum)
        yield from (
            Wrong("scheduled_actions", f"The scheduled action {action['name']!r} {what}", way) for what, way in said
        )


def _action_faults(action: Mapping[str, Any], minimum: int | None, maximum: int | None) -> _Said:
    least, most = action.get("min"), action.get("max")
    if re.search(r"^ | $|[:/|\x00-\x1f]", action["name"]):
        yield "has a character in its name that AWS refuses (one of : / |).", "Give it another name."
    if least is None and most is None:
        yield "sets neither min nor max.", "Give it one of them."
    if least is not None and most is not None and least > most:
        yield f"has min {least} above max {most}.", "Raise max or lower min."
    below = least is None and most is not None and minimum is not None and most < minimum
    above = most is None and least is not None and maximum is not None and least > maximum
    if below or above:
        yield (
            f"sets {f'max to {most}' if below else f'min to {least}'}, outside of min {minimum} to max {maximum}.",
            "Give it both bounds, or change those.",
        )
    if not any(form.fullmatch(action["schedule"]) for form in _SCHEDULES):
        yield (
            f"has the schedule {action['schedule']!r}, which AWS does not take.",
            "Write at(yyyy-mm-ddThh:mm:ss), rate(value unit), or cron(minutes hours day-of-month month day-of-week year), "
            "such as cron(0 8 ? * MON-FRI *).",
        )
    yield from _zone_faults(action["schedule"], action.get("timezone", "UTC"))


def _zone_faults(schedule: str, zone: str) -> _Said:
    if zone == "UTC":
        return
    if schedule.startswith("rate("):
        # PutScheduledAction's `Timezone` is for at() and cron(); what AWS shows is UTC again.
        yield f"has the timezone {zone!r} with {schedule}: a rate has none.", "Take timezone out, or write cron(…)."
    elif not zone or (_zones() and zone not in _zones()):
        way = "Write the canonical name of an IANA time zone, such as Asia/Seoul."
        yield f"has the timezone {zone!r}, which is none.", way
