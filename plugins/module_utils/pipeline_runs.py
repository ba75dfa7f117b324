# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow an execution of CodePipeline by its actions, and say which one failed and why."""

from __future__ import annotations

import time
from typing import Any, Callable, Iterable, Mapping

try:
    from botocore.exceptions import ClientError
except ImportError:  # AnsibleAWSModule reports the missing library in its own words
    ClientError = Exception

from ansible_collections.handson.ecs.plugins.module_utils import build_runs, diagnosis
from ansible_collections.handson.ecs.plugins.module_utils.build_runs import Patience, console, masker
from ansible_collections.handson.ecs.plugins.module_utils.progress import Progress
from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError

#: Statuses of an execution that has not ended.
GOES_ON = ("InProgress", "Stopping")
#: Looks without any running action before the pipeline's state is asked for what holds the execution.
#: Seconds between two looks at the service that is being deployed.
SERVICE_LOOK_SECONDS = 30.0
STILL_LOOKS = 3
#: What may be refused while a failure is looked into: it must not hide the failure itself.
UNREADABLE = (
    "AccessDeniedException", "AccessDenied", "ClusterNotFoundException", "ResourceNotFoundException", "ClientException",
    "InvalidParameterException", "InvalidInputException",
)  # fmt: skip

# --- actions as ListActionExecutions gives them -----------------------------------------------------------------------


def latest(details: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the last try of each action, in the order in which they began. A retried stage has several.

    `details` are newest first; of two that began at once the order is that.
    """
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for d in sorted(reversed(list(details)), key=lambda d: d["startTime"]):
        key = (d["stageName"], d["actionName"])
        found.pop(key, None)
        found[key] = d
    return list(found.values())


def category(detail: Mapping[str, Any]) -> str:
    """Return what an action is: Source, Build, Test, Approval, Deploy, Invoke, Compute."""
    return ((detail.get("input") or {}).get("actionTypeId") or {}).get("category") or ""


def provider(detail: Mapping[str, Any]) -> str:
    """Return who does it: CodeStarSourceConnection, CodeBuild, ECS, Manual, …"""
    return ((detail.get("input") or {}).get("actionTypeId") or {}).get("provider") or ""


def configuration(detail: Mapping[str, Any]) -> Mapping[str, str]:
    """Return an action's configuration, its variables resolved where they are."""
    given = detail.get("input") or {}
    return {**(given.get("configuration") or {}), **(given.get("resolvedConfiguration") or {})}


def outcome(detail: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the result that an action's provider told, empty where there is none yet."""
    return (detail.get("output") or {}).get("executionResult") or {}


def seconds(detail: Mapping[str, Any]) -> int | None:
    """Return how long an action took, None where it hasn't ended."""
    if detail["status"] == "InProgress" or not detail.get("lastUpdateTime"):
        return None
    return max(0, round((detail["lastUpdateTime"] - detail["startTime"]).total_seconds()))


def reason(detail: Mapping[str, Any]) -> str:
    """Return what CodePipeline says of an action's end on one line: `JobFailed: Build terminated with …`."""
    result = outcome(detail)
    error = result.get("errorDetails") or {}
    parts = [error.get("code"), error.get("message") or result.get("externalExecutionSummary")]
    return masker()(": ".join(" ".join(p.split()) for p in parts if p))


def describe_action(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a result tells of an action. Its configuration may hold secrets and is no part of it."""
    result = outcome(detail)
    return {
        "stage": detail["stageName"],
        "action": detail["actionName"],
        "category": category(detail),
        "status": detail["status"],
        "seconds": seconds(detail),
        "summary": reason(detail) or None,
        "external_id": result.get("externalExecutionId"),
        "url": masker()(result.get("externalExecutionUrl") or "") or None,
    }


def failed_action(details: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the action that failed, of several in one stage the one that did so first."""
    failed = [d for d in latest(details) if d["status"] == "Failed"]
    return min(failed, key=lambda d: d.get("lastUpdateTime") or d["startTime"], default=None)


def line(action: Mapping[str, Any]) -> str:
    """Return an action as it is shown: `Build / Build: Succeeded after 93 s`."""
    text = f"{action['stage']} / {action['action']}: {action['status']}"
    if action["seconds"] is not None:
        text += f" after {action['seconds']} s"
    if action["status"] == "Failed" and action["summary"]:
        text += f": {action['summary']}"
    return text


def newest_running(summaries: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the newest execution (ListPipelineExecutions, newest first) that has not ended, or None."""
    return next((s for s in summaries if s["status"] in GOES_ON), None)


def newer_than(summaries: Iterable[Mapping[str, Any]], execution_id: str) -> Mapping[str, Any] | None:
    """Return the oldest execution that is newer than this one and was not overtaken itself, or None."""
    newer = []
    for s in summaries:
        if s["pipelineExecutionId"] == execution_id:
            break
        newer.append(s)
    return next((s for s in reversed(newer) if s["status"] not in ("Superseded", "Cancelled")), None)


def has_values(execution: Mapping[str, Any], wanted: Mapping[str, str | None]) -> bool:
    """Whether an execution (GetPipelineExecution) runs with these values of the pipeline's variables."""
    has = {v.get("name"): v.get("resolvedValue") for v in execution.get("variables") or []}
    return all(has.get(name, value) == value for name, value in wanted.items())


def held(state: Mapping[str, Any], execution_id: str) -> str | None:
    """Return why an execution does not go on (GetPipelineState): a transition that somebody has switched off."""
    for stage in state.get("stageStates") or []:
        transition = stage.get("inboundTransitionState") or {}
        inbound = [stage.get("inboundExecution") or {}, *(stage.get("inboundExecutions") or [])]
        if transition.get("enabled") is False and any(e.get("pipelineExecutionId") == execution_id for e in inbound):
            who = f" by {transition['lastChangedBy']}" if transition.get("lastChangedBy") else ""
            why = f" ({transition['disabledReason']})" if transition.get("disabledReason") else ""
            return (
                f"The transition into the stage {stage['stageName']} is switched off{who}{why}: aws codepipeline "
                f"enable-stage-transition --pipeline-name {state['pipelineName']} --stage-name {stage['stageName']} "
                "--transition-type Inbound"
            )
    return None


def way_out(pipeline: str, execution_id: str, action: Mapping[str, Any], configuration_fault: bool) -> str:
    """Return what to do about a failed action."""
    stage, kind = action["stage"], action["category"]
    retry = (
        f"aws codepipeline retry-stage-execution --pipeline-name {pipeline} --stage-name {stage} --pipeline-execution-id "
        f"{execution_id} --retry-mode FAILED_ACTIONS"
    )
    if kind == "Source":
        return (
            "Is the connection approved (playbooks/pipeline.yml names its link), and are the repository and the branch there? "
            f"Then: {retry}"
        )
    if kind == "Approval":
        return "It was rejected. Mend what was objected to and push."
    if kind == "Deploy" and configuration_fault:
        return (
            "imagedefinitions.json must name a container of the task definition that the service uses: compare "
            "task_definition_container_name. playbooks/build.yml gives the build that name; then push, or run the pipeline "
            "again."
        )
    return f"Mend the source and push: that starts a new execution. Where the cause was not the source: {retry}"


# --- following --------------------------------------------------------------------------------------------------------


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
        found = self._patience(lambda: ecs.describe_services(cluster=cluster, services=[service])) or {}
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


class Findings:
    """What the services behind a pipeline's actions know of an execution. `client` gives a client by service name."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client

    def build(self, detail: Mapping[str, Any] | None) -> tuple[Mapping[str, Any] | None, list[str]]:
        """Return the build of a CodeBuild action and, where it failed, its log's last lines."""
        build_id = outcome(detail).get("externalExecutionId") if detail and provider(detail) == "CodeBuild" else None
        if not build_id:
            return None, []
        found = self._read(lambda: self._client("codebuild").batch_get_builds(ids=[build_id]))
        build = next(iter((found or {}).get("builds") or []), None)
        if not build or build.get("buildStatus") == "SUCCEEDED":
            return build, []
        logs = build.get("logs") or {}
        if not (logs.get("groupName") and logs.get("streamName")):
            return build, []
        # From its end, for the last lines are enough here.
        page = self._read(
            lambda: self._client("logs").get_log_events(
                logGroupName=logs["groupName"], logStreamName=logs["streamName"], limit=3 * build_runs.LAST_LINES
            )
        )
        mask = masker((build.get("environment") or {}).get("environmentVariables") or [])
        lines = [mask(t) for e in (page or {}).get("events") or [] for t in build_runs.log_lines(e.get("message") or "")]
        return build, lines[-build_runs.LAST_LINES :]

    def causes(self, detail: Mapping[str, Any]) -> list[diagnosis.Cause]:
        """Return why the service of an ECS deploy action did not become steady: stopped tasks, and its own events."""
        cluster, service = (configuration(detail).get(k) for k in ("ClusterName", "ServiceName"))
        if provider(detail) != "ECS" or not cluster or not service:
            return []
        ecs, began = self._client("ecs"), detail["startTime"]
        found = self._read(lambda: ecs.describe_services(cluster=cluster, services=[service])) or {}
        events = [e for s in found.get("services") or [] for e in s.get("events") or [] if e["createdAt"] >= began]
        arns = self._read(lambda: ecs.list_tasks(cluster=cluster, serviceName=service, desiredStatus="STOPPED")) or {}
        stopped = arns.get("taskArns", [])[:100]
        tasks = self._read(lambda: ecs.describe_tasks(cluster=cluster, tasks=stopped)) if stopped else {}
        mine = [t for t in (tasks or {}).get("tasks", []) if not t.get("createdAt") or t["createdAt"] >= began]
        return diagnosis.from_stopped_tasks(mine) + diagnosis.from_events(events)

    def deployed(self, detail: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what the service of an ECS deploy action runs now, and whether it is a revision of this execution."""
        cluster, service = (configuration(detail).get(k) for k in ("ClusterName", "ServiceName"))
        if provider(detail) != "ECS" or not cluster or not service:
            return None
        ecs = self._client("ecs")
        found = self._read(lambda: ecs.describe_services(cluster=cluster, services=[service])) or {}
        arn = next((s.get("taskDefinition") for s in found.get("services") or []), None)
        answer = self._read(lambda: ecs.describe_task_definition(taskDefinition=arn)) if arn else None
        if not answer:
            return None
        definition = answer["taskDefinition"]
        registered = definition.get("registeredAt")
        return {
            "cluster": cluster,
            "service": service,
            "task_definition": arn.rsplit("/", 1)[-1],
            "images": {c["name"]: c.get("image") for c in definition.get("containerDefinitions") or []},
            # A second of grace: the two services' clocks.
            "new": bool(registered and registered.timestamp() >= detail["startTime"].timestamp() - 1),
        }

    @staticmethod
    def _read(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except ClientError as e:
            if e.response.get("Error", {}).get("Code") not in (*UNREADABLE, *build_runs.PASSING):
                raise
            return None


def rolled_back(pipeline: str, live: Mapping[str, Any]) -> str:
    """Put into words that an execution has ended well and its version is not what runs (`Findings.deployed`)."""
    return (
        f"The pipeline {pipeline!r} says Succeeded, but the service {live['service']!r} runs {live['task_definition']}, which was "
        "there before: ECS has given the new revision up and rolled back. Why: its events and stopped tasks in "
        "playbooks/verify.yml, its log in playbooks/logs.yml. Mend the program and push."
    )


def failure(
    pipeline: str,
    execution: Mapping[str, Any],
    action: Mapping[str, Any] | None,
    build: tuple[Mapping[str, Any] | None, list[str]] = (None, []),
    causes: Iterable[diagnosis.Cause] = (),
    stopped_because: str | None = None,
) -> str:
    """Put the end of an execution that did not succeed into words."""
    execution_id, status = execution["pipelineExecutionId"], execution["status"]
    head = f"The execution {execution_id} of {pipeline!r}"
    said = " ".join((execution.get("statusSummary") or "").split())
    if status == "Superseded":
        return (
            f"{head} was overtaken by a newer one before it was done, and nothing of it is deployed any more. Follow the "
            "newer one: playbooks/start_pipeline.yml does so without an execution id."
        )
    if status == "Stopped":
        because = f": {stopped_because}" if stopped_because else ". No reason was given"
        return f"{head} was stopped by somebody{because}. Run again to start another one."
    if status == "Cancelled":
        return f"{head} was cancelled, since the pipeline's definition was changed meanwhile. Run again to start another one."
    if action is None:
        return f"{head} failed{f': {said}' if said else ', and no action of it did'}. Look at the pipeline in the console."
    described = describe_action(action)
    text = f"{head} failed in stage {described['stage']}, action {described['action']}: "
    text += described["summary"] or said or "CodePipeline gives no reason."
    if described["url"]:
        text += f"\nSee {described['url']}"
    if build[0] is not None:
        text += f"\n{build_runs.failure(*build)}"
    for cause in causes:
        text += f"\n- {cause}"
    code = (outcome(action).get("errorDetails") or {}).get("code") or ""
    fault = code in ("ConfigurationError", "InvalidConfiguration") or "does not exist" in reason(action)
    return f"{text}\n-> {way_out(pipeline, execution_id, described, fault)}"
