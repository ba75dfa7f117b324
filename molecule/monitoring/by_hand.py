# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What somebody deletes by hand."""

from readback import Expectations, client
from watching_made import alarms_of

CLUSTER, SERVICE = "molecule-monitoring-cluster", "molecule-watched-service"
expect, cloudwatch, events = Expectations(), client("cloudwatch"), client("events")
cloudwatch.delete_alarms(AlarmNames=[f"{SERVICE}/errors", f"{CLUSTER}/cpu-reservation"])
cloudwatch.delete_dashboards(DashboardNames=["molecule-watched"])
events.remove_targets(Rule=f"{CLUSTER}-failed-deployments", Ids=["alarms"])
events.delete_rule(Name=f"{CLUSTER}-failed-deployments")
expect.equal("alarms that are left", len(alarms_of(f"{SERVICE}/")), 3)
expect.finish()
