#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: target_group
version_added: 0.1.0
short_description: Keep a target group of a load balancer
description:
  - Makes, changes and deletes a target group for an application load balancer.
  - Never touches the registered targets, since ECS registers and deregisters its tasks itself.
    That is why this is not M(community.aws.elb_target_group), which deregisters them on a second run.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the target group, at most 32 letters, digits and hyphens.
    type: str
    required: true
  load_balancer:
    description: Name of the load balancer whose VPC the group belongs to. Needed to make a group.
    type: str
  protocol:
    description: Protocol to the targets.
    type: str
    choices: [HTTP, HTTPS]
    default: HTTP
  port:
    description: Port that a target gets when it is registered without one. ECS always registers its own.
    type: int
    default: 80
  target_type:
    description: V(instance) for the network modes bridge and host, V(ip) for awsvpc (Fargate).
    type: str
    choices: [instance, ip]
    default: instance
  deregistration_delay:
    description: Seconds that a draining target gets to finish its requests, 0 to 3600.
    type: int
  health_check:
    description: How the load balancer tells a healthy target.
    type: dict
    suboptions:
      path:
        description: Path to ask for.
        type: str
        default: /
      matcher:
        description: HTTP codes of a healthy answer, such as V(200) or V(200-299).
        type: str
        default: "200"
      interval:
        description: Seconds between two checks, 5 to 300.
        type: int
        default: 30
      timeout:
        description: Seconds without an answer that fail a check, 2 to 120, less than the interval.
        type: int
        default: 5
      healthy_threshold:
        description: Passed checks in a row that make a target healthy, 2 to 10.
        type: int
        default: 5
      unhealthy_threshold:
        description: Failed checks in a row that make a target unhealthy, 2 to 10.
        type: int
        default: 2
"""

EXAMPLES = r"""
- name: Keep the target group of the petclinic service
  handson.ecs.target_group:
    name: petclinic-rest-target
    load_balancer: petclinic-rest-alb
    deregistration_delay: 60
    health_check:
      path: /actuator/health
"""

RETURN = r"""
target_group:
  description: The target group in the names of the options, with its ARN.
  returned: always
  type: dict
  sample: {arn: "arn:aws:elasticloadbalancing:…", name: petclinic-rest-target, port: 80, protocol: HTTP}
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import names
from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags
from ansible_collections.handson.ecs.plugins.module_utils.load_balancers import tags_of, tags_parameter
from ansible_collections.handson.ecs.plugins.module_utils.resource import Resource, argument_spec
from ansible_collections.handson.ecs.plugins.module_utils.target_groups import (
    describe_target_group,
    health_check_from_aws,
    health_check_to_aws,
)


class TargetGroup(Resource):
    kind = "target group"
    result_key = "target_group"
    immutable = frozenset({"protocol", "port", "target_type"})
    exists_codes = ("DuplicateTargetGroupName",)

    def get(self):
        elbv2 = self.client("elbv2")
        group = describe_target_group(elbv2, self.name)
        if group is None:
            return None
        arn = group["TargetGroupArn"]
        attributes = {a["Key"]: a["Value"] for a in elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]}
        return {
            "name": group["TargetGroupName"],
            "arn": arn,
            "vpc_id": group.get("VpcId"),
            "protocol": group["Protocol"],
            "port": group["Port"],
            "target_type": group["TargetType"],
            "deregistration_delay": int(attributes.get("deregistration_delay.timeout_seconds", 300)),
            "health_check": health_check_from_aws(group),
            "tags": tags_of(elbv2, [arn]).get(arn, {}),
        }

    def desired(self, current):
        return self.given("name", "protocol", "port", "target_type", "deregistration_delay", "health_check")

    def create(self, desired):
        vpc = names.load_balancer(self.client("elbv2"), self.params["load_balancer"])["VpcId"]
        made = self.client("elbv2").create_target_group(
            Name=self.name,
            VpcId=vpc,
            Protocol=desired["protocol"],
            Port=desired["port"],
            TargetType=desired["target_type"],
            **tags_parameter(desired.get("tags")),
            **health_check_to_aws(desired.get("health_check") or {}),
        )
        if "deregistration_delay" in desired:
            self._set_delay(made["TargetGroups"][0]["TargetGroupArn"], desired["deregistration_delay"])

    def update(self, current, desired, changes):
        elbv2, arn = self.client("elbv2"), current["arn"]
        if "health_check" in changes:
            elbv2.modify_target_group(TargetGroupArn=arn, **health_check_to_aws(desired["health_check"]))
        if "deregistration_delay" in changes:
            self._set_delay(arn, desired["deregistration_delay"])
        if "tags" in changes:
            elbv2.add_tags(ResourceArns=[arn], Tags=dict_to_tags(desired["tags"]))

    def delete(self, current):
        # Refused for a moment after its listener or rule was deleted.
        self.retry_on(
            ("is currently in use",),
            lambda: self.client("elbv2").delete_target_group(TargetGroupArn=current["arn"]),
        )

    def _set_delay(self, arn, seconds):
        self.client("elbv2").modify_target_group_attributes(
            TargetGroupArn=arn,
            Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(seconds)}],
        )


def main():
    health_check = {
        "path": {"type": "str", "default": "/"},
        "matcher": {"type": "str", "default": "200"},
        "interval": {"type": "int", "default": 30},
        "timeout": {"type": "int", "default": 5},
        "healthy_threshold": {"type": "int", "default": 5},
        "unhealthy_threshold": {"type": "int", "default": 2},
    }
    spec = argument_spec(
        name={"type": "str", "required": True},
        load_balancer={"type": "str"},
        protocol={"type": "str", "choices": ["HTTP", "HTTPS"], "default": "HTTP"},
        port={"type": "int", "default": 80},
        target_type={"type": "str", "choices": ["instance", "ip"], "default": "instance"},
        deregistration_delay={"type": "int"},
        health_check={"type": "dict", "options": health_check},
    )
    TargetGroup(
        AnsibleAWSModule(
            argument_spec=spec, supports_check_mode=True, required_if=[("state", "present", ["load_balancer"])]
        )
    ).run()


if __name__ == "__main__":
    main()
