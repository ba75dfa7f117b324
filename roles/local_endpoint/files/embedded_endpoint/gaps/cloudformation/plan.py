# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What an update would change, before it does: the changes of a change set.

What depends on a resource that will change is not known yet. CloudFormation calls such a change dynamic: it may turn
out to be none.
"""

from typing import Any

from moto.cloudformation.exceptions import CloudFormationError

from embedded_endpoint.gaps.cloudformation import types
from embedded_endpoint.gaps.cloudformation.errors import invalid
from embedded_endpoint.gaps.cloudformation.functions import UNKNOWN, Resolver
from embedded_endpoint.gaps.cloudformation.operations import Operation
from embedded_endpoint.gaps.cloudformation.resources import Resource
from embedded_endpoint.gaps.cloudformation.steps import Wish, pseudo_parameters, tags_of, zones
from embedded_endpoint.gaps.cloudformation.template import attributes_of, dependency_order, references


class Plan:
    """The changes from a stack as it is to a wish."""

    def __init__(self, operation: Operation, wish: Wish):
        self.operation, self.stack, self.wish = operation, operation.stack, wish
        self.changes: dict[str, dict[str, Any]] = {}
        self.resolver = Resolver(
            wish.template,
            {**pseudo_parameters(self.stack, wish), **wish.values},
            self._ref,
            self._attribute,
            lambda region: zones(self.stack.api, region),
            operation.exports,
        )
        self._check_types()
        for name in dependency_order(wish.template):
            if self.resolver.wanted(wish.template["Resources"][name]):
                self._compare(name)
        for name, resource in self.stack.resources.items():
            part = wish.template["Resources"].get(name)
            if part is None or not self.resolver.wanted(part):
                self.changes[name] = self._change("Remove", resource, PolicyAction="Delete")

    @property
    def is_empty(self) -> bool:
        """Whether an update would be refused because nothing changes: no resource, output or tag of the stack."""
        return not self.changes and self.wish.tags == self.stack.tags and self._outputs() == self.stack.outputs

    def _outputs(self) -> Any:
        try:
            return self.operation.outputs(self.resolver)
        except CloudFormationError:
            raise
        except Exception:  # noqa: BLE001 - a function of something not known yet
            return None

    def _check_types(self) -> None:
        resources = self.wish.template["Resources"]
        moved = [
            name
            for name, old in self.stack.resources.items()
            if name in resources and resources[name]["Type"] != old.kind
        ]
        if moved:
            raise invalid(
                "Update of resource type is not permitted. The new template modifies resource type of the following "
                f"resources: [{', '.join(moved)}]"
            )

    def _ref(self, name: str) -> str:
        part = self.wish.template["Resources"].get(name)
        if part is None or not self.resolver.wanted(part):
            raise invalid(
                f"Template format error: Unresolved resource dependencies [{name}] in the Resources block of the template"
            )
        change = self.changes.get(name, {})
        if name not in self.stack.resources or change.get("Replacement") in ("True", "Conditional"):
            return f"{UNKNOWN}{name}{UNKNOWN}"
        return self.stack.resources[name].physical_id

    def _attribute(self, name: str, attribute: str) -> Any:
        self._ref(name)
        if name not in self.stack.resources or name in self.changes:
            return f"{UNKNOWN}{name}.{attribute}{UNKNOWN}"
        return self.operation.attribute(name, attribute)

    def _change(self, action: str, resource: Resource, **more: Any) -> dict[str, Any]:
        return {
            "Action": action,
            "LogicalResourceId": resource.logical_id,
            "PhysicalResourceId": resource.physical_id or None,
            "ResourceType": resource.kind,
            "Scope": [],
            "Details": [],
            **more,
        }

    def _compare(self, name: str) -> None:
        part = self.wish.template["Resources"][name]
        old = self.stack.resources.get(name)
        properties = self._properties(part)
        if old is None:
            self.changes[name] = self._change("Add", Resource(name, part["Type"]))
            return
        held_by = types.tag_property(old.kind, self.stack.api.region) or "Tags"
        names = [key for key in {**properties, **old.properties} if key != held_by]
        changed = [key for key in names if properties.get(key) != old.properties.get(key)]
        details = [detail for key in changed for detail in self._details(old, key, part, properties)]
        tags = tags_of(old.kind, properties, self.stack, self.wish.tags, name)
        scope = ["Properties"] if details else []
        if tags != old.tags:
            scope.append("Tags")
            target = {"Attribute": "Tags", "RequiresRecreation": "Never"}
            details.append({"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"})
        if details:
            change = self._change("Modify", old, Scope=scope, Details=details, Replacement=_replacement(details))
            if change["Replacement"] == "True":
                change["PolicyAction"] = "ReplaceAndDelete"
            self.changes[name] = change

    def _properties(self, part: dict[str, Any]) -> dict[str, Any]:
        given = part.get("Properties") or {}
        if not isinstance(given, dict) or any(key.startswith("Fn::") for key in given):
            return self.resolver(given)
        result = {}
        for key, node in given.items():
            try:
                result.update(self.resolver({"": {key: node}})[""])
            except CloudFormationError:
                raise
            except Exception:  # noqa: BLE001 - a function of something not known yet
                result[key] = UNKNOWN
        return result

    def _details(
        self, old: Resource, key: str, part: dict[str, Any], properties: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Why a property changes, as in AWS's examples of change sets: a parameter's change comes in two details."""
        node = (part.get("Properties") or {}).get(key)
        recreation = types.recreation(old.kind, self.stack.api.region, key)
        target = {"Attribute": "Properties", "Name": key, "RequiresRecreation": recreation}
        if UNKNOWN in repr_of(properties.get(key)):
            attributes = [
                f"{name}.{attribute}" for name, attribute in sorted(attributes_of(node)) if name in self.changes
            ]
            source = "ResourceAttribute" if attributes else "ResourceReference"
            cause = next(
                iter([*attributes, *(each for each in sorted(references(node)) if each in self.changes)]), None
            )
            return [{"Target": target, "Evaluation": "Dynamic", "ChangeSource": source, "CausingEntity": cause}]
        before = (self.stack.template["Resources"].get(old.logical_id, {}).get("Properties") or {}).get(key)
        values, wanted = self.stack.values, self.wish.values
        changed = [each for each in sorted(references(node)) if values.get(each) != wanted.get(each)]
        direct = {"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"}
        if before != node or not changed:
            return [direct]
        return [
            *({**direct, "ChangeSource": "ParameterReference", "CausingEntity": each} for each in changed),
            {**direct, "Evaluation": "Dynamic"},
        ]


def repr_of(value: Any) -> str:
    """All text of a value."""
    if isinstance(value, dict):
        return "".join(map(repr_of, value.values()))
    return "".join(map(repr_of, value)) if isinstance(value, list) else str(value)


def _replacement(details: list[dict[str, Any]]) -> str:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html"""
    ways = {(each["Target"]["RequiresRecreation"], each["Evaluation"]) for each in details}
    if ("Always", "Static") in ways:
        return "True"
    return "Conditional" if any(way in ("Always", "Conditionally") for way, _evaluation in ways) else "False"
