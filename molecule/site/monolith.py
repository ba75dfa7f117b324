# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Every name and number of Break the Monolith, module 2 and its next module; and nothing else is in the account.

What needs a running container (step 7: `/`, `/api/users` and so on) can't be asked here.
"""

import stack_made
from readback import Expectations, client, pages, tags_of, values

CLUSTER = "BreakTheMonolith-Demo"
RULES = {"users": ("1", "/api/users*"), "threads": ("2", "/api/threads*"), "posts": ("3", "/api/posts*")}
SERVICES = ["api", *RULES]
PETCLINIC = "petclinic-rest"
ecs, elbv2, expect = client("ecs"), client("elbv2"), Expectations()

# --- steps 1 and 2: the stack, and the cluster that it made
outputs = stack_made.look_at(expect, stack_made.Wanted(CLUSTER, CLUSTER))

# --- step 3: task definitions, and their images
registries = pages("ecr", "describe_repositories", "repositories")
expect.equal("registries", sorted(r["repositoryName"] for r in registries), sorted([PETCLINIC, *SERVICES]))
for name in SERVICES:
    task = ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]
    expect.contains(f"task definition {name}", task, {"family": name, "revision": 1, "networkMode": "bridge"})
    expect.equal("its launch type", task["requiresCompatibilities"], ["EC2"])
    expect.equal("its size, which the container has alone", (task.get("cpu"), task.get("memory")), (None, None))
    container = expect.only(f"containers of {name}", task["containerDefinitions"])
    image = f"123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/{name}:v1"
    expect.contains("its container", container, {"name": name, "image": image, "cpu": 256, "memory": 256})
    expect.equal("its soft limit", container.get("memoryReservation"), None)
    port = expect.only(f"ports of {name}", container["portMappings"])
    expect.contains("its port", port, {"hostPort": 0, "containerPort": 3000})

# --- step 4: target groups
groups = {g["TargetGroupName"]: g for g in pages("elbv2", "describe_target_groups", "TargetGroups")}
expect.equal("target groups", sorted(groups), sorted([f"{PETCLINIC}-target", *SERVICES]))
for name in SERVICES:
    expect.contains(
        f"target group {name}",
        groups[name],
        {
            "Protocol": "HTTP",
            "Port": 80,
            "TargetType": "instance",
            "VpcId": outputs["VPCId"],
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 2,
            "HealthCheckTimeoutSeconds": 5,
            "HealthCheckIntervalSeconds": 6,
            "HealthCheckPath": "/",
        },
    )
arns = {name: group["TargetGroupArn"] for name, group in groups.items()}


def forwarded(actions: list) -> str:
    """The target group of a rule's only action."""
    action = expect.only("actions", actions)
    return action.get("TargetGroupArn") or action["ForwardConfig"]["TargetGroups"][0]["TargetGroupArn"]


# --- step 5: the listener, with one rule for each part of the monolith
found = pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=outputs["ALBArn"])
listener = expect.only("listeners", found)
expect.contains("listener", listener, {"Protocol": "HTTP", "Port": 80})
expect.equal("what it forwards to", forwarded(listener["DefaultActions"]), arns["api"])
rules = {r["Priority"]: r for r in pages("elbv2", "describe_rules", "Rules", ListenerArn=listener["ListenerArn"])}
expect.equal("priorities", sorted(rules), ["1", "2", "3", "default"])
for name, (priority, path) in RULES.items():
    rule = rules[priority]
    expect.equal(f"what rule {priority} forwards to", forwarded(rule["Actions"]), arns[name])
    # One condition alone: the one that kept requests away until the service was steady is gone.
    condition = expect.only(f"conditions of rule {priority}", rule["Conditions"])
    expect.equal(f"field of rule {priority}", condition["Field"], "path-pattern")
    paths = condition.get("PathPatternConfig", {}).get("Values") or condition["Values"]
    expect.equal(f"paths of rule {priority}", paths, [path])
    tags = tags_of(elbv2.describe_tags(ResourceArns=[rule["RuleArn"]])["TagDescriptions"][0]["Tags"])
    expect.contains(f"owner of rule {priority}", tags, {"handson:cluster": CLUSTER, "handson:service": name})

# --- step 6 and the next module: the services
names = [arn.rsplit("/", 1)[-1] for arn in pages("ecs", "list_services", "serviceArns", cluster=CLUSTER)]
expect.equal("services", sorted(names), sorted(SERVICES))
for service in ecs.describe_services(cluster=CLUSTER, services=SERVICES, include=["TAGS"])["services"]:
    name = service["serviceName"]
    expect.contains(
        f"service {name}",
        service,
        {
            "status": "ACTIVE",
            "launchType": "EC2",
            "schedulingStrategy": "REPLICA",
            "desiredCount": 1,
            "runningCount": 1,
        },
    )
    expect.equal(f"revision of {name}", service["taskDefinition"].rsplit("/", 1)[-1], f"{name}:1")
    deployment = expect.only(f"deployments of {name}", service["deployments"])
    expect.equal(f"roll-out of {name}", deployment["rolloutState"], "COMPLETED")
    balanced = expect.only(f"load balancers of {name}", service["loadBalancers"])
    target = {"targetGroupArn": arns[name], "containerName": name, "containerPort": 3000}
    expect.contains(f"target of {name}", balanced, target)
    expect.contains(f"tags of {name}", tags_of(service["tags"]), {"handson:cluster": CLUSTER, "handson:service": name})
    health = elbv2.describe_target_health(TargetGroupArn=arns[name])["TargetHealthDescriptions"]
    expect.equal(f"targets of {name}", [h["TargetHealth"]["State"] for h in health], ["healthy"])
    attributes = values(elbv2.describe_target_group_attributes(TargetGroupArn=arns[name])["Attributes"])
    expect.contains(f"deregistration delay of {name}", attributes, {"deregistration_delay.timeout_seconds": "60"})

# --- both tutorials, and no more: each kind of thing is there as often as they name it
clusters = [arn.rsplit("/", 1)[-1] for arn in pages("ecs", "list_clusters", "clusterArns")]
expect.equal("clusters", sorted(clusters), [CLUSTER, f"{PETCLINIC}-cluster"])
balancers = [b["LoadBalancerName"] for b in pages("elbv2", "describe_load_balancers", "LoadBalancers")]
expect.equal("load balancers", sorted(balancers), [f"{CLUSTER}-alb", f"{PETCLINIC}-alb"])
families = [arn.rsplit("/", 1)[-1] for arn in pages("ecs", "list_task_definitions", "taskDefinitionArns")]
expect.equal("task definitions", sorted(families), sorted([f"{PETCLINIC}-task:1", *(f"{n}:1" for n in SERVICES)]))
logs = [g["logGroupName"] for g in pages("logs", "describe_log_groups", "logGroups")]
petclinics = [f"/aws/codebuild/{PETCLINIC}-build", f"/ecs/{PETCLINIC}-task"]
expect.equal("log groups", sorted(logs), sorted([*petclinics, *(f"/ecs/{n}" for n in SERVICES)]))
keys = [k["KeyName"] for k in client("ec2").describe_key_pairs()["KeyPairs"]]
expect.equal("key pairs", keys, ["petclinic"])
templates = [t["LaunchTemplateName"] for t in pages("ec2", "describe_launch_templates", "LaunchTemplates")]
expect.equal("launch templates", sorted(templates), [f"{CLUSTER}-ecs-instances", f"{PETCLINIC}-ecs-instances"])
# Nothing of this tutorial is built, deployed, watched or scaled: sections 5 to 7 are petclinic's.
expect.equal("build projects", pages("codebuild", "list_projects", "projects"), [f"{PETCLINIC}-build"])
pipelines = [p["name"] for p in pages("codepipeline", "list_pipelines", "pipelines")]
expect.equal("pipelines", pipelines, [f"{PETCLINIC}-codepipeline"])
buckets = [b["Name"] for b in client("s3").list_buckets()["Buckets"]]
expect.equal("buckets", sorted(buckets), ["handson-codebuild-cache-store", f"{PETCLINIC}-codepipeline-handson"])
topics = [t["TopicArn"].rsplit(":", 1)[-1] for t in pages("sns", "list_topics", "Topics")]
expect.equal("topics", topics, [f"{PETCLINIC}-alarms"])
rules = [r["Name"] for r in client("events").list_rules()["Rules"]]
expect.equal("event rules", rules, [f"{PETCLINIC}-cluster-failed-deployments"])
dashboards = [d["DashboardName"] for d in client("cloudwatch").list_dashboards()["DashboardEntries"]]
expect.equal("dashboards", dashboards, [PETCLINIC])
alarms = pages("cloudwatch", "describe_alarms", "MetricAlarms")
# Three of the cluster, four of the service, and two for each of the two policies.
expect.equal("alarms", len(alarms), 3 + 4 + 2 + 2)
expect.equal("alarms of others", [a["AlarmName"] for a in alarms if PETCLINIC not in a["AlarmName"]], [])
targets = pages("application-autoscaling", "describe_scalable_targets", "ScalableTargets", ServiceNamespace="ecs")
expect.equal("scalable targets", len(targets), 1)
expect.equal("VPCs", len(pages("ec2", "describe_vpcs", "Vpcs")), 2)
expect.finish()
