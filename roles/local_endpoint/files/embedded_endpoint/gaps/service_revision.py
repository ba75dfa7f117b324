# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Service revisions: what a deployment rolls out, and the digests that it resolved image tags to.

moto 5.2.5 has none. ECS makes a revision with each deployment, lets the first task that the deployment starts establish
the digest of each image, and starts every other task by it, so that a tag that moves meanwhile changes nothing:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html (container image resolution).
"""

import os
import re
from typing import Any

from moto.core.utils import utcnow
from moto.ecr.models import ecr_backends

_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?")


class ServiceRevision:
    """One revision, as DescribeServiceRevisions shows it."""

    def __init__(self, service, deployment):
        number = deployment.id.rpartition("/")[2]
        self.service_revision_arn = f"{service.arn.replace(':service/', ':service-revision/', 1)}/{number}"
        self.service_arn = service.arn
        self.cluster_arn = service.cluster_arn
        self.task_definition = service.task_definition
        self.capacity_provider_strategy = service.capacity_provider_strategy or None
        self.launch_type = service.launch_type
        self.platform_version = service.platform_version
        self.platform_family = service.platform_family
        self.load_balancers = service.load_balancers or []
        self.service_registries = service.service_registries or []
        self.network_configuration = service.network_configuration or None
        self.container_images: list[dict[str, Any]] = []
        self.created_at = utcnow()

    def resolve(self, definition) -> None:
        """Establish the digests that are still open; those that no registry here knows stay so."""
        known = {each["containerName"]: each for each in self.container_images}
        for container in definition.container_definitions:
            fresh = {"containerName": container["name"], "image": container["image"]}
            shown = known.setdefault(container["name"], fresh)
            if "imageDigest" not in shown and container.get("versionConsistency") != "disabled":
                digest = digest_of(container["image"])
                if digest:
                    shown["imageDigest"] = digest
        self.container_images = list(known.values())

    def pinned(self, container_name: str, image: str) -> str:
        """The image by which a task of this revision is started: `repository@digest` as soon as there is a digest."""
        for shown in self.container_images:
            if shown["containerName"] == container_name and shown.get("imageDigest"):
                return f"{split(image)[0]}@{shown['imageDigest']}"
        return image


def split(image: str) -> tuple[str, str]:
    """(repository with its host, tag or digest) of an image reference; `latest` if it names neither."""
    repository, at, digest = image.partition("@")
    folder, slash, last = repository.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{folder}{slash}{name}", digest if at else tag or "latest"


def digest_of(image: str) -> str | None:
    """The digest behind an image reference in ECR, or None where ECR has no such image."""
    repository, reference = split(image)
    if reference.startswith("sha256:"):
        return reference
    host, _, name = repository.partition("/")
    for backend in _registries(host):
        found = backend.repositories.get(name)
        for each in found.images if found else []:
            if reference in each.image_tags:
                return each.get_image_digest()
    return None


def _registries(host: str) -> list[Any]:
    """The ECR backends behind a registry's host: one of AWS's names, or this endpoint itself (container_endpoint)."""
    match = _ECR.fullmatch(host)
    if match:
        return [ecr_backends[match["account"]][match["region"]]]
    if host in {f"{name}:{os.environ.get('MOTO_PORT')}" for name in ("127.0.0.1", "localhost")}:
        return [backend for regions in list(ecr_backends.values()) for backend in list(regions.values())]
    return []
