# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils import networks as its

TWO = ["10.0.0.0/24", "10.0.1.0/24"]
A, B, C = (f"ap-southeast-1{z}" for z in "abc")


def test_a_possible_network():
    its.check("10.0.0.0/16", TWO, [])
    its.check("10.0.0.0/16", TWO, [A, B])


@pytest.mark.parametrize(
    ("cidr", "subnets", "zones", "said"),
    [
        ("10.0.0.0/8", TWO, [], "/16 to /28"),
        ("10.0.0.1/16", TWO, [], "the block is 10.0.0.0/16"),
        ("10.0.0.0/16", ["10.0.0.0/24"], [], "two"),
        ("10.0.0.0/16", ["10.0.0.0/24", "10.1.0.0/24"], [], "outside"),
        ("10.0.0.0/16", ["10.0.0.0/24", "10.0.0.128/25"], [], "overlap"),
        ("10.0.0.0/16", ["10.0.0.0/24", "10.0.1.0/29"], [], "/16 to /28"),
        ("10.0.0.0/16", TWO, [A], "1 zones for 2 subnets"),
        ("10.0.0.0/16", TWO, [A, A], "one zone, ap-southeast-1a"),
        ("10.0.0.0/16", [*TWO, "10.0.2.0/24"], [A, B, A], "one zone, ap-southeast-1a"),
        ("10.0.0.0", TWO, [], "network_cidr is '10.0.0.0'. A CIDR block looks like"),
        ("fd00::/16", TWO, [], "IPv4"),
    ],
)
def test_an_impossible_network(cidr, subnets, zones, said):
    with pytest.raises(ValueError, match=said):
        its.check(cidr, subnets, zones)


@pytest.mark.parametrize(
    ("cidrs", "there", "zones", "chosen"),
    [
        (["1", "2"], {}, [A, B, C], {"1": A, "2": B}),
        (["1", "2", "3"], {}, [A, B, C], {"1": A, "2": B, "3": C}),
        (["1", "2", "3"], {"2": A}, [A, B, C], {"1": B, "2": A, "3": C}),
        (["1", "2"], {"2": A}, [A, B], {"1": B, "2": A}),
        (["1", "2"], {"1": B, "2": C}, [], {"1": B, "2": C}),
        (["1", "2"], {"1": A, "gone": B}, [A, B], {"1": A, "2": B}),
    ],
)
def test_zones_for(cidrs, there, zones, chosen):
    assert its.zones_for(cidrs, there, zones) == chosen


@pytest.mark.parametrize(
    ("cidrs", "there", "zones", "said"),
    [
        (["1", "2"], {}, [A], "1 availability zones for 2 subnets"),
        (["1", "2", "3"], {}, [A, B], "2 availability zones for 3 subnets"),
        (["1", "2", "3"], {"1": A, "2": A}, [A, B, C], f"one zone, {A},"),
    ],
)
def test_fewer_zones_than_subnets(cidrs, there, zones, said):
    with pytest.raises(ValueError, match=said):
        its.zones_for(cidrs, there, zones)


def test_every_fault_is_told():
    faults = list(its.faults("x", ["10.0.0.0/24", "y"], [A, A]))
    assert [f[0] for f in faults] == ["network_cidr", "network_subnet_cidrs", "network_availability_zones"]
    assert all(problem and remedy for _variable, _value, problem, remedy in faults)


def test_first_zones():
    zones = [
        {"ZoneName": B, "State": "available", "ZoneType": "availability-zone", "OptInStatus": "opt-in-not-required"},
        {"ZoneName": A, "State": "available", "ZoneType": "availability-zone", "OptInStatus": "opted-in"},
        {"ZoneName": C, "State": "impaired", "ZoneType": "availability-zone"},
        {"ZoneName": "local", "State": "available", "ZoneType": "local-zone", "OptInStatus": "opted-in"},
        {"ZoneName": "new", "State": "available", "ZoneType": "availability-zone", "OptInStatus": "not-opted-in"},
    ]
    assert its.first_zones(zones) == [A, B]


def test_route_tables():
    main = {"RouteTableId": "m", "Associations": [{"Main": True, "RouteTableAssociationId": "x"}]}
    used = {
        "RouteTableId": "u",
        "Associations": [{"Main": False, "SubnetId": "s", "RouteTableAssociationId": "a"}],
        "Routes": [{"DestinationCidrBlock": "10.0.0.0/16"}, {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "g"}],
    }
    empty = {"RouteTableId": "a", "Associations": []}
    assert its.is_main(main) and not its.is_main(used) and not its.is_main(empty)
    assert its.associated(used) == {"s": "a"} and its.associated(main) == {}
    assert its.default_route(used)["GatewayId"] == "g" and its.default_route(empty) is its.default_route(None) is None
    assert [t["RouteTableId"] for t in its.most_used([empty, used])] == ["u", "a"]


def test_common_tags():
    one = {"Tags": [{"Key": "Name", "Value": "n"}, {"Key": "a", "Value": "1"}, {"Key": "b", "Value": "1"}]}
    two = {"Tags": [{"Key": "Name", "Value": "n"}, {"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}
    assert its.common_tags([one, two]) == {"a": "1"}
    assert its.common_tags([]) == {}
    assert its.ours([one, two], {"b": "2"}) == [two]
