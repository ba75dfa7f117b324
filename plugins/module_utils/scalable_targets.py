# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between a scalable target of Application Auto Scaling with all that hangs on it and the module `scalable_target`."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.resource import Missing

NAMESPACE, DIMENSION = "ecs", "ecs:service:DesiredCount"

#: option of `suspended` -> member of SuspendedState
SUSPENDED = {
    "scale_in": "DynamicScalingInSuspended",
    "scale_out": "DynamicScalingOutSuspended",
    "scheduled": "ScheduledScalingSuspended",
}

#: option of a policy -> member of TargetTrackingScalingPolicyConfiguration
_TRACKING = {
    "scale_out_cooldown": "ScaleOutCooldown",
    "scale_in_cooldown": "ScaleInCooldown",
    "disable_scale_in": "DisableScaleIn",
}
#: What AWS takes for an ECS service where a member is not given (User Guide, "Define cooldown periods").
_TRACKING_DEFAULTS = {"scale_out_cooldown": 300, "scale_in_cooldown": 300, "disable_scale_in": False}

#: option of a policy -> member of StepScalingPolicyConfiguration, and what AWS takes where it is not given
_STEP = {
    "adjustment_type": ("AdjustmentType", None),
    "cooldown": ("Cooldown", 300),
    "min_adjustment_magnitude": ("MinAdjustmentMagnitude", None),
    "metric_aggregation": ("MetricAggregationType", "Average"),
}
_TYPES = {"TargetTrackingScaling": "target_tracking", "StepScaling": "step", "PredictiveScaling": "predictive"}

#: option of `alarm` -> parameter of PutMetricAlarm, where the value goes as it is
_ALARM = {
    "metric": "MetricName",
    "statistic": "Statistic",
    "comparison": "ComparisonOperator",
    "threshold": "Threshold",
    "period": "Period",
    "evaluation_periods": "EvaluationPeriods",
    "datapoints_to_alarm": "DatapointsToAlarm",
}

REQUESTS = "ALBRequestCountPerTarget"

#: `own_alarms` of a target tracking policy that has all of its alarms.
THERE = "there"


def resource_id(cluster: str, service: str) -> str:
    """Return what Application Auto Scaling calls a service."""
    return f"service/{cluster}/{service}"


def key(cluster: str, service: str) -> dict[str, str]:
    """Return the three parameters by which every call names the target."""
    return {
        "ServiceNamespace": NAMESPACE,
        "ResourceId": resource_id(cluster, service),
        "ScalableDimension": DIMENSION,
    }


def alarm_prefix(cluster: str, service: str) -> str:
    """Return how the names of our own alarms for a service begin. No name of a service or cluster has a slash."""
    return f"{service}/{cluster}/"


def missing_service(cluster: str, service: str) -> Missing:
    """The fault of a service that isn't there, with the playbook that makes it."""
    return Missing(
        f"There is no active service named {service!r} on the cluster {cluster!r}, so there is nothing to scale. "
        "Make it first: ansible-playbook playbooks/service.yml"
    )


def resource_label(load_balancer_arn: str, target_group_arn: str) -> str:
    """Return the ResourceLabel of a PredefinedMetricSpecification: the final portions of both ARNs."""
    return f"{load_balancer_arn.split(':loadbalancer/')[-1]}/{target_group_arn.split(':')[-1]}"


# --- the options as they are compared


def bounds(
    current: Mapping[str, Any] | None, minimum: int, maximum: int, actions: Iterable[Mapping[str, Any]]
) -> tuple[int, int]:
    """Return (min, max) to ask for. A living bound that a scheduled action sets is the clock's, and stays."""
    if current is None:
        return minimum, maximum
    actions = list(actions)
    least = current["min"] if current["min"] in [a["min"] for a in actions] else minimum
    most = current["max"] if current["max"] in [a["max"] for a in actions] else maximum
    return (least, most) if least <= most else (minimum, maximum)


def wanted_policy(policy: Mapping[str, Any], label: str | None = None) -> dict[str, Any]:
    """Return one of the option `policies` as it is compared; `label` is that of ALBRequestCountPerTarget."""
    if policy["type"] == "target_tracking":
        return {
            "name": policy["name"],
            "type": "target_tracking",
            "metric": policy["metric"],
            "resource_label": label,
            "target": float(policy["target"]),
            **{o: policy[o] for o in _TRACKING},
            "own_alarms": THERE,
        }
    alarm = {o: policy["alarm"].get(o) for o in _ALARM}
    alarm["datapoints_to_alarm"] = alarm["datapoints_to_alarm"] or alarm["evaluation_periods"]
    return {
        "name": policy["name"],
        "type": "step",
        **{o: policy.get(o) for o in _STEP},
        "steps": _sorted_steps({o: s.get(o) for o in ("lower", "upper", "adjustment")} for s in policy["steps"]),
        "alarm": {**alarm, "threshold": float(alarm["threshold"]), "calls_the_policy": True},
    }


def _sorted_steps(steps: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(steps, key=lambda s: float("-inf") if s["lower"] is None else s["lower"])


def own_alarms(policy: Mapping[str, Any], found: Iterable[str]) -> str:
    """Return whether the alarms that a target tracking policy names are among those `found`, in words for the diff.

    Without them it scales nothing. Only those it names are looked for: how many it makes is AWS's affair.
    """
    gone = sorted({a["AlarmName"] for a in policy.get("Alarms") or []} - set(found))
    return f"deleted: {', '.join(gone)}" if gone else THERE


def policy_from_aws(
    policy: Mapping[str, Any], alarm: Mapping[str, Any] | None, own: str = THERE
) -> dict[str, Any]:
    """Return what DescribeScalingPolicies says of a policy as it is compared.

    `alarm` is our own of a step policy, `own` what `own_alarms` says of a target tracking policy.
    """
    kind = _TYPES.get(policy["PolicyType"], policy["PolicyType"])
    if kind == "target_tracking":
        tracking = policy["TargetTrackingScalingPolicyConfiguration"]
        metric = tracking.get("PredefinedMetricSpecification") or {}
        return {
            "name": policy["PolicyName"],
            "type": kind,
            "metric": metric.get("PredefinedMetricType"),
            "resource_label": metric.get("ResourceLabel"),
            "target": tracking["TargetValue"],
            **{o: tracking.get(m, _TRACKING_DEFAULTS[o]) for o, m in _TRACKING.items()},
            "own_alarms": own,
        }
    if kind == "step":
        step = policy["StepScalingPolicyConfiguration"]
        return {
            "name": policy["PolicyName"],
            "type": kind,
            **{o: step.get(m, default) for o, (m, default) in _STEP.items()},
            "steps": _sorted_steps(
                {
                    "lower": s.get("MetricIntervalLowerBound"),
                    "upper": s.get("MetricIntervalUpperBound"),
                    "adjustment": s["ScalingAdjustment"],
                }
                for s in step.get("StepAdjustments") or []
            ),
            "alarm": alarm and alarm_from_aws(alarm, policy),
        }
    return {"name": policy["PolicyName"], "type": kind}


def policy_to_aws(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of PutScalingPolicy that stand for a policy as it is compared."""
    if policy["type"] == "target_tracking":
        metric = {"PredefinedMetricType": policy["metric"]}
        if policy["resource_label"]:
            metric["ResourceLabel"] = policy["resource_label"]
        return {
            "PolicyName": policy["name"],
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": policy["target"],
                "PredefinedMetricSpecification": metric,
                **{member: policy[o] for o, member in _TRACKING.items()},
            },
        }
    bounds = {"lower": "MetricIntervalLowerBound", "upper": "MetricIntervalUpperBound"}
    return {
        "PolicyName": policy["name"],
        "PolicyType": "StepScaling",
        "StepScalingPolicyConfiguration": {
            **{member: policy[o] for o, (member, _default) in _STEP.items() if policy[o] is not None},
            "StepAdjustments": [
                {"ScalingAdjustment": s["adjustment"], **{m: s[o] for o, m in bounds.items() if s[o] is not None}}
                for s in policy["steps"]
            ],
        },
    }


def alarm_from_aws(alarm: Mapping[str, Any], policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return the option `alarm` of a step policy from DescribeAlarms."""
    said = {o: alarm.get(member) for o, member in _ALARM.items()}
    said["datapoints_to_alarm"] = said["datapoints_to_alarm"] or said["evaluation_periods"]
    calls = bool(alarm.get("ActionsEnabled", True)) and policy["PolicyARN"] in (alarm.get("AlarmActions") or [])
    return {**said, "calls_the_policy": calls}


def alarm_to_aws(
    alarm: Mapping[str, Any], cluster: str, service: str, policy_name: str, policy_arn: str
) -> dict[str, Any]:
    """Return the parameters of PutMetricAlarm, without tags, for the alarm of a step policy."""
    return {
        "AlarmName": alarm_prefix(cluster, service) + policy_name,
        "AlarmDescription": f"Calls the step scaling policy {policy_name} of the service {service} on {cluster}.",
        "Namespace": "AWS/ECS",
        "Dimensions": [{"Name": "ClusterName", "Value": cluster}, {"Name": "ServiceName", "Value": service}],
        "ActionsEnabled": True,
        "AlarmActions": [policy_arn],
        **{member: alarm[o] for o, member in _ALARM.items()},
    }


def alarm_row(alarm: Mapping[str, Any], policy: str | None) -> dict[str, Any]:
    """Return what the result says of an alarm, and whose it is."""
    return {
        "name": alarm["AlarmName"],
        "arn": alarm["AlarmArn"],
        "policy": policy,
        "state": alarm.get("StateValue"),
        "condition": condition(alarm),
        **{o: alarm.get(member) for o, member in _ALARM.items()},
    }


_SIGNS = {
    "GreaterThanOrEqualToThreshold": "≥",
    "GreaterThanThreshold": ">",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "≤",
}


def condition(alarm: Mapping[str, Any]) -> str:
    """Return when an alarm (DescribeAlarms) goes off, as CloudWatch's console words it."""
    sign = _SIGNS.get(alarm.get("ComparisonOperator") or "", alarm.get("ComparisonOperator"))
    periods, minutes = alarm.get("EvaluationPeriods") or 0, (alarm.get("Period") or 60) / 60
    points = alarm.get("DatapointsToAlarm") or periods
    threshold = alarm.get("Threshold")
    said = "?" if threshold is None else f"{threshold:g}"
    return f"{alarm.get('MetricName')} {sign} {said} for {points} datapoints within {periods * minutes:g} minutes"


def action_from_aws(action: Mapping[str, Any]) -> dict[str, Any]:
    """Return one of `scheduled_actions` from DescribeScheduledActions."""
    sizes = action.get("ScalableTargetAction") or {}
    return {
        "name": action["ScheduledActionName"],
        "schedule": action["Schedule"],
        "timezone": action.get("Timezone") or "UTC",
        "min": sizes.get("MinCapacity"),
        "max": sizes.get("MaxCapacity"),
    }


def action_to_aws(action: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of PutScheduledAction. The timezone goes with at() and cron() only."""
    sizes = {"MinCapacity": action["min"], "MaxCapacity": action["max"]}
    return {
        "ScheduledActionName": action["name"],
        "Schedule": action["schedule"],
        **({} if action["schedule"].startswith("rate(") else {"Timezone": action["timezone"]}),
        "ScalableTargetAction": {k: v for k, v in sizes.items() if v is not None},
    }


def suspended_from_aws(state: Mapping[str, bool] | None) -> dict[str, bool]:
    """Return the option `suspended` from a scalable target's SuspendedState. AWS shows none where nothing is."""
    return {option: bool((state or {}).get(member, False)) for option, member in SUSPENDED.items()}


def suspended_to_aws(suspended: Mapping[str, bool]) -> dict[str, bool]:
    """Return SuspendedState, all of it: what is not named is left as it is."""
    return {member: bool(suspended[option]) for option, member in SUSPENDED.items()}


def by_name(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the items in the order of their names, so that the order of the options is no difference."""
    return sorted(items, key=lambda i: i["name"])
