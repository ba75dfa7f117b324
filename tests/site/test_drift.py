# SPDX-License-Identifier: GPL-3.0-or-later
"""Change one value: check shows just that, apply changes just that, the next run nothing. Delete one thing: the same."""

import json

from account import inventory, listener, load_balancer, security_group, service, target_group
from ansible_collections.handson.ecs.plugins.module_utils.load_balancers import NO_SERVICE
from site_names import CLUSTER, SERVICE

INSIGHTS = f"log group /aws/ecs/containerinsights/{CLUSTER}/performance"
TASK, SVC, GROUP = "task definition petclinic-rest-task", f"service {SERVICE}", "target group petclinic-rest-target"
CONTAINER = f"{TASK}: containers.petclinic-rest-app"
TEMPLATE, SCALING = "launch template petclinic-rest-ecs-instances", "auto scaling group petclinic-rest-ecs-instances"
EXECUTION = "IAM role petclinic-rest-task-execution-role"
SECRET = "arn:aws:ssm:ap-southeast-1:123456789012:parameter/db"
PROJECT, PIPELINE = "build project petclinic-rest-build", "pipeline petclinic-rest-codepipeline"
TARGET, POLICY = f"scalable target of the service {SERVICE}", "scaling policy cpu-55percent-policy"
ALARMS, DASHBOARD = f"alarms {SERVICE}/", "dashboard petclinic-rest"
COUNTED_OTHERWISE = ("comparison", "datapoints", "dimensions", "evaluation_periods", "metric", "metrics", "namespace")
COUNTED_OTHERWISE += ("period", "statistic", "threshold")
#: Rounds of what to say with --extra-vars, and of which thing it changes what. Within a round no two change the same.
ROUNDS = (
    (
        ({"target_group_health_check_path": "/health"}, [f"{GROUP}: health_check.path"]),
        ({"target_group_deregistration_delay": 30}, [f"{GROUP}: deregistration_delay"]),
        ({"service_minimum_healthy_percent": 50}, [f"{SVC}: deployment.minimum_healthy_percent"]),
        ({"service_health_check_grace_period": 90}, [f"{SVC}: health_check_grace_period"]),
        ({"security_groups_ssh_cidrs": ["203.0.113.7/32"]}, ["security group petclinic-rest-ecs-instance-sg: rules"]),
        ({"instances_type": "t2.large"}, [f"{TEMPLATE}: instance_type"]),
        ({"instances_max": 5}, [f"{SCALING}: max"]),
        ({"task_definition_log_retention_days": 7}, ["log group /ecs/petclinic-rest-task: retention_days"]),
        ({"registry_keep_images": 5}, ["ECR repository petclinic-rest: keep_images"]),
        ({"load_balancer_idle_timeout": 120}, ["load balancer petclinic-rest-alb: idle_timeout"]),
        (
            {"cluster_container_insights": "enabled"},
            [
                f"cluster {CLUSTER}: container_insights",
                *(f"{INSIGHTS}: {o}" for o in ("name", "retention_days", "tags")),
                # Running tasks are counted now, and before it was healthy ones.
                *(f"{ALARMS}: alarms.{SERVICE}/short-of-tasks.{o}" for o in COUNTED_OTHERWISE),
                f"{DASHBOARD}: body.widgets",
            ],
        ),
        ({"build_project_timeout": 30}, [f"{PROJECT}: timeout"]),
        ({"build_project_cache_days": 7}, ["bucket handson-codebuild-cache-store: lifecycle.expire"]),
        ({"pipeline_deploy_timeout": 20}, [f"{PIPELINE}: stages"]),
        ({"service_scaling_max": 12}, [f"{TARGET}: max"]),
        ({"service_scaling_target": 60}, [f"{TARGET}: policies"]),
        ({"instance_scaling_target": 50}, [f"{POLICY}: target"]),
        ({"monitoring_error_threshold": 10}, [f"{ALARMS}: alarms.{SERVICE}/errors.{o}" for o in ("description", "threshold")]),
    ),
    (
        ({"task_definition_environment": {"SPRING_PROFILES_ACTIVE": "mysql"}}, [f"{CONTAINER}.environment"]),
        ({"task_definition_memory": "900"}, [f"{TASK}: memory"]),
        ({}, [f"{SVC}: task_definition"]),  # goes on to the revision that these two make
    ),
    (
        ({"task_definition_secrets": {"DB": SECRET}}, [f"{CONTAINER}.secrets", f"{EXECUTION}: inline_policies.start-tasks.Statement"]),
        ({}, [f"{SVC}: task_definition"]),
    ),
)


def test_a_changed_value_is_one_change(site):
    """The changes add up, so that each check also shows that the changes before it have settled."""
    site.play("site.yml")
    so_far = {}
    for changes in ROUNDS:
        so_far |= {k: v for given, _values in changes for k, v in given.items()}
        values = sorted(v for _given, changed in changes for v in changed)
        extra = ("-e", json.dumps(so_far))
        start = site.calls()
        checked = site.play("site.yml", "--check", "--diff", *extra)
        assert checked.values == values, checked.changes
        assert site.calls_since(start)["mutating"] == 0
        applied = site.play("site.yml", *extra)
        assert applied.values == values, applied.changes
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

    def delete_small_things():
        """What can go at once, since none of it needs another one to come back."""
        delete_ssh_rule()
        delete_service()
        delete_role()
        aws("logs").delete_log_group(logGroupName="/ecs/petclinic-rest-task")
        aws("ecr").delete_repository(repositoryName="petclinic-rest", force=True)
        ec2.delete_key_pair(KeyName="petclinic")

    def delete_delivery():
        """And what builds, deploys, watches and scales."""
        aws("s3").delete_bucket(Bucket="handson-codebuild-cache-store")
        aws("codebuild").delete_project(name="petclinic-rest-build")
        aws("codepipeline").delete_pipeline(name="petclinic-rest-codepipeline")
        aws("sns").delete_topic(TopicArn="arn:aws:sns:ap-southeast-1:123456789012:petclinic-rest-alarms")
        aws("cloudwatch").delete_alarms(AlarmNames=[f"{SERVICE}/errors", f"{CLUSTER}/cpu-reservation"])
        aws("cloudwatch").delete_dashboards(DashboardNames=["petclinic-rest"])
        aws("application-autoscaling").deregister_scalable_target(
            ServiceNamespace="ecs", ResourceId=f"service/{CLUSTER}/{SERVICE}", ScalableDimension="ecs:service:DesiredCount"
        )
        aws("autoscaling").delete_policy(AutoScalingGroupName="petclinic-rest-ecs-instances", PolicyName="cpu-55percent-policy")

    rule, balancer = "listener rule petclinic-rest-alb:80 default", "load balancer petclinic-rest-alb"
    small = ["security group petclinic-rest-ecs-instance-sg", SVC, EXECUTION, "log group /ecs/petclinic-rest-task"]
    delivery = ["bucket handson-codebuild-cache-store", PROJECT, PIPELINE]
    # Each run also shows that the repair before it has settled. Alarms and dashboard name target group and load balancer
    # by their ids.
    for delete, things in (
        (delete_small_things, [*small, "ECR repository petclinic-rest", "key pair petclinic"]),
        (delete_delivery, [*delivery, ALARMS, f"alarms {CLUSTER}/", DASHBOARD, TARGET, POLICY, "topic petclinic-rest-alarms"]),
        (delete_listener, [rule, balancer]),
        (delete_target_group, [rule, SVC, GROUP, ALARMS, DASHBOARD]),
        (delete_load_balancer, [rule, balancer, ALARMS, f"alarms {CLUSTER}/", DASHBOARD]),
        (delete_group, [SCALING, POLICY]),
        # The group refers to its template by id, and the new one has another.
        (lambda: ec2.delete_launch_template(LaunchTemplateName="petclinic-rest-ecs-instances"), [SCALING, TEMPLATE]),
    ):
        delete()
        repaired = site.play("site.yml")
        assert repaired.things == sorted(things), (delete, repaired.changes)
    assert site.play("site.yml").changed == 0
    assert [x for x in inventory(aws) if not x.startswith(("instance", "volume"))] == [
        x for x in whole if not x.startswith(("instance", "volume"))
    ]
    assert service(aws)["runningCount"] == 2
