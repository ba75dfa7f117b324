# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The endpoint's command line, and an account in it, for the tests."""

import base64
import os
import socket
import subprocess
import sys
from pathlib import Path

import boto3
from botocore.config import Config

PACKAGE = Path(__file__).resolve().parents[2] / "roles/local_endpoint/files/embedded_endpoint"
REGION = "ap-southeast-1"


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Launcher:
    """The command line of one endpoint."""

    def __init__(self, state_dir: Path, port: int | None):
        self.state_dir, self.port = Path(state_dir), port

    def arguments(self, command: str, *options: str) -> list[str]:
        port = ["--port", str(self.port)] if self.port else []
        return [sys.executable, str(PACKAGE), command, "--state-dir", str(self.state_dir), *port, *options]

    def __call__(self, command: str, *options: str, **environment: str) -> subprocess.CompletedProcess:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("HANDSON_", "AWS_"))}
        return subprocess.run(
            self.arguments(command, *options), capture_output=True, text=True, timeout=90, env={**clean, **environment}
        )


class Account:
    """Clients of the endpoint, and the few things that most tests need in it."""

    def __init__(self, port: int):
        self.port = port
        self._clients: dict = {}

    def __getattr__(self, service: str):
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service.replace("_", "-"),
                endpoint_url=f"http://127.0.0.1:{self.port}",
                region_name=REGION,
                aws_access_key_id="testing",
                aws_secret_access_key="testing",
                config=Config(retries={"total_max_attempts": 1}),
            )
        return self._clients[service]

    def vpc(self) -> str:
        return self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]

    def subnets(self) -> list[str]:
        return [each["SubnetId"] for each in self.ec2.describe_subnets()["Subnets"]][:2]

    def group(self, name: str = "tasks") -> str:
        return self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc())["GroupId"]

    def instances(self, cluster: str, count: int, kind: str = "t2.medium", groups: tuple[str, ...] = ()) -> str:
        """A launch template and an auto scaling group of `count` instances of a cluster; the group's name."""
        data = base64.b64encode(f"#!/bin/bash\necho ECS_CLUSTER={cluster} >> /etc/ecs/ecs.config\n".encode()).decode()
        template = {"ImageId": "ami-12c6146b", "InstanceType": kind, "UserData": data, "SecurityGroupIds": list(groups)}
        self.ec2.create_launch_template(LaunchTemplateName=f"{cluster}-template", LaunchTemplateData=template)
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=f"{cluster}-instances",
            LaunchTemplate={"LaunchTemplateName": f"{cluster}-template", "Version": "$Latest"},
            MinSize=0,
            MaxSize=6,
            DesiredCapacity=count,
            VPCZoneIdentifier=",".join(self.subnets()),
        )
        return f"{cluster}-instances"

    def balancer(self, name: str = "web", kind: str = "instance", listener: bool = True) -> str:
        """A load balancer whose listener forwards to a target group; the target group's ARN."""
        arn = self.elbv2.create_target_group(
            Name=f"{name}-tg", Protocol="HTTP", Port=80, VpcId=self.vpc(), TargetType=kind
        )["TargetGroups"][0]["TargetGroupArn"]
        if listener:
            balancer = self.elbv2.create_load_balancer(Name=name, Subnets=self.subnets())["LoadBalancers"][0]
            self.elbv2.create_listener(
                LoadBalancerArn=balancer["LoadBalancerArn"],
                Protocol="HTTP",
                Port=80,
                DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
            )
        return arn

    def task_definition(self, family: str = "web", **options) -> str:
        container = {
            "name": "web",
            "image": "web:1",
            "memoryReservation": 625,
            "portMappings": [{"containerPort": 9460, "hostPort": 0}],
        }
        options = {"cpu": "512", "memory": "1024", "containerDefinitions": [container], **options}
        return self.ecs.register_task_definition(family=family, **options)["taskDefinition"]["taskDefinitionArn"]

    def service(self, **include) -> dict:
        return self.ecs.describe_services(cluster="demo", services=["web"], **include)["services"][0]

    def until_steady(self, steps: int = 12) -> dict:
        """Describe the service until its newest event is a steady state."""
        for _ in range(steps):
            service = self.service()
            if service["events"] and service["events"][0]["message"].endswith("has reached a steady state."):
                return service
        raise AssertionError([each["message"] for each in service["events"]])

    def healthy(self, target_group: str) -> list[dict]:
        found = self.elbv2.describe_target_health(TargetGroupArn=target_group)["TargetHealthDescriptions"]
        return [each["Target"] for each in found if each["TargetHealth"]["State"] == "healthy"]
