# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What operations on a stack are made of: drafting a resource from the template, making it, deleting it, telling it."""

import dataclasses
from typing import Any

from embedded_endpoint.gaps.cloudformation import parameters
from embedded_endpoint.gaps.cloudformation import types
from embedded_endpoint.gaps.cloudformation.clients import Api
from embedded_endpoint.gaps.cloudformation.errors import Failure, invalid, reason
from embedded_endpoint.gaps.cloudformation.functions import Resolver
from embedded_endpoint.gaps.cloudformation.resources import Handler, Resource, handler_of
from embedded_endpoint.gaps.cloudformation.stack import Stack
from embedded_endpoint.gaps.cloudformation.template import dependencies

_POLICIES = ("DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy", "CreationPolicy")


@dataclasses.dataclass
class Wish:
    """What a stack shall be: the input of an operation."""

    text: str
    template: dict[str, Any]
    parameters: dict[str, str]  # as given
    values: dict[str, Any]  # as Ref gives them
    tags: dict[str, str]
    options: dict[str, Any]  # Capabilities, RoleARN, NotificationARNs …


def pseudo_parameters(stack: Stack, wish: Wish) -> dict[str, Any]:
    """The values of AWS::Region and the like."""
    return {
        "AWS::AccountId": stack.api.account_id,
        "AWS::NotificationARNs": wish.options.get("NotificationARNs") or [],
        "AWS::Partition": "aws",
        "AWS::Region": stack.api.region,
        "AWS::StackId": stack.id,
        "AWS::StackName": stack.name,
        "AWS::URLSuffix": "amazonaws.com",
    }


def zones(api: Api, region: str) -> list[str]:
    """Fn::GetAZs."""
    api = Api(api.account_id, region) if region else api
    return sorted(each["ZoneName"] for each in api.ec2("describe_availability_zones")["AvailabilityZones"])


def tags_of(kind: str, properties: dict[str, Any], stack: Stack, tags: dict[str, str], name: str) -> dict[str, str]:
    """The tags that a resource gets: the stack's, over them its own, and CloudFormation's, as far as its type has them."""
    held_by = types.tag_property(kind, stack.api.region)
    own = properties.get(held_by or "Tags") or []
    own = own if isinstance(own, dict) else {each["Key"]: each.get("Value", "") for each in own if "Key" in each}
    own = {str(key): str(value) for key, value in own.items()}
    if held_by is None:
        return own
    system = {
        "aws:cloudformation:stack-name": stack.name,
        "aws:cloudformation:stack-id": stack.id,
        "aws:cloudformation:logical-id": name,
    }
    return {**tags, **own, **(system if types.system_tags(kind, stack.api.region) else {})}


class Steps:
    """The steps of an operation on one stack."""

    def __init__(self, stack: Stack, exports: Any):
        self.stack, self.exports = stack, exports

    def resolver(self, wish: Wish) -> Resolver:
        """Values of a template with the resources that there are now."""
        return Resolver(
            wish.template,
            {**pseudo_parameters(self.stack, wish), **wish.values},
            self._ref,
            self.attribute,
            lambda region: zones(self.stack.api, region),
            self.exports,
        )

    def _ref(self, name: str) -> str:
        if name not in self.stack.resources:
            raise invalid(
                f"Template format error: Unresolved resource dependencies [{name}] in the Resources block of the template"
            )
        return self.stack.resources[name].physical_id

    def attribute(self, name: str, attribute: str) -> Any:
        """Fn::GetAtt of a resource that there is."""
        self._ref(name)
        resource = self.stack.resources[name]
        try:
            return self.handler(resource).attribute(resource, attribute)
        except KeyError:
            raise invalid(
                f"Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt"
            ) from None

    def handler(self, resource: Resource) -> Handler:
        """Who makes the resource."""
        return handler_of(resource.kind, self.stack.api, self.stack.name, self.stack.id)

    def draft(self, wish: Wish, resolver: Resolver, name: str) -> Resource:
        """A resource as the template has it now, not made yet."""
        part = wish.template["Resources"][name]
        properties = resolver.properties(part)
        return Resource(
            name,
            part["Type"],
            properties,
            tags_of(part["Type"], properties, self.stack, wish.tags, name),
            policy={key: resolver(part[key]) for key in _POLICIES if key in part},
            needs=dependencies(part, wish.template["Resources"]),
        )

    def service_of(self, resource: Resource) -> str:
        """The service that a failure's reason names."""
        try:
            return self.handler(resource).service or resource.kind.split("::")[1]
        except Failure:
            return resource.kind.split("::")[1]

    def check(self, resource: Resource) -> None:
        """Failure for a property that the type lacks, or lacks here."""
        if faults := types.faults(resource.kind, self.stack.api.region, resource.properties):
            raise Failure(
                f"Properties validation failed for resource {resource.logical_id} with message:\n[{', '.join(faults)}]"
            )

    def make(self, resource: Resource, verb: str = "CREATE", why: str | None = None) -> bool:
        """Make a resource and tell it. False if it failed."""
        self.stack.event(f"{verb}_IN_PROGRESS", why, resource)
        self.stack.resources[resource.logical_id] = resource
        try:
            handler = self.handler(resource)
            self.check(resource)
            handler.create(resource)
        except Exception as error:  # noqa: BLE001
            self.stack.event(f"{verb}_FAILED", reason(error, self.service_of(resource)), resource)
            return False
        self.stack.event(f"{verb}_IN_PROGRESS", "Resource creation Initiated", resource)
        self.stack.event(f"{verb}_COMPLETE", None, resource)
        return True

    def delete_all(self, resources: list[Resource], retain: tuple[str, ...] = ()) -> list[str]:
        """Delete resources, each before those that it needs. The names of those that could not be deleted."""
        failed: list[str] = []
        needed: set[str] = set()  # by what still stands
        for resource in deletion_order(resources):
            if resource.logical_id in needed:
                needed |= resource.needs
                continue
            if resource.logical_id in retain or resource.policy.get("DeletionPolicy") == "Retain":
                self.stack.event("DELETE_SKIPPED", None, resource)
                self.forget(resource)
                continue
            if not self._delete(resource):
                failed.append(resource.logical_id)
                needed |= resource.needs
        return failed

    def _delete(self, resource: Resource) -> bool:
        if resource.physical_id:
            self.stack.event("DELETE_IN_PROGRESS", None, resource)
            try:
                self.handler(resource).delete(resource)
            except Exception as error:  # noqa: BLE001
                self.stack.event("DELETE_FAILED", reason(error, self.service_of(resource)), resource)
                return False
        self.stack.event("DELETE_COMPLETE", None, resource)
        self.forget(resource)
        return True

    def forget(self, resource: Resource) -> None:
        """The stack has it no longer."""
        if self.stack.resources.get(resource.logical_id) is resource:
            del self.stack.resources[resource.logical_id]

    def take_over(self, wish: Wish) -> None:
        """The stack is described by this from now on."""
        stack = self.stack
        stack.text, stack.template, stack.parameters = wish.text, wish.template, wish.parameters
        stack.values, stack.tags = wish.values, wish.tags
        stack.options = {
            **wish.options,
            "Parameters": parameters.shown(wish.template, wish.parameters, wish.values),
        }

    def outputs(self, resolver: Resolver) -> list[dict[str, str]]:
        """The stack's outputs as DescribeStacks gives them."""
        found = []
        for name, part in (resolver.template.get("Outputs") or {}).items():
            if resolver.wanted(part):
                value = resolver(part["Value"])
                output = {"OutputKey": name, "OutputValue": ",".join(value) if isinstance(value, list) else str(value)}
                if part.get("Description"):
                    output["Description"] = part["Description"]
                if part.get("Export"):
                    output["ExportName"] = str(resolver(part["Export"]["Name"]))
                found.append(output)
        return found


def deletion_order(resources: list[Resource]) -> list[Resource]:
    """Each resource before those that it needs, otherwise the newest first."""
    left, order = list(resources), []
    while left:
        needed = {name for each in left for name in each.needs if name != each.logical_id}
        free = [each for each in reversed(left) if each.logical_id not in needed] or [left[-1]]
        order.append(free[0])
        left.remove(free[0])
    return order
