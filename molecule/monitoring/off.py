# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Nothing watches any more. What scales is there, with its alarm."""

from readback import Expectations, client, pages
from watching_made import stepping

CLUSTER, SERVICE = "molecule-monitoring-cluster", "molecule-watched-service"
expect = Expectations()
alarms = [a["AlarmName"] for a in pages("cloudwatch", "describe_alarms", "MetricAlarms")]
expect.equal("alarms", alarms, [f"{SERVICE}/{CLUSTER}/steps"])
stepping(expect, CLUSTER, SERVICE)
expect.equal("dashboards", pages("cloudwatch", "list_dashboards", "DashboardEntries"), [])
expect.equal("topics", pages("sns", "list_topics", "Topics"), [])
expect.equal("rules", client("events").list_rules(NamePrefix=CLUSTER)["Rules"], [])
filters = client("logs").describe_metric_filters(logGroupName="/ecs/molecule-watched-task")["metricFilters"]
expect.equal("metric filters", filters, [])
expect.finish()
