# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not happen: foreign things touched, the wrong account written to, bad values let through."""

import json

import pytest
from account import inventory
from site_names import CLUSTER

WRONG = {
    "load_balancer_name": "a" * 33,
    "task_definition_container_port": 70000,
    "target_group_health_check_path": "actuator/health",
    "service_minimum_healthy_percent": 100,
    "service_maximum_percent": 100,
    "task_definition_cpu": "32768",
    "task_definition_memory": "131072",
    "network_mode": "existing",
    "network_vpc_id": "vpc-0123456789abcdef0",
    "network_subnet_ids": ["subnet-0123456789abcdef0"],
    "instances_type": "t9.enormous",
    "build_project_branch": "a branch",
    "build_project_cache_bucket": "Not_A_Bucket",
    "build_project_timeout": 1,
    "pipeline_deploy_timeout": 90,
    "service_task_definition": "latest",
    "service_scaling_max": 1,
    "service_scaling_target": 0,
    "instance_scaling_target": 0,
    "monitoring_error_threshold": 200,
    "monitoring_topic_name": "not a topic",
}


def test_bad_values_get_one_report_before_any_write(site):
    run = site.play("site.yml", "-e", json.dumps(WRONG), fails=True)
    for variable in set(WRONG) - {"service_minimum_healthy_percent", "network_mode", "network_vpc_id"}:
        assert variable in run.messages, variable
    assert "nothing was written" in run.messages
    assert site.calls_since(0)["mutating"] == 0 and inventory(site.aws) == []


@pytest.mark.parametrize("playbook", ["site.yml", "playbooks/network.yml", "teardown.yml", "playbooks/teardown_service.yml"])
@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"aws_account_id": "999999999999"}, ["your credentials belong to 123456789012"]),
        ({"aws_account_id": "", "aws_region": ""}, ["aws_account_id", "aws_region"]),
    ],
)
def test_the_wrong_account_or_region_is_refused(site, playbook, wrong, said):
    run = site.play(playbook, "-e", json.dumps({**wrong, "teardown_confirm": True}), fails=True)
    assert all(each in run.messages for each in said)
    assert site.calls_since(0)["mutating"] == 0


def test_teardown_asks_first(site):
    site.play("playbooks/image.yml")
    run = site.play("teardown.yml", fails=True)
    assert "Nothing was deleted" in run.messages
    assert inventory(site.aws) == ["repository petclinic-rest"]


def foreign(aws):
    """Things under our names that carry no tag of ours: {how the refusal calls it: who makes it}."""
    ec2, iam = aws("ec2"), aws("iam")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2]
    theirs = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [theirs]})
    container = [{"name": "theirs", "image": "theirs", "memory": 8}]
    return {
        "security group": lambda: ec2.create_security_group(GroupName="petclinic-rest-alb-sg", Description="theirs", VpcId=vpc),
        "key pair": lambda: ec2.create_key_pair(KeyName="petclinic"),
        "load balancer": lambda: aws("elbv2").create_load_balancer(Name="petclinic-rest-alb", Subnets=subnets),
        "target group": lambda: aws("elbv2").create_target_group(Name="petclinic-rest-target", Protocol="HTTP", Port=80, VpcId=vpc),
        "cluster": lambda: aws("ecs").create_cluster(clusterName=CLUSTER),
        "ECR repository": lambda: aws("ecr").create_repository(repositoryName="petclinic-rest"),
        "log group": lambda: aws("logs").create_log_group(logGroupName="/ecs/petclinic-rest-task"),
        "IAM role": lambda: iam.create_role(RoleName="petclinic-rest-ecs-instance-role", AssumeRolePolicyDocument=trust),
        "bucket": lambda: aws("s3").create_bucket(
            Bucket="handson-codebuild-cache-store",
            CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"},
        ),
        "topic": lambda: aws("sns").create_topic(Name="petclinic-rest-alarms"),
        "task definition": lambda: aws("ecs").register_task_definition(family="petclinic-rest-task", containerDefinitions=container),
    }


@pytest.mark.parametrize(
    "kinds",
    [
        # One that stops the cluster, and beside it one that stops the service.
        ("security group", "ECR repository"),
        ("key pair", "log group"),
        ("load balancer", "task definition"),
        ("cluster", "bucket"),
        ("IAM role",),
        ("target group",),
        ("topic",),
    ],
    ids=" and ".join,
)
def test_a_foreign_thing_is_refused_and_survives_run_and_teardown(site, kinds):
    make = foreign(site.aws)
    for kind in kinds:
        make[kind]()
    theirs = inventory(site.aws)
    assert len(theirs) == len(kinds)
    run = site.play("site.yml", fails=True)
    for kind in kinds:
        said = [r["msg"] for r in run.results if r["status"] == "failed" and f"The {kind} " in r["msg"]]
        assert len(said) == 1 and "is not ours" in said[0] and "It was not touched" in said[0], run.messages
    down = site.play("teardown.yml", "-e", "teardown_confirm=true")
    assert down.text.count("is left alone") >= len(kinds)
    assert inventory(site.aws) == theirs
