# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the plots of scaling-rehearsal.md. After a change of the model: python docs/draw_scaling_rehearsal.py

Needs matplotlib. What the tutorial says is written beside the curves.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import conftest  # noqa: E402, F401  (makes the checkout importable)
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal import report  # noqa: E402
from unit.module_utils.rehearsal import courses  # noqa: E402

PLOTS = {
    "scaling-rehearsal-7-1": (
        courses.section_7_1,
        "Section 7.1: 10000 requests, 5 at once",
        [(30, "tasks", "tutorial: 8, above 55 %"), (84, "tasks", "tutorial: 10"), (136, "tasks", "tutorial: 5"),
         (75, "instances", "tutorial: 3, by hand")],
    ),
    "scaling-rehearsal-7-2": (
        courses.section_7_2,
        "Section 7.2: 6 at once for 36 minutes",
        [(33, "tasks", "tutorial: 13"), (90, "tasks", "tutorial: 2"), (33, "instances", "tutorial: 4"),
         (59, "instances", "tutorial: first gone after 15 minutes"), (80, "instances", "tutorial: 2")],
    ),
}  # fmt: skip


def main() -> None:
    form = sys.argv[1] if len(sys.argv) > 1 else "svg"
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs"
    for name, (course, title, marks) in PLOTS.items():
        (folder / f"{name}.{form}").write_bytes(report.picture(course(), title, marks, form))


if __name__ == "__main__":
    main()
