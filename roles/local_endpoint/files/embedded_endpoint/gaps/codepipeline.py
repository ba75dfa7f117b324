# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Pipelines: the defaults and refusals of AWS, and their state.

moto 5.2.5 takes a role only where its trust policy names one service and no list of them, checks nothing of stages,
artifacts and triggers, has no GetPipelineState, and says Succeeded of every execution without anything having run.
"""

import copy
import json
import re
from datetime import timezone

from moto.codepipeline.exceptions import InvalidStructureException, PipelineNotFoundException
from moto.codepipeline.models import CodePipeline, CodePipelineBackend
from moto.codepipeline.responses import CodePipelineResponse
from moto.core.exceptions import JsonRESTError
from moto.iam.exceptions import NotFoundException

from embedded_endpoint.gaps.patching import replace

NAME = re.compile(r"[A-Za-z0-9.@\-_]{1,100}")
ARTIFACT = re.compile(r"[a-zA-Z0-9_\-]{1,100}")
#: Configuration that an action of this provider must have (CodePipeline user guide, action structure reference)
REQUIRED = {
    "CodeStarSourceConnection": {"ConnectionArn", "FullRepositoryId", "BranchName"},
    "CodeBuild": {"ProjectName"},
    "ECS": {"ClusterName", "ServiceName"},
}
#: (least, most) input artifacts and output artifacts
ARTIFACTS = {"CodeStarSourceConnection": (0, 0, 1, 1), "CodeBuild": (1, 5, 0, 5), "ECS": (1, 1, 0, 0), "Manual": (0, 0, 0, 0)}


def _validation(value, where, constraint):
    return JsonRESTError(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{where}' failed to satisfy constraint: {constraint}",
    )


def _action(message):
    return JsonRESTError("InvalidActionDeclarationException", message)


def check(pipeline) -> None:
    """Refuse what AWS refuses of a pipeline's structure."""
    if not NAME.fullmatch(pipeline["name"]):
        raise _validation(pipeline["name"], "pipeline.name", "Member must satisfy regular expression pattern: [A-Za-z0-9.@\\-_]+")
    stages = pipeline["stages"]
    if len(stages) < 2:
        raise InvalidStructureException(
            f"Pipeline has only {len(stages)} stage(s). There should be a minimum of 2 stages in a pipeline"
        )
    names = [s["name"] for s in stages]
    for name in names:
        if not NAME.fullmatch(name):
            raise _validation(name, "pipeline.stages.member.name", "Member must satisfy regular expression pattern: [A-Za-z0-9.@\\-_]+")
        if names.count(name) > 1:
            raise JsonRESTError("InvalidStageDeclarationException", f"Stage name '{name}' is not unique within the pipeline")
    made: set[str] = set()
    for position, stage in enumerate(stages):
        _check_stage(stage, position, made)
    _check_triggers(pipeline)


def _check_stage(stage, position, made):
    if not stage["actions"]:
        raise JsonRESTError("InvalidStageDeclarationException", f"Stage '{stage['name']}' must have at least one action")
    for action in sorted(stage["actions"], key=lambda a: a.get("runOrder", 1)):
        kind = action["actionTypeId"]
        if (kind["category"] == "Source") != (position == 0):
            raise InvalidStructureException(
                "Pipeline must start with a stage of source actions, and only that stage may have them: "
                f"action '{action['name']}' in stage '{stage['name']}'"
            )
        missing = REQUIRED.get(kind["provider"], set()) - set(action.get("configuration") or {})
        if missing:
            raise _action(
                f"Action configuration for action '{action['name']}' is missing required configuration "
                f"'{sorted(missing)[0]}'"
            )
        _check_artifacts(action, made)


def _check_artifacts(action, made):
    inputs = [a["name"] for a in action.get("inputArtifacts") or []]
    outputs = [a["name"] for a in action.get("outputArtifacts") or []]
    least_in, most_in, least_out, most_out = ARTIFACTS.get(action["actionTypeId"]["provider"], (0, 99, 0, 99))
    if not (least_in <= len(inputs) <= most_in and least_out <= len(outputs) <= most_out):
        raise _action(
            f"Action '{action['name']}' has {len(inputs)} input and {len(outputs)} output artifacts; its provider takes "
            f"{least_in} to {most_in} and {least_out} to {most_out}"
        )
    for name in inputs:
        if name not in made:
            raise _action(f"Input Artifact Bundle {name} in action {action['name']} is not an output of an earlier action")
    for name in outputs:
        if not ARTIFACT.fullmatch(name) or name in made:
            raise _action(f"Output Artifact Bundle name must be unique within the pipeline. {name} is not")
        made.add(name)


def _check_triggers(pipeline):
    triggers = pipeline.get("triggers") or []
    if triggers and pipeline.get("pipelineType", "V1") != "V2":
        raise InvalidStructureException("Triggers are only supported for pipelines of type V2")
    if pipeline.get("executionMode", "SUPERSEDED") != "SUPERSEDED" and pipeline.get("pipelineType", "V1") != "V2":
        raise InvalidStructureException("Execution modes other than SUPERSEDED are only supported for pipelines of type V2")
    sources = [
        a["name"]
        for a in pipeline["stages"][0]["actions"]
        if a["actionTypeId"]["provider"] == "CodeStarSourceConnection"
    ]
    for trigger in triggers:
        if (trigger.get("gitConfiguration") or {}).get("sourceActionName") not in sources:
            raise InvalidStructureException("A trigger must name a source action of provider CodeStarSourceConnection")


@replace(CodePipeline)
def add_default_values(original, self, pipeline):
    pipeline = original(self, copy.deepcopy(pipeline))
    pipeline.setdefault("executionMode", "SUPERSEDED")
    pipeline.setdefault("pipelineType", "V1")
    return pipeline


def _trusts(backend, arn) -> bool:
    try:
        document = json.loads(backend.iam_backend.get_role_by_arn(arn).assume_role_policy_document)
    except NotFoundException:
        return False
    trusted = [s.get("Principal", {}).get("Service") for s in document["Statement"] if s["Effect"] == "Allow"]
    return any("codepipeline.amazonaws.com" in ([t] if isinstance(t, str) else t or []) for t in trusted)


def _refuse_role(backend, arn):
    if not _trusts(backend, arn):
        raise InvalidStructureException(f"CodePipeline is not authorized to perform AssumeRole on role {arn}")


@replace(CodePipelineBackend)
def create_pipeline(original, self, pipeline, tags):
    name = pipeline["name"]
    if name in self.pipelines:
        raise JsonRESTError(
            "PipelineNameInUseException", f"A pipeline with the name '{name}' already exists in account '{self.account_id}'"
        )
    _refuse_role(self, pipeline["roleArn"])
    check(pipeline)
    made = CodePipeline(self.account_id, self.region_name, copy.deepcopy(pipeline))
    made.validate_tags(tags or [])
    made.tags.update({t["key"]: t["value"] for t in tags or []})
    self.pipelines[name] = made
    return made.pipeline, sorted(tags or [], key=lambda t: t["key"])


@replace(CodePipelineBackend)
def update_pipeline(original, self, pipeline):
    if pipeline["name"] in self.pipelines:
        _refuse_role(self, pipeline["roleArn"])
        check(pipeline)
    return original(self, copy.deepcopy(pipeline))


@replace(CodePipelineBackend)
def list_pipelines(original, self):
    kinds = {n: p.pipeline for n, p in self.pipelines.items()}
    return [
        row | {key: kinds[row["name"]][key] for key in ("pipelineType", "executionMode")} for row in original(self)
    ]


@replace(CodePipelineBackend)
def start_pipeline_execution(original, self, name, variables):
    if name in self.pipelines:
        raise JsonRESTError(
            "NotImplementedException",
            f"The embedded endpoint runs no pipelines: it keeps the pipeline {name} as a record, and there is nobody to "
            "build and deploy. Start it on a real account.",
        )
    return original(self, name, variables)


@replace(CodePipelineResponse)
def get_pipeline_state(original, self):
    backend, name = self.codepipeline_backend, self._get_param("name")
    found = backend.pipelines.get(name)
    if found is None:
        raise PipelineNotFoundException(
            f"Account '{backend.account_id}' does not have a pipeline with name '{name}'"
        )
    stages = [
        {
            "stageName": stage["name"],
            "inboundExecutions": [],
            "inboundTransitionState": {"enabled": True},
            "actionStates": [{"actionName": action["name"]} for action in stage["actions"]],
        }
        for stage in found.pipeline["stages"]
    ]
    return json.dumps(
        {
            "pipelineName": name,
            "pipelineVersion": found.pipeline["version"],
            "stageStates": stages,
            # moto's times are UTC and don't say so.
            "created": found._created.replace(tzinfo=timezone.utc).timestamp(),
            "updated": found._updated.replace(tzinfo=timezone.utc).timestamp(),
        }
    )
