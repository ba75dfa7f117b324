# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between an ECS cluster, what stands on it, and the options of the modules that keep or watch it."""

from __future__ import annotations

from typing import Any, Callable, Iterable, Iterator, Mapping, Sequence

from ansible_collections.handson.ecs.plugins.module_utils.compare import chunks, tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.resource import Missing

#: What ECS says for some seconds of its service-linked role in an account that has just got it.
ROLE_NOT_YET = ("Unable to assume the service linked role",)


def list_all(operation: Callable[..., Mapping[str, Any]], key: str, **parameters: Any) -> list[Any]:
    """Return the items under `key` from every page of an operation that pages by `nextToken`, as ECS's do."""
    page = operation(**parameters)
    items = list(page[key])
    while page.get("nextToken"):
        page = operation(**parameters, nextToken=page["nextToken"])
        items += page[key]
    return items


def describe_cluster(ecs: Any, name: str, include: Iterable[str] = ()) -> dict[str, Any] | None:
    """Return the cluster as DescribeClusters gives it, or None where it isn't there.

    A deleted cluster stays visible as INACTIVE for a while, and AWS lets one be made again under its name: it counts
    as not there.
    """
    found = ecs.describe_clusters(clusters=[name], include=list(include))["clusters"]
    return found[0] if found and found[0].get("status") != "INACTIVE" else None


def missing_cluster(name: str) -> Missing:
    """The fault of a cluster that isn't there, with the playbook that makes it."""
    return Missing(f"There is no ECS cluster named {name!r}. Make it first: ansible-playbook playbooks/cluster.yml")


def cluster_from_aws(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options and counts that describe a cluster (DescribeClusters with TAGS and SETTINGS)."""
    settings = {s["name"]: s["value"] for s in cluster.get("settings") or []}
    return {
        "name": cluster["clusterName"],
        "arn": cluster["clusterArn"],
        "status": cluster.get("status"),
        "container_insights": settings.get("containerInsights", "disabled"),
        "capacity_providers": list(cluster.get("capacityProviders") or []),
        "default_strategy": list(cluster.get("defaultCapacityProviderStrategy") or []),
        "registered_container_instances_count": cluster.get("registeredContainerInstancesCount", 0),
        "running_tasks_count": cluster.get("runningTasksCount", 0),
        "pending_tasks_count": cluster.get("pendingTasksCount", 0),
        "active_services_count": cluster.get("activeServicesCount", 0),
        "tags": tags_to_dict(cluster.get("tags")),
    }


def container_instances(ecs: Any, cluster: str, status: str | None = None) -> list[dict[str, Any]]:
    """Return a cluster's container instances as DescribeContainerInstances gives them, of one status where given.

    Without a status ListContainerInstances answers with all that are not INACTIVE. At most 100 are described at once.
    """
    parameters = {"cluster": cluster, **({"status": status} if status else {})}
    arns = list_all(ecs.list_container_instances, "containerInstanceArns", **parameters)
    return [
        instance
        for part in chunks(arns, 100)
        for instance in ecs.describe_container_instances(cluster=cluster, containerInstances=list(part))[
            "containerInstances"
        ]
    ]


def ec2_instances(ec2: Any, ids: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Give those of the instances that EC2 knows, as DescribeInstances does (it forgets a terminated one in an hour).

    By filter and not by InstanceIds, which fails as a whole when it doesn't know one of them.
    """
    for part in chunks(sorted(ids), 200):
        pages = ec2.get_paginator("describe_instances").paginate(
            Filters=[{"Name": "instance-id", "Values": list(part)}]
        )
        for page in pages:
            for reservation in page["Reservations"]:
                yield from reservation["Instances"]


def ec2_states(ec2: Any, ids: Iterable[str]) -> dict[str, str]:
    """Return {instance id: EC2's word for its state} of those that EC2 knows."""
    return {i["InstanceId"]: i["State"]["Name"] for i in ec2_instances(ec2, ids)}


def left_behind(instances: Iterable[Mapping[str, Any]], states: Mapping[str, str]) -> list[str]:
    """Return the ARNs of the container instances whose EC2 instance is terminated or unknown to EC2.

    Terminating an instance deregisters it only while its agent is connected and the instance runs (ECS API,
    DeregisterContainerInstance): the others stay registered for ever. `states` is EC2's {instance id: state}. An
    external instance (`mi-…`, ECS Anywhere) is unknown to EC2 and may well be alive, so it is never among them.
    """
    return [
        i["containerInstanceArn"]
        for i in instances
        if (i.get("ec2InstanceId") or "").startswith("i-")
        and states.get(i["ec2InstanceId"], "terminated") == "terminated"
    ]


def cut_off(instances: Sequence[Mapping[str, Any]], states: Mapping[str, str]) -> list[str]:
    """Return the ARNs of the container instances that would stay registered after their EC2 instance is terminated.

    They are those of `left_behind`, and those whose agent is not connected: ECS takes neither off by itself. `states`
    is EC2's {instance id: state}, and needs to tell of those alone whose agent is connected.
    """
    behind = set(left_behind(instances, states))
    return [
        i["containerInstanceArn"]
        for i in instances
        if i["containerInstanceArn"] in behind
        or ((i.get("ec2InstanceId") or "").startswith("i-") and not i.get("agentConnected"))
    ]


def without_service(tasks: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the ARNs of the tasks that no service owns. Those of a service have the group `service:<name>`."""
    return [t["taskArn"] for t in tasks if not (t.get("group") or "").startswith("service:")]


def still_going(tasks: Iterable[Mapping[str, Any]], deregistered: Iterable[str] = ()) -> list[str]:
    """Return the ARNs of the tasks that have not come to their end (`STOPPED`), and so may hold a network interface.

    Nobody hears any more of those on the container instances that were `deregistered` by force.
    """
    nobody = set(deregistered)
    going = (t for t in tasks if t.get("lastStatus") != "STOPPED")
    return [t["taskArn"] for t in going if t.get("containerInstanceArn") not in nobody]


def ready(instance: Mapping[str, Any]) -> bool:
    """Return whether ECS can place tasks on a container instance: ACTIVE, and its agent is connected."""
    return instance.get("status") == "ACTIVE" and bool(instance.get("agentConnected"))


def container_instance_row(instance: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a container instance's row in a result or a report says: CPU in units, memory in MiB."""
    remaining = {r["name"]: r.get("integerValue") for r in instance.get("remainingResources") or []}
    attributes = {a["name"]: a.get("value") for a in instance.get("attributes") or []}
    return {
        "arn": instance["containerInstanceArn"],
        "instance_id": instance.get("ec2InstanceId"),
        "status": instance.get("status"),
        "agent_connected": bool(instance.get("agentConnected")),
        "agent_version": (instance.get("versionInfo") or {}).get("agentVersion"),
        "instance_type": attributes.get("ecs.instance-type"),
        "availability_zone": attributes.get("ecs.availability-zone"),
        "running_tasks_count": instance.get("runningTasksCount", 0),
        "remaining_cpu": remaining.get("CPU"),
        "remaining_memory": remaining.get("MEMORY"),
    }


def progress(cluster: str, wanted: int, instances: Sequence[Mapping[str, Any]]) -> str:
    """Return one line that says how far the container instances of a cluster are."""
    waiting = [
        f"{i.get('ec2InstanceId')} {'is ' + i['status'] if i.get('status') != 'ACTIVE' else 'agent not connected'}"
        for i in instances
        if not ready(i)
    ]
    line = f"cluster {cluster}: {sum(map(ready, instances))} of {wanted} container instances ready"
    return line + (f" ({'; '.join(waiting)})" if waiting else "")


def why_not_ready(
    wanted: int,
    instances: Sequence[Mapping[str, Any]],
    launched: Mapping[str, str] | None,
    failure: str | None = None,
    draining: Mapping[str, bool] | None = None,
) -> str:
    """Return why a cluster has fewer than `wanted` ready container instances, and what to look at.

    `launched` is {instance id: EC2's word for its state} of the auto scaling group, or None where no group was
    named; `failure` is the message of the group's last activity where that failed. `draining` is {instance id: whether
    a scale-in of this collection drained it}, of instances that are not among the others.
    """
    draining = draining or {}
    said = [f"{sum(map(ready, instances))} of {wanted} are ready"]
    disconnected = sorted(str(i.get("ec2InstanceId")) for i in instances if not i.get("agentConnected"))
    if disconnected:
        said.append(f"the agent of {', '.join(disconnected)} is not connected")
    if draining:
        said.append(f"{', '.join(sorted(draining))} is DRAINING and takes no tasks")
    drained = _drained(wanted, draining)
    enough = len(instances) + len(draining) >= wanted
    if launched is None:
        return "; ".join(said) + "." + drained + ("" if drained and enough else " " + _CAUSES)
    running = {i for i, state in launched.items() if state == "running"}
    said.append(f"the auto scaling group runs {len(running)} EC2 instances")
    missing = sorted(running - {str(i.get("ec2InstanceId")) for i in instances} - set(draining))
    if missing:
        said.append(f"not registered with ECS: {', '.join(missing)}")
    if failure:
        said.append(f"its last launch failed: {failure}")
    text = "; ".join(said) + "." + drained
    if failure or (drained and not missing and not disconnected):
        return text
    if len(running) < wanted and not missing:
        return text + " Raise the group's desired capacity, or ask for fewer instances."
    return f"{text} {_CAUSES}"


def _drained(wanted: int, draining: Mapping[str, bool]) -> str:
    """Return the way out of draining instances, as sentences after a space."""
    ours = sorted(i for i, mine in draining.items() if mine)
    others = sorted(i for i, mine in draining.items() if not mine)
    said = ""
    if ours:
        said += (
            f" {', '.join(ours)} was drained by a scale-in, which goes on or was cut short. Cut short, it takes tasks again "
            f"with: ansible-playbook playbooks/scale_instances.yml -e count={wanted}"
        )
        said += "." if others else ""
    if others:
        said += (
            f" {', '.join(others)} was drained by a person, or by ECS since it goes. To have it take tasks again: "
            "aws ecs update-container-instances-state --status ACTIVE."
        )
    return said


_CAUSES = (
    "The usual causes: the instances have no route to the ECS endpoint (a public IP address and an internet gateway, "
    "a NAT gateway, or VPC endpoints); their instance profile has no role, or one without the policy "
    "AmazonEC2ContainerServiceforEC2Role; their user data does not write ECS_CLUSTER=<the cluster> to "
    "/etc/ecs/ecs.config; the image is not ECS-optimized. /var/log/ecs/ecs-agent.log on an instance says which."
)
