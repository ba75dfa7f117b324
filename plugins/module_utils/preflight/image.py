# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service's repository and image."""

from __future__ import annotations

import fnmatch
import re
from typing import Iterator

from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host, in_range, one_of, truthy

#: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImageTagMutability.html
MOST_EXCLUSIONS = 5

_PART = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_REGISTRY = r"([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d+)?/)?"
#: https://pkg.go.dev/github.com/distribution/reference: [registry[:port]/]path[:tag][@digest]
REFERENCE = re.compile(_REGISTRY + _PART + r"(/" + _PART + r")*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?", re.ASCII)

#: A private repository of ECR, of any account: its host name, and the one for IPv4 and IPv6.
ECR = re.compile(
    r"(?P<account>\d{12})\.(dkr\.ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?"
    r"|dkr-ecr(-fips)?\.(?P<dual>[a-z0-9-]+)\.on\.(aws|amazonwebservices\.com\.cn))/(?P<name>[^:@]+)"
)


def check_registry(host: Host) -> Iterator[Fault]:
    """Check the repository's settings."""
    mutability = ("MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION")
    yield from one_of(host, "registry_tag_mutability", mutability, "The mutability of tags")
    yield from one_of(host, "registry_encryption", ("AES256", "KMS", "KMS_DSSE"), "The encryption")
    yield from _exclusions(host)
    if host.text("registry_kms_key") and host.text("registry_encryption") == "AES256":
        yield host.fault(
            "registry_kms_key",
            "A key is given, but registry_encryption is AES256.",
            "Set registry_encryption to KMS, or leave the key empty.",
        )
    yield from in_range(host, "registry_keep_images", 1, None, "A number of images to keep")
    yield from in_range(host, "registry_untagged_days", 1, None, "A number of days")


def check_image(host: Host) -> Iterator[Fault]:
    """Check the image's reference and tag."""
    if "image_tag" not in host.broken and not re.fullmatch(r"[\w][\w.-]{0,127}", host.text("image_tag"), re.ASCII):
        yield host.fault(
            "image_tag",
            "A tag has up to 128 letters, digits and _ . -, and begins with none of . -.",
            'Write a tag such as latest or "1.0".',
        )
    reference = host.text("image_reference")
    # Without an account the default has no registry; that is reported where the account is.
    if "image_reference" in host.broken or reference.startswith(".dkr."):
        return
    if not REFERENCE.fullmatch(reference):
        yield host.fault(
            "image_reference",
            "This is not the reference of an image.",
            "It looks like <registry>/<name>:<tag>, in lower case up to the tag.",
        )
    yield from _repository(host, "image_reference", reference)
    for extra in host.listed("task_definition_extra_containers"):
        if isinstance(extra, dict):
            yield from _repository(host, "task_definition_extra_containers", str(extra.get("image") or ""))
    yield from _moving_tag(host)


def _exclusions(host: Host) -> Iterator[Fault]:
    """Check that …_WITH_EXCLUSION and exclusions go together, as the module ecr_repository does."""
    variable = "registry_tag_mutability_exclusions"
    if {"registry_tag_mutability", variable} & host.broken:
        return
    excluded, mutability = host.listed(variable), host.text("registry_tag_mutability")
    if mutability.endswith("_WITH_EXCLUSION") and not excluded:
        yield host.fault(
            variable,
            f"registry_tag_mutability is {mutability}, and no tag is excluded.",
            f"Name the tags, such as [{host.text('image_tag')}], or set registry_tag_mutability to MUTABLE or IMMUTABLE.",
        )
    elif excluded and not mutability.endswith("_WITH_EXCLUSION"):
        yield host.fault(
            variable,
            f"registry_tag_mutability is {mutability}, and that holds for all tags.",
            f"Leave it empty, or set registry_tag_mutability to {mutability}_WITH_EXCLUSION.",
        )
    elif len(excluded) > MOST_EXCLUSIONS:
        yield host.fault(variable, f"ECR takes at most {MOST_EXCLUSIONS} of them.", "Put some together by *, for any letters.")


def _tag_moves(host: Host) -> bool:
    """Return whether image_tag can move to another image."""
    mutability = host.text("registry_tag_mutability")
    patterns = host.listed("registry_tag_mutability_exclusions")
    excluded = any(fnmatch.fnmatchcase(host.text("image_tag"), str(p)) for p in patterns)
    if mutability.endswith("_WITH_EXCLUSION"):
        return excluded == mutability.startswith("IMMUTABLE")
    return mutability != "IMMUTABLE"


def _moving_tag(host: Host) -> Iterator[Fault]:
    """Tell of a tag that is to move in a registry that doesn't let it."""
    if {"registry_tag_mutability", "registry_tag_mutability_exclusions", "image_tag"} & host.broken or _tag_moves(host):
        return
    if host.text("service_state") == "absent":
        return
    tag = host.text("image_tag")
    if host.text("registry_tag_mutability").startswith("IMMUTABLE"):
        way_out = f"et it to MUTABLE, or to IMMUTABLE_WITH_EXCLUSION with {tag} in registry_tag_mutability_exclusions."
    else:
        way_out = f"et it to MUTABLE, or take {tag} out of registry_tag_mutability_exclusions."
    variable, wont = "registry_tag_mutability", "tags can't move"
    if host.text("build_project_source_url"):
        # The buildspec of the role build_project does, beside a tag of each build's own. Of another one nobody knows.
        # Where no push starts a build, a person may give each its own tag.
        pushed = any(truthy(host.values.get(v)) for v in ("pipeline_enabled", "build_project_webhook_enabled"))
        if host.text("build_project_buildspec_path") or not (pushed or tag == "latest"):
            problem = f"Builds are given the tag {tag} (image_tag) as IMAGE_TAG, and ECR lets none push it twice: {wont}."
            yield host.fault(variable, problem, f"Push only tags that are new, or s{way_out}", warning=True)
        else:
            problem = f"Each build pushes the tag {tag} (image_tag), and ECR refuses that from the second one on: {wont}."
            yield host.fault(variable, problem, f"S{way_out}")
    elif tag == "latest" and host.text("image_context"):
        problem = f"The second push of the tag latest will be refused: {wont}."
        yield host.fault(variable, problem, f"Set image_tag anew for each build, or s{way_out}", warning=True)


def _repository(host: Host, variable: str, reference: str) -> Iterator[Fault]:
    """Tell of an image that lies in another ECR repository than the one the execution role may read."""
    match = ECR.match(reference)
    if not match or {"aws_account_id", "aws_region", "registry_name"} & host.broken or not host.text("aws_account_id"):
        return
    mine = host.text("aws_account_id"), host.text("aws_region"), host.text("registry_name")
    if (match["account"], match["region"] or match["dual"], match["name"]) == mine:
        return
    name = match["name"]
    role = host.text("task_definition_execution_role_name")
    where = f"the repository {name} of account {match['account']} in {match['region'] or match['dual']}"
    yield host.fault(
        variable,
        f"The image lies in {where}, and the execution role {role} may read {mine[2]} only: its pull would be denied.",
        f"Set registry_name to {name}, if that repository is this service's; otherwise push the image to {mine[2]}, or "
        "define and run the task with an execution role of your own, outside these roles.",
    )
