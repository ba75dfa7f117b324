# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""EC2, load balancers, auto scaling, IAM: the gaps beside ECS, and the answer for what is missing."""

import base64
import hashlib

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa


def public(key, form, encoding):
    return key.public_key().public_bytes(encoding, form)


def openssh(key):
    return public(key, serialization.PublicFormat.OpenSSH, serialization.Encoding.OpenSSH)


def fingerprint_of(aws, name):
    return aws.ec2.describe_key_pairs(KeyNames=[name])["KeyPairs"][0]["KeyFingerprint"]


def test_fingerprint_of_imported_rsa_key(aws):
    key = rsa.generate_private_key(65537, 2048)
    aws.ec2.import_key_pair(KeyName="k", PublicKeyMaterial=openssh(key))
    der = public(key, serialization.PublicFormat.SubjectPublicKeyInfo, serialization.Encoding.DER)
    assert fingerprint_of(aws, "k") == hashlib.md5(der).digest().hex(":")


def test_fingerprint_of_ed25519_key(aws):
    key = ed25519.Ed25519PrivateKey.generate()
    aws.ec2.import_key_pair(KeyName="k", PublicKeyMaterial=openssh(key))
    blob = base64.b64decode(openssh(key).split()[1])
    assert fingerprint_of(aws, "k") == base64.b64encode(hashlib.sha256(blob).digest()).decode()


def test_fingerprint_of_created_rsa_key(aws):
    made = aws.ec2.create_key_pair(KeyName="k")
    key = serialization.load_pem_private_key(made["KeyMaterial"].encode(), None)
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    assert made["KeyFingerprint"] == fingerprint_of(aws, "k") == hashlib.sha1(der).digest().hex(":")


def test_security_group_in_use(aws):
    first, second = aws.group("first"), aws.group("second")
    pairs = [{"GroupId": first}]
    permission = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": pairs}]
    aws.ec2.authorize_security_group_ingress(GroupId=second, IpPermissions=permission)
    with pytest.raises(ClientError, match="DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=first)
    aws.ec2.revoke_security_group_ingress(GroupId=second, IpPermissions=permission)
    aws.ec2.delete_security_group(GroupId=first)

    balancer = aws.elbv2.create_load_balancer(Name="lb", Subnets=aws.subnets(), SecurityGroups=[second])
    arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
    with pytest.raises(ClientError, match="DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=second)
    aws.elbv2.delete_load_balancer(LoadBalancerArn=arn)
    aws.instances("demo", 1, groups=(second,))
    with pytest.raises(ClientError, match="DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=second)
    aws.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="demo-instances", ForceDelete=True)
    aws.ec2.delete_security_group(GroupId=second)


def test_default_security_group_and_vpc(aws):
    vpc = aws.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    filters = [{"Name": "vpc-id", "Values": [vpc]}]
    group = aws.ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
    with pytest.raises(ClientError, match="CannotDelete"):
        aws.ec2.delete_security_group(GroupId=group)
    aws.ec2.delete_vpc(VpcId=vpc)


def test_unknown_instance_type(aws):
    with pytest.raises(ClientError, match="InvalidInstanceType"):
        aws.ec2.describe_instance_types(InstanceTypes=["t9.none"])


def test_two_ports_of_one_instance_are_two_targets(demo):
    instance = demo.autoscaling.describe_auto_scaling_instances()["AutoScalingInstances"][0]["InstanceId"]
    targets = [{"Id": instance, "Port": 32768}, {"Id": instance, "Port": 32769}]
    demo.elbv2.register_targets(TargetGroupArn=demo.target_group, Targets=targets)
    assert demo.healthy(demo.target_group) == targets
    demo.elbv2.deregister_targets(TargetGroupArn=demo.target_group, Targets=targets[:1])
    assert demo.healthy(demo.target_group) == targets[1:]
    health = demo.elbv2.describe_target_health(TargetGroupArn=demo.target_group, Targets=targets[:1])
    assert health["TargetHealthDescriptions"][0]["TargetHealth"]["State"] == "unused"


def test_load_balancer_parts(demo):
    balancer = demo.elbv2.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    with pytest.raises(ClientError, match="ResourceInUse"):
        demo.elbv2.delete_target_group(TargetGroupArn=demo.target_group)
    protect = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    demo.elbv2.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=protect)
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        demo.elbv2.delete_load_balancer(LoadBalancerArn=balancer)
    protect[0]["Value"] = "false"
    demo.elbv2.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=protect)
    listener = demo.elbv2.describe_listeners(LoadBalancerArn=balancer)["Listeners"][0]["ListenerArn"]
    demo.elbv2.delete_load_balancer(LoadBalancerArn=balancer)
    with pytest.raises(ClientError, match="ListenerNotFound"):
        demo.elbv2.describe_listeners(ListenerArns=[listener])
    demo.elbv2.delete_target_group(TargetGroupArn=demo.target_group)


def test_auto_scaling_group_with_instances(demo):
    with pytest.raises(ClientError, match="ResourceInUse"):
        demo.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=demo.asg_name)
    ids = [each["InstanceId"] for each in demo.autoscaling.describe_auto_scaling_instances()["AutoScalingInstances"]]
    demo.autoscaling.set_instance_protection(
        AutoScalingGroupName=demo.asg_name, InstanceIds=ids, ProtectedFromScaleIn=True
    )
    demo.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=demo.asg_name, ForceDelete=True)
    states = demo.ec2.describe_instances(InstanceIds=ids)["Reservations"]
    assert {each["Instances"][0]["State"]["Name"] for each in states} == {"terminated"}


def test_instance_refresh(demo):
    before = set(demo.ecs.list_container_instances(cluster="demo")["containerInstanceArns"])
    started = demo.autoscaling.start_instance_refresh(
        AutoScalingGroupName=demo.asg_name, Preferences={"MinHealthyPercentage": 50}
    )
    with pytest.raises(ClientError, match="InstanceRefreshInProgress"):
        demo.autoscaling.start_instance_refresh(AutoScalingGroupName=demo.asg_name)
    seen = []
    while not seen or seen[-1][0] != "Successful":
        refresh = demo.autoscaling.describe_instance_refreshes(AutoScalingGroupName=demo.asg_name)["InstanceRefreshes"][
            0
        ]
        seen.append((refresh["Status"], refresh["PercentageComplete"]))
    assert refresh["InstanceRefreshId"] == started["InstanceRefreshId"]
    assert seen == [("InProgress", 0), ("InProgress", 50), ("InProgress", 100), ("Successful", 100)]
    after = set(demo.ecs.list_container_instances(cluster="demo")["containerInstanceArns"])
    assert len(after) == 2 and not before & after


def test_instances_show_the_version_they_were_launched_with(demo):
    template = f"{demo.asg_name.removesuffix('-instances')}-template"

    def versions():
        group = demo.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
        found = {each["InstanceId"]: each["LaunchTemplate"] for each in group["Instances"]}
        again = demo.autoscaling.describe_auto_scaling_instances()["AutoScalingInstances"]
        assert found == {each["InstanceId"]: each["LaunchTemplate"] for each in again}
        assert {each["LaunchTemplateName"] for each in found.values()} == {template}
        return sorted(each["Version"] for each in found.values())

    assert versions() == ["1", "1"]
    demo.ec2.create_launch_template_version(
        LaunchTemplateName=template, SourceVersion="1", LaunchTemplateData={"ImageId": "ami-12c6146b"}
    )
    demo.ec2.modify_launch_template(LaunchTemplateName=template, DefaultVersion="2")
    assert versions() == ["1", "1"]
    demo.autoscaling.set_desired_capacity(AutoScalingGroupName=demo.asg_name, DesiredCapacity=3)
    assert versions() == ["1", "1", "2"]
    demo.autoscaling.start_instance_refresh(
        AutoScalingGroupName=demo.asg_name, Preferences={"MinHealthyPercentage": 50, "SkipMatching": True}
    )
    refresh = demo.autoscaling.describe_instance_refreshes(AutoScalingGroupName=demo.asg_name)["InstanceRefreshes"][0]
    assert refresh["InstancesToUpdate"] == 2
    while refresh["Status"] != "Successful":
        found = demo.autoscaling.describe_instance_refreshes(AutoScalingGroupName=demo.asg_name)
        refresh = found["InstanceRefreshes"][0]
    assert versions() == ["2", "2", "2"]


def test_options_of_an_auto_scaling_group(aws):
    aws.instances("demo", 0)

    def group(name="demo-instances"):
        found = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
        return found["DefaultCooldown"], found["HealthCheckGracePeriod"], found["TerminationPolicies"]

    assert group() == (300, 300, ["Default"])
    aws.autoscaling.update_auto_scaling_group(
        AutoScalingGroupName="demo-instances", DefaultCooldown=0, TerminationPolicies=["OldestInstance", "Default"]
    )
    assert group() == (0, 300, ["OldestInstance", "Default"])
    aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName="demo-instances", MaxSize=7)
    assert group() == (0, 300, ["OldestInstance", "Default"])
    aws.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="other",
        LaunchTemplate={"LaunchTemplateName": "demo-template"},
        MinSize=0,
        MaxSize=1,
        VPCZoneIdentifier=aws.subnets()[0],
        HealthCheckGracePeriod=0,
        DefaultCooldown=0,
    )
    assert group("other") == (0, 0, ["Default"])


def test_launch_template_tags(aws):
    made = aws.ec2.create_launch_template(
        LaunchTemplateName="tagged",
        LaunchTemplateData={"ImageId": "ami-12c6146b"},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": [{"Key": "a", "Value": "1"}]}],
    )["LaunchTemplate"]
    assert made["Tags"] == [{"Key": "a", "Value": "1"}]
    aws.ec2.create_tags(
        Resources=[made["LaunchTemplateId"]], Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}]
    )
    found = aws.ec2.describe_launch_templates(LaunchTemplateNames=["tagged"])["LaunchTemplates"][0]
    assert {each["Key"]: each["Value"] for each in found["Tags"]} == {"a": "2", "b": "3"}
    aws.ec2.delete_tags(Resources=[made["LaunchTemplateId"]], Tags=[{"Key": "a"}])
    found = aws.ec2.describe_launch_templates(LaunchTemplateNames=["tagged"])["LaunchTemplates"][0]
    assert found["Tags"] == [{"Key": "b", "Value": "3"}]


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("ecs.amazonaws.com", "AWSServiceRoleForECS"),
        ("elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing"),
        ("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling"),
        ("ecs.application-autoscaling.amazonaws.com", "AWSServiceRoleForApplicationAutoScaling_ECSService"),
    ],
)
def test_service_linked_roles(aws, service, name):
    assert aws.iam.create_service_linked_role(AWSServiceName=service)["Role"]["RoleName"] == name
    assert aws.iam.get_role(RoleName=name)["Role"]["Arn"].endswith(f"role/aws-service-role/{service}/{name}")
    with pytest.raises(ClientError, match="InvalidInput.*has been taken in this account"):
        aws.iam.create_service_linked_role(AWSServiceName=service)


def test_managed_policies_exist(aws):
    policy = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
    assert aws.iam.get_policy(PolicyArn=policy)["Policy"]["Arn"] == policy


def test_what_is_missing_says_so(aws):
    for client, operation, options in (
        ("cloud9", "list_environments", {}),
        ("cloudwatch", "get_metric_widget_image", {"MetricWidget": "{}"}),
        ("ec2", "describe_spot_datafeed_subscription", {}),
    ):
        with pytest.raises(ClientError, match="The local endpoint has no") as caught:
            getattr(getattr(aws, client), operation)(**options)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
