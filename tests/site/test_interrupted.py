# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill it anywhere and run it again: nothing doubled, nothing lost, no orphan. And half-built states torn down."""

import json
import os
import random
import re
import signal
import subprocess
import time

import pytest
from account import inventory
from conftest import ROOT

STAGES = ["network", "load_balancer", "cluster", "image", "task", "service"]


def names(things):
    """Names without what differs from one life to the next: ids, and revisions, which ECS goes on counting."""
    kept = (x for x in things if not x.startswith(("instance ", "volume ")))
    return sorted(re.sub(r"^(task definition .*):\d+$", r"\1", x) for x in kept)


def kill_after(site, seconds, *command):
    """Start a playbook and kill it, with every process it started, after so many seconds."""
    process = subprocess.Popen(
        site.command(*command),
        cwd=ROOT,
        env={**site.environment, "HANDSON_RECORD": os.devnull},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


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
    for stage in STAGES[:upto]:
        site.play(f"playbooks/{stage}.yml")
    assert site.play(f"playbooks/{stage}.yml").changed == 0
    assert inventory(site.aws)
    site.play("teardown.yml", "-e", "teardown_confirm=true")
    assert inventory(site.aws) == []
    assert site.play("teardown.yml", "-e", "teardown_confirm=true").changed == 0


def test_each_stage_has_its_own_teardown(site):
    before = [inventory(site.aws)]
    for stage in STAGES:
        site.play(f"playbooks/{stage}.yml")
        before.append(inventory(site.aws))
    for stage in reversed(STAGES):
        before.pop()
        down = ("-e", json.dumps({"teardown_confirm": True}))
        assert site.play(f"playbooks/teardown_{stage}.yml", *down).changed
        assert names(inventory(site.aws)) == names(before[-1]), stage
        assert site.play(f"playbooks/teardown_{stage}.yml", *down).changed == 0
    assert inventory(site.aws) == []
