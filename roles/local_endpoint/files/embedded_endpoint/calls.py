# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Totals of the request log."""

import collections
import json
from pathlib import Path
from typing import Any


def count_lines(log: Path) -> int:
    """Number of requests logged so far; 0 when there is no log."""
    try:
        with log.open("rb") as stream:
            return sum(1 for _ in stream)
    except FileNotFoundError:
        return 0


def totals(log: Path, since: int = 0) -> dict[str, Any]:
    """Count the requests after the first `since` lines.

    Returns {"calls": n, "mutating": n, "operations": {"service:Operation": n}}, the most frequent first. A line that
    is just being written is left out.
    """
    operations: collections.Counter[str] = collections.Counter()
    mutating = 0
    try:
        lines = log.read_text(encoding="utf-8").splitlines()[max(since, 0) :]
    except FileNotFoundError:
        lines = []
    for line in lines:
        try:
            entry = json.loads(line)
            operations[f"{entry['service']}:{entry['operation']}"] += 1
            mutating += bool(entry["mutating"])
        except (ValueError, KeyError, TypeError):
            continue
    ordered = dict(sorted(operations.items(), key=lambda item: (-item[1], item[0])))
    return {"calls": sum(ordered.values()), "mutating": mutating, "operations": ordered}


def as_text(result: dict[str, Any]) -> str:
    """The totals as a small table for people."""
    lines = [f"{result['calls']} API calls, {result['mutating']} of them mutating"]
    lines += [f"{count:6d}  {operation}" for operation, count in result["operations"].items()]
    return "\n".join(lines)
