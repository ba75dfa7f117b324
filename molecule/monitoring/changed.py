# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What was deleted is back, one alarm is new, and one has another threshold."""

from readback import Expectations
from watching_made import alarms_of, cluster

CLUSTER, SERVICE = "molecule-monitoring-cluster", "molecule-watched-service"
expect = Expectations()
cluster(expect, CLUSTER)
alarms = alarms_of(f"{SERVICE}/")
names = ["error-lines", "errors", "latency", "short-of-tasks", "unhealthy-hosts"]
expect.equal("alarms", sorted(alarms), [f"{SERVICE}/{name}" for name in names])
latency = alarms[f"{SERVICE}/latency"]
expect.contains("latency", latency, {"ExtendedStatistic": "p99", "Threshold": 2.0, "MetricName": "TargetResponseTime"})
expect.equal("fewest tasks", alarms[f"{SERVICE}/short-of-tasks"]["Threshold"], 2.0)
expect.finish()
