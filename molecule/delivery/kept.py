# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The revision of the pipeline is the one that runs."""

from readback import Expectations, pages
from shipped import FAMILY, IMAGE, service

expect = Expectations()
found, used = service()
expect.equal("revision", found["taskDefinition"].rsplit("/", 1)[-1], f"{FAMILY}:2")
expect.equal("image", [c["image"] for c in used["taskDefinition"]["containerDefinitions"]], [IMAGE])
revisions = pages("ecs", "list_task_definitions", "taskDefinitionArns", familyPrefix=FAMILY)
expect.equal("revisions", len(revisions), 2)
expect.finish()
