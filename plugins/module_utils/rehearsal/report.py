# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A timeline as lines of a table, and as a picture."""

from __future__ import annotations

import io
from typing import Any, Iterable

from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.simulation import Timeline

#: Where the CPU's axis ends, in percent: what is around the target is what there is to see.
CPU_TOP = 120
HEAD = ["minute", "load", "answered/s", "latency", "CPU", "tasks", "instances", "their CPU", "alarms"]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} %"


def rows(timeline: Timeline, every: int = 5) -> list[list[str]]:
    """Return the rows of the table: each `every` minutes, and wherever a count changed."""
    found, last = [HEAD], None
    for row in timeline.minutes:
        counts = (row.desired, row.running, row.instances, row.registered, bool(row.offered or row.at_once))
        if row.minute % every and counts == last:
            continue
        last = counts
        load = f"{row.at_once} at once" if row.at_once else f"{row.offered:.1f}/s" if row.offered else "-"
        tasks = str(row.running) if row.running == row.desired else f"{row.running} of {row.desired}"
        instances = str(row.registered)
        if row.registered != row.instances:
            instances = f"{row.registered} of {row.instances}"
        found.append(
            [
                str(row.minute), load, f"{row.answered:.2f}" if row.offered else "-",
                "-" if row.latency is None else f"{row.latency:.1f} s", _percent(row.service_cpu), tasks, instances,
                _percent(row.instance_cpu), ", ".join(row.alarms),
            ]
        )  # fmt: skip
    return found


def log(timeline: Timeline) -> list[str]:
    """Return what happened, a line each."""
    return [f"minute {note.minute:5.1f}  {note.text}" for note in timeline.notes]


def available() -> bool:
    """Return whether matplotlib is there to draw with."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def picture(timeline: Timeline, title: str, marks: Iterable[tuple[float, str, str]] = (), form: str = "svg") -> bytes:
    """Return the plot of a timeline as SVG or PNG; the same timeline gives the same bytes.

    `marks` are (minute, `tasks` or `instances`, text) to write beside the counts. Raises ImportError without
    matplotlib.
    """
    import matplotlib

    settings: dict[str, Any] = {
        "svg.hashsalt": "handson.ecs",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with matplotlib.rc_context(settings):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 8), layout="constrained")
        FigureCanvasAgg(figure)
        load, cpu, tasks, machines = figure.subplots(4, 1, sharex=True, height_ratios=[1, 2, 2, 1.4])
        figure.suptitle(title)
        x = [row.minute for row in timeline.minutes]
        _load(load, timeline, x)
        _cpu(cpu, timeline, x)
        _counts(tasks, x, "tasks", [("desired", [r.desired for r in timeline.minutes], "#d55e00", "--"),
                ("running", [r.running for r in timeline.minutes], "#0072b2", "-"),
                ("maximum", timeline.maximum if timeline.setup.service_policy else [], "#999999", ":")])  # fmt: skip
        _counts(machines, x, "instances", [("wanted", [r.instances for r in timeline.minutes], "#d55e00", "--"),
                ("registered", [r.registered for r in timeline.minutes], "#009e73", "-")])  # fmt: skip
        for minute, where, text in marks:
            axis = tasks if where == "tasks" else machines
            row = timeline.minutes[min(int(minute), len(x) - 1)]
            y = row.running if where == "tasks" else row.registered
            axis.annotate(text, (minute, y), xytext=(6, 16), textcoords="offset points", fontsize=9, color="#222222",
                          ha="left", arrowprops={"arrowstyle": "-", "color": "#888888", "lw": 0.7})  # fmt: skip
        machines.set_xlabel("minutes")
        machines.set_xlim(0, max(1, len(x) - 1))
        out = io.BytesIO()
        figure.savefig(out, format=form, dpi=110, metadata={"Date": None} if form == "svg" else {"Software": None})
    return out.getvalue()


def _load(axis: Any, timeline: Timeline, x: list[int]) -> None:
    axis.fill_between(x, [r.answered for r in timeline.minutes], step="post", color="#56b4e9", alpha=0.6, lw=0)
    axis.step(x, [r.offered for r in timeline.minutes], where="post", color="#444444", lw=1)
    axis.set_ylabel("requests/s")
    axis.set_ylim(bottom=0)


def _cpu(axis: Any, timeline: Timeline, x: list[int]) -> None:
    none = float("nan")
    axis.plot(x, [none if r.service_cpu is None else r.service_cpu for r in timeline.minutes], color="#0072b2",
              label="service")  # fmt: skip
    axis.plot(x, [none if r.instance_cpu is None else r.instance_cpu for r in timeline.minutes], color="#009e73",
              label="instances")  # fmt: skip
    policies = [timeline.setup.service_policy, timeline.setup.group_policy]
    for value in sorted({v for p in policies if p for v in (p.target, p.low)}):
        axis.axhline(value, color="#999999", lw=0.8, ls=":")
        axis.annotate(f"{value:g}", (1, value), xycoords=("axes fraction", "data"), fontsize=8, color="#666666",
                      va="center")  # fmt: skip
    axis.set_ylabel("CPU, %")
    axis.set_ylim(0, CPU_TOP)
    highest = max(timeline.minutes, key=lambda r: r.service_cpu or 0)
    if (highest.service_cpu or 0) > CPU_TOP:
        axis.annotate(f"up to {highest.service_cpu:.0f} %", (highest.minute, CPU_TOP), xytext=(12, -12), fontsize=9,
                      textcoords="offset points", color="#0072b2")  # fmt: skip
    axis.legend(loc="upper right", frameon=False, ncols=2)


def _counts(axis: Any, x: list[int], name: str, lines: list[tuple[str, list[int], str, str]]) -> None:
    for label, values, color, style in lines:
        if values:
            axis.step(x, values, where="post", color=color, ls=style, label=label, lw=1.6)
    axis.set_ylabel(name)
    axis.set_ylim(0, 1.3 * max([1] + [v for _l, values, _c, _s in lines for v in values]))
    axis.yaxis.get_major_locator().set_params(integer=True)
    axis.legend(loc="upper right", frameon=False, ncols=3)
