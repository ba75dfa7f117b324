# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Scaling policies are records with AWS's rules: what is refused, what goes with what, and nothing scales by itself."""

import pytest
from botocore.exceptions import ClientError

ID = "service/demo/web"
KEY = {"ServiceNamespace": "ecs", "ResourceId": ID, "ScalableDimension": "ecs:service:DesiredCount"}
CPU = {
    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
    "TargetValue": 55.0,
}
TRACKING = {"PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": CPU}
GROUP_CPU = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}, "TargetValue": 55.0}


@pytest.fixture
def scaling(demo):
    """The client, with a service `web` of two tasks and a scalable target of 2 to 8."""
    demo.ecs.create_service(cluster="demo", serviceName="web", taskDefinition="web", desiredCount=2)
    client = getattr(demo, "application-autoscaling")
    client.register_scalable_target(**KEY, MinCapacity=2, MaxCapacity=8, Tags={"a": "1"})
    client.count = lambda: demo.ecs.describe_services(cluster="demo", services=["web"])["services"][0]["desiredCount"]
    client.alarms = lambda: demo.cloudwatch.describe_alarms()["MetricAlarms"]
    return client


def refused(call, code, **parameters):
    with pytest.raises(ClientError) as e:
        call(**parameters)
    assert e.value.response["Error"]["Code"] == code
    return e.value.response["Error"]["Message"]


def test_a_minimum_above_the_maximum_is_refused(scaling):
    said = refused(scaling.register_scalable_target, "ValidationException", **KEY, MinCapacity=9)
    assert said == "Maximum capacity cannot be less than minimum capacity"


def test_what_is_not_named_stays_and_the_count_comes_inside(scaling):
    scaling.register_scalable_target(**KEY, SuspendedState={"ScheduledScalingSuspended": True})
    scaling.register_scalable_target(**KEY, MinCapacity=3)
    target = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"][0]
    assert (target["MinCapacity"], target["MaxCapacity"], scaling.count()) == (3, 8, 3)
    assert target["SuspendedState"]["ScheduledScalingSuspended"] and target["RoleARN"].endswith("_ECSService")


def test_tags(scaling):
    arn = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"][0]["ScalableTargetARN"]
    scaling.tag_resource(ResourceARN=arn, Tags={"b": "2"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"b": "2"}


def test_a_changed_policy_is_the_same_policy(scaling):
    first = scaling.put_scaling_policy(**KEY, PolicyName="cpu", **TRACKING)
    changed = {**TRACKING, "TargetTrackingScalingPolicyConfiguration": {**CPU, "TargetValue": 60.0}}
    second = scaling.put_scaling_policy(**KEY, PolicyName="cpu", **changed)
    assert first["PolicyARN"] == second["PolicyARN"] and first["Alarms"] == second["Alarms"]
    assert sorted(a["Threshold"] for a in scaling.alarms()) == [54.0, 60.0]


def test_one_policy_for_a_metric(scaling):
    scaling.put_scaling_policy(**KEY, PolicyName="cpu", **TRACKING)
    refused(scaling.put_scaling_policy, "ValidationException", **KEY, PolicyName="other", **TRACKING)


def test_without_a_target_there_are_no_policies_and_no_schedules(scaling):
    other = {**KEY, "ResourceId": "service/demo/web-v2"}
    refused(scaling.put_scaling_policy, "ObjectNotFoundException", **other, PolicyName="cpu", **TRACKING)
    action = {"ScheduledActionName": "a", "Schedule": "rate(1 hour)", "ScalableTargetAction": {"MinCapacity": 1}}
    refused(scaling.put_scheduled_action, "ObjectNotFoundException", **other, **action)
    refused(scaling.delete_scheduled_action, "ObjectNotFoundException", **KEY, ScheduledActionName="a")
    refused(scaling.deregister_scalable_target, "ObjectNotFoundException", **other)


def test_policies_of_a_service_whose_name_begins_the_same(scaling, demo):
    demo.ecs.create_service(cluster="demo", serviceName="web-v2", taskDefinition="web", desiredCount=2)
    other = {**KEY, "ResourceId": "service/demo/web-v2"}
    scaling.register_scalable_target(**other, MinCapacity=1, MaxCapacity=2)
    scaling.put_scaling_policy(**KEY, PolicyName="cpu", **TRACKING)
    assert scaling.describe_scaling_policies(**other)["ScalingPolicies"] == []


def test_everything_goes_with_the_target(scaling):
    scaling.put_scaling_policy(**KEY, PolicyName="cpu", **TRACKING)
    action = {"ScheduledActionName": "a", "Schedule": "rate(1 hour)", "ScalableTargetAction": {"MinCapacity": 1}}
    scaling.put_scheduled_action(**KEY, **action)
    scaling.deregister_scalable_target(**KEY)
    assert scaling.alarms() == [] and scaling.describe_scheduled_actions(**KEY)["ScheduledActions"] == []
    assert scaling.describe_scaling_policies(**KEY)["ScalingPolicies"] == []


def test_an_alarm_that_goes_off_scales_nothing(scaling, demo):
    policy = scaling.put_scaling_policy(**KEY, PolicyName="cpu", **TRACKING)
    name = next(a["AlarmName"] for a in policy["Alarms"] if "High" in a["AlarmName"])
    demo.cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    assert scaling.count() == 2


def test_a_policy_of_a_group(demo):
    group = {"AutoScalingGroupName": demo.asg_name, "PolicyName": "cpu", "PolicyType": "TargetTrackingScaling"}
    put = demo.autoscaling.put_scaling_policy
    made = put(**group, TargetTrackingConfiguration=GROUP_CPU, EstimatedInstanceWarmup=0)
    found = demo.autoscaling.describe_policies()["ScalingPolicies"][0]
    assert found["PolicyARN"] == made["PolicyARN"] and found["Alarms"] == made["Alarms"]
    assert (found["EstimatedInstanceWarmup"], found["Enabled"]) == (0, True)
    alarms = demo.cloudwatch.describe_alarms()["MetricAlarms"]
    assert sorted(a["Threshold"] for a in alarms) == [41.25, 55.0]
    refused(put, "ValidationError", **{**group, "PolicyName": "b"}, TargetTrackingConfiguration=GROUP_CPU)
    refused(put, "ValidationError", **{**group, "AutoScalingGroupName": "none"}, TargetTrackingConfiguration=GROUP_CPU)
    demo.autoscaling.delete_policy(PolicyName=made["PolicyARN"])
    assert demo.cloudwatch.describe_alarms()["MetricAlarms"] == []
