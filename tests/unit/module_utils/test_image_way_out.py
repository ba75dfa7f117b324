# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What to do where Docker could not build or push."""

import pytest
from ansible_collections.handson.ecs.plugins.module_utils.images import way_out

LEGACY = 'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 10.0.0.2:53: no such host'
BUILDKIT = "ERROR: failed to solve: python:3.12-slim: failed to resolve source metadata for docker.io/library/python"
ABSENT = "pull access denied for handson/python, repository does not exist or may require 'docker login'"


@pytest.mark.parametrize("said", [LEGACY, BUILDKIT, ABSENT])
def test_no_image_to_build_on(said):
    hint = way_out("build", said)
    assert hint.startswith("\n") and "HANDSON_BASE_IMAGE=handson/python:local" in hint


@pytest.mark.parametrize(
    ("command", "said", "hint"),
    [
        ("push", "tag invalid: The image tag 'v1' cannot be overwritten because the repository is immutable.", "image_tag"),
        ("push", LEGACY, ""),
        ("build", "COPY failed: file not found in build context", ""),
    ],
)
def test_other_failures(command, said, hint):
    assert hint in way_out(command, said) and bool(hint) == bool(way_out(command, said))
