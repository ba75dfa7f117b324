# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils import load_balancers as lb

HTTPS = {"protocol": "HTTPS", "certificate_arn": "arn:c", "ssl_policy": "p"}


def test_wanted_listeners():
    assert lb.wanted_listeners(80, None, None) == {80: {"protocol": "HTTP"}}
    assert lb.wanted_listeners(80, "", None) == {80: {"protocol": "HTTP"}}
    assert lb.wanted_listeners(80, "arn:c", "p") == {80: {"protocol": "HTTP", "redirect": True}, 443: HTTPS}
    assert lb.wanted_listeners(443, "arn:c", "p") == {443: HTTPS}


@pytest.mark.parametrize(
    ("listener", "actions", "seen"),
    [
        ({"Protocol": "HTTP"}, [lb.NO_SERVICE], {"protocol": "HTTP"}),
        ({"Protocol": "HTTP"}, [lb.REDIRECT], {"protocol": "HTTP", "redirect": True}),
        ({"Protocol": "HTTP"}, [], {"protocol": "HTTP"}),
        ({"Protocol": "HTTPS", "Certificates": [{"CertificateArn": "arn:c"}], "SslPolicy": "p"}, [], HTTPS),
        ({"Protocol": "HTTPS"}, [], {**HTTPS, "certificate_arn": None, "ssl_policy": None}),
    ],
)
def test_listener_from_aws(listener, actions, seen):
    assert lb.listener_from_aws({**listener, "DefaultActions": actions}) == seen


def test_listener_there_and_back():
    for port, listener in lb.wanted_listeners(80, "arn:c", "p").items():
        actions = [lb.REDIRECT] if listener.get("redirect") else []
        assert lb.listener_from_aws({**lb.listener_to_aws(port, listener), "DefaultActions": actions}) == listener


@pytest.mark.parametrize(
    "options",
    [
        {"idle_timeout": 60, "deletion_protection": False, "drop_invalid_header_fields": False},
        {"idle_timeout": 120, "deletion_protection": True, "drop_invalid_header_fields": True},
    ],
)
def test_attributes_there_and_back(options):
    assert lb.attributes_from_aws(lb.attributes_to_aws(options)) == options


def test_attributes_that_are_not_told_have_their_defaults():
    assert lb.attributes_from_aws([]) == {
        "idle_timeout": 60,
        "deletion_protection": False,
        "drop_invalid_header_fields": False,
    }
    assert lb.attributes_to_aws({"deletion_protection": True}) == [
        {"Key": "deletion_protection.enabled", "Value": "true"}
    ]


def forward(*arns):
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": a} for a in arns]}}


@pytest.mark.parametrize(
    ("actions", "arn"),
    [
        ([], None),
        ([lb.NO_SERVICE], None),
        ([{"Type": "forward", "TargetGroupArn": "a"}], "a"),
        ([forward("a")], "a"),
        ([forward("a", "b")], None),
        ([{"Type": "forward"}], None),
        ([{"Type": "authenticate-oidc"}, forward("a")], None),
    ],
)
def test_forwards_to(actions, arn):
    assert lb.forwards_to(actions) == arn


@pytest.mark.parametrize(
    ("actions", "free"), [([lb.NO_SERVICE], True), ([], False), ([lb.REDIRECT], False), ([forward("a")], False)]
)
def test_is_free(actions, free):
    assert lb.is_free(actions) is free


@pytest.mark.parametrize(
    ("text", "priority"),
    [("default", "default"), ("1", "1"), (" 07 ", "7"), ("+7", "7"), ("50000", "50000"), ("0", None), ("50001", None),
     ("-1", None), ("1.0", None), ("Default", None), ("", None), ("first", None), ("\u0661", None)],
)  # fmt: skip
def test_rule_priority(text, priority):
    if priority is None:
        with pytest.raises(ValueError, match="no priority"):
            lb.rule_priority(text)
    else:
        assert lb.rule_priority(text) == priority


@pytest.mark.parametrize("held", [None, "users"])
@pytest.mark.parametrize(
    ("paths", "hosts"), [([], []), (["/a"], []), ([], ["b.example"]), (["/a", "/b/*"], ["a.example", "b.example"])]
)
def test_conditions_there_and_back(paths, hosts, held):
    there = lb.conditions_to_aws(paths, hosts, held)
    assert lb.conditions_from_aws(there) == {"paths": paths, "hosts": hosts, "held": bool(held)}


def test_conditions_in_their_old_form_and_any_order():
    header = {"HttpHeaderName": "X-Other", "Values": ["x"]}
    old = [{"Field": "http-header", "HttpHeaderConfig": header}, {"Field": "path-pattern", "Values": ["/b", "/a"]}]
    assert lb.conditions_from_aws(old) == {"paths": ["/a", "/b"], "hosts": [], "held": False}
    header["HttpHeaderName"] = "x-handson-held"
    assert lb.conditions_from_aws(old)["held"] is True


@pytest.mark.parametrize(
    ("paths", "hosts", "kept"),
    [
        (["/b", "/a"], ["h"], (["/a", "/b"], ["h"])),
        (["/a", "/b", "/c"], ["h"], (["/a", "/b", "/c"], ["h"])),
        (["/a", "/b", "/c", "/d"], ["h"], (["/a", "/b", "/c"], ["h"])),
        (["/e", "/d", "/c", "/b", "/a"], [], (["/a", "/b", "/c", "/d"], [])),
        (["/a"], ["b", "c", "d", "e"], (["/a"], ["b", "c", "d"])),
    ],
)
def test_held_conditions_leave_room_for_the_header(paths, hosts, kept):
    assert tuple(lb.held_conditions(paths, hosts).values()) == kept
    assert sum(map(len, kept)) < lb.MAX_CONDITION_VALUES


@pytest.mark.parametrize(
    ("tags", "owner", "service"),
    [
        ({"handson:cluster": "c", "handson:service": "vets"}, {"handson:cluster": "c", "handson:service": "api"}, "vets"),
        ({"handson:cluster": "c", "handson:service": "api"}, {"handson:cluster": "c", "handson:service": "api"}, None),
        ({"handson:cluster": "d", "handson:service": "vets"}, {"handson:cluster": "c", "handson:service": "api"}, None),
        ({"handson:cluster": "c"}, {"handson:cluster": "c", "handson:service": "api"}, None),
        ({"handson:service": "vets"}, {}, None),
        ({}, {"handson:cluster": "c"}, None),
    ],
)
def test_service_beside(tags, owner, service):
    assert lb.service_beside(tags, owner) == service
