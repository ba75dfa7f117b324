# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Nobody took back what the scalers had set."""

from readback import Expectations, client

CLUSTER, GROUP = "molecule-scaling-cluster", "molecule-scaling-ecs-instances"
expect = Expectations()
service = client("ecs").describe_services(cluster=CLUSTER, services=["molecule-rest-service"])["services"][0]
expect.equal("tasks", (service["desiredCount"], service["runningCount"]), (6, 6))
group = client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]
expect.equal("instances", (group["DesiredCapacity"], len(group["Instances"])), (3, 3))
expect.finish()
