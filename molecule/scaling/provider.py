# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""ECS scales the instances, and the group has no policy of its own; services have fewer tasks and one policy each."""

from readback import Expectations, client, pages

CLUSTER, GROUP = "molecule-scaling-cluster", "molecule-scaling-ecs-instances"
expect = Expectations()
expect.equal("policies of the group", pages("autoscaling", "describe_policies", "ScalingPolicies"), [])
found = client("ecs").describe_capacity_providers(capacityProviders=["molecule-scaling-capacity-provider"])
provider = expect.only("capacity providers", found["capacityProviders"])["autoScalingGroupProvider"]
expect.equal("managed scaling", provider["managedScaling"]["status"], "ENABLED")
expect.equal("termination protection", provider["managedTerminationProtection"], "ENABLED")
expect.equal("draining", provider["managedDraining"], "ENABLED")
group = client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]
expect.equal("protection of new instances from scale-in", group["NewInstancesProtectedFromScaleIn"], True)
expect.holds("all instances are protected", all(i["ProtectedFromScaleIn"] for i in group["Instances"]))
alarms = pages("cloudwatch", "describe_alarms", "MetricAlarms")
expect.equal("alarms", len(alarms), 4)
expect.holds(
    "alarms of target tracking only", all(a["AlarmName"].startswith("TargetTracking-service/") for a in alarms)
)
asked = ("application-autoscaling", "describe_scheduled_actions", "ScheduledActions")
expect.equal("scheduled actions", pages(*asked, ServiceNamespace="ecs"), [])
service = client("ecs").describe_services(cluster=CLUSTER, services=["molecule-rest-service"])["services"][0]
expect.equal("tasks, which AWS takes below the maximum", service["desiredCount"], 3)
expect.finish()
