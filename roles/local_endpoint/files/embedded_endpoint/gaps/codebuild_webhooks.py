# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Webhooks of build projects, as records. GitHub is told nothing.

moto 5.2.5 has none of the three operations. Credentials for GitHub are not asked for either: what AWS says without
them (OAuthProviderException) only a real account shows.
"""

import uuid

from moto.codebuild.exceptions import InvalidInputException, ResourceAlreadyExistsException, ResourceNotFoundException
from moto.codebuild.responses import CodeBuildResponse
from moto.core.responses import ActionResult, EmptyResult

from embedded_endpoint.gaps.codebuild_projects import arn_of, known
from embedded_endpoint.gaps.patching import replace

REPOSITORIES = ("GITHUB", "GITHUB_ENTERPRISE", "GITLAB", "GITLAB_SELF_MANAGED", "BITBUCKET")


def _checked(groups):
    """A filter group must hold a filter of type EVENT (API reference, CreateWebhook)."""
    for group in groups or []:
        if not any(f["type"] == "EVENT" for f in group):
            raise InvalidInputException("Invalid filter group: each group must contain at least one EVENT filter")
    return [[{"excludeMatchedPattern": False, **f} for f in group] for group in groups or []]


@replace(CodeBuildResponse)
def create_webhook(_original, self):
    project = known(self, "projectName").project_metadata
    if "webhook" in project:
        raise ResourceAlreadyExistsException(f"Webhook already exists for project {arn_of(self, project['name'])}")
    if project["source"]["type"] not in REPOSITORIES:
        raise InvalidInputException(f"Webhooks are not supported for source type {project['source']['type']}")
    repository = project["source"]["location"].removesuffix(".git").replace("https://github.com", "https://api.github.com/repos")
    project["webhook"] = {
        "url": f"{repository}/hooks/{uuid.uuid4().int % 10**9}",
        "filterGroups": _checked(self._get_param("filterGroups")),
        "buildType": self._get_param("buildType") or "BUILD",
        "manualCreation": False,
        "status": "ACTIVE",
    }
    if self._get_param("branchFilter"):
        project["webhook"]["branchFilter"] = self._get_param("branchFilter")
    return ActionResult({"webhook": project["webhook"]})


@replace(CodeBuildResponse)
def update_webhook(_original, self):
    webhook = _of(self)
    if self._get_param("filterGroups") is not None:
        webhook["filterGroups"] = _checked(self._get_param("filterGroups"))
    for part in ("branchFilter", "buildType"):
        if self._get_param(part):
            webhook[part] = self._get_param(part)
    return ActionResult({"webhook": webhook})


@replace(CodeBuildResponse)
def delete_webhook(_original, self):
    _of(self)
    known(self, "projectName").project_metadata.pop("webhook")
    return EmptyResult()


def _of(response):
    project = known(response, "projectName").project_metadata
    if "webhook" not in project:
        raise ResourceNotFoundException(f"Webhook for project {arn_of(response, project['name'])} cannot be found")
    return project["webhook"]
