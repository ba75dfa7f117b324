# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What the two scalers would do under load: six tasks, three instances."""

from readback import client

CLUSTER, GROUP = "molecule-scaling-cluster", "molecule-scaling-ecs-instances"
client("autoscaling").set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=3)
client("ecs").update_service(cluster=CLUSTER, service="molecule-rest-service", desiredCount=6)
for _ in range(20):
    services = client("ecs").describe_services(cluster=CLUSTER, services=["molecule-rest-service"])["services"]
    if services[0]["runningCount"] == 6:
        break
else:
    raise SystemExit("six tasks don't run")
