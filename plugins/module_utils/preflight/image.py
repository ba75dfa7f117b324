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
