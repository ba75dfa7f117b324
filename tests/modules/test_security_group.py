# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import Failed, contract, run

OWNER = {"handson:cluster": "petclinic-rest-cluster"}
WEB = {"ports": "80", "cidrs": ["0.0.0.0/0"]}
SSH = {"ports": "22", "cidrs": ["10.1.2.3/16"], "description": "admins"}
OPTIONS = {"name": "petclinic-rest-alb-sg", "network": {"mode": "default"}, "rules": [WEB, SSH], "owner": OWNER}


def group(aws, name=OPTIONS["name"]):
    found = aws("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])["SecurityGroups"]
    return found[0] if found else None


def lines(found):
    return sorted(
        (
            p["IpProtocol"],
            p.get("FromPort"),
            r.get("CidrIp") or r.get("CidrIpv6") or r.get("GroupId"),
            r.get("Description"),
        )
        for p in found["IpPermissions"]
        for r in p["IpRanges"] + p["Ipv6Ranges"] + p["UserIdGroupPairs"]
    )


def twice(real, parameters):
    """The reply is lost, and the SDK tries again what has been done already."""
    real()
    return real()


def test_contract(aws):
    world = ("tcp", 80, "0.0.0.0/0", None)
    admins = ("tcp", 22, "10.1.0.0/16", "admins")
    contract(
        "security_group",
        OPTIONS,
        lambda: group(aws),
        changes=[
            (
                {"rules": [SSH, WEB, {"ports": "443", "cidrs_ipv6": ["::/0"]}]},
                lines,
                sorted([world, admins, ("tcp", 443, "::/0", None)]),
            ),
            (
                {"rules": [WEB, SSH | {"description": "night shift"}]},
                lines,
                sorted([world, admins[:3] + ("night shift",)]),
            ),
            ({"rules": [{"protocol": "icmp", "cidrs": ["10.0.0.0/8"]}]}, lines, [("icmp", -1, "10.0.0.0/8", None)]),
            ({"rules": []}, lines, []),
            ({"tags": {"team": "vets"}}, lambda g: {t["Key"]: t["Value"] for t in g["Tags"]}.get("team"), "vets"),
        ],
    )


def test_one_changed_rule_is_all_that_the_diff_shows_and_that_is_sent(aws):
    run("security_group", **OPTIONS)
    with recorded() as calls:
        result = run("security_group", **{**OPTIONS, "rules": [WEB, {**SSH, "cidrs": ["10.2.0.0/16"]}]})
    assert result["diff"]["before"]["rules"] == ["tcp 22 from 10.1.0.0/16 (admins)", "tcp 80 from 0.0.0.0/0"]
    assert result["diff"]["after"]["rules"] == ["tcp 22 from 10.2.0.0/16 (admins)", "tcp 80 from 0.0.0.0/0"]
    writes = [c for c in operations(calls) if not c.startswith("Describe")]
    assert writes == ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"]


def test_an_unchanged_run_makes_two_calls(aws):
    run("security_group", **OPTIONS)
    options = {**OPTIONS, "name": "petclinic-rest-ec2-sg", "rules": [{"protocol": "all", "groups": [OPTIONS["name"]]}]}
    run("security_group", **options)
    with recorded() as calls:
        result = run("security_group", **options)
    assert not result["changed"] and operations(calls) == ["DescribeVpcs", "DescribeSecurityGroups"]
    assert result["security_group"]["rules"] == ["all from sg petclinic-rest-alb-sg"]


def test_groups_that_refer_to_each_other_and_themselves_go(aws):
    alb, ec2 = OPTIONS["name"], "petclinic-rest-ec2-sg"
    run("security_group", **OPTIONS)
    run("security_group", **{**OPTIONS, "name": ec2, "rules": [{"protocol": "-1", "groups": [alb, ec2]}]})
    options = {**OPTIONS, "rules": [WEB, {"protocol": "all", "groups": [ec2]}]}
    assert run("security_group", **options)["changed"]
    assert not run("security_group", **options)["changed"]
    assert len(group(aws, ec2)["IpPermissions"][0]["UserIdGroupPairs"]) == 2
    run("security_group", **{**OPTIONS, "rules": []})
    for name in (ec2, alb):
        assert run("security_group", **{**OPTIONS, "name": name}, state="absent")["changed"]
        assert group(aws, name) is None


def test_a_group_that_is_still_used_says_by_what(aws, monkeypatch):
    run("security_group", **OPTIONS)
    busy = [2]

    def refuse(real, parameters):
        if busy[0]:
            busy[0] -= 1
            raise error("DependencyViolation", "has a dependent object")
        return real()

    monkeypatch.setattr("time.sleep", lambda seconds: None)
    subnet = aws("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    card = aws("ec2").create_network_interface(SubnetId=subnet, Groups=[group(aws)["GroupId"]], Description="ELB app/x")
    with recorded(DeleteSecurityGroup=refuse):
        with pytest.raises(Failed, match="still in use.*ELB app/x.*delete_timeout"):
            run("security_group", **OPTIONS, state="absent", delete_timeout=0)
        aws("ec2").delete_network_interface(NetworkInterfaceId=card["NetworkInterface"]["NetworkInterfaceId"])
        assert run("security_group", **OPTIONS, state="absent")["changed"]
    assert busy == [0] and group(aws) is None


def test_a_foreign_group_is_refused_and_not_deleted(aws):
    aws("ec2").create_security_group(GroupName=OPTIONS["name"], Description="theirs")
    with pytest.raises(Failed, match="not ours"):
        run("security_group", **OPTIONS)
    absent = run("security_group", **OPTIONS, state="absent")
    assert not absent["changed"] and absent["foreign"]
    assert group(aws)["Description"] == "theirs" and not group(aws)["IpPermissions"]


def test_a_lost_reply_is_read_back(aws):
    with recorded(CreateSecurityGroup=twice, AuthorizeSecurityGroupIngress=twice):
        assert run("security_group", **OPTIONS)["changed"]
    assert len(lines(group(aws))) == 2
    assert not run("security_group", **OPTIONS)["changed"]


def test_the_description_is_immutable(aws):
    run("security_group", **OPTIONS)
    with pytest.raises(Failed, match="description is 'Managed by handson.ecs' and would become 'other'.*teardown"):
        run("security_group", **OPTIONS, description="other")


def test_what_is_missing(aws):
    referring = {**OPTIONS, "rules": [{"protocol": "all", "groups": ["nobody-sg"]}]}
    with pytest.raises(Failed, match="no security group named 'nobody-sg'.*network.yml"):
        run("security_group", **referring)
    assert group(aws) is None
    assert run("security_group", check=True, **referring)["diff"]["after"]["rules"] == ["all from sg nobody-sg"]
    nowhere = {**referring, "network": {"mode": "create", "name": "nowhere-vpc"}}
    with pytest.raises(Failed, match="no VPC named 'nowhere-vpc'.*network.yml"):
        run("security_group", **nowhere)
    assert run("security_group", check=True, **nowhere)["changed"]
    assert not run("security_group", **nowhere, state="absent")["changed"]


def test_a_wrong_rule_fails_before_anything(aws):
    with pytest.raises(Failed, match="petclinic-rest-alb-sg.*rule 1 is wrong: cidrs has '10.0.0/8'"):
        run("security_group", **{**OPTIONS, "rules": [{"ports": "80", "cidrs": ["10.0.0/8"]}]})


def test_absent_without_a_network_finds_ours_in_any_vpc(aws):
    vpc = aws("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    aws("ec2").create_security_group(GroupName=OPTIONS["name"], Description="theirs")
    run("security_group", **{**OPTIONS, "network": {"mode": "existing", "vpc_id": vpc}})
    assert run("security_group", name=OPTIONS["name"], owner=OWNER, state="absent")["changed"]
    assert group(aws)["Description"] == "theirs"


def test_without_purging_the_rules_of_others_stay_until_a_second_run(aws):
    run("security_group", **OPTIONS)
    other = {**OPTIONS, "rules": [SSH | {"description": "all"}, {"ports": "8080", "cidrs": ["0.0.0.0/0"]}]}
    with recorded() as calls:
        check = run("security_group", check=True, **other, purge_rules=False)
        result = run("security_group", **other, purge_rules=False)
    assert [c for c in operations(calls) if not c.startswith("Describe")] == [
        "AuthorizeSecurityGroupIngress",
        "UpdateSecurityGroupRuleDescriptionsIngress",
    ]
    assert check["extra_rules"] == result["extra_rules"] == ["tcp 80 from 0.0.0.0/0"]
    assert check["diff"] == result["diff"] and "tcp 80 from 0.0.0.0/0" in result["diff"]["after"]["rules"]
    again = run("security_group", **other, purge_rules=False)
    assert not again["changed"] and again["extra_rules"] == result["extra_rules"]
    assert run("security_group", **other)["changed"]
    assert run("security_group", **other, purge_rules=False)["extra_rules"] == []
    assert [port for _protocol, port, *_ in lines(group(aws))] == [22, 8080]
    assert "extra_rules" not in run("security_group", **other)


def test_without_rules_and_without_purging_nothing_is_extra(aws):
    run("security_group", **OPTIONS)
    result = run("security_group", **{**OPTIONS, "rules": None}, purge_rules=False)
    assert not result["changed"] and result["extra_rules"] == []
