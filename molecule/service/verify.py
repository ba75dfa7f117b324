# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Two services, their target groups, and their places on the listener."""

from readback import Expectations, client, pages, tags_of, values

CLUSTER = "molecule-service-cluster"
ecs, elbv2, expect = client("ecs"), client("elbv2"), Expectations()
api, web = ecs.describe_services(
    cluster=CLUSTER, services=["molecule-api-service", "molecule-web-service"], include=["TAGS"]
)["services"]

# --- target groups
groups = {g["TargetGroupName"]: g for g in pages("elbv2", "describe_target_groups", "TargetGroups")}
expect.equal("target groups", sorted(groups), ["molecule-api-target", "molecule-web-target"])
expect.contains(
    "target group of the instances",
    groups["molecule-api-target"],
    {
        "Protocol": "HTTP",
        "Port": 80,
        "TargetType": "instance",
        "HealthCheckPath": "/api/health",
        "HealthCheckIntervalSeconds": 6,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 2,
        "Matcher": {"HttpCode": "200"},
    },
)
expect.contains("target group on Fargate", groups["molecule-web-target"], {"TargetType": "ip", "HealthCheckPath": "/"})
arns = {name: group["TargetGroupArn"] for name, group in groups.items()}
for name, delay in (("molecule-api-target", "5"), ("molecule-web-target", "60")):
    attributes = values(elbv2.describe_target_group_attributes(TargetGroupArn=arns[name])["Attributes"])
    expect.equal(f"deregistration delay of {name}", attributes["deregistration_delay.timeout_seconds"], delay)
    tags = tags_of(elbv2.describe_tags(ResourceArns=[arns[name]])["TagDescriptions"][0]["Tags"])
    service = name.replace("-target", "-service")
    expect.contains(f"tags of {name}", tags, {"handson:cluster": CLUSTER, "handson:service": service})

# --- listener: two rules, and 404 for the rest
balancer = expect.only("load balancers", pages("elbv2", "describe_load_balancers", "LoadBalancers"))
found = pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=balancer["LoadBalancerArn"])
listener = expect.only("listeners", found)
rules = {r["Priority"]: r for r in elbv2.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]}
expect.equal("priorities", sorted(rules), ["10", "20", "default"])
expect.equal("default action", rules["default"]["Actions"][0]["Type"], "fixed-response")
for priority, target in (("10", "molecule-api-target"), ("20", "molecule-web-target")):
    action = expect.only(f"actions of rule {priority}", rules[priority]["Actions"])
    forwarded = action.get("TargetGroupArn") or action["ForwardConfig"]["TargetGroups"][0]["TargetGroupArn"]
    expect.equal(f"target of rule {priority}", forwarded, arns[target])
    expect.only(f"conditions of rule {priority}", rules[priority]["Conditions"])


def condition(priority: str, kind: str) -> list[str]:
    """The values of a rule's only condition."""
    only = rules[priority]["Conditions"][0]
    expect.equal(f"field of rule {priority}", only["Field"], kind)
    key = {"path-pattern": "PathPatternConfig", "host-header": "HostHeaderConfig"}[kind]
    return sorted(only.get(key, {}).get("Values") or only["Values"])


expect.equal("paths", condition("10", "path-pattern"), ["/api", "/api/*"])
expect.equal("host names", condition("20", "host-header"), ["web.example.com"])

# --- services
for service, count, task in ((api, 2, "molecule-api-task:1"), (web, 1, "molecule-web-task:1")):
    name = service["serviceName"]
    expect.contains(
        name,
        service,
        {
            "status": "ACTIVE",
            "schedulingStrategy": "REPLICA",
            "desiredCount": count,
            "runningCount": count,
            "propagateTags": "SERVICE",
        },
    )
    expect.equal(f"revision of {name}", service["taskDefinition"].rsplit("/", 1)[-1], task)
    deployment = expect.only(f"deployments of {name}", service["deployments"])
    expect.equal(f"roll-out of {name}", deployment["rolloutState"], "COMPLETED")
    balanced = expect.only(f"load balancers of {name}", service["loadBalancers"])
    expect.equal(f"target group of {name}", balanced["targetGroupArn"], arns[name.replace("-service", "-target")])
    expect.equal(f"container of {name}", balanced["containerName"], name.replace("-service", "-app"))
    expect.contains(f"tags of {name}", tags_of(service["tags"]), {"handson:cluster": CLUSTER, "handson:service": name})
    breaker = service["deploymentConfiguration"]["deploymentCircuitBreaker"]
    expect.contains(f"circuit breaker of {name}", breaker, {"enable": True, "rollback": True})
    health = elbv2.describe_target_health(TargetGroupArn=balanced["targetGroupArn"])["TargetHealthDescriptions"]
    expect.equal(f"targets of {name}", [h["TargetHealth"]["State"] for h in health], ["healthy"] * count)

expect.contains("service on instances", api, {"launchType": "EC2", "healthCheckGracePeriodSeconds": 30})
expect.contains(
    "how it is replaced", api["deploymentConfiguration"], {"minimumHealthyPercent": 50, "maximumPercent": 100}
)
expect.equal("its port", api["loadBalancers"][0]["containerPort"], 3000)
expect.equal(
    "where its tasks go",
    [(p["type"], p["field"]) for p in api["placementStrategy"]],
    [("spread", "attribute:ecs.availability-zone"), ("spread", "instanceId")],
)

expect.contains("service on Fargate", web, {"launchType": "FARGATE", "healthCheckGracePeriodSeconds": 60})
expect.contains(
    "how it is replaced", web["deploymentConfiguration"], {"minimumHealthyPercent": 100, "maximumPercent": 200}
)
expect.equal("its port", web["loadBalancers"][0]["containerPort"], 8080)
expect.equal("its placement", web.get("placementStrategy", []), [])
network = web["networkConfiguration"]["awsvpcConfiguration"]
subnets = pages("ec2", "describe_subnets", "Subnets", SubnetIds=network["subnets"])
own = {v["VpcId"] for v in pages("ec2", "describe_vpcs", "Vpcs") if not v["IsDefault"]}
expect.equal("its VPC", {s["VpcId"] for s in subnets}, own)
expect.equal("VPC of the load balancer", {balancer["VpcId"]}, own)
expect.equal("VPC of the target groups", {g["VpcId"] for g in groups.values()}, own)
expect.holds("its zones", len({s["AvailabilityZone"] for s in subnets}) >= 2, network["subnets"])
names = [
    g["GroupName"] for g in client("ec2").describe_security_groups(GroupIds=network["securityGroups"])["SecurityGroups"]
]
expect.equal("its security groups", names, ["molecule-service-ecs-instance-sg"])
expect.equal("its public address", network["assignPublicIp"], "ENABLED")
expect.finish()
