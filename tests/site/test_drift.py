# SPDX-License-Identifier: GPL-3.0-or-later
"""Change one value: check shows just that, apply changes just that, the next run nothing. Delete one thing: the same."""

import json

import pytest
from account import inventory, listener, load_balancer, security_group, service, target_group
from ansible_collections.handson.ecs.plugins.module_utils.load_balancers import NO_SERVICE
from site_names import CLUSTER, SERVICE

TASK, SVC = "task definition petclinic-rest-task", f"service {SERVICE}"
#: what to say with --extra-vars, and what changes
VALUES = {
    "environment": ({"task_definition_environment": {"SPRING_PROFILES_ACTIVE": "mysql"}}, [SVC, TASK]),
    "task memory": ({"task_definition_memory": "900"}, [SVC, TASK]),
    "health check path": ({"target_group_health_check_path": "/health"}, ["target group petclinic-rest-target"]),
    "deregistration delay": ({"target_group_deregistration_delay": 30}, ["target group petclinic-rest-target"]),
    "minimum healthy percent": ({"service_minimum_healthy_percent": 50}, [SVC]),
    "grace period": ({"service_health_check_grace_period": 90}, [SVC]),
    "security group rule": ({"security_groups_ssh_cidrs": ["203.0.113.7/32"]}, ["security group petclinic-rest-ecs-instance-sg"]),
    "instance type": ({"instances_type": "t2.large"}, ["launch template petclinic-rest-ecs-instances"]),
    "instance count": ({"instances_count": 3, "instances_max": 3}, ["auto scaling group petclinic-rest-ecs-instances"]),
    "log retention": ({"task_definition_log_retention_days": 7}, ["log group /ecs/petclinic-rest-task"]),
    "lifecycle": ({"registry_keep_images": 5}, ["ECR repository petclinic-rest"]),
    "idle timeout": ({"load_balancer_idle_timeout": 120}, ["load balancer petclinic-rest-alb"]),
    "container insights": ({"cluster_container_insights": "enabled"}, [f"cluster {CLUSTER}"]),
    "secret": (
        {"task_definition_secrets": {"DB": "arn:aws:ssm:ap-southeast-1:123456789012:parameter/db"}},
        ["IAM role petclinic-rest-task-execution-role", SVC, TASK],
    ),
}


def test_one_value_is_one_change(site):
    """The changes add up, so that each check also shows that the change before it has settled."""
    site.play("site.yml")
    so_far = {}
    for what, (values, things) in VALUES.items():
        so_far |= values
        extra = ("-e", json.dumps(so_far))
        start = site.calls()
        checked = site.play("site.yml", "--check", "--diff", *extra)
        assert checked.things == sorted(things), (what, checked.changes)
        assert site.calls_since(start)["mutating"] == 0, what
        assert all(d["before"] != d["after"] for r in checked.results for d in r["diffs"]), what
        applied = site.play("site.yml", *extra)
        assert applied.things == sorted(things), (what, applied.changes)
    start = site.calls()
    again = site.play("site.yml", "-e", json.dumps(so_far))
    assert again.changed == 0, again.changes
    assert site.calls_since(start)["mutating"] == 0


def test_a_deleted_thing_is_repaired_and_nothing_else(site):
    site.play("site.yml")
    whole = inventory(site.aws)
    aws = site.aws
    ec2, ecs, elbv2, iam = aws("ec2"), aws("ecs"), aws("elbv2"), aws("iam")

    def delete_listener():
        elbv2.delete_listener(ListenerArn=listener(aws)["ListenerArn"])

    def delete_target_group():
        elbv2.modify_listener(ListenerArn=listener(aws)["ListenerArn"], DefaultActions=[NO_SERVICE])
        elbv2.delete_target_group(TargetGroupArn=target_group(aws)["TargetGroupArn"])

    def delete_service():
        ecs.delete_service(cluster=CLUSTER, service=SERVICE, force=True)

    def delete_role():
        iam.delete_role_policy(RoleName="petclinic-rest-task-execution-role", PolicyName="start-tasks")
        iam.delete_role(RoleName="petclinic-rest-task-execution-role")

    def delete_ssh_rule():
        group = security_group(aws, "petclinic-rest-ecs-instance-sg")
        rule = next(p for p in group["IpPermissions"] if p["IpProtocol"] == "tcp")
        ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[rule])

    def delete_load_balancer():
        elbv2.delete_load_balancer(LoadBalancerArn=load_balancer(aws)["LoadBalancerArn"])

    def delete_group():
        name = "petclinic-rest-ecs-instances"
        aws("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)

    rule = "listener rule petclinic-rest-alb:80 default"
    balancer, group = "load balancer petclinic-rest-alb", "target group petclinic-rest-target"
    scaling = "auto scaling group petclinic-rest-ecs-instances"
    for delete, things in (
        (delete_ssh_rule, ["security group petclinic-rest-ecs-instance-sg"]),
        (delete_listener, [rule, balancer]),
        (delete_target_group, [rule, SVC, group]),
        (delete_load_balancer, [rule, balancer]),
        (delete_service, [SVC]),
        (delete_role, ["IAM role petclinic-rest-task-execution-role"]),
        (lambda: aws("logs").delete_log_group(logGroupName="/ecs/petclinic-rest-task"), ["log group /ecs/petclinic-rest-task"]),
        (lambda: aws("ecr").delete_repository(repositoryName="petclinic-rest", force=True), ["ECR repository petclinic-rest"]),
        (lambda: ec2.delete_key_pair(KeyName="petclinic"), ["key pair petclinic"]),
        (delete_group, [scaling]),
        (
            lambda: ec2.delete_launch_template(LaunchTemplateName="petclinic-rest-ecs-instances"),
            # The group refers to its template by id, and the new one has another.
            [scaling, "launch template petclinic-rest-ecs-instances"],
        ),
    ):
        delete()
        assert site.play("site.yml").things == sorted(things), delete
        assert site.play("site.yml").changed == 0, delete
    assert [x for x in inventory(aws) if not x.startswith(("instance", "volume"))] == [
        x for x in whole if not x.startswith(("instance", "volume"))
    ]
    assert service(aws)["runningCount"] == 2


@pytest.mark.parametrize("flags", [(), ("--check",)])
def test_a_count_that_a_scaler_set_is_kept(site, flags):
    keep = ("-e", '{"service_desired_count": "keep", "instances_count": "keep", "instances_max": 4}')
    site.play("site.yml", "-e", "instances_max=4")
    site.aws("ecs").update_service(cluster=CLUSTER, service=SERVICE, desiredCount=4)
    name = "petclinic-rest-ecs-instances"
    site.aws("autoscaling").set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=3)
    assert site.play("site.yml", *keep, *flags).changed == 0
    assert service(site.aws)["desiredCount"] == 4
