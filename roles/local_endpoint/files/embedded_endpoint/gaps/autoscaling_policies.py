# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Scaling policies of Auto Scaling groups: their ARN, the alarms of target tracking, and what goes with a group.

moto 5.2.5 keeps policies by their name alone, so that two groups can't have one of the same name; gives all of them the
same id and PutScalingPolicy no ARN; makes no alarms; forgets whether a policy is enabled; takes a policy for a group
that isn't there; leaves the policies of a deleted group.
"""

from dataclasses import replace as with_values

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.models import AutoScalingBackend, FakeScalingPolicy
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.moto_api._internal import mock_random
from moto.utilities.utils import get_partition

from embedded_endpoint.gaps import target_tracking
from embedded_endpoint.gaps.patching import replace

METRICS = {
    "ASGAverageCPUUtilization": ("CPUUtilization", "Average"),
    "ASGAverageNetworkIn": ("NetworkIn", "Average"),
    "ASGAverageNetworkOut": ("NetworkOut", "Average"),
}


def invalid(message: str) -> AutoscalingClientError:
    """ValidationError."""
    return AutoscalingClientError("ValidationError", message)


def _arn(self) -> str:
    backend = self.autoscaling_backend
    guid = vars(self).setdefault("guid", str(mock_random.uuid4()))
    return (
        f"arn:{get_partition(backend.region_name)}:autoscaling:{backend.region_name}:{backend.account_id}:"
        f"scalingPolicy:{guid}:autoScalingGroupName/{self.auto_scaling_group_name}:policyName/{self.name}"
    )


# Not `replace`: properties. `alarms` is what DescribePolicies shows.
FakeScalingPolicy.arn = FakeScalingPolicy.policy_arn = property(_arn)


@replace(AutoScalingResponse)
def put_scaling_policy(original, self):
    backend, asked = self.autoscaling_backend, self._get_params()
    group, name = asked.get("AutoScalingGroupName"), asked.get("PolicyName")
    if group not in backend.autoscaling_groups:
        raise invalid("Group not found.")
    _check(backend, group, name, asked)
    known = backend.policies.get(f"{group}/{name}")
    others = {key: policy for key, policy in backend.policies.items() if policy is not known}
    original(self)
    policy = backend.policies.pop(name)  # moto's key
    policy.enabled = self._get_bool_param("Enabled", True)
    policy.made = getattr(known, "made", [])
    policy.guid = getattr(known, "guid", None) or str(mock_random.uuid4())
    backend.policies = {**others, f"{group}/{name}": policy}
    _keep_alarms(backend, policy, asked)
    return ActionResult({"PolicyARN": policy.policy_arn, "Alarms": policy.alarms})


def _check(backend, group: str, name: str, asked: dict) -> None:
    if asked.get("PolicyType") != "TargetTrackingScaling":
        return
    tracking = asked.get("TargetTrackingConfiguration") or {}
    metric = tracking.get("PredefinedMetricSpecification") or tracking.get("CustomizedMetricSpecification")
    if not metric:
        raise invalid("You must specify either a predefined metric or a customized metric.")
    if float(tracking.get("TargetValue") or 0) <= 0:
        raise invalid("TargetValue must be greater than 0.")
    for policy in backend.policies.values():
        if (policy.auto_scaling_group_name, policy.policy_type) != (
            group,
            "TargetTrackingScaling",
        ) or policy.name == name:
            continue
        if vars(policy.target_tracking_configuration).get("PredefinedMetricSpecification") == metric:
            raise invalid("Only one TargetTrackingScaling policy for a given metric specification is allowed.")


class _Alarms:
    """What target_tracking needs of a policy; DescribePolicies shows `alarms` of the policy in another form."""

    def __init__(self, policy):
        self.policy_arn = policy.policy_arn
        self.alarms = policy.made


def _keep_alarms(backend, policy, asked: dict) -> None:
    tracking = asked.get("TargetTrackingConfiguration") or {}
    metric = tracking.get("PredefinedMetricSpecification") or {}
    kind, group = metric.get("PredefinedMetricType"), policy.auto_scaling_group_name
    made = _Alarms(policy)
    watched = None
    if kind in METRICS:
        name, statistic = METRICS[kind]
        dimensions = {"AutoScalingGroupName": group}
        watched = target_tracking.Watched(group, "AWS/EC2", name, statistic, dimensions, 0.75)
    elif kind == "ALBRequestCountPerTarget":
        found = target_tracking.requests(metric.get("ResourceLabel") or "")
        if found is None:
            raise invalid(f"Invalid resource label: {metric.get('ResourceLabel')}")
        watched = with_values(found, thing=group, low=0.9)
    if watched is not None:
        target = float(tracking["TargetValue"])
        target_tracking.keep(made, backend.account_id, backend.region_name, watched, target, policy.policy_arn)
    policy.made = made.alarms
    policy.alarms = [{"AlarmName": alarm.name, "AlarmARN": alarm.alarm_arn} for alarm in policy.made]


def _drop(backend, key: str) -> None:
    policy = backend.policies.pop(key)
    made = _Alarms(policy)
    target_tracking.drop(made, backend.account_id, backend.region_name)


def _key(self) -> str | None:
    """The key of the policy that a request names by its name and group, or by its ARN."""
    name, group = self._get_param("PolicyName"), self._get_param("AutoScalingGroupName")
    for key, policy in self.autoscaling_backend.policies.items():
        if name == policy.policy_arn or (name == policy.name and group in (None, policy.auto_scaling_group_name)):
            return key
    return None


@replace(AutoScalingResponse)
def delete_policy(original, self):
    key = _key(self)
    if key is None:
        raise invalid("Policy not found.")
    _drop(self.autoscaling_backend, key)
    return EmptyResult()


@replace(AutoScalingResponse)
def execute_policy(original, self):
    key = _key(self)
    if key is None:
        raise invalid("Policy not found.")
    self.autoscaling_backend.execute_policy(key)
    return EmptyResult()


@replace(AutoScalingBackend)
def delete_auto_scaling_group(original, self, group_name):
    original(self, group_name)
    for key, policy in list(self.policies.items()):
        if policy.auto_scaling_group_name == group_name:
            _drop(self, key)
