# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Everything that a run can make in an account, thing by thing, to hold two moments against each other.

Ids and times of making are in it on purpose: a thing that was made anew under its old name is a difference.
"""

import contextlib
import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

Things = dict[str, Any]
#: What a thing shows of others, or of the time that passes.
PASSING = {
    "ResponseMetadata", "DriftInformation", "LoadBalancerArns", "RoleLastUsed", "activeServicesCount", "events",
    "lastEventTimestamp", "pendingTasksCount", "registeredContainerInstancesCount", "registeredResources",
    "remainingResources", "runningTasksCount", "statistics", "storedBytes", "updatedAt", "version",
}  # fmt: skip


def snapshot(aws: Callable[[str], Any]) -> Things:
    """Return {thing, such as "service api": what AWS says of it}; `aws` gives the client of a service."""
    things: Things = {}
    for look in (_ec2, _balancing, _ecs, _iam, _delivery, _watching, _rest):
        look(aws, things)
    # As it is read back from a file: times become text.
    return json.loads(json.dumps(things, default=str, sort_keys=True))


def differences(before: Things, after: Things) -> list[str]:
    """The things that came, went or changed, each with a sign: "+ service api", "- …", "~ …"."""
    signs = {k: "~" if k in before and k in after else "-" if k in before else "+" for k in {**before, **after}}
    return sorted(f"{sign} {k}" for k, sign in signs.items() if before.get(k) != after.get(k))


def _kept(thing: Any) -> Any:
    """A thing without what passes, and with lists whose order means nothing sorted."""
    if isinstance(thing, dict):
        return {k: _kept(v) for k, v in thing.items() if k not in PASSING}
    if isinstance(thing, (list, tuple)):
        return sorted((_kept(v) for v in thing), key=lambda v: json.dumps(v, default=str, sort_keys=True))
    return thing


def _all(client: Any, operation: str, key: str, **arguments: Any) -> list[Any]:
    if not client.can_paginate(operation):
        return getattr(client, operation)(**arguments)[key]
    return [item for page in client.get_paginator(operation).paginate(**arguments) for item in page.get(key, [])]


def _ec2(aws: Callable[[str], Any], things: Things) -> None:
    ec2 = aws("ec2")
    for operation, key, kind, name in (
        ("describe_vpcs", "Vpcs", "VPC", "VpcId"),
        ("describe_subnets", "Subnets", "subnet", "SubnetId"),
        ("describe_route_tables", "RouteTables", "route table", "RouteTableId"),
        ("describe_internet_gateways", "InternetGateways", "internet gateway", "InternetGatewayId"),
        ("describe_key_pairs", "KeyPairs", "key pair", "KeyName"),
        ("describe_launch_templates", "LaunchTemplates", "launch template", "LaunchTemplateName"),
        ("describe_volumes", "Volumes", "volume", "VolumeId"),
    ):
        things.update({f"{kind} {x[name]}": _kept(x) for x in _all(ec2, operation, key)})
    for group in _all(ec2, "describe_security_groups", "SecurityGroups"):
        named = group["GroupName"] if group["GroupName"] != "default" else f"default of {group['VpcId']}"
        things[f"security group {named}"] = _kept(group)
    instances = [i for r in _all(ec2, "describe_instances", "Reservations") for i in r["Instances"]]
    things.update({f"instance {i['InstanceId']}": _kept(i) for i in instances if i["State"]["Name"] != "terminated"})
    for group in _all(aws("autoscaling"), "describe_auto_scaling_groups", "AutoScalingGroups"):
        things[f"auto scaling group {group['AutoScalingGroupName']}"] = _kept(group)


def _balancing(aws: Callable[[str], Any], things: Things) -> None:
    elbv2 = aws("elbv2")

    def tags(arn: str) -> Any:
        return _kept(elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"])

    for group in _all(elbv2, "describe_target_groups", "TargetGroups"):
        arn = group["TargetGroupArn"]
        attributes = _kept(elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"])
        health = _kept(elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"])
        seen = {"attributes": attributes, "targets": health, "tags": tags(arn)}
        things[f"target group {group['TargetGroupName']}"] = {**_kept(group), **seen}
    for balancer in _all(elbv2, "describe_load_balancers", "LoadBalancers"):
        arn, name = balancer["LoadBalancerArn"], balancer["LoadBalancerName"]
        attributes = _kept(elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"])
        things[f"load balancer {name}"] = {**_kept(balancer), "attributes": attributes, "tags": tags(arn)}
        for listener in _all(elbv2, "describe_listeners", "Listeners", LoadBalancerArn=arn):
            place = f"{name}:{listener['Port']}"
            things[f"listener {place}"] = _kept(listener)
            for rule in _all(elbv2, "describe_rules", "Rules", ListenerArn=listener["ListenerArn"]):
                if not rule["IsDefault"]:
                    things[f"listener rule {place} {rule['Priority']}"] = {**_kept(rule), "tags": tags(rule["RuleArn"])}


def _ecs(aws: Callable[[str], Any], things: Things) -> None:
    ecs = aws("ecs")
    for arn in _all(ecs, "list_clusters", "clusterArns"):
        name = arn.rsplit("/", 1)[-1]
        wanted = ["ATTACHMENTS", "CONFIGURATIONS", "SETTINGS", "TAGS"]
        things[f"cluster {name}"] = _kept(ecs.describe_clusters(clusters=[arn], include=wanted)["clusters"][0])
        hosts = _all(ecs, "list_container_instances", "containerInstanceArns", cluster=arn)
        if hosts:
            found = ecs.describe_container_instances(cluster=arn, containerInstances=hosts)["containerInstances"]
            things.update({f"container instance of {x['ec2InstanceId']}": _kept(x) for x in found})
        for service in _all(ecs, "list_services", "serviceArns", cluster=arn):
            found = ecs.describe_services(cluster=arn, services=[service], include=["TAGS"])["services"][0]
            tasks = sorted(_all(ecs, "list_tasks", "taskArns", cluster=arn, serviceName=found["serviceName"]))
            things[f"service {found['serviceName']}"] = {**_kept(found), "tasks": tasks}
    for status in ("ACTIVE", "INACTIVE"):
        for arn in _all(ecs, "list_task_definitions", "taskDefinitionArns", status=status):
            described = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
            things[f"task definition {arn.rsplit('/', 1)[-1]}"] = _kept(described)


def _iam(aws: Callable[[str], Any], things: Things) -> None:
    iam = aws("iam")
    for role in _all(iam, "list_roles", "Roles"):
        name = role["RoleName"]
        attached = _kept(_all(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=name))
        inline = {
            policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for policy in _all(iam, "list_role_policies", "PolicyNames", RoleName=name)
        }
        things[f"role {name}"] = {**_kept(role), "attached": attached, "inline": inline}
    for profile in _all(iam, "list_instance_profiles", "InstanceProfiles"):
        things[f"instance profile {profile['InstanceProfileName']}"] = _kept(profile)


def _delivery(aws: Callable[[str], Any], things: Things) -> None:
    s3 = aws("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        name, seen = bucket["Name"], {"objects": s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", [])}
        for what in ("policy", "tagging", "encryption", "lifecycle_configuration"):
            with contextlib.suppress(ClientError):  # it has none
                seen[what] = _kept(getattr(s3, f"get_bucket_{what}")(Bucket=name))
        things[f"bucket {name}"] = {**_kept(bucket), **seen}
    projects = _all(aws("codebuild"), "list_projects", "projects")
    for project in aws("codebuild").batch_get_projects(names=projects)["projects"] if projects else []:
        things[f"build project {project['name']}"] = _kept(project)
    for pipeline in _all(aws("codepipeline"), "list_pipelines", "pipelines"):
        made = aws("codepipeline").get_pipeline(name=pipeline["name"])["pipeline"]
        things[f"pipeline {pipeline['name']}"] = {**made, "updated": pipeline["updated"]}
    for connection in _all(aws("codeconnections"), "list_connections", "Connections"):
        things[f"connection {connection['ConnectionName']}"] = connection


def _watching(aws: Callable[[str], Any], things: Things) -> None:
    sns, events, cloudwatch, scaling = aws("sns"), aws("events"), aws("cloudwatch"), aws("application-autoscaling")
    for topic in _all(sns, "list_topics", "Topics"):
        seen = {"subscriptions": _kept(_all(sns, "list_subscriptions_by_topic", "Subscriptions", **topic))}
        things[f"topic {topic['TopicArn']}"] = {**_kept(sns.get_topic_attributes(**topic)), **seen}
    for rule in _all(events, "list_rules", "Rules"):
        targets = _all(events, "list_targets_by_rule", "Targets", Rule=rule["Name"])
        things[f"rule {rule['Name']}"] = {**_kept(rule), "targets": _kept(targets)}
    things.update({f"alarm {a['AlarmName']}": _kept(a) for a in _all(cloudwatch, "describe_alarms", "MetricAlarms")})
    for dashboard in _all(cloudwatch, "list_dashboards", "DashboardEntries"):
        things[f"dashboard {dashboard['DashboardName']}"] = _kept(dashboard)
    for operation, key, name in (
        ("describe_scalable_targets", "ScalableTargets", "ResourceId"),
        ("describe_scaling_policies", "ScalingPolicies", "PolicyARN"),
    ):
        found = _all(scaling, operation, key, ServiceNamespace="ecs")
        things.update({f"{key} {x[name]}": _kept(x) for x in found})
    for policy in _all(aws("autoscaling"), "describe_policies", "ScalingPolicies"):
        things[f"policy {policy['PolicyARN']}"] = _kept(policy)


def _rest(aws: Callable[[str], Any], things: Things) -> None:
    for repository in _all(aws("ecr"), "describe_repositories", "repositories"):
        things[f"registry {repository['repositoryName']}"] = _kept(repository)
    for group in _all(aws("logs"), "describe_log_groups", "logGroups"):
        things[f"log group {group['logGroupName']}"] = _kept(group)
    for stack in _all(aws("cloudformation"), "describe_stacks", "Stacks"):
        things[f"stack {stack['StackName']}"] = _kept(stack)
