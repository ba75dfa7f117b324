# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do about a build of CodeBuild that failed, by its phase and what was said of it."""

from __future__ import annotations

import re
from typing import Iterable

NOT_ALLOWED = (
    "The project's role may not do that. playbooks/build.yml puts its policies right; a permissions boundary or an "
    "organization's policy may forbid it, too."
)
#: Where a remedy's text is looked for: in what CodeBuild itself says of the phase, or in the log's last lines as well.
#: In the log a test may write anything, and CodeBuild writes `YAML location is …/buildspec.yml` in builds that are well.
SAID, ANYWHERE = "said", "anywhere"
#: (phase, where, text, remedy), phase and text as patterns. The first match counts.
REMEDIES = (
    (
        r"",
        ANYWHERE,
        # In DOWNLOAD_SOURCE, as a YAML_FILE_ERROR: https://github.com/awslabs/open-data-registry/issues/1082
        r"Unknown runtime (version )?named|requires selecting at least one runtime",
        "The build image has no such runtime. Set build_project_runtimes to one that it has, or build_project_image to "
        "an image that has this one, and run playbooks/build.yml. With a buildspec in the repository "
        "(build_project_buildspec_path) the versions stand there, under runtime-versions.",
    ),
    (
        r"",
        ANYWHERE,
        r"Cannot connect to the Docker daemon",
        "Docker runs only in a privileged build: set build_project_privileged to true and run playbooks/build.yml.",
    ),
    (
        r"",
        ANYWHERE,
        # So it is written by registries. In Java it is the name of an exception for any HTTP 429.
        r"(?-i:toomanyrequests)|pull rate limit",
        "The registry of the base image limits anonymous pulls. Wait, or take the base image from "
        "public.ecr.aws/docker/library in the Dockerfile.",
    ),
    (
        r"",
        ANYWHERE,
        r"ImageTagAlreadyExists|cannot be overwritten because the \w+ is immutable",
        "The registry's tags can't move, and each build pushes image_tag anew. Set registry_tag_mutability to MUTABLE, or to "
        "IMMUTABLE_WITH_EXCLUSION with that tag in registry_tag_mutability_exclusions, and run playbooks/image.yml.",
    ),
    (
        r"^(?!BUILD$)",
        ANYWHERE,
        r"AccessDenied|ACCESS_DENIED|not authorized to perform",
        NOT_ALLOWED,
    ),
    (
        # Here the tests run, and an AccessDeniedException is a class of Java and of Spring, too.
        r"^BUILD$",
        ANYWHERE,
        r"(AccessDenied|ACCESS_DENIED).*(arn:aws|is not authorized to perform)|arn:aws.* is not authorized to perform"
        r"|An error occurred \(AccessDenied\w*\) when calling",
        NOT_ALLOWED,
    ),
    (r"", ANYWHERE, r"no basic auth credentials", NOT_ALLOWED),
    (
        r"",
        SAID,
        r"YAML_FILE_ERROR",
        "The buildspec cannot be read. Is it there on this branch (build_project_branch, build_project_buildspec_path), and is "
        "it valid YAML with version 0.2?",
    ),
    (
        r"DOWNLOAD_SOURCE",
        ANYWHERE,
        r"",
        "The source cannot be fetched. Check build_project_source_url and build_project_branch. A private repository takes a "
        "connection that may read it: make one in the console (Developer Tools, Settings, Connections), or by "
        "`ansible-playbook playbooks/build.yml playbooks/pipeline.yml`; approve it there; set build_project_source_auth_type to "
        "CODECONNECTIONS and build_project_source_auth_arn to its ARN, and run again.",
    ),
    (
        r"SUBMITTED|QUEUED|PROVISIONING",
        ANYWHERE,
        r"",
        "The build got no machine. Check build_project_image and build_project_compute_type, and the account's quota of "
        "concurrent builds (Service Quotas, CodeBuild).",
    ),
    (
        r"INSTALL",
        ANYWHERE,
        r"",
        "A tool cannot be installed. Does the image (build_project_image) have the runtimes of build_project_runtimes, or those "
        "that the buildspec in the repository names?",
    ),
    (r"PRE_BUILD", ANYWHERE, r"", "Before the build something failed, mostly the login to the registry. Read the last lines."),
    (
        r"POST_BUILD",
        ANYWHERE,
        r"",
        "The image was built and could not be pushed or described. Is the registry there (playbooks/image.yml)?",
    ),
    (
        r"UPLOAD_ARTIFACTS",
        ANYWHERE,
        r"",
        "The artifact is not there, or its bucket cannot be written. The buildspec must leave imagedefinitions.json in "
        "the source's directory.",
    ),
    (
        r"BUILD",
        ANYWHERE,
        r"",
        "A command of the build failed: mostly a test or the compiler. Read the last lines, mend the source, push, and "
        "run again.",
    ),
)


def remedy(phase: str, status: str, said: str, last: Iterable[str] = ()) -> str:
    """Return what to do about a build that ended in `phase` with `status`.

    `said` is what CodeBuild says of the phase, `last` are the log's last lines.
    """
    if status == "STOPPED":
        return "Somebody stopped it. Run again to start another one."
    if status == "TIMED_OUT":
        return "Raise build_project_timeout and run playbooks/build.yml, or find out in the log what hangs."
    texts = {SAID: said, ANYWHERE: "\n".join([said, *last])}
    for of_phase, where, pattern, what in REMEDIES:
        if re.search(of_phase, phase) and re.search(pattern, texts[where], re.IGNORECASE):
            return what
    if status == "FAULT":
        return "That is a fault of CodeBuild. Run again."
    return "Read the log."
