# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The tutorial's service runs on Fargate, on a cluster without instances, behind the same load balancer."""

from fargate import check_service
from readback import Expectations, client, pages

expect = Expectations()
check_service(expect, port=9460, count=2)

cluster = expect.only("clusters", client("ecs").describe_clusters(clusters=["petclinic-rest-cluster"])["clusters"])
expect.contains("cluster", cluster, {"status": "ACTIVE", "registeredContainerInstancesCount": 0})
group = expect.only("auto scaling groups", pages("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups"))
expect.contains("auto scaling group", group, {"MinSize": 0, "DesiredCapacity": 0, "Instances": []})
# Those of a scenario before this one are shown for a while after they are terminated.
alive = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped", "shutting-down"]}]
expect.equal("instances", pages("ec2", "describe_instances", "Reservations", Filters=alive), [])

definition = client("ecs").describe_task_definition(taskDefinition="petclinic-rest-task")["taskDefinition"]
expect.contains(
    "task definition",
    definition,
    {
        "revision": 1,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "512",
        "memory": "1024",
        "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": "X86_64"},
    },
)
expect.finish()
