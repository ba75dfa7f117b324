# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Build projects: every field of theirs, UpdateProject, and the refusals of AWS.

moto 5.2.5 keeps half of a project's fields, has no UpdateProject, knows neither the newer environments nor compute
types, takes roles that CodeBuild can't assume, and says of every build that it succeeded. Nothing builds here: the
endpoint keeps projects as records, and refuses to start a build.
"""

import json
import time

from moto.codebuild.exceptions import InvalidInputException, ResourceAlreadyExistsException, ResourceNotFoundException
from moto.codebuild.models import CodeBuild, CodeBuildBackend
from moto.codebuild.responses import CodeBuildResponse
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.utilities.utils import get_partition

from embedded_endpoint.gaps.patching import replace

SOURCES = ("CODECOMMIT", "CODEPIPELINE", "GITHUB", "GITLAB", "GITLAB_SELF_MANAGED", "S3", "BITBUCKET",
           "GITHUB_ENTERPRISE", "NO_SOURCE")  # fmt: skip
#: The parts of a project that CreateProject and UpdateProject take as they are given (botocore, UpdateProjectInput)
PARTS = (
    "description", "source", "secondarySources", "sourceVersion", "secondarySourceVersions", "artifacts",
    "secondaryArtifacts", "cache", "environment", "serviceRole", "timeoutInMinutes", "queuedTimeoutInMinutes",
    "encryptionKey", "tags", "vpcConfig", "logsConfig", "fileSystemLocations", "buildBatchConfig",
    "concurrentBuildLimit", "autoRetryLimit",
)  # fmt: skip
DEFAULTS = {"timeoutInMinutes": 60, "queuedTimeoutInMinutes": 480, "cache": {"type": "NO_CACHE"}, "tags": []}
LIMITS = {"timeoutInMinutes": (5, 2160), "queuedTimeoutInMinutes": (5, 480)}


def check(account, region, project) -> None:
    """Refuse what AWS refuses of a whole project."""
    source, artifacts, environment = project["source"], project["artifacts"], project["environment"]
    if source["type"] not in SOURCES:
        raise InvalidInputException("Invalid type provided: Project source type")
    if source["type"] not in ("CODEPIPELINE", "NO_SOURCE") and not source.get("location"):
        raise InvalidInputException("Project source location is required")
    if (source["type"] == "CODEPIPELINE") != (artifacts["type"] == "CODEPIPELINE"):
        # Seen in https://github.com/cloudposse/terraform-aws-codebuild/issues/23
        raise InvalidInputException(
            "Invalid input: when using CodePipeline both sourceType, and artifactType must be set to: CODEPIPELINE"
        )
    on_lambda = "LAMBDA" in environment["type"]
    if on_lambda != environment["computeType"].startswith("BUILD_LAMBDA"):
        raise InvalidInputException(
            f"Invalid compute type for environment type {environment['type']}: {environment['computeType']}"
        )
    if on_lambda and environment.get("privilegedMode"):
        raise InvalidInputException(f"Privileged mode is not supported for environment type {environment['type']}")
    for part, (least, most) in LIMITS.items():
        if not least <= project[part] <= most:
            raise InvalidInputException(f"Invalid {part}: it must be between {least} and {most}")
    _check_role(account, region, project["serviceRole"])


def _check_role(account, region, arn) -> None:
    if not arn.startswith(f"arn:{get_partition(region)}:iam::{account}:role/"):
        raise InvalidInputException("Invalid service role: Service role account ID does not match caller's account")
    try:
        role = iam_backends[account][get_partition(region)].get_role_by_arn(arn)
        statements = json.loads(role.assume_role_policy_document)["Statement"]
    except NotFoundException:
        statements = []
    trusted = [s.get("Principal", {}).get("Service") for s in statements if s["Effect"] == "Allow"]
    if not any("codebuild.amazonaws.com" in ([t] if isinstance(t, str) else t or []) for t in trusted):
        raise InvalidInputException(f"CodeBuild is not authorized to perform: sts:AssumeRole on {arn}")


def arn_of(response, name) -> str:
    """The ARN that a project of this name has."""
    return f"arn:{get_partition(response.region)}:codebuild:{response.region}:{response.current_account}:project/{name}"


def known(response, option):
    """The project that a request names, or AWS's refusal."""
    name = response._get_param(option)
    project = response.codebuild_backend.codebuild_projects.get(name)
    if project is None:
        raise ResourceNotFoundException(f"Project cannot be found: {arn_of(response, name)}")
    return project


@replace(CodeBuildResponse)
def create_project(original, self):
    name = self._get_param("name")
    if name in self.codebuild_backend.codebuild_projects:
        raise ResourceAlreadyExistsException(f"Project already exists: {arn_of(self, name)}")
    given = {p: self._get_param(p) for p in PARTS if self._get_param(p) is not None}
    whole = {**DEFAULTS, **given}
    check(self.current_account, self.region, whole)
    project = CodeBuild(
        self.current_account,
        self.region,
        project_name=name,
        description=None,
        project_source=whole["source"],
        artifacts=whole["artifacts"],
        environment=whole["environment"],
        serviceRole=whole["serviceRole"],
        tags=whole["tags"],
    )
    _keep(project, {**whole, "badgeEnabled": self._get_param("badgeEnabled") or False})
    self.codebuild_backend.codebuild_projects[name] = project
    self.codebuild_backend.build_history[name] = []
    return ActionResult({"project": project.project_metadata})


def _keep(project: CodeBuild, given) -> None:
    data = project.project_metadata
    data["lastModified"] = data["lastModifiedDate"] = time.time()
    if "badgeEnabled" in given:
        data["badge"] = {"badgeEnabled": given["badgeEnabled"]}
    for part in PARTS:
        if part in given:
            data[part] = given[part]
    environment = data["environment"]
    environment.setdefault("privilegedMode", False)
    environment.setdefault("imagePullCredentialsType", "CODEBUILD")
    for variable in environment.setdefault("environmentVariables", []):
        variable.setdefault("type", "PLAINTEXT")
    project.tags, project.service_role = data["tags"], data["serviceRole"]


@replace(CodeBuildResponse)
def update_project(_original, self):
    """Parts that are not given stay, and those that are given are replaced (API reference, UpdateProject)."""
    project = known(self, "name")
    given = {p: self._get_param(p) for p in (*PARTS, "badgeEnabled") if self._get_param(p) is not None}
    check(self.current_account, self.region, {**project.project_metadata, **given})
    _keep(project, given)
    return ActionResult({"project": project.project_metadata})


@replace(CodeBuildBackend)
def batch_get_projects(original, self, names):
    return original(self, list(dict.fromkeys(names)))


@replace(CodeBuildResponse, "batch_get_projects")
def _with_those_not_found(original, self):
    answer = original(self)
    found = {p[key] for p in answer.result["projects"] for key in ("name", "arn")}
    answer.result["projectsNotFound"] = [n for n in self._get_param("names") if n not in found]
    return answer


@replace(CodeBuildResponse)
def start_build(_original, self):
    name = known(self, "projectName").project_metadata["name"]
    raise JsonRESTError(
        "NotImplementedException",
        f"The embedded endpoint runs no builds: it keeps the project {name} as a record, and there is nothing to build "
        "with. Start it on a real account.",
    )
