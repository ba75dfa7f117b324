# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left of alarms, dashboards and what they tell."""

from __future__ import annotations

import re
from typing import Iterator

from ansible_collections.handson.ecs.plugins.module_utils.leftover_probes.asking import Asking
from ansible_collections.handson.ecs.plugins.module_utils.leftovers import Row, begins, named_by, row


class Watching(Asking):
    """CloudWatch, SNS, EventBridge."""

    def alarms(self) -> Iterator[Row]:
        for key, kind in (("MetricAlarms", "alarm"), ("CompositeAlarms", "composite alarm")):
            types = [key.removesuffix("s")]
            for a in self.ask(kind, "cloudwatch", "describe_alarms", key, AlarmTypes=types):
                name, arn = a["AlarmName"], a["AlarmArn"]
                if name.startswith("TargetTracking-"):
                    if self.tracks(name.removeprefix("TargetTracking-")):
                        yield row(kind, name, arn, "its scaling policy made it")
                elif begins(name, self.prefixes) and self.mine(
                    self.ask(kind, "cloudwatch", "list_tags_for_resource", "Tags", ResourceARN=arn)
                ):
                    yield row(kind, name, arn)

    def tracks(self, name: str) -> bool:
        """Return whether an alarm that a policy of ours made is named so: such alarms carry no tags.

        `service/<cluster>/<service>-AlarmHigh-<uuid>` for a service, `<group>-AlarmLow-<uuid>` for an Auto Scaling group.
        """
        thing = re.sub(r"-Alarm(High|Low)-[^/]*$", "", name)
        if thing.startswith("service/"):
            return named_by(thing.split("/")[1:], self.owners)
        # A group is a cluster's, and the prefixes of a service often begin the same.
        return any("handson:service" not in o for o in self.owners) and begins(thing, self.prefixes)

    def dashboards(self) -> Iterator[Row]:
        kind = "dashboard"
        for d in self.ask(kind, "cloudwatch", "list_dashboards", "DashboardEntries"):
            name, arn = d["DashboardName"], d["DashboardArn"]
            if begins(name, self.prefixes):
                if self.mine(self.ask(kind, "cloudwatch", "list_tags_for_resource", "Tags", ResourceARN=arn)):
                    yield row(kind, name, arn)

    def topics(self) -> Iterator[Row]:
        for t in self.ask("topic", "sns", "list_topics", "Topics"):
            name = t["TopicArn"].rsplit(":", 1)[-1]
            if begins(name, self.prefixes):
                if self.mine(self.ask("topic", "sns", "list_tags_for_resource", "Tags", ResourceArn=t["TopicArn"])):
                    yield row("topic", name, t["TopicArn"])

    def event_rules(self) -> Iterator[Row]:
        kind = "event rule"
        for r in self.ask(kind, "events", "list_rules", "Rules"):
            if begins(r["Name"], self.prefixes):
                if self.mine(self.ask(kind, "events", "list_tags_for_resource", "Tags", ResourceARN=r["Arn"])):
                    yield row(kind, r["Name"], r["Arn"])
