# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Every name and number of the petclinic tutorial, sections 4.1 to 7.2, as written there and as they are at its end.

Of the account only what this tutorial makes: monolith.py looks at the other one, and that there is no more than both.
What needs a running container (`GET /actuator/health`, the text of `/test/update`), a build or load can't be asked.
"""

import base64

import delivery_made
import watching_made
from readback import STATE_DIR, Expectations, client, pages, tags_of, values

CLUSTER, SERVICE = "petclinic-rest-cluster", "petclinic-rest-service"
ecs, ec2, elbv2, iam, expect = client("ecs"), client("ec2"), client("elbv2"), client("iam"), Expectations()
expect.equal("region", ec2.meta.region_name, "ap-southeast-1")
existing = [{"Name": "is-default", "Values": ["true"]}]
vpc = expect.only("existing VPCs", pages("ec2", "describe_vpcs", "Vpcs", Filters=existing))
inside = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
here = sorted(s["SubnetId"] for s in pages("ec2", "describe_subnets", "Subnets", Filters=inside))

# --- 4.1, 4.2: registry, image and its port
named = pages("ecr", "describe_repositories", "repositories", repositoryNames=["petclinic-rest"])
registry = expect.only("registries", named)
expect.equal("registry", registry["repositoryName"], "petclinic-rest")
expect.equal("what it does with a new image", registry["imageScanningConfiguration"], {"scanOnPush": True})
expect.equal("its encryption", registry["encryptionConfiguration"]["encryptionType"], "AES256")

# --- 4.3: security groups, key
groups = {g["GroupName"]: g for g in pages("ec2", "describe_security_groups", "SecurityGroups", Filters=inside)}
expect.equal("security groups", sorted(groups), ["default", "petclinic-rest-alb-sg", "petclinic-rest-ecs-instance-sg"])
balancer_group, instance_group = groups["petclinic-rest-alb-sg"], groups["petclinic-rest-ecs-instance-sg"]
rule = expect.only("rules of the load balancer's group", balancer_group["IpPermissions"])
expect.contains("its ports", rule, {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80})
expect.equal("its sources", [r["CidrIp"] for r in rule["IpRanges"]], ["0.0.0.0/0"])
rules = sorted(instance_group["IpPermissions"], key=lambda r: r["IpProtocol"])
expect.equal("protocols of the instances' group", [r["IpProtocol"] for r in rules], ["-1", "tcp"])
expect.equal("sources of every port", [g["GroupId"] for g in rules[0]["UserIdGroupPairs"]], [balancer_group["GroupId"]])
expect.equal("other sources of every port", rules[0]["IpRanges"], [])
expect.contains("SSH", rules[-1], {"FromPort": 22, "ToPort": 22})
expect.equal("sources of SSH", [r["CidrIp"] for r in rules[-1]["IpRanges"]], ["0.0.0.0/0"])
expect.only("key pairs", ec2.describe_key_pairs(KeyNames=["petclinic"])["KeyPairs"])
expect.equal("its private half", oct((STATE_DIR / "keys" / "petclinic.pem").stat().st_mode & 0o777), "0o600")

# --- 4.4: load balancer, target group
balancers = pages("elbv2", "describe_load_balancers", "LoadBalancers", Names=["petclinic-rest-alb"])
balancer = expect.only("load balancers", balancers)
expect.contains(
    "load balancer",
    balancer,
    {
        "LoadBalancerName": "petclinic-rest-alb",
        "Type": "application",
        "Scheme": "internet-facing",
        "IpAddressType": "ipv4",
        "VpcId": vpc["VpcId"],
        "SecurityGroups": [balancer_group["GroupId"]],
    },
)
expect.equal("its subnets", sorted(z["SubnetId"] for z in balancer["AvailabilityZones"]), here)
listeners = pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=balancer["LoadBalancerArn"])
listener = expect.only("listeners", listeners)
expect.contains("listener", listener, {"Protocol": "HTTP", "Port": 80})
named = pages("elbv2", "describe_target_groups", "TargetGroups", Names=["petclinic-rest-target"])
target_group = expect.only("target groups", named)
expect.contains(
    "target group",
    target_group,
    {
        "TargetGroupName": "petclinic-rest-target",
        "Protocol": "HTTP",
        "Port": 80,
        "TargetType": "instance",
        "VpcId": vpc["VpcId"],
        "HealthCheckPath": "/actuator/health",
    },
)
target_arn = target_group["TargetGroupArn"]
attributes = values(elbv2.describe_target_group_attributes(TargetGroupArn=target_arn)["Attributes"])
expect.equal("deregistration delay", attributes["deregistration_delay.timeout_seconds"], "60")
action = expect.only("default actions", listener["DefaultActions"])
forwarded = action.get("TargetGroupArn") or action["ForwardConfig"]["TargetGroups"][0]["TargetGroupArn"]
expect.equal("what the listener forwards to", forwarded, target_arn)

# --- 4.5: cluster of two t2.medium, by launch template (launch configurations are gone) with IMDSv2
found = ecs.describe_clusters(clusters=[CLUSTER], include=["TAGS"])["clusters"]
cluster = expect.only("clusters", found)
expect.contains("cluster", cluster, {"clusterName": CLUSTER, "status": "ACTIVE"})
expect.contains("its tags", tags_of(cluster["tags"]), {"handson:cluster": CLUSTER})
running = [
    {"Name": "tag:handson:cluster", "Values": [CLUSTER]},
    {"Name": "instance-state-name", "Values": ["running"]},
]
instances = [i for r in pages("ec2", "describe_instances", "Reservations", Filters=running) for i in r["Instances"]]
expect.equal("types of the instances", [i["InstanceType"] for i in instances], ["t2.medium"] * 2)
for instance in instances:
    expect.contains("instance", instance, {"KeyName": "petclinic", "VpcId": vpc["VpcId"]})
    expect.equal("its groups", [g["GroupName"] for g in instance["SecurityGroups"]], ["petclinic-rest-ecs-instance-sg"])
expect.equal("their zones", len({i["Placement"]["AvailabilityZone"] for i in instances}), 2)
arns = pages("ecs", "list_container_instances", "containerInstanceArns", cluster=CLUSTER)
registered = ecs.describe_container_instances(cluster=CLUSTER, containerInstances=arns)["containerInstances"]
expect.equal(
    "container instances",
    sorted((c["ec2InstanceId"], c["status"]) for c in registered),
    sorted((i["InstanceId"], "ACTIVE") for i in instances),
)
NAME = "petclinic-rest-ecs-instances"
scaled = expect.only(
    "auto scaling groups",
    pages("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", AutoScalingGroupNames=[NAME]),
)
# Its maximum is section 7.2's; 2 until then.
expect.contains("auto scaling group", scaled, {"DesiredCapacity": 2, "MinSize": 2, "MaxSize": 4})
templates = pages("ec2", "describe_launch_templates", "LaunchTemplates", LaunchTemplateNames=[NAME])
template = expect.only("launch templates", templates)
version = ec2.describe_launch_template_versions(LaunchTemplateId=template["LaunchTemplateId"], Versions=["$Default"])[
    "LaunchTemplateVersions"
][0]["LaunchTemplateData"]
parameter = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
expect.equal("image", version["ImageId"], client("ssm").get_parameter(Name=parameter)["Parameter"]["Value"])
expect.contains("metadata service", version["MetadataOptions"], {"HttpTokens": "required"})
volume = expect.only("volumes", version["BlockDeviceMappings"])["Ebs"]
expect.contains("volume", volume, {"Encrypted": True, "VolumeSize": 30, "VolumeType": "gp3"})
script = base64.b64decode(version["UserData"]).decode()
expect.holds("the instances' cluster", f"ECS_CLUSTER={CLUSTER}" in script.splitlines(), script)

# --- 4.6: task definition; from 7.1 on without the task's memory, 1024 until then, so that four fit an instance
family = "petclinic-rest-task"
revisions = pages("ecs", "list_task_definitions", "taskDefinitionArns", familyPrefix=family)
task = ecs.describe_task_definition(taskDefinition=expect.only("task definitions", revisions))["taskDefinition"]
expect.contains(
    "task definition",
    task,
    {
        "family": "petclinic-rest-task",
        "revision": 1,
        "cpu": "512",
        "requiresCompatibilities": ["EC2"],
    },
)
expect.equal("its memory", task.get("memory"), None)
container = expect.only("containers", task["containerDefinitions"])
expect.contains(
    "container",
    container,
    {
        "name": "petclinic-rest-app",
        "image": "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest:latest",
        "memoryReservation": 625,
    },
)
expect.equal("hard limit of the container", container.get("memory"), None)
expect.contains("port", expect.only("ports", container["portMappings"]), {"containerPort": 9460, "hostPort": 0})
log = expect.only("log groups", pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=f"/ecs/{family}"))
expect.equal("days that the log is kept", log["retentionInDays"], 30)

# --- 4.7: service
names = pages("ecs", "list_services", "serviceArns", cluster=CLUSTER)
expect.only("services", names)
service = ecs.describe_services(cluster=CLUSTER, services=[SERVICE], include=["TAGS"])["services"][0]
expect.contains(
    "service",
    service,
    {
        "serviceName": SERVICE,
        "status": "ACTIVE",
        "launchType": "EC2",
        "schedulingStrategy": "REPLICA",
        "desiredCount": 2,
        "runningCount": 2,
        "pendingCount": 0,
        "healthCheckGracePeriodSeconds": 60,
        "taskDefinition": task["taskDefinitionArn"],
    },
)
expect.contains(
    "deployment configuration",
    service["deploymentConfiguration"],
    {"minimumHealthyPercent": 100, "maximumPercent": 200},
)
breaker = service["deploymentConfiguration"]["deploymentCircuitBreaker"]
expect.contains("circuit breaker", breaker, {"enable": True, "rollback": True})
expect.equal("rebalancing", service["availabilityZoneRebalancing"], "ENABLED")
owner = {"handson:cluster": CLUSTER, "handson:service": SERVICE}
expect.equal("tags of the service", tags_of(service["tags"]), owner)
balanced = expect.only("load balancers of the service", service["loadBalancers"])
expect.contains(
    "its target",
    balanced,
    {"targetGroupArn": target_arn, "containerName": "petclinic-rest-app", "containerPort": 9460},
)
# The service role of 2018 is the service-linked role now.
expect.holds(
    "its role", "AWSServiceRoleForECS" in service.get("roleArn", "AWSServiceRoleForECS"), service.get("roleArn")
)
linked = {r["RoleName"] for r in pages("iam", "list_roles", "Roles", PathPrefix="/aws-service-role/")}
needed = {
    "AWSServiceRoleForECS",
    "AWSServiceRoleForElasticLoadBalancing",
    "AWSServiceRoleForAutoScaling",
    "AWSServiceRoleForApplicationAutoScaling_ECSService",
}
expect.equal("service-linked roles", sorted(needed - linked), [])
health = elbv2.describe_target_health(TargetGroupArn=target_arn)["TargetHealthDescriptions"]
expect.equal("targets", [h["TargetHealth"]["State"] for h in health], ["healthy"] * 2)
expect.equal("instances behind it", {h["Target"]["Id"] for h in health}, {i["InstanceId"] for i in instances})
ports = [h["Target"]["Port"] for h in health]
expect.holds("host ports that Docker chose", all(p >= 32768 for p in ports), ports)

# --- 5: built by CodeBuild, deployed by CodePipeline, and only one of them hears of a push
delivery = delivery_made.Wanted(CLUSTER, "petclinic-rest", "handson-codebuild-cache-store")
delivery_made.build(expect, delivery)
delivery_made.pipeline(expect, delivery)

# --- 6
watching_made.cluster(expect, CLUSTER)
watching_made.service(expect, CLUSTER, SERVICE, least_tasks=2, error_pattern="ERROR")

# --- 7.1: the service scales
RESOURCE = {"ServiceNamespace": "ecs", "ResourceId": f"service/{CLUSTER}/{SERVICE}"}
asked = {"ServiceNamespace": "ecs", "ResourceIds": [RESOURCE["ResourceId"]]}
found = pages("application-autoscaling", "describe_scalable_targets", "ScalableTargets", **asked)
target = expect.only("scalable targets", found)
expect.contains("scalable target", target, {"MinCapacity": 2, "MaxCapacity": 16})
found = pages("application-autoscaling", "describe_scaling_policies", "ScalingPolicies", **RESOURCE)
policy = expect.only("policies of the service", found)
expect.equal("its policy", policy["PolicyName"], "cpu-target-tracking-55percent-policy")
expect.contains(
    "what it tracks",
    policy["TargetTrackingScalingPolicyConfiguration"],
    {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        "TargetValue": 55.0,
        "ScaleOutCooldown": 150,
        "ScaleInCooldown": 150,
    },
)
watching_made.tracking(expect, "the service", policy, high=55.0, low=49.5)

# --- 7.2: the instances scale
expect.equal("default cooldown of the group", scaled["DefaultCooldown"], 150)
found = pages("autoscaling", "describe_policies", "ScalingPolicies", AutoScalingGroupName=NAME)
policy = expect.only("policies of the group", found)
wanted = {"PolicyName": "cpu-55percent-policy", "EstimatedInstanceWarmup": 0, "Enabled": True}
expect.contains("policy of the group", policy, wanted)
expect.contains(
    "what it tracks",
    policy["TargetTrackingConfiguration"],
    {"PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}, "TargetValue": 55.0},
)
watching_made.tracking(expect, "the group", policy, high=55.0, low=41.25)
expect.equal("metrics of the instances each minute", version.get("Monitoring"), {"Enabled": True})
expect.finish()
