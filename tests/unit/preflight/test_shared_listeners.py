# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Services of one listener that want the same place, or take each other's requests."""

import pytest
from ansible_collections.handson.ecs.plugins.module_utils.preflight.load_balancer import (
    check_shared_listeners,
    check_target_group,
)
from unit.preflight.samples import seen, service

PRIORITY, PATHS = "target_group_rule_priority", "target_group_rule_paths"


def rule(name, priority, paths=(), hosts=(), **values):
    places = {PRIORITY: priority, PATHS: list(paths), "target_group_rule_hosts": list(hosts)}
    return service(name, **places, **values)


@pytest.mark.parametrize(
    ("one", "two", "variables"),
    [
        # the same number, however it is written
        ((1, ["/a"]), (" 01", ["/b"]), [PRIORITY]),
        ((1, ["/a"]), (10, ["/b"]), []),
        # a wide pattern that is asked first
        ((1, ["/api/*"]), (2, ["/api/users*"]), [PRIORITY]),
        ((2, ["/api/*"]), (1, ["/api/users*"]), []),
        ((9, ["/api/*"]), (10, ["/api/users*"]), [PRIORITY]),
        ((1, ["/api/*"]), (2, ["/api/users*", "/users*"]), [PRIORITY]),
        ((1, ["/api/*"]), (2, ["/API/users*"]), []),
        ((1, ["/*"]), ("default",), [PRIORITY]),
        ((1, ["*"]), ("default",), [PRIORITY]),
        ((1, ["/?*"]), ("default",), []),
        ((1, ["/api/*"]), ("default",), []),
        # host names
        ((1, [], ["*.example.com"]), (2, [], ["API.example.com"]), [PRIORITY]),
        ((1, [], ["a.example.com"]), (2, [], ["A.example.com"]), [PRIORITY]),
        ((1, [], ["*.example.com"]), (2, ["/api*"], ["api.example.com"]), [PRIORITY]),
        ((1, ["/api*"], ["api.example.com"]), (2, [], ["*.example.com"]), []),
        ((1, ["/api*"], ["a.example.com"]), (2, ["/api*"]), []),
        ((1, ["/api*"]), (2, ["/api*"], ["a.example.com"]), [PRIORITY]),
        ((1, ["/x"], ["a.example.com", "b.example.com"]), (2, ["/x"], ["B.example.com", "c.example.com"]), [PATHS]),
        ((1, ["/*"], ["a.example.com"]), (2, ["/x"], ["a.example.com", "c.example.com"]), []),
        ((1, ["/*"], ["a.example.com", "c.example.com"]), (2, ["/x"], ["a.example.com", "c.example.com"]), [PRIORITY]),
        # what is a fault of its own makes no others
        ((1,), (2, ["/x"]), []),
        (("first", ["/*"]), (2, ["/x"]), []),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_pairs(one, two, variables, turned):
    pair = [rule("one", *one), rule("two", *two)]
    faults = list(check_shared_listeners(pair[::-1] if turned else pair))
    assert seen(faults) == variables
    assert {f.host for f in faults} == ({"one", "two"} if variables else set())


def test_a_path_that_is_taken_says_by_whom_and_what_to_do():
    told = {f.host: f for f in check_shared_listeners([rule("api", 1, ["/api/*"]), rule("users", 2, ["/api/users*"])])}
    why = "api takes /api/* at priority 1, and users has 2."
    assert told["users"].problem == f"It never gets any requests for /api/users*: {why}"
    assert told["api"].problem == f"users never gets any requests for /api/users*: {why}"
    assert "smallest priority is asked first" in told["users"].remedy


def test_two_rules_may_take_all_of_it_together():
    names = ["a.example.com", "b.example.com"]
    wide = [rule("one", 1, ["/*"], names[:1]), rule("two", 2, ["/*"], names[1:])]
    faults = list(check_shared_listeners([*wide, rule("three", 3, ["/x"], names)]))
    assert sorted(f.host for f in faults) == ["one", "three", "three", "two"]


@pytest.mark.parametrize(
    "other", [{"load_balancer_name": "b"}, {"load_balancer_service_port": 443}, {"aws_region": "eu-west-1"}]
)
def test_another_listener_is_none_of_theirs(other):
    assert list(check_shared_listeners([rule("one", 1, ["/*"]), rule("two", 1, ["/*"], **other)])) == []
    assert list(check_shared_listeners([rule("one", "default"), rule("two", "default", **other)])) == []


def test_a_broken_value_says_nothing_about_the_others():
    broken = rule("one", 1)
    broken.broken.add(PATHS)
    assert list(check_shared_listeners([broken, rule("two", 2, ["/x"])])) == []


@pytest.mark.parametrize(
    ("one", "gone", "says"),
    [
        (("default",), ("default",), "50000 with target_group_rule_paths ['/*']"),
        ((1, ["/a"]), (1, ["/b"]), "another priority"),
        ((2, ["/a"]), (1, ["/a"]), None),
        ((2, ["/a"]), (1, ["/*"]), None),
        (("default",), (1, ["/*"]), None),
        ((50000, ["/*"]), ("default",), None),
    ],
)
def test_a_retired_service_keeps_its_place_until_the_others_are_steady(one, gone, says):
    faults = list(check_shared_listeners([rule("one", *one), rule("gone", *gone, service_state="absent")]))
    assert [(f.host, f.variable) for f in faults] == ([("one", PRIORITY)] if says else [])
    for fault in faults:
        assert says in fault.remedy and "teardown.yml --limit gone" in fault.remedy
        assert "retired_services" in fault.problem


def test_retired_services_are_no_rivals_of_each_other():
    both = [rule(name, "default", service_state="absent") for name in ("one", "two")]
    assert list(check_shared_listeners(both)) == []


def test_wildcards_are_counted():
    assert list(check_target_group(rule("one", 1, ["/*/*/?*"], ["*.a_b.example.com"]))) == []
    faults = list(check_target_group(rule("one", 1, ["/*/*/?*"], ["*.*.example.com"])))
    assert seen(faults) == [PATHS] and "6 wildcards" in faults[0].problem


def test_all_five_values_are_the_users():
    """The header of a held rule needs one of them, and makes do without."""
    assert list(check_target_group(rule("one", 1, [f"/{n}" for n in range(5)]))) == []
