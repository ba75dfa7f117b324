# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The account is as empty as a new one: asked service by service, by type, whatever the names and tags are."""

from readback import STATE_DIR, Expectations, client, pages

expect = Expectations()


def nothing(kind: str, found: list[str]) -> None:
    """Expect that there is nothing of a kind."""
    expect.equal(f"{kind} left", sorted(found), [])


# --- EC2: a new account has a default VPC with its subnets, route table, gateway and security group
default_vpcs = [v["VpcId"] for v in pages("ec2", "describe_vpcs", "Vpcs") if v["IsDefault"]]
nothing("VPCs", [v["VpcId"] for v in pages("ec2", "describe_vpcs", "Vpcs") if not v["IsDefault"]])
nothing("subnets", [s["SubnetId"] for s in pages("ec2", "describe_subnets", "Subnets") if not s["DefaultForAz"]])
nothing(
    "internet gateways",
    [
        g["InternetGatewayId"]
        for g in pages("ec2", "describe_internet_gateways", "InternetGateways")
        if not {a["VpcId"] for a in g["Attachments"]} & set(default_vpcs)
    ],
)
nothing(
    "route tables",
    [
        t["RouteTableId"]
        for t in pages("ec2", "describe_route_tables", "RouteTables")
        if not any(a.get("Main") for a in t["Associations"]) or t["VpcId"] not in default_vpcs
    ],
)
groups = pages("ec2", "describe_security_groups", "SecurityGroups")
nothing("security groups", [g["GroupName"] for g in groups if g["GroupName"] != "default"])
nothing("key pairs", [k["KeyName"] for k in client("ec2").describe_key_pairs()["KeyPairs"]])
templates = pages("ec2", "describe_launch_templates", "LaunchTemplates")
nothing("launch templates", [t["LaunchTemplateName"] for t in templates])
nothing(
    "instances",
    [
        i["InstanceId"]
        for r in pages("ec2", "describe_instances", "Reservations")
        for i in r["Instances"]
        if i["State"]["Name"] != "terminated"
    ],
)
nothing("volumes", [v["VolumeId"] for v in pages("ec2", "describe_volumes", "Volumes")])
nothing("addresses", [a["AllocationId"] for a in client("ec2").describe_addresses()["Addresses"]])
nothing(
    "network interfaces",
    [
        i["NetworkInterfaceId"]
        for i in pages("ec2", "describe_network_interfaces", "NetworkInterfaces")
        # An instance's first interface goes with it. The endpoint keeps a record of it, and no instance is left above.
        if i.get("Description") != "Primary network interface"
    ],
)

# --- stacks: DescribeStacks without a name leaves deleted ones out, but shows those that failed to go
stacks = pages("cloudformation", "describe_stacks", "Stacks")
nothing("stacks", [f"{s['StackName']} ({s['StackStatus']})" for s in stacks])

# --- load balancers, groups
nothing(
    "load balancers",
    [b["LoadBalancerName"] for b in pages("elbv2", "describe_load_balancers", "LoadBalancers")],
)
nothing("target groups", [t["TargetGroupName"] for t in pages("elbv2", "describe_target_groups", "TargetGroups")])
nothing(
    "auto scaling groups",
    [g["AutoScalingGroupName"] for g in pages("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups")],
)
scalable = pages("application-autoscaling", "describe_scalable_targets", "ScalableTargets", ServiceNamespace="ecs")
nothing("scalable targets", [t["ResourceId"] for t in scalable])

# --- ECS, ECR
nothing("clusters", pages("ecs", "list_clusters", "clusterArns"))
for status in ("ACTIVE", "INACTIVE"):
    nothing(f"{status} task definitions", pages("ecs", "list_task_definitions", "taskDefinitionArns", status=status))
providers = client("ecs").describe_capacity_providers()["capacityProviders"]
nothing("capacity providers", [p["name"] for p in providers if not p["name"].startswith("FARGATE")])
repositories = pages("ecr", "describe_repositories", "repositories")
nothing("repositories", [r["repositoryName"] for r in repositories])

# --- what no tutorial mentions
nothing("log groups", [g["logGroupName"] for g in pages("logs", "describe_log_groups", "logGroups")])
nothing(
    "roles",
    # Service-linked roles belong to the account: AWS's own clean-up leaves them, too.
    [r["RoleName"] for r in pages("iam", "list_roles", "Roles") if not r["Path"].startswith("/aws-service-role/")],
)
profiles = pages("iam", "list_instance_profiles", "InstanceProfiles")
nothing("instance profiles", [p["InstanceProfileName"] for p in profiles])
nothing("policies", [p["PolicyName"] for p in pages("iam", "list_policies", "Policies", Scope="Local")])
certificates = pages("iam", "list_server_certificates", "ServerCertificateMetadataList")
nothing("server certificates", [c["ServerCertificateName"] for c in certificates])
nothing("alarms", [a["AlarmName"] for a in pages("cloudwatch", "describe_alarms", "MetricAlarms")])
dashboards = client("cloudwatch").list_dashboards()["DashboardEntries"]
nothing("dashboards", [d["DashboardName"] for d in dashboards])
nothing("topics", [t["TopicArn"] for t in pages("sns", "list_topics", "Topics")])
nothing("event rules", [r["Name"] for r in client("events").list_rules()["Rules"]])
policies = pages("application-autoscaling", "describe_scaling_policies", "ScalingPolicies", ServiceNamespace="ecs")
nothing("scaling policies", [p["PolicyName"] for p in policies])
nothing("policies of groups", [p["PolicyName"] for p in pages("autoscaling", "describe_policies", "ScalingPolicies")])

# --- builds and pipelines
nothing("build projects", pages("codebuild", "list_projects", "projects"))
nothing("pipelines", [p["name"] for p in pages("codepipeline", "list_pipelines", "pipelines")])
connections = client("codeconnections").list_connections()["Connections"]
nothing("connections", [c["ConnectionName"] for c in connections])
nothing("buckets", [b["Name"] for b in client("s3").list_buckets()["Buckets"]])

# --- and on this machine
keys = STATE_DIR / "keys"
nothing("private keys", [str(f) for f in keys.iterdir()] if keys.is_dir() else [])

expect.finish()
