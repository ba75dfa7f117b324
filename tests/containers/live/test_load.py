# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Load on the stress path, and what the charts show of it (tutorial section 7.1).

Before test_rollouts, which ends with the teardown. The services are at v1 and steady, and stay so.
"""

import shutil
import time
from datetime import UTC, datetime, timedelta

import pytest
from containers.load import until
from containers.product import CLUSTER

SERVICE, REQUESTS = "roll-wide", 600
PATH = "/test/stress?numbers=300000"  # a thirtieth of the tutorial's sum

pytestmark = pytest.mark.skipif(not shutil.which("ab"), reason="needs ab (apt install apache2-utils)")


class Charts:
    """Asks CloudWatch for a metric of the last ten minutes."""

    def __init__(self, product):
        self.cloudwatch, elbv2 = product.aws("cloudwatch"), product.aws("elbv2")
        (balancer,) = elbv2.describe_load_balancers()["LoadBalancers"]
        service = product.service(SERVICE)
        self.of_cluster = {"ClusterName": CLUSTER}
        self.of_service = {**self.of_cluster, "ServiceName": SERVICE}
        self.of_balancer = {"LoadBalancer": balancer["LoadBalancerArn"].split(":loadbalancer/")[1]}
        self.of_targets = {**self.of_balancer, "TargetGroup": service["loadBalancers"][0]["targetGroupArn"].split(":")[-1]}

    def __call__(self, metric, stat, dimensions):
        """{minute: value}."""
        now = datetime.now(UTC)
        asked = {
            "Namespace": "AWS/ApplicationELB" if "LoadBalancer" in dimensions else "AWS/ECS",
            "MetricName": metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        }
        (found,) = self.cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "m", "MetricStat": {"Metric": asked, "Period": 60, "Stat": stat}}],
            StartTime=now - timedelta(minutes=10),
            EndTime=now,
        )["MetricDataResults"]
        return dict(zip(found["Timestamps"], found["Values"], strict=True))

    def total(self, metric, dimensions):
        return sum(self(metric, "Sum", dimensions).values())


@pytest.fixture(scope="module")
def charts(product):
    return Charts(product)


def totals(charts):
    counts = "RequestCount", "HTTPCode_Target_2XX_Count", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count"
    return {(name, len(of)): charts.total(name, of) for name in counts for of in (charts.of_balancer, charts.of_targets)}


def test_load_shows_in_the_charts(product, charts, say):
    time.sleep(5)  # what site.yml asked is counted by now, too
    # Single looks, not averages of a minute: in the one before the containers were started, too, which takes some.
    before, calm = totals(charts), charts("CPUUtilization", "Minimum", charts.of_service)
    begun = datetime.now(UTC).replace(second=0, microsecond=0)
    run = product.play(
        "playbooks/stress.yml",
        "--limit",
        SERVICE,
        service_stress_path=PATH,
        service_stress_requests=REQUESTS,
        service_stress_seconds=90,
    )
    assert f"200: {REQUESTS}" in run.text and "evaluates no alarms" in run.text, run.text[-3000:]
    say(f"{REQUESTS} requests: {next(line for line in run.text.splitlines() if ' requests in ' in line).split('|')[1].strip()}")

    until(lambda: totals(charts)[("RequestCount", 1)] >= before[("RequestCount", 1)] + REQUESTS, 10, "the count")
    after = totals(charts)
    sent = {key: after[key] - before[key] for key in after}
    say(f"as the charts count them: {sent[('RequestCount', 2)]:.0f}, good {sent[('HTTPCode_Target_2XX_Count', 2)]:.0f}")
    assert sent == {
        (name, number): REQUESTS if name in ("RequestCount", "HTTPCode_Target_2XX_Count") else 0
        for name in ("RequestCount", "HTTPCode_Target_2XX_Count", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count")
        for number in (1, 2)
    }

    busy = {at: value for at, value in charts("CPUUtilization", "Maximum", charts.of_service).items() if at >= begun}
    calmest, busiest = min(calm.values()), max(busy.values())
    whole = charts("CPUUtilization", "Average", charts.of_cluster)
    say(f"CPU utilization of the service: {calmest:.1f} % before, {busiest:.1f} % under load; cluster {max(whole.values()):.1f} %")
    assert busiest > calmest + 5

    half, last = (max(charts("TargetResponseTime", p, charts.of_targets).values()) for p in ("p50", "p99"))
    say(f"response time: p50 {half * 1000:.0f} ms, p99 {last * 1000:.0f} ms")
    assert 0 < half <= last


def test_the_charts_are_arithmetic_over_what_runs(product, charts, say):
    """Against what the API tells of tasks and instances."""
    ecs = product.aws("ecs")
    tasks = ecs.describe_tasks(cluster=CLUSTER, tasks=ecs.list_tasks(cluster=CLUSTER)["taskArns"])["tasks"]
    arns = ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"]
    instances = ecs.describe_container_instances(cluster=CLUSTER, containerInstances=arns)["containerInstances"]
    for name, metric in (("CPU", "CPUReservation"), ("MEMORY", "MemoryReservation")):
        left, registered = (
            sum(r["integerValue"] for i in instances for r in i[kind] if r["name"] == name)
            for kind in ("remainingResources", "registeredResources")
        )
        found = charts(metric, "Average", charts.of_cluster)
        say(f"{metric}: {found[max(found)]:.1f} % ({registered - left} of {registered})")
        assert found[max(found)] == pytest.approx((registered - left) / registered * 100)
    samples = charts("CPUUtilization", "SampleCount", charts.of_service)
    assert samples[max(samples)] == len([task for task in tasks if task["group"] == f"service:{SERVICE}"]) == 2
    memory = charts("MemoryUtilization", "Average", charts.of_service)
    assert 0 < memory[max(memory)] < 100
    assert set(charts("HealthyHostCount", "Minimum", charts.of_targets).values()) <= {0, 1, 2}
    assert charts("HealthyHostCount", "Maximum", charts.of_targets)[max(samples)] == 2
