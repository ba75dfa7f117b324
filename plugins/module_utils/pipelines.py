# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pipelines of CodePipeline: from a few values to a declaration, and what AWS keeps in one spelling.

https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-pipeline-structure.html
"""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.secrets import TOKENS

NAME = re.compile(r"[A-Za-z0-9.@\-_]{1,100}")
BUCKET = re.compile(r"[a-zA-Z0-9\-.]{3,63}")
PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-_]{1,149}")
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-]*/[A-Za-z0-9._\-]+")
#: Minutes that the action ECS may take (quotas of CodePipeline) and that an approval may wait (timeoutInMinutes)
DEPLOY_MINUTES = range(1, 61)
APPROVAL_MINUTES = range(5, 86401)

SOURCE, BUILD, APPROVAL, DEPLOY = "Source", "Build", "Approval", "Deploy"
SOURCE_OUTPUT, BUILD_OUTPUT = "SourceOutput", "BuildOutput"
PROVIDER = "CodeStarSourceConnection"

#: What AWS answers for some seconds after a role was made
ROLE_NOT_THERE_YET = ("is not authorized to perform AssumeRole on role",)


def repository_id(url: str) -> str:
    """Return `owner/name` of a GitHub repository given so, by its https URL, or as git@github.com:owner/name.git.

    Raises ValueError where it is none of them.
    """
    short = re.sub(r"^(?:https?://(?:www\.)?github\.com/|(?:ssh://)?git@github\.com[:/])", "", url.strip())
    short = short.rstrip("/").removesuffix(".git")
    if not REPOSITORY.fullmatch(short):
        # Not the value itself: a URL may have a token in it.
        raise ValueError("it is neither https://github.com/<owner>/<name> nor <owner>/<name>, without user and token")
    return short


def login_in(url: str) -> str:
    """Return the user and password or token that a URL holds before its host, or an empty string."""
    m = re.match(r"^https?://([^@/]+)@", url.strip())
    return m[1] if m else ""


def faults(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return [(option, what is wrong with it)] of what AWS would refuse, or fail at when it runs."""
    found = []
    for option, pattern, said in (
        ("name", NAME, "1 to 100 letters, digits and . @ - _"),
        ("build_project", PROJECT, "2 to 150 letters, digits, - and _, beginning with a letter or digit"),
        ("artifact_bucket", BUCKET, "3 to 63 letters, digits, hyphens and dots"),
    ):
        if not pattern.fullmatch(options.get(option) or ""):
            found.append((option, f"{options.get(option)!r} is not {said}"))
    try:
        repository_id(options.get("repository") or "")
    except ValueError as e:
        found.append(("repository", str(e)))
    for option in ("branch", "cluster", "service", "image_file", "connection", "role"):
        if not (options.get(option) or "").strip():
            found.append((option, "it is empty"))
    if TOKENS.search(options.get("connection") or ""):
        found.append(("connection", "it is a token of GitHub or GitLab, and not the name or ARN of a connection"))
    for option, minutes in (("deploy_timeout", DEPLOY_MINUTES), ("approval_timeout", APPROVAL_MINUTES)):
        value = options.get(option)
        if value is not None and value not in minutes:
            found.append((option, f"{value} minutes are not {minutes[0]} to {minutes[-1]}"))
    return found


def stages_of(options: Mapping[str, Any], connection_arn: str) -> list[dict[str, Any]]:
    """Return the stages that the options of the module mean, normalised: source, build, perhaps approval, deploy."""
    source = {
        "ConnectionArn": connection_arn,
        "FullRepositoryId": repository_id(options["repository"]),
        "BranchName": options["branch"],
        "OutputArtifactFormat": options["source_format"],
        # Pushes start it by `triggers`, or not at all: this is the other way, of which only one may be on. Left out it is on,
        # so that a pipeline without triggers would start all the same.
        "DetectChanges": "false",
    }
    deploy = {
        "ClusterName": options["cluster"],
        "ServiceName": options["service"],
        "FileName": options["image_file"],
    }
    if options.get("deploy_timeout") is not None:
        deploy["DeploymentTimeout"] = str(options["deploy_timeout"])
    stages = [
        _stage(SOURCE, _action(SOURCE, "Source", PROVIDER, source, outputs=[SOURCE_OUTPUT])),
        _stage(
            BUILD,
            _action(
                BUILD,
                "Build",
                "CodeBuild",
                {"ProjectName": options["build_project"]},
                inputs=[SOURCE_OUTPUT],
                outputs=[BUILD_OUTPUT],
            ),
        ),
    ]
    if options.get("approval"):
        message = {"CustomData": options["approval_message"]} if options.get("approval_message") else {}
        approval = _action(APPROVAL, "Approval", "Manual", message)
        if options.get("approval_timeout") is not None:
            approval["timeoutInMinutes"] = options["approval_timeout"]
        stages.append(_stage(APPROVAL, approval))
    stages.append(_stage(DEPLOY, _action(DEPLOY, "Deploy", "ECS", deploy, inputs=[BUILD_OUTPUT])))
    return normalized_stages(stages)


def triggers_of(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the trigger that starts the pipeline when the branch is pushed to, in a list, or an empty one."""
    if not options.get("trigger"):
        return []
    push = [{"branches": {"includes": [options["branch"]]}}]
    return [{"providerType": PROVIDER, "gitConfiguration": {"sourceActionName": SOURCE, "push": push}}]


def normalized_stages(stages: Iterable[Mapping[str, Any]], region: str = "") -> list[dict[str, Any]]:
    """Return stages in one spelling: GetPipeline adds defaults, and leaves out or empties what was not given.

    `region` is the pipeline's own, which an action may name and which means nothing.
    """
    return [
        _without_empty({**stage, "actions": [_normalized_action(a, region) for a in stage.get("actions") or []]})
        for stage in stages
    ]


def normalized_triggers(triggers: Iterable[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """Return triggers without their empty parts, the names in them sorted."""
    return [_without_empty(_sorted_strings(t)) for t in triggers or []]


def pipeline_from_aws(answer: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    """Return what GetPipeline says in the names of the options."""
    pipeline, arn = answer["pipeline"], answer["metadata"]["pipelineArn"]
    region = arn.split(":")[3]
    store = pipeline.get("artifactStore") or (pipeline.get("artifactStores") or {}).get(region) or {}
    return {
        "name": pipeline["name"],
        "arn": arn,
        "version": pipeline.get("version"),
        "type": pipeline.get("pipelineType", "V1"),
        "role": pipeline["roleArn"],
        "artifact_bucket": store.get("location", ""),
        "artifact_kms_key": (store.get("encryptionKey") or {}).get("id", ""),
        "execution_mode": pipeline.get("executionMode", "SUPERSEDED"),
        "stages": normalized_stages(pipeline["stages"], region),
        "triggers": normalized_triggers(pipeline.get("triggers")),
        # None of ours, but an update that left them out would take them away.
        **({"variables": pipeline["variables"]} if pipeline.get("variables") else {}),
        "tags": dict(tags),
    }


def declaration(desired: Mapping[str, Any]) -> dict[str, Any]:
    """Return the declaration that CreatePipeline and UpdatePipeline take."""
    store: dict[str, Any] = {"type": "S3", "location": desired["artifact_bucket"]}
    if desired.get("artifact_kms_key"):
        store["encryptionKey"] = {"type": "KMS", "id": desired["artifact_kms_key"]}
    result = {
        "name": desired["name"],
        "roleArn": desired["role"],
        "artifactStore": store,
        "stages": [dict(s) for s in desired["stages"]],
        "executionMode": desired["execution_mode"],
        "pipelineType": desired["type"],
    }
    for key in ("triggers", "variables"):
        if desired.get(key):
            result[key] = desired[key]
    return result


def value_in_stages(stages: Iterable[Mapping[str, Any]] | None, provider: str, key: str) -> str | None:
    """Return a value of the configuration of the first action by this provider, or None."""
    for stage in stages or []:
        for action in stage.get("actions") or []:
            if action["actionTypeId"]["provider"] == provider:
                return (action.get("configuration") or {}).get(key)
    return None


def console_url(arn: str) -> str:
    """Return the pipeline's page in the console."""
    partition, region, name = (arn.split(":")[i] for i in (1, 3, 5))
    host = "console.amazonaws.cn" if partition == "aws-cn" else f"{region}.console.aws.amazon.com"
    host = f"{region}.console.amazonaws-us-gov.com" if partition == "aws-us-gov" else host
    return f"https://{host}/codesuite/codepipeline/pipelines/{name}/view?region={region}"


def _stage(name: str, *actions: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "actions": list(actions)}


def _action(
    name: str,
    category: str,
    provider: str,
    configuration: Mapping[str, str],
    inputs: Iterable[str] = (),
    outputs: Iterable[str] = (),
) -> dict[str, Any]:
    return {
        "name": name,
        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "runOrder": 1,
        "configuration": dict(configuration),
        "inputArtifacts": [{"name": n} for n in inputs],
        "outputArtifacts": [{"name": n} for n in outputs],
    }


def _normalized_action(action: Mapping[str, Any], region: str) -> dict[str, Any]:
    result = _without_empty({**action, "runOrder": action.get("runOrder") or 1})
    if region and result.get("region") == region:
        del result["region"]
    if (result.get("configuration") or {}).get("DetectChanges"):
        # Said in any spelling by those who made it elsewhere.
        result["configuration"] = {**result["configuration"], "DetectChanges": result["configuration"]["DetectChanges"].lower()}
    return result


def _without_empty(value: Any) -> Any:
    """Return the value without keys that hold None or something empty, at any depth. False and 0 stay."""
    if isinstance(value, Mapping):
        kept = {k: _without_empty(v) for k, v in value.items()}
        return {k: v for k, v in kept.items() if v not in (None, "", [], {})}
    if isinstance(value, (list, tuple)):
        return [_without_empty(v) for v in value]
    return value


def _sorted_strings(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _sorted_strings(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        items = [_sorted_strings(v) for v in value]
        return sorted(items) if all(isinstance(i, str) for i in items) else items
    return value
