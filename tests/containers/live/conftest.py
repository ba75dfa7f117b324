# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The product with real containers, made once for all tests of this folder.

    pytest tests/containers/live

They take a Docker engine, and come in the order in which they are written: each leaves the services as the next one
needs them, steady.
"""

import os
from pathlib import Path

import pytest
from containers import machine
from containers.product import Product


def pytest_collection_modifyitems(items):
    """Nothing of this folder runs, and says why, without an engine or where its order would be lost."""
    reason = f"needs a Docker engine: {machine.why_not()}" if machine.why_not() else ""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        reason = "runs in one process, by itself: pytest tests/containers/live"
    for item in items:
        if reason and Path(__file__).parent in Path(item.path).parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def product():
    """The three services at version v1, steady."""
    machine.base_image()  # may be downloaded, and stays
    networks, images = machine.networks(), machine.images()
    with machine.state_folder() as folder:
        made = Product(folder)
        made.networks_before, made.images_before = networks, images
        made.first = made.play("site.yml")
        yield made


@pytest.fixture
def say(capsys):
    """Write a line that is seen though the test passes: numbers are what these tests are for."""

    def write(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {text}", end="", flush=True)

    return write
