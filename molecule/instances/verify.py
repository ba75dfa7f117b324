# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A cluster with two registered container instances, and a capacity provider that may scale them."""

import base64

from readback import Expectations, client, pages, tags_of

CLUSTER, GROUP = "molecule-instances-cluster", "molecule-instances-ecs-instances"
PROVIDER = "molecule-instances-capacity-provider"
OURS = {"handson:cluster": CLUSTER}
ecs, expect = client("ecs"), Expectations()

# --- cluster
include = ["SETTINGS", "TAGS", "ATTACHMENTS"]
cluster = expect.only("clusters", ecs.describe_clusters(clusters=[CLUSTER], include=include)["clusters"])
expect.equal("status of the cluster", cluster["status"], "ACTIVE")
settings = {s["name"]: s["value"] for s in cluster["settings"]}
expect.equal("Container Insights", settings.get("containerInsights"), "enabled")
expect.contains("tags of the cluster", tags_of(cluster["tags"]), OURS)
expect.equal("capacity providers of the cluster", cluster["capacityProviders"], [PROVIDER])

# --- role: ECS for EC2, and nothing else
role = client("iam").get_role(RoleName="molecule-instances-ecs-instance-role")["Role"]
statement = expect.only("statements of trust", role["AssumeRolePolicyDocument"]["Statement"])
expect.equal("who may take the role", str(statement["Principal"]["Service"]).strip("[]'"), "ec2.amazonaws.com")
policies = pages("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=role["RoleName"])
expect.equal(
    "policies of the role",
    [p["PolicyArn"] for p in policies],
    ["arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"],
)
expect.equal(
    "inline policies of the role", pages("iam", "list_role_policies", "PolicyNames", RoleName=role["RoleName"]), []
)
expect.contains("tags of the role", tags_of(role.get("Tags", [])), OURS)
profile = client("iam").get_instance_profile(InstanceProfileName=role["RoleName"])["InstanceProfile"]
expect.equal("role of the profile", [r["RoleName"] for r in profile["Roles"]], [role["RoleName"]])

# --- launch template
versions = pages("ec2", "describe_launch_template_versions", "LaunchTemplateVersions", LaunchTemplateName=GROUP)
version = expect.only("versions of the launch template", versions)
data = version["LaunchTemplateData"]
expect.equal("default version", version["DefaultVersion"], True)
expect.contains("instances", data, {"InstanceType": "t3.large", "KeyName": "molecule-instances"})
parameter = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
expect.equal("image", data["ImageId"], client("ssm").get_parameter(Name=parameter)["Parameter"]["Value"])
expect.contains("metadata service", data["MetadataOptions"], {"HttpTokens": "required", "HttpPutResponseHopLimit": 2})
volume = expect.only("volumes", data["BlockDeviceMappings"])
expect.equal("root device", volume["DeviceName"], "/dev/xvda")
expect.contains("volume", volume["Ebs"], {"VolumeSize": 50, "VolumeType": "gp3", "Encrypted": True})
profile_name = data["IamInstanceProfile"].get("Name") or data["IamInstanceProfile"]["Arn"].rsplit("/", 1)[-1]
expect.equal("instance profile", profile_name, role["RoleName"])
groups = data.get("SecurityGroupIds") or data["NetworkInterfaces"][0]["Groups"]
names = [g["GroupName"] for g in client("ec2").describe_security_groups(GroupIds=groups)["SecurityGroups"]]
expect.equal("security groups", names, ["molecule-instances-ecs-instance-sg"])
script = base64.b64decode(data["UserData"]).decode().splitlines()
expect.equal("first line of the user data", script[0], "#!/bin/bash")
for line in (f"ECS_CLUSTER={CLUSTER}", "ECS_IMAGE_PULL_BEHAVIOR=prefer-cached", "echo ready"):
    expect.holds(f"user data has {line}", line in script, script)

# --- auto scaling group
found = client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"]
group = expect.only("auto scaling groups", found)
expect.contains(
    "auto scaling group",
    group,
    {
        "MinSize": 1,
        "MaxSize": 4,
        "DesiredCapacity": 2,
        "DefaultCooldown": 150,
        "NewInstancesProtectedFromScaleIn": True,
    },
)
expect.equal("instances in service", [i["LifecycleState"] for i in group["Instances"]], ["InService"] * 2)
expect.equal("protected instances", [i["ProtectedFromScaleIn"] for i in group["Instances"]], [True] * 2)
expect.holds("zones", len(group["AvailabilityZones"]) >= 2, group["AvailabilityZones"])
tags = {t["Key"]: (t["Value"], t["PropagateAtLaunch"]) for t in group["Tags"]}
expect.equal("tag of the group", tags.get("handson:cluster", ("",))[0], CLUSTER)

# --- capacity provider
providers = ecs.describe_capacity_providers(capacityProviders=[PROVIDER], include=["TAGS"])["capacityProviders"]
provider = expect.only("capacity providers", providers)
scaled = provider["autoScalingGroupProvider"]
expect.equal("group of the provider", scaled["autoScalingGroupArn"], group["AutoScalingGroupARN"])
expect.contains("managed scaling", scaled["managedScaling"], {"status": "ENABLED", "targetCapacity": 90})
expect.equal("managed termination protection", scaled["managedTerminationProtection"], "ENABLED")
expect.contains("tags of the provider", tags_of(provider["tags"]), OURS)

# --- container instances
arns = pages("ecs", "list_container_instances", "containerInstanceArns", cluster=CLUSTER)
expect.equal("number of container instances", len(arns), 2)
registered = ecs.describe_container_instances(cluster=CLUSTER, containerInstances=arns)["containerInstances"]
expect.equal(
    "container instances",
    sorted((c["ec2InstanceId"], c["status"], c["agentConnected"]) for c in registered),
    sorted((i["InstanceId"], "ACTIVE", True) for i in group["Instances"]),
)
for instance in (i for r in pages("ec2", "describe_instances", "Reservations") for i in r["Instances"]):
    if instance["State"]["Name"] != "running":
        continue
    expect.contains("tags of an instance", tags_of(instance["Tags"]), {**OURS, "Name": GROUP})
expect.finish()
