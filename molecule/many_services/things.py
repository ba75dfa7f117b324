# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""All that each service has, by its names and by its tags, and who answers on the listener."""

from typing import Any

from botocore.exceptions import ClientError
from readback import client, pages, tags_of, values

CLUSTER, HELD_HEADER = "molecule-monolith-cluster", "X-Handson-Held"
SERVICES = ("api", "users", "threads", "posts", "search")
elbv2 = client("elbv2")


def listener() -> dict[str, Any]:
    """The one listener of the load balancer."""
    balancer = elbv2.describe_load_balancers(Names=["molecule-monolith-alb"])["LoadBalancers"][0]
    return elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"][0]


def rules() -> dict[str, dict[str, Any]]:
    """What the listener does by priority: {forwards to this target group, paths, header that must be there}."""
    groups = pages("elbv2", "describe_target_groups", "TargetGroups")
    names = {g["TargetGroupArn"]: g["TargetGroupName"] for g in groups}
    found = {}
    for rule in elbv2.describe_rules(ListenerArn=listener()["ListenerArn"])["Rules"]:
        action = rule["Actions"][0]
        config = action.get("ForwardConfig") or {"TargetGroups": [action]}
        conditions = {c["Field"]: c for c in rule["Conditions"]}
        found[rule["Priority"]] = {
            "to": names[config["TargetGroups"][0]["TargetGroupArn"]] if action["Type"] == "forward" else None,
            "paths": conditions.get("path-pattern", {}).get("PathPatternConfig", {}).get("Values", []),
            "held": conditions.get("http-header", {}).get("HttpHeaderConfig", {}).get("HttpHeaderName") == HELD_HEADER,
            "tags": tags_of(elbv2.describe_tags(ResourceArns=[rule["RuleArn"]])["TagDescriptions"][0]["Tags"]),
        }
    return found


def healthy(group: str) -> int:
    """How many healthy targets a target group has."""
    found = elbv2.describe_target_groups(Names=[group])["TargetGroups"][0]["TargetGroupArn"]
    targets = elbv2.describe_target_health(TargetGroupArn=found)["TargetHealthDescriptions"]
    return [t["TargetHealth"]["State"] for t in targets].count("healthy")


def _there(call: Any, key: str, *missing: str) -> Any:
    try:
        return call()[key]
    except ClientError as e:
        if e.response["Error"]["Code"] in missing:
            return None
        raise


def of(name: str) -> dict[str, Any]:
    """Everything of one service; empty where it has nothing. What it says of itself goes along, but for its events."""
    ecs, iam = client("ecs"), client("iam")
    found: dict[str, Any] = {}
    services = _there(
        lambda: ecs.describe_services(cluster=CLUSTER, services=[name], include=["TAGS"]),
        "services",
        "ClusterNotFoundException",
    )
    for service in services or []:
        if service["status"] != "INACTIVE":
            found["service"] = {k: v for k, v in service.items() if k != "events"}
            found["tasks"] = sorted(pages("ecs", "list_tasks", "taskArns", cluster=CLUSTER, serviceName=name))
    groups = _there(lambda: elbv2.describe_target_groups(Names=[name]), "TargetGroups", "TargetGroupNotFound")
    if groups:
        arn = groups[0]["TargetGroupArn"]
        found["target group"] = groups[0]
        found["attributes"] = values(elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"])
        found["targets"] = elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    places = {p: r for p, r in rules().items() if name in (r["to"], r["tags"].get("handson:service"))}
    if places:
        found["places"] = places
    for status in ("ACTIVE", "INACTIVE"):
        arns = pages("ecs", "list_task_definitions", "taskDefinitionArns", familyPrefix=name, status=status)
        tasks = [ecs.describe_task_definition(taskDefinition=a)["taskDefinition"] for a in arns]
        if tasks:
            found[f"{status} task definitions"] = tasks
    ecr, logs = client("ecr"), client("logs").describe_log_groups(logGroupNamePrefix=f"/ecs/{name}")["logGroups"]
    kept = {
        "registry": _there(
            lambda: ecr.describe_repositories(repositoryNames=[name]), "repositories", "RepositoryNotFoundException"
        ),
        "log group": [g for g in logs if g["logGroupName"] == f"/ecs/{name}"],
        "role": _there(lambda: iam.get_role(RoleName=f"{name}-task-execution-role"), "Role", "NoSuchEntity"),
    }
    # Not by its names: whatever carries its tag. ECS goes on telling of services and tasks that are gone.
    tagged = pages(
        "resourcegroupstaggingapi",
        "get_resources",
        "ResourceTagMappingList",
        TagFilters=[{"Key": "handson:cluster", "Values": [CLUSTER]}, {"Key": "handson:service", "Values": [name]}],
    )
    arns = [t["ResourceARN"] for t in tagged]
    kept["tagged"] = sorted(a for a in arns if ":task/" not in a and ":service/" not in a)
    return found | {k: v for k, v in kept.items() if v}
