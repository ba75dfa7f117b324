# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import Failed, contract, run

from ansible_collections.handson.ecs.plugins.module_utils import names

OWNER = {"handson:cluster": "petclinic-rest-cluster"}
NAME = "petclinic-rest-vpc"
OPTIONS = {"name": NAME, "owner": OWNER}
SELECTOR = {"mode": "create", "name": NAME, "owner": OWNER}
ZONES = ["ap-southeast-1a", "ap-southeast-1b", "ap-southeast-1c"]


def tags_of(thing):
    return {t["Key"]: t["Value"] for t in thing.get("Tags", [])}


@pytest.fixture
def read(aws):
    """What there is in the account beside its default VPC, or None."""

    def read():
        ec2 = aws("ec2")
        vpcs = [v for v in ec2.describe_vpcs()["Vpcs"] if not v["IsDefault"]]
        ids = {v["VpcId"] for v in vpcs}
        tables = [t for t in ec2.describe_route_tables()["RouteTables"] if t["VpcId"] in ids and t.get("Tags")]
        gateways = [g for g in ec2.describe_internet_gateways()["InternetGateways"] if tags_of(g)]
        subnets = [s for s in ec2.describe_subnets()["Subnets"] if s["VpcId"] in ids]
        if not (vpcs or tables or gateways or subnets):
            return None
        vpc_id = next(iter(ids), None)
        names_on = vpc_id and ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsHostnames")
        return {
            "vpcs": vpcs,
            "subnets": {s["CidrBlock"]: s for s in subnets},
            "gateways": gateways,
            "tables": tables,
            "names": names_on and names_on["EnableDnsHostnames"]["Value"],
        }

    return read


def test_contract(read):
    three = ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]
    contract(
        "network",
        OPTIONS,
        read,
        changes=[
            ({"subnet_cidrs": three}, lambda n: sorted(n["subnets"]), three),
            ({"subnet_cidrs": three[:2]}, lambda n: sorted(n["subnets"]), three[:2]),
            (
                {"tags": {"team": "vets"}},
                lambda n: [
                    tags_of(t).get("team") for t in (*n["vpcs"], *n["gateways"], *n["tables"], *n["subnets"].values())
                ],
                ["vets"] * 5,
            ),
        ],
    )


def test_what_it_makes_is_public_in_two_zones_and_ours(aws, read):
    result = run("network", **OPTIONS)["network"]
    there = read()
    assert [(s["CidrBlock"], s["AvailabilityZone"], s["MapPublicIpOnLaunch"]) for s in there["subnets"].values()] == [
        ("10.0.0.0/24", ZONES[0], True),
        ("10.0.1.0/24", ZONES[1], True),
    ]
    (vpc,), (gateway,), (table,) = there["vpcs"], there["gateways"], there["tables"]
    assert there["names"] and gateway["Attachments"][0]["VpcId"] == vpc["VpcId"] == result["id"]
    routes = {r["DestinationCidrBlock"]: r.get("GatewayId") for r in table["Routes"]}
    assert routes["0.0.0.0/0"] == gateway["InternetGatewayId"]
    assert {a["SubnetId"] for a in table["Associations"]} == set(result["subnet_ids"])
    for thing in (vpc, gateway, table, *there["subnets"].values()):
        assert OWNER.items() <= tags_of(thing).items() and tags_of(thing)["Name"].startswith(NAME)


def test_the_other_modules_find_it_by_its_name(aws):
    result = run("network", **OPTIONS)["network"]
    assert names.vpc_id(aws("ec2"), SELECTOR) == result["id"]
    assert [s["id"] for s in names.subnets(aws("ec2"), SELECTOR)] == result["subnet_ids"]


def test_a_foreign_subnet_in_our_vpc_is_not_used(aws):
    result = run("network", **OPTIONS)["network"]
    zone = {"CidrBlock": "10.0.9.0/24", "AvailabilityZone": ZONES[2]}
    theirs = aws("ec2").create_subnet(VpcId=result["id"], **zone)["Subnet"]["SubnetId"]
    assert [s["id"] for s in names.subnets(aws("ec2"), SELECTOR)] == result["subnet_ids"]
    existing = {"mode": "existing", "vpc_id": result["id"], "owner": OWNER}
    assert theirs in [s["id"] for s in names.subnets(aws("ec2"), existing)]


def test_check_on_an_empty_account_shows_everything(aws):
    with recorded() as calls:
        result = run("network", check=True, **OPTIONS)
    assert result["changed"] and result["diff"]["before"] == {}
    after = result["diff"]["after"]
    assert [s["availability_zone"] for s in after["subnets"].values()] == ZONES[:2]
    assert after["internet_gateway"] == "attached"
    assert operations(calls) == ["DescribeVpcs", "DescribeInternetGateways", "DescribeAvailabilityZones"]


def test_an_unchanged_run_makes_five_calls(aws):
    run("network", **OPTIONS)
    with recorded() as calls:
        assert not run("network", **OPTIONS)["changed"]
    assert sorted(operations(calls)) == [
        "DescribeInternetGateways", "DescribeRouteTables", "DescribeSubnets", "DescribeVpcAttribute", "DescribeVpcs",
    ]  # fmt: skip


WRITES = [
    "CreateVpc", "ModifyVpcAttribute", "CreateInternetGateway", "AttachInternetGateway", "CreateRouteTable",
    "CreateRoute", "CreateSubnet", "ModifySubnetAttribute", "AssociateRouteTable",
]  # fmt: skip


def stop_after(operation):
    """The call goes through, and the run dies before the next one."""

    def answer(real, parameters):
        real()
        raise error("InternalError", "stopped here", operation)

    return answer


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("then", ["present", "absent"])
def test_an_interrupted_run_goes_on_or_is_torn_down(aws, read, operation, then):
    with recorded(**{operation: stop_after(operation)}), pytest.raises(Failed):
        run("network", **OPTIONS)
    if then == "absent":
        assert run("network", **OPTIONS, state="absent")["changed"]
        assert read() is None
        assert not run("network", **OPTIONS, state="absent")["changed"]
        return
    assert run("network", **OPTIONS)["changed"]
    there = read()
    counted = [len(there[k]) for k in ("vpcs", "subnets", "gateways", "tables")]
    assert counted == [1, 2, 1, 1]
    assert not run("network", **OPTIONS)["changed"]


@pytest.mark.parametrize(
    "operation", ["DeleteSubnet", "DetachInternetGateway", "DeleteInternetGateway", "DeleteRouteTable"]
)
def test_an_interrupted_teardown_goes_on(aws, read, operation):
    run("network", **OPTIONS)
    with recorded(**{operation: stop_after(operation)}), pytest.raises(Failed):
        run("network", **OPTIONS, state="absent")
    assert run("network", **OPTIONS, state="absent")["changed"]
    assert read() is None


@pytest.mark.parametrize("operation", ["CreateVpc", "CreateInternetGateway", "CreateRouteTable"])
def test_a_lost_reply_leaves_nothing_twice(aws, read, operation):
    """The SDK repeats a call whose answer got lost, and these have nothing by which AWS would notice."""
    with recorded(**{operation: lambda real, parameters: (real(), real())[1]}):
        run("network", **OPTIONS)
    run("network", **OPTIONS)
    there = read()
    assert [len(there[k]) for k in ("vpcs", "subnets", "gateways", "tables")] == [1, 2, 1, 1]
    assert not run("network", **OPTIONS)["changed"]


def test_a_vpc_may_show_its_tags_late(aws, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hidden = ["look", "look"]

    def late(real, parameters):
        found = real()
        if "VpcIds" not in parameters and found["Vpcs"] and hidden:
            hidden.pop()
            return {"Vpcs": []}
        return found

    with recorded(DescribeVpcs=late):
        assert run("network", **OPTIONS)["changed"]
    assert not hidden and not run("network", **OPTIONS)["changed"]


def test_a_lost_reply_to_a_subnet_finds_the_subnet(aws, read):
    made = []

    def twice(real, parameters):
        if made:
            return real()
        made.append(real())
        raise error("InvalidSubnet.Conflict", "conflicts with another subnet", "CreateSubnet")

    with recorded(CreateSubnet=twice):
        run("network", **OPTIONS)
    assert len(read()["subnets"]) == 2


def test_twins_are_torn_down_both(aws, read):
    run("network", **OPTIONS)
    tags = [{"Key": k, "Value": v} for k, v in {**OWNER, "Name": NAME}.items()]
    aws("ec2").create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}])
    checked = run("network", check=True, **OPTIONS)
    assert checked["changed"] and len(checked["diff"]["before"]["doubles"]) == 1
    assert run("network", **OPTIONS, state="absent")["changed"]
    assert read() is None


def test_drift_is_mended(aws, read):
    run("network", **OPTIONS)
    ec2, there = aws("ec2"), read()
    gateway, table = there["gateways"][0]["InternetGatewayId"], there["tables"][0]["RouteTableId"]
    subnet = there["subnets"]["10.0.0.0/24"]["SubnetId"]
    vpc = there["vpcs"][0]["VpcId"]
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
    ec2.disassociate_route_table(AssociationId=there["tables"][0]["Associations"][0]["RouteTableAssociationId"])
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
    checked = run("network", check=True, **OPTIONS)["diff"]
    assert {k for k in checked["after"] if checked["before"][k] != checked["after"][k]} == {
        "dns_hostnames", "internet_gateway", "internet_route", "subnets",
    }  # fmt: skip
    assert run("network", **OPTIONS)["changed"]
    assert not run("network", **OPTIONS)["changed"]


def test_a_foreign_vpc_of_the_name_is_refused_and_not_deleted(aws, read):
    tags = [{"Key": "Name", "Value": NAME}]
    aws("ec2").create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}])
    for check in (True, False):
        with pytest.raises(Failed, match="(?s)not ours.*network_name.*existing"):
            run("network", check=check, **OPTIONS)
    absent = run("network", **OPTIONS, state="absent")
    assert not absent["changed"] and absent["foreign"]
    assert read()["subnets"] == {} and len(read()["vpcs"]) == 1


def test_others_things_in_it_stay_and_are_named(aws, read):
    vpc = run("network", **OPTIONS)["network"]["id"]
    aws("ec2").create_security_group(GroupName="theirs", Description="d", VpcId=vpc)
    aws("ec2").create_subnet(VpcId=vpc, CidrBlock="10.0.9.0/24")
    assert not run("network", **OPTIONS)["changed"]
    with pytest.raises(Failed, match="(?s)theirs.*10.0.9.0/24.*Nothing of it was deleted"):
        run("network", **OPTIONS, state="absent")
    assert len(read()["subnets"]) == 3 and len(read()["gateways"]) == 1


def test_a_foreign_subnet_in_the_way_is_named(aws):
    vpc = run("network", **OPTIONS)["network"]["id"]
    aws("ec2").create_subnet(VpcId=vpc, CidrBlock="10.0.9.0/24")
    with pytest.raises(Failed, match="(?s)10.0.9.0/24.*not ours.*network_subnet_cidrs"):
        run("network", **{**OPTIONS, "subnet_cidrs": ["10.0.0.0/24", "10.0.1.0/24", "10.0.9.0/24"]})


def test_network_interfaces_of_a_deleted_load_balancer_are_waited_for(aws, read, monkeypatch):
    run("network", **OPTIONS)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    refusals = [error("DependencyViolation", "has dependencies", "DeleteSubnet")] * 3

    def linger(real, parameters):
        if refusals:
            raise refusals.pop()
        return real()

    with recorded(DeleteSubnet=linger):
        assert run("network", **OPTIONS, state="absent")["changed"]
    assert read() is None


def test_what_stays_in_use_is_named(aws):
    subnet = run("network", **OPTIONS)["network"]["subnet_ids"][0]
    aws("ec2").create_network_interface(SubnetId=subnet, Description="ELB app/theirs")

    def refuse(real, parameters):
        raise error("DependencyViolation", "has dependencies and cannot be deleted.", "DeleteSubnet")

    with recorded(DeleteSubnet=refuse), pytest.raises(Failed, match="(?s)still in use after 0 s.*ELB app/theirs"):
        run("network", **OPTIONS, state="absent", delete_timeout=0)


def test_zones_can_be_named_but_not_changed(aws, read):
    run("network", **OPTIONS, availability_zones=[ZONES[2], ZONES[0]])
    assert read()["subnets"]["10.0.0.0/24"]["AvailabilityZone"] == ZONES[2]
    assert not run("network", **OPTIONS)["changed"]  # none named: they stay where they are
    with pytest.raises(Failed, match="cannot move a subnet"):
        run("network", **OPTIONS, availability_zones=ZONES[:2])


def test_each_subnet_has_a_zone_of_its_own(aws, read):
    with pytest.raises(Failed, match="one zone, .*a load balancer takes one subnet of a zone"):
        run("network", **OPTIONS, availability_zones=[ZONES[0], ZONES[0]])
    assert read() is None


def test_the_block_is_immutable(aws):
    run("network", **OPTIONS)
    options = {**OPTIONS, "cidr": "10.9.0.0/16", "subnet_cidrs": ["10.9.0.0/24", "10.9.1.0/24"]}
    with pytest.raises(Failed, match="cidr is '10.0.0.0/16' and would become '10.9.0.0/16'"):
        run("network", **options)


def test_impossible_values_fail_before_anything(aws, read):
    with pytest.raises(Failed, match="two zones. Name at least two"):
        run("network", **OPTIONS, subnet_cidrs=["10.0.0.0/24"])
    assert read() is None
