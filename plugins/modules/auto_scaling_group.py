#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: auto_scaling_group
version_added: 0.1.0
short_description: Keep an auto scaling group of container instances
description:
  - Makes, changes and deletes an EC2 auto scaling group that launches the default version of a launch template.
  - Does not wait for the instances, which start while other things are made. M(handson.ecs.ecs_cluster_wait) waits.
  - It is not M(amazon.aws.autoscaling_group), which in check mode always says that something would change.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the group.
    type: str
    required: true
  launch_template:
    description: Name of the launch template. The group follows its default version. Needed to make a group.
    type: str
  network:
    description: Which subnets the instances are launched in.
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
        description: Ids of the subnets for the mode V(existing). Without them all subnets of the VPC.
        type: list
        elements: str
      name:
        description: Name tag of the VPC for the mode V(create).
        type: str
      owner:
        description: Further tags that the VPC of the mode V(create) must have.
        type: dict
  min:
    description: Fewest instances.
    type: int
    default: 0
  max:
    description: Most instances.
    type: int
    default: 1
  desired:
    description:
      - How many instances should run now.
      - Without it a living group keeps what it has, so that no scaler is overruled, and a new one starts with O(min).
    type: int
  initial_desired:
    description: How many instances a new group starts with, where O(desired) is not given.
    type: int
  default_cooldown:
    description: Seconds between two activities of simple scaling. Other policies don't look at it. AWS starts with 300.
    type: int
  health_check_type:
    description: Who says that an instance is unhealthy and to be replaced, besides EC2 itself.
    type: str
    choices: [EC2, ELB]
    default: EC2
  health_check_grace:
    description: Seconds after its launch in which an instance is not judged. Also the warm-up of an instance refresh.
    type: int
    default: 300
  new_instances_protected_from_scale_in:
    description:
      - Whether scaling in leaves instances alone. Managed termination protection of a capacity provider needs it.
      - A change is made to the living instances too.
    type: bool
    default: false
  termination_policies:
    description: Which instances go first, such as V(OldestLaunchTemplate). Without it the group keeps what it has.
    type: list
    elements: str
  metrics_collection:
    description:
      - Names of the group's own metrics that CloudWatch gets each minute, such as V(GroupInServiceInstances), free of
        charge. Without it the group keeps what it has. A new one has none.
    type: list
    elements: str
  detailed_monitoring:
    description:
      - V(true) switches metrics each minute on for running instances that another version of the launch template
        started, where they are not to be replaced. New ones have what the template says. V(false) leaves all as they are.
    type: bool
    default: false
  cluster:
    description:
      - Name of the ECS cluster. With it, instances that a scale-in of M(handson.ecs.auto_scaling_capacity) left draining
        because it was cut short take tasks again.
    type: str
  refresh_instances:
    description:
      - Whether instances that run another version than the launch template's default one are replaced.
      - An instance refresh is started where none is in progress, and not waited for. New instances come first, and the
        old ones go with their tasks moved away where the capacity provider has managed draining.
      - Otherwise a warning names them, and so does RV(outdated_instances).
    type: bool
    default: false
  delete_timeout:
    description: Seconds to wait until a group and its instances are gone.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Keep two instances, and let a scaler have up to four
  handson.ecs.auto_scaling_group:
    name: petclinic-rest-instances
    launch_template: petclinic-rest-instances
    min: 2
    max: 4
    owner:
      handson:cluster: petclinic-rest-cluster

- name: Replace the instances that run an old image
  handson.ecs.auto_scaling_group:
    name: petclinic-rest-instances
    launch_template: petclinic-rest-instances
    min: 2
    max: 4
    refresh_instances: true
    owner:
      handson:cluster: petclinic-rest-cluster
"""

RETURN = r"""
auto_scaling_group:
  description: The group in the names of the options, with its ARN, subnets and instances.
  returned: always
  type: dict
  contains:
    arn:
      description: Its ARN.
      type: str
    subnets:
      description: Ids of the subnets it launches in.
      type: list
      elements: str
    instances:
      description: Its instances when they were looked at, before any that this run starts.
      type: list
      elements: dict
  sample:
    name: petclinic-rest-instances
    launch_template: petclinic-rest-instances
    launch_template_version: $Default
    min: 2
    max: 4
    desired: 2
outdated_instances:
  description: Ids of the instances in service that another launch template, or another version of it, launched.
  returned: when O(state=present)
  type: list
  elements: str
instance_refresh:
  description: The instance refresh that replaces them, the one that was started or the one in progress.
  returned: when O(refresh_instances) is true and there are outdated instances
  type: dict
  sample: {id: 08b91cf7-8fa6-48af-b6a6-d227f40f1b9b, status: InProgress, percentage_complete: 50, started: false}
"""

import time

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import auto_scaling_drains as drains
from ansible_collections.handson.ecs.plugins.module_utils import auto_scaling_groups as groups
from ansible_collections.handson.ecs.plugins.module_utils import launch_templates, names
from ansible_collections.handson.ecs.plugins.module_utils.compare import chunks
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    KNOWN_AFTER_APPLY,
    Resource,
    argument_spec,
    ignore_missing,
)

#: What auto scaling says of an instance profile that IAM has only just made.
PROFILE_NOT_YET = ("Invalid IAM Instance Profile", "Invalid IamInstanceProfile")
#: What it says while something else is going on in the group.
BUSY = ("ScalingActivityInProgress", "ResourceContention", "ResourceInUse")

_OPTIONS = (
    "min",
    "max",
    "desired",
    "default_cooldown",
    "health_check_type",
    "health_check_grace",
    "new_instances_protected_from_scale_in",
    "termination_policies",
    "metrics_collection",
)


class AutoScalingGroup(Resource):
    kind = "auto scaling group"
    result_key = "auto_scaling_group"
    exists_codes = ("AlreadyExists",)

    def __init__(self, module):
        super().__init__(module)
        self._version = None
        #: container instances that a scale-in left draining
        self._left = []

    @property
    def autoscaling(self):
        return self.client("autoscaling")

    def get(self):
        found = groups.find(self.autoscaling, self.name)
        if found and groups.being_deleted(found) and self.params["state"] == "present":
            # Its name is free only when it is gone: wait it out, and make a new one.
            if not self.module.check_mode:
                self._wait_until_gone(time.monotonic() + self.params["delete_timeout"])
            return None
        return found and groups.options_from_aws(found)

    def desired(self, current):
        groups.check_sizes(self.params["min"], self.params["max"], self.params["desired"])
        groups.check_metrics(self.params["metrics_collection"])
        template = self.resolve(lambda: launch_templates.existing(self.client("ec2"), self.params["launch_template"]))
        known = template != KNOWN_AFTER_APPLY
        self._version = int(template["DefaultVersionNumber"]) if known else KNOWN_AFTER_APPLY
        initial = self.params["initial_desired"]
        starts = {"desired": initial} if current is None and self.params["desired"] is None and initial is not None else {}
        groups.check_sizes(self.params["min"], self.params["max"], starts.get("desired"))
        wanted = self.given("name", "launch_template", *_OPTIONS)
        if "metrics_collection" in wanted:
            wanted["metrics_collection"] = sorted(set(wanted["metrics_collection"]))
        return {
            **wanted,
            **starts,
            "launch_template_id": template["LaunchTemplateId"] if known else KNOWN_AFTER_APPLY,
            "launch_template_version": "$Default",
            "subnets": self.resolve(self._subnet_ids),
            **self._mend(current),
        }

    def _mend(self, current):
        """Note in `current` which instances are not as they should be; return that there should be none."""
        rows = [i for i in (current or {}).get("instances") or [] if i["lifecycle_state"] == "InService"]
        found = {}
        if rows and self.params["cluster"]:
            self._left = drains.left_in(self.client("ecs"), self.params["cluster"], [i["id"] for i in rows])
            found["left_draining"] = sorted(i["ec2InstanceId"] for i in self._left)
        if self.params["detailed_monitoring"] and not self.params["refresh_instances"] and self._version != KNOWN_AFTER_APPLY:
            # In check mode the version that the same run would make is not there, and all may be of an old one.
            old = groups.outdated(rows, self.params["launch_template"], 0 if self.module.check_mode else self._version)
            found["unmonitored_instances"] = groups.unmonitored(self.client("ec2"), old) if old else []
        wrong = {what: ids for what, ids in found.items() if ids}
        (current or {}).update(wrong)
        return {what: [] for what in wrong}

    def create(self, desired):
        self.retry_on(
            PROFILE_NOT_YET,
            lambda: self.autoscaling.create_auto_scaling_group(
                AutoScalingGroupName=self.name,
                Tags=groups.tag_list(self.name, desired.get("tags") or {}),
                **groups.parameters(desired, desired),
            ),
        )
        groups.collect(self.autoscaling, self.name, desired.get("metrics_collection") or ())

    def update(self, current, desired, changes):
        protection = "new_instances_protected_from_scale_in"
        if protection in changes:
            # First, since only the group's own setting tells the next run that this one was interrupted.
            self._protect_all(desired[protection])
        if "left_draining" in changes:
            # Before fewer are wanted, when auto scaling would choose others.
            drains.take_back(self.client("ecs"), self.params["cluster"], self._left)
        parameters = groups.parameters(desired, changes)
        if parameters:
            self.retry_on(
                PROFILE_NOT_YET + BUSY,
                lambda: self.autoscaling.update_auto_scaling_group(AutoScalingGroupName=self.name, **parameters),
            )
        if protection in changes:
            # One that was launched in between has what the group had.
            self._protect_all(desired[protection])
        if "tags" in changes:
            self.autoscaling.create_or_update_tags(Tags=groups.tag_list(self.name, desired["tags"]))
        if "metrics_collection" in changes:
            groups.collect(
                self.autoscaling, self.name, desired["metrics_collection"], current.get("metrics_collection") or ()
            )
        for part in chunks(current["unmonitored_instances"] if "unmonitored_instances" in changes else [], 50):
            self.client("ec2").monitor_instances(InstanceIds=list(part))

    def after(self, current, changed):
        rows = current.get("instances") or []
        if not rows or self._version in (None, KNOWN_AFTER_APPLY):
            return {"outdated_instances": []}
        outdated = groups.outdated(rows, self.params["launch_template"], self._version)
        if outdated and self.params["refresh_instances"]:
            return self._refresh(outdated, changed)
        if outdated:
            self.module.warn(
                f"{', '.join(outdated)} of the auto scaling group {self.name!r} don't run version {self._version} of "
                f"the launch template {self.params['launch_template']!r}. Set refresh_instances to have them replaced."
            )
        return {"outdated_instances": outdated}

    def delete(self, current):
        deadline = time.monotonic() + self.params["delete_timeout"]
        if not current["status"]:
            self._empty(current)
            self.retry_on(
                BUSY,
                lambda: self._unless_gone(
                    lambda: self.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=self.name, ForceDelete=True)
                ),
                timeout=self.params["delete_timeout"],
            )
        self._wait_until_gone(deadline)

    def _empty(self, current):
        """Let go of all instances: a protected one would outlive the group's shrinking and hold up its deletion."""
        if any(i["protected_from_scale_in"] for i in current["instances"]):
            # Where it can't, forced deletion and the group's setting do the rest.
            ignore_missing(lambda: self._protect_all(False), "ValidationError")
        self.retry_on(
            BUSY,
            lambda: self._unless_gone(
                lambda: self.autoscaling.update_auto_scaling_group(
                    AutoScalingGroupName=self.name,
                    MinSize=0,
                    DesiredCapacity=0,
                    NewInstancesProtectedFromScaleIn=False,
                )
            ),
        )

    def _unless_gone(self, call):
        """Make a call on the group; that it has gone meanwhile is as good."""
        try:
            call()
        except is_boto3_error_code("ValidationError") as e:
            if "not found" not in str(e):
                raise

    def _protect_all(self, protected):
        """Protect all instances in service from scale-in, or none."""

        def protect():
            for part in chunks(groups.in_service(groups.find(self.autoscaling, self.name) or {}, not protected), 50):
                self.autoscaling.set_instance_protection(
                    AutoScalingGroupName=self.name, InstanceIds=list(part), ProtectedFromScaleIn=protected
                )

        # One that has left service meanwhile is refused, and all others of the call with it: look again.
        self.retry_on((*BUSY, "ValidationError"), protect)

    def _wait_until_gone(self, deadline):
        """Wait for the group and its instances: until those are terminated, their security group can't go."""
        instances = [
            {"Name": "tag:aws:autoscaling:groupName", "Values": [self.name]},
            {"Name": "instance-state-name", "Values": ["pending", "running", "shutting-down", "stopping", "stopped"]},
        ]

        def gone():
            if groups.find(self.autoscaling, self.name):
                return False
            return not self.client("ec2").describe_instances(Filters=instances)["Reservations"]

        self.wait(gone, "the group and its instances to go", max(0.0, deadline - time.monotonic()))

    def _subnet_ids(self):
        return sorted(s["id"] for s in names.subnets(self.client("ec2"), self.params["network"]))

    def _refresh(self, outdated, changed):
        """Have the outdated instances replaced, unless that is going on already."""
        going = groups.refresh_in_progress(self.autoscaling, self.name)
        if going:
            return {"outdated_instances": outdated, "instance_refresh": {**going, "started": False}}
        started = {"id": KNOWN_AFTER_APPLY, "status": "Pending", "percentage_complete": 0, "started": True}
        if not self.module.check_mode:
            try:
                answer = self.autoscaling.start_instance_refresh(
                    AutoScalingGroupName=self.name, Strategy="Rolling", Preferences=groups.REFRESH_PREFERENCES
                )
                started["id"] = answer["InstanceRefreshId"]
            except is_boto3_error_code("InstanceRefreshInProgress"):
                # Started since we looked: by somebody else, or by our own first try whose answer was lost.
                started = {**(groups.refresh_in_progress(self.autoscaling, self.name) or started), "started": False}
                return {"outdated_instances": outdated, "instance_refresh": started, "changed": changed}
        return {"outdated_instances": outdated, "instance_refresh": started, "changed": True}


def main():
    network = {
        "mode": {"type": "str", "choices": ["default", "existing", "create"], "default": "default"},
        "vpc_id": {"type": "str"},
        "subnet_ids": {"type": "list", "elements": "str"},
        "name": {"type": "str"},
        "owner": {"type": "dict"},
    }
    spec = argument_spec(
        name={"type": "str", "required": True},
        launch_template={"type": "str"},
        network={"type": "dict", "options": network, "default": {}},
        min={"type": "int", "default": 0},
        max={"type": "int", "default": 1},
        desired={"type": "int"},
        initial_desired={"type": "int"},
        default_cooldown={"type": "int"},
        health_check_type={"type": "str", "choices": ["EC2", "ELB"], "default": "EC2"},
        health_check_grace={"type": "int", "default": 300},
        new_instances_protected_from_scale_in={"type": "bool", "default": False},
        termination_policies={"type": "list", "elements": "str"},
        metrics_collection={"type": "list", "elements": "str"},
        detailed_monitoring={"type": "bool", "default": False},
        cluster={"type": "str"},
        refresh_instances={"type": "bool", "default": False},
        delete_timeout={"type": "int", "default": 600},
    )
    AutoScalingGroup(
        AnsibleAWSModule(
            argument_spec=spec, supports_check_mode=True, required_if=[("state", "present", ["launch_template"])]
        )
    ).run()


if __name__ == "__main__":
    main()
