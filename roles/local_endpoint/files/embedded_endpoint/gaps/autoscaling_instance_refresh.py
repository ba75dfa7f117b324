# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""StartInstanceRefresh, DescribeInstanceRefreshes, CancelInstanceRefresh: missing in moto 5.2.5.

One instance is replaced at each DescribeInstanceRefreshes, or each second when only other calls are made.
"""

import time

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.moto_api._internal import mock_random

from embedded_endpoint.gaps import autoscaling_groups
from embedded_endpoint.gaps.patching import replace

STEP_SECONDS = 1.0
OPEN = ("Pending", "InProgress", "Cancelling")


class Refresh:
    """One instance refresh of a group, as the API shows it."""

    def __init__(self, group, preferences, configuration):
        self.instance_refresh_id = str(mock_random.uuid4())
        self.auto_scaling_group_name = group.name
        self.status = "Pending"
        self.status_reason = None
        self.start_time = utcnow()
        self.end_time = None
        self.percentage_complete = 0
        self.preferences = preferences or {}
        self.desired_configuration = configuration
        self.strategy = "Rolling"
        # SkipMatching leaves instances alone that were launched with the version that the group launches now.
        skip = autoscaling_groups.current_version(group) if self.preferences.get("SkipMatching") else None
        self.waiting = [s.instance.id for s in group.instance_states if skip is None or s.launch_template != skip]
        self.instances_to_update = self.total = len(self.waiting)
        self.stepped = time.monotonic()

    def step(self, backend) -> None:
        """Replace one instance, or end."""
        self.stepped = time.monotonic()
        group = backend.autoscaling_groups.get(self.auto_scaling_group_name)
        if group is None:
            self._end("Failed", "The Auto Scaling group was deleted.")
        elif self.status == "Cancelling":
            self._end("Cancelled", "Cancelled due to user request.")
        elif self.status == "Pending":
            self.status = "InProgress"
        elif self.waiting:
            self._replace(backend, group, self.waiting.pop(0))
        else:
            self._end("Successful", None)

    def _replace(self, backend, group, instance_id: str) -> None:
        if any(state.instance.id == instance_id for state in group.instance_states):
            backend.ec2_backend.terminate_instances([instance_id])
            backend.elbv2_backend.notify_terminate_instances([instance_id])
            backend.notify_terminate_instances([instance_id])  # moto launches another in its place
            backend.update_attached_target_groups(group.name)
        self.instances_to_update = len(self.waiting)
        self.percentage_complete = 100 * (self.total - len(self.waiting)) // max(self.total, 1)

    def _end(self, status: str, reason: str | None) -> None:
        self.status, self.status_reason, self.end_time = status, reason, utcnow()
        if status == "Successful":
            self.percentage_complete, self.instances_to_update = 100, 0


def _refreshes(backend) -> list[Refresh]:
    return vars(backend).setdefault("instance_refreshes", [])


def catch_up(backend) -> None:
    """Let refreshes that nobody describes go on."""
    for refresh in _refreshes(backend):
        if refresh.status in OPEN and time.monotonic() - refresh.stepped >= STEP_SECONDS:
            refresh.step(backend)


def _group(backend, name: str):
    group = backend.autoscaling_groups.get(name)
    if group is None:
        raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    return group


def _open(backend, name: str) -> Refresh | None:
    return next(
        (each for each in _refreshes(backend) if each.auto_scaling_group_name == name and each.status in OPEN), None
    )


@replace(AutoScalingResponse)
def start_instance_refresh(original, self):
    backend, name = self.autoscaling_backend, self._get_param("AutoScalingGroupName")
    group = _group(backend, name)
    if _open(backend, name):
        raise AutoscalingClientError(
            "InstanceRefreshInProgress",
            "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
        )
    refresh = Refresh(group, self._get_param("Preferences"), self._get_param("DesiredConfiguration"))
    _refreshes(backend).insert(0, refresh)
    return ActionResult({"InstanceRefreshId": refresh.instance_refresh_id})


@replace(AutoScalingResponse)
def describe_instance_refreshes(original, self):
    backend, name = self.autoscaling_backend, self._get_param("AutoScalingGroupName")
    _group(backend, name)
    wanted = self._get_param("InstanceRefreshIds") or []
    found = [each for each in _refreshes(backend) if each.auto_scaling_group_name == name]
    found = [each for each in found if not wanted or each.instance_refresh_id in wanted]
    for refresh in found:
        if refresh.status in OPEN:
            refresh.step(backend)
    return ActionResult({"InstanceRefreshes": found})


@replace(AutoScalingResponse)
def cancel_instance_refresh(original, self):
    refresh = _open(self.autoscaling_backend, self._get_param("AutoScalingGroupName"))
    if refresh is None:
        raise AutoscalingClientError(
            "ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found for Auto Scaling group."
        )
    refresh.status = "Cancelling"
    return ActionResult({"InstanceRefreshId": refresh.instance_refresh_id})
