# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Tutorial sections 7.1 and 7.2 in numbers; and a service with the other policies and with scheduled actions."""

from readback import Expectations, client, pages

CLUSTER, GROUP = "molecule-scaling-cluster", "molecule-scaling-ecs-instances"
REST, MORE = "molecule-rest-service", "molecule-more-service"
expect = Expectations()
key = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
alarms = {a["AlarmName"]: a for a in pages("cloudwatch", "describe_alarms", "MetricAlarms")}
targets = {
    t["ResourceId"]: t for t in pages("application-autoscaling", "describe_scalable_targets", "ScalableTargets", **key)
}
expect.equal("scalable targets", sorted(targets), sorted(f"service/{CLUSTER}/{s}" for s in (REST, MORE)))


def policies_of(service):
    """{name: policy} of a service."""
    resource = f"service/{CLUSTER}/{service}"
    found = pages("application-autoscaling", "describe_scaling_policies", "ScalingPolicies", ResourceId=resource, **key)
    return {p["PolicyName"]: p for p in found}


def expect_alarms(what, policy, high, low):
    """The two alarms of a target tracking policy, by their thresholds."""
    made = sorted((alarms[a["AlarmName"]] for a in policy["Alarms"]), key=lambda a: a["Threshold"])
    said = [
        (a["ComparisonOperator"], a["Threshold"], a["DatapointsToAlarm"], a["EvaluationPeriods"], a["Period"])
        for a in made
    ]
    wanted = [("LessThanThreshold", low, 15, 15, 60), ("GreaterThanThreshold", high, 3, 3, 60)]
    expect.equal(f"alarms of {what}", said, wanted)


# --- 7.1
target = targets[f"service/{CLUSTER}/{REST}"]
expect.equal("bounds", (target["MinCapacity"], target["MaxCapacity"]), (2, 16))
tags = client("application-autoscaling").list_tags_for_resource(ResourceARN=target["ScalableTargetARN"])["Tags"]
expect.contains("tags", tags, {"handson:cluster": CLUSTER, "handson:service": REST})
policies = policies_of(REST)
expect.equal("policies", list(policies), ["cpu-target-tracking-55percent-policy"])
cpu = policies["cpu-target-tracking-55percent-policy"]
expect.contains(
    "policy",
    cpu["TargetTrackingScalingPolicyConfiguration"],
    {
        "TargetValue": 55.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        "ScaleOutCooldown": 150,
        "ScaleInCooldown": 150,
    },
)
expect_alarms("the service", cpu, 55.0, 49.5)
service = client("ecs").describe_services(cluster=CLUSTER, services=[REST])["services"][0]
expect.equal("count", service["desiredCount"], 2)

# --- 7.2
group = client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]
expect.contains("group", group, {"MinSize": 2, "MaxSize": 4, "DesiredCapacity": 2, "DefaultCooldown": 150})
policy = expect.only("policies of the group", client("autoscaling").describe_policies()["ScalingPolicies"])
expect.contains(
    "policy of the group",
    policy,
    {
        "PolicyName": "cpu-55percent-policy",
        "EstimatedInstanceWarmup": 0,
        "Enabled": True,
        "AutoScalingGroupName": GROUP,
    },
)
expect.contains(
    "what it tracks",
    policy["TargetTrackingConfiguration"],
    {"TargetValue": 55.0, "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}},
)
expect_alarms("the group", policy, 55.0, 41.25)
template = client("ec2").describe_launch_template_versions(LaunchTemplateName=GROUP, Versions=["$Default"])
data = template["LaunchTemplateVersions"][0]["LaunchTemplateData"]
expect.equal("metrics each minute", data.get("Monitoring"), {"Enabled": True})

# --- the rest of what there is
more = targets[f"service/{CLUSTER}/{MORE}"]
expect.equal("its bounds", (more["MinCapacity"], more["MaxCapacity"]), (1, 4))
expect.equal(
    "what is suspended",
    more["SuspendedState"],
    {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": False, "ScheduledScalingSuspended": False},
)
policies = policies_of(MORE)
expect.equal("its policies", sorted(policies), ["memory", "requests", "steps"])
memory = policies["memory"]["TargetTrackingScalingPolicyConfiguration"]
expect.contains("memory", memory, {"TargetValue": 70.0, "DisableScaleIn": True})
label = policies["requests"]["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"][
    "ResourceLabel"
]
balancer = client("elbv2").describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"].split(":loadbalancer/")[1]
groups = client("elbv2").describe_target_groups(Names=["molecule-more-target"])["TargetGroups"]
expect.equal("label", label, f"{balancer}/{groups[0]['TargetGroupArn'].split(':')[-1]}")
steps = policies["steps"]["StepScalingPolicyConfiguration"]
expect.equal("steps", [s["ScalingAdjustment"] for s in steps["StepAdjustments"]], [20, 40])
alarm = alarms[f"{MORE}/{CLUSTER}/steps"]
expect.equal("whom the alarm calls", alarm["AlarmActions"], [policies["steps"]["PolicyARN"]])
resource = f"service/{CLUSTER}/{MORE}"
actions = pages("application-autoscaling", "describe_scheduled_actions", "ScheduledActions", ResourceId=resource, **key)
said = {a["ScheduledActionName"]: (a["ScalableTargetAction"], a["Timezone"]) for a in actions}
wanted = {"day": ({"MinCapacity": 2}, "Asia/Seoul"), "night": ({"MinCapacity": 1}, "Asia/Seoul")}
expect.equal("scheduled actions", said, wanted)
expect.equal("all alarms", len(alarms), 2 + 2 + 2 + 2 + 1)

expect.finish()
