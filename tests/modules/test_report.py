# SPDX-License-Identifier: GPL-3.0-or-later
import stat
import sys
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from modules.aws_calls import operations, recorded
from modules.harness import Failed, run
from modules.test_ecs_service import CLUSTER, account, register  # noqa: F401 - a fixture
from modules.test_ecs_service import OPTIONS as SERVICE
from modules.tutorial_metrics import answer

READS = ("Describe", "List", "Get")


@pytest.fixture
def options(tmp_path):
    return {
        "path": str(tmp_path / "new" / "report.html"),
        "clusters": [{"name": CLUSTER, "load_balancer": "petclinic-rest-alb", "auto_scaling_group": "petclinic-rest-ecs-instances"}],
        "services": [{"name": SERVICE["name"], "cluster": CLUSTER, "url": "http://$host/actuator/health"}],
    }


@pytest.fixture
def steady(account):  # noqa: F811
    run("ecs_service", **SERVICE)


def refuse(_real, _parameters):
    raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "Operation")


def read(options):
    with open(options["path"], encoding="utf-8") as f:
        return f.read()


def test_it_reads_and_writes_one_file_for_its_owner_alone(steady, options, tmp_path):
    with recorded() as calls:
        result = run("report", **options)
    assert all(name.startswith(READS) for name in operations(calls)), operations(calls)
    assert result["changed"] and result["services"] == [{"name": SERVICE["name"], "state": "good"}]
    assert "seen" not in result and not result["problems"]
    made = tmp_path / "new" / "report.html"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600 and stat.S_IMODE(made.parent.stat().st_mode) == 0o700
    assert [p.name for p in made.parent.iterdir()] == ["report.html"], "something else was left"
    assert "/actuator/health" in read(options) and "2 of 2 healthy" in read(options)


def test_the_local_endpoint_measures_nothing_and_the_page_says_so(steady, options):
    result = run("report", **options)
    assert not result["measured"]
    assert "No values: the local endpoint does not measure this." in read(options) and "not AWS" in read(options)


def test_a_second_run_and_check_mode(steady, options, tmp_path):
    assert run("report", check=True, **options)["changed"] and not (tmp_path / "new").exists()
    assert run("report", **options)["changed"]
    made = tmp_path / "new" / "report.html"
    made.chmod(0o644)
    first = made.read_text()
    assert not run("report", **options)["changed"]
    assert stat.S_IMODE(made.stat().st_mode) == 0o644, "what its owner set is kept"
    made.write_text(first)
    run("ecs_service", **{**SERVICE, "desired_count": 1})
    assert run("report", check=True, **options)["changed"] and made.read_text() == first
    assert run("report", **options)["changed"] and made.read_text() != first
    assert run("report", **{**options, "language": "ko"})["changed"]


def test_calls_of_a_run(steady, options):
    with recorded() as calls:
        run("report", **options)
    found = operations(calls)
    assert found.count("GetMetricData") == 1 and found.count("DescribeTasks") == 1
    assert len(found) <= 21, found


def test_the_tutorials_metrics(steady, options):
    with recorded(GetMetricData=lambda _real, parameters: answer(parameters)) as calls:
        result = run("report", **options)
    asked = next(parameters for name, parameters in calls if name == "GetMetricData")
    assert asked["EndTime"] - asked["StartTime"] == timedelta(hours=3) and len(asked["MetricDataQueries"]) <= 500
    assert result["measured"] and result["drawn"]
    text = read(options)
    assert "newest 25.0 %" in text and "highest 100.0 %" in text and text.count('aria-hidden="true"') >= 5


def test_many_pages_of_metrics(steady, options):
    """More queries than a page has, and an answer that comes in pieces."""
    pages = []

    def pieces(_real, parameters):
        pages.append(parameters.get("NextToken"))
        whole = answer({k: v for k, v in parameters.items() if k != "NextToken"})
        half = [{**r, "Timestamps": r["Timestamps"][:90], "Values": r["Values"][:90]} for r in whole["MetricDataResults"]]
        rest = [{**r, "Timestamps": r["Timestamps"][90:], "Values": r["Values"][90:]} for r in whole["MetricDataResults"]]
        return {"MetricDataResults": rest} if parameters.get("NextToken") else {"MetricDataResults": half, "NextToken": "more"}

    with recorded(GetMetricData=pieces):
        seen = run("report", **{k: v for k, v in options.items() if k != "path"})["seen"]
    assert pages == [None, "more"]
    assert len(seen["clusters"][0]["series"]["cpu_reservation"]) == 180


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("GetMetricData", "cloudwatch:GetMetricData"),
        ("DescribeAlarms", "cloudwatch:DescribeAlarms"),
        ("DescribeServices", "ecs:DescribeServices"),
        ("ListTasks", "ecs:ListTasks"),
        ("ListServiceDeployments", "ecs:ListServiceDeployments"),
        ("DescribeTaskDefinition", "ecs:DescribeTaskDefinition"),
        ("DescribeInstances", "ec2:DescribeInstances"),
        ("DescribeLoadBalancers", "elasticloadbalancing:DescribeLoadBalancers"),
        ("DescribeTargetGroups", "elasticloadbalancing:DescribeTargetGroups"),
        ("DescribeRules", "elasticloadbalancing:DescribeRules"),
        ("DescribeScalableTargets", "application-autoscaling:DescribeScalableTargets"),
        ("DescribeClusters", "ecs:DescribeClusters"),
    ],
)
def test_what_is_refused_is_told_and_the_rest_is_there(steady, options, operation, action):
    with recorded(**{operation: refuse}):
        result = run("report", **options)
    assert [p["action"] for p in result["problems"]] == [action]
    assert f"{action} was refused" in read(options)
    # What could not be read is not said to be missing.
    hidden = operation in ("DescribeServices", "DescribeClusters")
    assert result["services"] == [{"name": SERVICE["name"], "state": "unknown" if hidden else "good"}]
    assert "not there" not in read(options)


def alarm(aws, name, state="OK", **dimensions):
    cloudwatch = aws("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name, Namespace="Mine", MetricName="Lines", ComparisonOperator="GreaterThanThreshold", Threshold=0, Period=60,
        EvaluationPeriods=1, Statistic="Sum", Dimensions=[{"Name": n, "Value": v} for n, v in dimensions.items()],
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="because")


def test_alarms_are_found_by_what_they_measure_and_by_name(aws, steady, options):
    service = SERVICE["name"]
    without = run("report", **options)["month"]
    alarm(aws, f"{service}/error-lines", "ALARM")
    alarm(aws, f"{CLUSTER}/queue", QueueName="work")
    alarm(aws, "somebody's", ClusterName=CLUSTER)
    for name, dimensions in (("a", {}), (f"{service}-2/error-lines", {}), (f"{service}/other/steps", {"ClusterName": "other"})):
        alarm(aws, name, "ALARM", **dimensions)
    seen = run("report", **{k: v for k, v in options.items() if k != "path"})["seen"]
    mine = {f"{service}/error-lines", f"{CLUSTER}/queue", "somebody's"}
    assert mine <= {a["name"] for a in seen["alarms"]} and "a" not in [a["name"] for a in seen["alarms"]]
    assert not [a for a in seen["alarms"] if a["name"].startswith((f"{service}-2/", f"{service}/other/"))]
    assert round(run("report", **options)["month"] - without, 2) == 0.30
    assert f"{service}/error-lines" in read(options)


def test_the_targets_of_all_policies(aws, steady, options):
    scaling = aws("application-autoscaling")
    key = {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{CLUSTER}/{SERVICE['name']}",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    scaling.register_scalable_target(**key, MinCapacity=2, MaxCapacity=8)
    run("report", **options)
    assert "2 to 8<" in read(options), "without a policy"
    for name, metric, value in (("m", "Memory", 70), ("c", "CPU", 55)):
        scaling.put_scaling_policy(
            **key,
            PolicyName=name,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": value,
                "PredefinedMetricSpecification": {"PredefinedMetricType": f"ECSServiceAverage{metric}Utilization"},
            },
        )
    run("report", **options)
    assert "2 to 8, target 55 % CPU, target 70 % memory" in read(options)


def test_more_alarms_than_are_looked_through_are_told(steady, options, monkeypatch):
    monkeypatch.setattr("ansible_collections.handson.ecs.plugins.modules.report.ALARM_PAGES", 0.02)
    alarms = [{"AlarmName": f"a{n}", "Dimensions": []} for n in range(3)]
    with recorded(DescribeAlarms=lambda *_: {"MetricAlarms": alarms}):
        result = run("report", **options)
    assert [(p["action"], p["cut"]) for p in result["problems"]] == [("cloudwatch:DescribeAlarms", 2)]
    assert "only the first 2 were looked through" in read(options) and "was refused" not in read(options)


def test_another_error_fails(steady, options):
    def broken(_real, _parameters):
        raise ClientError({"Error": {"Code": "ValidationError", "Message": "no"}}, "DescribeAlarms")

    with recorded(DescribeAlarms=broken), pytest.raises(Failed, match="Could not read what the report shows"):
        run("report", **options)


def test_an_empty_account(aws, options):
    result = run("report", **options)
    assert result["services"] == [{"name": SERVICE["name"], "state": "gone"}] and result["month"] == 0
    assert "ansible-playbook site.yml" in read(options)


def test_two_regions_on_one_page(steady, options):
    other = run("report", **{k: v for k, v in options.items() if k != "path"})
    assert not other["changed"] and other["seen"]["region"] == "ap-southeast-1"
    other["seen"].update(region="ap-northeast-2")
    result = run("report", **options, also=[other["seen"]])
    assert len(result["services"]) == 2 and "ap-northeast-2, ap-southeast-1" in read(options)


def test_without_matplotlib(steady, options, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with recorded(GetMetricData=lambda _real, parameters: answer(parameters)):
        result = run("report", **options)
    assert not result["drawn"] and "pip install matplotlib" in read(options)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hours": 0}, "report_hours is 0; it is from 0.25 to 336"),
        ({"hours": 337}, "report_hours is 337"),
        ({"prices": {"t2.medium": "cheap"}}, "report_prices has 'cheap' for 't2.medium'"),
        ({"path": "/proc/nowhere/report.html"}, "Set report_path to a file in a folder"),
    ],
)
def test_mistakes(aws, options, change, said):
    with pytest.raises(Failed, match=said):
        run("report", **{**options, **change})


def test_a_secret_in_the_environment_is_not_on_the_page(aws, steady, options):
    ecs = aws("ecs")
    told = ecs.describe_services(cluster=CLUSTER, services=[SERVICE["name"]])["services"][0]["taskDefinition"]
    container = ecs.describe_task_definition(taskDefinition=told)["taskDefinition"]["containerDefinitions"][0]
    container["environment"] = [{"name": "DB_PASSWORD", "value": "hunter2"}]
    family = told.rpartition("/")[2].split(":")[0]
    made = ecs.register_task_definition(family=family, containerDefinitions=[container])["taskDefinition"]
    ecs.update_service(cluster=CLUSTER, service=SERVICE["name"], taskDefinition=made["taskDefinitionArn"])
    run("report", **options)
    assert "hunter2" not in read(options) and "DB_PASSWORD" not in read(options)
