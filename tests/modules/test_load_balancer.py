# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from modules.harness import Failed, contract, run

OPTIONS = {
    "name": "petclinic-rest-alb",
    "network": {"mode": "default"},
    "security_groups": ["alb-sg"],
    "owner": {"handson:cluster": "petclinic-rest-cluster"},
}


@pytest.fixture
def groups(aws, default_subnets):
    ec2 = aws("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    return {n: ec2.create_security_group(GroupName=n, Description=n, VpcId=vpc)["GroupId"] for n in ("alb-sg", "second-sg")}


@pytest.fixture
def read(aws, groups):
    def read():
        elbv2 = aws("elbv2")
        found = elbv2.describe_load_balancers()["LoadBalancers"]
        if not found:
            return None
        arn = found[0]["LoadBalancerArn"]
        listeners = elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]
        attributes = elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        return found[0] | {a["Key"]: a["Value"] for a in attributes} | {"listeners": {x["Port"]: x for x in listeners}}

    return read


def certificate(aws):
    return aws("acm").request_certificate(DomainName="petclinic.example.org")["CertificateArn"]


def test_contract(aws, read, groups, default_subnets):
    contract(
        "load_balancer",
        OPTIONS,
        read,
        changes=[
            ({"idle_timeout": 120}, lambda b: b["idle_timeout.timeout_seconds"], "120"),
            ({"security_groups": ["second-sg"]}, lambda b: b["SecurityGroups"], [groups["second-sg"]]),
            (
                {"network": {"mode": "existing", "vpc_id": "v", "subnet_ids": default_subnets[:2]}},
                lambda b: sorted(z["SubnetId"] for z in b["AvailabilityZones"]),
                sorted(default_subnets[:2]),
            ),
            ({"drop_invalid_header_fields": False}, lambda b: b["routing.http.drop_invalid_header_fields.enabled"], "false"),
            ({"listener_port": 8080}, lambda b: sorted(b["listeners"]), [8080]),
            ({"deletion_protection": True}, lambda b: b["deletion_protection.enabled"], "true"),
        ],
    )


def test_a_certificate_makes_https_and_a_redirect_and_its_removal_undoes_both(aws, read):
    run("load_balancer", **OPTIONS)
    assert read()["listeners"][80]["DefaultActions"][0]["Type"] == "fixed-response"
    secure = {**OPTIONS, "certificate_arn": certificate(aws)}
    assert run("load_balancer", **secure)["changed"]
    assert read()["listeners"][80]["DefaultActions"][0]["Type"] == "redirect"
    assert read()["listeners"][443]["Certificates"][0]["CertificateArn"] == secure["certificate_arn"]
    assert not run("load_balancer", **secure)["changed"]
    run("load_balancer", **OPTIONS)
    assert list(read()["listeners"]) == [80]
    assert read()["listeners"][80]["DefaultActions"][0]["Type"] == "fixed-response"


def test_a_service_on_the_listener_is_left_alone(aws, read):
    run("load_balancer", **OPTIONS)
    elbv2 = aws("elbv2")
    group = elbv2.create_target_group(Name="t", Protocol="HTTP", Port=80, VpcId=read()["VpcId"])["TargetGroups"][0]
    forward = [{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}]
    elbv2.modify_listener(ListenerArn=read()["listeners"][80]["ListenerArn"], DefaultActions=forward)
    assert not run("load_balancer", **OPTIONS)["changed"]
    run("load_balancer", **{**OPTIONS, "idle_timeout": 30})
    assert read()["listeners"][80]["DefaultActions"][0]["Type"] == "forward"


def test_a_listener_deleted_by_hand_comes_back(aws, read):
    run("load_balancer", **OPTIONS)
    aws("elbv2").delete_listener(ListenerArn=read()["listeners"][80]["ListenerArn"])
    again = run("load_balancer", **OPTIONS)
    assert again["diff"]["before"]["listeners"] == {} and list(read()["listeners"]) == [80]


def test_a_foreign_load_balancer_is_refused(aws, groups, default_subnets):
    aws("elbv2").create_load_balancer(Name=OPTIONS["name"], Subnets=default_subnets[:2])
    with pytest.raises(Failed, match="not ours"):
        run("load_balancer", **OPTIONS)


def test_a_network_to_be_made_is_known_after_apply(aws, groups):
    options = {**OPTIONS, "network": {"mode": "create", "name": "petclinic-rest-vpc"}}
    checked = run("load_balancer", check=True, **options)
    assert checked["diff"]["after"]["subnets"] == "(known after apply)"
    with pytest.raises(Failed, match="playbooks/network.yml"):
        run("load_balancer", **options)
