# SPDX-License-Identifier: GPL-3.0-or-later
import re

import pytest
from unit.module_utils.report.example import instance, seen, service

from ansible_collections.handson.ecs.plugins.module_utils.report import topology
from ansible_collections.handson.ecs.plugins.module_utils.report.texts import Texts

SAY = Texts("en")


@pytest.mark.parametrize(
    ("text", "room", "shown"),
    [("short", 100, "short"), ("a-very-long-name-of-a-service", 60, "a-ve…ice"), ("가나다라마바사", 60, "가나…사"), ("", 5, "")],
)
def test_long_names_keep_both_ends(text, room, shown):
    assert topology.fit(text, room, 12) == shown


@pytest.mark.parametrize("draw", [topology.wide, topology.narrow])
def test_each_thing_is_drawn(draw):
    found = seen()
    svg = draw(found["clusters"][0], found["load_balancers"], SAY)
    for text in ("Internet", "petclinic-rest-alb", "petclinic-rest-target", "HTTP:80 · all other paths", "2 of 2 healthy",
                 "petclinic-rest-service", "i-a", "i-b", "ap-southeast-1a", "1 task"):  # fmt: skip
        assert text in svg, text
    assert svg.count('rx="3"') == 2, "a square for each task"


@pytest.mark.parametrize("draw", [topology.wide, topology.narrow])
def test_nothing_stands_outside_or_on_another(draw):
    found = seen()
    services = [service(name=f"s{i}") for i in range(9)]
    cluster = found["clusters"][0] | {"services": services, "instances": [instance(z) for z in "abc"]}
    svg = draw(cluster, found["load_balancers"], SAY)
    wide, high = (float(n) for n in re.search(r'viewBox="0 0 (\d+) (\d+)"', svg).groups())
    cards = [tuple(float(n) for n in m) for m in re.findall(
        r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" rx="7"', svg)]  # fmt: skip
    assert len(cards) >= 2 * 9 + 3 + 2
    for x, y, w, h in cards:
        assert 0 <= x and x + w <= wide and 0 <= y and y + h <= high
    for i, (x, y, w, h) in enumerate(cards):
        for x2, y2, w2, h2 in cards[i + 1 :]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y, "two cards overlap"


def test_states_of_instances():
    cluster = seen()["clusters"][0] | {"instances": [instance("a") | {"status": "DRAINING"}, instance("b") | {"connected": False}]}
    svg = topology.wide(cluster, [], SAY)
    assert "draining · 1 task" in svg and "agent not connected · 1 task" in svg
