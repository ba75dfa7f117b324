# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as one text: style and pictures are inside, nothing is loaded, no program runs in it."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime, tzinfo
from typing import Any, Mapping, Sequence

from ansible_collections.handson.ecs.plugins.module_utils import capacity
from ansible_collections.handson.ecs.plugins.module_utils.report import arithmetic, charts, costs, figures, topology
from ansible_collections.handson.ecs.plugins.module_utils.report.facts import state_of
from ansible_collections.handson.ecs.plugins.module_utils.report.markup import Markup, join, link, tag
from ansible_collections.handson.ecs.plugins.module_utils.report.series import highest, last
from ansible_collections.handson.ecs.plugins.module_utils.report.style import STYLE
from ansible_collections.handson.ecs.plugins.module_utils.report.texts import Texts

#: Holds the digest of what the page shows, apart from when it was made.
DIGEST = re.compile(r'<meta name="handson-content" content="([0-9a-f]{64})">')
#: What differs between two looks at an account that is the same.
MOVING = ("start", "end")


def digest(seen: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> str:
    """Return a digest of what a page shows, without the times of the look itself."""
    facts = [{k: v for k, v in one.items() if k not in MOVING} for one in seen]
    return hashlib.sha256(json.dumps([facts, options], sort_keys=True, default=str).encode()).hexdigest()


def digest_of(text: str) -> str | None:
    """Return the digest that a page holds, None of anything else."""
    found = DIGEST.search(text[:4000])
    return found[1] if found else None


class Page:
    """One page over what was read of one or more accounts and regions (`seen`, as the module `report` returns it)."""

    def __init__(
        self, seen: Sequence[Mapping[str, Any]], language: str, made: datetime, prices: Mapping[str, Any] | None = None
    ) -> None:
        self.seen, self.say, self.made, self.prices = seen, Texts(language), made, prices or {}
        self.zone: tzinfo = made.tzinfo  # type: ignore[assignment]
        self.drawable = charts.available()

    # --- help ---------------------------------------------------------------------------------------------------------

    def when(self, seconds: float | None) -> str:
        """Return a time in the zone of the page."""
        return "" if seconds is None else datetime.fromtimestamp(seconds, self.zone).strftime("%m-%d %H:%M:%S")

    def state(self, word: str) -> Markup:
        """Return a state as a badge."""
        return tag("span", self.say(word), class_=f"badge {word}")

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[Any]], class_: str = "") -> Markup:
        """Return a table whose cells know their heads, since on a phone each row stands as a card."""
        head = tag("thead", tag("tr", [tag("th", h, scope="col") for h in heads]))
        body = tag("tbody", [tag("tr", [tag("td", c, data_label=h) for h, c in zip(heads, row)]) for row in rows])
        return tag("table", head, body, class_=class_ or None)

    def section(self, key: str, *children: Any) -> Markup:
        """Return a section with its heading."""
        return tag("section", tag("h2", self.say(key)), children, id=key)

    def clusters(self) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Return (what was read, cluster) of all clusters that are there."""
        return [(one, c) for one in self.seen for c in one["clusters"] if not c.get("missing")]

    def services(self) -> list[tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]]:
        """Return (what was read, cluster, service) of all services, there or not."""
        return [(one, c, s) for one in self.seen for c in one["clusters"] for s in c["services"]]

    # --- the page -----------------------------------------------------------------------------------------------------

    def html(self) -> str:
        """Return the page."""
        title = f"{self.say('title')} · {', '.join(c['name'] for _one, c in self.clusters()) or 'handson.ecs'}"
        options = {"language": self.say.language, "prices": self.prices, "drawable": self.drawable}
        policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        head = tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="handson-content", content=digest(self.seen, options)),
            tag("meta", http_equiv="Content-Security-Policy", content=policy),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="referrer", content="no-referrer"),
            tag("title", title),
            tag("style", Markup(STYLE)),
        )
        sections = [self.problems()]
        if self.clusters():
            sections += [self.topology(), self.health(), self.charts(), self.arithmetic()]
            sections += [self.deployments(), self.costs()]
        else:
            unread = any(s.get("unread") for _one, _cluster, s in self.services())
            sections.append(tag("p", self.say("nothing_read" if unread else "nothing"), class_="lead"))
        footer = tag("footer", self.say("footer"))
        body = tag("body", self.header(), tag("main", sections), footer)
        return "<!DOCTYPE html>\n" + tag("html", head, body, lang=self.say.language) + "\n"

    def header(self) -> Markup:
        """Return what the page is of, and each service's state at a glance."""
        say = self.say
        accounts = ", ".join(dict.fromkeys(one["account"] for one in self.seen if one["account"]))
        regions = ", ".join(dict.fromkeys(one["region"] for one in self.seen))
        hours = ", ".join(dict.fromkeys(figures.number(one["hours"]) for one in self.seen))
        facts = [(say("account"), accounts), (say("region"), regions), (say("window"), say("last_hours", hours=hours))]
        told = [[tag("span", f"{key} ", tag("b", value)), " "] for key, value in facts if value]
        locals_ = [
            tag("p", say("local", url=one["endpoint"]), class_="note") for one in self.seen if one.get("endpoint")
        ]
        glance = [
            tag("li", self.state(state_of(s)), " ", tag("b", s["name"]), " ",
                tag("span", self.counted(s), class_="dim"))
            for _one, _cluster, s in self.services()
        ]
        when = self.made.strftime("%Y-%m-%d %H:%M %Z")
        return tag(
            "header",
            tag("h1", say("title")),
            tag("p", say("made", when=when), class_="dim"),
            tag("p", told, class_="facts"),
            locals_,
            tag("ul", glance, class_="glance"),
        )

    def counted(self, service: Mapping[str, Any]) -> str:
        """Return how many of its tasks run."""
        if service.get("missing"):
            return ""
        return self.say("running", some=service["running"], all=service["desired"])

    def problems(self) -> Markup | None:
        """Return what could not be read."""
        told = [p for one in self.seen for p in one["problems"]]
        if not told:
            return None
        return self.section("problems", tag("ul", [tag("li", self._problem(p)) for p in told], class_="note"))

    def _problem(self, problem: Mapping[str, Any]) -> str:
        return self.say("problem_cut" if problem.get("cut") else "problem", **problem)

    def topology(self) -> Markup:
        """Return the drawings."""
        drawn = []
        for one, cluster in self.clusters():
            balancers = one["load_balancers"]
            wide, narrow = (draw(cluster, balancers, self.say) for draw in (topology.wide, topology.narrow))
            drawn.append(tag("figure", tag("figcaption", f"{self.say('cluster')} {cluster['name']}"), wide, narrow))
        return self.section("topology", drawn)

    def health(self) -> Markup:
        """Return endpoints, targets and bounds of every service, and the alarms that are on."""
        say = self.say
        heads = [say(k) for k in ("service", "state", "endpoint", "tasks", "targets", "scaling", "revision")]
        rows = []
        for one, _cluster, service in self.services():
            if service.get("missing"):
                rows.append([tag("b", service["name"]), self.state(state_of(service)), "", "", "", "", ""])
                continue
            rows.append(
                [
                    tag("b", service["name"]),
                    self.state(state_of(service)),
                    self.endpoint(one, service),
                    self.counted(service),
                    self.targets(service),
                    self.scaling(service),
                    [service["task_definition"], *(tag("div", i, class_="dim small") for i in service["task"]["images"])],
                ]
            )
        return self.section("health", self.table(heads, rows), self.alarms())

    def endpoint(self, one: Mapping[str, Any], service: Mapping[str, Any]) -> Any:
        """Return the address at which a service answers."""
        url = service.get("url") or ""
        name = next(
            (
                b["dns"]
                for g in service.get("target_groups") or []
                for b in one["load_balancers"]
                if b["arn"] in g["balancers"]
            ),
            "",
        )
        if not name:
            return ""
        url = url.replace("$host", name)
        return tag("span", link(url, url), class_="url")

    def targets(self, service: Mapping[str, Any]) -> Any:
        """Return how many targets are healthy, and what is wrong with the others."""
        told = []
        for group in service.get("target_groups") or []:
            number = sum(n for state, n in group["states"].items() if state != "draining")
            text = self.say("healthy", some=group["states"].get("healthy", 0), all=number)
            draining = group["states"].get("draining", 0)
            if draining:
                text += f", {draining} {self.say('draining')}"
            told += [tag("div", text), *(tag("div", r, class_="dim small") for r in group["reasons"])]
        return join(told)

    def scaling(self, service: Mapping[str, Any]) -> str:
        """Return between what the number of tasks moves, and which targets move it."""
        scaling = service.get("scaling")
        if not scaling:
            return self.say("fixed")
        bounds = self.say("bounds", low=scaling["low"], high=scaling["high"])
        kept = sorted((t["metric"], t["value"]) for t in scaling["targets"])
        return ", ".join([bounds, *(self.say(f"target_{metric}", value=figures.number(value)) for metric, value in kept)])

    def alarms(self) -> Markup | None:
        """Return the alarms that are on."""
        on = [a for one in self.seen for a in one.get("alarms") or [] if a["state"] == "ALARM"]
        if not on:
            return None
        say = self.say
        heads = [say("what"), say("at"), say("why")]
        rows = [
            [
                [tag("b", a["name"]), tag("div", a["description"], class_="dim small")],
                self.when(a["since"]),
                a["reason"],
            ]
            for a in on
        ]
        return tag("div", tag("h3", say("alarms")), self.table(heads, rows, "alarms"))

    def deployments(self) -> Markup:
        """Return of every service its deployments, last events, and tasks that ended."""
        say, told = self.say, []
        for _one, _cluster, service in self.services():
            if service.get("missing"):
                continue
            heads = [say(k) for k in ("now", "rollout", "revision", "tasks", "started")]
            now = [
                [
                    d["status"],
                    join([d["rollout"], tag("div", d["reason"], class_="dim small") if d["reason"] else None]),
                    d["task_definition"],
                    say("running", some=d["running"], all=d["desired"])
                    + (", " + say("failed_tasks", number=d["failed"]) if d["failed"] else ""),
                    self.when(d["started"]),
                ]
                for d in service["deployments"]
            ]
            past = [
                [d["id"], d["status"], self.when(d["started"]), self.when(d["finished"]), d["reason"]]
                for d in service.get("history") or []
            ]
            heads_past = [say("history"), say("state"), say("started"), say("finished"), say("why")]
            if not any(row[-1] for row in past):
                heads_past = heads_past[:-1]
            events = [[self.when(e["at"]), e["message"]] for e in service["events"]]
            ended = [
                [
                    self.when(t["at"]),
                    join([tag("span", say("on_purpose" if t["wanted"] else "by_itself"),
                              class_="badge idle" if t["wanted"] else "badge bad"), " ", t["why"]]),
                    t["revision"],
                    t["id"],
                ]
                for t in service["ended"]
            ]  # fmt: skip
            heads_ended = [say("at"), say("why"), say("revision"), say("task")]
            told.append(
                tag(
                    "div",
                    tag("h3", service["name"]),
                    self.table(heads, now),
                    self.table(heads_past, past) if past else None,
                    tag("h4", say("ended")),
                    self.table(heads_ended, ended, "log") if ended else tag("p", say("nothing_ended"), class_="dim"),
                    tag("h4", say("events")),
                    self.table([say("at"), say("what")], events, "log")
                    if events
                    else tag("p", say("no_events"), class_="dim"),
                    class_="of",
                )
            )
        return self.section("deployments", told)

    def charts(self) -> Markup:
        """Return the charts of every cluster and service, grouped by cluster."""
        told = []
        for index, (one, cluster) in enumerate(self.clusters()):
            frame = figures.Frame(
                one["start"], one["end"], one["period"], self.zone, bool(one.get("endpoint")), self.drawable
            )
            groups = [(self.say("cluster"), cluster["name"], figures.of_cluster(cluster, self.say))]
            groups += [
                (self.say("service"), s["name"], figures.of_service(s, self.say, one["period"]))
                for s in cluster["services"]
                if not s.get("missing")
            ]
            for number, (kind, name, group) in enumerate(groups):
                shown = [figures.shown(f, frame, self.say, f"c{index}-{number}-{i}") for i, f in enumerate(group)]
                if shown:
                    told.append(tag("div", tag("h3", f"{kind} {name}"), tag("div", shown, class_="grid"), class_="of"))
        return self.section("charts", told)

    def arithmetic(self) -> Markup | None:
        """Return what tasks reserve by arithmetic beside what was measured."""
        told = [self._arithmetic(cluster) for _one, cluster in self.clusters()]
        return self.section("arithmetic", told) if any(told) else None

    def _arithmetic(self, cluster: Mapping[str, Any]) -> Markup | None:
        say, rows = self.say, arithmetic.rows(cluster)
        if not rows:
            return None
        kind, services = rows[-1]["registered"], rows[:-1]
        heads = ["", say("service"), say("reserved_now"), say("reserved_deploying"), say("measured")]
        body = []
        for word, unit, series in (("cpu", "units", "cpu_reservation"), ("memory", "mib", "memory_reservation")):
            every = getattr(kind, word)
            for row in services:
                each = getattr(row["task"], word)
                formulas = [
                    [
                        tag("b", f"{row[when][word]:.1f} %"),
                        tag("div", f"{number} × {each} ÷ {every} {say(unit)}", class_="dim small"),
                    ]
                    for when, number in (("now", row["tasks"]), ("deploying", row["most"]))
                ]
                measured = self.measured(cluster["series"].get(series)) if len(services) == 1 else ""
                body.append([say(word), row["service"], *formulas, measured])
            if len(services) > 1:
                both = [tag("b", f"{rows[-1][when][word]:.1f} %") for when in ("now", "deploying")]
                measured = self.measured(cluster["series"].get(series))
                body.append([say(word), tag("b", say("together")), *both, measured])
        if len(services) == 1:
            service = next(s for s in cluster["services"] if s["name"] == services[0]["service"])
            lead = say("arithmetic_lead", percent=service["maximum_percent"])
            lead += " " + say("room", number=self.room(cluster, services[0]))
        else:
            lead = say("arithmetic_lead_several")
        return tag("div", tag("h3", cluster["name"]), tag("p", lead), self.table(heads, body, "numbers"), class_="of")

    @staticmethod
    def room(cluster: Mapping[str, Any], row: Mapping[str, Any]) -> int:
        """Return how many more tasks of this size the instances hold, by CPU and memory."""
        most = sum(
            capacity.slots(row["task"], arithmetic.InstanceType("", i["cpu"], i["memory"], 0, ()))
            for i in cluster["instances"]
            if i["status"] == "ACTIVE"
        )
        return max(0, min(most, 9999) - row["tasks"])

    def measured(self, series: Sequence[Sequence[float]] | None) -> Any:
        """Return the newest and the highest measured value."""
        if not series:
            return tag("span", self.say("not_measured"), class_="dim")
        newest, most = last(series), highest(series)  # type: ignore[arg-type]
        told = [tag("b", self.say("measured_now", value=f"{newest:.1f}"))]
        return join([*told, tag("div", self.say("measured_most", value=f"{most:.1f}"), class_="dim small")])

    def costs(self) -> Markup:
        """Return what exists and its list prices."""
        return self.section("costs", [self._costs(one) for one in self.seen])

    def _costs(self, one: Mapping[str, Any]) -> Markup:
        say, region = self.say, one["region"]
        found = costs.items(costs.amounts(one), region, self.prices)
        if not any(item.price for item in found) and found:
            example = json.dumps({found[0].what: 0.05, "load balancer": 0.025})
            return tag("p", say("no_prices", region=region, example=example))
        lead = say("costs_lead", region=region, as_of=costs.AS_OF, hours=costs.HOURS)
        if self.prices:
            lead += " " + say("own_prices")
        rows = []
        for item in found:
            price = say("no_price")
            if item.price is not None:
                price = say("a_month" if item.monthly else "an_hour", price=f"$ {item.price:g}")
            month = "–" if item.month is None else f"$ {item.month:.2f}"
            rows.append([self.priced(item.what), f"{item.amount:g}", price, month])
        whole = say("total" if all(i.price is not None for i in found) else "total_incomplete")
        rows.append([tag("b", whole), "", "", tag("b", f"$ {costs.total(found):.2f}")])
        heads = [say("what"), say("amount"), say("unit_price"), say("month")]
        local = tag("p", say("costs_local"), class_="note") if one.get("endpoint") else None
        without = tag("p", say("costs_without"), class_="dim small")
        return tag("div", local, tag("p", lead), self.table(heads, rows, "numbers"), without)

    def priced(self, what: str) -> str:
        """Return the name of a thing that costs."""
        names = {"load balancer": "cost_load_balancer", "public IPv4 address": "cost_address", "alarm": "cost_alarm",
                 "detailed monitoring": "cost_monitoring",
                 "Fargate vCPU": "cost_fargate_cpu", "Fargate GB": "cost_fargate_memory"}  # fmt: skip
        if what in names:
            return self.say(names[what])
        if what.endswith(" GB"):
            return self.say("cost_volume", type=what.removesuffix(" GB"))
        return self.say("cost_instance", type=what)
