# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Which rule takes a request, and which target group its action picks."""

import random
from types import SimpleNamespace

import pytest
from container_endpoint import routing


def request(target="/", method="GET", client="127.0.0.1", **headers):
    return routing.Request(method, target, {name.replace("_", "-"): value for name, value in headers.items()}, client)


@pytest.mark.parametrize(
    ("condition", "asked", "met"),
    [
        ({"Field": "path-pattern", "Values": ["/api/users*"]}, request("/api/users/2?x=1"), True),
        ({"Field": "path-pattern", "Values": ["/api/users*"]}, request("/api/Users"), False),
        ({"Field": "path-pattern", "Values": ["/api/users*"]}, request("/x/api/users"), False),
        ({"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a?c"]}}, request("/abc"), True),
        ({"Field": "path-pattern", "Values": ["/[ab]"]}, request("/a"), False),
        ({"Field": "path-pattern", "Values": ["/[ab]"]}, request("/[ab]"), True),
        ({"Field": "host-header", "Values": ["*.Example.com"]}, request(Host="api.example.COM:8080"), True),
        ({"Field": "host-header", "Values": ["*.example.com"]}, request(Host="example.com"), False),
        (
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Held", "Values": ["users"]}},
            request(x_held="USERS"),
            True,
        ),
        ({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Held", "Values": ["*"]}}, request(), False),
        ({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["POST"]}}, request(), False),
        (
            {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "2*"}]}},
            request("/?a=1&V=21"),
            True,
        ),
        ({"Field": "query-string", "QueryStringConfig": {"Values": [{"Value": "1"}]}}, request("/?a=1"), True),
        ({"Field": "source-ip", "SourceIpConfig": {"Values": ["127.0.0.0/8"]}}, request(), True),
        ({"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}, request(), False),
        ({"Field": "something-new"}, request(), False),
    ],
)
def test_condition(condition, asked, met):
    assert routing.met(condition, asked) is met


def test_the_lowest_priority_wins_and_the_default_comes_last():
    def rule(priority, *paths):
        conditions = [{"Field": "path-pattern", "Values": list(paths)}] if paths else []
        return SimpleNamespace(priority=priority, conditions=conditions)

    rules = [rule("default"), rule("10", "/api/*"), rule(2, "/api/users*"), rule(1, "/never")]
    assert routing.choose(rules, request("/api/users")).priority == 2
    assert routing.choose(rules, request("/api/posts")).priority == "10"
    assert routing.choose(rules, request("/")).priority == "default"
    assert routing.choose([], request("/")) is None


def test_target_groups_by_weight():
    def action(*weights):
        groups = [{"TargetGroupArn": name, "Weight": weight} for name, weight in zip("ab", weights, strict=False)]
        return {"ForwardConfig": {"TargetGroups": groups}}

    dice = random.Random(1)
    picked = [routing.target_group(action(3, 1), dice) for _ in range(400)]
    assert 60 < picked.count("b") < 140
    assert {routing.target_group(action(0, 1), dice) for _ in range(20)} == {"b"}
    assert routing.target_group(action(0, 0), dice) is None
    assert routing.target_group({"TargetGroupArn": "a"}) == "a"


@pytest.mark.parametrize(
    ("code", "matcher", "success"),
    [(200, "200", True), (302, "200-399", True), (404, "200,404", True), (500, "200-299,404", False)],
)
def test_matcher(code, matcher, success):
    assert routing.matches(code, matcher) is success
