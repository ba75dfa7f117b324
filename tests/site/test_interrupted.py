# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill it anywhere and run it again: nothing doubled, nothing lost, no orphan. And half-built states torn down."""

import random
import re
import time

import pytest
from account import inventory

STAGES = ["network", "load_balancer", "cluster", "image", "task", "service"]


def names(things):
    """Names without what differs from one life to the next: ids, and revisions, which ECS goes on counting."""
    kept = (x for x in things if not x.startswith(("instance ", "volume ")))
    return sorted(re.sub(r"^(task definition .*):\d+$", r"\1", x) for x in kept)


def kill_after(site, seconds, *command):
    """Start a playbook and kill it after so many seconds."""
    end = time.monotonic() + seconds
    site.kill(lambda: time.monotonic() > end, *command)


def test_killed_anywhere_it_goes_on(site):
    start = time.monotonic()
    site.play("site.yml")
    whole, took = inventory(site.aws), time.monotonic() - start
    site.play("teardown.yml", "-e", "teardown_confirm=true")
    moment = random.Random(4)  # the same moments in each run of the tests
    for _ in range(3):
        for _ in range(2):
            kill_after(site, moment.uniform(0.25, 0.95) * took, "site.yml")
        site.play("site.yml")
        there = inventory(site.aws)
        assert names(there) == names(whole)
        assert len(there) == len(whole)
        assert site.play("site.yml").changed == 0
        kill_after(site, moment.uniform(0.3, 0.9) * took, "teardown.yml", "-e", "teardown_confirm=true")
        site.play("teardown.yml", "-e", "teardown_confirm=true")
        assert inventory(site.aws) == []


@pytest.mark.parametrize("upto", range(1, len(STAGES) + 1))
def test_teardown_after_each_stage(site, upto):
    """In one go: the stages so far, teardown, and teardown of what is gone."""
    stages = [f"playbooks/{stage}.yml" for stage in STAGES[:upto]]
    run = site.play(*stages, "teardown.yml", "teardown.yml", "-e", "teardown_confirm=true")
    *made, down, again = run.passes
    assert len(made) == upto and all(made) and down and not again, run.passes
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
        first, second = site.play(*[f"playbooks/teardown_{stage}.yml"] * 2, "-e", "teardown_confirm=true").passes
        assert first and not second, stage
        assert names(inventory(site.aws)) == names(before[-1]), stage
    assert inventory(site.aws) == []
