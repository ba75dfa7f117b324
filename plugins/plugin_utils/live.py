# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show a waiting module's progress while it runs."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from typing import Any

from ansible.utils.display import Display

from ansible_collections.handson.ecs.plugins.module_utils import temporary
from ansible_collections.handson.ecs.plugins.plugin_utils.in_worker import InWorkerAction
from ansible_collections.handson.ecs.plugins.plugin_utils.line_by_line import show_line_by_line

display = Display()
# The parent of all workers, which does the printing, loads this file before it starts one.
show_line_by_line()

PREFIX = "handson-progress-"  # followed by the number of the process that reads it


class LiveAction(InWorkerAction):
    """Runs the module of the same name and shows the lines it writes to `progress_file`, as they come.

    Works where module and controller share a file system (connection: local); elsewhere the lines are not shown.
    """

    #: Seconds between two looks at the file.
    INTERVAL = 0.3

    def run_module(self, name: str, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        temporary.remove_left(tempfile.gettempdir(), PREFIX)  # of runs that were killed
        handle, path = tempfile.mkstemp(prefix=temporary.named(PREFIX))  # mode 0600
        os.close(handle)
        stop = threading.Event()
        thread = threading.Thread(
            target=self._follow, args=(path, stop, task_vars.get("inventory_hostname", "")), daemon=True
        )
        thread.start()
        try:
            return super().run_module(name, {**arguments, "progress_file": path}, task_vars)
        finally:
            stop.set()
            thread.join(timeout=5)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def _follow(self, path: str, stop: threading.Event, host: str) -> None:
        with open(path, encoding="utf-8") as f:
            while True:
                last = stop.is_set()  # looked at before reading, so that the last lines are not lost
                for line in f:
                    display.display(f"    {host} | {line.rstrip()}", color="bright gray")
                if last:
                    return
                stop.wait(self.INTERVAL)
