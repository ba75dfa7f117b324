# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from ansible_collections.handson.ecs.plugins.module_utils.security_groups import (
    flat_rules,
    rule_changes,
    rule_texts,
    rule_to_aws,
    rules_from_aws,
)

WORLD = ["0.0.0.0/0"]


@pytest.mark.parametrize(
    ("rule", "texts"),
    [
        ({"ports": "80", "cidrs": WORLD}, ["tcp 80 from 0.0.0.0/0"]),
        ({"protocol": "tcp", "from_port": 80, "cidrs": WORLD}, ["tcp 80 from 0.0.0.0/0"]),
        ({"ports": "32768-65535", "groups": ["alb-sg"]}, ["tcp 32768-65535 from sg alb-sg"]),
        (
            {"protocol": "udp", "from_port": 1, "to_port": 2, "cidrs_ipv6": ["2001:DB8::1/32"]},
            ["udp 1-2 from 2001:db8::/32"],
        ),
        ({"protocol": "all", "groups": ["b", "a"]}, ["all from sg a", "all from sg b"]),
        ({"protocol": "-1", "groups": ["a"]}, ["all from sg a"]),
        ({"protocol": "icmp", "cidrs": WORLD}, ["icmp from 0.0.0.0/0"]),
        ({"protocol": "icmp", "from_port": 8, "cidrs": WORLD}, ["icmp type 8 from 0.0.0.0/0"]),
        ({"protocol": "icmp", "from_port": 3, "to_port": 4, "cidrs": WORLD}, ["icmp type 3 code 4 from 0.0.0.0/0"]),
        (
            {"ports": "22", "cidrs": ["10.1.2.3/16", "192.0.2.7"]},
            ["tcp 22 from 10.1.0.0/16", "tcp 22 from 192.0.2.7/32"],
        ),
        ({"ports": "80", "cidrs": WORLD, "description": "web"}, ["tcp 80 from 0.0.0.0/0 (web)"]),
        ({"ports": "80", "cidrs": ["10.0.0.1/8", "10.0.0.0/8"]}, ["tcp 80 from 10.0.0.0/8"]),
    ],
)
def test_a_rule_and_back(rule, texts):
    flat = flat_rules([rule])
    assert rule_texts(flat) == texts
    ids = {"a": "sg-a", "b": "sg-b", "alb-sg": "sg-alb"}
    permissions = [rule_to_aws(r, ids) for r in flat]
    assert rules_from_aws(permissions, {i: n for n, i in ids.items()}) == flat


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"cidrs": WORLD}, "tcp needs ports"),
        ({"ports": "http", "cidrs": WORLD}, "ports is 'http'"),
        ({"ports": "90-80", "cidrs": WORLD}, "wrong way round"),
        ({"ports": "65536", "cidrs": WORLD}, "within 0-65535"),
        ({"ports": "80", "from_port": 80, "cidrs": WORLD}, "both ports and from_port"),
        ({"protocol": "all", "ports": "80", "cidrs": WORLD}, "takes no ports"),
        ({"ports": "80"}, "no source"),
        ({"ports": "80", "cidrs": ["10.0.0/8"]}, "'10.0.0/8', which is no CIDR"),
        ({"ports": "80", "cidrs": ["::/0"]}, "which is IPv6"),
    ],
)
def test_a_wrong_rule_is_named(rule, said):
    with pytest.raises(ValueError, match=f"rule 2 is wrong.*{said}"):
        flat_rules([{"ports": "443", "cidrs": WORLD}, rule])


def test_one_rule_with_two_descriptions_is_refused():
    with pytest.raises(ValueError, match="twice"):
        flat_rules([{"ports": "80", "cidrs": WORLD, "description": d} for d in ("a", "b")])


def test_what_is_not_known_by_name_is_shown_by_id():
    permissions = [
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-1", "UserId": "1"}, {"GroupId": "sg-2"}]},
        {"IpProtocol": "6", "FromPort": 443, "ToPort": 443, "PrefixListIds": [{"PrefixListId": "pl-1"}]},
        {
            "IpProtocol": "icmp",
            "FromPort": -1,
            "ToPort": -1,
            "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "x"}],
        },
    ]
    texts = rule_texts(rules_from_aws(permissions, {"sg-1": "alb-sg"}))
    assert texts == [
        "all from sg alb-sg",
        "all from sg sg-2",
        "icmp from 10.0.0.0/8 (x)",
        "tcp 443 from prefix list pl-1",
    ]


def test_changes_are_the_rules_that_differ():
    def rules(*of):
        return flat_rules([{"ports": p, "cidrs": WORLD, "description": d} for p, d in of])

    add, describe, revoke = rule_changes(
        rules(("80", ""), ("22", "a"), ("443", "b")), rules(("443", "c"), ("8080", ""), ("80", ""))
    )
    assert [rule_texts(r) for r in (add, describe, revoke)] == [
        ["tcp 8080 from 0.0.0.0/0"],
        ["tcp 443 from 0.0.0.0/0 (c)"],
        ["tcp 22 from 0.0.0.0/0 (a)"],
    ]
    assert rule_changes(rules(("80", ""), ("22", "")), rules(("22", ""), ("80", ""))) == ([], [], [])
