# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the account by boto3, and take things away by hand."""

from __future__ import annotations

import re

from site_names import CLUSTER, SERVICE

#: What an alarm of a target tracking policy has at the end of its name.
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def inventory(aws) -> list[str]:
    """Everything a run makes that is in the account now, ours or not: what must be empty after a teardown."""
    ec2, iam, ecs, elbv2 = aws("ec2"), aws("iam"), aws("ecs"), aws("elbv2")
    left = [f"stack {s['StackName']}" for s in aws("cloudformation").describe_stacks()["Stacks"]]
    left += [f"VPC {v['CidrBlock']}" for v in ec2.describe_vpcs()["Vpcs"] if not v["IsDefault"]]
    left += [f"security group {g['GroupName']}" for g in ec2.describe_security_groups()["SecurityGroups"] if g["GroupName"] != "default"]
    left += [f"key {k['KeyName']}" for k in ec2.describe_key_pairs()["KeyPairs"]]
    left += [f"launch template {t['LaunchTemplateName']}" for t in ec2.describe_launch_templates()["LaunchTemplates"]]
    left += [
        f"instance {i['InstanceId']}"
        for r in ec2.describe_instances()["Reservations"]
        for i in r["Instances"]
        if i["State"]["Name"] != "terminated"
    ]
    left += [f"volume {v['VolumeId']}" for v in ec2.describe_volumes()["Volumes"]]
    left += [f"group {g['AutoScalingGroupName']}" for g in aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]]
    left += [f"load balancer {b['LoadBalancerName']}" for b in elbv2.describe_load_balancers()["LoadBalancers"]]
    left += [f"target group {g['TargetGroupName']}" for g in elbv2.describe_target_groups()["TargetGroups"]]
    left += [f"role {r['RoleName']}" for r in iam.list_roles()["Roles"] if not r["Path"].startswith("/aws-service-role/")]
    left += [f"profile {p['InstanceProfileName']}" for p in iam.list_instance_profiles()["InstanceProfiles"]]
    left += [f"repository {r['repositoryName']}" for r in aws("ecr").describe_repositories()["repositories"]]
    left += [f"log group {g['logGroupName']}" for g in aws("logs").describe_log_groups()["logGroups"]]
    left += [f"bucket {b['Name']}" for b in aws("s3").list_buckets()["Buckets"]]
    left += [f"build project {name}" for name in aws("codebuild").list_projects()["projects"]]
    left += [f"pipeline {p['name']}" for p in aws("codepipeline").list_pipelines()["pipelines"]]
    left += [f"connection {c['ConnectionName']}" for c in aws("codeconnections").list_connections()["Connections"]]
    left += [f"topic {t['TopicArn'].rsplit(':', 1)[-1]}" for t in aws("sns").list_topics()["Topics"]]
    left += [f"rule {r['Name']}" for r in aws("events").list_rules()["Rules"]]
    left += [f"alarm {UUID.sub('…', a['AlarmName'])}" for a in aws("cloudwatch").describe_alarms()["MetricAlarms"]]
    left += [f"dashboard {d['DashboardName']}" for d in aws("cloudwatch").list_dashboards()["DashboardEntries"]]
    scaling = aws("application-autoscaling")
    left += [f"scalable target {t['ResourceId']}" for t in scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]]
    left += [f"policy {p['PolicyName']}" for p in scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]]
    left += [f"policy {p['PolicyName']}" for p in aws("autoscaling").describe_policies()["ScalingPolicies"]]
    left += [f"cluster {arn.rsplit('/', 1)[-1]}" for arn in ecs.list_clusters()["clusterArns"]]
    for status in ("ACTIVE", "INACTIVE"):
        left += [f"task definition {arn.rsplit('/', 1)[-1]}" for arn in ecs.list_task_definitions(status=status)["taskDefinitionArns"]]
    return sorted(left)


def without_ids(things: list[str]) -> list[str]:
    """Names without what differs from one life to the next: ids, and revisions, which ECS goes on counting."""
    said = (re.sub(r"^(instance|volume) .*", r"\1", re.sub(r"^(task definition .*):\d+$", r"\1", x)) for x in things)
    return sorted(said)


def load_balancer(aws):
    return aws("elbv2").describe_load_balancers(Names=["petclinic-rest-alb"])["LoadBalancers"][0]


def target_group(aws):
    return aws("elbv2").describe_target_groups(Names=["petclinic-rest-target"])["TargetGroups"][0]


def listener(aws):
    return aws("elbv2").describe_listeners(LoadBalancerArn=load_balancer(aws)["LoadBalancerArn"])["Listeners"][0]


def service(aws):
    return aws("ecs").describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]


def security_group(aws, name):
    named = [{"Name": "group-name", "Values": [name]}]
    return aws("ec2").describe_security_groups(Filters=named)["SecurityGroups"][0]
