# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill it anywhere and run it again: nothing doubled, nothing lost, no orphan. And half-built states torn down."""

import random

import pytest
from account import inventory, without_ids
from site_names import EVERYTHING

CONFIRM = ("-e", "teardown_confirm=true")
#: In an order that AWS accepts; what is torn down goes the other way.
STAGES = ["network", "load_balancer", "cluster", "image", "task", "build", "service", "pipeline", "scaling", "monitoring"]
#: Half-built states: how far the cluster came, and how far the service.
HALVES = [
    ("network", "image"),
    ("network", "load_balancer", "image", "task"),
    ("network", "load_balancer", "cluster", "image", "task", "build"),
    ("image", "task", "build"),
    (*STAGES[:7], "scaling"),
    (*STAGES[:7], "pipeline", "monitoring"),
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


@pytest.mark.parametrize("stages", HALVES, ids=" ".join)
def test_teardown_from_a_half_built_state(site, stages):
    """In one go: these stages, teardown, and teardown of what is gone."""
    run = site.play(*[f"playbooks/{stage}.yml" for stage in stages], "teardown.yml", "teardown.yml", *CONFIRM)
    *made, down, again = run.passes
    assert len(made) == len(stages) and all(made) and down and not again, run.passes
    assert inventory(site.aws) == []


def test_each_stage_has_its_own_teardown(site):
    """Each stage by itself, twice; then each stage's teardown by itself, twice."""
    before = [inventory(site.aws)]
    for stage in STAGES:
        first, second = site.play(*[f"playbooks/{stage}.yml"] * 2).passes
        assert first and not second, stage
        before.append(inventory(site.aws))
    for stage in reversed(STAGES):
        before.pop()
        first, second = site.play(*[f"playbooks/teardown_{stage}.yml"] * 2, *CONFIRM).passes
        assert first and not second, stage
        assert without_ids(inventory(site.aws)) == without_ids(before[-1]), stage
    assert inventory(site.aws) == []
