# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""States, events and refusals of stacks, and what happens when a resource fails."""

import json
import re

import pytest
from endpoint.stacks import CLUSTER, NAMES, TAGS, Stack, parameters, refusal, template

ROLE = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}}
CLUSTER_ONLY = template(Cluster=("AWS::ECS::Cluster", {"ClusterName": "demo"}))


@pytest.fixture
def stack(aws):
    return Stack(aws)


def group(vpc: str, **more) -> tuple[str, dict]:
    return "AWS::EC2::SecurityGroup", {"GroupDescription": "x", "VpcId": vpc, **more}


def test_events_are_told_step_by_step(aws, stack):
    made = stack.api.create_stack(
        StackName="demo",
        TemplateBody=template(
            Second=("AWS::ECS::Cluster", {"ClusterName": "two"}, {"DependsOn": "First"}),
            First=("AWS::ECS::Cluster", {"ClusterName": "one"}),
        ),
        ClientRequestToken="try-1",
    )
    stack.id = made["StackId"]
    assert stack.describe()["StackStatus"] == "CREATE_IN_PROGRESS"
    told = stack.events()
    assert told[0] == ("demo", "CREATE_IN_PROGRESS")
    assert ("demo", "CREATE_COMPLETE") not in told
    assert stack.wait() == "CREATE_COMPLETE"
    assert [name for name, status in stack.events() if status == "CREATE_COMPLETE"] == ["First", "Second", "demo"]
    found = aws.cloudformation.describe_stack_events(StackName="demo")["StackEvents"]
    assert {each["ClientRequestToken"] for each in found} == {"try-1"}
    assert len({each["EventId"] for each in found}) == len(found)
    assert [each["Timestamp"] for each in found] == sorted((each["Timestamp"] for each in found), reverse=True)
    assert found[-1]["ResourceStatusReason"] == "User Initiated"
    assert found[0]["PhysicalResourceId"] == stack.id
    (first, *_) = [each for each in found if each["LogicalResourceId"] == "First"]
    assert (first["PhysicalResourceId"], first["ResourceType"]) == ("one", "AWS::ECS::Cluster")


def test_events_alone_tell_it_as_well(stack):
    stack.id = stack.api.create_stack(StackName="demo", TemplateBody=CLUSTER_ONLY)["StackId"]
    for _ in range(5):
        told = stack.events("demo")
    assert told[-1] == ("demo", "CREATE_COMPLETE")


def test_a_stack_in_progress_is_not_updated(stack):
    stack.api.create_stack(StackName="demo", TemplateBody=CLUSTER_ONLY)
    code, message = refusal(stack.api.update_stack, StackName="demo", TemplateBody=CLUSTER_ONLY)
    assert code == "ValidationError"
    assert re.fullmatch(r"Stack:arn:\S+ is in CREATE_IN_PROGRESS state and can not be updated\.", message)


def test_a_failed_resource_rolls_the_stack_back(aws, stack):
    vpcs = len(aws.ec2.describe_vpcs()["Vpcs"])
    status = stack.create(CLUSTER, Parameters=parameters(**NAMES, InstanceType="t9.mega"))
    assert status == "ROLLBACK_COMPLETE"
    reason = stack.reason("Instances", "CREATE_FAILED")
    assert reason.startswith(
        "Resource handler returned message: \"You must use a valid fully-formed launch template. Invalid value 't9.mega' "
        "for InstanceType. (Service: AutoScaling, Status Code: 400, Request ID: "
    )
    assert reason.endswith("HandlerErrorCode: InvalidRequest)")
    why = "The following resource(s) failed to create: [Instances]. Rollback requested by user."
    assert stack.reason("demo", "ROLLBACK_IN_PROGRESS") == why
    assert stack.describe()["StackStatusReason"] == why
    assert stack.events("Vpc")[-1] == ("Vpc", "DELETE_COMPLETE")
    assert stack.events()[-1] == ("demo", "ROLLBACK_COMPLETE")
    assert len(aws.ec2.describe_vpcs()["Vpcs"]) == vpcs
    assert aws.ecs.list_clusters()["clusterArns"] == aws.ec2.describe_launch_templates()["LaunchTemplates"] == []
    assert aws.iam.list_roles()["Roles"] == []
    assert stack.api.describe_stack_resources(StackName="demo")["StackResources"] == []

    code, message = refusal(stack.api.create_stack, StackName="demo", TemplateBody=CLUSTER_ONLY)
    assert (code, message) == ("AlreadyExistsException", "Stack [demo] already exists")
    code, message = refusal(stack.api.update_stack, StackName="demo", TemplateBody=CLUSTER_ONLY)
    assert (code, message) == (
        "ValidationError",
        f"Stack:{stack.id} is in ROLLBACK_COMPLETE state and can not be updated.",
    )
    assert stack.delete() == "DELETE_COMPLETE"
    assert stack.create(CLUSTER_ONLY) == "CREATE_COMPLETE"


def test_what_was_half_made_is_deleted_too(aws, stack):
    """The group exists when its rule is refused."""
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "SourceSecurityGroupId": "sg-00000000000000000"}
    assert stack.create(template(Group=group(aws.vpc(), SecurityGroupIngress=[rule]))) == "ROLLBACK_COMPLETE"
    assert [each["GroupName"] for each in aws.ec2.describe_security_groups()["SecurityGroups"]] == ["default"]


def test_without_rollback_what_was_made_stays(aws, stack):
    instance = {"ImageId": "ami-12c6146b", "InstanceType": "t9.mega"}
    body = template(Good=("AWS::ECS::Cluster", {"ClusterName": "good"}), Bad=("AWS::EC2::Instance", instance))
    assert stack.create(body, DisableRollback=True) == "CREATE_FAILED"
    assert stack.describe()["StackStatusReason"] == "The following resource(s) failed to create: [Bad]. "
    assert len(aws.ecs.list_clusters()["clusterArns"]) == 1
    assert stack.delete() == "DELETE_COMPLETE"
    assert stack.create(body, OnFailure="DELETE") == "DELETE_COMPLETE"


def test_a_name_that_is_taken_fails_and_the_other_one_stays(aws, stack):
    aws.ecs.create_cluster(clusterName="demo")
    assert stack.create(CLUSTER_ONLY) == "ROLLBACK_COMPLETE"
    assert "with identifier 'demo' already exists." in stack.reason("Cluster", "CREATE_FAILED")
    assert len(aws.ecs.list_clusters()["clusterArns"]) == 1


def test_a_property_that_the_type_lacks(stack):
    assert stack.create(template(C=("AWS::ECS::Cluster", {"Name": "demo"}))) == "ROLLBACK_COMPLETE"
    assert stack.reason("C", "CREATE_FAILED") == (
        "Properties validation failed for resource C with message:\n[#: extraneous key [Name] is not permitted]"
    )


def test_what_cannot_be_worked_out_is_refused_at_once(stack):
    """Nothing was made: a list that is too short, and a resource whose condition doesn't hold."""
    body = template(
        declared={"Names": {"Type": "CommaDelimitedList", "Default": "one"}},
        C=("AWS::ECS::Cluster", {"ClusterName": {"Fn::Select": [1, {"Ref": "Names"}]}}),
    )
    assert refusal(stack.api.create_stack, StackName="demo", TemplateBody=body) == (
        "ValidationError",
        "Template error: Fn::Select cannot select nonexistent value at index 1",
    )
    two = json.loads(
        template(
            A=("AWS::ECS::Cluster", {}, {"Condition": "Never"}), B=("AWS::SNS::Topic", {"TopicName": {"Ref": "A"}})
        )
    )
    two["Conditions"] = {"Never": {"Fn::Equals": ["a", "b"]}}
    for call in (stack.api.create_stack, stack.api.create_change_set):
        more = {} if call == stack.api.create_stack else {"ChangeSetName": "c", "ChangeSetType": "CREATE"}
        assert refusal(call, StackName="demo", TemplateBody=json.dumps(two), **more)[1] == (
            "Template format error: Unresolved resource dependencies [A] in the Resources block of the template"
        )
    assert stack.api.list_stacks()["StackSummaries"] == []


@pytest.mark.parametrize("kind", ["AWS::Cloud9::EnvironmentEC2", "AWS::CloudFormation::WaitCondition", "Custom::Thing"])
def test_a_type_that_the_endpoint_lacks_is_no_success(aws, stack, kind):
    body = template(Cluster=("AWS::ECS::Cluster", {}), Thing=(kind, {}, {"DependsOn": "Cluster"}))
    assert stack.create(body) == "ROLLBACK_COMPLETE"
    assert stack.reason("Thing", "CREATE_FAILED").startswith(
        f"The local endpoint cannot make resources of type {kind}: it has no such API."
    )
    assert aws.ecs.list_clusters()["clusterArns"] == []


def test_moto_makes_the_types_that_we_have_no_handler_for(aws, stack):
    body = template(
        Topic=("AWS::SNS::Topic", {"TopicName": "news"}), outputs={"Name": {"Fn::GetAtt": ["Topic", "TopicName"]}}
    )
    assert stack.create(body) == "CREATE_COMPLETE"
    assert stack.outputs() == {"Name": "news"}
    assert len(aws.sns.list_topics()["Topics"]) == 1
    assert stack.delete() == "DELETE_COMPLETE"
    assert aws.sns.list_topics()["Topics"] == []


def test_a_cluster_with_a_service_is_not_deleted(aws, stack):
    """Nor is what the cluster needs; a second try goes on where the first one stopped."""
    body = template(
        Group=group(aws.vpc(), GroupName="first"),
        Cluster=("AWS::ECS::Cluster", {"ClusterName": "demo"}, {"DependsOn": "Group"}),
        Other=("AWS::ECS::Cluster", {"ClusterName": "other"}),
    )
    stack.create(body)
    aws.task_definition()
    aws.ecs.create_service(cluster="demo", serviceName="web", taskDefinition="web", desiredCount=0)
    assert stack.delete() == "DELETE_FAILED"
    assert "The Cluster cannot be deleted while Services are active." in stack.reason("Cluster", "DELETE_FAILED")
    assert stack.reason("demo", "DELETE_FAILED") == "The following resource(s) failed to delete: [Cluster]. "
    left = stack.api.describe_stack_resources(StackName="demo")["StackResources"]
    assert {each["LogicalResourceId"]: each["ResourceStatus"] for each in left} == {
        "Group": "CREATE_COMPLETE",
        "Cluster": "DELETE_FAILED",
    }
    message = refusal(stack.api.update_stack, StackName="demo", TemplateBody=body)[1]
    assert "is in DELETE_FAILED state and can not be updated." in message
    aws.ecs.delete_service(cluster="demo", service="web", force=True)
    assert stack.delete() == "DELETE_COMPLETE"
    assert aws.ecs.list_clusters()["clusterArns"] == []


def test_a_security_group_in_use_and_a_vpc_with_something_in_it(aws, stack):
    vpc = {"CidrBlock": "10.9.0.0/16"}
    subnet = {"CidrBlock": "10.9.0.0/24", "VpcId": {"Ref": "Vpc"}}
    stack.create(
        template(Vpc=("AWS::EC2::VPC", vpc), Subnet=("AWS::EC2::Subnet", subnet), Group=group({"Ref": "Vpc"})),
    )
    foreign = aws.ec2.create_security_group(GroupName="foreign", Description="x", VpcId=stack.physical("Vpc"))[
        "GroupId"
    ]
    pair = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": stack.physical("Group")}]}]
    aws.ec2.authorize_security_group_ingress(GroupId=foreign, IpPermissions=pair)
    assert stack.delete() == "DELETE_FAILED"
    assert "has a dependent object" in stack.reason("Group", "DELETE_FAILED")
    aws.ec2.revoke_security_group_ingress(GroupId=foreign, IpPermissions=pair)
    assert stack.delete() == "DELETE_FAILED"
    assert "has dependencies and cannot be deleted." in stack.reason("Vpc", "DELETE_FAILED")
    aws.ec2.delete_security_group(GroupId=foreign)
    assert stack.delete() == "DELETE_COMPLETE"


def test_resources_that_are_kept(aws, stack):
    stack.create(
        template(
            Kept=("AWS::ECS::Cluster", {"ClusterName": "kept"}, {"DeletionPolicy": "Retain"}),
            Stuck=("AWS::ECS::Cluster", {"ClusterName": "stuck"}),
        )
    )
    aws.task_definition()
    aws.ecs.create_service(cluster="stuck", serviceName="web", taskDefinition="web", desiredCount=0)
    message = refusal(stack.api.delete_stack, StackName="demo", RetainResources=["Stuck"])[1]
    assert "only when the stack is in the DELETE_FAILED state" in message
    assert stack.delete() == "DELETE_FAILED"
    assert stack.delete(RetainResources=["Stuck"]) == "DELETE_COMPLETE"
    assert ("Kept", "DELETE_SKIPPED") in stack.events()
    assert len(aws.ecs.list_clusters()["clusterArns"]) == 2


def test_termination_protection(stack):
    stack.create(CLUSTER_ONLY, EnableTerminationProtection=True)
    message = refusal(stack.api.delete_stack, StackName="demo")[1]
    assert message == "Stack [demo] cannot be deleted while TerminationProtection is enabled"
    stack.api.update_termination_protection(StackName="demo", EnableTerminationProtection=False)
    assert stack.delete() == "DELETE_COMPLETE"


def test_what_is_gone_is_known_by_its_id_alone(aws, stack):
    stack.create(CLUSTER_ONLY)
    assert stack.delete() == "DELETE_COMPLETE"
    for call in (stack.api.describe_stacks, stack.api.get_template, stack.api.describe_stack_resources):
        assert refusal(call, StackName="demo") == ("ValidationError", "Stack with id demo does not exist")
    assert refusal(stack.api.describe_stack_events, StackName="demo")[1] == "Stack [demo] does not exist"
    assert (
        refusal(stack.api.update_stack, StackName="demo", TemplateBody=CLUSTER_ONLY)[1] == "Stack [demo] does not exist"
    )
    assert stack.api.describe_stacks()["Stacks"] == []
    assert stack.api.delete_stack(StackName="demo")["ResponseMetadata"]["HTTPStatusCode"] == 200
    gone = stack.describe()
    assert (gone["StackStatus"], bool(gone["DeletionTime"])) == ("DELETE_COMPLETE", True)
    (summary,) = stack.api.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert summary["StackId"] == stack.id


def test_what_is_deleted_outside_is_no_obstacle(aws, stack):
    stack.create(template(Group=group(aws.vpc()), Cluster=("AWS::ECS::Cluster", {}), Role=("AWS::IAM::Role", ROLE)))
    aws.ec2.delete_security_group(GroupId=stack.physical("Group"))
    aws.iam.delete_role(RoleName=stack.physical("Role"))
    assert stack.delete() == "DELETE_COMPLETE"


def test_capabilities(stack):
    unnamed, named = (
        template(Role=("AWS::IAM::Role", ROLE)),
        template(Role=("AWS::IAM::Role", {**ROLE, "RoleName": "r"})),
    )
    for body, given, wanted in (
        (unnamed, [], "CAPABILITY_IAM"),
        (named, [], "CAPABILITY_NAMED_IAM"),
        (named, ["CAPABILITY_IAM"], "CAPABILITY_NAMED_IAM"),
    ):
        for call, more in (
            (stack.api.create_stack, {}),
            (stack.api.create_change_set, {"ChangeSetName": "c", "ChangeSetType": "CREATE"}),
        ):
            code, message = refusal(call, StackName="demo", TemplateBody=body, Capabilities=given, **more)
            assert (code, message) == ("InsufficientCapabilitiesException", f"Requires capabilities : [{wanted}]")
    assert stack.create(unnamed, capabilities=["CAPABILITY_IAM"]) == "CREATE_COMPLETE"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "Template format error: JSON not well-formed. (line 1, column 2)"),
        ("a: [", "Template format error: YAML not well-formed. (line 1, column 5)"),
        ("Resources: {}", "Template format error: At least one Resources member must be defined."),
        (
            template(A=("AWS::ECS::Clutser", {})),
            "Template format error: Unrecognized resource types: [AWS::ECS::Clutser]",
        ),
        (
            template(A=("AWS::ECS::Cluster", {"ClusterName": {"Ref": "Nmae"}})),
            "Template format error: Unresolved resource dependencies [Nmae] in the Resources block of the template",
        ),
        (
            template(A=("AWS::ECS::Cluster", {}), outputs={"X": {"Fn::GetAtt": ["B", "Arn"]}}),
            "Template error: instance of Fn::GetAtt references undefined resource B",
        ),
        (
            template(A=("AWS::ECS::Cluster", {}), outputs={"X": {"Fn::GetAtt": ["A", "Color"]}}),
            "Template error: resource A does not support attribute type Color in Fn::GetAtt",
        ),
        (
            template(A=("AWS::ECS::Cluster", {}, {"DependsOn": "B"}), B=("AWS::ECS::Cluster", {}, {"DependsOn": "A"})),
            "Circular dependency between resources: [A, B]",
        ),
    ],
)
def test_templates_that_are_refused(aws, stack, body, message):
    assert refusal(stack.api.create_stack, StackName="demo", TemplateBody=body) == ("ValidationError", message)
    assert stack.api.list_stacks()["StackSummaries"] == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "Parameters: [Name] must have values"),
        ({"Name": "a", "Nmae": "b"}, "Parameters: [Nmae] do not exist in the template"),
        ({"Name": "a", "Count": "x"}, "Parameter 'Count' must be a number."),
        ({"Name": "a", "Count": "-1"}, "Parameter 'Count' must be a number not less than 0"),
        ({"Name": "a" * 9}, "Parameter 'Name' must contain at most 8 characters"),
        ({"Name": "a", "Kind": "c"}, "Parameter 'Kind' must be one of AllowedValues"),
        ({"Name": "A"}, "Parameter Name failed to satisfy constraint: lower-case letters"),
    ],
)
def test_parameters_that_are_refused(stack, values, message):
    declared = {
        "Name": {
            "Type": "String",
            "MaxLength": 8,
            "AllowedPattern": "[a-z]+",
            "ConstraintDescription": "lower-case letters",
        },
        "Count": {"Type": "Number", "Default": 1, "MinValue": 0},
        "Kind": {"Type": "String", "Default": "a", "AllowedValues": ["a", "b"]},
    }
    if "at most" in message or message.startswith("Parameters"):
        del declared["Name"]["ConstraintDescription"]
    body = template(C=("AWS::ECS::Cluster", {"ClusterName": {"Ref": "Name"}}), declared=declared)
    call = {"StackName": "demo", "TemplateBody": body, "Parameters": parameters(**values)}
    assert refusal(stack.api.create_stack, **call) == ("ValidationError", message)


def test_parameters_of_the_store_and_of_things_that_must_exist(aws, stack):
    declared = {"Image": {"Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "Default": "/none"}}
    body = template(C=("AWS::ECS::Cluster", {}), declared=declared)
    assert refusal(stack.api.create_stack, StackName="demo", TemplateBody=body)[1] == (
        "Unable to fetch parameters [/none] from parameter store for this account."
    )
    declared = {"Key": {"Type": "AWS::EC2::KeyPair::KeyName", "Default": "none"}}
    assert stack.create(template(C=("AWS::ECS::Cluster", {}), declared=declared)) == "ROLLBACK_COMPLETE"
    assert stack.describe()["StackStatusReason"] == (
        "Parameter validation failed: parameter value none for parameter name Key does not exist. Rollback requested by user."
    )


def test_what_describe_stacks_tells(aws, stack):
    stack.create(CLUSTER, Parameters=parameters(**NAMES))
    found = stack.describe()
    assert found["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    assert found["Tags"] == TAGS
    assert found["Description"].startswith("An ECS cluster with its own VPC")
    shown = {each["ParameterKey"]: each for each in found["Parameters"]}
    assert shown["DesiredCapacity"]["ParameterValue"] == "2"
    assert shown["ImageId"]["ResolvedValue"].startswith("ami-")
    assert shown["ImageId"]["ParameterValue"].startswith("/aws/service/")
    assert stack.api.get_template(StackName="demo")["TemplateBody"] == CLUSTER
    summary = stack.api.get_template_summary(StackName="demo")
    assert summary["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    kinds = {each["ParameterKey"]: each["ParameterType"] for each in summary["Parameters"]}
    assert kinds["SubnetCidrs"] == "CommaDelimitedList"
    assert stack.api.validate_template(TemplateBody=CLUSTER)["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    (tagged,) = aws.resourcegroupstaggingapi.get_resources(ResourceTypeFilters=["cloudformation:stack"])[
        "ResourceTagMappingList"
    ]
    assert tagged["ResourceARN"] == stack.id
