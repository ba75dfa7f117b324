# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A stack with an instance of its own: made with every option, changed in place or replaced, and gone."""

import base64

import pytest
from endpoint.stacks import ROLES, Stack, changes, parameters, template

IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
TAGS = [{"Key": "handson:workstation", "Value": "desk"}]
RULES = [
    {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "192.0.2.1/32", "Description": "SSH"},
    {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": "8081", "CidrIpv6": "2001:db8::/32"},
]
TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}


def body(rules=RULES, key="desk-key", policies=("AmazonSSMManagedInstanceCore",), **instance) -> str:
    properties = {
        "ImageId": {"Ref": "Image"},
        "InstanceType": "t3.small",
        "KeyName": {"Ref": "Key"},
        "IamInstanceProfile": {"Ref": "Profile"},
        "SecurityGroupIds": [{"Fn::GetAtt": ["Group", "GroupId"]}],
        "InstanceInitiatedShutdownBehavior": "stop",
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": "2"},
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "Encrypted": "true"}}
        ],
        "PropagateTagsToVolumeOnCreation": True,
        "Monitoring": True,
        "UserData": {"Fn::Base64": {"Fn::Sub": "#!/bin/bash\necho ${AWS::StackName} in ${AWS::Region} ${!HOME}\n"}},
        "Tags": [{"Key": "Name", "Value": {"Ref": "AWS::StackName"}}],
        **instance,
    }
    arns = [{"Fn::Sub": f"arn:${{AWS::Partition}}:iam::aws:policy/{each}"} for each in policies]
    statement = {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}
    inline = {"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
    return template(
        declared={"Image": {"Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "Default": IMAGE}},
        Group=("AWS::EC2::SecurityGroup", {"GroupDescription": "desk", "SecurityGroupIngress": rules}),
        Role=(
            "AWS::IAM::Role",
            {"AssumeRolePolicyDocument": TRUST, "ManagedPolicyArns": arns, "Policies": [inline], "Path": "/desks/"},
        ),
        Profile=("AWS::IAM::InstanceProfile", {"Roles": [{"Ref": "Role"}]}),
        Key=("AWS::EC2::KeyPair", {"KeyName": key, "KeyType": "ed25519"}),
        Instance=("AWS::EC2::Instance", properties),
        outputs={
            "Address": {"Fn::GetAtt": ["Instance", "PublicIp"]},
            "Zone": {"Fn::GetAtt": ["Instance", "AvailabilityZone"]},
            "KeyId": {"Fn::GetAtt": ["Key", "KeyPairId"]},
        },
    )


@pytest.fixture
def stack(aws):
    made = Stack(aws, "desk")
    assert made.create(body(), TAGS) == "CREATE_COMPLETE", made.failures()
    return made


def instance_of(aws, stack) -> dict:
    found = aws.ec2.describe_instances(InstanceIds=[stack.physical("Instance")])
    return found["Reservations"][0]["Instances"][0]


def test_the_instance_has_every_option(aws, stack):
    found = instance_of(aws, stack)
    image = aws.ssm.get_parameter(Name=IMAGE)["Parameter"]["Value"]
    assert (found["ImageId"], found["InstanceType"], found["KeyName"]) == (image, "t3.small", "desk-key")
    assert found["State"]["Name"] == "running"
    assert found["Monitoring"]["State"] == "enabled"
    options = found["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpEndpoint"], options["HttpPutResponseHopLimit"]) == (
        "required",
        "enabled",
        2,
    )
    assert [each["GroupId"] for each in found["SecurityGroups"]] == [stack.physical("Group")]
    profile = aws.iam.get_instance_profile(InstanceProfileName=stack.physical("Profile"))["InstanceProfile"]
    assert found["IamInstanceProfile"]["Arn"] == profile["Arn"]
    assert [each["RoleName"] for each in profile["Roles"]] == [stack.physical("Role")]
    tags = {each["Key"]: each["Value"] for each in found["Tags"]}
    assert (tags["Name"], tags["handson:workstation"]) == ("desk", "desk")
    assert tags["aws:cloudformation:logical-id"] == "Instance"
    identity = {"InstanceId": found["InstanceId"]}
    behaviour = aws.ec2.describe_instance_attribute(**identity, Attribute="instanceInitiatedShutdownBehavior")
    assert behaviour["InstanceInitiatedShutdownBehavior"]["Value"] == "stop"
    data = aws.ec2.describe_instance_attribute(**identity, Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(data).decode() == "#!/bin/bash\necho desk in ap-southeast-1 ${HOME}\n"
    volumes = [each["Ebs"]["VolumeId"] for each in found["BlockDeviceMappings"] if each["DeviceName"] == "/dev/xvda"]
    (volume,) = aws.ec2.describe_volumes(VolumeIds=volumes)["Volumes"]
    assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (20, "gp3", True)
    assert {"Key": "handson:workstation", "Value": "desk"} in volume["Tags"]
    outputs = stack.outputs()
    assert (outputs["Address"], outputs["Zone"]) == (found["PublicIpAddress"], found["Placement"]["AvailabilityZone"])


def test_what_is_around_it(aws, stack):
    role = aws.iam.get_role(RoleName=stack.physical("Role"))["Role"]
    assert (role["Path"], role["Tags"]) == ("/desks/", TAGS)
    attached = aws.iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    assert [each["PolicyName"] for each in attached] == ["AmazonSSMManagedInstanceCore"]
    assert aws.iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"] == ["own"]
    (key,) = aws.ec2.describe_key_pairs(KeyNames=["desk-key"])["KeyPairs"]
    assert (key["KeyType"], stack.outputs()["KeyId"]) == ("ed25519", key["KeyPairId"])
    assert {"Key": "handson:workstation", "Value": "desk"} in key["Tags"]
    private = aws.ssm.get_parameter(Name=f"/ec2/keypair/{key['KeyPairId']}", WithDecryption=True)["Parameter"]
    assert private["Type"] == "SecureString"
    assert "PRIVATE KEY" in private["Value"]
    (group,) = aws.ec2.describe_security_groups(Filters=[{"Name": "description", "Values": ["desk"]}])["SecurityGroups"]
    assert {each["FromPort"]: each["ToPort"] for each in group["IpPermissions"]} == {22: 22, 8080: 8081}


def test_changes_in_place(aws, stack):
    before = stack.physical("Instance")
    wanted = body(
        RULES[:1],
        InstanceType="t3.medium",
        InstanceInitiatedShutdownBehavior="terminate",
        MetadataOptions={"HttpTokens": "optional", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": "2"},
        policies=("CloudWatchAgentServerPolicy",),
    )
    found = changes(stack.change_set(wanted))
    assert found["Group"] == found["Role"] == ("Modify", "False")
    assert found["Instance"] == ("Modify", "Conditional")  # AWS: the type, "some circumstances"
    assert stack.update(wanted) == "UPDATE_COMPLETE"
    now = instance_of(aws, stack)
    assert (now["InstanceId"], now["InstanceType"], now["State"]["Name"]) == (before, "t3.medium", "running")
    assert now["MetadataOptions"]["HttpTokens"] == "optional"
    attribute = aws.ec2.describe_instance_attribute(InstanceId=before, Attribute="instanceInitiatedShutdownBehavior")
    assert attribute["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
    attached = aws.iam.list_attached_role_policies(RoleName=stack.physical("Role"))["AttachedPolicies"]
    assert [each["PolicyName"] for each in attached] == ["CloudWatchAgentServerPolicy"]
    group = aws.ec2.describe_security_groups(GroupIds=[stack.physical("Group")])["SecurityGroups"][0]
    assert [each["FromPort"] for each in group["IpPermissions"]] == [22]


def test_another_image_or_key_replaces_the_instance(aws, stack):
    before = stack.physical("Instance")
    found = changes(stack.change_set(body(ImageId="ami-12c6146b")))
    assert found == {"Instance": ("Modify", "True")}
    found = changes(stack.change_set(body(key="other"), name="key"))
    assert found == {"Key": ("Modify", "True"), "Instance": ("Modify", "Conditional")}
    assert stack.update(body(ImageId="ami-12c6146b")) == "UPDATE_COMPLETE"
    old = aws.ec2.describe_instances(InstanceIds=[before])["Reservations"][0]["Instances"][0]
    assert old["State"]["Name"] == "terminated"
    assert instance_of(aws, stack)["ImageId"] == "ami-12c6146b"


def test_nothing_is_left(aws, stack):
    identifier = stack.physical("Instance")
    assert stack.delete() == "DELETE_COMPLETE"
    gone = aws.ec2.describe_instances(InstanceIds=[identifier])["Reservations"][0]["Instances"][0]
    assert gone["State"]["Name"] == "terminated"
    assert aws.iam.list_roles()["Roles"] == aws.iam.list_instance_profiles()["InstanceProfiles"] == []
    assert aws.ec2.describe_key_pairs()["KeyPairs"] == []
    names = [{"Key": "Name", "Option": "BeginsWith", "Values": ["/ec2/keypair/"]}]
    assert aws.ssm.describe_parameters(ParameterFilters=names)["Parameters"] == []
    assert [each["GroupName"] for each in aws.ec2.describe_security_groups()["SecurityGroups"]] == ["default"]


def test_a_protected_instance_fails_the_deletion(aws):
    stack = Stack(aws, "desk")
    stack.create(body(DisableApiTermination=True), TAGS)
    identifier = stack.physical("Instance")
    assert stack.delete() == "DELETE_FAILED"
    assert "'disableApiTermination' instance attribute" in stack.reason("Instance", "DELETE_FAILED")
    aws.ec2.modify_instance_attribute(InstanceId=identifier, DisableApiTermination={"Value": False})
    assert stack.delete() == "DELETE_COMPLETE"


def test_a_key_pair_that_is_not_there(aws):
    stack = Stack(aws, "desk")
    assert stack.create(body(KeyName="none"), TAGS) == "ROLLBACK_COMPLETE"
    reason = stack.reason("Instance", "CREATE_FAILED")
    assert "The key pair 'none' does not exist (Service: Ec2, Status Code: 400" in reason


def test_an_image_that_ec2_looks_up_at_launch(aws):
    """`resolve:ssm:` in a launch template; an update of something else looks up nothing."""
    aws.ssm.put_parameter(Name="/own/image", Type="String", Value="ami-12c6146b")

    def own(name: str) -> str:
        return template(
            Template=("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": {"ImageId": "resolve:ssm:/own/image"}}),
            Instance=(
                "AWS::EC2::Instance",
                {
                    "LaunchTemplate": {
                        "LaunchTemplateId": {"Ref": "Template"},
                        "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]},
                    },
                    "InstanceType": "t3.micro",
                    "Tags": [{"Key": "Name", "Value": name}],
                },
            ),
        )

    stack = Stack(aws, "desk")
    assert stack.create(own("one"), TAGS) == "CREATE_COMPLETE", stack.failures()
    found = instance_of(aws, stack)
    assert (found["ImageId"], found["InstanceType"]) == ("ami-12c6146b", "t3.micro")
    aws.ssm.put_parameter(Name="/own/image", Type="String", Value="ami-785db401", Overwrite=True)
    assert stack.update(own("two")) == "UPDATE_COMPLETE"
    assert instance_of(aws, stack)["InstanceId"] == found["InstanceId"]


def test_the_roles_template(aws):
    aws.ec2.create_key_pair(KeyName="desk-key")
    text = (ROLES / "workstation/files/ec2.yml").read_text()
    stack = Stack(aws, "desk")
    assert stack.create(text, TAGS, Parameters=parameters(KeyName="desk-key")) == "CREATE_COMPLETE", stack.failures()
    assert instance_of(aws, stack)["InstanceType"] == "t2.micro"
    assert stack.delete() == "DELETE_COMPLETE"
