# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils.report.costs import HOURS, PRICES, amounts, items, total

TUTORIAL = {
    "clusters": [
        {
            "instances": [
                {"type": "t2.medium", "public_ip": True, "volumes": [{"type": "gp3", "size": 30}]},
                {"type": "t2.medium", "public_ip": True, "volumes": [{"type": "gp3", "size": 30}]},
            ],
            "services": [{"missing": True}, {"launch_type": "EC2", "running": 2, "task": {"cpu": 512, "memory": 1024}}],
        }
    ],
    "load_balancers": [{"scheme": "internet-facing", "zones": 2}, {"scheme": "internal", "zones": 2}],
    "alarms": [{}, {}],
}


def test_what_the_tutorial_has():
    assert amounts(TUTORIAL) == {
        "t2.medium": 2, "gp3 GB": 60, "public IPv4 address": 4, "load balancer": 2, "alarm": 2
    }  # fmt: skip


def test_alarms_are_counted_by_their_metrics_and_monitoring_by_the_instance():
    machine = {"type": "t2.medium", "monitored": True}
    seen = {"clusters": [{"instances": [machine, machine | {"monitored": False}], "services": []}], "load_balancers": []}
    found = {k: v for k, v in amounts(seen | {"alarms": [{"metrics": 2}, {"metrics": 1}, {}]}).items() if v}
    assert found == {"t2.medium": 2, "detailed monitoring": 1, "alarm": 4}


def test_fargate_is_counted_by_what_runs():
    task = {"cpu": 512, "memory": 1024}
    service = {"launch_type": "FARGATE", "running": 3, "task": task, "public_ip": True}
    seen = {"clusters": [{"instances": [], "services": [service]}], "load_balancers": []}
    assert {k: v for k, v in amounts(seen).items() if v} == {
        "Fargate vCPU": 1.5, "Fargate GB": 3, "public IPv4 address": 3
    }  # fmt: skip


@pytest.mark.parametrize(
    ("what", "amount", "month"),
    [
        ("t2.medium", 2, 2 * 0.0584 * HOURS),
        ("gp3 GB", 60, 60 * 0.096),
        ("Fargate GB", 2, 2 * 0.00553 * HOURS),
        ("alarm", 10, 1.0),
        ("detailed monitoring", 2, 4.2),
        ("load balancer", 1, 0.0252 * HOURS),
    ],
)
def test_hours_and_months(what, amount, month):
    assert [i.month for i in items({what: amount}, "ap-southeast-1")] == [pytest.approx(month)]


def test_what_has_no_price_is_told_and_not_guessed():
    found = items({"x9.huge": 1, "t2.medium": 1}, "ap-southeast-1")
    assert [i.month is None for i in found] == [True, False]
    assert total(found) == pytest.approx(0.0584 * HOURS)
    assert all(i.price is None for i in items(amounts(TUTORIAL), "eu-west-1"))


def test_own_prices_go_first():
    found = items({"t2.medium": 1, "x9.huge": 1}, "ap-southeast-1", {"t2.medium": "0.05", "x9.huge": 2})
    assert [i.price for i in found] == [0.05, 2.0]


def test_sizes_of_a_family_double():
    prices = PRICES["ap-southeast-1"]
    for small, large in (("t2.medium", "t2.large"), ("t3.small", "t3.medium"), ("t4g.medium", "t4g.large"), ("m5.large", "m5.xlarge")):
        assert prices[large] == pytest.approx(2 * prices[small])
