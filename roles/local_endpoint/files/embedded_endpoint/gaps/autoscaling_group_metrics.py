# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""EnableMetricsCollection and DisableMetricsCollection: which metrics of its own a group collects.

moto 5.2.5 forgets those that were enabled before, enables none where none is named (AWS: all), takes any name, and lacks
DisableMetricsCollection. They are kept as settings; nothing counts.
"""

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import EmptyResult

from embedded_endpoint.gaps.patching import replace

_STATES = ("InService", "Pending", "Standby", "Terminating", "Total")
METRICS = (
    "GroupMinSize", "GroupMaxSize", "GroupDesiredCapacity",
    *(f"Group{state}Instances" for state in _STATES), *(f"Group{state}Capacity" for state in _STATES),
    "WarmPoolDesiredCapacity", "WarmPoolWarmedCapacity", "WarmPoolPendingCapacity", "WarmPoolTerminatingCapacity",
    "WarmPoolTotalCapacity", "GroupAndWarmPoolDesiredCapacity", "GroupAndWarmPoolTotalCapacity",
)  # fmt: skip


def _asked(response):
    """The group, and the metrics that are named, or all of them."""
    name = response._get_param("AutoScalingGroupName")
    group = response.autoscaling_backend.autoscaling_groups.get(name)
    if group is None:
        raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    metrics = response._get_param("Metrics") or list(METRICS)
    for metric in metrics:
        if metric not in METRICS:
            raise ValidationError(f"Invalid metric name: {metric}")
    return group, metrics


@replace(AutoScalingResponse)
def enable_metrics_collection(_original, self):
    group, metrics = _asked(self)
    if self._get_param("Granularity") != "1Minute":
        raise ValidationError("The only valid value for Granularity is 1Minute")
    group.metrics = [m for m in METRICS if m in group.metrics or m in metrics]
    return EmptyResult()


@replace(AutoScalingResponse)
def disable_metrics_collection(_original, self):
    group, metrics = _asked(self)
    group.metrics = [m for m in group.metrics if m not in metrics]
    return EmptyResult()
