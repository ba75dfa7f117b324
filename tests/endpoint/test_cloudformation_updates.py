# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Updates and change sets: what they would change, what they do change, and the way back."""

import json

import pytest
from endpoint.stacks import CLUSTER, NAMES, TAGS, Stack, changes, parameters, refusal, template

KEEP = dict.fromkeys(NAMES)
NOTHING = "The submitted information didn't contain changes. Submit different information to create a change set."


@pytest.fixture
def stack(aws):
    """The cluster's stack, with parameters that all have the value they get by default."""
    made = Stack(aws)
    assert made.create(CLUSTER, Parameters=parameters(**NAMES)) == "CREATE_COMPLETE"
    return made


def group(aws) -> dict:
    return aws.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]


def details(change_set: dict, name: str) -> list[dict]:
    found = [each["ResourceChange"] for each in change_set["Changes"]]
    return next(each["Details"] for each in found if each["LogicalResourceId"] == name)


def test_nothing_to_change(aws, stack):
    found = stack.change_set(CLUSTER, Parameters=parameters(**KEEP))
    assert (found["Status"], found["StatusReason"], found["ExecutionStatus"]) == ("FAILED", NOTHING, "UNAVAILABLE")
    assert found["Changes"] == []
    (listed,) = stack.api.list_change_sets(StackName="demo")["Summaries"]
    assert (listed["ChangeSetName"], listed["Status"], listed["StatusReason"]) == ("change", "FAILED", NOTHING)
    call = {"StackName": "demo", "ChangeSetName": "change"}
    assert refusal(stack.api.execute_change_set, **call)[0] == "InvalidChangeSetStatus"
    stack.api.delete_change_set(**call)
    stack.api.delete_change_set(**call)
    assert stack.api.list_change_sets(StackName="demo")["Summaries"] == []
    assert refusal(stack.api.describe_change_set, **call) == ("ChangeSetNotFound", "ChangeSet [change] does not exist")
    call = {"StackName": "demo", "TemplateBody": CLUSTER, "Capabilities": ["CAPABILITY_NAMED_IAM"]}
    code, message = refusal(stack.api.update_stack, **call, Parameters=parameters(**KEEP))
    assert (code, message) == ("ValidationError", "No updates are to be performed.")
    assert stack.describe()["StackStatus"] == "CREATE_COMPLETE"


def test_a_change_set_is_in_progress_at_the_first_look(stack):
    made = stack.api.create_change_set(
        StackName="demo",
        ChangeSetName="c",
        TemplateBody=CLUSTER,
        Parameters=parameters(**KEEP, DesiredCapacity=1),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    looks = [stack.api.describe_change_set(ChangeSetName=made["Id"]) for _ in range(2)]
    assert [(each["Status"], each["ExecutionStatus"]) for each in looks] == [
        ("CREATE_IN_PROGRESS", "UNAVAILABLE"),
        ("CREATE_COMPLETE", "AVAILABLE"),
    ]
    assert looks[0]["Changes"] == []


def test_the_capacity_is_changed_in_place(aws, stack):
    found = stack.change_set(CLUSTER, Parameters=parameters(**KEEP, DesiredCapacity=3, MaxSize=4))
    assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert changes(found) == {"Instances": ("Modify", "False")}
    causes = {(each["Target"]["Name"], each.get("CausingEntity")) for each in details(found, "Instances")}
    assert causes == {
        ("DesiredCapacity", "DesiredCapacity"),
        ("DesiredCapacity", None),
        ("MaxSize", "MaxSize"),
        ("MaxSize", None),
    }
    assert group(aws)["DesiredCapacity"] == 2
    arn = group(aws)["AutoScalingGroupARN"]
    stack.api.execute_change_set(StackName="demo", ChangeSetName="change", ClientRequestToken="second")
    assert stack.describe()["StackStatus"] == "UPDATE_IN_PROGRESS"
    assert stack.wait() == "UPDATE_COMPLETE"
    now = group(aws)
    assert (now["DesiredCapacity"], now["MaxSize"], len(now["Instances"])) == (3, 4, 3)
    assert now["AutoScalingGroupARN"] == arn
    assert len(aws.ecs.list_container_instances(cluster="demo")["containerInstanceArns"]) == 3
    assert stack.events()[-5:] == [
        ("demo", "UPDATE_IN_PROGRESS"),
        ("Instances", "UPDATE_IN_PROGRESS"),
        ("Instances", "UPDATE_COMPLETE"),
        ("demo", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        ("demo", "UPDATE_COMPLETE"),
    ]
    found = aws.cloudformation.describe_stack_events(StackName="demo")["StackEvents"]
    assert [each["ClientRequestToken"] for each in found[:5]] == ["second"] * 5
    shown = {each["ParameterKey"]: each["ParameterValue"] for each in stack.describe()["Parameters"]}
    assert (shown["DesiredCapacity"], shown["ClusterName"]) == ("3", "demo")
    assert stack.describe()["Tags"] == TAGS
    assert stack.describe()["ChangeSetId"].split("/")[1] == "change"
    assert stack.describe()["LastUpdatedTime"] > stack.describe()["CreationTime"]
    assert stack.api.list_change_sets(StackName="demo")["Summaries"] == []


def test_an_instance_type_makes_a_version_that_the_group_takes(aws, stack):
    found = stack.change_set(CLUSTER, Parameters=parameters(**KEEP, InstanceType="t3.small"))
    assert changes(found) == {"LaunchTemplate": ("Modify", "False"), "Instances": ("Modify", "Conditional")}
    (detail,) = details(found, "Instances")
    assert detail == {
        "Target": {"Attribute": "Properties", "Name": "LaunchTemplate", "RequiresRecreation": "Conditionally"},
        "Evaluation": "Dynamic",
        "ChangeSource": "ResourceAttribute",
        "CausingEntity": "LaunchTemplate.LatestVersionNumber",
    }
    running = {each["InstanceId"] for each in group(aws)["Instances"]}
    stack.api.execute_change_set(StackName="demo", ChangeSetName="change")
    assert stack.wait() == "UPDATE_COMPLETE"
    assert group(aws)["LaunchTemplate"]["Version"] == "2"
    assert {each["InstanceId"] for each in group(aws)["Instances"]} == running  # no UpdatePolicy: they stay
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="demo-ecs-instances", DesiredCapacity=1)
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="demo-ecs-instances", DesiredCapacity=2)
    assert "t3.small" in {each["InstanceType"] for each in group(aws)["Instances"]}
    assert len(aws.ecs.list_container_instances(cluster="demo")["containerInstanceArns"]) == 2


def test_an_update_policy_replaces_the_instances(aws, stack):
    policy = "    DependsOn: [Cluster, DefaultRoute, SubnetOneRoutes, SubnetTwoRoutes]\n"
    body = CLUSTER.replace(
        policy, policy + "    UpdatePolicy: { AutoScalingRollingUpdate: { MinInstancesInService: 1 } }\n"
    )
    assert body != CLUSTER
    assert stack.update(body, Parameters=parameters(**KEEP, InstanceType="t3.small")) == "UPDATE_COMPLETE"
    now = group(aws)["Instances"]
    assert [(each["InstanceType"], each["LaunchTemplate"]["Version"]) for each in now] == [("t3.small", "2")] * 2
    assert len(aws.ecs.list_container_instances(cluster="demo")["containerInstanceArns"]) == 2


def test_new_instances_get_the_security_groups_of_their_version(aws, stack):
    values = parameters(**{**KEEP, "InstanceSecurityGroupName": "other"})
    assert stack.update(CLUSTER, Parameters=values) == "UPDATE_COMPLETE"
    for count in (0, 1):
        aws.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName="demo-ecs-instances", MinSize=0, DesiredCapacity=count
        )
    (instance,) = group(aws)["Instances"]
    found = aws.ec2.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"][0]["Instances"][0]
    assert [each["GroupName"] for each in found["SecurityGroups"]] == ["other"]
    assert found["MetadataOptions"]["HttpTokens"] == "required"


def test_a_scaled_group_is_left_alone_by_an_update_of_something_else(aws, stack):
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="demo-ecs-instances", DesiredCapacity=1)
    values = parameters(**KEEP, LoadBalancerIdleTimeout=120)
    assert stack.update(CLUSTER, Parameters=values) == "UPDATE_COMPLETE"
    assert group(aws)["DesiredCapacity"] == 1
    arn = stack.physical("LoadBalancer")
    attributes = aws.elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    assert {"Key": "idle_timeout.timeout_seconds", "Value": "120"} in attributes


REPLACED = [
    ({"VpcCidr": "10.1.0.0/16", "SubnetCidrs": "10.1.0.0/24,10.1.1.0/24"}, "Vpc", "True"),
    ({"SubnetCidrs": "10.0.8.0/24,10.0.1.0/24"}, "SubnetOne", "True"),
    ({"AvailabilityZoneOne": "ap-southeast-1c", "AvailabilityZoneTwo": "ap-southeast-1b"}, "SubnetOne", "True"),
    ({"LoadBalancerName": "other"}, "LoadBalancer", "True"),
    ({"LoadBalancerScheme": "internal"}, "LoadBalancer", "True"),
    ({"InstancesName": "other"}, "LaunchTemplate", "True"),
    ({"InstancesName": "other"}, "Instances", "True"),
    ({"ClusterName": "other"}, "Cluster", "True"),
    ({"ClusterName": "other"}, "LoadBalancerSecurityGroup", "True"),  # its description
    ({"InstanceSecurityGroupName": "other"}, "InstanceSecurityGroup", "True"),
    ({"InstanceRoleName": "other"}, "InstanceRole", "True"),
    ({"ContainerInsights": "enabled"}, "Cluster", "False"),
    ({"ListenerPort": "8080"}, "Listener", "False"),
    ({"ServiceRole": "true"}, "ECSRole", None),
]


@pytest.mark.parametrize(("values", "name", "replacement"), REPLACED)
def test_what_replaces_a_resource(stack, values, name, replacement):
    found = stack.change_set(CLUSTER, Parameters=parameters(**{**KEEP, **values}))
    assert changes(found)[name][1] == replacement
    if values == {"VpcCidr": "10.1.0.0/16", "SubnetCidrs": "10.1.0.0/24,10.1.1.0/24"}:
        # What refers to the VPC may be replaced, and what refers to that …
        assert changes(found)["RouteTable"] == changes(found)["DefaultRoute"] == ("Modify", "Conditional")
        (detail,) = details(found, "RouteTable")
        assert (detail["ChangeSource"], detail["CausingEntity"]) == ("ResourceReference", "Vpc")


def test_a_replacement_is_made_before_the_old_one_goes(aws, stack):
    old = stack.physical("LoadBalancer")
    assert stack.update(CLUSTER, Parameters=parameters(**{**KEEP, "LoadBalancerName": "other"})) == "UPDATE_COMPLETE"
    new = stack.physical("LoadBalancer")
    assert old != new
    assert [each["LoadBalancerName"] for each in aws.elbv2.describe_load_balancers()["LoadBalancers"]] == ["other"]
    assert stack.outputs()["ALBArn"] == new
    listener = aws.elbv2.describe_listeners(LoadBalancerArn=new)["Listeners"][0]
    assert listener["ListenerArn"] == stack.physical("Listener")
    events = stack.events()
    assert events.index(("demo", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")) < events.index(
        ("LoadBalancer", "DELETE_COMPLETE")
    )
    assert stack.delete() == "DELETE_COMPLETE"
    assert aws.elbv2.describe_load_balancers()["LoadBalancers"] == []


def test_a_replacement_of_the_same_name_is_refused(stack):
    """Names made by hand can't be had twice: the load balancer's by its own API, a cluster's by CloudFormation."""
    values = parameters(**KEEP, LoadBalancerScheme="internal")
    assert stack.update(CLUSTER, Parameters=values) == "UPDATE_ROLLBACK_COMPLETE"
    assert "already exists" in stack.reason("LoadBalancer", "UPDATE_FAILED")
    left = stack.api.describe_stack_resource(StackName="demo", LogicalResourceId="LoadBalancer")["StackResourceDetail"]
    assert (left["ResourceStatus"], left["PhysicalResourceId"] is None) == ("UPDATE_COMPLETE", False)


def test_custom_named_resources(aws):
    stack = Stack(aws)
    role = {"RoleName": "r", "AssumeRolePolicyDocument": {"Statement": []}}
    stack.create(template(Role=("AWS::IAM::Role", {**role, "Path": "/a/"})))
    assert stack.update(template(Role=("AWS::IAM::Role", {**role, "Path": "/b/"}))) == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.reason("Role", "UPDATE_FAILED") == (
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename r and update the "
        "stack again."
    )


def test_a_failed_update_goes_back(aws, stack):
    values = parameters(**KEEP, InstanceType="t9.mega", ContainerInsights="enabled", ServiceRole="true")
    assert stack.update(CLUSTER, Parameters=values) == "UPDATE_ROLLBACK_COMPLETE"
    assert "Invalid value 't9.mega' for InstanceType." in stack.reason("Instances", "UPDATE_FAILED")
    why = "The following resource(s) failed to update: [Instances]. "
    assert stack.reason("demo", "UPDATE_ROLLBACK_IN_PROGRESS") == why
    assert stack.describe()["StackStatusReason"] == why
    settings = aws.ecs.describe_clusters(clusters=["demo"], include=["SETTINGS"])["clusters"][0]["settings"]
    assert settings == [{"name": "containerInsights", "value": "disabled"}]
    version = group(aws)["LaunchTemplate"]["Version"]
    found = aws.ec2.describe_launch_template_versions(LaunchTemplateName="demo-ecs-instances", Versions=[version])
    assert found["LaunchTemplateVersions"][0]["LaunchTemplateData"]["InstanceType"] == "t2.micro"
    assert not [each for each in aws.iam.list_roles()["Roles"] if "ECSRole" in each["RoleName"]]
    shown = {each["ParameterKey"]: each["ParameterValue"] for each in stack.describe()["Parameters"]}
    assert shown["InstanceType"] == "t2.micro"
    # A stack that went back can be updated, and has nothing to update to what it was.
    assert stack.change_set(CLUSTER, Parameters=parameters(**KEEP))["StatusReason"] == NOTHING
    values = parameters(**KEEP, InstanceType="t3.small")
    assert stack.update(CLUSTER, Parameters=values) == "UPDATE_COMPLETE"
    assert stack.delete() == "DELETE_COMPLETE"


def test_a_failed_execution_is_told_by_the_change_set(stack):
    found = stack.change_set(CLUSTER, Parameters=parameters(**KEEP, InstanceType="t9.mega"))
    stack.api.execute_change_set(ChangeSetName=found["ChangeSetId"])
    assert stack.wait() == "UPDATE_ROLLBACK_COMPLETE"
    found = stack.api.describe_change_set(ChangeSetName=found["ChangeSetId"])
    assert found["ExecutionStatus"] == "EXECUTE_FAILED"


def test_a_roll_back_that_fails_is_continued(aws):
    """The policy that the role shall have again is gone; with it back the roll-back ends."""
    document = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    arn = aws.iam.create_policy(PolicyName="own", PolicyDocument=document)["Policy"]["Arn"]
    stack = Stack(aws)

    def body(policy: str, **more) -> str:
        role = {"RoleName": "r", "ManagedPolicyArns": [policy], "AssumeRolePolicyDocument": {"Statement": []}}
        return template(Role=("AWS::IAM::Role", role), **more)

    assert stack.create(body(arn)) == "CREATE_COMPLETE"
    aws.iam.detach_role_policy(RoleName="r", PolicyArn=arn)
    aws.iam.delete_policy(PolicyArn=arn)
    instance = ("AWS::EC2::Instance", {"ImageId": "ami-12c6146b", "InstanceType": "t9.mega"}, {"DependsOn": "Role"})
    other = "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy"
    assert stack.update(body(other, Bad=instance)) == "UPDATE_ROLLBACK_FAILED"
    assert stack.describe()["StackStatusReason"] == "The following resource(s) failed to update: [Role]. "
    assert "can not be updated" in refusal(stack.api.update_stack, StackName="demo", TemplateBody=body(other))[1]
    stack.api.continue_update_rollback(StackName="demo", ClientRequestToken="again")
    assert stack.wait() == "UPDATE_ROLLBACK_FAILED"
    call = {"StackName": "demo", "ClientRequestToken": "again"}
    assert refusal(stack.api.continue_update_rollback, **call)[0] == "TokenAlreadyExistsException"
    aws.iam.create_policy(PolicyName="own", PolicyDocument=document)
    stack.api.continue_update_rollback(StackName="demo")
    assert stack.wait() == "UPDATE_ROLLBACK_COMPLETE"
    attached = aws.iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"]
    assert [each["PolicyArn"] for each in attached] == [arn]
    left = stack.api.list_stack_resources(StackName="demo")["StackResourceSummaries"]
    assert [each["LogicalResourceId"] for each in left] == ["Role"]


def test_a_roll_back_that_was_put_off(aws):
    stack = Stack(aws)
    good = ("AWS::ECS::Cluster", {"ClusterName": "good"})
    bad = ("AWS::EC2::Instance", {"ImageId": "ami-12c6146b", "InstanceType": "t9.mega"}, {"DependsOn": "New"})
    stack.create(template(Good=good))
    new = ("AWS::ECS::Cluster", {"ClusterName": "new"})
    assert stack.update(template(Good=good, New=new, Bad=bad), DisableRollback=True) == "UPDATE_FAILED"
    assert len(aws.ecs.list_clusters()["clusterArns"]) == 2
    stack.api.rollback_stack(StackName="demo")
    assert stack.wait() == "UPDATE_ROLLBACK_COMPLETE"
    assert len(aws.ecs.list_clusters()["clusterArns"]) == 1


def test_resources_are_added_and_removed(aws):
    stack = Stack(aws)
    one, two = ("AWS::ECS::Cluster", {"ClusterName": "one"}), ("AWS::ECS::Cluster", {"ClusterName": "two"})
    stack.create(template(One=one))
    found = stack.change_set(template(Two=two))
    assert changes(found) == {"Two": ("Add", None), "One": ("Remove", None)}
    stack.api.execute_change_set(StackName="demo", ChangeSetName="change")
    assert stack.wait() == "UPDATE_COMPLETE"
    assert [each.split("/")[-1] for each in aws.ecs.list_clusters()["clusterArns"]] == ["two"]
    left = stack.api.list_stack_resources(StackName="demo")["StackResourceSummaries"]
    assert [each["LogicalResourceId"] for each in left] == ["Two"]


def test_rules_and_tags_are_changed(aws):
    stack = Stack(aws)

    def body(port: int, **tags: str) -> str:
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "10.0.0.0/8"}
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
        properties = {"GroupDescription": "x", "VpcId": aws.vpc(), "SecurityGroupIngress": [rule], "Tags": pairs}
        return template(
            Group=("AWS::EC2::SecurityGroup", properties), Role=("AWS::IAM::Role", {"AssumeRolePolicyDocument": {}})
        )

    stack.create(body(80, a="1", b="2"))
    found = stack.change_set(body(81, a="1", c="3"))
    (change,) = (each["ResourceChange"] for each in found["Changes"])
    assert (change["Scope"], change["Replacement"]) == (["Properties", "Tags"], "False")
    assert stack.update(body(81, a="1", c="3"), Tags=[{"Key": "team", "Value": "red"}]) == "UPDATE_COMPLETE"
    group = aws.ec2.describe_security_groups(GroupIds=[stack.physical("Group")])["SecurityGroups"][0]
    assert [each["FromPort"] for each in group["IpPermissions"]] == [81]
    tags = {each["Key"]: each["Value"] for each in group["Tags"] if not each["Key"].startswith("aws:")}
    assert tags == {"team": "red", "a": "1", "c": "3"}
    role = aws.iam.get_role(RoleName=stack.physical("Role"))["Role"]
    assert role["Tags"] == [{"Key": "team", "Value": "red"}]
    assert stack.describe()["Tags"] == [{"Key": "team", "Value": "red"}]


def test_the_stacks_tags_reach_everything_in_an_update(aws, stack):
    values = parameters(**KEEP)
    assert stack.update(CLUSTER, Parameters=values, Tags=[*TAGS, {"Key": "cost", "Value": "low"}]) == "UPDATE_COMPLETE"
    new = {"Key": "cost", "Value": "low"}
    assert new in aws.ec2.describe_vpcs(VpcIds=[stack.physical("Vpc")])["Vpcs"][0]["Tags"]
    arns = [stack.physical("LoadBalancer"), stack.physical("Listener")]
    assert all(new in each["Tags"] for each in aws.elbv2.describe_tags(ResourceArns=arns)["TagDescriptions"])
    assert [each["Value"] for each in group(aws)["Tags"] if each["Key"] == "cost"] == ["low"]
    assert new in aws.iam.get_role(RoleName="demo-ecs-instance-role")["Role"]["Tags"]
    cluster = aws.ecs.describe_clusters(clusters=["demo"], include=["TAGS"])["clusters"][0]
    assert {"key": "cost", "value": "low"} in cluster["tags"]


def test_outputs_alone_are_an_update(stack):
    body = CLUSTER + "\n  Zone:\n    Value: !GetAtt SubnetOne.AvailabilityZone\n"
    found = stack.change_set(body, Parameters=parameters(**KEEP))
    assert (found["Status"], found["Changes"]) == ("CREATE_COMPLETE", [])
    assert stack.update(body, Parameters=parameters(**KEEP)) == "UPDATE_COMPLETE"
    assert stack.outputs()["Zone"] == "ap-southeast-1a"


def test_previous_values_and_templates(stack):
    call = {
        "StackName": "demo",
        "ChangeSetName": "c",
        "TemplateBody": CLUSTER,
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }
    assert refusal(stack.api.create_change_set, **call)[1] == f"Parameters: [{', '.join(NAMES)}] must have values"
    call = {"StackName": "demo", "TemplateBody": CLUSTER, "Parameters": parameters(Nope=None)}
    assert refusal(stack.api.update_stack, **call)[1] == "Parameters: [Nope] do not exist in the template"
    stack.api.update_stack(
        StackName="demo",
        UsePreviousTemplate=True,
        Parameters=parameters(**KEEP, DesiredCapacity=1),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    assert stack.wait() == "UPDATE_COMPLETE"


def test_a_type_does_not_change(aws):
    stack = Stack(aws)
    stack.create(template(Thing=("AWS::ECS::Cluster", {})))
    call = {"StackName": "demo", "TemplateBody": template(Thing=("AWS::SNS::Topic", {}))}
    for refused in (
        refusal(stack.api.update_stack, **call),
        refusal(stack.api.create_change_set, ChangeSetName="c", **call),
    ):
        message = "Update of resource type is not permitted. The new template modifies resource type of the following "
        assert refused == ("ValidationError", message + "resources: [Thing]")


def test_a_change_set_that_creates(aws):
    stack = Stack(aws)
    body = template(Cluster=("AWS::ECS::Cluster", {"ClusterName": "demo"}))
    code, message = refusal(stack.api.create_change_set, StackName="demo", ChangeSetName="c", TemplateBody=body)
    assert (code, message) == ("ValidationError", "Stack [demo] does not exist")
    found = stack.change_set(body, ChangeSetType="CREATE", Tags=TAGS)
    stack.id = found["StackId"]
    assert changes(found) == {"Cluster": ("Add", None)}
    assert stack.describe()["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert aws.ecs.list_clusters()["clusterArns"] == []
    stack.api.execute_change_set(StackName="demo", ChangeSetName="change")
    assert stack.wait() == "CREATE_COMPLETE"
    assert stack.describe()["Tags"] == TAGS
    assert stack.api.list_change_sets(StackName="demo")["Summaries"] == []
    call = {"StackName": "demo", "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": body}
    code, message = refusal(stack.api.create_change_set, **call)
    assert message == "Stack [demo] already exists and cannot be created again with the changeSet [c]."


def test_exports_and_imports(aws):
    first, second = Stack(aws, "first"), Stack(aws, "second")
    body = json.loads(template(Cluster=("AWS::ECS::Cluster", {"ClusterName": "one"})))
    body["Outputs"] = {"Name": {"Value": {"Ref": "Cluster"}, "Export": {"Name": "the-cluster"}}}
    assert first.create(json.dumps(body)) == "CREATE_COMPLETE"
    (export,) = aws.cloudformation.list_exports()["Exports"]
    assert (export["Name"], export["Value"], export["ExportingStackId"]) == ("the-cluster", "one", first.id)
    name = {"Fn::Sub": ["${name}-two", {"name": {"Fn::ImportValue": "the-cluster"}}]}
    assert second.create(template(Cluster=("AWS::ECS::Cluster", {"ClusterName": name}))) == "CREATE_COMPLETE"
    assert second.physical("Cluster") == "one-two"
