# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Templates: reading and checking them before anything is made, with CloudFormation's ValidationErrors."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from embedded_endpoint.gaps.cloudformation import types
from embedded_endpoint.gaps.cloudformation.errors import invalid, refused

SECTIONS = {
    "AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions",
    "Transform", "Resources", "Outputs", "Hooks",
}  # fmt: skip
PSEUDO = {
    "AWS::AccountId", "AWS::NotificationARNs", "AWS::NoValue", "AWS::Partition", "AWS::Region", "AWS::StackId",
    "AWS::StackName", "AWS::URLSuffix",
}  # fmt: skip
SUBSTITUTION = re.compile(r"\$\{([^!${}][^{}]*)\}")


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms. Dates and the like stay strings, as CloudFormation takes them."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)
_Loader.yaml_implicit_resolvers = {
    first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse(text: str) -> dict[str, Any]:
    """A template from JSON or YAML text."""
    try:
        template = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, Loader=_Loader)
    except json.JSONDecodeError as error:
        raise invalid(
            f"Template format error: JSON not well-formed. (line {error.lineno}, column {error.colno})"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise invalid(f"Template format error: YAML not well-formed.{where}") from None
    if not isinstance(template, dict):
        raise invalid("Template format error: unsupported structure.")
    return template


def check(template: dict[str, Any], region: str) -> None:
    """What CloudFormation refuses at once, whatever the parameters' values are."""
    if unknown := sorted(set(template) - SECTIONS):
        raise invalid(f"Invalid template property or properties [{', '.join(unknown)}]")
    if template.get("Transform"):
        raise invalid("Template error: the local endpoint has no transforms. It is a gap of the emulator.")
    if any(value is None for value in template.values()):
        name = next(key for key, value in template.items() if value is None)
        raise invalid(f"[/{name}] 'null' values are not allowed in templates")
    resources = template.get("Resources")
    if not resources or not isinstance(resources, dict):
        raise invalid("Template format error: At least one Resources member must be defined.")
    for name, resource in resources.items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise invalid(
                f"Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
            )
        if not re.fullmatch("[a-zA-Z0-9]+", str(name)):
            raise invalid(f"Template format error: Resource name {name} is non alphanumeric.")
    if unknown := sorted({r["Type"] for r in resources.values() if not types.exists(r["Type"], region)}):
        raise invalid(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")
    _check_references(template, region)
    dependency_order(template)


def _check_references(template: dict[str, Any], region: str) -> None:
    resources, conditions = template["Resources"], template.get("Conditions") or {}
    known = set(resources) | set(template.get("Parameters") or {}) | PSEUDO
    for section in ("Resources", "Outputs"):
        part = template.get(section) or {}
        if unknown := sorted({each for each in references(part) if each not in known}):
            raise invalid(
                f"Template format error: Unresolved resource dependencies [{', '.join(unknown)}] in the {section} block "
                "of the template"
            )
        for name, attribute in sorted(attributes_of(part)):
            if name not in resources:
                raise invalid(f"Template error: instance of Fn::GetAtt references undefined resource {name}")
            if not types.has_attribute(resources[name]["Type"], region, attribute):
                raise invalid(
                    f"Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt"
                )
    for name, resource in resources.items():
        for other in _names(resource.get("DependsOn")):
            if other not in resources:
                raise invalid(
                    f"Template format error: Unresolved resource dependencies [{other}] in the Resources block of the "
                    "template"
                )
        _check_condition(resource.get("Condition"), conditions, f"Resources/{name}")
    for name, output in (template.get("Outputs") or {}).items():
        if not isinstance(output, dict) or "Value" not in output:
            raise invalid(f"Template format error: Output {name} is malformed. The Value field is required.")
        _check_condition(output.get("Condition"), conditions, f"Outputs/{name}")
    for part in (resources, template.get("Outputs") or {}):
        for name in _functions(part, "Fn::If"):
            _check_condition(name[0] if name else None, conditions, "")


def _check_condition(name: str | None, conditions: dict[str, Any], _where: str) -> None:
    if name is not None and name not in conditions:
        raise invalid(
            f"Template format error: Unresolved condition dependency {name} in the Resources block of the template"
        )


def _functions(node: Any, name: str) -> Iterator[Any]:
    if isinstance(node, dict):
        if name in node and len(node) == 1:
            yield node[name]
        for value in node.values():
            yield from _functions(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from _functions(value, name)


def _substitutions(node: Any) -> Iterator[str]:
    for value in _functions(node, "Fn::Sub"):
        text, own = (value[0], value[1]) if isinstance(value, list) else (value, {})
        yield from (name for name in SUBSTITUTION.findall(str(text)) if name not in own)


def references(node: Any) -> set[str]:
    """The names that Ref and Fn::Sub ask for below a node."""
    found = {str(each) for each in _functions(node, "Ref")}
    return found | {name for name in _substitutions(node) if "." not in name}


def attributes_of(node: Any) -> set[tuple[str, str]]:
    """The (resource, attribute) pairs that Fn::GetAtt and Fn::Sub ask for below a node."""
    found = set()
    for value in _functions(node, "Fn::GetAtt"):
        name, attribute = value if isinstance(value, list) else value.split(".", 1)
        found.add((str(name), attribute if isinstance(attribute, str) else ""))
    return found | {tuple(name.split(".", 1)) for name in _substitutions(node) if "." in name}


def _names(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def dependencies(resource: dict[str, Any], resources: dict[str, Any]) -> set[str]:
    """The resources that must be there before this one."""
    found = set(_names(resource.get("DependsOn"))) | references(resource.get("Properties"))
    found |= {name for name, _attribute in attributes_of(resource.get("Properties"))}
    return found & set(resources)


def dependency_order(template: dict[str, Any]) -> list[str]:
    """The resources, each after those that it needs, otherwise as the template has them."""
    resources = template["Resources"]
    needs = {name: dependencies(resource, resources) for name, resource in resources.items()}
    order: list[str] = []
    while len(order) < len(resources):
        ready = [name for name in resources if name not in order and needs[name] <= set(order)]
        if not ready:
            left = sorted(set(resources) - set(order))
            raise invalid(f"Circular dependency between resources: [{', '.join(left)}]")
        order += ready
    return order


def check_capabilities(template: dict[str, Any], given: list[str]) -> None:
    """InsufficientCapabilitiesException for IAM resources that the caller didn't agree to."""
    made = [each for each in template["Resources"].values() if each["Type"] in types.IAM_TYPES]
    named = any(set(each.get("Properties") or {}) & set(types.IAM_NAMES) for each in made)
    if named and "CAPABILITY_NAMED_IAM" not in given:
        raise refused("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]")
    if made and not {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"} & set(given):
        raise refused("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]")
