#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: ecs_cluster_wait
version_added: 0.1.0
short_description: Wait until container instances are ready for tasks
description:
  - Waits until a number of container instances of an ECS cluster are ACTIVE with a connected agent.
  - Where they don't come it says why, as far as ECS, EC2 and the auto scaling group tell.
  - It only reads. In check mode it looks once and does not wait, since the run that is tried out starts the instances.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
options:
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  instances:
    description: How many container instances must be ready.
    type: int
    required: true
  auto_scaling_group:
    description: Name of the auto scaling group that launches them, for saying why they don't come.
    type: str
  timeout:
    description: Seconds to wait.
    type: int
    default: 600
  interval:
    description: Seconds between two looks.
    type: float
    default: 5
  progress_file:
    description: Path of a file to add a line to whenever something has changed, and once in a while when nothing has.
    type: path
attributes:
  check_mode:
    description: Looks once and does not wait.
    support: full
  diff_mode:
    description: There is nothing to show, since it changes nothing.
    support: none
"""

EXAMPLES = r"""
- name: Wait for two container instances
  handson.ecs.ecs_cluster_wait:
    cluster: petclinic-rest-cluster
    instances: 2
    auto_scaling_group: petclinic-rest-instances
"""

RETURN = r"""
container_instances:
  description: The container instances. CPU is in units (1024 for a vCPU), memory in MiB.
  returned: when the cluster is there
  type: list
  elements: dict
  sample:
    - arn: "arn:aws:ecs:ap-southeast-1:123456789012:container-instance/petclinic-rest-cluster/0123456789abcdef"
      instance_id: i-0123456789abcdef0
      status: ACTIVE
      agent_connected: true
      agent_version: 1.102.0
      instance_type: t3.medium
      availability_zone: ap-southeast-1a
      running_tasks_count: 0
      remaining_cpu: 2048
      remaining_memory: 3953
ready:
  description: How many of them are ready.
  returned: when the cluster is there
  type: int
waited:
  description: Seconds that the module waited.
  returned: always
  type: float
"""

import time

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports it

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import auto_scaling_drains as drains
from ansible_collections.handson.ecs.plugins.module_utils import auto_scaling_groups
from ansible_collections.handson.ecs.plugins.module_utils.ecs_clusters import (
    container_instance_row,
    container_instances,
    describe_cluster,
    ec2_states,
    missing_cluster,
    progress,
    ready,
    why_not_ready,
)
from ansible_collections.handson.ecs.plugins.module_utils.progress import Progress
from ansible_collections.handson.ecs.plugins.module_utils.resource import Missing, ResourceError

#: Seconds after which a line is written though nothing has changed.
QUIET = 60


class ClusterWait:
    def __init__(self, module):
        self.module = module
        self.params = module.params
        self.ecs = module.client("ecs")
        self.progress = Progress(module.params["progress_file"])
        self.started = time.monotonic()
        self.said, self.said_at = None, 0.0
        #: {instance id: whether a scale-in of this collection drains it}, of the last look
        self.draining = {}

    def run(self):
        if describe_cluster(self.ecs, self.params["cluster"]) is None:
            if self.module.check_mode:
                return {"changed": False, "waited": 0.0}
            raise missing_cluster(self.params["cluster"])
        seen = self._look()
        while not self._enough(seen) and not self.module.check_mode:
            left = self.started + self.params["timeout"] - time.monotonic()
            if left <= 0:
                raise ResourceError(self._why(seen))
            time.sleep(min(self.params["interval"], left))
            seen = self._look()
        return {
            "changed": False,
            "container_instances": [container_instance_row(i) for i in seen],
            "ready": sum(map(ready, seen)),
            "waited": round(time.monotonic() - self.started, 1),
        }

    def _look(self):
        # Also those that are still registering: they tell how far it is.
        found = [i for i in container_instances(self.ecs, self.params["cluster"]) if i.get("status") != "INACTIVE"]
        seen = [i for i in found if i.get("status") != "DRAINING"]
        self.draining = {
            i["ec2InstanceId"]: drains.marked(i)
            for i in found
            if i.get("status") == "DRAINING" and i.get("ec2InstanceId")
        }
        self._say(progress(self.params["cluster"], self.params["instances"], found))
        return seen

    def _enough(self, seen):
        return sum(map(ready, seen)) >= self.params["instances"]

    def _say(self, line):
        now = time.monotonic()
        if line == self.said and now - self.said_at < QUIET:
            return
        self.said, self.said_at = line, now
        self.progress.say(line)

    def _why(self, seen):
        text = (
            f"The container instances of the cluster {self.params['cluster']!r} did not come within "
            f"{self.params['timeout']} s: "
        )
        launched, failure = None, None
        if self.params["auto_scaling_group"]:
            try:
                launched, failure = self._launched()
            except Missing as e:
                return f"{text}{e}"
            except (BotoCoreError, ClientError) as e:
                # The reason is worth having, but not at the price of the error that it explains.
                self.module.warn(f"Could not look at the auto scaling group: {e}")
        reason = why_not_ready(self.params["instances"], seen, launched, failure, self.draining)
        return f"{text}{reason} Mend that, or give it longer, and run again."

    def _launched(self):
        """Return ({instance id: state} of the group's instances, the message of its last activity if that failed)."""
        autoscaling, name = self.module.client("autoscaling"), self.params["auto_scaling_group"]
        group = auto_scaling_groups.group(autoscaling, name)
        ids = [i["InstanceId"] for i in group.get("Instances") or []]
        states = ec2_states(self.module.client("ec2"), ids) if ids else {}
        last = autoscaling.describe_scaling_activities(AutoScalingGroupName=name, MaxRecords=1)["Activities"]
        failed = last and last[0].get("StatusCode") in ("Failed", "Cancelled")
        return states, (last[0].get("StatusMessage") if failed else None)


def main():
    spec = {
        "cluster": {"type": "str", "required": True},
        "instances": {"type": "int", "required": True},
        "auto_scaling_group": {"type": "str"},
        "timeout": {"type": "int", "default": 600},
        "interval": {"type": "float", "default": 5},
        "progress_file": {"type": "path"},
    }
    module = AnsibleAWSModule(argument_spec=spec, supports_check_mode=True)
    try:
        result = ClusterWait(module).run()
    except ResourceError as e:
        module.fail_json(msg=str(e))
    except (BotoCoreError, ClientError) as e:
        module.fail_json_aws(e, msg=f"Could not watch the ECS cluster {module.params['cluster']!r}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
