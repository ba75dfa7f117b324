# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from botocore.exceptions import ClientError

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


def listener(port, *actions):
    return {"Port": port, "ListenerArn": f"arn:{port}", "DefaultActions": list(actions)}


LOGIN = {"Type": "authenticate-oidc"}
HTTP, TO_A = listener(80, forward("a")), listener(443, forward("a"))
REDIRECTING = listener(80, lb.REDIRECT)


@pytest.mark.parametrize(
    ("there", "heir", "ports", "actions"),
    [
        ([], 80, [], [lb.NO_SERVICE]),
        ([HTTP], 80, [], [lb.NO_SERVICE]),
        ([HTTP], 443, [80], [forward("a")]),
        ([HTTP], 8080, [80], [forward("a")]),
        ([REDIRECTING, TO_A], 443, [], [lb.NO_SERVICE]),
        ([REDIRECTING, TO_A], 80, [443], [forward("a")]),
        ([HTTP, TO_A], 8080, [443, 80], [forward("a")]),
        ([REDIRECTING, listener(443, LOGIN, forward("a"))], 80, [443], [lb.NO_SERVICE]),
        ([listener(80, lb.NO_SERVICE)], 443, [80], [lb.NO_SERVICE]),
        ([HTTP, listener(443, lb.NO_SERVICE)], 8080, [443, 80], [forward("a")]),
    ],
)
def test_whose_place_a_listener_takes_and_what_it_takes_over(there, heir, ports, actions):
    listeners = {x["Port"]: x for x in there}
    assert lb.predecessors(listeners, heir) == ports
    assert lb.inherited(listeners, heir) == actions


def heir(port, *actions, new=False, **inherits):
    """A listener that takes the place of others; `inherits` are those by port, and whether they stay."""
    made = {**listener(port, *actions), "Inherits": {f"arn:{p[1:]}": stays for p, stays in inherits.items()}}
    return {**made, "ListenerArn": None} if new else made


FREE, LOGGED_IN = listener(443, lb.NO_SERVICE), listener(443, LOGIN, forward("b"))


@pytest.mark.parametrize(
    ("there", "port", "others", "http_port", "left"),
    [
        ([], 80, [], None, []),
        ([HTTP], 80, [], None, [HTTP]),
        ([HTTP], 443, [], None, [REDIRECTING, heir(443, forward("a"), new=True, p80=True)]),
        ([HTTP], 8080, [], None, [heir(8080, forward("a"), new=True, p80=False)]),
        ([REDIRECTING, TO_A], 443, [], None, [REDIRECTING, TO_A]),
        ([REDIRECTING, TO_A], 80, [], None, [heir(80, forward("a"), p443=False)]),
        ([REDIRECTING], 80, [], None, [listener(80, lb.NO_SERVICE)]),
        ([REDIRECTING], 443, [], None, [REDIRECTING]),
        # Somebody else's stay as they are, and give nothing.
        ([HTTP, LOGGED_IN], 8080, [443], None, [LOGGED_IN, heir(8080, forward("a"), new=True, p80=False)]),
        ([LOGGED_IN], 8080, [443], None, [LOGGED_IN]),
        # A run that was killed after it had made the one that services are to hang on.
        ([HTTP, TO_A], 443, [], None, [REDIRECTING, heir(443, forward("a"), p80=True)]),
        ([HTTP, FREE], 443, [], None, [REDIRECTING, heir(443, forward("a"), p80=True)]),
        ([HTTP, LOGGED_IN], 443, [], None, [REDIRECTING, heir(443, LOGIN, forward("b"), p80=True)]),
        ([HTTP, TO_A], 80, [], None, [heir(80, forward("a"), p443=False)]),
        ([HTTP, listener(8080, forward("a"))], 8080, [], None, [heir(8080, forward("a"), p80=False)]),
        # The HTTP listener's port is changed together with the certificate, and under it.
        ([HTTP], 443, [], 8080, [heir(443, forward("a"), new=True, p80=False)]),
        ([REDIRECTING, TO_A], 443, [], 8080, [TO_A]),
        ([REDIRECTING, TO_A], 443, [], 80, [REDIRECTING, TO_A]),
        # One that nobody tagged is the load balancer's where it is to keep it.
        ([HTTP], 443, [80], 80, [REDIRECTING, heir(443, forward("a"), new=True, p80=True)]),
    ],
)
def test_what_check_mode_foresees_of_the_listeners(there, port, others, http_port, left):
    ours = [x["Port"] for x in there if x["Port"] not in others]
    assert lb.foreseen({x["Port"]: x for x in there}, port, ours, http_port) == {x["Port"]: x for x in left}


def path_rule(*paths, to="a", **more):
    conditions = [{"Field": "path-pattern", "PathPatternConfig": {"Values": list(paths)}}]
    return {"Conditions": conditions, "Actions": [{"Type": "forward", "TargetGroupArn": to}], **more}


OLD_FORM = {"Field": "path-pattern", "Values": ["/b", "/a"]}
HEADER = {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "n", "Values": ["v"]}}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (path_rule("/a", "/b"), path_rule("/b", "/a"), True),
        (path_rule("/a", "/b"), path_rule(Conditions=[OLD_FORM], Actions=[forward("a")]), True),
        (path_rule("/a"), path_rule("/a", "/b"), False),
        (path_rule("/a"), path_rule("/a", to="b"), False),
        (path_rule(Conditions=[HEADER, OLD_FORM]), path_rule(Conditions=[OLD_FORM, HEADER]), True),
        (path_rule(Conditions=[HEADER, OLD_FORM]), path_rule(Conditions=[OLD_FORM]), False),
        (path_rule("/a", Actions=[lb.NO_SERVICE]), path_rule("/a", Actions=[{**lb.NO_SERVICE, "Order": 1}]), True),
        (path_rule("/a", Actions=[forward("a", "b")]), path_rule("/a", Actions=[forward("a", "c")]), False),
        (path_rule("/a", Transforms=[{"Type": "url-rewrite"}]), path_rule("/a"), False),
    ],
)
def test_same_rule(one, other, same):
    assert lb.same_rule(one, other) is same
    assert lb.same_rule(other, one) is same


class Tags:
    """DescribeTags, of which all but `there` are gone."""

    def __init__(self, there, code="RuleNotFound"):
        self.there, self.code, self.calls = there, code, []

    def describe_tags(self, ResourceArns):
        self.calls.append(ResourceArns)
        if set(ResourceArns) - set(self.there):
            raise ClientError({"Error": {"Code": self.code, "Message": "One or more not found"}}, "DescribeTags")
        return {"TagDescriptions": [{"ResourceArn": a, "Tags": [{"Key": "n", "Value": a}]} for a in ResourceArns]}


ARNS = [f"rule-{n}" for n in range(23)]


@pytest.mark.parametrize(
    ("gone", "calls"), [([], 2), (["rule-22"], 6), (["rule-7"], 11), (["rule-0", "rule-19"], 18), (ARNS, 44)]
)
def test_tags_of_leaves_out_what_is_gone(gone, calls):
    there = [a for a in ARNS if a not in gone]
    elbv2 = Tags(there)
    assert lb.tags_of(elbv2, ARNS) == {a: {"n": a} for a in there}
    assert len(elbv2.calls) <= calls and all(len(c) <= 20 for c in elbv2.calls)


def test_tags_of_a_load_balancer_that_is_gone_are_a_failure():
    with pytest.raises(ClientError, match="LoadBalancerNotFound"):
        lb.tags_of(Tags([], "LoadBalancerNotFound"), ["balancer", "rule"])
    assert lb.tags_of(Tags([]), []) == {}


def test_a_copied_rule_has_its_conditions_in_one_form():
    rule = {
        "RuleArn": "arn:rule",
        "Priority": "7",
        "Conditions": [
            {"Field": "path-pattern", "Values": ["/a"], "PathPatternConfig": {"Values": ["/a"]}},
            {"Field": "host-header", "Values": ["h"]},
            {"Field": "http-header", "Values": [], "HttpHeaderConfig": {"HttpHeaderName": "n", "Values": ["v"]}},
        ],
        "Actions": [forward("a")],
        "IsDefault": False,
    }
    assert lb.copied_rule(rule, {"k": "v"}) == {
        "Priority": 7,
        "Conditions": [
            {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/a"]}},
            {"Field": "host-header", "Values": ["h"]},
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "n", "Values": ["v"]}},
        ],
        "Actions": [forward("a")],
        "Tags": [{"Key": "k", "Value": "v"}],
    }
    assert lb.copied_rule({**rule, "Transforms": [{"Type": "url-rewrite"}]}, {}).keys() >= {"Transforms"}
    assert "Tags" not in lb.copied_rule(rule, {})
