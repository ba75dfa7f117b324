# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Secrets of a container definition: from Parameter Store or Secrets Manager, by name or ARN."""

import json
from typing import Any

from moto.secretsmanager import secretsmanager_backends
from moto.ssm import ssm_backends


class Unresolved(Exception):
    """A secret isn't there; the text names it, never a value."""


def resolve(backend, definition: dict[str, Any]) -> dict[str, str]:
    """{variable: value} of the definition's secrets. Raises Unresolved."""
    found = {}
    for each in definition.get("secrets") or []:
        source = each["valueFrom"]
        try:
            found[each["name"]] = _value(backend, source)
        except Exception:
            raise Unresolved(
                f"unable to pull secrets or registry auth: unable to retrieve secret from asm or ssm: {source}"
            ) from None
    return found


def _value(backend, source: str) -> str:
    if ":secretsmanager:" in source:
        parts = source.split(":")
        secrets = secretsmanager_backends[backend.account_id][backend.region_name]
        text = secrets.get_secret_value(":".join(parts[:7]), "", "")["SecretString"]
        return json.loads(text)[parts[7]] if len(parts) > 7 and parts[7] else text
    name = source.partition(":parameter")[2] if source.startswith("arn:") else source
    parameter = ssm_backends[backend.account_id][backend.region_name].get_parameter(name)
    return parameter.response_object(decrypt=True)["Value"]
