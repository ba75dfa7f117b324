# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""DescribeScalingActivities of application auto scaling, which moto 5.2.5 doesn't have.

Nobody evaluates alarms or schedules here. What scales is RegisterScalableTarget alone, where a service's count lies
outside of the limits.
"""

import json

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.utils import unix_time
from moto.moto_api._internal import mock_random

from embedded_endpoint.gaps.patching import replace

MOST = 50  # of a page, and kept


@replace(ApplicationAutoscalingBackend)
def register_scalable_target(original, self, namespace, r_id, dimension, *args, **kwargs):
    before = _count(self, namespace, r_id)
    target = original(self, namespace, r_id, dimension, *args, **kwargs)
    after = _count(self, namespace, r_id)
    if before != after:
        side = "minimum" if after > before else "maximum"
        now = unix_time()
        vars(self).setdefault("scaling_activities", []).insert(
            0,
            {
                "ActivityId": str(mock_random.uuid4()),
                "ServiceNamespace": namespace,
                "ResourceId": r_id,
                "ScalableDimension": dimension,
                "Description": f"Setting desired count to {after}.",
                "Cause": f"{side} capacity was set to {after}",
                "StartTime": now,
                "EndTime": now,
                "StatusCode": "Successful",
                "StatusMessage": f"Successfully set desired count to {after}. Change successfully fulfilled by ecs.",
            },
        )
        del self.scaling_activities[MOST:]
    return target


def _count(backend, namespace: str, r_id: str) -> int | None:
    if namespace != "ecs" or r_id.count("/") != 2:
        return None
    service = backend.ecs_backend.services.get(":".join(r_id.split("/")[1:]))
    return service.desired_count if service is not None else None


@replace(ApplicationAutoScalingResponse)
def describe_scaling_activities(original, self):
    namespace = self._get_param("ServiceNamespace")
    if not namespace:
        raise AWSValidationException("ServiceNamespace is required")
    wanted = {"ServiceNamespace": namespace}
    wanted |= {key: value for key in ("ResourceId", "ScalableDimension") if (value := self._get_param(key))}
    found = [
        each
        for each in vars(self.applicationautoscaling_backend).get("scaling_activities", [])
        if wanted.items() <= each.items()
    ]
    return json.dumps({"ScalingActivities": found[: self._get_int_param("MaxResults") or MOST]})
