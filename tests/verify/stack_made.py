# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A cluster that CloudFormation made, whatever its numbers: stack, network, groups, instances and load balancer."""

import base64
from dataclasses import dataclass
from typing import Any

from readback import Expectations, client, pages, tags_of, values

IMAGE = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"


@dataclass
class Wanted:
    """The numbers that a scenario gives its stack; the defaults are the tutorial's."""

    cluster: str
    prefix: str
    status: str = "CREATE_COMPLETE"
    count: int = 2
    minimum: int = 1
    maximum: int = 2
    instance_type: str = "t2.micro"
    cidr: str = "10.0.0.0/16"
    subnets: tuple[str, str] = ("10.0.0.0/24", "10.0.1.0/24")
    service_role: bool = False
    template_version: int = 1


def look_at(expect: Expectations, wanted: Wanted) -> dict[str, Any]:
    """Hold a stack and what it made against the numbers; return its outputs by name, for what stands on them."""
    outputs = _stack(expect, wanted)
    subnets = _network(expect, wanted, outputs["VPCId"])
    groups = _security_groups(expect, wanted, outputs["VPCId"])
    _instances(expect, wanted, subnets, groups)
    _load_balancer(expect, wanted, outputs, subnets, groups)
    _service_role(expect, wanted, outputs)
    return outputs


def owned(expect: Expectations, wanted: Wanted, what: str, tags: list[dict[str, str]]) -> None:
    """Expect the tag of the owner, which services find the thing by."""
    expect.contains(f"tags of {what}", tags_of(tags), {"handson:cluster": wanted.cluster})


def _stack(expect: Expectations, wanted: Wanted) -> dict[str, str]:
    stack = expect.only("stacks", client("cloudformation").describe_stacks(StackName=wanted.cluster)["Stacks"])
    expect.equal("status of the stack", stack["StackStatus"], wanted.status)
    owned(expect, wanted, "the stack", stack["Tags"])
    expect.equal("its capabilities", stack["Capabilities"], ["CAPABILITY_NAMED_IAM"])
    expect.contains(
        "its parameters",
        {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]},
        {
            "DesiredCapacity": str(wanted.count),
            "MaxSize": str(wanted.maximum),
            "InstanceType": wanted.instance_type,
            "VpcCidr": wanted.cidr,
            "SubnetCidrs": ",".join(wanted.subnets),
        },
    )
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
    names = ["ALBArn", "ClusterName", *(["ECSRole"] if wanted.service_role else []), "Url", "VPCId"]
    expect.equal("its outputs", sorted(outputs), names)
    expect.equal("its cluster", outputs.get("ClusterName"), wanted.cluster)
    left = client("cloudformation").list_change_sets(StackName=wanted.cluster)["Summaries"]
    # One that was executed stays as a record; one that was not is litter.
    open_sets = [c["ChangeSetName"] for c in left if c["ExecutionStatus"] != "EXECUTE_COMPLETE"]
    expect.equal("change sets that nobody executed", open_sets, [])
    return outputs


def _network(expect: Expectations, wanted: Wanted, vpc_id: str) -> list[dict[str, Any]]:
    ec2, here = client("ec2"), [{"Name": "vpc-id", "Values": [vpc_id]}]
    vpc = expect.only("VPCs of the stack", ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"])
    expect.contains("VPC", vpc, {"CidrBlock": wanted.cidr, "IsDefault": False})
    owned(expect, wanted, "the VPC", vpc["Tags"])
    expect.contains("its name", tags_of(vpc["Tags"]), {"Name": f"{wanted.prefix}-vpc"})
    subnets = sorted(pages("ec2", "describe_subnets", "Subnets", Filters=here), key=lambda s: s["CidrBlock"])
    expect.equal("subnets", [s["CidrBlock"] for s in subnets], sorted(wanted.subnets))
    expect.equal("their zones", len({s["AvailabilityZone"] for s in subnets}), 2)
    expect.equal("public addresses in them", [s["MapPublicIpOnLaunch"] for s in subnets], [True, True])
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc_id]}]
    gateway = expect.only("internet gateways", ec2.describe_internet_gateways(Filters=attached)["InternetGateways"])
    tables = pages("ec2", "describe_route_tables", "RouteTables", Filters=here)
    for subnet in subnets:
        owned(expect, wanted, f"the subnet {subnet['CidrBlock']}", subnet["Tags"])
        its = [t for t in tables if subnet["SubnetId"] in [a.get("SubnetId") for a in t["Associations"]]]
        table = expect.only(f"route tables of {subnet['CidrBlock']}", its)
        out = {r.get("DestinationCidrBlock"): r.get("GatewayId") for r in table["Routes"]}
        expect.contains("its way out", out, {"0.0.0.0/0": gateway["InternetGatewayId"]})
    return subnets


def _security_groups(expect: Expectations, wanted: Wanted, vpc_id: str) -> dict[str, dict[str, Any]]:
    here = [{"Name": "vpc-id", "Values": [vpc_id]}]
    groups = {g["GroupName"]: g for g in pages("ec2", "describe_security_groups", "SecurityGroups", Filters=here)}
    names = {"balancer": f"{wanted.prefix}-alb-sg", "instances": f"{wanted.prefix}-ecs-instance-sg"}
    expect.equal("security groups", sorted(groups), sorted(["default", *names.values()]))
    ours = {kind: groups[name] for kind, name in names.items()}
    for kind, group in ours.items():
        owned(expect, wanted, f"the group of the {kind}", group["Tags"])
    rule = expect.only("rules of the load balancer's group", ours["balancer"]["IpPermissions"])
    expect.contains("its ports", rule, {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80})
    expect.equal("its sources", [r["CidrIp"] for r in rule["IpRanges"]], ["0.0.0.0/0"])
    rule = expect.only("rules of the instances' group", ours["instances"]["IpPermissions"])
    expect.equal("its protocols", rule["IpProtocol"], "-1")
    sources = [g["GroupId"] for g in rule["UserIdGroupPairs"]]
    expect.equal("its sources", (sources, rule["IpRanges"]), ([ours["balancer"]["GroupId"]], []))
    return ours


def _instances(expect: Expectations, wanted: Wanted, subnets: list[dict[str, Any]], groups: dict[str, Any]) -> None:
    ecs, ec2, name = client("ecs"), client("ec2"), f"{wanted.prefix}-ecs-instances"
    found = ecs.describe_clusters(clusters=[wanted.cluster], include=["TAGS"])["clusters"]
    cluster = expect.only("clusters", found)
    expect.contains("cluster", cluster, {"clusterName": wanted.cluster, "status": "ACTIVE"})
    owned(expect, wanted, "the cluster", cluster["tags"])
    scaled = expect.only(
        "auto scaling groups",
        pages("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", AutoScalingGroupNames=[name]),
    )
    sizes = {"DesiredCapacity": wanted.count, "MinSize": wanted.minimum, "MaxSize": wanted.maximum}
    expect.contains("auto scaling group", scaled, sizes)
    expect.equal("its subnets", sorted(scaled["VPCZoneIdentifier"].split(",")), sorted(s["SubnetId"] for s in subnets))
    owned(expect, wanted, "the auto scaling group", scaled["Tags"])

    running = [
        {"Name": "tag:handson:cluster", "Values": [wanted.cluster]},
        {"Name": "instance-state-name", "Values": ["running"]},
    ]
    instances = [i for r in pages("ec2", "describe_instances", "Reservations", Filters=running) for i in r["Instances"]]
    for instance in instances:
        expect.contains("instance", instance, {"VpcId": subnets[0]["VpcId"]})
        expect.equal("its key", instance.get("KeyName"), None)
        expect.equal("its groups", [g["GroupId"] for g in instance["SecurityGroups"]], [groups["instances"]["GroupId"]])
    zones = {i["Placement"]["AvailabilityZone"] for i in instances}
    expect.equal("zones of the instances", len(zones), min(2, wanted.count))
    template = scaled["LaunchTemplate"]
    expect.equal("version of the launch template", template["Version"], str(wanted.template_version))
    versions = ec2.describe_launch_template_versions(LaunchTemplateName=name)["LaunchTemplateVersions"]
    expect.equal("number of its versions", len(versions), wanted.template_version)
    data = max(versions, key=lambda v: v["VersionNumber"])["LaunchTemplateData"]
    expect.contains("launch template", data, {"InstanceType": wanted.instance_type})
    expect.equal("image", data["ImageId"], client("ssm").get_parameter(Name=IMAGE)["Parameter"]["Value"])
    expect.contains("metadata service", data["MetadataOptions"], {"HttpTokens": "required"})
    volume = expect.only("volumes", data["BlockDeviceMappings"])["Ebs"]
    expect.contains("volume", volume, {"Encrypted": True, "VolumeSize": 30, "VolumeType": "gp3"})
    script = base64.b64decode(data["UserData"]).decode()
    expect.holds("the instances' cluster", f"ECS_CLUSTER={wanted.cluster}" in script.splitlines(), script)

    arns = pages("ecs", "list_container_instances", "containerInstanceArns", cluster=wanted.cluster)
    registered = ecs.describe_container_instances(cluster=wanted.cluster, containerInstances=arns)["containerInstances"]
    expect.equal(
        "container instances",
        sorted((c["ec2InstanceId"], c["status"], c["agentConnected"]) for c in registered),
        sorted((i["InstanceId"], "ACTIVE", True) for i in instances),
    )
    expect.equal("how many", len(registered), wanted.count)
    versions = [c["versionInfo"].get("agentVersion", "") for c in registered]
    expect.holds("versions of the agent", all(v[:1].isdigit() for v in versions), versions)


def _load_balancer(expect: Expectations, wanted: Wanted, outputs: dict[str, str], subnets: list, groups: dict) -> None:
    elbv2 = client("elbv2")
    found = elbv2.describe_load_balancers(Names=[f"{wanted.prefix}-alb"])["LoadBalancers"]
    balancer = expect.only("load balancers", found)
    expect.contains(
        "load balancer",
        balancer,
        {
            "LoadBalancerArn": outputs["ALBArn"],
            "Type": "application",
            "Scheme": "internet-facing",
            "IpAddressType": "ipv4",
            "VpcId": outputs["VPCId"],
            "SecurityGroups": [groups["balancer"]["GroupId"]],
        },
    )
    zones = sorted(z["SubnetId"] for z in balancer["AvailabilityZones"])
    expect.equal("its subnets", zones, sorted(s["SubnetId"] for s in subnets))
    expect.equal("where it answers", outputs["Url"], f"http://{balancer['DNSName']}")
    arn = balancer["LoadBalancerArn"]
    owned(expect, wanted, "the load balancer", elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"])
    attributes = values(elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"])
    expect.contains("its attributes", attributes, {"routing.http.drop_invalid_header_fields.enabled": "true"})


def _service_role(expect: Expectations, wanted: Wanted, outputs: dict[str, str]) -> None:
    """The role of 2018: no service of ours takes it, so there is one only where somebody asks for it."""
    roles = {r["Arn"]: r for r in pages("iam", "list_roles", "Roles")}
    asking = [
        arn
        for arn, role in roles.items()
        if not role["Path"].startswith("/aws-service-role/")
        and "ecs.amazonaws.com" in str(role["AssumeRolePolicyDocument"]["Statement"])
    ]
    expect.equal("roles that ECS may take", asking, [outputs["ECSRole"]] if wanted.service_role else [])
