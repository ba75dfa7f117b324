# SPDX-License-Identifier: GPL-3.0-or-later
"""Append one JSON line for each task result to the file that HANDSON_RECORD names, for the tests to read."""

from __future__ import annotations

import json
import os

from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: record
type: notification
short_description: Record results for the tests
description: Appends one JSON line for each task result.
"""


def append(line):
    with open(os.environ["HANDSON_RECORD"], "a", encoding="utf-8") as f:
        f.write(json.dumps(line, default=str) + "\n")


def count_processes():
    """Record each module that Ansible runs in a process of its own. Workers are forks, so they inherit the wrapper."""
    original = ActionBase._execute_module

    def counted(self, *args, **kwargs):
        append({"process": kwargs.get("module_name") or self._task.action})
        return original(self, *args, **kwargs)

    ActionBase._execute_module = counted


count_processes()


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "record"

    def _record(self, result, status):
        answer = result.result if hasattr(result, "result") else result._result
        task = result.task if hasattr(result, "task") else result._task
        host = result.host if hasattr(result, "host") else result._host
        line = {
            "host": host.get_name(),
            "task": task.get_name(),
            "action": task.action,
            "status": status,
            "changed": bool(answer.get("changed")),
            "msg": str(answer.get("msg", "")),
            "things": [d["after_header"] for d in self._diffs(answer) if d.get("after_header")],
            "diffs": [{"before": d.get("before"), "after": d.get("after")} for d in self._diffs(answer)],
        }
        append(line)

    def _diffs(self, answer):
        """The diffs of what changed: of each item of a loop, or of the task."""
        diffs = []
        for part in answer.get("results") or [answer]:
            if isinstance(part, dict) and part.get("changed"):
                diff = part.get("diff") or []
                diffs += diff if isinstance(diff, list) else [diff]
        return diffs

    def v2_runner_on_ok(self, result):
        self._record(result, "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._record(result, "failed")
