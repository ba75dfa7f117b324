# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs, drawn: from the internet through the load balancer and its target groups to tasks on instances.

One drawing for a wide screen and for paper, from left to right, and one for a phone, from top to bottom: shrunk, the
wide one could not be read there.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.handson.ecs.plugins.module_utils.report.facts import state_of
from ansible_collections.handson.ecs.plugins.module_utils.report.markup import Markup, tag
from ansible_collections.handson.ecs.plugins.module_utils.report.texts import Texts
from ansible_collections.handson.ecs.plugins.module_utils.table import width

#: Colours of services, apart for the colour-blind, too; they begin anew after the last.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#8a4f9e", "#b8860b", "#56b4e9", "#c0152f", "#555555")
INK, DIM, LINE = "#1d2733", "#5d6b7a", "#a9b4c0"
STATES = {"good": "#177245", "moving": "#b36b00", "bad": "#c0152f", "gone": "#c0152f", "unknown": DIM, "idle": DIM}
#: Heights: of a line of text, and of what is around them in a card.
TEXT, PAD = 17, 10
#: A task's square and the space beside it.
SQUARE = 17
#: Of a letter's size, what its width is on average.
LETTER = 0.56


def fit(text: str, room: float, size: float) -> str:
    """Return the text, cut with … in its middle where it is wider than `room`: both ends of a name matter."""
    most = max(3, int(room / (size * LETTER)))
    if width(text) <= most:
        return text
    head, tail, left = "", "", most - 1
    for index in range(len(text)):
        one = text[index // 2] if index % 2 == 0 else text[-1 - index // 2]
        left -= width(one)
        if left < 0:
            break
        head, tail = (head + one, tail) if index % 2 == 0 else (head, one + tail)
    return f"{head}…{tail}"


class Drawing:
    """Pieces of an SVG, and how far down they reach."""

    def __init__(self, wide: float) -> None:
        self.wide, self.high = wide, 0.0
        self.lines: list[Markup] = []
        self.cards: list[Markup] = []

    def card(
        self,
        x: float,
        y: float,
        w: float,
        texts: Sequence[tuple[str, str]],
        color: str = LINE,
        dot: str = "",
        high: float | None = None,
    ) -> float:
        """Draw a card of lines [(kind: head, name or dim; text)]; return its height."""
        h = len(texts) * TEXT + 2 * PAD - 4 if high is None else high
        parts = [tag("rect", x=x, y=y, width=w, height=h, rx=7, fill="#ffffff", stroke=LINE)]
        if color != LINE:
            parts.append(tag("rect", x=x, y=y + 5, width=4, height=h - 10, fill=color))
        if dot:
            parts.append(tag("circle", cx=x + w - 14, cy=y + 15, r=5, fill=dot))
        for number, (kind, text) in enumerate(texts):
            size, ink, weight = {"head": (11, DIM, None), "name": (13, INK, 600), "dim": (11.5, DIM, None)}[kind]
            room = w - 2 * PAD - (24 if number == 0 and dot else 4)
            shown = fit(text, room, size)
            parts.append(
                tag("text", tag("title", text) if shown != text else None, shown, x=x + PAD + 2,
                    y=y + PAD + 8 + number * TEXT, font_size=size, fill=ink, font_weight=weight)
            )  # fmt: skip
        self.cards.append(tag("g", parts))
        self.high = max(self.high, y + h)
        return h

    def line(self, x1: float, y1: float, x2: float, y2: float, color: str = LINE, down: bool = False) -> None:
        """Draw a curve from one card to another."""
        if down:
            half = (y1 + y2) / 2
            path = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {half:.1f} {x2:.1f} {half:.1f} {x2:.1f} {y2:.1f}"
        else:
            half = (x1 + x2) / 2
            path = f"M{x1:.1f} {y1:.1f}C{half:.1f} {y1:.1f} {half:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
        self.lines.append(tag("path", d=path, stroke=color, stroke_width=1.6, fill="none"))

    def svg(self, label: str, class_: str) -> Markup:
        """Return the element, lines below cards."""
        box = f"0 0 {self.wide:.0f} {self.high + 4:.0f}"
        return tag("svg", tag("title", label), self.lines, self.cards, viewBox=box, role="img", class_=class_)


def colors(services: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the colour of each service by name."""
    return {s["name"]: COLORS[i % len(COLORS)] for i, s in enumerate(services)}


def hosts(cluster: Mapping[str, Any], services: Sequence[Mapping[str, Any]], say: Texts) -> list[dict[str, Any]]:
    """Return what tasks run on: container instances, and Fargate by zone, each {head, name, dims, state, counts}.

    `counts` are [(service, number of its tasks)].
    """
    found = []
    for machine in sorted(cluster["instances"], key=lambda i: (i["zone"] or "", i["id"] or "")):
        told = [machine["type"] or "", f"{machine['cpu']} CPU · {machine['memory']} MiB"]
        state = say("draining") if machine["status"] == "DRAINING" else "" if machine["connected"] else say("no_agent")
        found.append(
            {
                "head": machine["zone"] or say("instance"),
                "name": machine["id"] or machine["arn"].rpartition("/")[2],
                "dims": [t for t in told if t],
                "state": state,
                "counts": [(s["name"], sum(t["instance"] == machine["arn"] for t in s["tasks"])) for s in services],
            }
        )
    zones = sorted({t["zone"] or "" for s in services for t in s["tasks"] if not t["instance"]})
    for zone in zones:
        on = [(s["name"], sum(not t["instance"] and (t["zone"] or "") == zone for t in s["tasks"])) for s in services]
        found.append({"head": zone, "name": say("fargate"), "dims": [], "state": "", "counts": on})
    return found


def _host_texts(host: Mapping[str, Any], say: Texts, apart: bool) -> list[tuple[str, str]]:
    """Return the lines of a host's card; `apart` puts type and size on lines of their own."""
    number = sum(n for _name, n in host["counts"])
    tasks = say("one_task") if number == 1 else say("more_tasks", number=number)
    dims = host["dims"] if apart else [" · ".join(host["dims"])]
    return [
        ("head", host["head"]),
        ("name", host["name"]),
        *(("dim", text) for text in dims if text),
        ("dim", " · ".join(t for t in (host["state"], tasks) if t)),
    ]


def _row(w: float) -> int:
    """Return how many tasks' squares are side by side in a card of this width."""
    return max(1, int((w - 2 * PAD) // SQUARE))


def _host_high(host: Mapping[str, Any], w: float, say: Texts, apart: bool) -> float:
    number = sum(n for _name, n in host["counts"])
    return len(_host_texts(host, say, apart)) * TEXT + 2 * PAD - 4 + -(-number // _row(w)) * SQUARE


def _host(
    drawing: Drawing,
    x: float,
    y: float,
    w: float,
    host: Mapping[str, Any],
    tint: Mapping[str, str],
    say: Texts,
    apart: bool,
) -> float:
    """Draw a host with a square for each of its tasks; return its height."""
    texts = _host_texts(host, say, apart)
    high = _host_high(host, w, say, apart)
    drawing.card(x, y, w, texts, high=high)
    below = y + len(texts) * TEXT + 2 * PAD - 10
    squares = [name for name, number in host["counts"] for _each in range(number)]
    for index, name in enumerate(squares):
        left, top = x + PAD + 2 + index % _row(w) * SQUARE, below + index // _row(w) * SQUARE
        drawing.cards.append(tag("rect", tag("title", name), x=left, y=top, width=13, height=13, rx=3, fill=tint[name]))
    return high


def _ways(balancers: Sequence[Mapping[str, Any]], group: str, say: Texts) -> list[tuple[str, str]]:
    """Return (load balancer's ARN, by which way: port and paths) of what leads to a target group."""
    found = []
    for balancer in balancers:
        for listener in balancer["listeners"]:
            for rule in listener["rules"]:
                if group in rule["target_groups"]:
                    where = ", ".join([*rule["hosts"], *rule["paths"]]) or say("all_paths")
                    found.append((balancer["arn"], f"{listener['protocol']}:{listener['port']} · {where}"))
    return found


def parts(cluster: Mapping[str, Any], balancers: Sequence[Mapping[str, Any]], say: Texts) -> dict[str, Any]:
    """Return what is drawn, in words: load balancers, services with their target groups, and hosts."""
    services = [s for s in cluster["services"] if not s.get("missing")]
    rows = []
    for service in services:
        group = next(iter(service.get("target_groups") or []), None)
        ways = _ways(balancers, group["arn"], say) if group else []
        rows.append({"service": service, "group": group, "ways": ways})
    reached = {arn for row in rows for arn, _way in row["ways"]}
    own = cluster.get("load_balancer")
    shown = [b for b in balancers if b["arn"] in reached or b["name"] == own]
    return {"balancers": shown, "rows": rows, "hosts": hosts(cluster, services, say), "colors": colors(services)}


def _balancer_texts(balancer: Mapping[str, Any], say: Texts) -> list[tuple[str, str]]:
    listeners = ", ".join(f"{item['protocol']}:{item['port']}" for item in balancer["listeners"])
    texts = [("head", say("load_balancer")), ("name", balancer["name"])]
    return texts + ([("dim", listeners)] if listeners else [])


def _group_texts(row: Mapping[str, Any], say: Texts) -> list[tuple[str, str]]:
    states = row["group"]["states"]
    number = sum(n for state, n in states.items() if state != "draining")
    health = say("healthy", some=states.get("healthy", 0), all=number) if number else say("no_targets")
    way = row["ways"][0][1] if row["ways"] else ""
    texts = [("head", say("target_group")), ("name", row["group"]["name"])]
    return texts + ([("dim", way)] if way else []) + [("dim", health)]


def _service_texts(service: Mapping[str, Any], say: Texts) -> list[tuple[str, str]]:
    running = say("running", some=service["running"], all=service["desired"])
    return [("head", say("service")), ("name", service["name"]), ("dim", service["task_definition"]), ("dim", running)]


def wide(cluster: Mapping[str, Any], balancers: Sequence[Mapping[str, Any]], say: Texts) -> Markup:
    """Return the drawing from left to right."""
    told = parts(cluster, balancers, say)
    drawing, tint = Drawing(1160), told["colors"]
    columns = {"balancer": (118, 236), "group": (394, 234), "service": (668, 226), "host": (934, 224)}
    right = columns["service"][0] + columns["service"][1]
    middles: dict[str, float] = {}
    entries: dict[str, list[tuple[float, str]]] = {}
    # Whichever column is shorter, services or hosts, stands in the middle beside the other.
    heights = [len(_service_texts(r["service"], say)) * TEXT + 2 * PAD - 4 for r in told["rows"]]
    host_heights = [_host_high(host, columns["host"][1], say, False) for host in told["hosts"]]
    tall, host_tall = (sum(each) + 14 * max(0, len(each) - 1) for each in (heights, host_heights))
    y, top = 4 + max(0, host_tall - tall) / 2, 4 + max(0, tall - host_tall) / 2
    host_middles = []
    for host in told["hosts"]:
        high = _host(drawing, columns["host"][0], top, columns["host"][1], host, tint, say, False)
        host_middles.append((host, top + high / 2))
        top += high + 14
    for row in told["rows"]:
        service = row["service"]
        dot = STATES[state_of(service)]
        x, w = columns["service"]
        high = drawing.card(x, y, w, _service_texts(service, say), tint[service["name"]], dot)
        middles[service["name"]] = y + high / 2
        if row["group"]:
            gx, gw = columns["group"]
            texts = _group_texts(row, say)
            ghigh = len(texts) * TEXT + 2 * PAD - 4
            drawing.card(gx, y + (high - ghigh) / 2, gw, texts)
            drawing.line(gx + gw, y + high / 2, x, y + high / 2, tint[service["name"]])
            for arn, _way in row["ways"]:
                entries.setdefault(arn, []).append((y + high / 2, tint[service["name"]]))
        y += high + 14
    for host, middle in host_middles:
        for name, number in host["counts"]:
            if number:
                drawing.line(right, middles[name], columns["host"][0], middle, tint[name])
    low = 4.0
    for balancer in told["balancers"]:
        at = [m for m, _color in entries.get(balancer["arn"], [])] or [max(low + 40, drawing.high / 2)]
        texts = _balancer_texts(balancer, say)
        high = len(texts) * TEXT + 2 * PAD - 4
        by = max(low, sum(at) / len(at) - high / 2)
        bx, bw = columns["balancer"]
        drawing.card(bx, by, bw, texts, dot=STATES["good" if balancer["state"] == "active" else "moving"])
        for middle, color in entries.get(balancer["arn"], []):
            drawing.line(bx + bw, by + high / 2, columns["group"][0], middle, color)
        outside = say("internet" if balancer["scheme"] == "internet-facing" else "internal")
        drawing.card(2, by + high / 2 - 16.5, 88, [("name", outside)])
        drawing.line(90, by + high / 2, bx, by + high / 2)
        low = by + high + 14
    return drawing.svg(f"{say('cluster')} {cluster['name']}", "wide")


def narrow(cluster: Mapping[str, Any], balancers: Sequence[Mapping[str, Any]], say: Texts) -> Markup:
    """Return the drawing from top to bottom."""
    told = parts(cluster, balancers, say)
    drawing, tint = Drawing(360), told["colors"]
    y, bottoms = 2.0, {}
    for balancer in told["balancers"]:
        outside = say("internet" if balancer["scheme"] == "internet-facing" else "internal")
        y += drawing.card(110, y, 140, [("name", outside)])
        drawing.line(180, y, 180, y + 16, down=True)
        y += 16
        y += drawing.card(2, y, 356, _balancer_texts(balancer, say),
                          dot=STATES["good" if balancer["state"] == "active" else "moving"])  # fmt: skip
        bottoms[balancer["arn"]] = y
        y += 18
    for row in told["rows"]:
        service = row["service"]
        color = tint[service["name"]]
        for arn, _way in row["ways"]:
            # Along the left edge, since cards of other services may be between the two.
            drawing.line(8, bottoms[arn], 8, y + 30, color, down=True)
            drawing.line(8, y + 30, 16, y + 30, color)
        if row["group"]:
            y += drawing.card(16, y, 342, _group_texts(row, say))
            drawing.line(187, y, 187, y + 12, color, down=True)
            y += 12
        y += drawing.card(16, y, 342, _service_texts(service, say), color, STATES[state_of(service)]) + 14
    y += 4
    for index in range(0, len(told["hosts"]), 2):
        pair = told["hosts"][index : index + 2]
        y += max(_host(drawing, 2 + 180 * i, y, 176, host, tint, say, True) for i, host in enumerate(pair)) + 8
    return drawing.svg(f"{say('cluster')} {cluster['name']}", "narrow")
