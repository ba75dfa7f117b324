# SPDX-License-Identifier: GPL-3.0-or-later
import math

import pytest

from ansible_collections.handson.ecs.plugins.module_utils import task_logs as logs

AWSLOGS = {"awslogs-group": "/ecs/task", "awslogs-stream-prefix": "app"}


@pytest.mark.parametrize(
    "message, shown",
    [
        ("hello\n", "hello"),
        ("\x1b[31mred\x1b[0m\x07", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("two\twords \r", "two\twords"),
        ("반가워요", "반가워요"),
        ("\x1b[2J\x1b[Hgone", "gone"),
    ],
)
def test_clean(message, shown):
    assert logs.clean(message) == shown


@pytest.mark.parametrize(
    "main, shown", [("app", "5f3c0a1b"), (None, "5f3c0a1b"), ("other", "5f3c0a1b app")]
)
def test_label(main, shown):
    assert logs.label("5f3c0a1b22d94", "app", main) == shown


def test_line():
    assert logs.line(1_700_000_000_000, "5f3c", "text\n").endswith(" [5f3c] text")


def test_streams():
    definition = {
        "containerDefinitions": [
            {"name": "web", "logConfiguration": {"logDriver": "awslogs", "options": AWSLOGS}},
            {"name": "fire", "logConfiguration": {"logDriver": "awsfirelens", "options": AWSLOGS}},
            {"name": "unnamed", "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/task"}}},
            {"name": "silent"},
        ]
    }
    assert logs.streams(definition, ["1", "2"]) == [
        logs.Stream("/ecs/task", "app/web/1", "1", "web"),
        logs.Stream("/ecs/task", "app/web/2", "2", "web"),
    ]
    assert logs.streams({}, ["1"]) == []


@pytest.mark.parametrize("name, found", [("a/b/app/web/1", ("1", "web")), ("0123abc", ("0123abc", "")), ("x/1", ("1", ""))])
def test_origin(name, found):
    assert logs.origin(name) == found


class Group:
    """FilterLogEvents over a list of (id, timestamp, message), two events a page."""

    def __init__(self):
        self.events, self.asked = [], []

    def filter_log_events(self, logGroupName, startTime, nextToken="0"):
        self.asked.append(startTime)
        found = [
            {"eventId": i, "timestamp": t, "message": m, "logStreamName": "app/web/5f3c0a1b22"}
            for i, t, m in self.events
            if t >= startTime
        ]
        at = int(nextToken)
        page = {"events": found[at : at + 2]}
        return page | ({"nextToken": str(at + 2)} if len(found) > at + 2 else {})


def messages(lines):
    return [text.rsplit(" ", 1)[-1] for text in lines]


def test_a_group_is_followed_without_gaps_and_repetitions():
    group = Group()
    log = logs.GroupLog(group, "/ecs/task", 100_000, "web")
    group.events = [("a", 90_000, "old"), ("b", 100_000, "one"), ("c", 100_000, "two"), ("d", 101_000, "three")]
    assert messages(log.look(math.inf)) == ["one", "two", "three"]
    assert log.look(math.inf) == []
    group.events += [("e", 100_500, "late"), ("f", 200_000, "four")]
    assert messages(log.look(math.inf)) == ["late", "four"]
    assert log.look(math.inf) == [] and group.asked[-1] == 170_000


def test_a_look_ends_at_its_deadline_and_the_next_one_goes_on():
    group = Group()
    log = logs.GroupLog(group, "/ecs/task", 0, "web")
    group.events = [("a", 1, "one"), ("b", 2, "two"), ("c", 3, "three")]
    assert messages(log.look(0)) == ["one", "two"] and log.cut
    assert messages(log.look(math.inf)) == ["three"] and not log.cut
