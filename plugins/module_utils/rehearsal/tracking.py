# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Target tracking as AWS does it: two alarms, a proportional way out, a slow way in.

Sources: "How target tracking scaling for Application Auto Scaling works" and "Use a target metric to scale Amazon ECS
services" (it rounds so as not to add too little nor to take too much; scales out in proportion and as fast as it can,
in more gradually; stops scaling in during a deployment; during the scale-out cooldown only a larger scale-out begins, and
a scale-out ends the scale-in cooldown), and "Faster Scaling-in for Amazon ECS Cluster Auto Scaling" (a step in takes at
most 5 % of the capacity, and 50 % where a capacity provider manages it). AWS doesn't publish the formula itself.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """A target tracking policy. Times in seconds, the target in the metric's unit, periods of one minute.

    `low_share` of the target is what the low alarm compares with: 0.9 for ECS (49.5 for 55), 0.75 for an Auto Scaling
    group (41.25). AWS doesn't promise these numbers.
    """

    target: float
    minimum: int
    maximum: int
    scale_out_cooldown: int = 0
    scale_in_cooldown: int = 0
    low_share: float = 0.9
    high_points: int = 3
    low_points: int = 15
    #: The most that one step in takes, in percent of the capacity; one at least.
    scale_in_percent: int = 5
    #: DisableScaleIn.
    only_out: bool = False

    @property
    def low(self) -> float:
        """What the low alarm compares with."""
        return self.target * self.low_share


def of_service(target: float, minimum: int, maximum: int, scale_out_cooldown: int, scale_in_cooldown: int) -> Policy:
    """Return a policy for the tasks of a service."""
    return Policy(target, minimum, maximum, scale_out_cooldown, scale_in_cooldown, low_share=0.9)


def of_group(target: float, minimum: int, maximum: int) -> Policy:
    """Return a policy for the CPU of an Auto Scaling group. Its default cooldown acts on simple scaling only."""
    return Policy(target, minimum, maximum, low_share=0.75)


def of_capacity_provider(target: float, minimum: int, maximum: int) -> Policy:
    """Return the policy that managed scaling makes for CapacityProviderReservation: out after a minute above it."""
    return Policy(target, minimum, maximum, low_share=1.0, high_points=1, scale_in_percent=50)


@dataclass(frozen=True)
class Decision:
    """A new capacity, and why in words."""

    before: int
    after: int
    reason: str


class Tracker:
    """One policy at work: it sees one value a minute and answers with a capacity."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._values: deque[float | None] = deque(maxlen=max(policy.high_points, policy.low_points))
        self._out_until = self._in_until = 0
        self._last_step = 0

    @property
    def high(self) -> bool:
        """Whether the high alarm is on."""
        last = list(self._values)[-self.policy.high_points :]
        return len(last) == self.policy.high_points and all(v is not None and v > self.policy.target for v in last)

    @property
    def low(self) -> bool:
        """Whether the low alarm is on."""
        last = list(self._values)[-self.policy.low_points :]
        return len(last) == self.policy.low_points and all(v is not None and v < self.policy.low for v in last)

    def change(self, policy: Policy) -> None:
        """Take other bounds; the alarms stay as they are."""
        self.policy = policy

    def decide(
        self, now: int, value: float | None, measured: int, desired: int, may_scale_in: bool = True
    ) -> Decision | None:
        """Take a minute's value and return a decision, or None.

        `measured` is the capacity whose average the value is, `desired` the one that is asked for. What is missing is
        no low value. A count outside of the bounds is left to the service itself.
        """
        p = self.policy
        self._values.append(value)
        if value is None:
            return None
        # Rounded up both ways: never too little out, never too much in.
        wanted = math.ceil(round(measured * value / p.target, 6))
        if self.high:
            after = min(wanted, p.maximum)
            step = after - desired
            if step <= 0 or (now < self._out_until and step <= self._last_step):
                return None
            self._out_until, self._in_until, self._last_step = now + p.scale_out_cooldown, 0, step
            bound = f", of {wanted} wanted" if wanted > p.maximum else ""
            return Decision(desired, after, f"{value:.0f} % is above {p.target:g} in {_of(p.high_points)}{bound}")
        if self.low and may_scale_in and not p.only_out and now >= self._in_until:
            most = max(1, desired * p.scale_in_percent // 100)
            after = max(p.minimum, wanted, desired - most)
            if after >= desired:
                return None
            self._in_until, self._last_step = now + p.scale_in_cooldown, 0
            return Decision(desired, after, f"{value:.0f} % is below {p.low:g} in {_of(p.low_points)}")
        return None


def _of(points: int) -> str:
    return f"{points} of {points} minutes" if points > 1 else "a minute"
