# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What Molecule's output says of the scenarios: which passed, and what an action failed of."""

from __future__ import annotations

import re

#: A cause is shown at the end of a long log, of which some readers see little: no more lines than these.
MOST_LINES = 15
#: In the output of a run within the run, the lines that say what became of it.
TELLING = re.compile(r"(changed|fatal|failed): \[|ERROR|Fault|\brc: |\bmsg: ")


def plain(text: str) -> str:
    """Without colours, and without the frame that Molecule draws around a playbook's output."""
    return re.sub(r"^ +│ ?", "", re.sub(r"\x1b\[[\d;]*m", "", text), flags=re.MULTILINE)


def results(text: str) -> dict[str, bool]:
    """Each scenario in the table at the end, and whether all of its actions passed.

    Molecule stops at the first that fails: those after it are in no line. `default` is there twice.
    """
    rows = re.findall(r"^(\w+) +: actions=\d+ .* failed=(\d+)", plain(text), re.MULTILINE)
    return {name: all(count == "0" for other, count in rows if other == name) for name, _ in rows}


def causes(text: str) -> list[str]:
    """For each action that failed its scenario, its name and the last failure that its playbook told."""
    found, start = [], 0
    text = plain(text)
    # `scenario ➜ action: …` at a terminal and where colours are forced, `[scenario > action] …` elsewhere.
    for failed in re.finditer(r"^ERROR +\[?(\w+) (?:➜|>) (\w+)(?:\]|:) Executed: Failed", text, re.MULTILINE):
        found.append("\n".join([f"molecule {failed[1]}, {failed[2]}", *last_failure(text[start : failed.start()])]))
        start = failed.end()
    return found


def last_failure(text: str) -> list[str]:
    """The lines of the last failure in a playbook's output, indented, and the task that it is of."""
    failures = list(re.finditer(r"^(fatal|failed): \[", text, re.MULTILINE))
    if not failures:
        lines = [line for line in text.splitlines() if line.strip()][-MOST_LINES:]
    else:
        at = failures[-1].start()
        tasks = re.findall(r"^TASK \[.*\]", text[:at], re.MULTILINE)
        block = re.split(r"^(?:PLAY|TASK|CRITICAL)\b", text[at:], maxsplit=1, flags=re.MULTILINE)[0].splitlines()
        block = [line for line in block if line.strip()]
        if len(block) > MOST_LINES and any(re.match(r"\s+cmd:", line) for line in block):
            block = list(dict.fromkeys(line.strip() for line in block if TELLING.search(line))) or block
        lines = [*tasks[-1:], *block[:MOST_LINES]]
    return [f"    {line[:200]}" for line in lines]
