# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from modules.aws_calls import operations, recorded
from modules.harness import Failed, contract, run

TOPIC = "arn:aws:sns:ap-southeast-1:123456789012:petclinic-rest-alarms"
OWNER = {"handson:cluster": "petclinic-rest-cluster", "handson:service": "petclinic-rest-service"}
UNHEALTHY = {
    "name": "unhealthy-hosts",
    "description": "A task does not answer.",
    "namespace": "AWS/ApplicationELB",
    "metric": "UnHealthyHostCount",
    "dimensions": {"LoadBalancer": "$load_balancer", "TargetGroup": "$target_group"},
    "statistic": "Maximum",
    "comparison": ">",
    "threshold": 0,
}
RATE = {
    "name": "errors",
    "comparison": ">=",
    "threshold": 5,
    "missing": "notBreaching",
    "metrics": [
        {"id": "e5", "namespace": "AWS/ApplicationELB", "metric": "HTTPCode_Target_5XX_Count", "statistic": "Sum"},
        {"id": "all", "namespace": "AWS/ApplicationELB", "metric": "RequestCount", "statistic": "Sum"},
        {"id": "rate", "expression": "100 * e5 / all", "label": "5xx in %"},
    ],
}
OPTIONS = {
    "prefix": "petclinic-rest-",
    "load_balancer": "petclinic-rest-alb",
    "target_group": "petclinic-rest-target",
    "actions": [TOPIC],
    "alarms": [UNHEALTHY, RATE],
    "owner": OWNER,
}


@pytest.fixture
def group(aws, alb):
    made = aws("elbv2").create_target_group(Name="petclinic-rest-target", Protocol="HTTP", Port=80, VpcId=alb["VpcId"])
    return made["TargetGroups"][0]["TargetGroupArn"]


@pytest.fixture
def read(aws):
    def read():
        found = aws("cloudwatch").describe_alarms()["MetricAlarms"]
        return {a["AlarmName"].removeprefix("petclinic-rest-"): a for a in found} or None

    return read


def test_contract(aws, group, read):
    contract(
        "metric_alarms",
        OPTIONS,
        read,
        changes=[
            ({"alarms": [{**UNHEALTHY, "threshold": 1}, RATE]}, lambda a: a["unhealthy-hosts"]["Threshold"], 1),
            ({"alarms": [{**UNHEALTHY, "period": 120}, RATE]}, lambda a: a["unhealthy-hosts"]["Period"], 120),
            (
                {"alarms": [UNHEALTHY, {**RATE, "metrics": [*RATE["metrics"][:2], {"id": "rate", "expression": "e5"}]}]},
                lambda a: a["errors"]["Metrics"][2]["Expression"],
                "e5",
            ),
            ({"actions": []}, lambda a: a["errors"].get("AlarmActions"), []),
            ({"alarms": [UNHEALTHY]}, sorted, ["unhealthy-hosts"]),
            (
                {"tags": {"team": "vets"}},
                lambda a: {
                    t["Key"]: t["Value"]
                    for t in aws("cloudwatch").list_tags_for_resource(
                        ResourceARN=a["unhealthy-hosts"]["AlarmArn"]
                    )["Tags"]
                }.get("team"),
                "vets",
            ),
        ],
    )  # fmt: skip


def test_dimensions_have_cloudwatchs_names(aws, group, alb, read):
    run("metric_alarms", **OPTIONS)
    dimensions = {d["Name"]: d["Value"] for d in read()["unhealthy-hosts"]["Dimensions"]}
    assert alb["LoadBalancerArn"].endswith(f":loadbalancer/{dimensions['LoadBalancer']}")
    assert group.endswith(f":{dimensions['TargetGroup']}") and dimensions["TargetGroup"].startswith("targetgroup/")


def test_check_before_there_is_a_load_balancer(aws, read):
    after = run("metric_alarms", check=True, **OPTIONS)["diff"]["after"]["alarms"]["petclinic-rest-unhealthy-hosts"]
    assert after["dimensions"]["TargetGroup"] == "(known after apply)"
    with pytest.raises(Failed, match="no load balancer named 'petclinic-rest-alb'"):
        run("metric_alarms", **OPTIONS)


def test_an_unchanged_run_makes_few_calls(aws, group):
    run("metric_alarms", **OPTIONS)
    with recorded() as calls:
        assert not run("metric_alarms", **OPTIONS)["changed"]
    expected = ["DescribeAlarms", "ListTagsForResource", "ListTagsForResource", "DescribeLoadBalancers", "DescribeTargetGroups"]
    assert operations(calls) == expected


def test_alarms_of_others_under_the_prefix_stay(aws, group, read):
    aws("cloudwatch").put_metric_alarm(
        AlarmName="petclinic-rest-cluster-full", MetricName="m", Namespace="n", Statistic="Sum", Period=60,
        EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    run("metric_alarms", **OPTIONS)
    run("metric_alarms", **{**OPTIONS, "alarms": []})
    assert list(read()) == ["cluster-full"]
    with pytest.raises(Failed, match="petclinic-rest-cluster-full' is there already and is not ours"):
        run("metric_alarms", **{**OPTIONS, "alarms": [{**UNHEALTHY, "name": "cluster-full"}]})
    assert not run("metric_alarms", **OPTIONS, state="absent")["changed"] and list(read()) == ["cluster-full"]


def test_every_fault_at_once_and_before_any_call_that_writes(aws, group, read):
    wrong = [
        {**UNHEALTHY, "period": 45},
        {**UNHEALTHY, "metric": "", "name": "b"},
        {**RATE, "datapoints": 4},
        {**RATE, "name": "c", "metrics": [{"id": "A"}]},
        {**RATE, "name": "d", "metrics": [*RATE["metrics"], RATE["metrics"][0]]},
        UNHEALTHY,
    ]
    with pytest.raises(Failed) as e:
        run("metric_alarms", **{**OPTIONS, "alarms": wrong})
    said = str(e.value)
    for part in ("there twice", "period of 45", "needs a metric or metrics", "4 datapoints of 3", "small letter", "an expression", "'e5' is there twice"):
        assert part in said
    assert read() is None


SCALED = {
    "service": "petclinic-rest-service",
    "cluster": "petclinic-rest-cluster",
    "min": 1,
    "max": 4,
    "policies": [
        {
            "name": "steps",
            "type": "step",
            "adjustment_type": "ChangeInCapacity",
            "steps": [{"lower": 0, "adjustment": 1}],
            "alarm": {"comparison": "GreaterThanOrEqualToThreshold", "threshold": 50},
        }
    ],
    "owner": OWNER,
}


def test_a_step_policys_alarm_and_ours_leave_each_other_alone(aws, group):
    """Both begin with the service's name and carry its tags."""
    ecs = aws("ecs")
    ecs.create_cluster(clusterName="petclinic-rest-cluster")
    ecs.register_task_definition(family="t", containerDefinitions=[{"name": "app", "image": "app", "memory": 64}])
    ecs.create_service(cluster="petclinic-rest-cluster", serviceName="petclinic-rest-service", taskDefinition="t", desiredCount=1)
    watched = {**OPTIONS, "prefix": "petclinic-rest-service/"}
    steps = "petclinic-rest-service/petclinic-rest-cluster/steps"
    ours = [f"petclinic-rest-service/{n}" for n in ("errors", "unhealthy-hosts")]

    def there():
        return sorted(a["AlarmName"] for a in aws("cloudwatch").describe_alarms()["MetricAlarms"])

    for settled in (False, True):
        assert run("scalable_target", **SCALED)["changed"] != settled
        assert run("metric_alarms", **watched)["changed"] != settled
        assert there() == sorted([*ours, steps])
    assert not run("metric_alarms", check=True, **{**watched, "prefix": "petclinic-rest-"})["diff"]["before"]
    assert run("metric_alarms", **watched, state="absent")["changed"] and there() == [steps]
    run("metric_alarms", **watched)
    assert run("scalable_target", **SCALED, state="absent")["changed"] and there() == ours
    with pytest.raises(Failed, match="with a slash"):
        run("metric_alarms", **{**watched, "alarms": [{**UNHEALTHY, "name": "petclinic-rest-cluster/steps"}]})


def turned(real, parameters):
    found = real()
    return {**found, "MetricAlarms": [{**a, "Metrics": a.get("Metrics", [])[::-1]} for a in found["MetricAlarms"]]}


def test_the_order_of_metrics_is_no_difference_and_what_is_compared_is(aws, group):
    run("metric_alarms", **OPTIONS)
    with recorded(DescribeAlarms=turned):
        assert not run("metric_alarms", **OPTIONS)["changed"]
    other = {**OPTIONS, "alarms": [UNHEALTHY, {**RATE, "metrics": [RATE["metrics"][i] for i in (2, 0, 1)]}]}
    assert run("metric_alarms", **other)["changed"], "the last one is compared, and now it is another one"
    assert not run("metric_alarms", **other)["changed"]


def test_a_cluster_leaves_its_services_alarms_alone(aws, group, read):
    """They carry the cluster's tag, too, and a service may be named so that its alarms begin like the cluster's."""
    run("metric_alarms", **OPTIONS)
    cluster = {**OPTIONS, "owner": {"handson:cluster": "petclinic-rest-cluster"}, "alarms": []}
    assert not run("metric_alarms", **cluster)["changed"]
    assert not run("metric_alarms", **cluster, state="absent")["changed"]
    assert sorted(read()) == ["errors", "unhealthy-hosts"]
