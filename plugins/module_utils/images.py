# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between an image as Docker builds it and as a registry keeps it."""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.secrets import looks_secret

#: The label of what is built for a registry on this machine: the endpoint with containers removes by it what is its.
LABEL = "handson.repository"
LOOPBACK = ("127.0.0.1", "localhost")
#: What a registry may answer with (the first two are one image, the others list one for each platform).
MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)


def secret_build_args(build_args: Mapping[str, Any]) -> list[str]:
    """Return the names of the build arguments that look like secrets, sorted."""
    return sorted(name for name in build_args if looks_secret(name))


def build_arguments(
    reference: str, context: str, dockerfile: str, build_args: Mapping[str, Any], platform: str | None
) -> list[str]:
    """Return the arguments of `docker` that build an image.

    For a registry on this machine, its label is the repository: an image that loses its tag to a newer build before it
    is pushed has no other trace of where it belongs. Elsewhere there is none: the same source is to have the same
    digest in each account and region.
    """
    arguments = ["build", "--tag", reference]
    repository = reference.rpartition(":")[0]
    if repository.partition("/")[0].partition(":")[0] in LOOPBACK:
        arguments += ["--label", f"{LABEL}={repository}"]
    arguments += ["--file", dockerfile]
    if platform:
        arguments += ["--platform", platform]
    for name in sorted(build_args):
        arguments += ["--build-arg", f"{name}={build_args[name]}"]
    return [*arguments, context]


def digest(value: str | None) -> str:
    """Return an image's id in full. Podman's docker command leaves the algorithm out."""
    text = (value or "").strip()
    return text if not text or ":" in text else f"sha256:{text}"


def of_platform(index: Mapping[str, Any], platform: str | None) -> str | None:
    """Return the digest of the manifest that an index has for a platform `os/architecture[/variant]`.

    Without a platform, or where the index has a single image, it is that image's. Attestations are no images: their
    platform is unknown/unknown.
    """
    images = [m for m in index.get("manifests") or [] if (m.get("platform") or {}).get("os") != "unknown"]
    if platform:
        want = platform.split("/")
        for m in images:
            its = m.get("platform") or {}
            have = [its.get("os"), its.get("architecture"), its.get("variant")]
            if have[: len(want)] == want:
                return m.get("digest")
        return None
    return images[0].get("digest") if len(images) == 1 else None


def identities(image_digest: str | None, manifest: Mapping[str, Any]) -> set[str]:
    """Return the digests by which Docker may know the image of a single manifest.

    Docker's classic image store calls an image by the digest of its configuration, the containerd store (the default
    of new installations since Docker 29) by that of its manifest.
    """
    config = (manifest.get("config") or {}).get("digest")
    return {d for d in (image_digest, config) if d}


def host_of(uri: str) -> str:
    """Return the registry's host, with its port, of the URI of a repository.

    Raises ValueError where there is none: Docker would take it for a repository of Docker Hub.
    """
    host, slash, _path = uri.partition("/")
    if not slash or not (("." in host) or (":" in host) or host == "localhost"):
        raise ValueError(
            f"registry_uri is {uri!r}, but must begin with the registry's host, such as "
            "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest"
        )
    return host


#: How Docker's builders say that they can't get the image of a FROM line: no name or no way to the registry, no such image.
_NO_BASE = re.compile(
    r"dial tcp|no such host|i/o timeout|TLS handshake timeout|connection refused|failed to (?:resolve source metadata|fetch"
    r"|do request)|pull access denied|manifest unknown|manifest for \S+ not found|Client\.Timeout exceeded",
    re.IGNORECASE,
)


def way_out(command: str, said: str) -> str:
    """Return what to do about a failed command of Docker, `build` or `push`, after a line's end; empty if unknown."""
    if "immutable" in said.lower():
        return "\nThe tag is there and the repository lets no tag move: give image_tag a new one."
    if command == "build" and _NO_BASE.search(said):
        return (
            "\nIf that is about the image to build on: Docker has it not, and can't get it from its registry. Name one that "
            "it has or can get. For the applications of inventories/containers, HANDSON_BASE_IMAGE does so, and "
            "HANDSON_BASE_IMAGE=handson/python:local makes one of the Python here, without any download (Linux)."
        )
    return ""


def last_lines(lines: Iterable[str], count: int = 20) -> str:
    """Return the last lines that say something."""
    return "\n".join([line for line in lines if line.strip()][-count:])


def commit_of(head: str, changes: str) -> tuple[str | None, str]:
    """Return (tag, why there is none) of what Git says of a context.

    `head` is the commit, `changes` is what `git status --porcelain` says of the files that the image is built from.
    """
    if not head.strip():
        return None, "the context is in no Git work tree with a commit"
    files = [line[3:] for line in changes.splitlines() if line.strip()]
    if files:
        more = f" and {len(files) - 3} more" if len(files) > 3 else ""
        return None, f"the work tree has changes that are not committed ({', '.join(files[:3])}{more})"
    return head.strip(), ""
