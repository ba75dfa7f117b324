# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What the container endpoint counts and how it becomes values, without a container."""

from collections import Counter

import pytest
from container_endpoint import metrics, traffic

MINUTE = 1_795_341_840  # a whole one


def stats(cpu, usage, **details):
    return {"cpu_stats": {"cpu_usage": {"total_usage": cpu}}, "memory_stats": {"usage": usage, "stats": details}}


@pytest.mark.parametrize(
    ("found", "memory"),
    [
        (stats(3e9, 50 << 20), 50),
        (stats(3e9, 50 << 20, inactive_file=10 << 20), 40),
        (stats(3e9, 50 << 20, total_inactive_file=20 << 20, inactive_file=1), 30),
        (stats(3e9, 1 << 20, inactive_file=9 << 20), 0),
    ],
)
def test_dockers_statistics(found, memory):
    assert metrics.use(found, 7.0) == metrics.Use(7.0, 3.0, memory)


@pytest.mark.parametrize("found", [{}, stats(0, 5), {"cpu_stats": {"cpu_usage": {"total_usage": 1}}, "memory_stats": {}}])
def test_a_container_that_ended_has_no_values(found):
    assert metrics.use(found, 7.0) is None


def note(meter, at, cpu, memory=10.0, created=MINUTE - 300):
    seen = metrics.Use(at, cpu, memory)
    meter.last = {"one": seen}
    return meter.note({"Id": "one", "Created": created}, seen)


def test_use_is_that_of_the_minute():
    meter = metrics.Meter()
    meter.begin(MINUTE)
    assert note(meter, MINUTE + 60, 36.0) == (pytest.approx(36 / 360 * 1024), 10)  # since it was created
    meter.begin(MINUTE + 60)
    assert note(meter, MINUTE + 80, 56.0, 20) == (1024, 20)  # one processor's time
    assert note(meter, MINUTE + 100, 56.0, 40) == (512, 30)  # half of it since the minute began
    meter.begin(MINUTE + 60)
    assert note(meter, MINUTE + 120, 56.0, 30)[0] == pytest.approx(1024 / 3)
    meter.begin(MINUTE + 120)
    assert note(meter, MINUTE + 180, 56.0, 5) == (0, 5)


def test_a_container_that_has_just_begun_says_nothing():
    meter = metrics.Meter()
    meter.begin(MINUTE)
    assert note(meter, MINUTE + 0.05, 0.04, created=MINUTE) is None
    assert meter.note({"Id": "two", "Created": MINUTE}, None) is None


def test_a_gauge_begins_anew_each_minute():
    meter = metrics.Meter()
    key = ("AWS/ECS", "CPUReservation", ())
    for minute, values in ((MINUTE, [25, 50]), (MINUTE + 60, [75])):
        meter.begin(minute)
        for value in values:
            _, seen = meter.gauge(key, value)
        assert seen == values


def test_values_that_are_counted():
    values = metrics.Values(MINUTE)
    values.count(("AWS/ApplicationELB", "RequestCount", (("LoadBalancer", "app/a/1"),)), 3)
    values.count(("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", ()), 0)
    values.spread(("AWS/ApplicationELB", "TargetResponseTime", ()), "Seconds", Counter({0.1: 3, 0.5: 1}))
    count, times = values.data
    assert (count.sum, count.sample_count, count.min, count.max) == (3, 3, 1, 1)
    assert (times.sum, times.sample_count, times.min, times.max) == (pytest.approx(0.8), 4, 0.1, 0.5)
    assert count.timestamp.second == 0 and count.timestamp.tzinfo is None


@pytest.mark.parametrize(("value", "result"), [(0.0123456, 0.0123), (1.23456, 1.23), (0.0, 0.0), (9.999, 10.0), (12.345, 12.3)])
def test_response_times_have_three_figures(value, result):
    assert traffic.rounded(value) == pytest.approx(result)


def test_requests_are_counted_by_minute(monkeypatch):
    now = [MINUTE + 59.9]
    monkeypatch.setattr(traffic.time, "time", lambda: now[0])
    monkeypatch.setattr(traffic, "_minutes", {})
    traffic.request("balancer", "group", 200, 0.01)
    traffic.request("balancer", "group", 404, 0.02)
    traffic.request("balancer", "other")
    traffic.failure("balancer", 502)
    now[0] += 0.2
    traffic.request("balancer", "group", 200, 0.01)

    def counted(tallies):
        return {group: (t.requests, dict(t.codes), dict(t.failures)) for (_, group), t in tallies.items()}

    first = {
        "group": (2, {"2XX": 1, "4XX": 1}, {}),
        "other": (1, {}, {}),
        None: (3, {"2XX": 1, "4XX": 1}, {"5XX": 1}),
    }
    assert {at: counted(found) for at, found in traffic.until(MINUTE).items()} == {MINUTE: first}
    both = traffic.until(MINUTE + 60)
    assert list(both) == [MINUTE, MINUTE + 60] and both[MINUTE + 60][("balancer", "group")].requests == 1
    assert list(traffic.until(MINUTE + 120)) == [MINUTE + 60] and traffic.until(MINUTE + 120) == {}


def test_dimensions_are_the_ends_of_the_names():
    balancer = "arn:aws:elasticloadbalancing:r:1:loadbalancer/app/a/1"
    group = "arn:aws:elasticloadbalancing:r:1:targetgroup/g/2"
    assert metrics.dimensions(balancer, None) == (("LoadBalancer", "app/a/1"),)
    assert metrics.dimensions(balancer, group) == (("TargetGroup", "targetgroup/g/2"), ("LoadBalancer", "app/a/1"))
