# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances and the tasks on them: placement, starts, stops, roll-outs."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.handson.ecs.plugins.module_utils import capacity
from ansible_collections.handson.ecs.plugins.module_utils.preflight.service import bounds
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.model import Setup


@dataclass
class Task:
    """A task on an instance. Times in seconds of the rehearsal."""

    started: int
    healthy_at: int
    revision: int
    #: When its place is free again; None while it runs.
    gone_at: int | None = None


@dataclass
class Instance:
    """A container instance."""

    number: int
    in_service_at: int
    registered_at: int
    tasks: list[Task] = field(default_factory=list)
    #: When it is gone, None while it stays.
    gone_at: int | None = None


class Cluster:
    """The instances of a cluster with one service on them."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.slots = capacity.slots(setup.task, setup.kind)
        self.instances = [Instance(n + 1, 0, 0) for n in range(setup.instances)]
        self._number = setup.instances
        self.desired = setup.tasks
        self.revision = 1
        #: When tasks were lost with their instance, as (second, how many).
        self.lost: list[tuple[int, int]] = []
        self._place(0, setup.tasks, -setup.workload.task_start)

    # --- what there is ------------------------------------------------------------------------------------------------

    def up(self) -> list[Instance]:
        """Instances that are there or come, without those that go."""
        return [i for i in self.instances if i.gone_at is None]

    def in_service(self, now: int) -> list[Instance]:
        """Instances whose CPU the group's metric counts."""
        return [i for i in self.instances if i.gone_at is None and i.in_service_at <= now]

    def registered(self, now: int) -> list[Instance]:
        """Instances on which ECS places tasks."""
        return [i for i in self.instances if i.gone_at is None and i.registered_at <= now]

    def running(self) -> list[Task]:
        """Tasks that run, healthy or not yet."""
        return [t for i in self.instances for t in i.tasks if t.gone_at is None]

    def healthy(self, now: int) -> list[Task]:
        """Tasks that get requests."""
        return [t for t in self.running() if t.healthy_at <= now]

    @property
    def deploying(self) -> bool:
        """Whether a roll-out is going on."""
        return any(t.revision < self.revision for t in self.running())

    # --- what happens -------------------------------------------------------------------------------------------------

    def resize(self, now: int, count: int) -> None:
        """Launch or terminate instances until there are `count` of them."""
        w = self.setup.workload
        while len(self.up()) < count:
            self._number += 1
            self.instances.append(Instance(self._number, now + w.instance_in_service, now + w.instance_start))
        while len(self.up()) > count:
            # An instance that isn't in service yet goes first, then one without tasks where those with are protected,
            # then the oldest.
            up = self.up()
            if self.setup.provider_policy and self.setup.protected:
                up = [i for i in up if not any(t.gone_at is None for t in i.tasks)]
                if not up:
                    return
            old = min(up, key=lambda i: (i.in_service_at <= now, i.number))
            old.gone_at = now + w.instance_stop
            lost = [t for t in old.tasks if t.gone_at is None]
            for task in lost:
                task.gone_at = now
            if lost:
                self.lost.append((now, len(lost)))

    def step(self, now: int) -> None:
        """Let ECS do its work: free what is gone, roll out, place what is missing, stop what is too much."""
        self.instances = [i for i in self.instances if i.gone_at is None or i.gone_at > now]
        for instance in self.instances:
            instance.tasks = [t for t in instance.tasks if t.gone_at is None or t.gone_at > now]
        if self.deploying:
            self._roll(now)
            return
        missing = self.desired - len(self.running())
        if missing > 0:
            self._place(now, missing, now)
        for _ in range(-missing):
            # From the instance with the most tasks, so that the spread stays even; the youngest.
            busiest = max(self.up(), key=lambda i: (sum(t.gone_at is None for t in i.tasks), -i.number))
            self._stop(now, [t for t in busiest.tasks if t.gone_at is None][-1])

    def deploy(self) -> None:
        """Begin a roll-out."""
        self.revision += 1

    def _roll(self, now: int) -> None:
        fewest, most = bounds(self.desired, self.setup.minimum_healthy_percent, self.setup.maximum_percent)
        new = [t for t in self.running() if t.revision == self.revision]
        self._place(now, min(self.desired - len(new), most - len(self.running())), now)
        for task in [t for t in self.running() if t.revision < self.revision]:
            healthy = self.healthy(now)
            new_healthy = sum(t.revision == self.revision for t in healthy)
            if len(healthy) - (task.healthy_at <= now) >= min(fewest, self.desired) and (
                new_healthy or fewest < self.desired
            ):
                self._stop(now, task)

    def _stop(self, now: int, task: Task) -> None:
        task.gone_at = now + self.setup.workload.task_stop

    def _place(self, now: int, number: int, started: int) -> int:
        """Place tasks where there is room, on the instance with the fewest of them. Returns how many found room."""
        for placed in range(number):
            free = [i for i in self.registered(now) if len(i.tasks) < self.slots]
            if not free:
                return placed
            target = min(free, key=lambda i: (sum(t.gone_at is None for t in i.tasks), i.number))
            target.tasks.append(Task(started, started + self.setup.workload.task_start, self.revision))
        return max(0, number)
