# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service's repository and image."""

from __future__ import annotations

import re
from typing import Iterator

from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host, in_range, one_of

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
    if (
        host.text("registry_tag_mutability") == "IMMUTABLE"
        and host.text("image_tag") == "latest"
        and host.text("image_context")
    ):
        yield host.fault(
            "registry_tag_mutability",
            "The second push of the tag latest will be refused: tags can't move.",
            "Set image_tag anew for each build, or IMMUTABLE_WITH_EXCLUSION.",
            warning=True,
        )


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
