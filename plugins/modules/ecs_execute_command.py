#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: ecs_execute_command
version_added: 0.1.0
short_description: Run one command in a running container of a service
description:
  - Runs a command by ECS Exec and shows what it writes, as it comes. Without a command it says the line that opens a
    shell by hand. On an endpoint that is not AWS's that is one of Docker, where this machine's engine runs the container.
  - Says everything at once that ECS Exec lacks - the service's permission, the task's role, the agent, AWS's
    session-manager-plugin on this machine.
  - ECS Exec tells no exit code, so a command that fails is no failure of this module.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    description: Says in which task it would run.
    support: full
options:
  service:
    description: Name of the service.
    type: str
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  container:
    description: Name of the container.
    type: str
    required: true
  task:
    description: Id of the task, or its beginning. Left out, it is the newest that runs.
    type: str
  command:
    description: One line, as ECS takes it. It is no shell's unless it names one - C(sh -c 'ls | wc -l').
    type: str
  timeout:
    description: Seconds after which the session is ended.
    type: int
    default: 60
  owner:
    description: Tags that the service must carry.
    type: dict
    default: {}
  progress_file:
    description: File to append the output to. The action plugin sets it and shows the lines.
    type: path
"""

EXAMPLES = r"""
- name: Look at the environment of a task
  handson.ecs.ecs_execute_command:
    service: petclinic-rest-service
    cluster: petclinic-rest-cluster
    container: petclinic-rest-app
    command: env
"""

RETURN = r"""
task:
  description: Id of the task.
  returned: success
  type: str
by_hand:
  description: The line that does the same in a shell. Empty where no container runs that could be entered.
  returned: success
  type: str
lines:
  description: What the command wrote.
  returned: success
  type: list
  elements: str
missing:
  description: What ECS Exec lacks here, each with the way out.
  returned: without a command, and on failure
  type: list
  elements: str
"""

import shutil
import subprocess

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from ansible_collections.handson.ecs.plugins.module_utils import execute_command as shell
from ansible_collections.handson.ecs.plugins.module_utils.compare import chunks, foreign_because, tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.ecs_clusters import list_all
from ansible_collections.handson.ecs.plugins.module_utils.endpoints import is_aws
from ansible_collections.handson.ecs.plugins.module_utils.progress import Progress
from ansible_collections.handson.ecs.plugins.module_utils.resource import Missing, ResourceError
from ansible_collections.handson.ecs.plugins.module_utils.unlogged import unlogged_module

#: How an endpoint that is not AWS's says that it has no such operation.
UNSUPPORTED = (
    "NotImplementedException", "NotImplemented", "UnsupportedOperation", "UnknownOperationException", "InvalidAction", "501",
)  # fmt: skip


class Faulty(ResourceError):
    """ECS Exec lacks something."""

    def __init__(self, missing):
        super().__init__("ECS Exec is not ready here:\n" + "\n".join(f"- {m}" for m in missing))
        self.details = {"missing": missing}


def find_service(module, ecs):
    p = module.params
    try:
        found = ecs.describe_services(cluster=p["cluster"], services=[p["service"]], include=["TAGS"])["services"]
    except is_boto3_error_code("ClusterNotFoundException"):
        found = []
    active = [s for s in found if s["status"] == "ACTIVE"]
    if not active:
        raise Missing(
            f"There is no service named {p['service']!r} in {p['cluster']!r}. Make it first: "
            "ansible-playbook playbooks/service.yml"
        )
    reason = foreign_because(tags_to_dict(active[0].get("tags")), p["owner"])
    if reason:
        raise ResourceError(f"The service {p['service']!r} is not ours: {reason}. No command was run in it.")
    return active[0]


def find_task(module, ecs):
    """Return the task and the container to enter."""
    p = module.params
    arns = list_all(ecs.list_tasks, "taskArns", cluster=p["cluster"], serviceName=p["service"], desiredStatus="RUNNING")
    tasks = [t for part in chunks(arns, 100) for t in ecs.describe_tasks(cluster=p["cluster"], tasks=list(part))["tasks"]]
    task = shell.choose(tasks, p["task"])
    if task is None:
        running = ", ".join(sorted(t["taskArn"].rsplit("/", 1)[-1] for t in tasks if t["lastStatus"] == "RUNNING")) or "none"
        what = f"no task {p['task']!r} (service_shell_task)" if p["task"] else "no task"
        raise ResourceError(f"The service {p['service']!r} has {what} that runs. Running: {running}.")
    container = next((c for c in task["containers"] if c["name"] == p["container"]), None)
    if container is None:
        names = ", ".join(c["name"] for c in task["containers"])
        raise ResourceError(f"The task has no container {p['container']!r}. It has: {names}.")
    return task, container


def open_session(module, ecs, task, container):
    """Return the session of ExecuteCommand. Where the endpoint has none, raise ResourceError with what else there is."""
    p, endpoint = module.params, ecs.meta.endpoint_url
    try:
        return ecs.execute_command(
            cluster=p["cluster"], task=task["taskArn"], container=p["container"], command=p["command"], interactive=True
        )["session"]
    except is_boto3_error_code(list(UNSUPPORTED)):
        line = shell.docker_by_hand(container.get("runtimeId"), p["command"])
        raise ResourceError(
            f"The endpoint {endpoint} has no ECS Exec (ExecuteCommand): only AWS has. "
            + (f"The container is one of this machine's Docker: {line}" if line else no_container(endpoint))
        ) from None
    except is_boto3_error_code(["TargetNotConnectedException", "InvalidParameterException"]) as e:
        raise ResourceError(
            f"ECS did not open the session: {e.response['Error']['Message']} The agent in the container needs some seconds after "
            "the task's start, a task role with the four ssmmessages actions, and a way to the endpoint ssmmessages."
        ) from None


def no_container(endpoint):
    return (
        f"No container runs: the endpoint {endpoint} keeps records of tasks, and this machine's Docker has no container of "
        "this one. There are containers with inventories/containers, and on AWS."
    )


def version_of(path):
    if path is None:
        return ""
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=30)
    return done.stdout


def missing(ecs, service, task, container):
    """Return all that ECS Exec lacks."""
    definition = ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
    path = shutil.which(shell.PLUGIN)
    return [
        *shell.task_faults(service, task, container["name"]),
        *shell.definition_faults(definition, container["name"]),
        *shell.plugin_faults(path, version_of(path)),
    ]


def enter(module):
    p, ecs, progress = module.params, module.client("ecs"), Progress(module.params["progress_file"])
    service = find_service(module, ecs)
    task, container = find_task(module, ecs)
    task_id, region = task["taskArn"].rsplit("/", 1)[-1], ecs.meta.region_name
    result = {
        "task": task_id,
        "by_hand": shell.by_hand(p["cluster"], task_id, p["container"], region, p["command"]),
        "lines": [],
    }
    aws = is_aws(ecs.meta.endpoint_url)
    if not p["command"]:
        result["changed"] = False
        if aws:
            return {**result, "missing": missing(ecs, service, task, container)}
        # What ECS Exec lacks would be no help: no role and no plugin brings it to such an endpoint.
        line = shell.docker_by_hand(container.get("runtimeId"), None)
        return {**result, "by_hand": line, "missing": [] if line else [no_container(ecs.meta.endpoint_url)]}
    session = None
    if not aws and not module.check_mode:
        # Before somebody sets up a role and installs a plugin for an endpoint that knows no ECS Exec.
        session = open_session(module, ecs, task, container)
    faults = missing(ecs, service, task, container)
    if faults:
        raise Faulty(faults)
    if module.check_mode:
        return {**result, "changed": True}
    session = session or open_session(module, ecs, task, container)
    progress.say(f"task {task_id}, container {p['container']}: {p['command']}")
    cluster = task["clusterArn"].rsplit("/", 1)[-1]
    lines, broken = shell.run_plugin(
        shutil.which(shell.PLUGIN),
        shell.session_json(session),
        region,
        f"ecs:{cluster}_{task_id}_{container.get('runtimeId')}",
        module.client("ssm").meta.endpoint_url,
        p["timeout"],
        progress.say,
    )
    result["lines"] = lines
    if broken:
        error = ResourceError(f"The session with task {task_id} went wrong: {broken}. By hand: {result['by_hand']}")
        error.details = {**result, "changed": True}
        raise error
    return {**result, "changed": True}


def main():
    module = unlogged_module(
        argument_spec={
            "service": {"type": "str", "required": True},
            "cluster": {"type": "str", "required": True},
            "container": {"type": "str", "required": True},
            "task": {"type": "str"},
            "command": {"type": "str"},
            "timeout": {"type": "int", "default": 60},
            "owner": {"type": "dict", "default": {}},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        result = enter(module)
    except ResourceError as e:
        module.fail_json(msg=str(e), **getattr(e, "details", {}))
    except (BotoCoreError, ClientError) as e:
        module.fail_json_aws(e, msg=f"Could not run a command in the service {module.params['service']!r}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
