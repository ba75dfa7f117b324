# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""inventories/aws is what inventories/local is, on a real account, once its comments are followed."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
LOCAL, AWS = ROOT / "inventories/local", ROOT / "inventories/aws"
#: What differs on purpose: whose images and sources they are, and who is told.
BY_YOU = {"build_project_source_url", "build_project_branch", "pipeline_enabled", "image_context", "image_dockerfile", "monitoring_emails"}


def groups(inventory, uncommented=False):
    text = (inventory / "hosts.yml").read_text(encoding="utf-8")
    if uncommented:
        text = re.sub(r"(?m)^( +)# (\w[\w-]*:)$", r"\1\2", text)
    children = yaml.safe_load(text)["all"]["children"]
    return {name: sorted(group.get("hosts") or {}) for name, group in children.items()}


def variables(inventory, host):
    return yaml.safe_load((inventory / f"host_vars/{host}.yml").read_text(encoding="utf-8"))


def test_it_begins_with_the_first_tutorial():
    found = groups(AWS)
    assert (found["clusters"], found["services"]) == (["petclinic-rest-cluster"], ["petclinic-rest-service"])


def test_with_its_comments_undone_it_has_the_hosts_of_both():
    assert groups(AWS, uncommented=True) == groups(LOCAL)


def test_its_hosts_are_at_the_same_section():
    for host in [*groups(LOCAL)["clusters"], *groups(LOCAL)["services"]]:
        mine, theirs = variables(AWS, host), variables(LOCAL, host)
        assert {k: v for k, v in mine.items() if k not in BY_YOU} == {k: v for k, v in theirs.items() if k not in BY_YOU}, host
