#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: ecs_run_task
version_added: 0.1.0
short_description: Run a task once
description:
  - Starts tasks that no service keeps, and waits until they run, or until they have ended.
  - Of those that end it shows the log as it comes, the exit code and the reason. One that fails is a failure, with its
    last lines.
  - Fails when ECS starts fewer than asked for, stops those again and says why. M(community.aws.ecs_task) drops ECS's
    C(failures).
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
  command:
    description:
      - Command of O(container), instead of the one in the task definition or the image.
      - It is what follows the image's entry point, if it has one. That one ECS can't replace for a run.
    type: list
    elements: str
  container:
    description:
      - The container that does the work. Its exit code says whether a task failed, and O(command) is for it.
      - Left out, every container's exit code counts.
    type: str
  wait_for:
    description:
      - V(started) waits until every task runs or has ended, which is for servers. V(stopped) waits until every task has
        ended, and shows the log meanwhile. V(nothing) doesn't wait.
    type: str
    choices: [nothing, started, stopped]
    default: started
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

- name: Run a program to its end
  handson.ecs.ecs_run_task:
    cluster: petclinic-rest-cluster
    task_definition: petclinic-rest-task
    container: petclinic-rest-app
    command: [python, -m, migrate]
    wait_for: stopped

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
log:
  description: With O(wait_for=stopped), the last hundred lines of the tasks' log. A failure has its last ones in C(msg).
  returned: when tasks were started and none failed
  type: list
  elements: str
"""

import time
import uuid

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from ansible_collections.handson.ecs.plugins.module_utils import diagnosis, names
from ansible_collections.handson.ecs.plugins.module_utils.compare import (
    chunks,
    dict_to_tags,
    foreign_because,
    merged_tags,
    tags_to_dict,
)
from ansible_collections.handson.ecs.plugins.module_utils.ecs_clusters import ROLE_NOT_YET, list_all, without_service
from ansible_collections.handson.ecs.plugins.module_utils.progress import Progress
from ansible_collections.handson.ecs.plugins.module_utils.resource import Resource, ResourceError, ignore_missing
from ansible_collections.handson.ecs.plugins.module_utils.services import network_to_aws
from ansible_collections.handson.ecs.plugins.module_utils.task_logs import TaskLog, streams
from ansible_collections.handson.ecs.plugins.module_utils.unlogged import unlogged_module

#: Lines of the log that a failure tells.
LAST_LINES = 10


def start(module, started):
    """Start the tasks, into `started` as RunTask gives them. Where these are fewer than asked for, stop them and raise."""
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
    if p["command"]:
        request["overrides"] = {"containerOverrides": [{"name": p["container"], "command": p["command"]}]}
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
    failures = [f"{f.get('reason')} ({f.get('arn', 'no instance')})" for f in answer.get("failures") or []]
    started += answer["tasks"]
    if len(started) < p["count"]:
        raise ResourceError(
            f"ECS started {len(started)} of {p['count']} tasks of {p['task_definition']!r}: "
            f"{'; '.join(failures) or 'it gave no reason, which means that no instance has room'}. {take_back(module, started)}"
            "Raise instances_count or instances_type, ask for less in task_definition_cpu and task_definition_memory, or "
            "wait until instances have registered (playbooks/cluster.yml)."
        )


def take_back(module, tasks):
    """Stop tasks that are too few for what was asked, and return what to say of them."""
    ids = ", ".join(short(t["taskArn"]) for t in tasks)
    try:
        stop(module, tasks, "Fewer tasks started than were asked for")
    except (ResourceError, BotoCoreError, ClientError) as e:
        return f"What started may go on, since it could not be stopped: {ids} ({e}). "
    return f"What started was stopped: {ids}. " if tasks else ""


def log_of(module, tasks):
    """Return the log of tasks that are of one task definition."""
    p, progress = module.params, Progress(module.params["progress_file"])
    arn = tasks[0].get("taskDefinitionArn") or p["task_definition"]
    definition = module.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
    ids = [short(t["taskArn"]) for t in tasks]
    return TaskLog(module.client("logs"), streams(definition, ids), progress.say, p["container"])


def short(arn):
    return arn.rsplit("/", 1)[-1]


def settle(module, arns, log):
    """Wait until every task is where `wait_for` wants it, and return what each came to. `log` is shown meanwhile."""
    p, ecs, progress = module.params, module.client("ecs"), Progress(module.params["progress_file"])
    enough = ("STOPPED",) if p["wait_for"] == "stopped" else ("RUNNING", "STOPPED")
    deadline, last = time.monotonic() + p["wait_timeout"], None
    while True:
        tasks = ecs.describe_tasks(cluster=p["cluster"], tasks=arns)["tasks"]
        # ECS may not know a task yet that it has just started: it is then among the `failures`, as MISSING.
        states = sorted(t["lastStatus"] for t in tasks) + ["MISSING"] * (len(arns) - len(tasks))
        if states != last:
            progress.say(f"{len(arns)} tasks: {', '.join(states)}")
            last = states
        if log:
            log.look()
        if all(s in enough for s in states):
            return tasks
        if time.monotonic() >= deadline and p["wait_for"] == "stopped" and "RUNNING" in states:
            going = [t["taskArn"] for t in tasks if t["lastStatus"] != "STOPPED"]
            raise ResourceError(
                f"After {p['wait_timeout']} s (task_definition_run_timeout) these tasks have not ended, and go on: "
                f"{', '.join(map(short, going))}. A program that never ends, such as a server, is run with "
                f"task_definition_run_wait=started. Stop one: aws ecs stop-task --cluster {p['cluster']} --task {short(going[0])}"
            )
        if time.monotonic() >= deadline:
            raise ResourceError(
                f"After {p['wait_timeout']} s the tasks are {', '.join(states)}. Look at them in the console under cluster "
                f"{p['cluster']!r}, tab Tasks: {', '.join(map(short, arns))}."
            )
        time.sleep(p["wait_interval"])


def finish(module, log):
    """Show what the log still brings of tasks that have ended: it comes a little later than their end."""
    quiet = 0
    while quiet < 2:
        quiet = 0 if log.look() else quiet + 1
        if quiet < 2:
            time.sleep(min(module.params["wait_interval"], 2))


def failed(module, task):
    """Tell whether a task ended with a failure: another exit code than 0, or none at all."""
    if task["lastStatus"] != "STOPPED":
        return False
    codes, main = describe(task)["exit_codes"], module.params["container"]
    return any([codes.get(main, True)] if main else codes.values() or [True])


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


def stop(module, tasks, reason):
    """Stop the tasks, wait until they have stopped, and return them as they then are, where ECS still knows them."""
    p, ecs, progress = module.params, module.client("ecs"), Progress(module.params["progress_file"])
    for task in tasks:
        ignore_missing(
            lambda arn=task["taskArn"]: ecs.stop_task(cluster=p["cluster"], task=arn, reason=reason),
            "InvalidParameterException",  # it has ended since we looked
            "ClusterNotFoundException",
        )
    stopped = {t["taskArn"]: t for t in tasks}
    deadline, last = time.monotonic() + p["wait_timeout"], None
    while True:
        seen = look(ecs, p["cluster"], list(stopped))
        stopped.update({t["taskArn"]: t for t in seen})
        waiting = sorted(short(t["taskArn"]) for t in seen if t["lastStatus"] != "STOPPED")
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
        "id": short(task["taskArn"]),
        "status": task["lastStatus"],
        "exit_codes": codes if task["lastStatus"] == "STOPPED" else {},
        "stopped_reason": task.get("stoppedReason"),
    }


def main():
    module = unlogged_module(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "cluster": {"type": "str", "required": True},
            "cluster_owner": {"type": "dict", "default": {}},
            "task_definition": {"type": "str", "required": True},
            "count": {"type": "int", "default": 1},
            "command": {"type": "list", "elements": "str"},
            "container": {"type": "str"},
            "wait_for": {"type": "str", "choices": ["nothing", "started", "stopped"], "default": "started"},
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
        required_by={"command": ["container"]},
    )
    if module.params["state"] == "absent":
        try:
            tasks = once_run(module)
            stopped = tasks
            if tasks and not module.check_mode:
                stopped = stop(module, tasks, "Its task definition is being deleted")
        except ResourceError as e:
            module.fail_json(msg=str(e))
        except (BotoCoreError, ClientError) as e:
            module.fail_json_aws(e, msg=f"Could not stop the tasks of {module.params['task_definition']!r}")
        module.exit_json(changed=bool(tasks), tasks=[describe(t) for t in stopped])
    if module.check_mode:
        module.exit_json(changed=True, tasks=[])
    started = []
    try:
        result = run_to_the_end(module, started)
    except ResourceError as e:
        module.fail_json(msg=str(e), changed=bool(started))
    except (BotoCoreError, ClientError) as e:
        module.fail_json_aws(e, msg=f"Could not run {module.params['task_definition']!r}", changed=bool(started))
    (module.fail_json if "msg" in result else module.exit_json)(changed=True, **result)


def run_to_the_end(module, started):
    """Start the tasks, into `started`, wait as `wait_for` says, and return what to say of them; `msg` where one failed."""
    p, progress = module.params, Progress(module.params["progress_file"])
    start(module, started)
    if p["wait_for"] == "nothing":
        return {"tasks": [describe(t) for t in started], "log": []}
    log = log_of(module, started) if p["wait_for"] == "stopped" else None
    tasks = settle(module, [t["taskArn"] for t in started], log)
    bad = [t for t in tasks if failed(module, t)]
    if bad and not log:
        log = log_of(module, bad)
    if log:
        finish(module, log)
    described = [describe(t) for t in tasks]
    for task in described:
        if task["status"] == "STOPPED":
            codes = ", ".join(f"{name} {code}" for name, code in sorted(task["exit_codes"].items())) or "none"
            progress.say(f"task {task['id']} ended: exit code {codes} ({task['stopped_reason'] or 'no reason given'})")
    result = {"tasks": described}
    if not bad:
        result["log"] = log.lines[-100:] if log else []
    else:
        causes = "\n".join(f"- {c}" for c in diagnosis.from_stopped_tasks(bad, log.groups)) or "ECS gave no reason."
        last = "".join(f"\n  {line}" for line in log.lines[-LAST_LINES:])
        result["msg"] = f"{len(bad)} of {len(tasks)} tasks ended with a failure:\n{causes}" + (
            f"\nThe last lines of the log:{last}" if last else ""
        )
    return result


if __name__ == "__main__":
    main()
