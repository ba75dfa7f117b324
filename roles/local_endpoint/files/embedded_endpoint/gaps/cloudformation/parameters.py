# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Parameters of a stack: defaults, previous values, constraints, and values looked up in the Parameter Store."""

import re
from typing import Any

from botocore.exceptions import ClientError

from embedded_endpoint.gaps.cloudformation.clients import Api
from embedded_endpoint.gaps.cloudformation.errors import Failure, invalid

_STORED = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
# Types whose values must exist: the service, the operation that tells, and its parameter (a list of one value).
_EXISTING = {
    "AWS::EC2::Image::Id": ("describe_images", "ImageIds"),
    "AWS::EC2::KeyPair::KeyName": ("describe_key_pairs", "KeyNames"),
    "AWS::EC2::SecurityGroup::Id": ("describe_security_groups", "GroupIds"),
    "AWS::EC2::Subnet::Id": ("describe_subnets", "SubnetIds"),
    "AWS::EC2::VPC::Id": ("describe_vpcs", "VpcIds"),
}


def given(template: dict[str, Any], parameters: list[dict[str, Any]], previous: dict[str, str]) -> dict[str, str]:
    """The values of a template's parameters as text, from a call's list. Raises ValidationError."""
    declared = template.get("Parameters") or {}
    if unknown := [each["ParameterKey"] for each in parameters if each["ParameterKey"] not in declared]:
        raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    values: dict[str, str] = {}
    for each in parameters:
        name = each["ParameterKey"]
        if each.get("UsePreviousValue"):
            if each.get("ParameterValue"):
                raise invalid(
                    f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true and non empty "
                    "value for a parameter"
                )
            if name not in previous:
                raise invalid(
                    f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter "
                    "key not in the previous template"
                )
            values[name] = previous[name]
        elif each.get("ParameterValue") is not None:
            values[name] = each["ParameterValue"]
    for name, declaration in declared.items():
        if name not in values and "Default" in declaration:
            values[name] = _text(declaration["Default"])
    if missing := [name for name in declared if name not in values]:
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    for name, value in values.items():
        _check(name, declared[name], value)
    return {name: values[name] for name in declared}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(_text, value)) if isinstance(value, list) else str(value)


def _check(name: str, declaration: dict[str, Any], value: str) -> None:
    kind = declaration.get("Type")
    numbers = value.split(",") if kind == "List<Number>" else [value] if kind == "Number" else []
    for each in numbers:
        try:
            number = float(each)
        except ValueError:
            raise invalid(f"Parameter '{name}' must be a number.") from None
        _refuse(number < float(declaration.get("MinValue", number)), name, declaration,
                f"must be a number not less than {declaration.get('MinValue')}")  # fmt: skip
        _refuse(number > float(declaration.get("MaxValue", number)), name, declaration,
                f"must be a number not greater than {declaration.get('MaxValue')}")  # fmt: skip
    allowed = [_text(each) for each in declaration.get("AllowedValues", [])]
    parts = [each.strip() for each in value.split(",")] if kind == "CommaDelimitedList" else [value]
    for each in parts:
        _refuse(bool(allowed) and each not in allowed, name, declaration, "must be one of AllowedValues")
        _refuse(len(each) < int(declaration.get("MinLength", 0)), name, declaration,
                f"must contain at least {declaration.get('MinLength')} characters")  # fmt: skip
        _refuse(len(each) > int(declaration.get("MaxLength", len(each))), name, declaration,
                f"must contain at most {declaration.get('MaxLength')} characters")  # fmt: skip
        pattern = declaration.get("AllowedPattern")
        _refuse(bool(pattern) and not re.fullmatch(pattern, each), name, declaration, f"must match pattern {pattern}")


def _refuse(broken: bool, name: str, declaration: dict[str, Any], rule: str) -> None:
    if broken:
        description = declaration.get("ConstraintDescription")
        raise invalid(
            f"Parameter {name} failed to satisfy constraint: {description}"
            if description
            else f"Parameter '{name}' {rule}"
        )


def resolved(template: dict[str, Any], values: dict[str, str], api: Api) -> dict[str, Any]:
    """What Ref gives for each parameter: text, or a list. Raises ValidationError for a name not in the store."""
    found: dict[str, Any] = {}
    missing = []
    for name, declaration in (template.get("Parameters") or {}).items():
        kind, value = declaration.get("Type", "String"), values[name]
        if stored := _STORED.fullmatch(kind):
            kind = stored.group(1)
            try:
                value = api.ssm("get_parameter", Name=value)["Parameter"]["Value"]
            except ClientError:
                missing.append(value)
        listed = kind == "CommaDelimitedList" or kind.startswith("List<")
        found[name] = [each.strip() for each in value.split(",")] if listed else value
    if missing:
        raise invalid(f"Unable to fetch parameters [{','.join(missing)}] from parameter store for this account.")
    return found


def check_existence(template: dict[str, Any], values: dict[str, Any], api: Api) -> None:
    """AWS-specific types name things that exist. Raises Failure: CloudFormation finds it out after the call."""
    for name, declaration in (template.get("Parameters") or {}).items():
        kind = re.sub(r"^List<(.+)>$", r"\1", declaration.get("Type", "String"))
        for value in values[name] if isinstance(values[name], list) else [values[name]]:
            if kind not in _EXISTING:
                continue
            operation, key = _EXISTING[kind]
            try:
                api.ec2(operation, **{key: [value]})
            except ClientError:
                raise Failure(
                    f"Parameter validation failed: parameter value {value} for parameter name {name} does not exist"
                ) from None


def shown(template: dict[str, Any], values: dict[str, str], resolved_values: dict[str, Any]) -> list[dict[str, str]]:
    """A stack's parameters as DescribeStacks gives them."""
    result = []
    for name, declaration in (template.get("Parameters") or {}).items():
        hidden = str(declaration.get("NoEcho", "")).lower() == "true"
        entry = {"ParameterKey": name, "ParameterValue": "****" if hidden else values[name]}
        if _STORED.fullmatch(declaration.get("Type", "")):
            entry["ResolvedValue"] = _text(resolved_values.get(name, ""))
        result.append(entry)
    return result
