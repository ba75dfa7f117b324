# SPDX-License-Identifier: GPL-3.0-or-later
import time

import pytest
from modules.aws_calls import operations, recorded
from modules.harness import Failed, run

from ansible_collections.handson.ecs.plugins.modules import ecs_service_logs

GROUP = "/ecs/petclinic-rest-task"
OPTIONS = {"log_group": GROUP, "container": "app", "follow": 0, "interval": 0.05}


@pytest.fixture
def write(aws):
    """Return a function that writes a line of a task's container, some seconds ago."""
    aws("logs").create_log_group(logGroupName=GROUP)
    made = set()

    def write(text, task="0123456789abcdef", container="app", ago=1):
        stream = {"logGroupName": GROUP, "logStreamName": f"petclinic/{container}/{task}"}
        if stream["logStreamName"] not in made:
            aws("logs").create_log_stream(**stream)
        made.add(stream["logStreamName"])
        event = {"timestamp": int((time.time() - ago) * 1000), "message": text}
        aws("logs").put_log_events(**stream, logEvents=[event])

    return write


def test_what_is_there_is_shown_in_order_with_whose_it_is(write, tmp_path):
    progress = tmp_path / "progress"
    write("old", ago=900)
    write("second", ago=20)
    write("first", task="fedcba9876543210", ago=30)
    write("\x1b[32mthird\x1b[0m", container="proxy", ago=10)
    with recorded() as calls:
        result = run("ecs_service_logs", **OPTIONS, progress_file=str(progress))
    assert not result["changed"] and result["count"] == 3 and operations(calls) == ["FilterLogEvents"]
    assert [text.split(" ", 1)[1] for text in result["lines"]] == ["[fedcba98] first", "[01234567] second", "[01234567 proxy] third"]
    assert progress.read_text().splitlines() == result["lines"]


def test_it_follows_for_a_while_and_ends(write, tmp_path):
    write("one")
    looks = []

    def look(real, _parameters):
        looks.append(0)
        if len(looks) == 3:
            write("two", ago=0)
        return real()

    with recorded(FilterLogEvents=look):
        began = time.monotonic()
        result = run("ecs_service_logs", **{**OPTIONS, "follow": 1})
    assert 1 <= time.monotonic() - began < 4 and len(looks) > 3
    assert [text.rsplit(" ", 1)[-1] for text in result["lines"]] == ["one", "two"]


@pytest.mark.parametrize("follow", [0, 1])
def test_a_busy_group_does_not_hold_it(write, tmp_path, monkeypatch, follow):
    """Each page takes its time, and there is always another one."""
    progress, pages = tmp_path / "progress", []
    monkeypatch.setattr(ecs_service_logs, "FIRST", 1)

    def page(_real, _parameters):
        time.sleep(0.1)
        pages.append(0)
        event = {"eventId": str(len(pages)), "timestamp": 10**12, "message": "busy", "logStreamName": "a/app/0123"}
        return {"events": [event], "nextToken": str(len(pages))} if len(pages) < 100 else {"events": []}

    with recorded(FilterLogEvents=page):
        began = time.monotonic()
        result = run("ecs_service_logs", **{**OPTIONS, "follow": follow, "progress_file": str(progress)})
    assert time.monotonic() - began < 4 and 3 < result["count"] == len(pages) < 40
    assert progress.read_text().splitlines()[-1].startswith(f"{GROUP} has more than could be read in time.")


def test_silence_is_said(write, tmp_path):
    progress = tmp_path / "progress"
    assert run("ecs_service_logs", **OPTIONS, since=60, progress_file=str(progress))["lines"] == []
    assert progress.read_text() == f"nothing in {GROUP} in the last 60 s\n"


def test_without_its_group(aws):
    for check in (True, False):
        with pytest.raises(Failed, match="no log group.*playbooks/task.yml"):
            run("ecs_service_logs", check=check, **OPTIONS)
