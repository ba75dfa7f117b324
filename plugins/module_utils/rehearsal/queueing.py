# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What load does to processors: throughput and use of instances that share requests.

A closed loop, as `ab -c` makes it, sends the next request when one is answered, so the load depends on the answers. Its
steady state is that of a closed queueing network: requests wait somewhere off the processor (network, disk, `sleep`),
then share the processors of one of the instances (processor sharing). Such networks have an exact solution, Buzen's
convolution: J. P. Buzen, "Computational algorithms for closed queueing networks with exponential servers", CACM 16(9),
1973.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Sequence

#: Above this many requests at once the asymptote is as good as the exact solution, and cheaper.
EXACT = 120

#: (share of the requests, vCPUs) of each place that serves.
Station = tuple[float, float]


@lru_cache(maxsize=4096)
def closed(concurrency: int, cpu: float, wait: float, stations: tuple[Station, ...]) -> float:
    """Return the throughput in requests/s of so many requests at once.

    `cpu` and `wait` are seconds that one request takes on and off a processor. A request runs on one processor at a
    time. No stations, no throughput.
    """
    usable = tuple((share, max(vcpus, 0.02)) for share, vcpus in stations if share > 0)
    if concurrency <= 0 or not usable:
        return 0.0
    if concurrency > EXACT:
        # The place that is busiest for its size fills up first.
        narrowest = min(vcpus / share for share, vcpus in usable) / cpu
        return min(concurrency / (cpu + wait), narrowest)
    scale = cpu + wait  # keeps the numbers near 1
    g = [1.0]
    for n in range(1, concurrency + 1):
        g.append(g[-1] * (wait / scale) / n)
    for share, vcpus in usable:
        demand = share * cpu / scale
        f = [1.0]
        for n in range(1, concurrency + 1):
            f.append(f[-1] * demand / min(n, vcpus))
        g = [sum(f[k] * g[n - k] for k in range(n + 1)) for n in range(concurrency + 1)]
    return g[concurrency - 1] / g[concurrency] / scale


def opened(rate: float, cpu: float, stations: Sequence[Station]) -> float:
    """Return how many of `rate` requests/s the stations can answer, each its share of them."""
    return sum(min(rate * share, vcpus / cpu) for share, vcpus in stations)
