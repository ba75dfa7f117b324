#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: ecs_run_task
version_added: 0.1.0
short_description: Run a task once
description:
  - Starts tasks that no service keeps, and waits until they run or have ended.
  - Fails when ECS starts fewer than asked for, and says why. M(community.aws.ecs_task) drops ECS's C(failures).
  - Every run starts new tasks. They stay until they end or are stopped, by O(state=absent) or with the cluster.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    description: Says that it would start tasks, or which it would stop.
    support: full
options:
  state:
    description:
      - V(present) starts tasks.
      - V(absent) stops those that run of any revision of O(task_definition), carry all tags of O(owner) and belong to
        no service, and waits until they have stopped. Where the cluster isn't there, there is nothing to stop.
    type: str
    choices: [present, absent]
    default: present
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  cluster_owner:
    description:
      - Tags that the cluster must carry, so that nothing is put on somebody else's. Empty checks nothing.
      - Not used with O(state=absent), where the tasks' own tags say whose they are.
    type: dict
    default: {}
  task_definition:
    description: Family, or C(family:revision).
    type: str
    required: true
  count:
    description: Number of tasks, 1 to 10.
    type: int
    default: 1
  launch_type:
    description: Where the tasks run.
    type: str
    choices: [EC2, FARGATE, EXTERNAL]
    default: EC2
  network:
    description: VPC and subnets of an awsvpc task, as the role C(naming) composes it.
    type: dict
  security_groups:
    description: Names of the security groups of an awsvpc task.
    type: list
    elements: str
    default: []
  assign_public_ip:
    description: Whether an awsvpc task gets a public address.
    type: bool
    default: false
  owner:
    description: Tags that mark the tasks as ours. With O(state=absent), empty means all tasks without a service.
    type: dict
    default: {}
  tags:
    description: Further tags.
    type: dict
    default: {}
  started_by:
    description: Who started them, at most 36 characters.
    type: str
    default: handson.ecs
  wait_timeout:
    description: Seconds to wait until the tasks run or have ended, or have stopped.
    type: int
    default: 300
  wait_interval:
    description: Seconds between two looks.
    type: float
    default: 2
  progress_file:
    description: File to append progress to. The action plugin sets it and shows the lines.
    type: path
"""

EXAMPLES = r"""
- name: Run the petclinic task twice
  handson.ecs.ecs_run_task:
    cluster: petclinic-rest-cluster
    task_definition: petclinic-rest-task
    count: 2

- name: Stop what was run so
  handson.ecs.ecs_run_task:
    cluster: petclinic-rest-cluster
    task_definition: petclinic-rest-task
    state: absent
    owner:
      handson:cluster: petclinic-rest-cluster
      handson:service: petclinic-rest-service
"""

RETURN = r"""
tasks:
  description: The started tasks, or with O(state=absent) the stopped ones. In check mode those that would be stopped.
  returned: success
  type: list
  elements: dict
  sample: [{id: 5f3c…, status: RUNNING, exit_codes: {}, stopped_reason: null}]
"""

import time
import uuid

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import diagnosis, names
from ansible_collections.handson.ecs.plugins.module_utils.compare import (
    chunks,
    dict_to_tags,
    foreign_because,
    merged_tags,
    tags_to_dict,
)
from ansible_collections.handson.ecs.plugins.module_utils.ecs_clusters import list_all, without_service
from ansible_collections.handson.ecs.plugins.module_utils.progress import Progress
from ansible_collections.handson.ecs.plugins.module_utils.resource import Resource, ResourceError, ignore_missing
from ansible_collections.handson.ecs.plugins.module_utils.services import network_to_aws

#: What RunTask says of an awsvpc task while the account's service-linked role for ECS is being made.
ROLE_NOT_YET = ("Unable to assume the service linked role",)


def start(module):
    """Start the tasks and return their ARNs. Raises ResourceError where ECS starts fewer than asked for."""
    p, ecs = module.params, module.client("ecs")
    names.refuse_foreign_cluster(ecs, p["cluster"], p["cluster_owner"])
    request = {
        "cluster": p["cluster"],
        "taskDefinition": p["task_definition"],
        "count": p["count"],
        "launchType": p["launch_type"],
        "startedBy": p["started_by"],
        "clientToken": str(uuid.uuid4()),  # a repeated call (a lost answer) starts nothing twice
        "enableECSManagedTags": True,
    }
    tags = merged_tags(p["tags"], p["owner"])
    if tags:
        request["tags"] = dict_to_tags(tags, "key", "value")
    if p["network"]:
        ec2 = module.client("ec2")
        subnets = names.subnets(ec2, p["network"])
        groups = names.security_group_ids(ec2, p["security_groups"], subnets[0]["vpc_id"])
        network = {
            "subnets": [s["id"] for s in subnets],
            "security_groups": sorted(groups.values()),
            "assign_public_ip": p["assign_public_ip"],
        }
        request["networkConfiguration"] = network_to_aws(network)
    answer = Resource(module).retry_on(ROLE_NOT_YET, lambda: ecs.run_task(**request))
    arns = [t["taskArn"] for t in answer["tasks"]]
    failures = [f"{f.get('reason')} ({f.get('arn', 'no instance')})" for f in answer.get("failures") or []]
    if len(arns) < p["count"]:
        raise ResourceError(
            f"ECS started {len(arns)} of {p['count']} tasks of {p['task_definition']!r}: "
            f"{'; '.join(failures) or 'it gave no reason, which means that no instance has room'}. Raise instances_count or "
            "instances_type, ask for less in task_definition_cpu and task_definition_memory, or wait until instances "
            "have registered (playbooks/cluster.yml)."
        )
    return arns


def settle(module, arns):
    """Wait until every task runs or has ended, and return what each came to."""
    p, ecs, progress = module.params, module.client("ecs"), Progress(module.params["progress_file"])
    deadline, last = time.monotonic() + p["wait_timeout"], None
    while True:
        tasks = ecs.describe_tasks(cluster=p["cluster"], tasks=arns)["tasks"]
        # ECS may not know a task yet that it has just started: it is then among the `failures`, as MISSING.
        states = sorted(t["lastStatus"] for t in tasks) + ["MISSING"] * (len(arns) - len(tasks))
        if states != last:
            progress.say(f"{len(arns)} tasks: {', '.join(states)}")
            last = states
        if all(s in ("RUNNING", "STOPPED") for s in states):
            return tasks
        if time.monotonic() >= deadline:
            raise ResourceError(
                f"After {p['wait_timeout']} s the tasks are {', '.join(states)}. Look at them in the console under cluster "
                f"{p['cluster']!r}, tab Tasks."
            )
        time.sleep(p["wait_interval"])


def once_run(module):
    """Return our tasks of the family that no service owns and that are to run, as DescribeTasks gives them."""
    p, ecs = module.params, module.client("ecs")
    family = p["task_definition"].rsplit("/", 1)[-1].split(":")[0]
    try:
        # Those that are still starting are meant to run, too: their desired status is RUNNING.
        arns = list_all(ecs.list_tasks, "taskArns", cluster=p["cluster"], family=family, desiredStatus="RUNNING")
    except is_boto3_error_code("ClusterNotFoundException"):
        return []
    tasks = look(ecs, p["cluster"], arns, include=["TAGS"])
    free = set(without_service(tasks))
    return [
        t for t in tasks if t["taskArn"] in free and foreign_because(tags_to_dict(t.get("tags")), p["owner"]) is None
    ]


def look(ecs, cluster, arns, **parameters):
    """Return those of the tasks that ECS knows. A cluster that is gone meanwhile has none."""
    try:
        return [
            task
            for part in chunks(arns, 100)
            for task in ecs.describe_tasks(cluster=cluster, tasks=list(part), **parameters)["tasks"]
        ]
    except is_boto3_error_code("ClusterNotFoundException"):
        return []


def stop(module, tasks):
    """Stop the tasks, wait until they have stopped, and return them as they then are, where ECS still knows them."""
    p, ecs, progress = module.params, module.client("ecs"), Progress(module.params["progress_file"])
    for task in tasks:
        ignore_missing(
            lambda arn=task["taskArn"]: ecs.stop_task(
                cluster=p["cluster"], task=arn, reason="Its task definition is being deleted"
            ),
            "InvalidParameterException",  # it has ended since we looked
            "ClusterNotFoundException",
        )
    stopped = {t["taskArn"]: t for t in tasks}
    deadline, last = time.monotonic() + p["wait_timeout"], None
    while True:
        seen = look(ecs, p["cluster"], list(stopped))
        stopped.update({t["taskArn"]: t for t in seen})
        waiting = sorted(t["taskArn"].rsplit("/", 1)[-1] for t in seen if t["lastStatus"] != "STOPPED")
        if len(waiting) != last:
            progress.say(f"{len(tasks) - len(waiting)} of {len(tasks)} tasks stopped")
            last = len(waiting)
        if not waiting:
            return list(stopped.values())
        if time.monotonic() >= deadline:
            raise ResourceError(
                f"After {p['wait_timeout']} s (wait_timeout) these tasks on the cluster {p['cluster']!r} have not "
                f"stopped: {', '.join(waiting)}. Is the agent of their instances connected? A second run goes on from here."
            )
        time.sleep(p["wait_interval"])


def describe(task):
    codes = {c["name"]: c["exitCode"] for c in task.get("containers") or [] if c.get("exitCode") is not None}
    return {
        "id": task["taskArn"].rsplit("/", 1)[-1],
        "status": task["lastStatus"],
        "exit_codes": codes if task["lastStatus"] == "STOPPED" else {},
        "stopped_reason": task.get("stoppedReason"),
    }


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "cluster": {"type": "str", "required": True},
            "cluster_owner": {"type": "dict", "default": {}},
            "task_definition": {"type": "str", "required": True},
            "count": {"type": "int", "default": 1},
            "launch_type": {"type": "str", "choices": ["EC2", "FARGATE", "EXTERNAL"], "default": "EC2"},
            "network": {"type": "dict"},
            "security_groups": {"type": "list", "elements": "str", "default": []},
            "assign_public_ip": {"type": "bool", "default": False},
            "owner": {"type": "dict", "default": {}},
            "tags": {"type": "dict", "default": {}},
            "started_by": {"type": "str", "default": "handson.ecs"},
            "wait_timeout": {"type": "int", "default": 300},
            "wait_interval": {"type": "float", "default": 2},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    if module.params["state"] == "absent":
        try:
            tasks = once_run(module)
            stopped = stop(module, tasks) if tasks and not module.check_mode else tasks
        except ResourceError as e:
            module.fail_json(msg=str(e))
        except (BotoCoreError, ClientError) as e:
            module.fail_json_aws(e, msg=f"Could not stop the tasks of {module.params['task_definition']!r}")
        module.exit_json(changed=bool(tasks), tasks=[describe(t) for t in stopped])
    if module.check_mode:
        module.exit_json(changed=True, tasks=[])
    try:
        tasks = settle(module, start(module))
    except ResourceError as e:
        module.fail_json(msg=str(e))
    except (BotoCoreError, ClientError) as e:
        module.fail_json_aws(e, msg=f"Could not run {module.params['task_definition']!r}")
    described = [describe(t) for t in tasks]
    bad = [t for t in tasks if t["lastStatus"] == "STOPPED" and any(describe(t)["exit_codes"].values() or [True])]
    if bad:
        causes = "\n".join(f"- {c}" for c in diagnosis.from_stopped_tasks(bad)) or "ECS gave no reason."
        module.fail_json(msg=f"{len(bad)} of {len(tasks)} tasks ended with a failure:\n{causes}", tasks=described)
    module.exit_json(changed=True, tasks=described)


if __name__ == "__main__":
    main()
