# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print a short table, as lines, whatever the callback does with a task's result. Starts no process."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.handson.ecs.plugins.module_utils.table import table

display = Display()


class ActionModule(ActionBase):
    """Options: see plugins/modules/summary.py, which documents this action."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset({"title", "rows", "notes"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        rows = [[str(cell) for cell in row] for row in self._task.args.get("rows") or []]
        notes = [str(n) for n in self._task.args.get("notes") or [] if n]
        display.display("")
        for line in table(str(self._task.args.get("title") or ""), rows, notes):
            display.display(line)
        return {"changed": False, "rows": rows, "notes": notes}
