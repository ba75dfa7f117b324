# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rehearsal itself: load, processors, metrics and scalers, step by step."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from typing import Sequence

from ansible_collections.handson.ecs.plugins.module_utils import capacity
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal import queueing
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.cluster import Cluster, Instance
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.model import Event, Load, Mistake, Setup
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.tracking import Tracker

#: Seconds of one step; metrics are of whole minutes.
STEP = 10


@dataclass
class Minute:
    """What one minute looked like: means over it, and counts at its end.

    `offered` and `answered` are requests/s, `dropped` those that timed out; `latency` is seconds, None without
    requests; the CPUs are percentages as AWS/ECS (service) and AWS/EC2 (group) count them.
    """

    minute: int
    at_once: int = 0
    offered: float = 0.0
    answered: float = 0.0
    dropped: float = 0.0
    latency: float | None = None
    service_cpu: float | None = None
    instance_cpu: float | None = None
    reserved_cpu: float = 0.0
    desired: int = 0
    running: int = 0
    healthy: int = 0
    instances: int = 0
    registered: int = 0
    #: Instances whose CPU the group's metric is the mean of.
    in_service: int = 0
    deploying: bool = False
    #: Which alarms are on: tasks high, tasks low, instances high, instances low.
    alarms: list[str] = field(default_factory=list)


@dataclass
class Note:
    """Something that happened at a minute. `what` is load, tasks, instances, deployment or hand."""

    minute: float
    what: str
    text: str
    before: int = 0
    after: int = 0


@dataclass
class Timeline:
    """A whole rehearsal."""

    setup: Setup
    minutes: list[Minute]
    notes: list[Note]
    #: How many tasks were lost with their instance, as (minute, how many).
    lost: list[tuple[float, int]]
    #: The most tasks that the service may have, by minute.
    maximum: list[int]


class Rehearsal:
    """One service through one load. Deterministic: the same seed gives the same timeline."""

    def __init__(self, setup: Setup, loads: Sequence[Load], events: Sequence[Event] = (), seed: int = 1) -> None:
        self.setup, self.work = setup, setup.workload
        self.cluster = Cluster(setup)
        self.notes: list[Note] = []
        self._loads = [replace(load) for load in loads]
        self._left = [float(load.requests) if load.requests else math.inf for load in loads]
        self._begun: set[int] = set()
        self._over: set[int] = set()
        self._events = sorted(events, key=lambda e: e.minute)
        self._random = random.Random(seed)
        self._backlog = 0.0
        self._service = Tracker(setup.service_policy) if setup.service_policy else None
        self._group = Tracker(setup.group_policy) if setup.group_policy else None
        self._provider = Tracker(setup.provider_policy) if setup.provider_policy else None
        self._deploying = False
        if self._service:
            self._check_bounds(self._service.policy.minimum, self._service.policy.maximum)

    def _check_bounds(self, minimum: int, maximum: int) -> None:
        """Raise Mistake for an event after which no number of tasks would be right: AWS refuses such bounds."""
        for event in self._events:
            before = minimum, maximum
            minimum = minimum if event.min_tasks is None else event.min_tasks
            maximum = maximum if event.max_tasks is None else event.max_tasks
            if minimum > maximum:
                given = [
                    f"{name} to {value}"
                    for name, value in (("min_tasks", event.min_tasks), ("max_tasks", event.max_tasks))
                    if value is not None
                ]
                raise Mistake(
                    f"The event at minute {event.minute:g} sets {' and '.join(given)}, where the service has "
                    f"{before[0]} to {before[1]} tasks: the fewest would be {minimum} and the most {maximum}. Give it both, "
                    "with min_tasks no more than max_tasks."
                )

    def run(self, minutes: int) -> Timeline:
        """Go through so many minutes."""
        rows: list[Minute] = []
        maximum: list[int] = []
        late = max(0, round(self.work.metric_delay / 60))
        for minute in range(minutes):
            row = self._minute(minute, minutes)
            rows.append(row)
            maximum.append(self._service.policy.maximum if self._service else self.cluster.desired)
            if minute >= late:
                self._scale((minute + 1) * 60, rows[minute - late])
            row.alarms = self._alarms()
        lost = [(second / 60, number) for second, number in self.cluster.lost]
        return Timeline(self.setup, rows, self.notes, lost, maximum)

    # --- a minute -----------------------------------------------------------------------------------------------------

    def _minute(self, minute: int, minutes: int) -> Minute:
        row, cluster = Minute(minute), self.cluster
        request_cpu = self.work.request_cpu * max(0.5, round(self._random.gauss(1, self.work.noise), 3))
        used = reserved = group = latency = 0.0
        steps = in_group = 0
        for now in range(minute * 60, minute * 60 + 60, STEP):
            self._by_hand(now)
            cluster.step(now)
            self._rollout_notes(now)
            stations = self._stations(now)
            offered, answered, busy, at_once = self._serve(now, minutes, request_cpu, stations)
            starting = {i.number: self._starting(i, now) for i in cluster.instances}
            tasks = len(cluster.running())
            used += busy + sum(starting.values()) + self.work.task_idle * tasks
            reserved += tasks * self.setup.task.cpu / 1024
            of_group = cluster.in_service(now)
            row.in_service = len(of_group)
            if of_group:
                # What instances on their way out still do counts no more.
                work = busy + sum(starting[i.number] for i in of_group) + self.work.task_idle * tasks
                vcpus = self.setup.kind.cpu / 1024
                each = [work / len(of_group) / vcpus + self.work.instance_idle] * len(of_group)
                group += min(1.0, sum(each) / len(each))
                in_group += 1
            row.offered += offered / 6
            row.answered += answered / 6
            row.at_once = max(row.at_once, at_once)
            if answered:
                alone = request_cpu + self.work.request_wait
                latency += at_once / answered if at_once else self._backlog / answered + alone
                steps += 1
        end = minute * 60 + 60
        row.dropped, self._dropped = self._dropped / 60, 0.0
        row.latency = latency / steps if steps else None
        row.service_cpu = 100 * used / reserved if reserved else None
        row.instance_cpu = 100 * group / in_group if in_group else None
        row.desired, row.running = cluster.desired, len(cluster.running())
        row.healthy = len(cluster.healthy(end))
        row.instances, row.registered = len(cluster.up()), len(cluster.registered(end))
        row.reserved_cpu = capacity.reservation(self.setup.task, row.running, self.setup.kind, row.registered)["cpu"]
        row.deploying = cluster.deploying
        return row

    def _starting(self, instance: Instance, now: int) -> float:
        """Return the vCPUs that starting tasks take of an instance."""
        each = self.work.task_start_cpu / max(STEP, self.work.task_start)
        if self.setup.hard_cpu_limit and self.setup.task.cpu:
            each = min(each, self.setup.task.cpu / 1024)
        number = sum(t.gone_at is None and t.started <= now < t.healthy_at for t in instance.tasks)
        return min(self.setup.kind.cpu / 1024, each * number)

    def _stations(self, now: int) -> tuple[queueing.Station, ...]:
        """Return who serves: instances with their share of the healthy tasks, or tasks where each has a limit."""
        total = len(self.cluster.healthy(now))
        found = []
        for instance in self.cluster.instances:
            mine = sum(t.gone_at is None and t.healthy_at <= now for t in instance.tasks)
            if not mine:
                continue
            vcpus = round(self.setup.kind.cpu / 1024 - self._starting(instance, now), 2)
            if self.setup.hard_cpu_limit and self.setup.task.cpu:
                found += [(1 / total, min(self.setup.task.cpu / 1024, vcpus / mine))] * mine
            else:
                found.append((mine / total, vcpus))
        return tuple(sorted(found))

    _dropped = 0.0

    def _serve(
        self, now: int, minutes: int, cpu: float, stations: tuple[queueing.Station, ...]
    ) -> tuple[float, float, float, int]:
        """Return (offered, answered) in requests/s, the vCPUs that these take, and how many are on their way."""
        offered = answered = 0.0
        at_once = 0
        for index, load in enumerate(self._loads):
            if index in self._over or now < load.start * 60:
                continue
            what = f"{load.concurrency} at once" if load.concurrency else f"{load.rate:g}/s"
            if index not in self._begun:
                self._begun.add(index)
                number = f", {load.requests} requests" if load.requests else ""
                self._note(now, "load", f"load begins: {what}{number}")
            if (load.until is not None and now >= load.until * 60) or self._left[index] <= 0:
                self._over.add(index)
                self._note(now, "load", f"load ends: {what}")
                continue
            if load.concurrency:
                rate = queueing.closed(load.concurrency, cpu, self.work.request_wait, stations)
                self._left[index] -= rate * STEP
                at_once += load.concurrency
                offered, answered = offered + rate, answered + rate
            else:
                rate = load.rate_at(now / 60, minutes)
                backlog = self._backlog / STEP
                done = queueing.opened(rate + backlog, cpu, stations)
                self._backlog = max(0.0, (rate + backlog - done) * STEP)
                too_late = max(0.0, self._backlog - rate * self.work.timeout)
                self._backlog -= too_late
                self._dropped += too_late
                offered, answered = offered + rate, answered + done
        limit = sum(vcpus for _share, vcpus in stations)
        return offered, answered, min(answered * cpu, limit), at_once

    # --- what changes capacity ----------------------------------------------------------------------------------------

    def _note(self, now: float, what: str, text: str, before: int = 0, after: int = 0) -> None:
        self.notes.append(Note(now / 60, what, text, before, after))

    def _by_hand(self, now: int) -> None:
        while self._events and self._events[0].minute * 60 <= now:
            event = self._events.pop(0)
            if event.instances is not None:
                before = len(self.cluster.up())
                self.cluster.resize(now, event.instances)
                self._note(now, "hand", f"instances {before} -> {event.instances}, by hand", before, event.instances)
            if self._service and (event.max_tasks is not None or event.min_tasks is not None):
                old = self._service.policy
                new = replace(
                    old,
                    maximum=old.maximum if event.max_tasks is None else event.max_tasks,
                    minimum=old.minimum if event.min_tasks is None else event.min_tasks,
                )
                self._service.change(new)
                self._note(now, "hand", f"tasks {old.minimum}..{old.maximum} -> {new.minimum}..{new.maximum}, by hand")
                # Registering a scalable target brings a count that is out of bounds back into them.
                self.cluster.desired = min(max(self.cluster.desired, new.minimum), new.maximum)
            if event.deploy:
                self.cluster.deploy()
                self._note(now, "deployment", "roll-out begins; scaling in pauses")

    def _rollout_notes(self, now: int) -> None:
        if self._deploying and not self.cluster.deploying:
            self._note(now, "deployment", "roll-out ends")
        self._deploying = self.cluster.deploying

    def _scale(self, now: int, seen: Minute) -> None:
        """Show the scalers a minute's metrics and do what they decide."""
        cluster = self.cluster
        if self._service:
            decision = self._service.decide(
                now, seen.service_cpu, seen.running, cluster.desired, may_scale_in=not cluster.deploying
            )
            if decision:
                cluster.desired = decision.after
                text = f"tasks {decision.before} -> {decision.after}: CPU {decision.reason}"
                self._note(now, "tasks", text, decision.before, decision.after)
        self._scale_instances(now, seen)

    def _scale_instances(self, now: int, seen: Minute) -> None:
        cluster = self.cluster
        up, going = len(cluster.up()), any(i.gone_at is not None for i in cluster.instances)
        decisions = []
        if self._group:
            decision = self._group.decide(now, seen.instance_cpu, seen.in_service, up, not going)
            decisions.append(("CPU", decision))
        if self._provider:
            value = self._provider_reservation(now)
            decisions.append(("reservation", self._provider.decide(now, value, up, up, not going)))
        out = [(name, d) for name, d in decisions if d and d.after > up]
        # Out if one policy wants it, in only if all do, and then by the smaller step.
        chosen = max(out, key=lambda c: c[1].after) if out else None
        if not chosen and decisions and all(d for _name, d in decisions):
            chosen = max(decisions, key=lambda c: c[1].after)
        if chosen:
            name, decision = chosen
            cluster.resize(now, decision.after)
            if len(cluster.up()) != up:
                text = f"instances {up} -> {len(cluster.up())}: {name} {decision.reason}"
                self._note(now, "instances", text, up, len(cluster.up()))

    def _provider_reservation(self, now: int) -> float:
        """Return CapacityProviderReservation: instances that are needed over those that there are, in percent."""
        cluster = self.cluster
        up = cluster.up()
        if not up:
            return 200.0 if cluster.desired else 100.0
        full = sum(any(t.gone_at is None for t in i.tasks) for i in up)
        missing = cluster.desired - len(cluster.running())
        if missing > 0:
            free = sum(cluster.slots - len(i.tasks) for i in cluster.registered(now))
            full += math.ceil(max(0, missing - free) / cluster.slots) if cluster.slots else 0
        return 100 * full / len(up)

    def _alarms(self) -> list[str]:
        found = []
        for name, tracker in (("tasks", self._service), ("instances", self._group), ("provider", self._provider)):
            if tracker:
                found += [f"{name} {side}" for side in ("high", "low") if getattr(tracker, side)]
        return found


def rehearse(
    setup: Setup, loads: Sequence[Load], events: Sequence[Event] = (), minutes: int = 120, seed: int = 1
) -> Timeline:
    """Return the timeline of a service through a load."""
    return Rehearsal(setup, loads, events, seed).run(minutes)
