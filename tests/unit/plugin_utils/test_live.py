# SPDX-License-Identifier: GPL-3.0-or-later
import os
import subprocess
import threading
import time

import pytest

from ansible_collections.handson.ecs.plugins.plugin_utils import live

ARGUMENTS = {"name": "s"}


@pytest.fixture
def shown(monkeypatch):
    lines = []
    monkeypatch.setattr(live.display, "display", lambda text, **_options: lines.append(text))
    return lines


@pytest.fixture
def act(monkeypatch):
    """Run the action with this in the module's place."""

    def act(module, **task_vars):
        def run_module(self, name, arguments, task_vars):
            return module(arguments)

        monkeypatch.setattr(live.InWorkerAction, "run_module", run_module)
        this = live.LiveAction.__new__(live.LiveAction)
        this.INTERVAL = 0.01
        return this.run_module("ecs_service", ARGUMENTS, task_vars)

    return act


def say(path, line):
    with open(path, "a", encoding="utf-8") as f:
        f.write(line + "\n")


def test_lines_are_shown_while_the_module_runs(shown, act):
    seen = {}

    def module(arguments):
        seen.update(arguments)
        path = arguments["progress_file"]
        assert os.stat(path).st_mode & 0o777 == 0o600
        say(path, "first")
        deadline = time.monotonic() + 5
        while not shown and time.monotonic() < deadline:
            time.sleep(0.01)
        assert shown == ["    host | first"]  # before the module ended
        say(path, "마지막")
        return {"changed": True}

    assert act(module, inventory_hostname="host") == {"changed": True}
    assert shown == ["    host | first", "    host | 마지막"]  # the last line isn't lost
    assert seen["name"] == "s" and not os.path.exists(seen["progress_file"])
    assert ARGUMENTS == {"name": "s"}


def test_files_of_runs_that_were_killed_are_deleted(shown, act, monkeypatch, tmp_path):
    monkeypatch.setattr(live.tempfile, "tempdir", str(tmp_path))
    gone = subprocess.Popen(["true"])
    gone.wait()
    dead, alive, other = (tmp_path / f"handson-progress-{x}" for x in (f"{gone.pid}-aaaaaaaa", f"{os.getpid()}-bbbbbbbb", "x-cccccccc"))
    for file in (dead, alive, other):
        file.touch()
    act(lambda arguments: {"changed": False})
    assert sorted(tmp_path.iterdir()) == sorted([alive, other])


def test_nothing_is_left_behind_when_the_module_raises(shown, act):
    files = []

    def module(arguments):
        files.append(arguments["progress_file"])
        raise RuntimeError("broken")

    before = threading.active_count()
    with pytest.raises(RuntimeError, match="broken"):
        act(module)
    assert not os.path.exists(files[0]) and threading.active_count() == before
