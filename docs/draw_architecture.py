# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw docs/architecture.svg from docs/architecture.toml. Needs nothing but Python 3.11.

    python docs/draw_architecture.py            # writes the picture
    python docs/draw_architecture.py --check    # fails where the picture is not what the source gives

The source holds frames, boxes and arrows with their places in pixels. An arrow goes from a side of one box to a side of
another, through the points of `via`. The picture carries its own background, so it reads on light and dark pages.
"""

from __future__ import annotations

import sys
import tomllib
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE, PICTURE = HERE / "architecture.toml", HERE / "architecture.svg"

STYLE = """
    .page { fill: #ffffff; stroke: #d0d7de; }
    .frame { fill: #f6f8fa; stroke: #afb8c1; stroke-dasharray: 5 4; }
    .plain { fill: #ffffff; stroke: #8c959f; }
    .want { fill: #fff8e6; stroke: #bf8700; }
    .order { fill: #e8f2ff; stroke: #0969da; }
    .role { fill: #eefbea; stroke: #1a7f37; }
    .thing { fill: #fff1ea; stroke: #bc4c00; }
    text { font-family: -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; fill: #1f2328; }
    .title { font-size: 14px; font-weight: 600; }
    .line { font-size: 12.5px; }
    .label, .note { font-size: 12px; fill: #57606a; }
    .arrow { fill: none; stroke: #57606a; stroke-width: 1.5; }
    .head { fill: #57606a; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117; stroke: #30363d; }
      .frame { fill: #161b22; stroke: #484f58; }
      .plain { fill: #0d1117; stroke: #6e7681; }
      .want { fill: #2e2410; stroke: #bb8009; }
      .order { fill: #0f2440; stroke: #4493f8; }
      .role { fill: #102b19; stroke: #3fb950; }
      .thing { fill: #33180c; stroke: #db6d28; }
      text { fill: #e6edf3; }
      .label, .note { fill: #9198a1; }
      .arrow { stroke: #9198a1; }
      .head { fill: #9198a1; }
    }
"""

HEAD = (
    '<marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0 L8 4 L0 8 z" class="head"/></marker>'
)


def text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return f'  <text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def box(b: dict) -> list[str]:
    """Draw a box: its title and lines below each other, from the top in a frame, else in the middle."""
    kind = b.get("kind", "plain")
    drawn = [f'  <rect x="{b["x"]}" y="{b["y"]}" width="{b["w"]}" height="{b["h"]}" rx="6" class="{kind}"/>']
    lines = b.get("lines", [])
    y = b["y"] + 20 if b.get("kind") == "frame" else b["y"] + b["h"] / 2 + 4.5 - len(lines) * 8.5
    if b.get("title"):
        drawn.append(text(b.get("title_x", b["x"] + 12), y, b["title"], "title"))
        y += 17
    for line in lines:
        drawn.append(text(b["x"] + 12, y, line, "line"))
        y += 17
    return drawn


def place(boxes: dict[str, dict], end: str) -> tuple[float, float]:
    """Return the point that `end` names: the middle of a side (`a.left`), or moved along it (`a.left+20`)."""
    name, side = end.rsplit(".", 1)
    shift = 0.0
    for sign in "+-":
        if sign in side:
            side, number = side.split(sign)
            shift = float(sign + number)
    b = boxes[name]
    middle_x, middle_y = b["x"] + b["w"] / 2, b["y"] + b["h"] / 2
    return {
        "left": (b["x"], middle_y + shift),
        "right": (b["x"] + b["w"], middle_y + shift),
        "top": (middle_x + shift, b["y"]),
        "bottom": (middle_x + shift, b["y"] + b["h"]),
    }[side]


def arrow(boxes: dict[str, dict], a: dict) -> list[str]:
    points = [place(boxes, a["from"]), *map(tuple, a.get("via", [])), place(boxes, a["to"])]
    path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
    drawn = [f'  <path d="{path}" class="arrow" marker-end="url(#head)"/>']
    if a.get("label"):
        x, y = a["at"]
        drawn.append(text(x, y, a["label"], "label", a.get("anchor", "start")))
    return drawn


def draw(source: str) -> str:
    """Return the SVG of a source text."""
    picture = tomllib.loads(source)
    width, height = picture["width"], picture["height"]
    size = f'width="{width}" height="{height}"'
    boxes = {b["id"]: b for b in picture["box"]}
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}" role="img">',
        f"  <title>{escape(picture['title'])}</title>",
        "  <!-- Made by docs/draw_architecture.py from docs/architecture.toml: change that. -->",
        f"  <style>{STYLE}  </style>",
        f"  <defs>{HEAD}</defs>",
        f'  <rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" class="page"/>',
    ]
    for b in picture["box"]:
        svg += box(b)
    for a in picture.get("arrow", []):
        svg += arrow(boxes, a)
    for n in picture.get("note", []):
        svg.append(text(*n["at"], n["text"], "note", n.get("anchor", "start")))
    return "\n".join([*svg, "</svg>", ""])


def main() -> int:
    drawn = draw(SOURCE.read_text(encoding="utf-8"))
    if "--check" in sys.argv[1:]:
        if drawn != PICTURE.read_text(encoding="utf-8"):
            print(
                f"{PICTURE.name} is not what {SOURCE.name} gives: run python docs/draw_architecture.py", file=sys.stderr
            )
            return 1
        return 0
    PICTURE.write_text(drawn, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
