# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The service runs on instances. Of what it was on Fargate nothing is left, and the refused run changed nothing."""

from fargate import CLUSTER, SERVICE, group_named
from readback import Expectations, client, pages

expect = Expectations()
service = client("ecs").describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
expect.contains("service", service, {"status": "ACTIVE", "launchType": "EC2", "desiredCount": 2, "runningCount": 2})
expect.equal("network of its own", service.get("networkConfiguration") or {}, {})
arn = service["loadBalancers"][0]["targetGroupArn"]
target = client("elbv2").describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]
expect.equal("target type", target["TargetType"], "instance")
expect.equal("security group of the tasks", group_named("petclinic-rest-task-sg"), None)
expect.equal("tasks", len(pages("ecs", "list_tasks", "taskArns", cluster=CLUSTER)), 2)
group = expect.only("auto scaling groups", pages("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups"))
expect.contains("auto scaling group", group, {"DesiredCapacity": 2})
expect.finish()
