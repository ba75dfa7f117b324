# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what happens while a module waits.

A module's output is shown only when it ends. So it appends lines to a file, and the action plugin of the same name
shows each as it comes (plugins/plugin_utils/live.py). Without the action plugin nothing is written and nothing lost.
"""

from __future__ import annotations


class Progress:
    """Lines for the person who waits. `path` is the option `progress_file`; None keeps quiet."""

    def __init__(self, path: str | None) -> None:
        self._path = path

    def say(self, line: str) -> None:
        """Show one line. A file that can't be written is no reason to fail a deployment."""
        if not self._path:
            return
        try:
            with open(self._path, "a", encoding="utf-8") as f:
                f.write(line.rstrip("\n") + "\n")
        except OSError:
            self._path = None
