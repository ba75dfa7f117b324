# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Finding Docker, and what is removed from it at the end."""

import os
import subprocess
import sys
from types import SimpleNamespace

import docker.errors
import pytest
from container_endpoint import base_image, engine
from containers import machine

OURS, OTHER = "127.0.0.1:5011/", "127.0.0.1:5012/"


def image(number, *tags, digests=()):
    return {"Id": f"sha256:{number}", "RepoTags": list(tags) or None, "RepoDigests": list(digests) or None}


@pytest.mark.parametrize(
    ("images", "names"),
    [
        ([image(1, OURS + "shop:v1"), image(2, "nginx:1")], [OURS + "shop:v1"]),
        ([image(1, OURS + "shop:v1", OURS + "shop:v2", "mine:1")], [OURS + "shop:v1", OURS + "shop:v2"]),
        ([image(1, OTHER + "shop:v1")], []),
        # It lost its tag to a newer build.
        ([image(1, "<none>:<none>", digests=[OURS + "shop@sha256:0"])], ["sha256:1"]),
        ([image(1, "mine:1", digests=[OURS + "shop@sha256:0"])], []),
        ([image(1, digests=["<none>@<none>"])], []),
    ],
)
def test_which_images_are_forgotten(images, names):
    assert engine.to_forget(images, OURS) == names


class Api:
    """The images of an engine."""

    def __init__(self, *images):
        self.there = list(images)

    def images(self):
        return self.there

    def remove_image(self, name):
        if not any(name in (each["RepoTags"] or []) for each in self.there):
            raise docker.errors.ImageNotFound(name)
        self.there = [each for each in self.there if name not in (each["RepoTags"] or [])]


@pytest.mark.parametrize("shared", [False, True])
def test_the_base_stays_while_another_endpoint_builds_on_it(shared):
    base, other = image(0, base_image.REFERENCE), image(2, OTHER + "shop:v1")
    api = Api(base, image(1, OURS + "shop:v1"), *([other] if shared else []))
    engine.Engine(SimpleNamespace(api=api), "/state").forget_images(OURS, base_image.REFERENCE, "127.0.0.1:")
    assert api.there == ([base, other] if shared else [])


def test_without_an_engine_nothing_starts_and_the_message_says_the_way_out(tmp_path):
    command = [sys.executable, str(machine.ENDPOINT), "start", "--state-dir", str(tmp_path / "state"), "--port", "0"]
    environment = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/no-such-socket"}
    started = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert started.returncode == 1 and started.stdout == ""
    assert f"No Docker engine answers at unix://{tmp_path}/no-such-socket" in started.stderr
    for way_out in ("https://docs.docker.com/engine/install/", "DOCKER_HOST", "make site"):
        assert way_out in started.stderr
    assert "Traceback" not in started.stderr and not (tmp_path / "state" / "pid").exists()
