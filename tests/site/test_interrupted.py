# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill it anywhere and run it again: nothing doubled, nothing lost, no orphan. And half-built states torn down."""

import random

import pytest
from account import inventory, without_ids
from site_names import EVERYTHING

CONFIRM = ("-e", "teardown_confirm=true")
#: In an order that AWS accepts; what is torn down goes the other way. In one line what has nothing to do with each other.
STAGES = [
    ("network", "image"),
    ("load_balancer", "task"),
    ("cluster", "build"),
    ("service",),
    ("pipeline",),
    ("scaling",),
    ("monitoring",),
]


def ever_further(site, *command):
    """Start a playbook again and again and kill it after some more writes, until one ends by itself; how often killed.

    So there is no stretch of it in which it is not killed.
    """
    steps = random.Random(4)  # the same in each run of the tests
    for kills in range(20):
        end = site.writes() + steps.randint(10, 16)
        if not site.kill(lambda: site.writes() >= end, *command):  # noqa: B023
            return kills
    raise AssertionError("it makes the same again and again")


def test_killed_anywhere_it_goes_on(site):
    kills = ever_further(site, "site.yml")
    assert kills >= 4
    again = site.play("site.yml")
    assert again.changed == 0, again.changes
    assert without_ids(inventory(site.aws)) == EVERYTHING
    kills = ever_further(site, "teardown.yml", *CONFIRM)
    assert kills >= 3
    site.play("teardown.yml", *CONFIRM)
    assert inventory(site.aws) == []


@pytest.mark.parametrize("writes", [6, 20, 34, 48, 62])
def test_teardown_from_wherever_it_was_killed(site, writes):
    """And in the same go once more, of what is gone."""
    start = site.writes()
    assert site.kill(lambda: site.writes() >= start + writes, "site.yml"), "it was done before that"
    down, again = site.play("teardown.yml", "teardown.yml", *CONFIRM).passes
    assert down and not again
    assert inventory(site.aws) == []


def test_teardown_of_what_never_had_a_cluster(site):
    *made, down, again = site.play(*of("", "image", "task", "build"), "teardown.yml", "teardown.yml", *CONFIRM).passes
    assert all(made) and down and not again
    assert inventory(site.aws) == []


def of(what, *stages):
    return [f"playbooks/{what}{stage}.yml" for stage in stages]


def test_each_stage_has_its_own_teardown(site):
    """Each stage by itself, twice; then each stage's teardown by itself, twice."""
    before = [inventory(site.aws)]
    for stages in STAGES:
        passes = site.play(*of("", *stages), *of("", *stages)).passes
        assert all(passes[: len(stages)]) and not any(passes[len(stages) :]), stages
        before.append(inventory(site.aws))
    assert without_ids(before[-1]) == EVERYTHING
    for stages in reversed(STAGES):
        before.pop()
        passes = site.play(*of("teardown_", *stages), *of("teardown_", *stages), *CONFIRM).passes
        assert all(passes[: len(stages)]) and not any(passes[len(stages) :]), stages
        assert without_ids(inventory(site.aws)) == without_ids(before[-1]), stages
    assert inventory(site.aws) == []
