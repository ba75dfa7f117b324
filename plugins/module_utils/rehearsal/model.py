# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rehearsal is told: the service, its instances, their policies, the load, and what somebody does by hand."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Iterable, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.capacity import Task
from ansible_collections.handson.ecs.plugins.module_utils.preflight.instance_types import InstanceType
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.tracking import Policy


@dataclass(frozen=True)
class Workload:
    """What requests, tasks and instances cost. Seconds, vCPU-seconds, vCPUs.

    The defaults are fitted to the tutorial's sections 6.2 to 7.2; see docs/scaling-rehearsal.md.
    """

    #: vCPU-seconds of one request, and seconds that it spends elsewhere.
    request_cpu: float = 1.6
    request_wait: float = 1.3
    #: How much the cost of a request varies from minute to minute (a standard deviation, as a share).
    noise: float = 0.02
    #: Until a task is healthy, and the vCPU-seconds that its start takes.
    task_start: int = 60
    task_start_cpu: float = 5.0
    #: How long a task that stops keeps its place: the deregistration delay.
    task_stop: int = 60
    task_idle: float = 0.01
    #: Until a new instance is in service for its group, until ECS places tasks on it, and until an old one is gone.
    instance_in_service: int = 60
    instance_start: int = 150
    instance_stop: int = 120
    instance_idle: float = 0.03
    #: How late a minute's metric is.
    metric_delay: int = 60
    #: When a waiting request gives up: the load balancer's idle timeout.
    timeout: int = 60


@dataclass(frozen=True)
class Load:
    """Requests from minute `start` to minute `until` (None: to the end).

    Either `concurrency`, a closed loop of so many at once until `requests` are answered, as `ab -n -c` makes it; or
    `rate` in requests/s, which goes evenly to `rate_until`.
    """

    start: float
    until: float | None = None
    concurrency: int = 0
    requests: int | None = None
    rate: float = 0.0
    rate_until: float | None = None

    def rate_at(self, minute: float, end: float) -> float:
        """Return the requests/s at a minute."""
        last = self.rate if self.rate_until is None else self.rate_until
        until = self.until if self.until is not None else end
        part = (minute - self.start) / (until - self.start) if until > self.start else 0
        return self.rate + (last - self.rate) * min(1.0, max(0.0, part))


@dataclass(frozen=True)
class Event:
    """What somebody does at a minute: another number of instances, other bounds of the tasks, a roll-out."""

    minute: float
    instances: int | None = None
    max_tasks: int | None = None
    min_tasks: int | None = None
    deploy: bool = False


@dataclass(frozen=True)
class Setup:
    """A service on its instances, with the policies that scale both; None scales nothing."""

    task: Task
    kind: InstanceType
    tasks: int = 2
    instances: int = 2
    service_policy: Policy | None = None
    group_policy: Policy | None = None
    provider_policy: Policy | None = None
    #: Instances with tasks are kept by managed termination protection.
    protected: bool = True
    minimum_healthy_percent: int = 100
    maximum_percent: int = 200
    #: Whether a task may use no more CPU than it reserves, as the size of a *task* has it on AWS.
    hard_cpu_limit: bool = False
    workload: Workload = Workload()


class Mistake(ValueError):
    """A value that makes no sense, in words for whoever wrote it."""


def _records(kind: type, given: Iterable[Any], name: str) -> list[Any]:
    known = {f.name for f in fields(kind)}
    out = []
    for index, entry in enumerate(given):
        where = f"{name}[{index}]"
        if not isinstance(entry, Mapping):
            raise Mistake(f"{where} is {entry!r}; it is a dictionary with {', '.join(sorted(known))}.")
        unknown = sorted(set(entry) - known)
        if unknown:
            raise Mistake(f"{where} has {', '.join(unknown)}; known are {', '.join(sorted(known))}.")
        values = {}
        for key, value in entry.items():
            if value is None or (isinstance(value, bool) and key == "deploy"):
                values[key] = value
                continue
            try:
                number = float(value)
            except (TypeError, ValueError):
                raise Mistake(f"{where}.{key} is {value!r}; it is a number.") from None
            if number < 0:
                raise Mistake(f"{where}.{key} is {value!r}; it is 0 or more.")
            values[key] = number if key in ("start", "until", "rate", "rate_until", "minute") else int(number)
        try:
            out.append(kind(**values))
        except TypeError:
            raise Mistake(f"{where} lacks {'minute' if kind is Event else 'start'}.") from None
    return out


def loads(given: Iterable[Any]) -> list[Load]:
    """Return the load that a list of dictionaries means. Raises Mistake."""
    found = _records(Load, given, "load")
    for index, load in enumerate(found):
        if bool(load.concurrency) == bool(load.rate or load.rate_until):
            raise Mistake(f"load[{index}] needs either concurrency (a closed loop, as ab -c makes it) or rate (1/s).")
        if load.until is not None and load.until <= load.start:
            raise Mistake(f"load[{index}] ends at minute {load.until:g}, not after its start at {load.start:g}.")
    return found


def events(given: Iterable[Any]) -> list[Event]:
    """Return the events that a list of dictionaries means, in order. Raises Mistake."""
    return sorted(_records(Event, given, "events"), key=lambda e: e.minute)
