# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""No scaling is left, and the instances are still there."""

from readback import Expectations, client, pages

expect = Expectations()
asked = ("application-autoscaling", "describe_scalable_targets", "ScalableTargets")
expect.equal("scalable targets", pages(*asked, ServiceNamespace="ecs"), [])
asked = ("application-autoscaling", "describe_scaling_policies", "ScalingPolicies")
expect.equal("policies", pages(*asked, ServiceNamespace="ecs"), [])
asked = ("application-autoscaling", "describe_scheduled_actions", "ScheduledActions")
expect.equal("scheduled actions", pages(*asked, ServiceNamespace="ecs"), [])
expect.equal("policies of groups", pages("autoscaling", "describe_policies", "ScalingPolicies"), [])
expect.equal("alarms", pages("cloudwatch", "describe_alarms", "MetricAlarms"), [])
groups = client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
# After a test that stopped on the way there may be none.
expect.equal("instances of a group", [g["DesiredCapacity"] for g in groups], [2] * len(groups))
expect.finish()
