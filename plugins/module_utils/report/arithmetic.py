# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tasks reserve of a cluster by arithmetic, to be put beside what CloudWatch measured (tutorial section 6)."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.capacity import Task, reservation
from ansible_collections.handson.ecs.plugins.module_utils.preflight.instance_types import InstanceType
from ansible_collections.handson.ecs.plugins.module_utils.preflight.service import bounds


def whole(cluster: Mapping[str, Any]) -> InstanceType:
    """Return all container instances of a cluster as one: what they register together.

    Those that drain count, too: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html
    """
    counted = [i for i in cluster["instances"] if i["status"] in ("ACTIVE", "DRAINING")]
    return InstanceType(cluster["name"], sum(i["cpu"] for i in counted), sum(i["memory"] for i in counted), 0, ())


def rows(cluster: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return for each service on instances what it reserves now, and at most in a deployment of it, in percent.

    The last row, whose service is None, is all of them together; its `deploying` is the largest single deployment.
    An empty list where there are no instances or no services on them.
    """
    kind = whole(cluster)
    mine = [s for s in cluster["services"] if not s.get("missing") and s["launch_type"] == "EC2"]
    if not kind.cpu or not kind.memory or not mine:
        return []
    found = []
    for service in mine:
        task = Task(service["task"]["cpu"], service["task"]["memory"])
        most = bounds(service["desired"], service["minimum_percent"], service["maximum_percent"])[1]
        most = max(most, service["running"])
        found.append(
            {
                "service": service["name"],
                "task": task,
                "tasks": service["running"],
                "most": most,
                "now": reservation(task, service["running"], kind, 1),
                "deploying": reservation(task, most, kind, 1),
            }
        )
    now = {w: sum(r["now"][w] for r in found) for w in ("cpu", "memory")}
    more = {w: max(r["deploying"][w] - r["now"][w] for r in found) for w in ("cpu", "memory")}
    together = {"service": None, "now": now, "deploying": {w: now[w] + more[w] for w in now}}
    return [*found, {**together, "tasks": sum(r["tasks"] for r in found), "registered": kind}]
