# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tutorial's charts (section 6) as figures of the page: title, picture, legend. Without values, plain words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, Mapping, Sequence

from ansible_collections.handson.ecs.plugins.module_utils.report import charts
from ansible_collections.handson.ecs.plugins.module_utils.report.charts import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    Line,
)
from ansible_collections.handson.ecs.plugins.module_utils.report.markup import Markup, tag
from ansible_collections.handson.ecs.plugins.module_utils.report.series import highest, last
from ansible_collections.handson.ecs.plugins.module_utils.report.texts import Texts

INSTALL = "make report, or pip install matplotlib"
#: So many periods after its time a value may still be the newest that CloudWatch has.
LATE = 10


@dataclass(frozen=True)
class Frame:
    """What all charts of a page share: from when to when (seconds since 1970), seconds of a value, time zone."""

    start: float
    end: float
    period: int
    zone: tzinfo
    local: bool
    drawable: bool


@dataclass(frozen=True)
class Figure:
    """One chart: key of its title, unit, lines, marks {value: text}, and what to say without values."""

    title: str
    unit: str
    lines: Sequence[Line]
    marks: Mapping[float, str] = field(default_factory=dict)
    whole: bool = False
    empty: str = "no_values"
    note: str = ""


def number(value: float) -> str:
    """Return a value as a person reads it."""
    if value >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}"


def of_service(service: Mapping[str, Any], say: Texts, period: int) -> list[Figure]:
    """Return the charts of a service."""
    had = service["series"]

    def line(key: str, text: str, color: str, style: str = "-", steps: bool = False, sums: bool = False) -> Line:
        return Line(text, had.get(key) or [], color, style, steps, sums)

    scaling = service.get("scaling") or {}
    kept = [t["value"] for t in scaling.get("targets") or [] if t["metric"] == "cpu"]
    marks = {value: say("line_target", value=number(value)) for value in kept}
    counted = bool(had.get("running"))
    tasks = [line("desired", "line_desired", ORANGE, "--", True), line("running", "line_running", BLUE, steps=True)]
    if not counted:
        tasks = [line("healthy", "line_healthy", BLUE, steps=True)]
    if any(value for _at, value in had.get("unhealthy") or []):
        tasks.append(line("unhealthy", "line_unhealthy", RED, ":", True))
    low, high = scaling.get("low"), scaling.get("high")
    between = say("line_bounds", low=low, high=high) if high is not None else ""
    minutes = max(1, period // 60)
    asked = sum(value for _at, value in had.get("requests") or [])
    errors = [
        line("errors", "line_errors", RED, sums=True),
        line("balancer_errors", "line_balancer_errors", PURPLE, sums=True),
    ]
    # CloudWatch writes no value in a minute without a 5xx: with requests and no such value, there was none.
    fine = asked and not any(value for one in errors for _at, value in one.points)
    per = say("per_minutes", minutes=minutes)
    return [
        Figure("service_utilization", say("percent_reserved_of_service"),
               [line("cpu", "cpu", BLUE), line("memory", "memory", ORANGE)], marks),
        Figure("service_tasks", say("count"), tasks, {n: between for n in (low, high) if between}, True,
               note="" if counted else "counting_note"),
        Figure("service_requests", per, [line("requests", "line_requests", BLUE, sums=True)], whole=True),
        Figure("service_latency", say("seconds"),
               [line("latency", "line_p50", BLUE), line("latency_slow", "line_p99", ORANGE)]),
        Figure("service_errors", per, [] if fine else errors, whole=True,
               empty=say("no_errors", requests=number(asked)) if fine else "no_values"),
    ]  # fmt: skip


def of_cluster(cluster: Mapping[str, Any], say: Texts) -> list[Figure]:
    """Return the charts of a cluster. One without instances (Fargate) reserves nothing and has none."""
    had = cluster["series"]
    if not cluster["instances"] and not any(had.values()):
        return []

    def line(key: str, text: str, color: str, style: str = "-", steps: bool = False) -> Line:
        return Line(text, had.get(key) or [], color, style, steps)

    instances = [line("instances_wanted", "line_desired", ORANGE, "--", True),
                 line("instances", "line_instances", GREEN, steps=True)]  # fmt: skip
    if not had.get("instances"):
        instances = [line("instances_counted", "line_counted", GREEN, steps=True)]
    return [
        Figure("cluster_reservation", say("percent_of_cluster"),
               [line("cpu_reservation", "cpu", BLUE), line("memory_reservation", "memory", ORANGE)]),
        Figure("cluster_utilization", say("percent_of_cluster"),
               [line("cpu", "cpu", BLUE), line("memory", "memory", ORANGE)]),
        Figure("cluster_instances", say("count"), instances, whole=True, empty="no_values_group"),
    ]  # fmt: skip


def shown(figure: Figure, frame: Frame, say: Texts, identifier: str) -> Markup:
    """Return a figure as an element."""
    title = say(figure.title)
    drawn = [one for one in figure.lines if one.points]
    if not drawn:
        words = "no_values_local" if frame.local and figure.empty.startswith("no_values") else figure.empty
        text = say(words) if words.startswith("no_values") else words
        return tag("figure", tag("figcaption", title), tag("p", text, class_="none"), class_="chart empty")
    legend = [
        tag("li", tag("i", class_=f"key{' dashed' if one.style != '-' else ''}", style=f"border-color:{one.color}"),
            say(one.key), " ", tag("span", _values(one, frame, say), class_="dim"))
        for one in drawn
    ]  # fmt: skip
    texts = list(dict.fromkeys(figure.marks.values()))
    legend += [tag("li", tag("i", class_="key dotted", style=f"border-color:{GREY}"), text) for text in texts]
    caption = tag("figcaption", title, tag("span", figure.unit, class_="unit"))
    note = tag("p", say(figure.note), class_="dim small") if figure.note else None
    if not frame.drawable:
        newest = ", ".join(f"{say(one.key)} {number(last(one.points) or 0)}" for one in drawn)
        text = say("no_drawing", command=INSTALL, newest=newest)
        return tag("figure", caption, tag("p", text, class_="none"), class_="chart empty")
    marks = {value: GREY for value in figure.marks}
    window = (frame.start, frame.end)
    picture = charts.chart(identifier, drawn, window, frame.period, frame.zone, marks, figure.whole)
    return tag("figure", caption, picture, tag("ul", legend, class_="legend"), note, class_="chart")


def _values(one: Line, frame: Frame, say: Texts) -> str:
    """Return the newest value where it is of now, and the highest; of sums all of them together."""
    newest, most = last(one.points), highest(one.points)
    told = []
    if one.sums:
        told = [say("in_all", value=number(sum(value for _at, value in one.points)))]
    elif newest is not None and frame.end - one.points[-1][0] <= LATE * frame.period:
        told = [say("newest", value=number(newest))]
    if most is not None and (most != newest or not told):
        told.append(say("most", value=number(most)))
    return " · ".join(told)
