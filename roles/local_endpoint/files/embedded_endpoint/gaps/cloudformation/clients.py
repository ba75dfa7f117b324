# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The services' APIs from inside the server, for CloudFormation: boto3 clients whose requests stay in this process.

So a stack's resource is made as a client would make it, with every check and gap, but not over HTTP and not in the log
of requests (CloudFormation's calls aren't the caller's).
"""

import json
from typing import Any

from botocore.config import Config
from botocore.model import Shape
from moto.core.base_backend import AccountSpecificBackend
from moto.core.botocore_stubber import BotocoreStubber

from embedded_endpoint.gaps.cloudformation.errors import Failure

_IN_PROCESS = BotocoreStubber()
_IN_PROCESS.enabled = True
_cache: dict[tuple[str, str, str], Any] = {}


def _client(service: str, account_id: str, region: str) -> Any:
    key = (service, account_id, region)
    if key not in _cache:
        client = AccountSpecificBackend.get_session().client(  # has read most of what a client needs
            service,
            region_name=region,
            aws_access_key_id="cloudformation",
            aws_secret_access_key="cloudformation",
            config=Config(retries={"total_max_attempts": 1}, user_agent="cloudformation.amazonaws.com"),
        )
        client.meta.events.register("before-send", _IN_PROCESS)
        client.meta.events.register(
            "before-call", lambda params, **_: params["headers"].update({"x-moto-account-id": account_id})
        )
        _cache[key] = client
    return _cache[key]


class Api:
    """One account and region: ``api.ec2("create_vpc", CidrBlock=...)``, properties as a template has them.

    A template's values are strings where an API has numbers and booleans, and ECS's API writes its names with a small
    letter; both are put right by the operation's model. None is left out.
    """

    def __init__(self, account_id: str, region: str):
        self.account_id, self.region = account_id, region

    def __getattr__(self, service: str):
        if service.startswith("_"):
            raise AttributeError(service)

        def call(operation: str, **parameters: Any) -> Any:
            client = _client(service, self.account_id, self.region)
            shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation]).input_shape
            given = {name: value for name, value in parameters.items() if value is not None}
            answer = getattr(client, operation)(**fitted(shape, given))
            answer.pop("ResponseMetadata", None)
            return answer

        return call

    def pages(self, service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
        """All items of a listing."""
        pages = _client(service, self.account_id, self.region).get_paginator(operation).paginate(**parameters)
        return [item for page in pages for item in page[key]]


def fitted(shape: Shape | None, value: Any, path: str = "") -> Any:
    """`value` with the names and types of an API's shape. Raises Failure for a name that the API doesn't have."""
    if shape is None or value is None:
        return value
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        names = {name.lower(): name for name in shape.members}
        result = {}
        for key, each in value.items():
            name = names.get(str(key).lower())
            if name is None:
                raise Failure(f"Encountered unsupported property {path}{key}")
            if each is not None:
                result[name] = fitted(shape.members[name], each, f"{path}{key}/")
        return result
    if kind == "list":
        return [fitted(shape.member, each, path) for each in (value if isinstance(value, list) else [value])]
    if kind == "map" and isinstance(value, dict):
        return {str(key): fitted(shape.value, each, path) for key, each in value.items()}
    return _scalar(kind, value, path)


def _scalar(kind: str, value: Any, path: str) -> Any:
    try:
        if kind in ("integer", "long"):
            return int(float(value)) if isinstance(value, str) and "." in value else int(value)
        if kind in ("float", "double"):
            return float(value)
    except (TypeError, ValueError):
        raise Failure(f"Value of property {path.rstrip('/')} must be a number: {value}") from None
    if kind == "boolean" and isinstance(value, str):
        if value.lower() not in ("true", "false"):
            raise Failure(f"Value of property {path.rstrip('/')} must be of type Boolean: {value}")
        return value.lower() == "true"
    if kind == "string" and not isinstance(value, str):
        if isinstance(value, bool):
            return str(value).lower()
        return json.dumps(value) if isinstance(value, (dict, list)) else str(value)
    return value
