# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.queueing import EXACT, closed, opened

TWO = ((0.5, 2.0), (0.5, 2.0))


@pytest.mark.parametrize(
    ("concurrency", "cpu", "wait", "stations", "rate"),
    [
        (0, 1, 1, TWO, 0),
        (3, 1, 1, (), 0),
        (1, 1.6, 1.4, TWO, 1 / 3),  # alone, it takes its own time
        (2, 1, 0, ((1.0, 2.0),), 2),  # two on two processors don't meet
        (4, 1, 0, ((1.0, 2.0),), 2),  # four share them
        # Two requests on two single processors at random: they meet every third time (N / (N + K - 1) of them busy).
        (2, 1, 0, ((0.5, 1.0), (0.5, 1.0)), 4 / 3),
        (2, 1, 1, ((1.0, 1.0),), 0.8),  # the machine repairman with two machines: 4 / 5
        (10 * EXACT, 1, 1, TWO, 4),
    ],
)
def test_closed(concurrency, cpu, wait, stations, rate):
    assert closed(concurrency, cpu, wait, stations) == pytest.approx(rate)


@pytest.mark.parametrize("wait", [0.0, 0.3, 2.0])
def test_throughput_grows_with_requests_and_stays_below_its_bounds(wait):
    last = 0.0
    for n in range(1, EXACT + 3):
        rate = closed(n, 1.6, wait, TWO)
        assert last - 1e-9 <= rate <= min(n / (1.6 + wait), 4 / 1.6) + 1e-9
        last = rate


def test_more_instances_never_answer_less():
    rates = [closed(6, 1.6, 1.25, tuple([(1 / n, 2.0)] * n)) for n in range(1, 9)]
    assert rates == sorted(rates)


def test_an_open_load_is_bounded_by_each_station():
    assert opened(1, 1, TWO) == 1
    assert opened(9, 1, TWO) == 4
    assert opened(4, 1, ((0.9, 2.0), (0.1, 2.0))) == pytest.approx(2.4)
