# SPDX-License-Identifier: GPL-3.0-or-later
from datetime import datetime, timezone

import pytest
from unit.module_utils.report.example import seen, service

from ansible_collections.handson.ecs.plugins.module_utils.report import series


@pytest.mark.parametrize(("hours", "seconds"), [(0.25, 60), (3, 60), (6, 60), (6.5, 300), (48, 300), (49, 3600), (336, 3600)])
def test_period(hours, seconds):
    assert series.period(hours) == seconds and hours * 3600 / seconds <= 577


def keys(specs):
    return [s[0] for s in specs]


def test_container_insights_is_asked_only_where_it_is_on():
    cluster = seen()["clusters"][0]
    assert "instances_counted" not in keys(series.of_cluster(cluster))
    assert "running" not in keys(series.of_service(cluster, service()))
    on = cluster | {"insights": True}
    assert "instances_counted" in keys(series.of_cluster(on)) and {"running", "desired"} <= set(keys(series.of_service(on, service())))


def test_a_service_without_a_load_balancer():
    assert keys(series.of_service(seen()["clusters"][0], service(target_groups=[]))) == ["cpu", "memory"]


def test_queries_are_what_getmetricdata_takes():
    specs = [(f"c0_{s[0]}", s) for s in series.of_service(seen()["clusters"][0], service())]
    by_id = dict(series.queries(specs, 60))
    assert by_id["c0_latency_slow"] == {
        "Id": "c0_latency_slow",
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/ApplicationELB",
                "MetricName": "TargetResponseTime",
                "Dimensions": [
                    {"Name": "LoadBalancer", "Value": "app/petclinic-rest-alb/1"},
                    {"Name": "TargetGroup", "Value": "targetgroup/petclinic-rest-target/1"},
                ],
            },
            "Period": 60,
            "Stat": "p99",
        },
    }


def test_points_are_sorted():
    early, late = (datetime(2026, 11, 22, h, tzinfo=timezone.utc) for h in (1, 2))
    found = series.points({"Timestamps": [late, early], "Values": [2.0, 1.0]})
    assert [v for _at, v in found] == [1.0, 2.0] and series.last(found) == 2.0 and series.highest(found) == 2.0
    assert series.last([]) is None and series.highest(None) is None
