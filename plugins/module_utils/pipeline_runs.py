# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions of an execution of CodePipeline say, and which one failed and why. pipeline_watch.py follows one."""

from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping

try:
    from botocore.exceptions import ClientError
except ImportError:  # AnsibleAWSModule reports the missing library in its own words
    ClientError = Exception

from ansible_collections.handson.ecs.plugins.module_utils import build_runs, diagnosis
from ansible_collections.handson.ecs.plugins.module_utils.build_runs import masker

#: Statuses of an execution that has not ended.
GOES_ON = ("InProgress", "Stopping")
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


# --- what became of it -------------------------------------------------------------------------------------------------


def readable(call: Callable[[], Any]) -> Any:
    """Return what a call tells, None where the caller may not know it or AWS is busy."""
    try:
        return call()
    except ClientError as e:
        if e.response.get("Error", {}).get("Code") not in (*UNREADABLE, *build_runs.PASSING):
            raise
        return None


class Findings:
    """What the services behind a pipeline's actions know of an execution. `client` gives a client by service name."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client

    def build(self, detail: Mapping[str, Any] | None) -> tuple[Mapping[str, Any] | None, list[str]]:
        """Return the build of a CodeBuild action and, where it failed, its log's last lines."""
        build_id = outcome(detail).get("externalExecutionId") if detail and provider(detail) == "CodeBuild" else None
        if not build_id:
            return None, []
        found = readable(lambda: self._client("codebuild").batch_get_builds(ids=[build_id]))
        build = next(iter((found or {}).get("builds") or []), None)
        if not build or build.get("buildStatus") == "SUCCEEDED":
            return build, []
        logs = build.get("logs") or {}
        if not (logs.get("groupName") and logs.get("streamName")):
            return build, []
        # From its end, for the last lines are enough here.
        page = readable(
            lambda: self._client("logs").get_log_events(
                logGroupName=logs["groupName"], logStreamName=logs["streamName"], limit=3 * build_runs.LAST_LINES
            )
        )
        mask = masker((build.get("environment") or {}).get("environmentVariables") or [])
        lines = [mask(t) for e in (page or {}).get("events") or [] for t in build_runs.log_lines(e.get("message") or "")]
        return build, lines[-build_runs.LAST_LINES :]

    @staticmethod
    def container_of(build: Mapping[str, Any] | None) -> str | None:
        """Return the container that a build was told to name in imagedefinitions.json, None where nobody told it."""
        variables = ((build or {}).get("environment") or {}).get("environmentVariables") or []
        return next((v.get("value") for v in variables if v.get("name") == "CONTAINER_NAME"), None)

    def causes(self, detail: Mapping[str, Any]) -> list[diagnosis.Cause]:
        """Return why the service of an ECS deploy action did not become steady: stopped tasks, and its own events."""
        cluster, service = (configuration(detail).get(k) for k in ("ClusterName", "ServiceName"))
        if provider(detail) != "ECS" or not cluster or not service:
            return []
        ecs, began = self._client("ecs"), detail["startTime"]
        found = readable(lambda: ecs.describe_services(cluster=cluster, services=[service])) or {}
        events = [e for s in found.get("services") or [] for e in s.get("events") or [] if e["createdAt"] >= began]
        arns = readable(lambda: ecs.list_tasks(cluster=cluster, serviceName=service, desiredStatus="STOPPED")) or {}
        stopped = arns.get("taskArns", [])[:100]
        tasks = readable(lambda: ecs.describe_tasks(cluster=cluster, tasks=stopped)) if stopped else {}
        mine = [t for t in (tasks or {}).get("tasks", []) if not t.get("createdAt") or t["createdAt"] >= began]
        return diagnosis.from_stopped_tasks(mine) + diagnosis.from_events(events)

    def deployed(self, detail: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what the service of an ECS deploy action runs now, and whether it is a revision of this execution."""
        cluster, service = (configuration(detail).get(k) for k in ("ClusterName", "ServiceName"))
        if provider(detail) != "ECS" or not cluster or not service:
            return None
        ecs = self._client("ecs")
        found = readable(lambda: ecs.describe_services(cluster=cluster, services=[service])) or {}
        arn = next((s.get("taskDefinition") for s in found.get("services") or []), None)
        answer = readable(lambda: ecs.describe_task_definition(taskDefinition=arn)) if arn else None
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
    containers: tuple[str, Iterable[str]] | None = None,
) -> str:
    """Put the end of an execution that did not succeed into words.

    `containers` are the name that its build gave and those that the service's task definition has, where both are known.
    """
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
    if build[0] is not None and build_runs.drill(build[0]):
        return f"{text}\n-> Then push, or run playbooks/start_pipeline.yml."
    if fault and containers and containers[0] not in containers[1]:
        return (
            f"{text}\n-> The build named the container {containers[0]}, and the task definition has "
            f"{', '.join(sorted(containers[1]))}. A drill is still in the project, perhaps (playbooks/drill_wrong_container.yml, "
            "interrupted), or task_definition_container_name was changed: ansible-playbook playbooks/build.yml puts it right. "
            "Then push, or run playbooks/start_pipeline.yml."
        )
    return f"{text}\n-> {way_out(pipeline, execution_id, described, fault)}"
