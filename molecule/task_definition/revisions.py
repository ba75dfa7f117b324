# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Three revisions, which differ in the one value that was changed."""

from readback import Expectations, client, pages

expect = Expectations()
arns = pages("ecs", "list_task_definitions", "taskDefinitionArns", familyPrefix="molecule-task-task", sort="ASC")
expect.equal("revisions", [int(a.rsplit(":", 1)[-1]) for a in arns], [1, 2, 3])
found = [client("ecs").describe_task_definition(taskDefinition=a)["taskDefinition"] for a in arns]


def profile(definition: dict) -> str:
    """The value that was changed."""
    container = next(c for c in definition["containerDefinitions"] if c["name"] == "molecule-task-app")
    return {e["name"]: e["value"] for e in container["environment"]}["SPRING_PROFILES_ACTIVE"]


def without_value(definition: dict) -> list[dict]:
    """The containers without their environment."""
    containers = [{k: v for k, v in c.items() if k != "environment"} for c in definition["containerDefinitions"]]
    return sorted(containers, key=lambda c: c["name"])


expect.equal("values", [profile(d) for d in found], ["hsqldb", "mysql", "hsqldb"])
expect.equal("everything else in revision 2", without_value(found[1]), without_value(found[0]))
expect.equal("everything else in revision 3", without_value(found[2]), without_value(found[0]))
expect.finish()
