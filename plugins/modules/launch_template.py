#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: launch_template
version_added: 0.1.0
short_description: Keep a launch template for container instances
description:
  - Makes, changes and deletes an EC2 launch template.
  - A change makes a new version and sets it as the default one, which is what M(handson.ecs.auto_scaling_group)
    launches. A run that was interrupted between the two is mended by the next one without another version.
  - IMDSv2 is always required.
  - Everything that is launched carries O(owner), O(tags) and a C(Name).
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the launch template, 3 to 128 characters.
    type: str
    required: true
  image_id:
    description: Id of the image. It wins over O(image_parameter), and pins the image.
    type: str
  image_parameter:
    description:
      - Name of the SSM parameter that holds the id of the image.
      - When AWS publishes a new image under it, the next run makes a new version of the template.
    type: str
    default: /aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id
  instance_type:
    description: Type of the instances, such as V(t3.medium). Needed to make a template.
    type: str
  key_name:
    description: Name of the key pair for SSH. Without it no key is installed.
    type: str
  security_groups:
    description: Names of the instances' security groups in the VPC of O(network). A value C(sg-…) is taken as an id.
    type: list
    elements: str
    default: []
  network:
    description: Which VPC the security groups are looked up in.
    type: dict
    default: {}
    suboptions:
      mode:
        description: The account's default VPC, one that is there, or one that this collection makes.
        type: str
        choices: [default, existing, create]
        default: default
      vpc_id:
        description: Id of the VPC for the mode V(existing).
        type: str
      subnet_ids:
        description: Ids of subnets for the mode V(existing). Not used here.
        type: list
        elements: str
      name:
        description: Name tag of the VPC for the mode V(create).
        type: str
      owner:
        description: Further tags that the VPC of the mode V(create) must have.
        type: dict
  instance_profile:
    description: Name of the instance profile, whose role lets the ECS agent register the instance.
    type: str
  user_data:
    description:
      - Script that an instance runs when it starts, as plain text, at most 16 KiB.
      - In the result and the diff, a fingerprint stands for the value of a line C(NAME=value) whose name looks secret
        (such as C(…_PASSWORD), C(…_TOKEN), C(ECS_ENGINE_AUTH_DATA)). On AWS it is kept as it is, for everyone to read
        who may describe the template.
    type: str
  volume:
    description: The instances' root volume. Without it the image's own description holds.
    type: dict
    suboptions:
      size:
        description: GiB, at least what the image needs (30 for the ECS-optimized images). Without it the image's.
        type: int
      type:
        description: Type of the volume.
        type: str
        default: gp3
      encrypted:
        description: Whether the volume is encrypted.
        type: bool
        default: true
      kms_key:
        description: Id or ARN of the KMS key to encrypt with. Without it the account's default key for EBS.
        type: str
      device_name:
        description: Name of the image's root device. Another name makes a second volume.
        type: str
        default: /dev/xvda
  metadata_hop_limit:
    description:
      - How many network hops an answer of the instance metadata service may take, 1 to 64.
      - With 1 containers in bridge mode can't reach it and so can't take the instance's role. They have their task's.
    type: int
    default: 1
  monitoring:
    description: Whether EC2 reports metrics each minute instead of each five. It costs money.
    type: bool
    default: false
  associate_public_ip:
    description: Whether instances get a public IP address. Without it the subnet decides.
    type: bool
  instance_name:
    description: The C(Name) tag of the instances and their volumes. Without it the template's name.
    type: str
"""

EXAMPLES = r"""
- name: Keep the launch template of the petclinic instances
  handson.ecs.launch_template:
    name: petclinic-rest-instances
    instance_type: t3.medium
    key_name: petclinic-rest-key
    security_groups: [petclinic-rest-instances]
    instance_profile: petclinic-rest-instance
    volume:
      size: 30
    user_data: |
      #!/bin/bash
      echo ECS_CLUSTER=petclinic-rest-cluster >> /etc/ecs/ecs.config
    owner:
      handson:cluster: petclinic-rest-cluster
"""

RETURN = r"""
launch_template:
  description: The default version of the launch template in the names of the options. Security groups are ids.
  returned: always
  type: dict
  contains:
    id:
      description: Id of the template.
      type: str
    default_version:
      description: Number of the version that is launched.
      type: int
    latest_version:
      description: Number of the newest version.
      type: int
    imdsv2_required:
      description: Whether the instance metadata service answers to session tokens only.
      type: bool
    launched_tags:
      description: Tags of the instances and volumes that are launched.
      type: dict
  sample:
    name: petclinic-rest-instances
    id: lt-0123456789abcdef0
    default_version: 2
    latest_version: 2
    image_id: ami-0123456789abcdef0
    instance_type: t3.medium
"""

import uuid

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from ansible_collections.handson.ecs.plugins.module_utils import launch_templates, names
from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags, tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    Resource,
    ResourceError,
    argument_spec,
    ignore_missing,
)
from ansible_collections.handson.ecs.plugins.module_utils.unlogged import unlogged_module


class LaunchTemplate(Resource):
    kind = "launch template"
    result_key = "launch_template"
    exists_codes = ("InvalidLaunchTemplateName.AlreadyExistsException",)

    def __init__(self, module):
        super().__init__(module)
        self._latest = None

    def get(self):
        ec2 = self.client("ec2")
        template = launch_templates.find(ec2, self.name)
        if template is None:
            return None
        default, latest = template["DefaultVersionNumber"], template["LatestVersionNumber"]
        versions = {
            v["VersionNumber"]: launch_templates.options_from_data(v["LaunchTemplateData"])
            for v in ec2.describe_launch_template_versions(
                LaunchTemplateId=template["LaunchTemplateId"], Versions=sorted({str(default), str(latest)})
            )["LaunchTemplateVersions"]
        }
        self._latest = versions[latest]
        return {
            "name": template["LaunchTemplateName"],
            "id": template["LaunchTemplateId"],
            "default_version": default,
            "latest_version": latest,
            **versions[default],
            "tags": tags_to_dict(template.get("Tags")),
        }

    def desired(self, current):
        """Everything a version holds, also what is left open: a new version starts from nothing."""
        volume = self.params["volume"]
        return {
            "name": self.name,
            "image_id": self.params["image_id"] or self._image_of_parameter(),
            "instance_type": self.params["instance_type"],
            "key_name": self.params["key_name"],
            "instance_profile": self.params["instance_profile"],
            "security_groups": self.resolve(self._security_group_ids),
            "associate_public_ip": self.params["associate_public_ip"],
            "user_data": self.params["user_data"] or None,
            "volume": volume and {o: volume[o] for o in ("device_name", "size", "type", "encrypted", "kms_key")},
            "imdsv2_required": True,
            "metadata_hop_limit": self.params["metadata_hop_limit"],
            "monitoring": self.params["monitoring"],
            "launched_tags": {"Name": self.params["instance_name"] or self.name, **self.wanted_tags},
        }

    def create(self, desired):
        specifications = []
        if desired.get("tags"):
            specifications = [{"ResourceType": "launch-template", "Tags": dict_to_tags(desired["tags"])}]
        made = self.client("ec2").create_launch_template(
            LaunchTemplateName=self.name,
            LaunchTemplateData=launch_templates.data_from_options(desired),
            TagSpecifications=specifications,
            ClientToken=str(uuid.uuid4()),
        )
        self._warn(made)

    def update(self, current, desired, changes):
        ec2 = self.client("ec2")
        if changes - {"tags"}:
            version = current["latest_version"]
            if self._latest != {option: desired[option] for option in self._latest}:
                made = ec2.create_launch_template_version(
                    LaunchTemplateId=current["id"],
                    LaunchTemplateData=launch_templates.data_from_options(desired),
                    ClientToken=str(uuid.uuid4()),
                )
                self._warn(made)
                version = made["LaunchTemplateVersion"]["VersionNumber"]
            # Otherwise an earlier run made the version and was interrupted here.
            ec2.modify_launch_template(LaunchTemplateId=current["id"], DefaultVersion=str(version))
        if "tags" in changes:
            ec2.create_tags(Resources=[current["id"]], Tags=dict_to_tags(desired["tags"]))

    def delete(self, current):
        ignore_missing(
            lambda: self.client("ec2").delete_launch_template(LaunchTemplateId=current["id"]),
            "InvalidLaunchTemplateId.NotFound",
            "InvalidLaunchTemplateName.NotFoundException",
        )

    def _diff(self, before, after):
        return super()._diff(launch_templates.masked(before), launch_templates.masked(after))

    def _present(self):
        return self._masked(super()._present())

    def _absent(self):
        return self._masked(super()._absent())  # one that isn't ours is shown

    def _masked(self, result):
        if result[self.result_key]:
            result[self.result_key] = launch_templates.masked(result[self.result_key])
        return result

    def _image_of_parameter(self):
        name = self.params["image_parameter"]
        try:
            value = self.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
        except is_boto3_error_code("ParameterNotFound"):
            raise ResourceError(
                f"There is no SSM parameter {name!r} (image_parameter) in this region. Name another, or put the id of "
                "an ECS-optimized image into image_id."
            ) from None
        if not value.startswith("ami-"):
            raise ResourceError(
                f"The SSM parameter {name!r} (image_parameter) holds {value[:40]!r}, not the id of an image. The "
                "parameters that AWS keeps for ECS end in /image_id."
            )
        return value

    def _security_group_ids(self):
        wanted = self.params["security_groups"]
        ids = [g for g in wanted if g.startswith("sg-")]
        named = [g for g in wanted if not g.startswith("sg-")]
        if named:
            ec2 = self.client("ec2")
            ids += names.security_group_ids(ec2, named, names.vpc_id(ec2, self.params["network"])).values()
        return sorted(ids)

    def _warn(self, made):
        """Pass on what EC2 finds wrong with a template that it accepted all the same."""
        for error in (made.get("Warning") or {}).get("Errors") or []:
            self.module.warn(f"EC2 on the launch template {self.name!r}: {error.get('Message')} ({error.get('Code')})")


def main():
    network = {
        "mode": {"type": "str", "choices": ["default", "existing", "create"], "default": "default"},
        "vpc_id": {"type": "str"},
        "subnet_ids": {"type": "list", "elements": "str"},
        "name": {"type": "str"},
        "owner": {"type": "dict"},
    }
    volume = {
        "size": {"type": "int"},
        "type": {"type": "str", "default": "gp3"},
        "encrypted": {"type": "bool", "default": True},
        "kms_key": {"type": "str", "no_log": False},
        "device_name": {"type": "str", "default": "/dev/xvda"},
    }
    spec = argument_spec(
        name={"type": "str", "required": True},
        image_id={"type": "str"},
        image_parameter={
            "type": "str",
            "default": "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id",
        },
        instance_type={"type": "str"},
        # The name of a key pair is no secret.
        key_name={"type": "str", "no_log": False},
        security_groups={"type": "list", "elements": "str", "default": []},
        network={"type": "dict", "options": network, "default": {}},
        instance_profile={"type": "str"},
        user_data={"type": "str"},
        volume={"type": "dict", "options": volume},
        metadata_hop_limit={"type": "int", "default": 1},
        monitoring={"type": "bool", "default": False},
        associate_public_ip={"type": "bool"},
        instance_name={"type": "str"},
    )
    LaunchTemplate(
        unlogged_module(
            argument_spec=spec, supports_check_mode=True, required_if=[("state", "present", ["instance_type"])]
        )
    ).run()


if __name__ == "__main__":
    main()
