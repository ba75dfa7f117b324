# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What passed through the load balancers, minute by minute, until metrics.py has taken it."""

import math
import threading
import time
from collections import Counter

FIGURES = 3  # significant ones of a response time, so that a minute holds some hundred different ones at most


class Tally:
    """One load balancer's requests of one minute: all of them, or those for one target group."""

    def __init__(self) -> None:
        self.requests = 0  # for which a target was chosen
        self.codes: Counter[str] = Counter()  # of the targets' answers: "2XX"
        self.seconds: Counter[float] = Counter()  # how long the targets took
        self.failures: Counter[str] = Counter()  # of the load balancer's own answers: "5XX"


_lock = threading.Lock()
#: minute (seconds since 1970) -> (load balancer's ARN, target group's ARN or None for all) -> tally
_minutes: dict[int, dict[tuple[str, str | None], Tally]] = {}


def _tally(balancer: str, group: str | None) -> Tally:
    minute = int(time.time() // 60 * 60)
    return _minutes.setdefault(minute, {}).setdefault((balancer, group), Tally())


def request(balancer: str, group: str | None, status: int | None = None, seconds: float = 0.0) -> None:
    """Count a request that went to a target, with its answer's status; None for one that wasn't answered."""
    with _lock:
        for each in (group, None):
            tally = _tally(balancer, each)
            tally.requests += 1
            if status is not None:
                tally.codes[f"{status // 100}XX"] += 1
                tally.seconds[rounded(seconds)] += 1


def failure(balancer: str, status: int) -> None:
    """Count an answer that the load balancer gave in the targets' place."""
    with _lock:
        _tally(balancer, None).failures[f"{status // 100}XX"] += 1


def rounded(value: float) -> float:
    """A time with FIGURES significant figures."""
    return round(value, FIGURES - 1 - math.floor(math.log10(value))) if value > 0 else 0.0


def until(minute: int) -> dict[int, dict[tuple[str, str | None], Tally]]:
    """What is known of the minutes up to this one. Those before it are over, and forgotten here."""
    with _lock:
        found = {at: tallies for at, tallies in _minutes.items() if at <= minute}
        for at in found:
            if at < minute:
                del _minutes[at]
        return found
