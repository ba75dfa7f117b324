# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Task definitions: a bare family is its latest ACTIVE revision, and a revision number is used once.

moto 5.2.5 resolves a family to its highest revision even if that is INACTIVE, and starts again at 1 once all revisions
are deleted (seen by registering, deregistering and deleting). It refuses requiresCompatibilities EC2 without a hard
limit, where a container's memoryReservation alone is enough.
"""

from moto.core.utils import utcnow
from moto.ecs.exceptions import TaskDefinitionNotFoundException
from moto.ecs.models import EC2ContainerServiceBackend

from embedded_endpoint.gaps.patching import replace


@replace(EC2ContainerServiceBackend)
def describe_task_definition(original, self, task_definition_str):
    name = task_definition_str.split("/")[-1]
    if ":" not in name:
        active = [each for each in self.task_definitions.get(name, {}).values() if each.status == "ACTIVE"]
        if not active:
            raise TaskDefinitionNotFoundException
        return max(active, key=lambda each: each.revision)
    return original(self, task_definition_str)


@replace(EC2ContainerServiceBackend)
def register_task_definition(original, self, family, *args, **kwargs):
    self.task_definitions.setdefault(family, {})
    definition = original(self, family, *args, **kwargs)
    highest = vars(self).setdefault("highest_revision", {})
    if definition.revision <= highest.get(family, 0):
        del self.task_definitions[family][definition.revision]
        revision = highest[family] + 1
        definition.arn = definition.arn.rpartition(":")[0] + f":{revision}"
        definition.revision = revision
        self.task_definitions[family][revision] = definition
    highest[family] = definition.revision
    definition.registered_at = utcnow()
    return definition


@replace(EC2ContainerServiceBackend)
def deregister_task_definition(original, self, task_definition_str):
    definition = original(self, task_definition_str)
    definition.deregistered_at = utcnow()
    return definition


@replace(EC2ContainerServiceBackend)
def _validate_container_defs(original, self, memory, container_definitions, requires_compatibilities):
    # "You must specify a non-zero integer for one or both of memory or memoryReservation in a container definition":
    # ContainerDefinition in the API reference. That is moto's check of definitions that don't ask for EC2.
    others = [each for each in requires_compatibilities or [] if each != "EC2"]
    return original(memory, container_definitions, others)
