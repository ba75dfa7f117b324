# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of GetMetricData as the tutorial's sections 6 and 7.1 would have them: made up, and never shown as measured.

Three hours: 2 tasks at rest (25 % reserved), a deployment (4 tasks, 50 %), then load and a scaler that goes to 8 tasks
and back. The first 12 minutes have no values, since there was no service.
"""

from __future__ import annotations

import math
from datetime import timedelta

#: (from minute, tasks that run)
TASKS = ((0, 0), (12, 2), (44, 4), (49, 2), (74, 4), (79, 6), (84, 8), (139, 7), (144, 6), (149, 5), (154, 4), (159, 3), (164, 2))
LOAD = (70, 122)


def tasks(minute):
    """How many tasks run."""
    return [n for start, n in TASKS if start <= minute][-1]


def wave(minute, size=1.0):
    """A little that goes up and down, the same each time."""
    return size * (math.sin(minute * 1.7) + math.sin(minute * 0.61)) / 2


def values(minute, memory=1024, registered=7906):
    """Return {(metric, statistic): value} of one minute; a metric that has no value then is missing."""
    running = tasks(minute)
    if not running:
        return {("CPUReservation", "Average"): 0.0, ("MemoryReservation", "Average"): 0.0,
                ("GroupInServiceInstances", "Average"): 2.0, ("GroupDesiredCapacity", "Average"): 2.0}  # fmt: skip
    busy = LOAD[0] <= minute < LOAD[1]
    used = 1.55 * 512 * 2 if busy else 14 * running  # CPU units of all tasks
    used += 480 * max(0, 1 - (minute - 12) / 4) if minute < 16 else 0  # starting
    used += 420 * 2 if 44 <= minute < 47 else 0
    cpu = 100 * used / (512 * running) + wave(minute, 4 if busy else 0.8)
    found = {
        ("CPUReservation", "Average"): 100 * 512 * running / 4096,
        ("MemoryReservation", "Average"): 100 * memory * running / registered,
        ("CPUUtilization", "Average", "service"): max(0.4, cpu),
        ("MemoryUtilization", "Average", "service"): 47 + min(14, (minute - 12) / 6) + wave(minute, 0.6),
        ("CPUUtilization", "Average"): max(0.2, cpu * running * 512 / 4096),
        ("MemoryUtilization", "Average"): (47 + wave(minute, 0.6)) * running * memory / registered,
        ("GroupInServiceInstances", "Average"): 2.0,
        ("GroupDesiredCapacity", "Average"): 2.0,
        ("HealthyHostCount", "Minimum"): float(running),
        ("UnHealthyHostCount", "Maximum"): 0.0,
    }
    if busy or minute % 3 == 0:
        requests = 190 + 12 * running + wave(minute, 14) if busy else 4 + minute % 5
        slow = 2.4 * 2 / running if busy else 0.02
        found |= {
            ("RequestCount", "Sum"): float(round(requests)),
            ("TargetResponseTime", "p50"): 0.35 * slow + 0.008,
            ("TargetResponseTime", "p99"): slow + 0.03 + abs(wave(minute, 0.15 if busy else 0.01)),
        }
    if minute in (71, 72, 75):
        found["HTTPCode_Target_5XX_Count", "Sum"] = float(76 - minute)
    return found


def answer(parameters, memory=1024, registered=7906):
    """Return what GetMetricData would answer, in pages of 100 queries to make somebody go on."""
    queries = parameters["MetricDataQueries"]
    first = int(parameters.get("NextToken", "0"))
    start, end = parameters["StartTime"], parameters["EndTime"]
    minutes = [values(m, memory, registered) for m in range(180)]
    results = []
    for query in queries[first : first + 100]:
        stat = query["MetricStat"]
        metric = stat["Metric"]
        key = (metric["MetricName"], stat["Stat"])
        if any(d["Name"] == "ServiceName" for d in metric["Dimensions"]):
            key = (*key, "service")
        points = []
        for back, found in enumerate(reversed(minutes)):
            at = end - timedelta(minutes=back + 1)
            if key in found and at >= start:
                points.insert(0, (at, found[key]))
        results.append(
            {
                "Id": query["Id"],
                "Timestamps": [at for at, _value in points],
                "Values": [value for _at, value in points],
                "StatusCode": "Complete",
            }
        )
    more = {"NextToken": str(first + 100)} if first + 100 < len(queries) else {}
    return {"MetricDataResults": results, **more}
