#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: auto_scaling_capacity
version_added: 0.1.0
short_description: Set the number of container instances by hand
description:
  - Sets the desired capacity of an Auto Scaling group of container instances, inside its bounds.
  - For more it does not wait for the new instances. M(handson.ecs.ecs_cluster_wait) does.
  - For fewer it chooses those that go, drains them (ECS starts their services' tasks elsewhere and stops them here),
    and terminates them when no task runs on them any more. Where that does not come about they take tasks again.
  - Those that it drains carry the ECS attribute C(handson.draining) until then. Where a run was cut short, the next one
    finishes with them, or lets them take tasks again where they are to stay. What a person drained stays as it is.
  - A group that ECS scales by a capacity provider is refused, since ECS would set the number back.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
options:
  auto_scaling_group:
    description: Name of the group.
    type: str
    required: true
  cluster:
    description: Name of the cluster that its instances belong to.
    type: str
    required: true
  count:
    description: How many instances there should be.
    type: int
    required: true
  owner:
    description: Tags that the group must have. Without them it is somebody else's, and refused.
    type: dict
    default: {}
  timeout:
    description: Seconds to wait until the tasks of those that go have gone.
    type: int
    default: 900
  interval:
    description: Seconds between two looks.
    type: float
    default: 5
  progress_file:
    description: Path of a file to add a line to whenever something has changed.
    type: path
attributes:
  check_mode:
    description: Checks the number and says what would go.
    support: full
  diff_mode:
    description: Shows the desired capacity before and after.
    support: full
"""

EXAMPLES = r"""
- name: Have three instances
  handson.ecs.auto_scaling_capacity:
    auto_scaling_group: petclinic-rest-ecs-instances
    cluster: petclinic-rest-cluster
    count: 3
    owner:
      handson:cluster: petclinic-rest-cluster
"""

RETURN = r"""
before:
  description: Desired capacity before.
  returned: always
  type: int
  sample: 2
count:
  description: Desired capacity now.
  returned: always
  type: int
  sample: 3
removed:
  description: Ids of the instances that went.
  returned: always
  type: list
  elements: str
taken_back:
  description: Ids of the instances that an earlier run had left draining, and that take tasks again.
  returned: always
  type: list
  elements: str
policies:
  description: Names of the group's enabled policies, which may change the number again.
  returned: always
  type: list
  elements: str
"""

import time

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports it

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_message
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import auto_scaling_drains as drains
from ansible_collections.handson.ecs.plugins.module_utils import auto_scaling_groups as groups
from ansible_collections.handson.ecs.plugins.module_utils import auto_scaling_policies as policies
from ansible_collections.handson.ecs.plugins.module_utils import names
from ansible_collections.handson.ecs.plugins.module_utils.compare import tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.ecs_clusters import container_instances
from ansible_collections.handson.ecs.plugins.module_utils.progress import Progress
from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError


class Capacity:
    def __init__(self, module):
        self.module = module
        self.params = module.params
        self.name, self.cluster, self.count = (module.params[o] for o in ("auto_scaling_group", "cluster", "count"))
        self.autoscaling = module.client("autoscaling")
        self.ecs = module.client("ecs")
        self.progress = Progress(module.params["progress_file"])

    def run(self):
        group = groups.group(self.autoscaling, self.name)
        names.refuse_foreign_parent(
            "auto scaling group", self.name, tags_to_dict(group.get("Tags")), self.params["owner"]
        )
        policies.check_count(self.count, group["MinSize"], group["MaxSize"], self.name)
        acting = self._acting_policies()
        before = group["DesiredCapacity"]
        rows = [
            r for r in map(groups.instance_row, group.get("Instances") or []) if "Terminat" not in r["lifecycle_state"]
        ]
        registered = self._registered()
        going = []
        if self.count < before:
            going = policies.to_remove(rows, registered, min(len(rows), before) - self.count)
        staying = [registered[r["id"]] for r in rows if r["id"] in registered and r["id"] not in going]
        back = sorted(i["ec2InstanceId"] for i in staying if i["status"] == "DRAINING" and drains.marked(i))
        removed = going
        if not self.module.check_mode:
            # First, since the tasks of those that go may need their room.
            self._take_back([i for i in staying if drains.marked(i)])
            removed = self._remove(going, registered)
            if self.count != before - len(removed):
                self._set()
        diff = {"before": {"desired": before}, "after": {"desired": self.count}}
        if back:
            diff["before"]["left_draining"], diff["after"]["left_draining"] = back, []
        return {
            "changed": self.count != before or bool(back),
            "diff": diff,
            "before": before,
            "count": self.count,
            "removed": removed,
            "taken_back": back,
            "policies": acting,
        }

    def _acting_policies(self):
        pages = self.autoscaling.get_paginator("describe_policies").paginate(AutoScalingGroupName=self.name)
        found = [p for page in pages for p in page["ScalingPolicies"]]
        managed = policies.managed(found)
        if managed:
            raise ResourceError(
                f"ECS decides how many instances the auto scaling group {self.name!r} has (managed scaling of a "
                f"capacity provider, policy {managed}), and would set the number back. Change instances_min and instances_max "
                "instead, or set instance_scaling_mode to 'none'."
            )
        return sorted(p["PolicyName"] for p in found if p.get("Enabled", True))

    def _set(self):
        self.progress.say(f"{self.name}: desired capacity becomes {self.count}")
        self.autoscaling.set_desired_capacity(
            AutoScalingGroupName=self.name, DesiredCapacity=self.count, HonorCooldown=False
        )

    # --- fewer ------------------------------------------------------------------------------------------------------

    def _remove(self, going, registered):
        """Drain and terminate those that go. Instances that are still to come are only no longer wanted."""
        if not going:
            return []
        draining = [i for i in going if i in registered]
        # One that a person drained is not ours to let take tasks again.
        ours = [
            registered[i] for i in draining if registered[i]["status"] == "ACTIVE" or drains.marked(registered[i])
        ]
        gone = []
        try:
            drains.drain(self.ecs, self.cluster, ours, self.params["timeout"])
            self._wait_until_empty(draining)
            for instance in going:
                self.progress.say(f"{self.name}: {instance} goes")
                if self._terminate(instance):
                    gone.append(instance)
        except BaseException:
            # Also Ctrl-C, where the module has a process of its own. In Ansible's worker that kills it on the spot (see
            # module_utils/temporary.py): there only the mark tells the next run.
            terminated = set(gone)
            self._take_back([i for i in ours if i["ec2InstanceId"] not in terminated], failing=True)
            raise
        return gone

    def _terminate(self, instance):
        """Return whether the group wants one less; one that has gone by itself is still wanted."""
        try:
            self.autoscaling.terminate_instance_in_auto_scaling_group(
                InstanceId=instance, ShouldDecrementDesiredCapacity=True
            )
        except is_boto3_error_message("not found"):
            return False
        return True

    def _take_back(self, instances, failing=False):
        """Let them take tasks again. While something else fails, that is what is to be told."""
        if not instances:
            return
        ids = ", ".join(sorted(i["ec2InstanceId"] for i in instances))
        self.progress.say(f"{self.name}: {ids} may take tasks again")
        try:
            drains.take_back(self.ecs, self.cluster, instances)
        except (BotoCoreError, ClientError) as e:
            if not failing:
                raise
            self.module.warn(f"{ids} could not be let take tasks again. Run this again with the old count. {e}")

    def _registered(self):
        return {i["ec2InstanceId"]: i for i in container_instances(self.ecs, self.cluster) if i.get("ec2InstanceId")}

    def _wait_until_empty(self, going):
        deadline = time.monotonic() + self.params["timeout"]
        said = None
        while True:
            registered = self._registered()
            left = {i: policies.busy(registered.get(i)) for i in going}
            line = f"{self.name}: draining " + ", ".join(f"{i} ({n} tasks left)" for i, n in left.items())
            if line != said and any(left.values()):
                self.progress.say(line)
                said = line
            if not any(left.values()):
                return
            if time.monotonic() >= deadline:
                busy = ", ".join(f"{i} ({n} tasks)" for i, n in left.items() if n)
                raise ResourceError(
                    f"After {self.params['timeout']} s tasks still run on {busy}, so nothing was taken away, and what "
                    "was drained for this takes tasks again. ECS stops a task when another one runs elsewhere: there may be no room "
                    "for it, or the task belongs to no service and ends when it likes. Lower the service's count or stop "
                    "the task, and run again."
                )
            time.sleep(self.params["interval"])


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "auto_scaling_group": {"type": "str", "required": True},
            "cluster": {"type": "str", "required": True},
            "count": {"type": "int", "required": True},
            "owner": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 900},
            "interval": {"type": "float", "default": 5},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        result = Capacity(module).run()
    except ResourceError as e:
        module.fail_json(msg=str(e))
    except (BotoCoreError, ClientError) as e:
        module.fail_json_aws(e, msg=f"Could not set the number of instances of {module.params['auto_scaling_group']!r}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
