# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Which rule of a listener takes a request, and which target group of its action? Pure functions over the API's forms.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
"""

import fnmatch
import ipaddress
import random
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit


class Request:
    """What the conditions look at."""

    def __init__(self, method: str, target: str, headers: Mapping[str, str], client: str):
        parts = urlsplit(target)
        self.method, self.path, self.query, self.client = method, parts.path, parts.query, client
        self.headers = {name.lower(): value for name, value in headers.items()}

    @property
    def host(self) -> str:
        """The Host header without its port."""
        return self.headers.get("host", "").rsplit(":", 1)[0].lower()


def choose(rules: Iterable[Any], request: Request) -> Any:
    """The first rule by priority whose conditions are all met; the default rule always is."""

    def order(rule: Any) -> float:
        return float("inf") if rule.priority == "default" else float(rule.priority)

    for rule in sorted(rules, key=order):
        if all(met(condition, request) for condition in rule.conditions or []):
            return rule
    return None


def met(condition: Mapping[str, Any], request: Request) -> bool:
    """Whether a request meets one condition of a rule: any of its values."""
    field = condition.get("Field") or ""
    config = next((value for key, value in condition.items() if key.endswith("Config") and value), {})
    values = condition.get("Values") or config.get("Values") or []
    if field == "path-pattern":
        return any(_like(request.path, each) for each in values)  # paths are case-sensitive
    if field == "host-header":
        return any(_like(request.host, each.lower()) for each in values)
    if field == "http-header":
        value = request.headers.get((config.get("HttpHeaderName") or "").lower())
        return value is not None and any(_like(value.lower(), each.lower()) for each in values)
    if field == "http-request-method":
        return request.method in values
    if field == "query-string":
        pairs = [(key.lower(), value.lower()) for key, value in parse_qsl(request.query, keep_blank_values=True)]
        return any(_asks(pairs, each) for each in values)
    if field == "source-ip":
        return any(ipaddress.ip_address(request.client) in ipaddress.ip_network(each) for each in values)
    return False


def _asks(pairs: list[tuple[str, str]], wanted: Mapping[str, str]) -> bool:
    key, value = wanted.get("Key"), wanted.get("Value", "").lower()
    return any((not key or _like(name, key.lower())) and _like(text, value) for name, text in pairs)


def _like(text: str, pattern: str) -> bool:
    """`*` is any characters, `?` any one; brackets are none of ALB's wildcards."""
    return re.match(fnmatch.translate(pattern.replace("[", "[[]")), text) is not None


def target_group(action: Mapping[str, Any], dice: Any = random) -> str | None:
    """The ARN of the target group that a forward action picks, by weight; None where all weigh nothing."""
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
    if not groups:
        return action.get("TargetGroupArn")
    weights = [int(each.get("Weight", 1)) for each in groups]
    if not sum(weights):
        return None
    return dice.choices([each["TargetGroupArn"] for each in groups], weights)[0]


def matches(code: int, matcher: str) -> bool:
    """Whether a health check's answer is a success: `200`, `200,202` or `200-299`."""
    for part in matcher.split(","):
        first, _, last = part.partition("-")
        if int(first) <= code <= int(last or first):
            return True
    return False
