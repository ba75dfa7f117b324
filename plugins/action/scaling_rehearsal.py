# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearse how a service scales. See plugins/modules/scaling_rehearsal.py, which documents this action."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.handson.ecs.plugins.action.preflight import ActionModule as Preflight
from ansible_collections.handson.ecs.plugins.action.preflight import plain
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal import findings, inventory, model, report
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.simulation import rehearse
from ansible_collections.handson.ecs.plugins.module_utils.table import table


class ActionModule(Preflight):
    """Reads the inventory as preflight does, and asks nobody: no AWS call, no process."""

    _VALID_ARGS = frozenset(
        {"service", "load", "events", "minutes", "seed", "workload", "cpu_limit", "every", "file", "title"}
    )

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = ActionBase.run(self, tmp, task_vars)
        args = plain(self._task.args)
        try:
            result.update(self._rehearse(args, task_vars or {}))
        except model.Mistake as e:
            raise AnsibleError(str(e)) from e
        return result

    def _rehearse(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        limit = str(args.get("cpu_limit") or "auto")
        if limit not in ("auto", "burst", "hard"):
            raise model.Mistake(f"cpu_limit is {limit!r}; it is one of auto, burst, hard.")
        minutes = _whole(args, "minutes", 120, 1, 1440)
        hosts = self._hosts(task_vars, self._roles(), "all", [])
        name = str(args.get("service") or task_vars.get("inventory_hostname"))
        service = next((h for h in hosts if h.kind == "service" and h.name == name), None)
        if service is None:
            raise model.Mistake(f"service is {name!r}; no host of group services has this name.")
        clusters = {h.name: h for h in hosts if h.kind == "cluster"}
        limited = inventory.limited(service, clusters)
        hard = limited if limit == "auto" else limit == "hard"
        setup = inventory.setup_of(service, clusters, _workload(args.get("workload") or {}), hard)
        loads, events = model.loads(args.get("load") or []), model.events(args.get("events") or [])
        timeline = rehearse(setup, loads, events, minutes, _whole(args, "seed", 1, 0, None))
        title = str(args.get("title") or f"Rehearsal of {name}")
        rows = report.rows(timeline, _whole(args, "every", 5, 1, None))
        warnings = findings.findings(timeline)
        notes = inventory.remarks(service, setup, limited)
        self._show(title, rows, report.log(timeline), warnings, notes)
        last = timeline.minutes[-1]
        return {
            "changed": self._draw(timeline, title, str(args.get("file") or "")),
            "rows": rows,
            "log": report.log(timeline),
            "findings": warnings,
            "notes": notes,
            "tasks_most": max(m.running for m in timeline.minutes),
            "instances_most": max(m.registered for m in timeline.minutes),
            "tasks": last.running,
            "instances": last.registered,
        }

    def _show(
        self, title: str, rows: list[list[str]], log: list[str], warnings: list[str], notes: list[str]
    ) -> None:
        # In one piece, since the hosts of a play print at the same time.
        lines = table(title, rows, ["", *log, *([""] if notes else []), *notes])
        self._display.display("\n".join(["", *lines]))
        if warnings:
            self._display.display("\n".join(f"! {warning}" for warning in warnings), color=C.COLOR_WARN)

    def _draw(self, timeline: Any, title: str, file: str) -> bool:
        """Write the picture where it isn't there already; return whether that changes the file."""
        if not file:
            return False
        path = Path(os.path.expanduser(file))
        form = path.suffix.removeprefix(".").lower()
        if form not in ("svg", "png"):
            raise model.Mistake(f"file is {file!r}; its name ends in .svg or .png.")
        if not report.available():
            self._display.display("No picture: the Python package matplotlib isn't here (pip install matplotlib).")
            return False
        data = report.picture(timeline, title, form=form)
        if path.is_file() and path.read_bytes() == data:
            changed = False
        else:
            changed = True
            if not self._task.check_mode:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        self._display.display(f"Picture: {path}")
        return changed


def _whole(args: dict[str, Any], name: str, default: int, low: int, high: int | None) -> int:
    given = args.get(name)
    if given in (None, ""):
        return default
    try:
        value = int(given)
    except (TypeError, ValueError):
        raise model.Mistake(f"{name} is {given!r}; it is a whole number.") from None
    if value < low or (high is not None and value > high):
        raise model.Mistake(f"{name} is {value}; it is {low} or more" + (f", and {high} at most." if high else "."))
    return value


def _workload(given: dict[str, Any]) -> model.Workload:
    kinds = {f.name: f for f in fields(model.Workload)}
    unknown = sorted(set(given) - set(kinds))
    if unknown:
        raise model.Mistake(f"workload has {', '.join(unknown)}; known are {', '.join(kinds)}.")
    values = {}
    for name, value in given.items():
        try:
            values[name] = type(kinds[name].default)(float(value))
        except (TypeError, ValueError):
            raise model.Mistake(f"workload.{name} is {value!r}; it is a number.") from None
        if values[name] < 0 or (name == "request_cpu" and values[name] == 0):
            raise model.Mistake(f"workload.{name} is {value!r}; it is above 0.")
    return model.Workload(**values)
