# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import Failed, contract, run

CLUSTER, SERVICE = "petclinic-rest-cluster", "petclinic-rest-service"
ID = f"service/{CLUSTER}/{SERVICE}"
OWNER = {"handson:cluster": CLUSTER, "handson:service": SERVICE}
CPU = {
    "name": "cpu-target-tracking-55percent-policy",
    "metric": "ECSServiceAverageCPUUtilization",
    "target": 55,
    "scale_out_cooldown": 150,
    "scale_in_cooldown": 150,
}
STEP = {
    "name": "steps",
    "type": "step",
    "adjustment_type": "PercentChangeInCapacity",
    "min_adjustment_magnitude": 1,
    "steps": [{"lower": 10, "adjustment": 40}, {"lower": 0, "upper": 10, "adjustment": 20}],
    "alarm": {"comparison": "GreaterThanOrEqualToThreshold", "threshold": 50},
}
NIGHT = {"name": "night", "schedule": "cron(0 20 ? * MON-FRI *)", "timezone": "Asia/Seoul", "min": 1}
OPTIONS = {"service": SERVICE, "cluster": CLUSTER, "min": 2, "max": 8, "policies": [CPU], "owner": OWNER}
KEY = {"ServiceNamespace": "ecs", "ResourceId": ID, "ScalableDimension": "ecs:service:DesiredCount"}
READS = [
    "DescribeScalableTargets",
    "DescribeScalingPolicies",
    "DescribeAlarms",
    "ListTagsForResource",
    "DescribeScheduledActions",
]


@pytest.fixture
def service(aws):
    """A service of two tasks; the function gives its desired count, and sets it where a number is given."""
    ecs = aws("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    ecs.register_task_definition(
        family="t", containerDefinitions=[{"name": "app", "image": "app", "memoryReservation": 625}]
    )
    ecs.create_service(cluster=CLUSTER, serviceName=SERVICE, taskDefinition="t", desiredCount=2)

    def count(number=None):
        if number is not None:
            ecs.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=number)
        return ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]["desiredCount"]

    return count


@pytest.fixture
def read(aws):
    def read():
        scaling = aws("application-autoscaling")
        found = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
        alarms = {a["AlarmName"]: a for a in aws("cloudwatch").describe_alarms()["MetricAlarms"]}
        policies = {p["PolicyName"]: p for p in scaling.describe_scaling_policies(**KEY)["ScalingPolicies"]}
        actions = {a["ScheduledActionName"]: a for a in scaling.describe_scheduled_actions(**KEY)["ScheduledActions"]}
        if not found:
            assert not alarms and not policies and not actions, (alarms, policies, actions)
            return None
        tags = scaling.list_tags_for_resource(ResourceARN=found[0]["ScalableTargetARN"])["Tags"]
        return {**found[0], "policies": policies, "actions": actions, "alarms": alarms, "tags": tags}

    return read


def tracking(name=CPU["name"]):
    return lambda t: t["policies"][name]["TargetTrackingScalingPolicyConfiguration"]


def test_contract(service, read):
    contract(
        "scalable_target",
        OPTIONS,
        read,
        changes=[
            ({"max": 12}, lambda t: t["MaxCapacity"], 12),
            ({"min": 1}, lambda t: t["MinCapacity"], 1),
            ({"policies": [{**CPU, "target": 60}]}, lambda t: tracking()(t)["TargetValue"], 60),
            ({"policies": [{**CPU, "scale_in_cooldown": 60}]}, lambda t: tracking()(t)["ScaleInCooldown"], 60),
            ({"policies": [{**CPU, "scale_out_cooldown": 0}]}, lambda t: tracking()(t)["ScaleOutCooldown"], 0),
            ({"policies": [{**CPU, "disable_scale_in": True}]}, lambda t: tracking()(t)["DisableScaleIn"], True),
            ({"policies": [CPU, STEP]}, lambda t: sorted(t["policies"]), sorted([CPU["name"], "steps"])),
            (
                {"policies": [CPU, {**STEP, "cooldown": 60}]},
                lambda t: t["policies"]["steps"]["StepScalingPolicyConfiguration"]["Cooldown"],
                60,
            ),
            (
                {"policies": [CPU, {**STEP, "alarm": {**STEP["alarm"], "threshold": 60}}]},
                lambda t: t["alarms"][f"{SERVICE}/{CLUSTER}/steps"]["Threshold"],
                60,
            ),
            ({"scheduled_actions": [NIGHT]}, lambda t: list(t["actions"]), ["night"]),
            (
                {"scheduled_actions": [{**NIGHT, "min": 2, "max": 4}]},
                lambda t: t["actions"]["night"]["ScalableTargetAction"],
                {"MinCapacity": 2, "MaxCapacity": 4},
            ),
            ({"scheduled_actions": []}, lambda t: list(t["actions"]), []),
            ({"suspended": {"scale_in": True}}, lambda t: t["SuspendedState"]["DynamicScalingInSuspended"], True),
            ({"tags": {"team": "vets"}}, lambda t: t["tags"].get("team"), "vets"),
        ],
    )


def test_the_tutorials_numbers(service, read):
    result = run("scalable_target", **{**OPTIONS, "max": 16})
    found = read()
    assert (found["MinCapacity"], found["MaxCapacity"], found["tags"]) == (2, 16, OWNER)
    assert tracking()(found) == {
        "TargetValue": 55.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        "ScaleOutCooldown": 150,
        "ScaleInCooldown": 150,
        "DisableScaleIn": False,
    }
    low, high = sorted(found["alarms"].values(), key=lambda a: a["Threshold"])
    assert (high["ComparisonOperator"], high["Threshold"]) == ("GreaterThanThreshold", 55.0)
    assert (high["EvaluationPeriods"], high["DatapointsToAlarm"], high["Period"]) == (3, 3, 60)
    assert (low["ComparisonOperator"], low["Threshold"]) == ("LessThanThreshold", 49.5)
    assert (low["EvaluationPeriods"], low["DatapointsToAlarm"], low["Period"]) == (15, 15, 60)
    assert high["AlarmName"].startswith(f"TargetTracking-{ID}-AlarmHigh-")
    assert {d["Name"]: d["Value"] for d in low["Dimensions"]} == {"ClusterName": CLUSTER, "ServiceName": SERVICE}
    assert [a["threshold"] for a in result["scalable_target"]["alarms"]] == [55.0, 49.5]
    assert result["desired_count"] == 2


def test_a_run_that_has_nothing_to_do_asks_five_times(service):
    run("scalable_target", **OPTIONS)
    with recorded() as calls:
        assert not run("scalable_target", **OPTIONS)["changed"]
    assert operations(calls)[:3] == READS[:3] and sorted(operations(calls)) == sorted(READS)


def test_the_count_that_the_scaler_set_is_kept(service, read):
    run("scalable_target", **OPTIONS)
    service(6)
    run("scalable_target", **{**OPTIONS, "max": 12})
    assert service() == 6


def test_a_count_outside_is_moved_by_aws_and_told(service):
    service(5)
    options = {**OPTIONS, "max": 4}
    checked = run("scalable_target", check=True, **options)
    assert "would move it to 4" in checked["warnings"][0] and service() == 5
    assert "moves it to 4" in run("scalable_target", **options)["warnings"][0]
    assert service() == 4


def test_a_minimum_that_the_clock_has_set_is_kept(aws, service, read):
    options = {**OPTIONS, "scheduled_actions": [{**NIGHT, "min": 2}, {**NIGHT, "name": "day", "min": 4}]}
    run("scalable_target", **options)
    aws("application-autoscaling").register_scalable_target(**KEY, MinCapacity=4)
    assert not run("scalable_target", **options)["changed"]
    assert run("scalable_target", **{**options, "max": 9})["changed"]
    assert (read()["MinCapacity"], read()["MaxCapacity"]) == (4, 9)
    assert run("scalable_target", **{**OPTIONS, "max": 9})["changed"] and read()["MinCapacity"] == 2


def test_a_count_outside_of_what_the_clock_has_set_is_told(aws, service):
    options = {**OPTIONS, "scheduled_actions": [{**NIGHT, "min": 2}, {**NIGHT, "name": "day", "min": 4}]}
    run("scalable_target", **options)
    aws("application-autoscaling").register_scalable_target(**KEY, MinCapacity=4)
    service(3)
    checked = run("scalable_target", check=True, **{**options, "max": 9})
    assert "outside of min 4 to max 9" in checked["warnings"][0] and "would move it to 4" in checked["warnings"][0]
    result = run("scalable_target", **{**options, "max": 9})
    assert "moves it to 4" in result["warnings"][0] and service() == 4
    assert (result["scalable_target"]["min"], result["scalable_target"]["max"]) == (4, 9)


def test_a_renamed_policy_takes_the_place_of_the_old_one(service, read):
    run("scalable_target", **OPTIONS)
    run("scalable_target", **{**OPTIONS, "policies": [{**CPU, "name": "other"}]})
    assert list(read()["policies"]) == ["other"] and len(read()["alarms"]) == 2


def test_a_policy_of_another_type_takes_the_place_and_the_alarm_goes(service, read):
    run("scalable_target", **{**OPTIONS, "policies": [STEP]})
    assert list(read()["alarms"]) == [f"{SERVICE}/{CLUSTER}/steps"]
    run("scalable_target", **{**OPTIONS, "policies": [{**CPU, "name": "steps"}]})
    assert [n.split("-Alarm")[0] for n in read()["alarms"]] == [f"TargetTracking-{ID}"] * 2
    run("scalable_target", **{**OPTIONS, "policies": [STEP]})
    assert list(read()["alarms"]) == [f"{SERVICE}/{CLUSTER}/steps"]


def test_the_alarm_of_a_step_policy(aws, service, read):
    run("scalable_target", **{**OPTIONS, "policies": [STEP], "tags": {"team": "vets"}})
    (alarm,) = read()["alarms"].values()
    assert alarm["AlarmActions"] == [read()["policies"]["steps"]["PolicyARN"]]
    assert (alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"], alarm["MetricName"]) == (3, 3, "CPUUtilization")
    tags = aws("cloudwatch").list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
    assert {t["Key"]: t["Value"] for t in tags} == {**OWNER, "team": "vets"}


@pytest.mark.parametrize("how", ["disabled", "deleted", "changed"])
def test_an_alarm_that_somebody_broke_is_mended(aws, service, read, how):
    options = {**OPTIONS, "policies": [STEP]}
    run("scalable_target", **options)
    name, cloudwatch = f"{SERVICE}/{CLUSTER}/steps", aws("cloudwatch")
    if how == "disabled":
        cloudwatch.disable_alarm_actions(AlarmNames=[name])
    elif how == "deleted":
        cloudwatch.delete_alarms(AlarmNames=[name])
    else:
        alarm = read()["alarms"][name]
        keep = (
            "AlarmName",
            "Namespace",
            "MetricName",
            "Dimensions",
            "ComparisonOperator",
            "EvaluationPeriods",
            "Period",
        )
        cloudwatch.put_metric_alarm(**{k: alarm[k] for k in keep}, Statistic="Average", Threshold=1)
    assert run("scalable_target", check=True, **options)["changed"]
    assert run("scalable_target", **options)["changed"]
    assert not run("scalable_target", **options)["changed"]
    assert read()["alarms"][name]["Threshold"] == 50 and read()["alarms"][name]["ActionsEnabled"]


@pytest.mark.parametrize("sides", [["High"], ["High", "Low"]])
def test_alarms_that_tracking_lost_are_made_again(aws, service, read, sides):
    run("scalable_target", **OPTIONS)
    before = set(read()["alarms"])
    gone = sorted(name for name in before if any(f"-Alarm{side}-" in name for side in sides))
    aws("cloudwatch").delete_alarms(AlarmNames=gone)
    with recorded() as calls:
        checked = run("scalable_target", check=True, **OPTIONS)
    assert checked["changed"] and sorted(operations(calls)) == sorted(READS)
    before_after = [checked["diff"][when]["policies"][0]["own_alarms"] for when in ("before", "after")]
    assert before_after == [f"deleted: {', '.join(gone)}", "there"]
    with recorded() as calls:
        assert run("scalable_target", **OPTIONS)["changed"]
    assert [c for c in operations(calls) if not c.startswith(("Describe", "List"))] == ["PutScalingPolicy"]
    assert not run("scalable_target", **OPTIONS)["changed"]
    assert sorted(a["Threshold"] for a in read()["alarms"].values()) == [49.5, 55]


@pytest.mark.parametrize("check", [True, False])
def test_a_timezone_that_would_change_at_each_run_is_refused(service, read, check):
    action = {"name": "hourly", "schedule": "rate(1 hour)", "timezone": "Asia/Seoul", "min": 2}
    with pytest.raises(Failed, match="'Asia/Seoul' with rate"):
        run("scalable_target", check=check, **{**OPTIONS, "scheduled_actions": [action]})
    assert read() is None
    options = {**OPTIONS, "scheduled_actions": [{**action, "timezone": "UTC"}]}
    run("scalable_target", **options)
    assert not run("scalable_target", **options)["changed"]


def test_requests_for_each_target_are_labelled_by_names(aws, service, read, alb):
    made = aws("elbv2").create_target_group(Name="petclinic-rest-target", Protocol="HTTP", Port=80, VpcId=alb["VpcId"])
    group = made["TargetGroups"][0]["TargetGroupArn"]
    policy = {
        "name": "requests",
        "metric": "ALBRequestCountPerTarget",
        "target": 1000,
        "load_balancer": "petclinic-rest-alb",
        "target_group": "petclinic-rest-target",
    }
    options = {**OPTIONS, "policies": [CPU, policy]}
    run("scalable_target", **options)
    label = tracking("requests")(read())["PredefinedMetricSpecification"]["ResourceLabel"]
    assert label.startswith("app/petclinic-rest-alb/") and label.endswith(group.split(":")[-1])
    assert not run("scalable_target", **options)["changed"]


def test_what_is_not_there_yet_is_known_after_apply(aws, read):
    policy = {"name": "r", "metric": "ALBRequestCountPerTarget", "target": 9, "load_balancer": "a", "target_group": "b"}
    options = {**OPTIONS, "policies": [policy]}
    checked = run("scalable_target", check=True, **options)
    assert checked["changed"]
    assert checked["diff"]["after"]["policies"][0]["resource_label"] == "(known after apply)"
    with pytest.raises(Failed, match="no active service named 'petclinic-rest-service'.*playbooks/service.yml"):
        run("scalable_target", **options)
    assert read() is None


def test_a_daemon_has_no_count(aws, service):
    aws("ecs").create_service(cluster=CLUSTER, serviceName="agent", taskDefinition="t", schedulingStrategy="DAEMON")
    with pytest.raises(Failed, match="DAEMON.*service_scaling_enabled"):
        run("scalable_target", **{**OPTIONS, "service": "agent"})


def test_a_foreign_target_is_refused_and_not_deleted(aws, service, read):
    aws("application-autoscaling").register_scalable_target(**KEY, MinCapacity=1, MaxCapacity=3)
    with pytest.raises(Failed, match="not ours"):
        run("scalable_target", **OPTIONS)
    absent = run("scalable_target", **OPTIONS, state="absent")
    assert not absent["changed"] and absent["foreign"]
    assert read()["MaxCapacity"] == 3 and not read()["policies"]


def test_a_foreign_alarm_is_refused_and_not_deleted(aws, service, read):
    name = f"{SERVICE}/{CLUSTER}/steps"
    aws("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="Theirs",
        MetricName="M",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Period=60,
        Threshold=1,
        Statistic="Sum",
    )
    with pytest.raises(Failed, match="alarm .* is not ours"):
        run("scalable_target", **{**OPTIONS, "policies": [STEP]})
    run("scalable_target", **OPTIONS, state="absent")
    assert aws("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["Namespace"] == "Theirs"


def test_alarms_that_were_left_without_their_target_go(aws, service, read):
    options = {**OPTIONS, "policies": [STEP]}
    run("scalable_target", **options)
    aws("application-autoscaling").deregister_scalable_target(**KEY)
    assert aws("cloudwatch").describe_alarms()["MetricAlarms"]
    assert run("scalable_target", check=True, **options, state="absent")["changed"]
    assert run("scalable_target", **options, state="absent")["changed"]
    assert read() is None
    assert not run("scalable_target", **options, state="absent")["changed"]


def test_it_goes_after_its_service(aws, service, read):
    run("scalable_target", **OPTIONS)
    aws("ecs").delete_service(cluster=CLUSTER, service=SERVICE, force=True)
    assert run("scalable_target", **OPTIONS, state="absent")["changed"]
    assert read() is None


def test_a_lost_reply_is_no_failure(service, read):
    def lost(real, _parameters):
        real()
        raise error("ValidationException", "Tags cannot be specified for a scalable target that exists")

    with recorded(RegisterScalableTarget=lost):
        assert run("scalable_target", **OPTIONS)["changed"]
    assert list(read()["policies"]) == [CPU["name"]]
    assert not run("scalable_target", **OPTIONS)["changed"]


def test_a_run_that_was_cut_off_is_gone_on_with(service, read):
    def refused(_real, _parameters):
        raise error("InternalServiceException", "come back later")

    with recorded(PutScalingPolicy=refused), pytest.raises(Failed, match="come back later"):
        run("scalable_target", **OPTIONS)
    assert not read()["policies"]
    assert run("scalable_target", **OPTIONS)["changed"]
    assert list(read()["policies"]) == [CPU["name"]]
