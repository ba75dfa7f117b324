# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import IMAGE, Failed, contract, run

CLUSTER, GROUP, NAME = "petclinic-rest-cluster", "petclinic-rest-ecs-instances", "cpu-55percent-policy"
PROVIDER = "petclinic-rest-capacity-provider"
OWNER = {"handson:cluster": CLUSTER}
OPTIONS = {"name": NAME, "auto_scaling_group": GROUP, "target": 55, "instance_warmup": 0, "owner": OWNER}
TAG = {"ResourceType": "auto-scaling-group", "Key": "handson:cluster", "Value": CLUSTER, "PropagateAtLaunch": True}


@pytest.fixture
def group(aws, default_subnets):
    """Return a function that makes a group of two instances, ours unless told otherwise."""
    aws("ec2").create_launch_template(LaunchTemplateName=GROUP, LaunchTemplateData={"ImageId": IMAGE})

    def group(name=GROUP, tags=True):
        aws("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchTemplate={"LaunchTemplateName": GROUP},
            MinSize=2,
            MaxSize=4,
            VPCZoneIdentifier=default_subnets[0],
            Tags=[{**TAG, "ResourceId": name}] if tags else [],
        )

    return group


@pytest.fixture
def read(aws):
    def read(group=GROUP, name=NAME):
        policies = aws("autoscaling").describe_policies(AutoScalingGroupName=group, PolicyNames=[name])[
            "ScalingPolicies"
        ]
        alarms = aws("cloudwatch").describe_alarms()["MetricAlarms"]
        if not policies:
            assert not alarms
            return None
        return {**policies[0], "alarms": sorted(alarms, key=lambda a: a["Threshold"])}

    return read


@pytest.fixture
def provider(aws, group):
    group()
    aws("ecs").create_cluster(clusterName=CLUSTER)
    arn = aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]["AutoScalingGroupARN"]

    def scaling():
        found = aws("ecs").describe_capacity_providers(capacityProviders=[PROVIDER])["capacityProviders"][0]
        settings = found["autoScalingGroupProvider"]
        return settings["managedScaling"]["status"], settings.get("managedTerminationProtection", "DISABLED")

    aws("ecs").create_capacity_provider(
        name=PROVIDER,
        autoScalingGroupProvider={"autoScalingGroupArn": arn, "managedScaling": {"status": "ENABLED"}},
        tags=[{"key": k, "value": v} for k, v in OWNER.items()],
    )
    return scaling


def tracking(policy):
    return policy["TargetTrackingConfiguration"]


def test_contract(group, read):
    group()
    contract(
        "auto_scaling_policy",
        OPTIONS,
        read,
        changes=[
            ({"target": 60}, lambda p: tracking(p)["TargetValue"], 60),
            ({"instance_warmup": 90}, lambda p: p["EstimatedInstanceWarmup"], 90),
            ({"disable_scale_in": True}, lambda p: tracking(p)["DisableScaleIn"], True),
            ({"enabled": False}, lambda p: p["Enabled"], False),
            (
                {"metric": "ASGAverageNetworkIn"},
                lambda p: tracking(p)["PredefinedMetricSpecification"]["PredefinedMetricType"],
                "ASGAverageNetworkIn",
            ),
        ],
    )


def test_the_tutorials_numbers(group, read):
    group()
    result = run("auto_scaling_policy", **OPTIONS)["policy"]
    found = read()
    assert (found["PolicyType"], found["EstimatedInstanceWarmup"], found["Enabled"]) == (
        "TargetTrackingScaling",
        0,
        True,
    )
    low, high = found["alarms"]
    assert (high["ComparisonOperator"], high["Threshold"], high["EvaluationPeriods"]) == ("GreaterThanThreshold", 55, 3)
    assert (low["ComparisonOperator"], low["Threshold"], low["EvaluationPeriods"]) == ("LessThanThreshold", 41.25, 15)
    assert {a["AlarmName"] for a in found["Alarms"]} == {low["AlarmName"], high["AlarmName"]}
    assert high["AlarmName"].startswith(f"TargetTracking-{GROUP}-AlarmHigh-") and high["Period"] == 60
    assert high["Dimensions"] == [{"Name": "AutoScalingGroupName", "Value": GROUP}]
    assert high["AlarmActions"] == [found["PolicyARN"]]
    assert result["group"] == {"min": 2, "max": 4, "desired": 2} and len(result["alarms"]) == 2


def test_a_run_that_has_nothing_to_do_asks_three_times(group):
    group()
    run("auto_scaling_policy", **OPTIONS)
    with recorded() as calls:
        assert not run("auto_scaling_policy", **OPTIONS)["changed"]
    assert operations(calls) == ["DescribeAutoScalingGroups", "DescribePolicies", "DescribeAlarms"]


def test_alarms_that_the_policy_lost_are_made_again(aws, group, read):
    group()
    run("auto_scaling_policy", **OPTIONS)
    high = read()["alarms"][1]["AlarmName"]
    aws("cloudwatch").delete_alarms(AlarmNames=[high])
    checked = run("auto_scaling_policy", check=True, **OPTIONS)
    assert checked["changed"] and checked["diff"]["before"]["own_alarms"] == f"deleted: {high}"
    assert checked["diff"]["after"]["own_alarms"] == "there" and len(read()["alarms"]) == 1
    with recorded() as calls:
        assert run("auto_scaling_policy", **OPTIONS)["changed"]
    assert [c for c in operations(calls) if not c.startswith("Describe")] == ["PutScalingPolicy"]
    assert not run("auto_scaling_policy", **OPTIONS)["changed"]
    assert [a["Threshold"] for a in read()["alarms"]] == [41.25, 55]


@pytest.mark.parametrize("check", [True, False])
def test_another_policy_of_the_same_metric_is_refused_and_stays(aws, group, check):
    group()
    run("auto_scaling_policy", **{**OPTIONS, "name": "theirs"})
    with pytest.raises(Failed, match="tracks ASGAverageCPUUtilization: theirs.*instance_scaling_policy_name to 'theirs'"):
        run("auto_scaling_policy", check=check, **OPTIONS)
    assert [p["PolicyName"] for p in aws("autoscaling").describe_policies()["ScalingPolicies"]] == ["theirs"]
    assert not run("auto_scaling_policy", **OPTIONS, state="absent")["changed"]
    assert run("auto_scaling_policy", **{**OPTIONS, "metric": "ASGAverageNetworkIn"})["changed"], "of another metric"


def test_a_policy_of_another_type_is_replaced(aws, group, read):
    group()
    aws("autoscaling").put_scaling_policy(
        AutoScalingGroupName=GROUP, PolicyName=NAME, AdjustmentType="ChangeInCapacity", ScalingAdjustment=1
    )
    assert run("auto_scaling_policy", **OPTIONS)["changed"]
    assert read()["PolicyType"] == "TargetTrackingScaling"
    assert not run("auto_scaling_policy", **OPTIONS)["changed"]


def test_two_groups_have_policies_of_one_name(group, read):
    group()
    group("other")
    run("auto_scaling_policy", **OPTIONS)
    run("auto_scaling_policy", **{**OPTIONS, "auto_scaling_group": "other"})
    run("auto_scaling_policy", **OPTIONS, state="absent")
    assert read("other")["AutoScalingGroupName"] == "other" and len(read("other")["alarms"]) == 2


def test_it_goes_with_its_group(aws, group, read):
    group()
    run("auto_scaling_policy", **OPTIONS)
    aws("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=GROUP, ForceDelete=True)
    assert read() is None
    assert not run("auto_scaling_policy", **OPTIONS, state="absent")["changed"]


def test_a_foreign_group_is_refused(group, read):
    group(tags=False)
    with pytest.raises(Failed, match="is not ours"):
        run("auto_scaling_policy", **OPTIONS)
    assert read() is None


def test_a_foreign_groups_policy_stays(aws, group, read):
    group(tags=False)
    aws("autoscaling").put_scaling_policy(
        AutoScalingGroupName=GROUP, PolicyName=NAME, AdjustmentType="ChangeInCapacity", ScalingAdjustment=1
    )
    assert run("auto_scaling_policy", **OPTIONS, state="absent")["foreign"]
    assert read()


def test_no_group_names_the_playbook_and_is_known_after_apply(aws):
    assert run("auto_scaling_policy", check=True, **OPTIONS)["changed"]
    with pytest.raises(Failed, match="no auto scaling group named.*playbooks/cluster.yml"):
        run("auto_scaling_policy", **OPTIONS)


def test_two_controllers_are_refused(aws, group):
    group()
    aws("autoscaling").put_scaling_policy(
        AutoScalingGroupName=GROUP,
        PolicyName="ECSManagedAutoScalingPolicy-1",
        AdjustmentType="ChangeInCapacity",
        ScalingAdjustment=1,
    )
    with pytest.raises(Failed, match="Two controllers.*instance_scaling_mode"):
        run("auto_scaling_policy", **OPTIONS)


def test_managed_scaling_is_switched_off_first(aws, provider, read):
    options = {**OPTIONS, "capacity_provider": PROVIDER}
    assert run("auto_scaling_policy", check=True, **options)["changed"]
    assert provider() == ("ENABLED", "DISABLED")
    with recorded() as calls:
        assert run("auto_scaling_policy", **options)["changed"]
    assert operations(calls).index("UpdateCapacityProvider") < operations(calls).index("PutScalingPolicy")
    assert provider() == ("DISABLED", "DISABLED") and read()
    assert not run("auto_scaling_policy", **options)["changed"]


def test_managed_scaling_is_switched_off_without_a_policy(provider, read):
    options = {**OPTIONS, "capacity_provider": PROVIDER, "state": "absent"}
    assert run("auto_scaling_policy", check=True, **options)["changed"] and provider()[0] == "ENABLED"
    assert run("auto_scaling_policy", **options)["changed"] and provider()[0] == "DISABLED"
    assert not run("auto_scaling_policy", **options)["changed"]


@pytest.fixture
def protection(aws, provider):
    """Have managed termination protection, with the group and its instances protected. Returns what is protected."""

    def protection(protect=None):
        autoscaling = aws("autoscaling")
        found = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
        if protect is not None:
            ids = [i["InstanceId"] for i in found["Instances"]]
            autoscaling.set_instance_protection(AutoScalingGroupName=GROUP, InstanceIds=ids, ProtectedFromScaleIn=protect)
            autoscaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, NewInstancesProtectedFromScaleIn=protect)
        return found["NewInstancesProtectedFromScaleIn"], [i["ProtectedFromScaleIn"] for i in found["Instances"]]

    protection(True)
    aws("ecs").update_capacity_provider(
        name=PROVIDER, autoScalingGroupProvider={"managedTerminationProtection": "ENABLED"}
    )
    return protection


def protect_one(aws):
    """Protect one instance, as ECS does when it places a task, and as a person may."""
    instance = aws("autoscaling").describe_auto_scaling_instances()["AutoScalingInstances"][0]["InstanceId"]
    aws("autoscaling").set_instance_protection(
        AutoScalingGroupName=GROUP, InstanceIds=[instance], ProtectedFromScaleIn=True
    )
    return instance


def writes(calls):
    return [c for c in operations(calls) if not c.startswith("Describe")]


LIFTED, LEFT = (False, [False, False]), (True, [True, True])


@pytest.mark.parametrize("state", ["present", "absent"])
def test_scale_in_protection_goes_with_managed_scaling(aws, provider, protection, state):
    options = {**OPTIONS, "capacity_provider": PROVIDER, "state": state}
    assert run("auto_scaling_policy", check=True, **options)["changed"] and protection() == LEFT
    assert run("auto_scaling_policy", **options)["changed"]
    assert provider() == ("DISABLED", "DISABLED") and protection() == LIFTED
    with recorded() as calls:
        assert not run("auto_scaling_policy", **options)["changed"]
    assert not writes(calls)


@pytest.mark.parametrize("state", ["present", "absent"])
def test_instances_that_ecs_protects_again_are_lifted(aws, provider, protection, state):
    options = {**OPTIONS, "capacity_provider": PROVIDER, "state": state}
    protection(False)  # as the role instances does it, with the provider still at work
    protect_one(aws)
    late = [True]

    def place_a_task(real, parameters):
        if late and late.pop():
            protect_one(aws)
        return real()

    with recorded(UpdateCapacityProvider=place_a_task) as calls:
        assert run("auto_scaling_policy", **options)["changed"]
    assert provider() == ("DISABLED", "DISABLED") and protection() == LIFTED
    put = ["PutScalingPolicy"] if state == "present" else []
    ours = writes(calls)[2:]  # after those of the task that was placed
    assert ours == ["SetInstanceProtection", "UpdateCapacityProvider", *put], "the group's setting is off already"
    with recorded() as calls:
        assert not run("auto_scaling_policy", **options)["changed"]
    assert not writes(calls)


def test_a_run_that_is_cut_off_before_it_lifts_is_gone_on_with(aws, provider, protection):
    options = {**OPTIONS, "capacity_provider": PROVIDER}
    protection(False)
    protect_one(aws)

    def cut_off(real, parameters):
        raise error("AccessDenied", "not authorized")

    with recorded(SetInstanceProtection=cut_off), pytest.raises(Failed, match="not authorized"):
        run("auto_scaling_policy", **options)
    assert provider() == ("ENABLED", "DISABLED")
    assert run("auto_scaling_policy", **options)["changed"]
    assert provider() == ("DISABLED", "DISABLED") and protection() == LIFTED


def test_an_instance_that_is_launched_meanwhile_is_lifted_once_it_is_in_service(provider, protection, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    looks = iter(["Pending:Wait", "Pending", "Pending:Proceed"])

    def launching(real, parameters):
        answer = real()
        one = answer["AutoScalingGroups"][0]["Instances"][0]
        if one["ProtectedFromScaleIn"]:
            one["LifecycleState"] = next(looks, "InService")
        return answer

    with recorded(DescribeAutoScalingGroups=launching):
        assert run("auto_scaling_policy", **OPTIONS, capacity_provider=PROVIDER)["changed"]
    assert next(looks, None) is None and protection() == LIFTED


@pytest.mark.parametrize("state", ["present", "absent"])
def test_scale_in_protection_that_a_cut_off_run_has_left_is_lifted(aws, provider, protection, state):
    options = {**OPTIONS, "capacity_provider": PROVIDER, "state": state}
    run("auto_scaling_policy", **options)
    protection(True)
    checked = run("auto_scaling_policy", check=True, **options)
    assert checked["changed"] and protection() == LEFT
    with recorded() as calls:
        assert run("auto_scaling_policy", **options)["changed"]
    assert protection() == LIFTED
    wanted = ["SetInstanceProtection", "UpdateAutoScalingGroup"]
    assert writes(calls) == wanted, "the group's setting last, to be seen again"
    assert not run("auto_scaling_policy", **options)["changed"]


def test_scale_in_protection_that_is_not_of_a_provider_stays(aws, provider, protection):
    run("auto_scaling_policy", **OPTIONS, capacity_provider=PROVIDER)
    instance = protect_one(aws)
    for state in "present", "absent":
        result = run("auto_scaling_policy", **OPTIONS, capacity_provider=PROVIDER, state=state)
        assert result["changed"] == (state == "absent")  # the policy
        assert sorted(protection()[1]) == [False, True], "one, by a person"
        assert f"{instance} of the auto scaling" in result["warnings"][0]
    run("auto_scaling_policy", **OPTIONS)
    protection(True)
    assert not run("auto_scaling_policy", **OPTIONS, capacity_provider="another")["changed"]
    assert not run("auto_scaling_policy", **OPTIONS)["changed"] and protection() == LEFT


def test_protection_is_lifted_when_ecs_is_done(provider, protection, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    states = ["UPDATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"]

    def at_work(real, parameters):
        answer = real()
        if "include" not in parameters and states:
            answer["capacityProviders"][0]["updateStatus"] = states.pop()
            assert protection() == LEFT
        return answer

    with recorded(DescribeCapacityProviders=at_work):
        run("auto_scaling_policy", **OPTIONS, capacity_provider=PROVIDER)
    assert not states and protection() == LIFTED


def test_protection_stays_where_ecs_could_not_switch_scaling_off(provider, protection):
    def failed(real, parameters):
        answer = real()
        if "include" not in parameters:
            answer["capacityProviders"][0].update(updateStatus="UPDATE_FAILED", updateStatusReason="no such group")
        return answer

    with recorded(DescribeCapacityProviders=failed), pytest.raises(Failed, match="'petclinic.*off: no such group"):
        run("auto_scaling_policy", **OPTIONS, capacity_provider=PROVIDER)
    assert protection() == LEFT


def test_an_instance_that_goes_meanwhile_does_not_keep_the_others_protected(aws, provider, protection, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    refused = [error("ValidationError", "The instance i-1 is not in InService")]

    def refuse_once(real, _parameters):
        if refused:
            raise refused.pop()
        return real()

    with recorded(SetInstanceProtection=refuse_once):
        assert run("auto_scaling_policy", **OPTIONS, capacity_provider=PROVIDER)["changed"]
    assert not refused and protection() == LIFTED


@pytest.mark.parametrize(
    ("wrong", "said"), [({"target": 0}, "must be above 0"), ({"instance_warmup": -1}, "0 seconds")]
)
def test_what_aws_refuses_is_refused(group, wrong, said):
    group()
    with pytest.raises(Failed, match=said):
        run("auto_scaling_policy", **{**OPTIONS, **wrong})
