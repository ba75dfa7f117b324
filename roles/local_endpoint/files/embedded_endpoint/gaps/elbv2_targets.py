# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Targets by id *and* port: two tasks on one instance are two targets.

moto 5.2.5 keeps one port per instance id, so the second task's registration replaces the first (seen with
RegisterTargets of one instance with two ports). It also takes every target for healthy (see failing_tasks).
"""

from moto.elbv2.exceptions import InvalidTargetError
from moto.elbv2.models import FakeHealthStatus, FakeTargetGroup
from moto.elbv2.models import TargetNotRunning

from embedded_endpoint.gaps.patching import replace


def _key(group: FakeTargetGroup, target: dict) -> str:
    return f"{target['Id']}:{target.get('Port') or group.port}"


@replace(FakeTargetGroup)
def register(original, self, targets):
    for target in targets:
        instance = self.ec2_backend.get_instance_by_id(target["Id"])
        if instance and instance.state != "running":
            raise TargetNotRunning(instance_id=target["Id"])
        key = _key(self, target)
        self.targets[key] = {"Id": target["Id"], "Port": int(target.get("Port") or self.port)}
        self.deregistered_targets.pop(key, None)
        unhealthy(self).pop(key, None)


def unhealthy(group: FakeTargetGroup) -> dict[str, str]:
    """The registered targets that fail the health check, with what it says."""
    return vars(group).setdefault("unhealthy_targets", {})


def mark_unhealthy(group: FakeTargetGroup, target: dict, description: str) -> None:
    """Let a registered target fail the health check until it is registered anew."""
    unhealthy(group)[_key(group, target)] = description


@replace(FakeTargetGroup)
def deregister(original, self, targets):
    for target in targets:
        # Without a port AWS takes every registration of the target.
        keys = (
            [_key(self, target)]
            if target.get("Port")
            else [k for k, t in self.targets.items() if t["Id"] == target["Id"]]
        )
        if not keys or keys[0] not in self.targets:
            raise InvalidTargetError()
        for key in keys:
            self.deregistered_targets[key] = self.targets.pop(key)


@replace(FakeTargetGroup)
def forget(original, self, target):
    """Ours: take a target out if it is there; a stopped task's target may be gone already."""
    gone = self.targets.pop(_key(self, target), None)
    if gone:
        self.deregistered_targets[_key(self, target)] = gone


@replace(FakeTargetGroup)
def deregister_terminated_instances(original, self, instance_ids):
    for key in [key for key, target in self.targets.items() if target["Id"] in instance_ids]:
        self.terminated_targets[key] = self.targets.pop(key)


@replace(FakeTargetGroup)
def health_for(original, self, target, ec2_backend):
    key = _key(self, target)
    port = int(target.get("Port") or self.port)
    if key in self.targets:
        instance = ec2_backend.get_instance_by_id(target["Id"])
        state = instance.state if instance else "running"
        if state != "running":
            return FakeHealthStatus(
                target["Id"],
                port,
                self.health_check_port,
                "unused",
                "Target.InvalidState",
                f"Target is in the {state} state",
            )
        if key in unhealthy(self):
            return FakeHealthStatus(
                target["Id"],
                port,
                self.health_check_port,
                "unhealthy",
                "Target.ResponseCodeMismatch",
                unhealthy(self)[key],
            )
        return FakeHealthStatus(target["Id"], port, self.health_check_port, "healthy")
    if key in self.terminated_targets:
        return FakeHealthStatus(
            target["Id"],
            port,
            self.health_check_port,
            "draining",
            "Target.DeregistrationInProgress",
            "Target deregistration is in progress",
        )
    return FakeHealthStatus(
        target["Id"],
        port,
        self.health_check_port,
        "unused",
        "Target.NotRegistered",
        "Target is not registered to the target group",
    )
