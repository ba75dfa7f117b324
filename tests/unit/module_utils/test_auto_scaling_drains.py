# SPDX-License-Identifier: GPL-3.0-or-later
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.handson.ecs.plugins.module_utils import auto_scaling_drains as drains

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)


def marked(value, status="DRAINING"):
    return {"status": status, "attributes": [{"name": "ecs.os-type"}, {"name": drains.MARK, "value": value}]}


def test_the_mark_says_until_when():
    assert drains.until(900, NOW) == "2026-03-01T12:17:00Z"


@pytest.mark.parametrize(
    ("found", "left"),
    [
        (marked(drains.until(900, NOW)), False),  # goes on
        (marked(drains.until(900, NOW - timedelta(hours=1))), True),
        (marked(drains.until(900, NOW - timedelta(hours=1)), "ACTIVE"), False),
        (marked("soon"), True),
        ({"status": "DRAINING", "attributes": [{"name": "ecs.os-type"}]}, False),  # a person's
        ({"status": "DRAINING"}, False),
    ],
)
def test_left(found, left):
    assert drains.left(found, NOW) is left
