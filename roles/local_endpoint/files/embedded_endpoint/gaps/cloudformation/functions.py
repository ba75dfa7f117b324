# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Intrinsic functions and conditions of a template."""

import base64
import ipaddress
import json
from collections.abc import Callable
from typing import Any

from embedded_endpoint.gaps.cloudformation.errors import invalid
from embedded_endpoint.gaps.cloudformation.template import SUBSTITUTION

NO_VALUE = object()
UNKNOWN = "\x00"  # in a plan: stands around the name of what a value will come from


class Resolver:
    """Values of a template, for given parameters and resources.

    `ref` and `attribute` answer for resources: Ref by logical name, and Fn::GetAtt by logical name and attribute.
    """

    def __init__(
        self,
        template: dict[str, Any],
        values: dict[str, Any],
        ref: Callable[[str], Any],
        attribute: Callable[[str, str], Any],
        zones: Callable[[str], list[str]],
        exports: Callable[[str], str],
    ):
        self.template, self.values = template, values
        self.ref, self.attribute, self.zones, self.exports = ref, attribute, zones, exports
        self.conditions: dict[str, bool] = {}

    def __call__(self, node: Any) -> Any:
        """A node with everything resolved. AWS::NoValue removes what it stands for."""
        if isinstance(node, list):
            return [each for each in map(self, node) if each is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            name, argument = next(iter(node.items()))
            if name == "Ref":
                return self._ref(argument)
            if name.startswith("Fn::"):
                return self._function(name, argument)
        return {key: value for key, value in ((key, self(each)) for key, each in node.items()) if value is not NO_VALUE}

    def properties(self, resource: dict[str, Any]) -> dict[str, Any]:
        """A resource's properties."""
        result = self(resource.get("Properties") or {})
        return result if isinstance(result, dict) else {}

    def wanted(self, part: dict[str, Any]) -> bool:
        """Whether the condition of a resource or an output holds."""
        return "Condition" not in part or self.condition(part["Condition"])

    def condition(self, name: str) -> bool:
        """The value of a named condition."""
        if name not in self.conditions:
            declared = self.template.get("Conditions") or {}
            if name not in declared:
                raise invalid(f"Template error: unresolved condition dependency {name} in the Conditions block")
            self.conditions[name] = self._test(declared[name])
        return self.conditions[name]

    def _test(self, node: Any) -> bool:
        if isinstance(node, dict) and len(node) == 1:
            name, argument = next(iter(node.items()))
            if name == "Condition":
                return self.condition(argument)
            if name == "Fn::Equals":
                first, second = map(self, argument)
                return _same(first, second)
            if name == "Fn::Not":
                return not self._test(argument[0])
            if name == "Fn::And":
                return all(map(self._test, argument))
            if name == "Fn::Or":
                return any(map(self._test, argument))
        return str(self(node)).lower() == "true"

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        return self.values[name] if name in self.values else self.ref(name)

    def _function(self, name: str, argument: Any) -> Any:
        method = getattr(self, "_" + name.removeprefix("Fn::").lower(), None)
        if method is None:
            raise invalid(f"Template error: the local endpoint has no function {name}. It is a gap of the emulator.")
        return method(argument)

    def _getatt(self, argument: Any) -> Any:
        name, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
        return self.attribute(name, self(attribute))

    def _if(self, argument: list[Any]) -> Any:
        return self(argument[1] if self.condition(argument[0]) else argument[2])

    def _join(self, argument: list[Any]) -> str:
        return argument[0].join(map(_string, self(argument[1])))

    def _split(self, argument: list[Any]) -> list[str]:
        return _string(self(argument[1])).split(argument[0])

    def _select(self, argument: list[Any]) -> Any:
        index, values = int(self(argument[0])), self(argument[1])
        if isinstance(values, str) and UNKNOWN in values:
            return values
        if not 0 <= index < len(values):
            raise invalid("Template error: Fn::Select cannot select nonexistent value at index " + str(index))
        return values[index]

    def _sub(self, argument: Any) -> str:
        text, own = (argument[0], self(argument[1])) if isinstance(argument, list) else (argument, {})

        def value(found) -> str:
            name = found.group(1).strip()
            if name in own:
                return _string(own[name])
            return _string(self._getatt(name) if "." in name else self._ref(name))

        return SUBSTITUTION.sub(value, text).replace("${!", "${")

    def _base64(self, argument: Any) -> str:
        return base64.b64encode(_string(self(argument)).encode()).decode()

    def _getazs(self, argument: Any) -> list[str]:
        return self.zones(_string(self(argument)))

    def _findinmap(self, argument: list[Any]) -> Any:
        name, first, second = (self(each) for each in argument[:3])
        try:
            return self.template["Mappings"][name][_string(first)][_string(second)]
        except KeyError:
            if len(argument) > 3 and isinstance(argument[3], dict) and "DefaultValue" in argument[3]:
                return self(argument[3]["DefaultValue"])
            raise invalid(f"Template error: Unable to get mapping for {name}::{first}::{second}") from None

    def _importvalue(self, argument: Any) -> str:
        return self.exports(_string(self(argument)))

    def _cidr(self, argument: list[Any]) -> list[str]:
        block, count, bits = (self(each) for each in [*argument, 8][:3])
        network = ipaddress.ip_network(block)
        subnets = network.subnets(new_prefix=network.max_prefixlen - int(bits))
        return [str(next(subnets)) for _ in range(int(count))]

    def _length(self, argument: Any) -> int:
        return len(self(argument))

    def _tojsonstring(self, argument: Any) -> str:
        return json.dumps(self(argument), separators=(",", ":"))


def _string(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(_string, value)) if isinstance(value, list) else str(value)


def _same(first: Any, second: Any) -> bool:
    return first == second if isinstance(first, (list, dict)) else _string(first) == _string(second)
