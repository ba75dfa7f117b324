# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Health checks: targets are asked over HTTP, and are healthy or not by what they answer.

A new target is `initial` and needs one success ("your target must pass one health check to be considered healthy"),
then as many in a row as the group's thresholds say:
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
"""

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from embedded_endpoint.gaps import elbv2_targets
from embedded_endpoint.gaps.patching import replace
from moto.elbv2.models import FakeHealthStatus, FakeTargetGroup

from container_endpoint import routing

INITIAL, HEALTHY, UNHEALTHY = "initial", "healthy", "unhealthy"
FIRST_CHECK = 0.2  # seconds after the registration
INITIAL_INTERVAL = 1.0  # until the first success: a program that is just starting needn't wait for a whole interval

#: (target id, port) as the records have it -> (host, port) at which the container answers
addresses: dict[tuple[str, int], tuple[str, int]] = {}
_pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="health")


class Check:
    """What is known of one target's health."""

    def __init__(self, registered: float):
        self.state = INITIAL
        self.code: str | None = None
        self.description: str | None = None
        self.successes = self.failures = 0
        self.next = registered + FIRST_CHECK
        self.since = registered
        self.asking = False

    def answered(self, error: tuple[str, str] | None, healthy_after: int, unhealthy_after: int) -> None:
        """Count one check: None for a success, else (reason code, description)."""
        if error is None:
            self.successes, self.failures = self.successes + 1, 0
            if self.state == INITIAL or self.successes >= healthy_after:
                self.state, self.code, self.description = HEALTHY, None, None
            return
        self.successes, self.failures = 0, self.failures + 1
        if self.failures >= unhealthy_after and (self.state != INITIAL or self._time_is_up()):
            self.state = UNHEALTHY
            self.code, self.description = error

    def _time_is_up(self) -> bool:
        return time.monotonic() - self.since >= self.initial_seconds

    initial_seconds = 0.0  # how long a target may be initial: threshold times interval


def checks(group: FakeTargetGroup) -> dict[str, Check]:
    """The checks of a group by the key of its targets."""
    return vars(group).setdefault("container_checks", {})


def state(group: FakeTargetGroup, target: dict[str, Any]) -> str:
    """The state of a registered target."""
    check = checks(group).get(elbv2_targets._key(group, target))
    return check.state if check else INITIAL


def usable(group: FakeTargetGroup) -> list[tuple[str, int]]:
    """Where requests may go: the healthy targets, or all but the new ones where none is (ALB fails open)."""
    found: dict[str, list[tuple[str, int]]] = {HEALTHY: [], UNHEALTHY: [], INITIAL: []}
    for target in list(group.targets.values()):
        address = addresses.get((target["Id"], int(target["Port"])))
        if address:
            found[state(group, target)].append(address)
    return found[HEALTHY] or found[UNHEALTHY]


def ask_due(groups: list[FakeTargetGroup]) -> None:
    """Start the checks that are due, and forget those of targets that are gone."""
    now = time.monotonic()
    for group in groups:
        known = checks(group)
        for key in [key for key in known if key not in group.targets]:
            del known[key]
        for key, target in list(group.targets.items()):
            check = known.get(key)
            if check is None:
                check = known[key] = Check(now)
            if check.asking or now < check.next:
                continue
            interval = int(group.health_check_interval_seconds)
            check.initial_seconds = interval * int(group.unhealthy_threshold_count)
            check.next = now + (min(INITIAL_INTERVAL, interval) if check.state == INITIAL else interval)
            check.asking = True
            _pool.submit(_ask, group, check, addresses.get((target["Id"], int(target["Port"]))))


def _ask(group: FakeTargetGroup, check: Check, address: tuple[str, int] | None) -> None:
    try:
        error = _error(group, address)
        check.answered(error, int(group.healthy_threshold_count), int(group.unhealthy_threshold_count))
    finally:
        check.asking = False


def _error(group: FakeTargetGroup, address: tuple[str, int] | None) -> tuple[str, str] | None:
    if address is None:
        return "Target.FailedHealthChecks", "Health checks failed"
    seconds = int(group.health_check_timeout_seconds)
    connection = http.client.HTTPConnection(*address, timeout=seconds)
    try:
        connection.request("GET", group.health_check_path or "/", headers={"User-Agent": "ELB-HealthChecker/2.0"})
        code = connection.getresponse().status
    except TimeoutError:
        return "Target.Timeout", "Request timed out"
    except (OSError, http.client.HTTPException):
        return "Target.FailedHealthChecks", "Health checks failed"
    finally:
        connection.close()
    if routing.matches(code, str(group.matcher.get("HttpCode") or 200)):
        return None
    return "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{code}]"


@replace(FakeTargetGroup)
def health_for(original, self, target, ec2_backend):
    status = original(self, target, ec2_backend)
    if status.status not in (HEALTHY, UNHEALTHY):
        return status  # unused or draining, as the records say
    check = checks(self).get(elbv2_targets._key(self, target))
    if check is None or check.state == INITIAL:
        reason = ("Elb.RegistrationInProgress", "Target registration is in progress")
        if check is not None:
            reason = ("Elb.InitialHealthChecking", "Initial health checks in progress")
        return FakeHealthStatus(target["Id"], status.port, self.health_check_port, INITIAL, *reason)
    return FakeHealthStatus(
        target["Id"], status.port, self.health_check_port, check.state, check.code, check.description
    )
