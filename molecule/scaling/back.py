# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The policy of the group is back, the capacity provider scales no more, and a person has set two instances."""

from readback import Expectations, client, pages

CLUSTER, GROUP = "molecule-scaling-cluster", "molecule-scaling-ecs-instances"
expect = Expectations()
policies = pages("autoscaling", "describe_policies", "ScalingPolicies")
expect.equal("policies of the group", [p["PolicyName"] for p in policies], ["cpu-55percent-policy"])
found = client("ecs").describe_capacity_providers(capacityProviders=["molecule-scaling-capacity-provider"])
provider = expect.only("capacity providers", found["capacityProviders"])["autoScalingGroupProvider"]
expect.equal("managed scaling", provider["managedScaling"]["status"], "DISABLED")
expect.equal("termination protection", provider["managedTerminationProtection"], "DISABLED")
group = client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]
expect.equal("instances", (group["DesiredCapacity"], len(group["Instances"])), (2, 2))
# Otherwise a scale-in would lower the desired capacity and terminate nothing.
expect.equal("protection of new instances from scale-in", group["NewInstancesProtectedFromScaleIn"], False)
expect.equal("protected instances", [i["InstanceId"] for i in group["Instances"] if i["ProtectedFromScaleIn"]], [])
registered = client("ecs").list_container_instances(cluster=CLUSTER, status="ACTIVE")["containerInstanceArns"]
expect.equal("container instances", len(registered), 2)
service = client("ecs").describe_services(cluster=CLUSTER, services=["molecule-rest-service"])["services"][0]
expect.equal("tasks", (service["desiredCount"], service["runningCount"]), (3, 3))
expect.finish()
