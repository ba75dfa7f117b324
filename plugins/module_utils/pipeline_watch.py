# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow an execution of CodePipeline until it has ended, and show its actions as they move."""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping

try:
    from botocore.exceptions import ClientError
except ImportError:  # AnsibleAWSModule reports the missing library in its own words
    ClientError = Exception

from ansible_collections.handson.ecs.plugins.module_utils.build_runs import Patience, console, masker
from ansible_collections.handson.ecs.plugins.module_utils.pipeline_runs import (
    GOES_ON,
    category,
    configuration,
    describe_action,
    held,
    latest,
    line,
    readable,
)
from ansible_collections.handson.ecs.plugins.module_utils.progress import Progress
from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError

#: Seconds between two looks at the service that is being deployed.
SERVICE_LOOK_SECONDS = 30.0
#: Looks without any running action before the pipeline's state is asked for what holds the execution.
STILL_LOOKS = 3


class PipelineWatch:
    """One execution after the other of one pipeline.

    `client` gives a boto3 client by service name; `params` are the module's options pipeline, wait_timeout and
    wait_interval (seconds), progress_file.
    """

    def __init__(self, client: Callable[[str], Any], params: Mapping[str, Any]) -> None:
        self._client = client
        self._params = params
        self._progress = Progress(params.get("progress_file"))
        self._patience = Patience()
        self._shown: set[tuple[str, str]] = set()
        self._held: str | None = None
        self._next_service_look = 0.0
        self._given_up: set[str] = set()
        #: The last try of each action, as ListActionExecutions gave them last.
        self.actions: list[Mapping[str, Any]] = []

    @property
    def name(self) -> str:
        return self._params["pipeline"]

    @property
    def url(self) -> str:
        region = self._client("codepipeline").meta.region_name
        return console(region, f"codesuite/codepipeline/pipelines/{self.name}/view?region={region}")

    def say(self, text: str) -> None:
        self._progress.say(text)

    def summaries(self) -> list[Mapping[str, Any]]:
        """Return the newest executions, newest first."""
        answer = self._client("codepipeline").list_pipeline_executions(pipelineName=self.name, maxResults=20)
        return answer["pipelineExecutionSummaries"]

    def _look_at_the_service(self, execution_id: str) -> None:
        """Say that ECS has given a deployment up: CodePipeline is not told and waits until its own time is over.

        https://github.com/aws/containers-roadmap/issues/1399
        """
        deploy = next((a for a in self.actions if category(a) == "Deploy" and a["status"] == "InProgress"), None)
        cluster, service = (configuration(deploy).get(k) if deploy else None for k in ("ClusterName", "ServiceName"))
        if not cluster or not service or time.monotonic() < self._next_service_look:
            return
        self._next_service_look = time.monotonic() + SERVICE_LOOK_SECONDS
        ecs = self._client("ecs")
        # Only a hint: who may not look at the service follows the execution all the same.
        found = readable(lambda: self._patience(lambda: ecs.describe_services(cluster=cluster, services=[service]))) or {}
        for deployment in (d for s in found.get("services") or [] for d in s.get("deployments") or []):
            if deployment.get("rolloutState") == "FAILED" and deployment["id"] not in self._given_up:
                self._given_up.add(deployment["id"])
                self.say(f"ECS has given the deployment up: {deployment.get('rolloutStateReason') or 'it names no reason'}")
                self.say(
                    "CodePipeline does not hear of it and waits for its own time-out. To end it now: aws codepipeline "
                    f"stop-pipeline-execution --pipeline-name {self.name} --pipeline-execution-id {execution_id} --abandon"
                )

    def follow(self, execution_id: str) -> Mapping[str, Any]:
        """Wait until the execution has ended, showing its actions as they move, and return it (GetPipelineExecution).

        Raises ResourceError where the time is over first.
        """
        deadline = time.monotonic() + self._params["wait_timeout"]
        status, still = "InProgress", 0
        while True:
            # Its status before its actions: then the actions are complete when it says that it has ended.
            execution = self._patience(lambda: self._execution(execution_id))
            found = self._patience(lambda: self._actions(execution_id))
            if found is not None:
                self.actions = latest(found)
                self._show()
            if execution and execution["status"] != status:
                status = execution["status"]
                if status == "Stopping":
                    self.say("somebody stops the execution")
            if execution and status not in GOES_ON and found is not None:
                return execution
            moving = any(a["status"] == "InProgress" for a in self.actions)
            self._look_at_the_service(execution_id)
            still = 0 if moving else still + 1
            if still == STILL_LOOKS:
                self._look_what_holds(execution_id)
            if time.monotonic() >= deadline:
                raise self._timeout(execution_id)
            time.sleep(self._params["wait_interval"])

    def waiting(self) -> Mapping[str, Any] | None:
        """Return the approval that is waited for, or None."""
        return next((a for a in self.actions if category(a) == "Approval" and a["status"] == "InProgress"), None)

    def _execution(self, execution_id: str) -> Mapping[str, Any]:
        try:
            answer = self._client("codepipeline").get_pipeline_execution(
                pipelineName=self.name, pipelineExecutionId=execution_id
            )
        except ClientError as e:
            # An execution that was started a moment ago may not show yet.
            if e.response.get("Error", {}).get("Code") != "PipelineExecutionNotFoundException":
                raise
            return {"pipelineExecutionId": execution_id, "status": "InProgress"}
        return answer["pipelineExecution"]

    def _actions(self, execution_id: str) -> list[Mapping[str, Any]]:
        found, more = [], {}
        while True:
            try:
                answer = self._client("codepipeline").list_action_executions(
                    pipelineName=self.name, filter={"pipelineExecutionId": execution_id}, **more
                )
            except ClientError as e:
                if e.response.get("Error", {}).get("Code") != "PipelineExecutionNotFoundException":
                    raise
                return found
            found += answer["actionExecutionDetails"]
            if not answer.get("nextToken"):
                return found
            more = {"nextToken": answer["nextToken"]}

    def _show(self) -> None:
        for detail in self.actions:
            key = (detail["actionExecutionId"], detail["status"])
            if key in self._shown:
                continue
            self._shown.add(key)
            self.say(line(describe_action(detail)))
            if category(detail) == "Approval" and detail["status"] == "InProgress":
                self.say(f"waits for an approval: {self.url}")
                about = [configuration(detail).get(k) for k in ("CustomData", "ExternalEntityLink")]
                for text in filter(None, about):
                    self.say(masker()(text))

    def _look_what_holds(self, execution_id: str) -> None:
        try:
            state = self._patience(lambda: self._client("codepipeline").get_pipeline_state(name=self.name))
        except ClientError:  # a hint, and no reason to stop
            return
        self._held = held(state or {}, execution_id)
        if self._held:
            self.say(self._held)

    def _timeout(self, execution_id: str) -> ResourceError:
        running = [a for a in self.actions if a["status"] == "InProgress"]
        where = ", ".join(f"{a['stageName']} / {a['actionName']}" for a in running) or "between two stages"
        text = (
            f"The execution {execution_id} of {self.name!r} has not ended after {self._params['wait_timeout']} s "
            f"(wait_timeout). It is at {where}."
        )
        if self.waiting():
            text += f" It waits for an approval: {self.url}"
        elif self._held:
            text += f" {self._held}"
        elif self._patience.trouble:
            text += f" CodePipeline could not be asked: {self._patience.trouble}."
        text += " It goes on by itself: run again to follow it, with a greater wait_timeout where needed."
        return ResourceError(text)
