# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Stacks in the endpoint, for the tests of CloudFormation."""

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

ROLES = Path(__file__).resolve().parents[2] / "roles"
#: The role's template with a listener, which other templates have.
CLUSTER = (ROLES / "cluster_stack/files/cluster.yml").read_text().replace(
    "  ECSRole:\n    Type: AWS::IAM::Role",
    """  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref LoadBalancer
      Port: !Ref ListenerPort
      Protocol: HTTP
      DefaultActions:
        - Type: fixed-response
          FixedResponseConfig: { StatusCode: "404", ContentType: text/plain, MessageBody: No service here yet. }

  ECSRole:
    Type: AWS::IAM::Role""",
    1,
)
NAMES = {
    "ClusterName": "demo",
    "LoadBalancerName": "demo-alb",
    "LoadBalancerSecurityGroupName": "demo-alb-sg",
    "InstanceSecurityGroupName": "demo-ecs-instance-sg",
    "InstancesName": "demo-ecs-instances",
    "InstanceRoleName": "demo-ecs-instance-role",
    "NetworkName": "demo-vpc",
    "AvailabilityZoneOne": "ap-southeast-1a",
    "AvailabilityZoneTwo": "ap-southeast-1b",
}
TAGS = [{"Key": "handson:cluster", "Value": "demo"}, {"Key": "team", "Value": "blue"}]


def parameters(**values) -> list[dict]:
    """Parameters as the API takes them; None keeps the previous value."""
    return [
        {"ParameterKey": key, "UsePreviousValue": True}
        if value is None
        else {"ParameterKey": key, "ParameterValue": str(value)}
        for key, value in values.items()
    ]


def template(outputs: dict | None = None, declared: dict | None = None, **resources) -> str:
    """A template of resources: {name: (type, properties)} or {name: (type, properties, more)}."""
    body: dict = {"Resources": {}}
    for name, (kind, properties, *more) in resources.items():
        body["Resources"][name] = {"Type": kind, "Properties": properties, **(more[0] if more else {})}
    if outputs:
        body["Outputs"] = {name: {"Value": value} for name, value in outputs.items()}
    if declared:
        body["Parameters"] = declared
    return json.dumps(body)


class Stack:
    """A stack by its name."""

    def __init__(self, account, name: str = "demo"):
        self.api, self.name, self.id = account.cloudformation, name, ""

    def create(self, body: str, tags=TAGS, capabilities=("CAPABILITY_NAMED_IAM",), **options) -> str:
        """Create it; the status it comes to."""
        self.id = self.api.create_stack(
            StackName=self.name, TemplateBody=body, Tags=list(tags), Capabilities=list(capabilities), **options
        )["StackId"]
        return self.wait()

    def update(self, body: str, capabilities=("CAPABILITY_NAMED_IAM",), **options) -> str:
        """Update it; the status it comes to."""
        self.api.update_stack(StackName=self.name, TemplateBody=body, Capabilities=list(capabilities), **options)
        return self.wait()

    def delete(self, **options) -> str:
        """Delete it; the status it comes to."""
        self.api.delete_stack(StackName=self.name, **options)
        return self.wait()

    def describe(self) -> dict:
        return self.api.describe_stacks(StackName=self.id)["Stacks"][0]

    def wait(self) -> str:
        for _ in range(5):
            status = self.describe()["StackStatus"]
            if not status.endswith("_IN_PROGRESS"):
                return status
        raise AssertionError(status)

    def events(self, name: str | None = None) -> list[tuple[str, str]]:
        """(logical id, status), oldest first; of all resources or of one."""
        found = self.api.describe_stack_events(StackName=self.id)["StackEvents"][::-1]
        return [
            (each["LogicalResourceId"], each["ResourceStatus"])
            for each in found
            if name in (None, each["LogicalResourceId"])
        ]

    def reason(self, name: str, status: str) -> str:
        """The reason in the newest event of a resource with a status."""
        found = self.api.describe_stack_events(StackName=self.id)["StackEvents"]
        return next(
            each["ResourceStatusReason"]
            for each in found
            if (each["LogicalResourceId"], each["ResourceStatus"]) == (name, status)
        )

    def failures(self) -> list[tuple[str, str]]:
        """(logical id, reason) of what failed."""
        found = self.api.describe_stack_events(StackName=self.id)["StackEvents"]
        return [
            (e["LogicalResourceId"], e["ResourceStatusReason"])
            for e in found
            if e["ResourceStatus"].endswith("_FAILED")
        ]

    def outputs(self) -> dict[str, str]:
        return {each["OutputKey"]: each["OutputValue"] for each in self.describe().get("Outputs", [])}

    def physical(self, name: str) -> str:
        found = self.api.describe_stack_resource(StackName=self.id, LogicalResourceId=name)
        return found["StackResourceDetail"]["PhysicalResourceId"]

    def change_set(self, body: str, name: str = "change", **options) -> dict:
        """Create a change set and describe it when it is no longer in progress."""
        options = {"ChangeSetType": "UPDATE", "Capabilities": ["CAPABILITY_NAMED_IAM"], **options}
        self.api.create_change_set(StackName=self.name, ChangeSetName=name, TemplateBody=body, **options)
        for _ in range(3):
            found = self.api.describe_change_set(StackName=self.name, ChangeSetName=name)
            if found["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                return found
        raise AssertionError(found["Status"])


def changes(change_set: dict) -> dict[str, tuple]:
    """{logical id: (action, replacement)} of a change set."""
    found = [each["ResourceChange"] for each in change_set["Changes"]]
    return {each["LogicalResourceId"]: (each["Action"], each.get("Replacement")) for each in found}


def refusal(call, *args, **kwargs) -> tuple[str, str]:
    """The code and message of the error that a call answers with."""
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]
