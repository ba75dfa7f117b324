# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A stack's resources are as if made by their APIs, with the stack's tags, and go with it."""

import base64

import pytest
from endpoint.stacks import CLUSTER, NAMES, Stack, parameters, template


@pytest.fixture
def stack(aws):
    """The cluster's stack."""
    made = Stack(aws)
    assert (
        made.create(CLUSTER, Parameters=parameters(**NAMES, MaxSize=3, LoadBalancerIdleTimeout=75)) == "CREATE_COMPLETE"
    )
    return made


def tags(found: list[dict], key: str = "Key", value: str = "Value") -> dict[str, str]:
    return {each[key]: each[value] for each in found}


def own(stack: Stack, logical_id: str, name: str | None = None, **more: str) -> dict[str, str]:
    """The tags of a resource of the stack."""
    return {
        "handson:cluster": "demo",
        "team": "blue",
        **({"Name": name} if name else {}),
        "aws:cloudformation:stack-name": "demo",
        "aws:cloudformation:stack-id": stack.id,
        "aws:cloudformation:logical-id": logical_id,
        **more,
    }


def test_the_network_is_as_the_template_has_it(aws, stack):
    vpc = aws.ec2.describe_vpcs(VpcIds=[stack.physical("Vpc")])["Vpcs"][0]
    assert vpc["CidrBlock"] == "10.0.0.0/16"
    assert tags(vpc["Tags"]) == own(stack, "Vpc", "demo-vpc")
    for attribute in ("enableDnsSupport", "enableDnsHostnames"):
        found = aws.ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=attribute)
        assert found[attribute[0].upper() + attribute[1:]]["Value"] is True
    here = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    subnets = sorted(aws.ec2.describe_subnets(Filters=here)["Subnets"], key=lambda each: each["CidrBlock"])
    assert [(each["CidrBlock"], each["AvailabilityZone"][-1]) for each in subnets] == [
        ("10.0.0.0/24", "a"),
        ("10.0.1.0/24", "b"),
    ]
    assert all(each["MapPublicIpOnLaunch"] for each in subnets)
    assert tags(subnets[0]["Tags"]) == own(stack, "SubnetOne", "demo-vpc-1")
    tables = [{"Name": "route-table-id", "Values": [stack.physical("RouteTable")]}]
    table = aws.ec2.describe_route_tables(Filters=tables)["RouteTables"][0]
    assert {each["DestinationCidrBlock"]: each["GatewayId"] for each in table["Routes"]} == {
        "10.0.0.0/16": "local",
        "0.0.0.0/0": stack.physical("InternetGateway"),
    }
    assert {each["SubnetId"] for each in table["Associations"]} == {each["SubnetId"] for each in subnets}
    assert tags(table["Tags"])["handson:cluster"] == "demo"
    gateways = aws.ec2.describe_internet_gateways()["InternetGateways"]
    gateway = next(each for each in gateways if each["InternetGatewayId"] == stack.physical("InternetGateway"))
    assert gateway["Attachments"][0]["VpcId"] == vpc["VpcId"]
    assert tags(gateway["Tags"]) == own(stack, "InternetGateway", "demo-vpc")


def test_security_groups_have_their_rules(aws, stack):
    def group(name: str) -> dict:
        return aws.ec2.describe_security_groups(GroupIds=[stack.physical(name)])["SecurityGroups"][0]

    balancer, instances = group("LoadBalancerSecurityGroup"), group("InstanceSecurityGroup")
    assert (balancer["GroupName"], balancer["Description"]) == ("demo-alb-sg", "Load balancer of demo")
    (rule,) = balancer["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"], rule["IpRanges"]) == (80, 80, [{"CidrIp": "0.0.0.0/0"}])
    (rule,) = instances["IpPermissions"]
    assert (rule["IpProtocol"], [each["GroupId"] for each in rule["UserIdGroupPairs"]]) == ("-1", [balancer["GroupId"]])
    assert [each["IpRanges"] for each in instances["IpPermissionsEgress"]] == [[{"CidrIp": "0.0.0.0/0"}]]
    assert tags(instances["Tags"]) == own(stack, "InstanceSecurityGroup", "demo-ecs-instance-sg")


def test_rules_of_their_own_and_egress(aws):
    stack = Stack(aws)
    group = {"GroupDescription": "x", "VpcId": aws.vpc()}
    rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": "5432", "Description": "database"}
    everywhere = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0"}
    status = stack.create(
        template(
            Web=("AWS::EC2::SecurityGroup", {**group, "SecurityGroupEgress": [everywhere]}),
            Data=("AWS::EC2::SecurityGroup", group),
            FromWeb=(
                "AWS::EC2::SecurityGroupIngress",
                {**rule, "GroupId": {"Ref": "Data"}, "SourceSecurityGroupId": {"Fn::GetAtt": ["Web", "GroupId"]}},
            ),
            Out=("AWS::EC2::SecurityGroupEgress", {**everywhere, "GroupId": {"Ref": "Data"}}),
        )
    )
    assert status == "CREATE_COMPLETE"
    ids = [stack.physical(name) for name in ("Web", "Data")]
    web, data = (aws.ec2.describe_security_groups(GroupIds=[each])["SecurityGroups"][0] for each in ids)
    assert [each["UserIdGroupPairs"][0]["GroupId"] for each in data["IpPermissions"]] == [web["GroupId"]]
    assert data["IpPermissions"][0]["UserIdGroupPairs"][0]["Description"] == "database"
    for each in (web, data):
        assert [(rule["FromPort"], rule["IpProtocol"]) for rule in each["IpPermissionsEgress"]] == [(443, "tcp")]
    assert web["GroupName"].startswith("demo-Web-")
    assert stack.delete() == "DELETE_COMPLETE"


def test_the_role_has_tags_and_the_profile_none(aws, stack):
    """As AWS has it: IAM's types get no aws:cloudformation:* tags, and no tags reach an instance profile."""
    role = aws.iam.get_role(RoleName="demo-ecs-instance-role")["Role"]
    assert tags(role["Tags"]) == {"handson:cluster": "demo", "team": "blue"}
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com"}
    attached = aws.iam.list_attached_role_policies(RoleName="demo-ecs-instance-role")["AttachedPolicies"]
    assert [each["PolicyName"] for each in attached] == ["AmazonEC2ContainerServiceforEC2Role"]
    profile = aws.iam.get_instance_profile(InstanceProfileName="demo-ecs-instance-role")["InstanceProfile"]
    assert [each["RoleName"] for each in profile["Roles"]] == ["demo-ecs-instance-role"]
    assert profile.get("Tags", []) == []


def test_the_launch_template_keeps_every_option(aws, stack):
    """A stack's tags don't reach launch templates either."""
    found = aws.ec2.describe_launch_template_versions(LaunchTemplateName="demo-ecs-instances")["LaunchTemplateVersions"]
    data = found[0]["LaunchTemplateData"]
    image = aws.ssm.get_parameter(Name="/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id")
    assert data["ImageId"] == image["Parameter"]["Value"]
    assert data["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
    }
    assert data["IamInstanceProfile"] == {"Name": "demo-ecs-instance-role"}
    assert data["BlockDeviceMappings"][0]["Ebs"] == {
        "VolumeSize": 30,
        "VolumeType": "gp3",
        "Encrypted": True,
        "DeleteOnTermination": True,
    }
    assert data["SecurityGroupIds"] == [stack.physical("InstanceSecurityGroup")]
    assert "ECS_CLUSTER=demo\n" in base64.b64decode(data["UserData"]).decode()
    assert data["TagSpecifications"][0]["ResourceType"] == "volume"
    made = aws.ec2.describe_launch_templates()["LaunchTemplates"][0]
    assert not [each for each in made.get("Tags", []) if each["Key"] == "team" or each["Key"].startswith("aws:")]


def test_instances_register_and_have_the_stacks_tags(aws, stack):
    group = aws.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == (1, 2, 3)
    assert tags(group["Tags"]) == own(stack, "Instances", "demo-ecs-instances")
    assert {each["Metric"] for each in group["EnabledMetrics"]} >= {"GroupDesiredCapacity", "GroupInServiceInstances"}
    assert all(each["PropagateAtLaunch"] for each in group["Tags"])
    assert group["LaunchTemplate"]["Version"] == "1"
    arns = aws.ecs.list_container_instances(cluster="demo")["containerInstanceArns"]
    found = aws.ecs.describe_container_instances(cluster="demo", containerInstances=arns)["containerInstances"]
    assert {each["ec2InstanceId"] for each in found} == {each["InstanceId"] for each in group["Instances"]}
    ids = [each["InstanceId"] for each in group["Instances"]]
    for reservation in aws.ec2.describe_instances(InstanceIds=ids)["Reservations"]:
        for instance in reservation["Instances"]:
            found = tags(instance["Tags"])
            assert own(stack, "Instances", "demo-ecs-instances").items() <= found.items()
            assert found["aws:autoscaling:groupName"] == "demo-ecs-instances"


def test_the_load_balancer_and_its_listener(aws, stack):
    balancer = aws.elbv2.describe_load_balancers(Names=["demo-alb"])["LoadBalancers"][0]
    arn = balancer["LoadBalancerArn"]
    assert balancer["SecurityGroups"] == [stack.physical("LoadBalancerSecurityGroup")]
    assert {each["SubnetId"] for each in balancer["AvailabilityZones"]} == {
        stack.physical("SubnetOne"),
        stack.physical("SubnetTwo"),
    }
    attributes = tags(aws.elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"])
    assert attributes["idle_timeout.timeout_seconds"] == "75"
    assert attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"
    (listener,) = aws.elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    assert listener["DefaultActions"][0]["FixedResponseConfig"]["StatusCode"] == "404"
    found = aws.elbv2.describe_tags(ResourceArns=[arn, listener["ListenerArn"]])["TagDescriptions"]
    assert [tags(each["Tags"]) for each in found] == [own(stack, "LoadBalancer"), own(stack, "Listener")]
    assert stack.outputs() == {
        "ClusterName": "demo",
        "Url": f"http://{balancer['DNSName']}",
        "ALBArn": arn,
        "VPCId": stack.physical("Vpc"),
    }


def test_the_cluster_has_its_settings_and_tags(aws, stack):
    found = aws.ecs.describe_clusters(clusters=["demo"], include=["TAGS", "SETTINGS"])["clusters"][0]
    assert found["settings"] == [{"name": "containerInsights", "value": "disabled"}]
    assert tags(found["tags"], "key", "value") == own(stack, "Cluster")


def test_nothing_is_left_when_the_stack_is_gone(aws, stack):
    vpcs = len(aws.ec2.describe_vpcs()["Vpcs"])
    assert stack.delete() == "DELETE_COMPLETE"
    assert len(aws.ec2.describe_vpcs()["Vpcs"]) == vpcs - 1
    assert aws.ecs.list_clusters()["clusterArns"] == []
    assert aws.elbv2.describe_load_balancers()["LoadBalancers"] == []
    assert aws.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"] == []
    assert aws.ec2.describe_launch_templates()["LaunchTemplates"] == []
    assert aws.ec2.describe_internet_gateways()["InternetGateways"] == []
    assert [each["GroupName"] for each in aws.ec2.describe_security_groups()["SecurityGroups"]] == ["default"] * (
        vpcs - 1
    )
    assert aws.iam.list_roles()["Roles"] == aws.iam.list_instance_profiles()["InstanceProfiles"] == []
    reservations = aws.ec2.describe_instances()["Reservations"]
    assert {each["State"]["Name"] for found in reservations for each in found["Instances"]} == {"terminated"}


def test_conditions_choose_resources_and_outputs(aws):
    stack = Stack(aws)
    assert stack.create(CLUSTER, Parameters=parameters(**NAMES, ServiceRole="true")) == "CREATE_COMPLETE"
    assert stack.outputs()["ECSRole"].startswith("arn:aws:iam::123456789012:role/demo-ECSRole-")


def test_a_service_in_a_stack_is_steady_when_the_stack_is_complete(aws):
    """The resources of services, too: a target group, a rule, a task definition and a service on the stack's cluster."""
    aws.ecs.create_cluster(clusterName="demo")
    aws.instances("demo", 2)
    target_group = aws.balancer()
    container = {"Name": "web", "Image": "web:1", "Memory": 200, "PortMappings": [{"ContainerPort": 80, "HostPort": 0}]}
    stack = Stack(aws, "web")
    status = stack.create(
        template(
            Task=("AWS::ECS::TaskDefinition", {"Family": "web", "ContainerDefinitions": [container]}),
            Service=(
                "AWS::ECS::Service",
                {
                    "Cluster": "demo",
                    "ServiceName": "web",
                    "DesiredCount": "2",
                    "TaskDefinition": {"Ref": "Task"},
                    "LoadBalancers": [{"TargetGroupArn": target_group, "ContainerName": "web", "ContainerPort": 80}],
                    "PlacementStrategies": [{"Type": "spread", "Field": "instanceId"}],
                },
            ),
        )
    )
    assert status == "CREATE_COMPLETE", stack.events()
    service = aws.service()
    assert service["runningCount"] == 2
    assert service["placementStrategy"] == [{"type": "spread", "field": "instanceId"}]
    assert stack.delete() == "DELETE_COMPLETE"
    assert aws.ecs.list_services(cluster="demo")["serviceArns"] == []
    assert aws.ecs.list_task_definitions()["taskDefinitionArns"] == []
