# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A stack's resources, and who makes each type: a handler of ours by the services' APIs, else moto's own class.

A type that neither has fails its stack, with a reason that says so.
"""

import dataclasses
import random
import string
from typing import Any, ClassVar

from moto.cloudformation import parsing

from embedded_endpoint.gaps.cloudformation.clients import Api
from embedded_endpoint.gaps.cloudformation.errors import Failure

HANDLERS: dict[str, type["Handler"]] = {}


@dataclasses.dataclass
class Resource:
    """A resource of a stack: what was asked for, and what it became."""

    logical_id: str
    kind: str
    properties: dict[str, Any] = dataclasses.field(default_factory=dict)
    tags: dict[str, str] = dataclasses.field(default_factory=dict)  # its own, the stack's and CloudFormation's
    physical_id: str = ""
    policy: dict[str, Any] = dataclasses.field(default_factory=dict)  # DeletionPolicy, UpdatePolicy …
    needs: set[str] = dataclasses.field(default_factory=set)
    state: dict[str, Any] = dataclasses.field(default_factory=dict)  # what its handler keeps

    def copy(self) -> "Resource":
        """A copy whose parts can be replaced."""
        return dataclasses.replace(self)


class Handler:
    """Makes, changes and deletes the resources of one type. Whatever an API refuses goes up as its own error."""

    service: ClassVar[str] = ""

    def __init__(self, api: Api, stack_name: str, stack_id: str = ""):
        self.api, self.stack_name, self.stack_id = api, stack_name, stack_id

    def create(self, resource: Resource) -> None:
        """Make it. Sets physical_id as soon as there is something that a rollback has to delete."""
        raise NotImplementedError

    def update(self, resource: Resource, old: Resource) -> None:
        """Change it in place from `old` to what `resource` says."""
        raise NotImplementedError

    def delete(self, resource: Resource) -> None:
        """Delete it. What is gone already is no error."""
        raise NotImplementedError

    def attribute(self, resource: Resource, name: str) -> Any:
        """Fn::GetAtt. KeyError if there is none."""
        raise KeyError(name)

    def replaces(self, name: str, resource: Resource, old: Resource) -> bool:
        """Whether a change of a property replaces the resource, where AWS says `some circumstances`."""
        return False

    def generated_name(self, resource: Resource, longest: int = 255) -> str:
        """The name of a resource that is given none: stack, logical id and 12 random characters."""
        suffix = "".join(random.choices(string.ascii_uppercase + string.digits, k=12))
        return f"{self.stack_name}-{resource.logical_id}"[: longest - 13].rstrip("-") + f"-{suffix}"


def handles(*kinds: str):
    """Register a handler for resource types."""

    def register(handler: type[Handler]) -> type[Handler]:
        HANDLERS.update(dict.fromkeys(kinds, handler))
        return handler

    return register


def handler_of(kind: str, api: Api, stack_name: str, stack_id: str) -> Handler:
    """The handler of a type. Raises Failure for a type that the endpoint doesn't have."""
    if kind in HANDLERS:
        return HANDLERS[kind](api, stack_name, stack_id)
    if kind in parsing.get_model_map() and kind != "AWS::CloudFormation::Stack":
        return _Moto(api, stack_name, stack_id)
    raise Failure(
        f"The local endpoint cannot make resources of type {kind}: it has no such API. It is a gap of the emulator, "
        "not of your template; the stack can be made in AWS."
    )


def split(parameters: dict[str, Any], *names: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The properties of these names, and the others."""
    return (
        {key: value for key, value in parameters.items() if key in names},
        {key: value for key, value in parameters.items() if key not in names},
    )


def pairs(tags: dict[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Tags as a list, as most APIs take them."""
    return [{key: each, value: text} for each, text in tags.items()]


def tag_changes(resource: Resource, old: Resource) -> tuple[dict[str, str], list[str]]:
    """The tags to set and the keys to remove."""
    changed = {key: value for key, value in resource.tags.items() if old.tags.get(key) != value}
    return changed, [key for key in old.tags if key not in resource.tags]


def changed_properties(new: dict[str, Any], old: dict[str, Any]) -> set[str]:
    """The names of the properties that differ."""
    return {name for name in {*new, *old} if new.get(name) != old.get(name)}


class _Moto(Handler):
    """Types that only moto's own classes can make; good enough to be there, with the faults of moto's shortcuts."""

    def _json(self, resource: Resource) -> dict[str, Any]:
        properties = dict(resource.properties)
        if isinstance(properties.get("Tags", []), list) and resource.tags:
            properties["Tags"] = pairs(resource.tags)
        return {"Type": resource.kind, "Properties": properties}

    def _name(self, resource: Resource) -> str:
        name = parsing.resource_name_property_from_type(resource.kind)
        given = resource.properties.get(name) if name else None
        return given or parsing.generate_resource_name(resource.kind, self.stack_name, resource.logical_id)

    def create(self, resource: Resource) -> None:
        made = parsing.resource_class_from_type(resource.kind).create_from_cloudformation_json(
            self._name(resource), self._json(resource), self.api.account_id, self.api.region
        )
        made.type, made.logical_resource_id = resource.kind, resource.logical_id
        resource.state["made"], resource.physical_id = made, made.physical_resource_id

    def update(self, resource: Resource, old: Resource) -> None:
        made = parsing.resource_class_from_type(resource.kind).update_from_cloudformation_json(
            original_resource=old.state["made"],
            new_resource_name=self._name(resource),
            cloudformation_json=self._json(resource),
            account_id=self.api.account_id,
            region_name=self.api.region,
        )
        if made is not None:
            resource.state = {"made": made}
            resource.physical_id = made.physical_resource_id

    def delete(self, resource: Resource) -> None:
        made = resource.state["made"]
        try:
            made.delete(self.api.account_id, self.api.region)
        except (TypeError, AttributeError):
            type(made).delete_from_cloudformation_json(
                resource.physical_id, self._json(resource), self.api.account_id, self.api.region
            )

    def attribute(self, resource: Resource, name: str) -> Any:
        try:
            return resource.state["made"].get_cfn_attribute(name)
        except Exception:  # noqa: BLE001 - moto's classes raise many kinds
            raise KeyError(name) from None
