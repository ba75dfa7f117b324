# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role's defaults say and what its argument specs say is the same."""

from pathlib import Path

import pytest
import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
WITH_DEFAULTS = sorted(p.parent.parent.name for p in ROLES.glob("*/defaults/main.yml"))


def read(role, file):
    return yaml.safe_load((ROLES / role / file).read_text()) or {}


def entry_point(role):
    """The one entry point of a role's argument specs: `main`, or `names` of the role that has no tasks."""
    return next(iter(read(role, "meta/argument_specs.yml")["argument_specs"].values()))


def public(role):
    return {k: v for k, v in read(role, "defaults/main.yml").items() if not k.startswith("__")}


@pytest.mark.parametrize("role", WITH_DEFAULTS)
def test_same_options(role):
    options = entry_point(role)["options"]
    assert sorted(options) == sorted(public(role))


@pytest.mark.parametrize("role", WITH_DEFAULTS)
def test_same_default_values(role):
    options = entry_point(role)["options"]
    for name, value in public(role).items():
        if "default" not in options[name] and "{{" in str(value) and "default is" in str(options[name]["description"]):
            continue  # said in words, where the template would tell a reader nothing
        documented = options[name].get("default")
        assert (type(documented), documented) == (type(value), value), name


@pytest.mark.parametrize("role", WITH_DEFAULTS)
def test_every_option_is_described_and_typed(role):
    entry = entry_point(role)
    assert entry["short_description"] and entry["description"]
    for name, spec in entry["options"].items():
        assert spec["type"] in ("str", "int", "float", "bool", "list", "dict", "raw", "path"), name
        assert spec["description"], name
        assert ("elements" in spec) == (spec["type"] == "list"), name


def test_no_variable_belongs_to_two_roles():
    seen = {}
    for role in WITH_DEFAULTS:
        for name in public(role):
            assert name not in seen, f"{name} stands in {seen[name]} and in {role}"
            seen[name] = role
