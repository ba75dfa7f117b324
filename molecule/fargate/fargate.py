# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What several of this scenario's scripts hold against the account."""

from readback import client, pages, tags_of

CLUSTER, SERVICE = "petclinic-rest-cluster", "petclinic-rest-service"
OWNER = {"handson:cluster": CLUSTER, "handson:service": SERVICE}


def group_named(name):
    """The security group of that name, or None."""
    named = [{"Name": "group-name", "Values": [name]}]
    found = pages("ec2", "describe_security_groups", "SecurityGroups", Filters=named)
    return found[0] if found else None


def check_service(expect, port, count):
    """Expect a steady service on Fargate whose tasks listen on `port`, and let in nobody but the load balancer."""
    ecs, elbv2 = client("ecs"), client("elbv2")
    service = ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
    expect.contains(
        "service",
        service,
        {"status": "ACTIVE", "launchType": "FARGATE", "desiredCount": count, "runningCount": count},
    )
    expect.equal("placement", service.get("placementStrategy", []), [])
    deployment = expect.only("deployments", service["deployments"])
    expect.equal("roll-out", deployment["rolloutState"], "COMPLETED")

    # --- network
    network = service["networkConfiguration"]["awsvpcConfiguration"]
    vpc = next(v["VpcId"] for v in pages("ec2", "describe_vpcs", "Vpcs") if v["IsDefault"])
    default = [s["SubnetId"] for s in pages("ec2", "describe_subnets", "Subnets") if s["VpcId"] == vpc]
    expect.equal("subnets", sorted(network["subnets"]), sorted(default))
    expect.equal("public address", network["assignPublicIp"], "ENABLED")
    group, front = group_named("petclinic-rest-task-sg"), group_named("petclinic-rest-alb-sg")
    expect.equal("security groups", network["securityGroups"], [group["GroupId"]])
    expect.equal("VPC of the group", group["VpcId"], vpc)
    expect.contains("tags of the group", tags_of(group["Tags"]), OWNER)
    rule = expect.only("rules of the group", group["IpPermissions"])
    expect.contains("rule", rule, {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": []})
    expect.equal("who may come in", [p["GroupId"] for p in rule["UserIdGroupPairs"]], [front["GroupId"]])

    # --- targets: the tasks' own addresses
    balanced = expect.only("load balancers", service["loadBalancers"])
    expect.equal("container's port", balanced["containerPort"], port)
    target = elbv2.describe_target_groups(TargetGroupArns=[balanced["targetGroupArn"]])["TargetGroups"][0]
    expect.contains("target group", target, {"TargetType": "ip", "VpcId": vpc})
    health = elbv2.describe_target_health(TargetGroupArn=balanced["targetGroupArn"])["TargetHealthDescriptions"]
    health = [h for h in health if h["TargetHealth"]["State"] != "draining"]
    expect.equal("states of the targets", [h["TargetHealth"]["State"] for h in health], ["healthy"] * count)
    tasks = pages("ecs", "list_tasks", "taskArns", cluster=CLUSTER, serviceName=SERVICE)
    tasks = ecs.describe_tasks(cluster=CLUSTER, tasks=tasks)["tasks"]
    expect.equal("launch types of the tasks", [t["launchType"] for t in tasks], ["FARGATE"] * count)
    details = [d for t in tasks for a in t["attachments"] for d in a["details"]]
    addresses = [(d["value"], port) for d in details if d["name"] == "privateIPv4Address"]
    expect.equal(
        "addresses of the targets", sorted((h["Target"]["Id"], h["Target"]["Port"]) for h in health), sorted(addresses)
    )
