#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: ecs_verify
version_added: 0.1.0
short_description: Look whether a service does what it should
description:
  - Reads the service, its targets and its load balancer, asks it over HTTP, and reports every check.
  - Waits as long as a check may still come true, and fails with all that did not.
  - Where the answers name their task in a header (O(task_header)), each path is asked until every running task has
    answered it. A task that is being stopped stands for none of them.
  - Tells of tasks that ended within the last hour and that ECS replaced, as long as ECS remembers them.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    description: Changes nothing anyway. In check mode a failed check is no failure, since nothing was made.
    support: full
options:
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  service:
    description: Name of the service.
    type: str
    required: true
  load_balancer:
    description: Name of the load balancer.
    type: str
    required: true
  target_group:
    description: Name of the target group.
    type: str
    required: true
  scheme:
    description: How to speak to the load balancer.
    type: str
    choices: [http, https]
    default: http
  port:
    description: Port of the listener.
    type: int
    default: 80
  host:
    description:
      - The name that the certificate holds and DNS leads to the load balancer. Asked instead of the load balancer's own.
      - Without one a certificate is not checked, since none names a load balancer's own DNS name.
    type: str
  path:
    description: Path of the URL that is told, where a listener's rule gives the service only a part of all paths.
    type: str
    default: ""
  requests:
    description: What to ask through the load balancer, and what the answer must contain.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path with its leading slash.
        type: str
        required: true
      contains:
        description: Text that the answer must contain, white space aside.
        type: str
        default: ""
      items:
        description: How many entries the answer must have, a JSON list. Not given, its length says nothing.
        type: int
      status:
        description: HTTP status of a good answer.
        type: int
        default: 200
      every_task:
        description:
          - Whether every running task must answer, with O(task_header).
          - V(false) for a path that a listener's rule gives to another service.
        type: bool
        default: true
  task_header:
    description:
      - Header in which an answer names its task. Without one a single answer is enough.
      - By the task's id, or by a container's id or host name on EC2, ECS tells which task it is. Other names are counted.
    type: str
    default: ""
  timeout:
    description: Seconds to wait for all checks.
    type: int
    default: 120
  interval:
    description: Seconds between two looks.
    type: float
    default: 3
  progress_file:
    description: File to append progress to. The action plugin sets it and shows the lines.
    type: path
"""

EXAMPLES = r"""
- name: Does petclinic answer?
  handson.ecs.ecs_verify:
    cluster: petclinic-rest-cluster
    service: petclinic-rest-service
    load_balancer: petclinic-rest-alb
    target_group: petclinic-rest-target
    requests:
      - path: /actuator/health
        contains: '"status":"UP"'
"""

RETURN = r"""
checks:
  description: Each check with its result.
  returned: always
  type: list
  elements: dict
  sample: [{check: steady state, ok: true, said: 2 of 2 tasks running}]
overview:
  description:
    - What runs and where it answers.
    - C(ended) tells of tasks of the present deployment that ended and that ECS replaced, where there are such.
  returned: always
  type: dict
  sample: {service: petclinic-rest-service, tasks: 2/2, url: "http://petclinic-rest-alb-1.elb.amazonaws.com"}
"""

import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from urllib.error import HTTPError

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible.module_utils.urls import open_url

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import diagnosis, names
from ansible_collections.handson.ecs.plugins.module_utils.progress import Progress
from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError
from ansible_collections.handson.ecs.plugins.module_utils.services import is_steady, primary, revision

#: At most so many requests at a time, and so many for one path in all.
AT_ONCE, AT_MOST = 8, 2000


def check(name, ok, said):
    return {"check": name, "ok": bool(ok), "said": said}


def tries(tasks):
    """Return how often to ask so that each of `tasks` has answered.

    Where every request goes to any of them by chance, one is left out in fewer than one of 10,000 cases: for n tasks
    n·(1 - 1/n)^tries is below that after n·(ln n + ln 10000) of them. A load balancer that takes turns needs n.
    """
    return min(math.ceil(tasks * (math.log(tasks) + math.log(10000))), AT_MOST) if tasks > 1 else 1


def _entries(body):
    """Return how many entries a JSON list has, None where the text is none."""
    try:
        read = json.loads(body)
    except ValueError:
        return None
    return len(read) if isinstance(read, list) else None


def names_of(tasks):
    """Return {name: task id} of all that an answer may call a task (DescribeTasks): its id, or one of a container.

    Docker gives a container the first 12 characters of its id as its host name, unless the network mode is awsvpc.
    """
    found = {}
    for task in tasks:
        task_id = task["taskArn"].rsplit("/", 1)[-1]
        ids = [c["runtimeId"] for c in task.get("containers") or [] if c.get("runtimeId")]
        found.update(dict.fromkeys([task["taskArn"], task_id, *ids, *(i[:12] for i in ids)], task_id))
    return found


class Verification:
    """One look at a service from all sides."""

    def __init__(self, module):
        self.p = module.params
        self.ecs, self.elbv2 = module.client("ecs"), module.client("elbv2")
        self.desired = None
        self.service = None
        self.overview = {"cluster": self.p["cluster"], "service": self.p["service"]}

    def look(self):
        """Return all checks. Nothing here raises for something that is missing: that is a failed check."""
        self._names = {}
        return [*self._service(), *self._targets(), *self._answers()]

    def _service(self):
        try:
            found = self.ecs.describe_services(cluster=self.p["cluster"], services=[self.p["service"]])["services"]
        except is_boto3_error_code("ClusterNotFoundException"):
            return [check("cluster", False, f"there is no cluster {self.p['cluster']}")]
        found = [s for s in found if s["status"] == "ACTIVE"]
        if not found:
            return [check("service", False, f"there is no service {self.p['service']}")]
        service = self.service = found[0]
        self.desired = service["desiredCount"]
        tasks = f"{service['runningCount']} of {service['desiredCount']} tasks running"
        self.overview.update(tasks=tasks, task_definition=revision(service["taskDefinition"]))
        return [check("steady state", is_steady(service), tasks)]

    def _targets(self):
        try:
            arn = names.target_group_arn(self.elbv2, self.p["target_group"])
        except ResourceError as e:
            return [check("targets", False, str(e))]
        states = [t["TargetHealth"] for t in self.elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]]
        # A draining target is on its way out and says nothing about the service.
        states = [s for s in states if s["State"] != "draining"]
        healthy = sum(s["State"] == "healthy" for s in states)
        self.overview["targets"] = f"{healthy} of {len(states)} healthy"
        reasons = sorted({s.get("Description") or s["State"] for s in states if s["State"] != "healthy"})
        said = ", ".join([self.overview["targets"], *reasons])
        # A service of 0 tasks has no targets, and none is missing.
        return [check("targets", healthy == len(states) and (states or not self.desired), said)]

    def _answers(self):
        try:
            dns = names.load_balancer(self.elbv2, self.p["load_balancer"])["DNSName"]
        except ResourceError as e:
            return [check("load balancer", False, str(e))]
        port = "" if (self.p["scheme"], self.p["port"]) in (("http", 80), ("https", 443)) else f":{self.p['port']}"
        self.base = f"{self.p['scheme']}://{dns}{port}"
        self.overview["url"] = self.base + self.p["path"]
        return [self._ask(r) for r in self.p["requests"]]

    def _named(self, desired):
        """Return `names_of` the service's tasks that are to run, or to stop. Each is asked for once a look."""
        if desired not in self._names:
            self._names[desired] = names_of(self._tasks(desired) or [])
        return self._names[desired]

    def _tasks(self, desired):
        """Return the service's tasks of a desired status, None where we may not know."""
        try:
            arns = self.ecs.list_tasks(
                cluster=self.p["cluster"], serviceName=self.p["service"], desiredStatus=desired
            )["taskArns"]
            return self.ecs.describe_tasks(cluster=self.p["cluster"], tasks=arns[:100])["tasks"] if arns else []
        except is_boto3_error_code(["AccessDeniedException", "AccessDenied"]):
            return None

    def _running(self, seen):
        """Return the tasks that answered, by the names that they gave: no two for one, and none that is being stopped.

        Who is not among those that are to run may be one that has just started, or have a name that ECS doesn't know.
        """
        known = self._named("RUNNING")
        others = {name for name in seen if name not in known}
        return {known[name] for name in seen - others} | {o for o in others if o not in self._named("STOPPED")}

    def _ask(self, request):
        """Ask until every running task has answered; once where the answers do not tell whose they are."""
        name, running = f"GET {request['path']}", (self.service or {}).get("runningCount") or 0
        if not self.p["task_header"] or not request["every_task"]:
            good, said, _task = self._once(request)
            # Between lines that count tasks.
            return check(name, good, f"{said.split()[0]}, one answer" if good and self.p["task_header"] else said)
        asked, seen, answered, status = 0, set(), set(), None
        with ThreadPoolExecutor(min(max(running, 1), AT_ONCE)) as pool:
            while asked < tries(running) and len(answered) < max(running, 1):
                # As many as are missing: a load balancer that takes turns is done after one round.
                batch = min(max(running, 1) - len(answered), tries(running) - asked)
                asked += batch
                for good, said, task in pool.map(self._once, [request] * batch):
                    if not good:
                        return check(name, False, f"{said} (task {task})" if task else said)
                    if task is None:
                        lacks = f"{said.split()[0]}, without the header {self.p['task_header']} that names the task."
                        return check(
                            name,
                            False,
                            f"{lacks} Correct verify_task_header, or leave it empty: one answer is enough then.",
                        )
                    seen.add(task)
                    status = said.split()[0]
                answered = self._running(seen)
        told = f"{status}, {len(answered)} of {running} tasks"
        if len(answered) < running:
            told += f" answered within {asked} requests"
        return check(name, len(answered) >= running, told)

    def _once(self, request):
        """Return (whether the answer is good, what it says, which task gave it) of one request."""
        host = self.p["host"]
        base = f"{self.p['scheme']}://{host}" if host else self.base
        task = None
        try:
            answer = open_url(base + request["path"], timeout=10, http_agent="handson.ecs", validate_certs=bool(host))
            status, body, task = answer.status, self._text(answer), self._task(answer)
        except HTTPError as e:  # an answer as well, and perhaps the one that is wanted
            status, body, task = e.code, self._text(e), self._task(e)
        except Exception as e:  # urllib raises a dozen kinds; each is a failed check, and its text says which
            status, body = None, str(e)
        found = "".join(request["contains"].split()) in "".join(body.split())
        entries, wanted = _entries(body), request["items"]
        said = f"{status} {body[:120]}"
        if wanted is not None and entries != wanted:
            said += f" ({'no JSON list' if entries is None else f'{entries} entries'}, {wanted} are wanted)"
        return status == request["status"] and found and wanted in (None, entries), said, task

    def _task(self, answer):
        header = self.p["task_header"]
        return answer.headers.get(header) or None if header else None

    def tell_ended(self):
        """Note in the overview which tasks ended lately. One call, and another one where there are stopped tasks."""
        if self.service is None:
            return
        tasks = self._tasks("STOPPED")
        if tasks is None:
            return  # a remark, and no reason to fail what was looked at
        ended = diagnosis.ended_tasks(tasks, primary(self.service).get("id"))
        said = diagnosis.told_ended(
            ended, datetime.now(timezone.utc), self.service["runningCount"] >= self.service["desiredCount"]
        )
        if said:
            self.overview["ended"] = said

    @staticmethod
    def _text(answer):
        return answer.read(1 << 20).decode(errors="replace")


def main():
    request = {
        "path": {"type": "str", "required": True},
        "contains": {"type": "str", "default": ""},
        "items": {"type": "int"},
        "status": {"type": "int", "default": 200},
        "every_task": {"type": "bool", "default": True},
    }
    module = AnsibleAWSModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "load_balancer": {"type": "str", "required": True},
            "target_group": {"type": "str", "required": True},
            "scheme": {"type": "str", "choices": ["http", "https"], "default": "http"},
            "port": {"type": "int", "default": 80},
            "host": {"type": "str"},
            "path": {"type": "str", "default": ""},
            "requests": {"type": "list", "elements": "dict", "default": [], "options": request},
            "task_header": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 120},
            "interval": {"type": "float", "default": 3},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    verification = Verification(module)
    progress = Progress(module.params["progress_file"])
    deadline = time.monotonic() + module.params["timeout"]
    waiting = None
    try:
        while True:
            checks = verification.look()
            failed = [c for c in checks if not c["ok"]]
            if not failed or module.check_mode or time.monotonic() >= deadline:
                break
            if [c["check"] for c in failed] != waiting:
                waiting = [c["check"] for c in failed]
                progress.say("waiting for " + "; ".join(f"{c['check']} ({c['said']})" for c in failed))
            time.sleep(module.params["interval"])
        verification.tell_ended()
        if module.params["task_header"]:
            for told in checks:
                if told["check"].startswith("GET "):
                    progress.say(f"{told['check']}: {told['said']}")
    except (BotoCoreError, ClientError) as e:
        module.fail_json_aws(e, msg=f"Could not look at the service {module.params['service']!r}")
    result = {"checks": checks, "overview": verification.overview}
    if failed and not module.check_mode:
        said = "\n".join(f"- {c['check']}: {c['said']}" for c in failed)
        module.fail_json(
            msg=f"The service {module.params['service']!r} does not do what it should:\n{said}\nThe service's events and "
            "stopped tasks say why: ansible-playbook playbooks/service.yml waits for steady state and names the cause.",
            **result,
        )
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
