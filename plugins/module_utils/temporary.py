# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporary files that a killed run does not leave for ever.

Ctrl-C ends a module that runs in Ansible's worker as `kill -9` does: ansible-core gives the signal its default action
and sends it to the worker's process group (executor/process/worker.py, WorkerProcess._term). No `finally`, no `with`
and no handler runs. So temporary files carry the number of their process, by which a later run tells the abandoned
ones; and a folder that holds a secret has a guard, a process outside of that group, which removes it at once.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from typing import Iterator


def named(prefix: str) -> str:
    """Return the beginning of the name of a temporary file of this process, for `tempfile`."""
    return f"{prefix}{os.getpid()}-"


def left(directory: str, prefix: str, living: bool = False) -> list[str]:
    """Return the paths of this user's files and folders `<prefix><process>-<random>` whose process is gone.

    With `living` those of running processes, too. A directory that is not there has none.
    """
    # As `tempfile` makes them: what somebody named after a date is no number of a process with eight letters behind it.
    pattern = re.compile(re.escape(prefix) + r"(\d{1,7})-[a-z0-9_]{8}")
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    found = []
    for name in sorted(names):
        match, path = pattern.fullmatch(name), os.path.join(directory, name)
        with contextlib.suppress(OSError):  # gone in the meantime
            if match and os.lstat(path).st_uid == os.getuid() and (living or not _runs(int(match[1]))):
                found.append(path)
    return found


def remove_left(directory: str, prefix: str, living: bool = False) -> None:
    """Remove what `left` finds. What cannot be removed stays without a word, for the next run."""
    for path in left(directory, prefix, living):
        with contextlib.suppress(OSError):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, PermissionError):  # the second is somebody else's, and what we look at is ours
        return False
    return True


@contextlib.contextmanager
def guarded_folder(prefix: str) -> Iterator[tuple[str, int]]:
    """Make a folder that nobody else can read and that goes at the end, however this process ends.

    Yields the folder and a descriptor. The folder goes as soon as this process and all that inherited the descriptor
    have ended; give it to a process that would write the folder anew (`pass_fds`).
    """
    remove_left(tempfile.gettempdir(), prefix)  # even the guard ends with the machine
    folder = tempfile.mkdtemp(prefix=named(prefix))  # mode 0700
    try:
        # It waits for the end of the pipe, to which nobody writes. No output: who waits for ours must not wait for its.
        guard = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r line; exec rm -rf -- "$0"', folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield folder, guard.stdin.fileno()
        finally:
            guard.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):  # somebody still has the descriptor; the guard stays
                guard.wait(timeout=10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
