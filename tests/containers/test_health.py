# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Health checks: how answers count, what is asked, and where requests may go."""

import time

import pytest
from container_endpoint import health
from containers.programs import Target, group

BAD = ("Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]")


@pytest.fixture
def target():
    program = Target()
    yield program
    program.end()


@pytest.fixture(autouse=True)
def addresses(monkeypatch):
    """Where targets answer, of this test alone."""
    found = {}
    monkeypatch.setattr(health, "addresses", found)
    return found


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ("", "initial"),
        ("+", "healthy"),  # one is enough for a new one
        ("-", "initial"),
        ("---", "initial"),  # it may still be starting: interval times threshold have not passed
        ("+-", "healthy"),
        ("+--", "unhealthy"),
        ("+-+-", "healthy"),  # in a row
        ("+--+", "unhealthy"),
        ("+--++", "healthy"),
    ],
)
def test_answers_in_a_row(answers, state):
    check = health.Check(time.monotonic())
    check.initial_seconds = 60
    for answer in answers:
        check.answered(None if answer == "+" else BAD, 2, 2)
    assert check.state == state
    assert (check.code, check.description) == (BAD if state == "unhealthy" else (None, None))


def test_a_new_one_that_never_answers_is_unhealthy_after_its_time():
    check = health.Check(time.monotonic() - 11)
    check.initial_seconds = 10
    check.answered(BAD, 2, 2)
    assert check.state == "initial"  # one failure is not the threshold
    check.answered(BAD, 2, 2)
    assert check.state == "unhealthy"


@pytest.mark.parametrize(
    ("path", "matcher", "error"),
    [
        ("/health", "200", None),
        ("/status/302", "200-399", None),
        ("/status/503", "200", BAD),
        ("/slow", "200", ("Target.Timeout", "Request timed out")),
    ],
)
def test_what_a_check_asks(target, path, matcher, error):
    assert health._error(group(path=path, matcher=matcher), target.address) == error


def test_nobody_listens(target):
    target.end()
    failed = ("Target.FailedHealthChecks", "Health checks failed")
    assert health._error(group(), target.address) == failed
    assert health._error(group(), None) == failed  # its container is not there yet


def test_checks_follow_the_targets(target, addresses):
    records = group(("i-1", 32768))
    addresses["i-1", 32768] = target.address
    health.ask_due([records])
    assert health.state(records, {"Id": "i-1", "Port": 32768}) == "initial"
    deadline = time.monotonic() + 5
    while health.state(records, {"Id": "i-1", "Port": 32768}) != "healthy" and time.monotonic() < deadline:
        time.sleep(0.05)
        health.ask_due([records])
    assert health.state(records, {"Id": "i-1", "Port": 32768}) == "healthy"
    records.targets.clear()
    health.ask_due([records])
    assert health.checks(records) == {}


def test_where_requests_may_go(addresses):
    records = group(("i-1", 1), ("i-1", 2), ("i-2", 3), ("i-2", 4))
    addresses.update({("i-1", 1): "a", ("i-1", 2): "b", ("i-2", 3): "c"})  # the fourth has no container yet
    states = {"i-1:1": "healthy", "i-1:2": "unhealthy", "i-2:4": "healthy"}
    for key, state in states.items():
        health.checks(records)[key] = health.Check(0)
        health.checks(records)[key].state = state
    assert health.usable(records) == ["a"]
    health.checks(records)["i-1:1"].state = "unhealthy"
    assert health.usable(records) == ["a", "b"]  # none is healthy: all are asked, but for the new ones
    assert health.usable(group()) == []
