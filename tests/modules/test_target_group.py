# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from modules.harness import IMAGE, Failed, contract, run

OPTIONS = {
    "name": "petclinic-rest-target",
    "load_balancer": "petclinic-rest-alb",
    "deregistration_delay": 60,
    "health_check": {"path": "/actuator/health"},
    "owner": {"handson:cluster": "petclinic-rest-cluster"},
}


@pytest.fixture
def read(aws, alb):
    def read():
        groups = aws("elbv2").describe_target_groups()["TargetGroups"]
        if not groups:
            return None
        arn = groups[0]["TargetGroupArn"]
        attributes = aws("elbv2").describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
        tags = aws("elbv2").describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
        return groups[0] | {a["Key"]: a["Value"] for a in attributes} | {"tags": {t["Key"]: t["Value"] for t in tags}}

    return read


def test_contract(read):
    contract(
        "target_group",
        OPTIONS,
        read,
        changes=[
            ({"deregistration_delay": 30}, lambda g: g["deregistration_delay.timeout_seconds"], "30"),
            ({"health_check": {"path": "/health", "interval": 6, "timeout": 5}}, lambda g: g["HealthCheckPath"], "/health"),
            ({"health_check": {"path": "/health", "matcher": "200-299"}}, lambda g: g["Matcher"]["HttpCode"], "200-299"),
            ({"health_check": {"unhealthy_threshold": 4}}, lambda g: g["UnhealthyThresholdCount"], 4),
            ({"tags": {"team": "vets"}}, lambda g: g["tags"].get("team"), "vets"),
        ],
    )


def test_registered_targets_stay(aws, read):
    run("target_group", **OPTIONS)
    group = aws("elbv2").describe_target_groups()["TargetGroups"][0]
    instance = aws("ec2").run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    aws("elbv2").register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": instance, "Port": 32768}])
    run("target_group", **OPTIONS, tags={"team": "vets"})
    health = aws("elbv2").describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    assert [h["Target"] for h in health] == [{"Id": instance, "Port": 32768}]


def test_a_foreign_group_is_refused_and_not_deleted(aws, alb, read):
    aws("elbv2").create_target_group(Name=OPTIONS["name"], Protocol="HTTP", Port=80, VpcId=alb["VpcId"])
    with pytest.raises(Failed, match="not ours"):
        run("target_group", **OPTIONS)
    absent = run("target_group", **OPTIONS, state="absent")
    assert not absent["changed"] and absent["foreign"]
    assert read()["HealthCheckPath"] == "/"


def test_what_aws_cannot_change_is_refused_with_the_way_out(read):
    run("target_group", **OPTIONS)
    with pytest.raises(Failed, match="target_type is 'instance' and would become 'ip'.*teardown"):
        run("target_group", **{**OPTIONS, "target_type": "ip"})


def test_no_load_balancer_names_the_playbook_that_makes_it(aws):
    with pytest.raises(Failed, match="no load balancer named 'petclinic-rest-alb'.*load_balancer.yml"):
        run("target_group", **OPTIONS)
