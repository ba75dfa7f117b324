# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container instances that a scale-in drains, marked so that another run knows them if this one is cut short.

The mark is a custom attribute (ECS API, PutAttributes) whose value is the time until which the scale-in may go on. What a
person drains has none, and is left alone. It goes with its container instance.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.handson.ecs.plugins.module_utils.compare import chunks
from ansible_collections.handson.ecs.plugins.module_utils.ecs_clusters import container_instances
from ansible_collections.handson.ecs.plugins.module_utils.resource import ignore_missing

MARK = "handson.draining"
#: PutAttributes, DeleteAttributes and UpdateContainerInstancesState take so many at once.
AT_ONCE = 10
_TIME = "%Y-%m-%dT%H:%M:%SZ"
#: Added to the time that the scale-in may take: terminating takes some as well, and clocks differ.
_SLACK = timedelta(minutes=2)


def until(seconds: float, now: datetime | None = None) -> str:
    """Return the mark's value for a scale-in that waits so many seconds from now on."""
    return ((now or datetime.now(timezone.utc)) + timedelta(seconds=seconds) + _SLACK).strftime(_TIME)


def marked(instance: Mapping[str, Any]) -> bool:
    """Return whether a container instance (DescribeContainerInstances) carries our mark."""
    return any(a["name"] == MARK for a in instance.get("attributes") or [])


def left(instance: Mapping[str, Any], now: datetime | None = None) -> bool:
    """Return whether we drained it, and the scale-in that did can't be going on any more."""
    if instance.get("status") != "DRAINING" or not marked(instance):
        return False
    value = next(a.get("value") for a in instance["attributes"] if a["name"] == MARK)
    try:
        end = datetime.strptime(value or "", _TIME).replace(tzinfo=timezone.utc)
    except ValueError:
        return True  # nobody waits for a time that can't be read
    return end < (now or datetime.now(timezone.utc))


def left_in(ecs: Any, cluster: str, ids: Iterable[str]) -> list[dict[str, Any]]:
    """Return those of the EC2 instances `ids` that a scale-in cut short has left draining, as container instances.

    One call where nothing drains. A cluster that isn't there has none.
    """
    wanted = set(ids)
    found = ignore_missing(lambda: container_instances(ecs, cluster, "DRAINING"), "ClusterNotFoundException") or []
    return [i for i in found if i.get("ec2InstanceId") in wanted and left(i)]


def drain(ecs: Any, cluster: str, instances: Sequence[Mapping[str, Any]], seconds: float) -> None:
    """Mark container instances for so many seconds, and have ECS drain them.

    The mark comes first: one without draining does no harm, draining without a mark lasts for ever.
    """
    value = until(seconds)
    for part in chunks([i["containerInstanceArn"] for i in instances], AT_ONCE):
        ecs.put_attributes(cluster=cluster, attributes=[{"name": MARK, "value": value, "targetId": arn} for arn in part])
    _become(ecs, cluster, [i for i in instances if i["status"] == "ACTIVE"], "DRAINING")


def take_back(ecs: Any, cluster: str, instances: Sequence[Mapping[str, Any]]) -> None:
    """Let container instances take tasks again, and take our mark off. One that has gone meanwhile is as good."""
    _become(ecs, cluster, instances, "ACTIVE")
    for instance in instances:
        # Each for itself: one that has gone would fail the others. By name alone, as DeleteAttributes wants it.
        attribute = {"name": MARK, "targetId": instance["containerInstanceArn"]}
        ignore_missing(
            lambda attribute=attribute: ecs.delete_attributes(cluster=cluster, attributes=[attribute]),
            "TargetNotFoundException",
        )


def _become(ecs: Any, cluster: str, instances: Sequence[Mapping[str, Any]], status: str) -> None:
    for part in chunks([i["containerInstanceArn"] for i in instances], AT_ONCE):
        ecs.update_container_instances_state(cluster=cluster, containerInstances=list(part), status=status)
