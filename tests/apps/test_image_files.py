# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold of the Dockerfile and of what goes to the engine, without an engine."""

import re
import sys
from pathlib import Path

import pytest

APPS = Path(__file__).resolve().parents[2] / "examples/apps"
DOCKERFILE = [line for line in (APPS / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]


def words(instruction):
    return [line.partition(" ")[2] for line in DOCKERFILE if line.startswith(f"{instruction} ")]


def test_base_is_an_argument():
    assert DOCKERFILE[:2] == ["ARG BASE=python:3.12-slim", "FROM ${BASE}"]


def test_builds_on_any_base():
    """A RUN would want a shell, and maybe a network."""
    assert not words("RUN")
    assert not words("HEALTHCHECK")


def test_runs_as_nobody_special():
    assert words("USER") == ["10001:10001"]
    assert words("ENTRYPOINT") == ['["python3", "-m", "demo"]']


@pytest.mark.parametrize("name", ["APP", "VERSION", "MESSAGE", "CRASH", "UNHEALTHY"])
def test_each_argument_reaches_the_program(name):
    text = (APPS / "Dockerfile").read_text()
    assert re.search(rf"^ARG {name}=", text, re.MULTILINE)
    assert f'{name}="${{{name}}}"' in text
    assert f'"{name}"' in (APPS / "demo/settings.py").read_text()
    assert f"`{name}`" in (APPS / "README.md").read_text()


def test_every_setting_is_in_the_readme():
    names = set(re.findall(r'(?:get|whole|on)\("([A-Z0-9_]+)"', (APPS / "demo/settings.py").read_text()))
    assert len(names) > 8
    assert not {name for name in names if f"`{name}`" not in (APPS / "README.md").read_text()}


def test_only_the_program_goes_to_the_engine():
    ignored = [line for line in (APPS / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert ignored == ["*", "!demo", "**/__pycache__"]


def test_the_program_needs_nothing_but_the_standard_library():
    imported = set()
    for file in (APPS / "demo").glob("*.py"):
        imported |= set(re.findall(r"^\s*(?:from|import) (\w+)", file.read_text(), re.MULTILINE))
    assert imported <= sys.stdlib_module_names | {"demo"}
