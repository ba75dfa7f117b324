# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between an alarm as CloudWatch describes it and the option `alarms` of the module `metric_alarms`."""

from __future__ import annotations

import re
from typing import Any, Iterable, Iterator, Mapping, Sequence

from ansible_collections.handson.ecs.plugins.module_utils.metric_names import filled_in, mentions

COMPARISONS = {
    ">": "GreaterThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold",
    "<=": "LessThanOrEqualToThreshold",
}
MISSING = ("breaching", "notBreaching", "ignore", "missing")
#: Statistics that PutMetricAlarm takes as `Statistic`; all others are an `ExtendedStatistic`.
PLAIN = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
#: Of the option `alarms`, as a module's argument spec has it. Preflight holds the inventory's own alarms against it.
OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "description": {"type": "str", "default": ""},
    "namespace": {"type": "str"},
    "metric": {"type": "str"},
    "dimensions": {"type": "dict", "default": {}},
    "statistic": {"type": "str", "default": "Average"},
    "metrics": {"type": "list", "elements": "dict"},
    "comparison": {"type": "str", "choices": list(COMPARISONS), "required": True},
    "threshold": {"type": "float", "required": True},
    "period": {"type": "int", "default": 60},
    "evaluation_periods": {"type": "int", "default": 3},
    "datapoints": {"type": "int"},
    "missing": {"type": "str", "choices": list(MISSING), "default": "missing"},
}


def ours_by_name(name: str, prefix: str) -> bool:
    """Return whether an alarm under the prefix can be one that `metric_alarms` made: what follows has no slash.

    Those with one are others' with the same tags, such as `<service>/<cluster>/<policy>` of a step scaling policy.
    """
    return "/" not in name.removeprefix(prefix)


def faults(alarm: Mapping[str, Any]) -> Iterator[str]:
    """Say what CloudWatch would refuse (PutMetricAlarm), whatever an emulator takes; and a name that isn't ours to use."""
    if not ours_by_name(alarm["name"], ""):
        yield "a name with a slash is that of a scaling policy's alarm"
    metrics = alarm.get("metrics")
    if bool(metrics) == bool(alarm.get("metric")):
        yield "it needs a metric or metrics, and not both"
    if alarm.get("metric") and not alarm.get("namespace"):
        yield "metric needs its namespace"
    ids = [str(part.get("id", "")) for part in metrics or []]
    yield from (f"the id {i!r} is there twice" for i in sorted({i for i in ids if ids.count(i) > 1}))
    for part in metrics or []:
        if not re.fullmatch(r"[a-z][A-Za-z0-9_]*", str(part.get("id", ""))):
            yield f"the id {part.get('id')!r} of a metric has to begin with a small letter"
        if not part.get("expression") and not (part.get("namespace") and part.get("metric")):
            yield f"{part.get('id')!r} needs an expression, or namespace and metric"
    period = alarm["period"]
    if period not in (10, 20, 30) and (period < 60 or period % 60):
        yield f"a period of {period} s is neither 10, 20, 30 nor a multiple of 60"
    if alarm["evaluation_periods"] < 1:
        yield "evaluation_periods is below 1"
    if alarm.get("datapoints") and alarm["datapoints"] > alarm["evaluation_periods"]:
        yield f"{alarm['datapoints']} datapoints of {alarm['evaluation_periods']} evaluation_periods"
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    if period * alarm["evaluation_periods"] > (604800 if period >= 3600 else 86400):
        yield "period times evaluation_periods is more than a day"


def of_a_part(tags: Mapping[str, str], owner: Mapping[str, Any]) -> str | None:
    """Return why an alarm with the owner's tags is not the owner's all the same: a cluster's are on its services', too."""
    more = sorted(k for k in tags if k.startswith("handson:") and k not in owner) if owner else []
    return f"its tag {more[0]} says that it is {tags[more[0]]!r}'s" if more else None


def needs_names(alarms: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether one of them names the load balancer or the target group by placeholder."""
    return mentions(list(alarms))


def wanted(alarm: Mapping[str, Any], known: Mapping[str, str], actions: Sequence[str]) -> dict[str, Any]:
    """Return the alarm as `from_aws` would describe it once it is there. Units as PutMetricAlarm's."""
    out = {
        "description": alarm.get("description") or "",
        "comparison": alarm["comparison"],
        "threshold": float(alarm["threshold"]),
        "evaluation_periods": alarm["evaluation_periods"],
        "datapoints": alarm.get("datapoints") or alarm["evaluation_periods"],
        "missing": alarm["missing"],
        "actions": sorted(actions),
    }
    if alarm.get("metrics"):
        parts = [_part(p, alarm["period"]) for p in alarm["metrics"]]
        compared = parts[-1]["id"]
        parts = [{**p, "compared": p["id"] == compared} for p in filled_in(parts, known)]
        return {**out, "metrics": _by_id(parts)}
    of = {"namespace": alarm["namespace"], "metric": alarm["metric"], "statistic": alarm["statistic"]}
    dimensions = {str(k): str(v) for k, v in (alarm.get("dimensions") or {}).items()}
    return {**out, **of, "period": alarm["period"], "dimensions": filled_in(dimensions, known)}


def _by_id(parts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return them in one order: DescribeAlarms promises none, and which is compared is told by `compared`."""
    return sorted(parts, key=lambda p: p["id"])


def _part(part: Mapping[str, Any], period: int) -> dict[str, Any]:
    if part.get("expression"):
        return {"id": part["id"], "expression": part["expression"], "label": part.get("label") or ""}
    return {
        "id": part["id"],
        "namespace": part["namespace"],
        "metric": part["metric"],
        "dimensions": {str(k): str(v) for k, v in (part.get("dimensions") or {}).items()},
        "statistic": part.get("statistic") or "Average",
        "period": int(part.get("period") or period),
    }


def from_aws(alarm: Mapping[str, Any]) -> dict[str, Any]:
    """Return a MetricAlarm of DescribeAlarms in the names of the options. An unknown comparison stays as it is."""
    words = {v: k for k, v in COMPARISONS.items()}
    out = {
        "description": alarm.get("AlarmDescription") or "",
        "comparison": words.get(alarm["ComparisonOperator"], alarm["ComparisonOperator"]),
        "threshold": alarm.get("Threshold"),
        "evaluation_periods": alarm["EvaluationPeriods"],
        "datapoints": alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"],
        "missing": alarm.get("TreatMissingData") or "missing",
        "actions": sorted(alarm.get("AlarmActions") or []),
    }
    if sorted(alarm.get("OKActions") or []) != out["actions"]:
        out["ok_actions"] = sorted(alarm.get("OKActions") or [])
    if alarm.get("ActionsEnabled") is False:
        out["muted"] = True
    if alarm.get("Metrics"):
        # What is not said is true (MetricDataQuery).
        parts = [{**_part_from_aws(p), "compared": p.get("ReturnData", True)} for p in alarm["Metrics"]]
        return {**out, "metrics": _by_id(parts)}
    return {
        **out,
        "namespace": alarm.get("Namespace"),
        "metric": alarm.get("MetricName"),
        "statistic": alarm.get("Statistic") or alarm.get("ExtendedStatistic"),
        "period": alarm.get("Period"),
        "dimensions": {d["Name"]: d["Value"] for d in alarm.get("Dimensions") or []},
    }


def _part_from_aws(part: Mapping[str, Any]) -> dict[str, Any]:
    if part.get("Expression"):
        return {"id": part["Id"], "expression": part["Expression"], "label": part.get("Label") or ""}
    stat = part["MetricStat"]
    return {
        "id": part["Id"],
        "namespace": stat["Metric"]["Namespace"],
        "metric": stat["Metric"]["MetricName"],
        "dimensions": {d["Name"]: d["Value"] for d in stat["Metric"].get("Dimensions") or []},
        "statistic": stat["Stat"],
        "period": stat["Period"],
    }


def to_aws(alarm: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of PutMetricAlarm, without name and tags."""
    out = {
        "AlarmDescription": alarm["description"],
        "ComparisonOperator": COMPARISONS[alarm["comparison"]],
        "Threshold": alarm["threshold"],
        "EvaluationPeriods": alarm["evaluation_periods"],
        "DatapointsToAlarm": alarm["datapoints"],
        "TreatMissingData": alarm["missing"],
        "ActionsEnabled": True,
        "AlarmActions": alarm["actions"],
        "OKActions": alarm["actions"],
    }
    if "metrics" in alarm:
        return {**out, "Metrics": [_part_to_aws(p) for p in alarm["metrics"]]}
    statistic = "Statistic" if alarm["statistic"] in PLAIN else "ExtendedStatistic"
    return {
        **out,
        "Namespace": alarm["namespace"],
        "MetricName": alarm["metric"],
        statistic: alarm["statistic"],
        "Period": alarm["period"],
        "Dimensions": _pairs(alarm["dimensions"]),
    }


def _part_to_aws(part: Mapping[str, Any]) -> dict[str, Any]:
    compared = part["compared"]
    if "expression" in part:
        label = {"Label": part["label"]} if part["label"] else {}
        return {"Id": part["id"], "Expression": part["expression"], "ReturnData": compared, **label}
    metric = {"Namespace": part["namespace"], "MetricName": part["metric"], "Dimensions": _pairs(part["dimensions"])}
    stat = {"Metric": metric, "Period": part["period"], "Stat": part["statistic"]}
    return {"Id": part["id"], "MetricStat": stat, "ReturnData": compared}


def _pairs(dimensions: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": dimensions[name]} for name in sorted(dimensions)]
