# SPDX-License-Identifier: GPL-3.0-or-later
import os
import stat
import subprocess

import pytest

from ansible_collections.handson.ecs.plugins.module_utils import temporary


@pytest.fixture
def dead():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_only_what_a_dead_process_left_is_removed(tmp_path, dead):
    other = [f"y-{dead}-aaaaaaaa", f"x-{dead}", "x-a-bbbbbbbb", f"x-y-{dead}-aaaaaaaa", f"x-{dead}-aaaaa-bb"]
    # Not made by us: no number of a process, and no eight letters.
    other += [f"x-{'9' * 30}-aaaaaaaa", "x-20240101-aaaaaaaa", f"x-{dead}-before_move"]
    kept = [*other, f"x-{os.getpid()}-aaaaaaaa"]
    gone = [f"x-{dead}-aaaaaa_1", f"x-{dead}-bbbbbbbb"]
    for name in kept + gone[:1]:
        (tmp_path / name).touch()
    (tmp_path / gone[1]).mkdir()
    (tmp_path / gone[1] / "inside").touch()
    assert temporary.left(tmp_path, "x-") == [str(tmp_path / name) for name in gone]
    temporary.remove_left(tmp_path, "x-")
    assert sorted(os.listdir(tmp_path)) == sorted(kept)
    temporary.remove_left(tmp_path, "x-", living=True)
    assert sorted(os.listdir(tmp_path)) == sorted(other)


def test_a_link_goes_and_what_it_leads_to_stays(tmp_path, dead):
    there = tmp_path / "there"
    there.mkdir()
    (there / "inside").touch()
    (tmp_path / f"x-{dead}-aaaaaaaa").symlink_to(there)
    temporary.remove_left(tmp_path, "x-")
    assert os.listdir(tmp_path) == ["there"] and os.listdir(there) == ["inside"]


def test_a_number_that_somebody_elses_process_has_now_is_a_dead_one_of_ours(tmp_path, monkeypatch):
    (tmp_path / "x-1-aaaaaaaa").touch()

    def not_ours(_process, _signal):
        raise PermissionError

    monkeypatch.setattr(temporary.os, "kill", not_ours)
    assert temporary.left(tmp_path, "x-") == [str(tmp_path / "x-1-aaaaaaaa")]


def test_what_is_somebody_elses_stays(tmp_path, dead, monkeypatch):
    (tmp_path / f"x-{dead}-aaaaaaaa").touch()
    monkeypatch.setattr(temporary.os, "getuid", lambda: 4711)
    assert temporary.left(tmp_path, "x-") == [] == temporary.left(tmp_path / "nowhere", "x-")


def test_a_guarded_folder_is_private_and_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(temporary.tempfile, "tempdir", str(tmp_path))
    with temporary.guarded_folder("x-") as (folder, _descriptor):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700 and os.listdir(tmp_path) == [os.path.basename(folder)]
        assert os.path.basename(folder).startswith(f"x-{os.getpid()}-")
        with open(os.path.join(folder, "a b"), "w") as f:
            f.write("secret")
        os.symlink(tmp_path, os.path.join(folder, "link"))
        temporary.remove_left(str(tmp_path), "x-")
        assert os.path.exists(folder)
    assert os.listdir(tmp_path) == []


def test_a_guarded_folder_goes_without_its_guard(tmp_path, monkeypatch):
    monkeypatch.setattr(temporary.tempfile, "tempdir", str(tmp_path))

    def fails(*_arguments, **_options):
        raise OSError("no processes left")

    monkeypatch.setattr(temporary.subprocess, "Popen", fails)
    with pytest.raises(OSError, match="no processes left"), temporary.guarded_folder("x-"):
        raise AssertionError("never without a guard")
    assert os.listdir(tmp_path) == []
