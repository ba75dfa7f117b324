# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a table for a terminal."""

from __future__ import annotations

import unicodedata


def width(text: str) -> int:
    """Return how many columns a text takes: a Hangul or Han character takes two (Unicode East Asian Width).

    Composed first, since a decomposed syllable is shown in the two columns of a composed one; accents take none.
    """
    composed = unicodedata.normalize("NFC", text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in composed)


def table(title: str, rows: list[list[str]], notes: list[str] | None = None) -> list[str]:
    """Return the lines of a table with a title over it and notes under it. Columns are as wide as they must be."""
    columns = max((len(r) for r in rows), default=0)
    widths = [max((width(r[i]) for r in rows if i < len(r)), default=0) for i in range(columns)]
    body = [
        "  " + "  ".join(cell + " " * (widths[i] - width(cell)) for i, cell in enumerate(row)).rstrip() for row in rows
    ]
    rule = "-" * max([width(title), *map(width, body)])
    return [title, rule, *body, rule, *(notes or [])]
