# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Application Auto Scaling of ECS services: tags, refusals of AWS, and what goes with what.

moto 5.2.5 has no tags; takes a minimum above the maximum, policies and scheduled actions without a scalable target and
two policies on one metric; gives a changed policy another ARN and new alarms beside the old ones; makes the alarms with
a fixed threshold; leaves policies, alarms and scheduled actions behind when their target is deregistered; leaves the
service's count outside of the range; describes the policies of `service/c/api` with those of `service/c/api-v2`.
Alarms are never evaluated, so nothing scales by itself.
"""

import json
from dataclasses import replace as with_values
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend, FakeApplicationAutoscalingPolicy
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.exceptions import JsonRESTError

from embedded_endpoint.gaps import target_tracking
from embedded_endpoint.gaps.patching import LOCK, replace

SUSPENDED = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
METRICS = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
}


def not_found(message: str) -> JsonRESTError:
    """ObjectNotFoundException."""
    return JsonRESTError("ObjectNotFoundException", message)


def _target(backend, namespace: str, resource_id: str, dimension: str) -> Any:
    found = backend.targets.get(dimension, {}).get(resource_id)
    if found is None:
        raise not_found(
            f"No scalable target found for service namespace: {namespace}, resource ID: {resource_id}, "
            f"scalable dimension: {dimension}"
        )
    return found


# --- scalable targets


@replace(ApplicationAutoscalingBackend)
def register_scalable_target(
    original, self, namespace, r_id, dimension, min_capacity, max_capacity, role_arn, suspended_state
):
    known = self.targets.get(dimension, {}).get(r_id)
    least = min_capacity if min_capacity is not None else getattr(known, "min_capacity", None)
    most = max_capacity if max_capacity is not None else getattr(known, "max_capacity", None)
    if least is None or most is None:
        raise AWSValidationException(
            "Both MinCapacity and MaxCapacity must be specified to register a new scalable target"
        )
    if least < 0:
        raise AWSValidationException("MinCapacity must be greater than or equal to 0")
    if least > most:
        raise AWSValidationException("Maximum capacity cannot be less than minimum capacity")
    before = getattr(known, "suspended_state", None) or dict.fromkeys(SUSPENDED, False)
    suspended_state = {**before, **(suspended_state or {})}
    with LOCK:
        service = _service(self, r_id) if namespace == "ecs" else None
        role_arn = role_arn or _service_linked_role(self)
        target = original(self, namespace, r_id, dimension, min_capacity, max_capacity, role_arn, suspended_state)
        if service is not None and not least <= service.desired_count <= most:
            service.desired_count = max(least, min(service.desired_count, most))
            service.steady = False
    return target


def _service(backend, r_id: str) -> Any:
    _, cluster, name = r_id.split("/")
    found = backend.ecs_backend.services.get(f"{cluster}:{name}")
    if found is None or found.status != "ACTIVE":
        raise AWSValidationException(f"ECS service doesn't exist: {r_id}")
    return found


def _service_linked_role(backend) -> str:
    return (
        f"arn:aws:iam::{backend.account_id}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
        "AWSServiceRoleForApplicationAutoScaling_ECSService"
    )


@replace(ApplicationAutoscalingBackend)
def deregister_scalable_target(original, self, namespace, r_id, dimension):
    _target(self, namespace, r_id, dimension)
    for key, policy in list(self.policies.items()):
        if (policy.resource_id, policy.scalable_dimension) == (r_id, dimension):
            target_tracking.drop(policy, self.account_id, self.region_name)
            del self.policies[key]
    self.scheduled_actions = [
        a for a in self.scheduled_actions if (a.resource_id, a.scalable_dimension) != (r_id, dimension)
    ]
    return original(self, namespace, r_id, dimension)


@replace(ApplicationAutoScalingResponse, "register_scalable_target")
def _register(original, self):
    backend = self.applicationautoscaling_backend
    key = self._get_param("ScalableDimension"), self._get_param("ResourceId")
    known = key[1] in backend.targets.get(key[0], {})
    answer = original(self)
    if not known:
        # For a target that is there already TagResource is the call.
        backend.targets[key[0]][key[1]].tags = dict(self._get_param("Tags") or {})
    return answer


def _tagged(self) -> Any:
    arn = self._get_param("ResourceARN")
    for targets in self.applicationautoscaling_backend.targets.values():
        for target in targets.values():
            if target.arn == arn:
                vars(target).setdefault("tags", {})
                return target
    raise JsonRESTError("ResourceNotFoundException", f"No scalable target found with ARN: {arn}")


@replace(ApplicationAutoScalingResponse)
def list_tags_for_resource(original, self):
    return json.dumps({"Tags": _tagged(self).tags})


@replace(ApplicationAutoScalingResponse)
def tag_resource(original, self):
    _tagged(self).tags.update(self._get_param("Tags") or {})
    return "{}"


@replace(ApplicationAutoScalingResponse)
def untag_resource(original, self):
    target = _tagged(self)
    target.tags = {k: v for k, v in target.tags.items() if k not in (self._get_param("TagKeys") or [])}
    return "{}"


# --- policies


@replace(ApplicationAutoscalingBackend)
def put_scaling_policy(
    original, self, policy_name, service_namespace, resource_id, scalable_dimension, policy_body, policy_type
):
    _target(self, service_namespace, resource_id, scalable_dimension)
    key = FakeApplicationAutoscalingPolicy.formulate_key(
        service_namespace, resource_id, scalable_dimension, policy_name
    )
    known = self.policies.get(key)
    if known is not None and policy_type not in (None, known.policy_type):
        raise AWSValidationException(f"The policy type of the scaling policy {policy_name} cannot be changed")
    body = policy_body or (known and known._policy_body) or {}
    if (policy_type or known and known.policy_type) == "TargetTrackingScaling":
        _check_tracking(self, key, resource_id, body)
    elif not body.get("StepAdjustments"):
        raise AWSValidationException("At least one step adjustment is required")
    if known is None:
        return original(self, policy_name, service_namespace, resource_id, scalable_dimension, body, policy_type)
    # The same policy: its ARN, which alarms name, and the names of its alarms stay.
    known._policy_body = body
    if known.policy_type == "TargetTrackingScaling":
        known.target_tracking_scaling_policy_configuration = body
    else:
        known.step_scaling_policy_configuration = body
    known.create_alarms()
    return known


def _check_tracking(backend, key: str, resource_id: str, body: dict[str, Any]) -> None:
    if not body.get("TargetValue") or body["TargetValue"] <= 0:
        raise AWSValidationException("TargetValue must be greater than 0")
    metric = body.get("PredefinedMetricSpecification") or body.get("CustomizedMetricSpecification")
    if not metric:
        raise AWSValidationException("A predefined or a customized metric must be specified")
    label = metric.get("ResourceLabel")
    if metric.get("PredefinedMetricType") == "ALBRequestCountPerTarget":
        if target_tracking.requests(label or "") is None:
            raise AWSValidationException(f"Invalid resource label: {label}")
    elif label:
        raise AWSValidationException("ResourceLabel is not supported for this predefined metric type")
    for other, policy in backend.policies.items():
        if other == key or policy.resource_id != resource_id or policy.policy_type != "TargetTrackingScaling":
            continue
        if metric in [policy._policy_body.get(f"{kind}MetricSpecification") for kind in ("Predefined", "Customized")]:
            raise AWSValidationException(
                "Only one TargetTrackingScaling policy for a given metric specification is allowed."
            )


@replace(FakeApplicationAutoscalingPolicy)
def create_alarms(original, self):
    metric = (self._policy_body or {}).get("PredefinedMetricSpecification") or {}
    if self.policy_type != "TargetTrackingScaling" or self.service_namespace != "ecs" or not metric:
        return original(self) if self.service_namespace != "ecs" else None
    _, cluster, service = self.resource_id.split("/")
    if metric["PredefinedMetricType"] in METRICS:
        watched = target_tracking.Watched(
            thing=self.resource_id,
            namespace="AWS/ECS",
            metric=METRICS[metric["PredefinedMetricType"]],
            statistic="Average",
            dimensions={"ClusterName": cluster, "ServiceName": service},
            low=0.9,
        )
    else:
        watched = with_values(target_tracking.requests(metric["ResourceLabel"]), thing=self.resource_id, low=0.9)
    action = f"{self.policy_arn}:createdBy/{self._guid}"
    target_tracking.keep(self, self.account_id, self.region_name, watched, self._policy_body["TargetValue"], action)


@replace(ApplicationAutoscalingBackend)
def delete_scaling_policy(original, self, policy_name, service_namespace, resource_id, scalable_dimension):
    key = FakeApplicationAutoscalingPolicy.formulate_key(
        service_namespace, resource_id, scalable_dimension, policy_name
    )
    if key not in self.policies:
        raise not_found(
            f"No scaling policy found for service namespace: {service_namespace}, resource ID: {resource_id}, scalable "
            f"dimension: {scalable_dimension}, policy name: {policy_name}"
        )
    return original(self, policy_name, service_namespace, resource_id, scalable_dimension)


@replace(ApplicationAutoscalingBackend)
def describe_scaling_policies(
    original, self, service_namespace, resource_id, scalable_dimension, max_results, next_token
):
    # moto looks whether one is a part of the other: a tuple has no parts but its items.
    return original(
        self,
        service_namespace,
        (resource_id,) if resource_id else None,
        (scalable_dimension,) if scalable_dimension else None,
        max_results,
        next_token,
    )


# --- scheduled actions


@replace(ApplicationAutoScalingResponse, "put_scheduled_action")
def _put_scheduled(original, self):
    asked = json.loads(self.body)
    _target(
        self.applicationautoscaling_backend, asked["ServiceNamespace"], asked["ResourceId"], asked["ScalableDimension"]
    )
    sizes = asked.get("ScalableTargetAction") or {}
    if not {"MinCapacity", "MaxCapacity"} & set(sizes):
        raise AWSValidationException("ScalableTargetAction must have MinCapacity, MaxCapacity or both")
    if sizes.get("MinCapacity", 0) > sizes.get("MaxCapacity", float("inf")):
        raise AWSValidationException("Maximum capacity cannot be less than minimum capacity")
    if not str(asked.get("Schedule", "")).startswith(("at(", "rate(", "cron(")):
        raise AWSValidationException(f"Invalid schedule expression: {asked.get('Schedule')}")
    return original(self)


@replace(ApplicationAutoscalingBackend)
def delete_scheduled_action(original, self, service_namespace, scheduled_action_name, resource_id, scalable_dimension):
    before = len(self.scheduled_actions)
    original(self, service_namespace, scheduled_action_name, resource_id, scalable_dimension)
    if len(self.scheduled_actions) == before:
        raise not_found(f"No scheduled action found with name: {scheduled_action_name}")
