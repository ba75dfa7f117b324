# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a service run the image that its tag names now?

ECS resolves a tag once for each deployment and starts every task by the digest it found, so a tag that moves is not
seen before the next deployment. What was found stands in the service revision.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html (container image resolution)
"""

from __future__ import annotations

import json
from typing import Any, Callable, Iterable, Mapping

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from ansible_collections.handson.ecs.plugins.module_utils.images import MANIFESTS


def split_reference(image: str) -> tuple[str, str, str | None]:
    """Return (host, repository, tag) of an image reference; the tag is None where it names a digest.

    The host is empty where there is none, which Docker takes for Docker Hub's.
    """
    name, at, _digest = image.partition("@")
    folder, slash, last = name.rpartition("/")
    last, _colon, tag = last.partition(":")
    host, rest, path = f"{folder}{slash}{last}".partition("/")
    if not rest or not ("." in host or ":" in host or host == "localhost"):
        host, path = "", f"{folder}{slash}{last}"
    return host, path, None if at else tag or "latest"


def followed(images: Mapping[str, str], registry_uri: str) -> dict[str, tuple[str, str]]:
    """Return {container: (repository, tag)} of the images that stand in the registry of `registry_uri` by a tag.

    `images` are references by container. Another registry (Docker Hub, another account's) is not asked, and a digest
    never moves.
    """
    ours = split_reference(registry_uri)[0]
    found = {}
    for container, image in images.items():
        host, repository, tag = split_reference(image)
        if ours and host == ours and tag:
            found[container] = (repository, tag)
    return found


def newest(revisions: Iterable[Mapping[str, Any]], task_definition: str | None) -> Mapping[str, Any] | None:
    """Return the service revision that was made last for a task definition (its ARN), or None.

    While a deployment goes on there are several; the last one is what the service is to run.
    """
    mine = [r for r in revisions if r.get("taskDefinition") == task_definition]
    return max(mine, key=lambda r: str(r.get("createdAt") or ""), default=None)


def running(revision: Mapping[str, Any] | None) -> dict[str, str]:
    """Return {container: digest} of a service revision.

    A container without one is left out: its deployment started no task yet, or ECS did not resolve its tag (an agent
    before 1.70.0, `versionConsistency: disabled`).
    """
    images = (revision or {}).get("containerImages") or []
    return {i["containerName"]: i["imageDigest"] for i in images if i.get("containerName") and i.get("imageDigest")}


def members(manifest: Mapping[str, Any]) -> set[str]:
    """Return the digests of the images of an index (one for each platform); empty for a single image.

    A revision may hold the digest of the index or that of the platform's image.
    """
    return {m["digest"] for m in manifest.get("manifests") or [] if m.get("digest")}


class Digests:
    """The digests that a service runs, beside those that the tags name now.

    `client` gives a boto3 client by service name. `registry_uri` is the URI of a repository in the registry whose tags
    are followed. `coming` stands for the digest of a tag that the registry lacks, None where that is to be left alone.
    """

    def __init__(self, client: Callable[[str], Any], registry_uri: str, coming: str | None = None) -> None:
        self._client, self._registry_uri, self._coming = client, registry_uri, coming

    def compare(self, service: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
        """Return (running, named), {container: digest} both, of one service of DescribeServices.

        One call for the service's revisions, and one for each tag. Containers whose digest ECS doesn't tell are left
        out. Both are equal where nothing moved.
        """
        arns = [r["arn"] for r in service.get("currentServiceRevisions") or []]
        if not arns:
            return {}, {}
        answer = self._client("ecs").describe_service_revisions(serviceRevisionArns=arns[:20])
        revision = newest(answer["serviceRevisions"], service.get("taskDefinition")) or {}
        images = {i["containerName"]: i["image"] for i in revision.get("containerImages") or [] if i.get("image")}
        tags, runs = followed(images, self._registry_uri), running(revision)
        behind = {place: self._behind(*place) for place in sorted({tags[c] for c in tags if c in runs})}
        seen = {c: runs[c] for c in sorted(tags.keys() & runs.keys())}
        named = {c: self._moved(digest, behind[tags[c]]) for c, digest in seen.items()}
        return seen, named

    @staticmethod
    def _moved(digest: str, known: list[str]) -> str:
        return digest if not known or digest in known else known[0]

    def _behind(self, repository: str, tag: str) -> list[str]:
        """Return the digest that a tag names now, then those of its platforms' images; empty where it names none."""
        coming = [self._coming] if self._coming else []
        try:
            found = self._client("ecr").batch_get_image(
                repositoryName=repository, imageIds=[{"imageTag": tag}], acceptedMediaTypes=list(MANIFESTS)
            )["images"]
        except is_boto3_error_code("RepositoryNotFoundException"):
            return coming
        if not found:
            return coming
        return [found[0]["imageId"]["imageDigest"], *sorted(members(json.loads(found[0]["imageManifest"])))]
