# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pure functions about load on a service: where it may go, how it is made, what came of it."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from datetime import datetime, timezone
from typing import Any, Iterable, Mapping
from urllib.parse import parse_qsl, urlsplit

from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError

#: Seconds that ab waits for one answer: as long as a load balancer does by default (idle_timeout.timeout_seconds).
ANSWER = 60
#: After so many answers, all of them bad, it is given up.
HOPELESS = 20
LOOPBACK = ("127.0.0.1", "::1", "localhost")
NO_GENERATOR = (
    "There is no load generator: the program `ab` (ApacheBench) is not on the PATH. Install it - Debian and Ubuntu: apt "
    "install apache2-utils; Fedora and Amazon Linux: dnf install httpd-tools; macOS has it - and run again."
)


def is_local(endpoint: str) -> bool:
    """Return whether an endpoint's URL leads to this machine."""
    return (urlsplit(endpoint).hostname or "") in LOOPBACK


def checked_path(path: str) -> str:
    """Return `path` where it is one, with its query. Raises ResourceError for a whole URL or what isn't URL-encoded."""
    if re.fullmatch(r"/(?!/)[!-~]*", path) and "#" not in path:
        return path
    raise ResourceError(
        f"service_stress_path is {path!r}: a path of the service is needed, such as /test/stress, with its leading slash "
        "and without host and blanks. Load goes to the load balancer of the inventory's service, and nowhere else."
    )


def checked_host(host: str, local: bool, name: str) -> str:
    """Return where to connect for a load balancer's DNS name. Raises ResourceError where nothing answers there.

    The embedded endpoint's load balancers have names as AWS's have, which might be somebody's.
    """
    loopback = host in LOOPBACK
    if local and not loopback:
        raise ResourceError(
            "The local endpoint keeps records and runs no containers: nothing answers behind its load balancer, so there is "
            "nothing to put load on. With Docker there is: make containers, then ansible-playbook -i inventories/local -i "
            "inventories/containers playbooks/stress.yml"
        )
    if loopback and not local:
        raise ResourceError(f"The load balancer {name!r} says that its name is {host}, which no load balancer's of AWS is.")
    # ab tries the first address only, which may be ::1.
    return "127.0.0.1" if loopback else host


def rule_for(rules: Iterable[Mapping[str, Any]], path: str, host: str) -> Mapping[str, Any] | None:
    """Return the listener's rule (as DescribeRules gives them) that takes `GET path`, None where none does.

    A rule that asks for a header or an address is taken for none of this request's.
    Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
    """

    def order(rule: Mapping[str, Any]) -> float:
        return float("inf") if rule["Priority"] == "default" else float(rule["Priority"])

    parts = urlsplit(path)
    for rule in sorted(rules, key=order):
        if all(_met(c, parts.path, parse_qsl(parts.query, keep_blank_values=True), host) for c in rule.get("Conditions") or []):
            return rule
    return None


def _met(condition: Mapping[str, Any], path: str, query: list[tuple[str, str]], host: str) -> bool:
    config = next((v for k, v in condition.items() if k.endswith("Config") and v), {})
    values = condition.get("Values") or config.get("Values") or []
    field = condition.get("Field")
    if field == "path-pattern":
        return any(_like(path, v) for v in values)
    if field == "host-header":
        return any(_like(host.lower(), v.lower()) for v in values)
    if field == "http-request-method":
        return "GET" in values
    if field == "query-string":
        return any(
            (not v.get("Key") or _like(name.lower(), v["Key"].lower())) and _like(text.lower(), v.get("Value", "").lower())
            for v in values
            for name, text in query
        )
    return False


def _like(text: str, pattern: str) -> bool:
    return re.match(fnmatch.translate(pattern.replace("[", "[[]")), text) is not None


def forwards_to(rule: Mapping[str, Any] | None) -> set[str]:
    """Return the ARNs of the target groups to which a rule leads."""
    found = set()
    for action in (rule or {}).get("Actions") or []:
        groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
        found |= {g["TargetGroupArn"] for g in groups} or {action.get("TargetGroupArn")}
    return found - {None}


def ab(program: str, url: str, requests: int, concurrency: int, seconds: int, host: str | None = None) -> list[str]:
    """Return the command line of ab.

    -t before -n: alone it asks for 50,000 requests. -l: answers that differ in length are no failures. -r: a lost
    connection doesn't end it. -v 3: it tells of each answer, so that one sees it going on.
    """
    command = [program, "-v", "3", "-l", "-r", "-s", str(ANSWER), "-t", str(seconds), "-n", str(requests)]
    command += ["-c", str(min(concurrency, requests))]
    return [*command, *(["-H", f"Host: {host}"] if host else []), url]


class Output:
    """Reads what ab writes, line by line."""

    _ANSWER = re.compile(r"LOG: Response code = (\d+)|WARNING: Response code not 2xx \((\d+)")
    _SUMMARY = {
        "requests": re.compile(r"Complete requests:\s+(\d+)"),
        "failed": re.compile(r"Failed requests:\s+(\d+)"),
        "seconds": re.compile(r"Time taken for tests:\s+([\d.]+)"),
        "rate": re.compile(r"Requests per second:\s+([\d.]+)"),
    }
    _PERCENTILE = re.compile(r"\s+(\d+)%\s+(\d+)")
    #: What it says when it gives up, behind the name of what went wrong.
    _TROUBLE = re.compile(r"(ab: |apr_|Total of \d+ requests completed|SSL|Test aborted)")

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.summary: dict[str, Any] = {}
        self.milliseconds: dict[str, int] = {}
        self.trouble: list[str] = []

    def read(self, line: str) -> None:
        found = self._ANSWER.match(line)
        if found:
            self.statuses[found[1] or found[2]] += 1
            return
        for key, pattern in self._SUMMARY.items():
            if m := pattern.match(line):
                self.summary[key] = float(m[1]) if "." in m[1] else int(m[1])
        if m := self._PERCENTILE.match(line):
            self.milliseconds[m[1]] = int(m[2])
        if self._TROUBLE.match(line):
            self.trouble.append(line.strip())

    @property
    def answered(self) -> int:
        return self.statuses.total()

    @property
    def hopeless(self) -> bool:
        """Whether so many answers were bad, and none was good, that more would say nothing new."""
        return self.answered >= HOPELESS and not any(status.startswith("2") for status in self.statuses)

    def result(self, seconds: float) -> dict[str, Any]:
        """Return what came of it. `seconds` is how long it took, where ab doesn't say."""
        took = float(self.summary.get("seconds") or round(seconds, 1))
        done = self.summary.get("requests", self.answered)
        return {
            "requests": done,
            "statuses": dict(sorted(self.statuses.items())),
            "unanswered": max(done - self.answered, 0),
            "seconds": took,
            "requests_per_second": float(self.summary.get("rate") or round(done / took if took else 0, 1)),
            "milliseconds": {p: self.milliseconds[p] for p in ("50", "90", "99") if p in self.milliseconds},
        }


def said_statuses(statuses: Mapping[str, int]) -> str:
    """Return `all 200`, or how many of each: `95 × 200, 5 × 503`."""
    if len(statuses) == 1:
        return f"all {next(iter(statuses))}"
    return ", ".join(f"{number} × {status}" for status, number in sorted(statuses.items())) or "no answer yet"


def activity(found: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return a scaling activity of either service in our words: at, what, description, why, status."""
    reasons = [
        f"{r['Code']}" + (f" ({r['CurrentCapacity']} of {r['MaxCapacity']})" if r.get("MaxCapacity") is not None else "")
        for r in found.get("NotScaledReasons") or []
    ]
    return {
        "at": found["StartTime"].astimezone(timezone.utc).isoformat(timespec="seconds"),
        "what": what,
        "description": ("not scaled: " + ", ".join(reasons)) if reasons else found.get("Description", ""),
        "why": found.get("Cause", ""),
        "status": found.get("StatusCode", ""),
    }


def said_activity(found: Mapping[str, Any]) -> str:
    """Return one line on it."""
    at = datetime.fromisoformat(found["at"]).strftime("%H:%M:%S")
    return f"{at} {found['what']}: {found['description']} ({found['status']})"


def said_counts(counts: Mapping[str, Any]) -> str:
    """Return `tasks 2 of 2, instances 2`."""
    return f"tasks {counts['running']} of {counts['desired']}, instances {counts['instances']}"
