# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The service listens on another port, and two tasks run without a service."""

from fargate import CLUSTER, SERVICE, check_service, group_named
from readback import Expectations, client, pages

expect = Expectations()
check_service(expect, port=8080, count=2)

arns = pages("ecs", "list_tasks", "taskArns", cluster=CLUSTER)
tasks = client("ecs").describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"]
once = [t for t in tasks if t["group"] != f"service:{SERVICE}"]
expect.equal(
    "tasks that were run once", [(t["launchType"], t["lastStatus"]) for t in once], [("FARGATE", "RUNNING")] * 2
)
interfaces = [
    d["value"] for t in once for a in t["attachments"] for d in a["details"] if d["name"] == "networkInterfaceId"
]
found = pages("ec2", "describe_network_interfaces", "NetworkInterfaces", NetworkInterfaceIds=interfaces)
groups = [[g["GroupId"] for g in i["Groups"]] for i in found]
expect.equal("their groups", groups, [[group_named("petclinic-rest-task-sg")["GroupId"]]] * 2)
expect.finish()
