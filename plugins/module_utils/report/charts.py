# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Series as charts: matplotlib's SVG, to stand inside a page.

No text but numbers is drawn, so that titles and legends can be in any language and are the page's own. The picture is
made for the width of a phone, where it is read one to one.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from typing import Any, Mapping, Sequence

from ansible_collections.handson.ecs.plugins.module_utils.report.markup import Markup

#: Colours that differ for the colour-blind, too (Okabe and Ito).
BLUE, ORANGE, GREEN, RED, SKY, GREY, PURPLE = (
    "#0072b2", "#d55e00", "#009e73", "#c0152f", "#56b4e9", "#777777", "#8a4f9e",
)  # fmt: skip
SIZE = (5.0, 2.3)


@dataclass(frozen=True)
class Line:
    """One series: [[seconds since 1970, value], …], the key of its name among the texts, colour and style.

    `steps` is for counts that hold until they change. `sums` is for what a load balancer reports only where there is
    some, such as requests: a missing value means none, and so it is drawn.
    """

    key: str
    points: Sequence[Sequence[float]]
    color: str
    style: str = "-"
    steps: bool = False
    sums: bool = False


def available() -> bool:
    """Return whether matplotlib is there to draw with."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def gaps(points: Sequence[Sequence[float]], period: int) -> list[list[float]]:
    """Return the points with a hole wherever a value is missing, so that no line pretends there was one."""
    found: list[list[float]] = []
    for at, value in points:
        if found and at - found[-1][0] > 1.5 * period:
            found.append([found[-1][0] + period, float("nan")])
        found.append([at, value])
    return found


def filled(points: Sequence[Sequence[float]], start: float, end: float, period: int) -> list[list[float]]:
    """Return a value for each period from start to end, 0 where there is none."""
    known = {int((at - start) // period): value for at, value in points}
    return [[start + i * period, known.get(i, 0.0)] for i in range(int((end - start) // period))]


def alone(points: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return the points with holes on both sides, of which no line could be seen."""
    holes = [True, *(value != value for _at, value in points), True]
    return [list(p) for i, p in enumerate(points) if holes[i] and holes[i + 2] and not holes[i + 1]]


def chart(
    name: str,
    lines: Sequence[Line],
    window: tuple[float, float],
    period: int,
    zone: tzinfo = timezone.utc,
    marks: Mapping[float, str] | None = None,
    whole: bool = False,
) -> Markup:
    """Return a chart as an <svg> element; the same values give the same text.

    `window` is (start, end) in seconds since 1970, `marks` are {value: colour} of horizontal lines, `whole` says that
    values are counts. `name` makes the ids inside unlike those of other charts. Raises ImportError without matplotlib.
    """
    import matplotlib

    settings: dict[str, Any] = {
        "svg.hashsalt": name,
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 11,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#888888",
        "xtick.color": "#444444",
        "ytick.color": "#444444",
    }
    with matplotlib.rc_context(settings):
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.dates import AutoDateLocator, DateFormatter
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        figure = Figure(figsize=SIZE, layout="constrained")
        FigureCanvasSVG(figure)
        axis = figure.subplots()
        figure.patch.set_alpha(0)
        axis.patch.set_alpha(0)
        for line in lines:
            if line.sums:
                drawn = filled(line.points, *window, period)
                x = [datetime.fromtimestamp(at, zone) for at, _value in drawn]
                axis.fill_between(x, [value for _at, value in drawn], step="post", color=line.color, alpha=0.75, lw=0.8)
                continue
            drawn = gaps(line.points, period)
            x = [datetime.fromtimestamp(at, zone) for at, _value in drawn]
            style = "steps-post" if line.steps else "default"
            axis.plot(x, [v for _at, v in drawn], color=line.color, ls=line.style, lw=1.8, drawstyle=style)
            lone = alone(drawn)
            if lone:
                x = [datetime.fromtimestamp(at, zone) for at, _value in lone]
                axis.plot(x, [v for _at, v in lone], color=line.color, ls="", marker="o", ms=2.5)
        for value, color in (marks or {}).items():
            axis.axhline(value, color=color, lw=1, ls=":")
        axis.set_xlim(datetime.fromtimestamp(window[0], zone), datetime.fromtimestamp(window[1], zone))
        highest = max([value for line in lines for _at, value in line.points] + list(marks or {}), default=0)
        axis.set_ylim(0, highest * 1.12 or 1)
        axis.yaxis.set_major_locator(MaxNLocator(5, integer=whole))
        axis.xaxis.set_major_locator(AutoDateLocator(tz=zone, minticks=3, maxticks=6))
        long = window[1] - window[0] > 86400
        axis.xaxis.set_major_formatter(DateFormatter("%m-%d" if long else "%H:%M", tz=zone))
        axis.grid(axis="y", color="#dddddd", lw=0.6)
        axis.set_axisbelow(True)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return inline(out.getvalue())


def inline(svg: str) -> Markup:
    """Return matplotlib's file as an element of a page: no prolog, no size but the viewBox, no ids that nobody uses."""
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    head, _, rest = svg.partition(">")
    box = re.search(r'viewBox="([^"]*)"', head)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', rest))
    rest = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", rest)
    # A style element would hold for the whole page; this one says what the attributes say as well.
    rest = re.sub(r"<style\b.*?</style>", "", rest, flags=re.DOTALL)
    rest = rest.replace("xlink:href", "href")
    rest = re.sub(r" font-family: [^;\"]*;", "", rest)  # the page's own
    rest = re.sub(r"\s*\n\s*", " ", rest)
    return Markup(f'<svg viewBox="{box[1] if box else "0 0 360 165"}" aria-hidden="true" fill="none">{rest}')
