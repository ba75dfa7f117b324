#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: codepipeline_run
version_added: 0.1.0
short_description: Run a pipeline, and show its actions as they move
description:
  - Starts an execution of a pipeline, shows what becomes of its actions, and waits for its end. An approval that is
    waited for is shown with its link.
  - Fails with the stage and the action that failed, what CodePipeline says of it, and what to do. Of a build that failed
    also the phase and the log's last lines, of a deployment to ECS also what the service and its stopped tasks say.
  - An execution goes on when the run that started it is interrupted. The next run follows it, see O(when_running).
  - An execution that a newer one overtakes is left for the newer one, unless it was given O(variables) or an
    O(execution_id).
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    description: Says that it would start an execution, or which one it would follow.
    support: full
options:
  pipeline:
    description: Name of the pipeline.
    type: str
    required: true
  owner:
    description: Tags that the pipeline must carry, so that nothing of somebody else's is deployed. Empty checks nothing.
    type: dict
    default: {}
  execution_id:
    description: Follow this execution instead of starting one.
    type: str
  variables:
    description:
      - Values of the pipeline's variables, for this execution only.
      - They stand in the pipeline's history in plain text, so a variable whose name says secret is refused.
    type: dict
    default: {}
  when_running:
    description:
      - What to do where an execution of the pipeline runs already.
      - V(follow) follows it, where its variables have the same values; otherwise a new one is started.
      - V(start) starts a new one, V(fail) says so and fails.
    type: str
    choices: [follow, start, fail]
    default: follow
  must_succeed:
    description:
      - Whether an execution that does not succeed is a failure. With V(false) the module tells in RV(execution) what
        became of it, for those that expect a failure.
    type: bool
    default: true
  wait:
    description: Whether to wait for the execution's end.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait at most. The execution goes on by itself.
    type: int
    default: 3600
  wait_interval:
    description: Seconds between two looks.
    type: float
    default: 5
  progress_file:
    description: File to append progress to. The action plugin sets it and shows the lines.
    type: path
"""

EXAMPLES = r"""
- name: Build and deploy what is on the branch
  handson.ecs.codepipeline_run:
    pipeline: petclinic-rest-codepipeline

- name: Follow the execution that a push started
  handson.ecs.codepipeline_run:
    pipeline: petclinic-rest-codepipeline
    execution_id: 3137f7cb-7cf7-039j-s83l-d7eu3EXAMPLE
"""

RETURN = r"""
execution:
  description: The execution. Null in check mode, unless one would be followed.
  returned: success, and failure of an execution
  type: dict
  sample:
    id: 3137f7cb-7cf7-039j-s83l-d7eu3EXAMPLE
    status: Succeeded
    actions:
      - {stage: Build, action: Build, category: Build, status: Succeeded, seconds: 93, summary: null, url: "https://…"}
    failed: null
    build: {id: "petclinic-rest-build:0c5b…", status: SUCCEEDED, exported: {IMAGE_DIGEST: "sha256:…"}}
    deployed:
      service: petclinic-rest-service
      task_definition: petclinic-rest-task:7
      images: {petclinic-rest-app: "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest:5f3c"}
      new: true
    url: https://…
why:
  description: What became of an execution that did not succeed, in words. Empty otherwise.
  returned: success
  type: str
followed:
  description: Whether the execution was there already. It then is nothing that this run changed.
  returned: success, and failure of an execution
  type: bool
overtaken:
  description: Ids of the executions that newer ones overtook while they were followed.
  returned: success, and failure of an execution
  type: list
  elements: str
"""

import uuid

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from ansible_collections.handson.ecs.plugins.module_utils import build_runs, pipeline_runs, pipeline_watch
from ansible_collections.handson.ecs.plugins.module_utils.compare import tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.names import refuse_foreign_parent
from ansible_collections.handson.ecs.plugins.module_utils.resource import Missing, ResourceError
from ansible_collections.handson.ecs.plugins.module_utils.secrets import looks_secret
from ansible_collections.handson.ecs.plugins.module_utils.unlogged import unlogged_module


class PipelineRun:
    def __init__(self, module):
        self.module = module
        self.params = module.params
        self._clients = {}
        self.watch = pipeline_watch.PipelineWatch(self.client, self.params)

    def client(self, service):
        if service not in self._clients:
            self._clients[service] = self.module.client(service)
        return self._clients[service]

    @property
    def name(self):
        return self.params["pipeline"]

    def result(self):
        p = self.params
        self._refuse_secrets()
        defaults = self._refuse_what_does_not_fit()
        found = p["execution_id"] or (None if defaults is None else self._running(defaults))
        if self.module.check_mode:
            self.watch.say(f"would follow the execution {found}" if found else f"would start an execution of {self.name}")
            return {"changed": not found, "execution": {"id": found} if found else None, "followed": bool(found), "why": ""}
        execution_id = found or self._start()
        self.watch.say(f"{'follows the' if found else 'the'} execution {execution_id}: {self.watch.url}")
        result = {"changed": not found, "followed": bool(found), "overtaken": [], "why": ""}
        if not p["wait"]:
            return {**result, "execution": {"id": execution_id, "url": self.watch.url}}
        try:
            return self._followed(execution_id, result)
        except ResourceError as e:
            e.details = {"execution": {"id": execution_id, "url": self.watch.url}, **result, **getattr(e, "details", {})}
            raise

    def _followed(self, execution_id, result):
        execution = self.watch.follow(execution_id)
        while execution["status"] == "Superseded" and not self.params["variables"] and not self.params["execution_id"]:
            newer = pipeline_runs.newer_than(self.watch.summaries(), execution_id)
            if newer is None:
                break
            result["overtaken"].append(execution_id)
            execution_id = newer["pipelineExecutionId"]
            self.watch.say(f"a newer execution has overtaken it: follows {execution_id}")
            execution = self.watch.follow(execution_id)
        told = self._told(execution)
        if told["why"] and self.params["must_succeed"]:
            error = ResourceError(told["why"])
            error.details = {**result, "execution": told["execution"]}
            raise error
        return {**result, **told}

    def _told(self, execution):
        """Return {execution, why} of an execution that has ended."""
        findings, actions = pipeline_runs.Findings(self.client), self.watch.actions
        failed = pipeline_runs.failed_action(actions) if execution["status"] == "Failed" else None
        build_action = failed if failed and pipeline_runs.category(failed) in ("Build", "Test") else None
        build_action = build_action or next((a for a in actions if pipeline_runs.category(a) == "Build"), None)
        build, lines = findings.build(build_action)
        deploy_action = next((a for a in actions if pipeline_runs.category(a) == "Deploy"), None)
        described = {
            "id": execution["pipelineExecutionId"],
            "status": execution["status"],
            "actions": [pipeline_runs.describe_action(a) for a in actions],
            "failed": pipeline_runs.describe_action(failed) if failed else None,
            "build": build_runs.describe(build) if build else None,
            "deployed": findings.deployed(deploy_action) if deploy_action else None,
            "url": self.watch.url,
        }
        if execution["status"] == "Succeeded":
            live = described["deployed"]
            if live and not live["new"]:
                # Its deploy action waits for a steady service, and one that was rolled back is steady as well.
                return {"execution": described, "why": pipeline_runs.rolled_back(self.name, live)}
            if live:
                self.watch.say("live: {service} runs {task_definition}".format(**live))
            return {"execution": described, "why": ""}
        named, live = findings.container_of(build), described["deployed"]
        why = pipeline_runs.failure(
            self.name,
            execution,
            failed,
            (build, lines) if failed and failed is build_action and build else (None, []),
            findings.causes(failed) if failed else [],
            self._stopped_because(execution),
            (named, live["images"]) if named and live else None,
        )
        return {"execution": described, "why": why}

    def _stopped_because(self, execution):
        if execution["status"] != "Stopped":
            return None
        found = (s for s in self.watch.summaries() if s["pipelineExecutionId"] == execution["pipelineExecutionId"])
        return next(((s.get("stopTrigger") or {}).get("reason") for s in found), None)

    def _refuse_secrets(self):
        secret = sorted(name for name in self.params["variables"] if looks_secret(name))
        if secret:
            self.module.no_log_values.update(str(self.params["variables"][name]) for name in secret)
            raise ResourceError(
                f"A pipeline's variables stand in its history in plain text, and these names say secret: {', '.join(secret)}. "
                "Put the value into Secrets Manager and let the buildspec read it (env: secrets-manager)."
            )

    def _refuse_what_does_not_fit(self):
        """Return the pipeline's variables with their defaults, None where it is not there.

        Refuses somebody else's, and variables that it does not declare.
        """
        codepipeline = self.client("codepipeline")
        try:
            found = codepipeline.get_pipeline(name=self.name)
        except is_boto3_error_code("PipelineNotFoundException"):
            if self.module.check_mode:  # the run that is tried out would make it first
                return None
            raise Missing(
                f"There is no pipeline named {self.name!r}. Make it first: ansible-playbook playbooks/pipeline.yml"
            ) from None
        if self.params["owner"]:
            arn = found["metadata"]["pipelineArn"]
            tags = codepipeline.list_tags_for_resource(resourceArn=arn).get("tags")
            refuse_foreign_parent("pipeline", self.name, tags_to_dict(tags), self.params["owner"])
        defaults = {v["name"]: v.get("defaultValue") for v in found["pipeline"].get("variables") or []}
        unknown = sorted(set(self.params["variables"]) - set(defaults))
        if unknown and not self.module.check_mode:
            raise ResourceError(
                f"The pipeline {self.name!r} has no variable {', '.join(unknown)}. Bring it up to date first: "
                "ansible-playbook playbooks/pipeline.yml"
            )
        return defaults

    def _running(self, defaults):
        """Return the id of the execution to follow, None where one is to be started."""
        if self.params["when_running"] == "start":
            return None
        try:
            running = pipeline_runs.newest_running(self.watch.summaries())
        except ClientError as e:
            if build_runs.refusal(e) is None:
                raise
            return None  # an emulator without executions: it says itself what it does not do, at the start
        if running is None:
            return None
        execution_id = running["pipelineExecutionId"]
        if self.params["when_running"] == "fail":
            raise ResourceError(
                f"The execution {execution_id} of {self.name!r} is under way ({running['status']}). Wait for its end, then "
                f"run again: {self.watch.url}"
            )
        if running["status"] == "Stopping":
            return None
        execution = self.client("codepipeline").get_pipeline_execution(
            pipelineName=self.name, pipelineExecutionId=execution_id
        )["pipelineExecution"]
        wanted = {**defaults, **{n: str(v) for n, v in self.params["variables"].items()}}
        if pipeline_runs.has_values(execution, wanted):
            return execution_id
        self.watch.say(f"the execution {execution_id} runs with other values of the pipeline's variables: starts a new one")
        return None

    def _start(self):
        # A repeated call (a lost answer) gets the same execution again.
        request = {"name": self.name, "clientRequestToken": str(uuid.uuid4())}
        if self.params["variables"]:
            request["variables"] = [{"name": n, "value": str(v)} for n, v in sorted(self.params["variables"].items())]
        return self.client("codepipeline").start_pipeline_execution(**request)["pipelineExecutionId"]


def main():
    module = unlogged_module(
        argument_spec={
            "pipeline": {"type": "str", "required": True},
            "owner": {"type": "dict", "default": {}},
            "execution_id": {"type": "str"},
            "variables": {"type": "dict", "default": {}},
            "when_running": {"type": "str", "choices": ["follow", "start", "fail"], "default": "follow"},
            "must_succeed": {"type": "bool", "default": True},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 3600},
            "wait_interval": {"type": "float", "default": 5},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        result = PipelineRun(module).result()
    except ResourceError as e:
        module.fail_json(msg=str(e), **getattr(e, "details", {}))
    except (BotoCoreError, ClientError) as e:
        refused = build_runs.refusal(e)
        if refused:
            module.fail_json(msg=refused)
        module.fail_json_aws(e, msg=f"Could not run the pipeline {module.params['pipeline']!r}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
