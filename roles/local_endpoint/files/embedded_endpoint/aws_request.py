# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Which service and operation does an HTTP request mean? Read from the WSGI environment, as AWS's protocols put it."""

import io
import re
from typing import Any
from urllib.parse import parse_qs

MAX_FORM = 10_000_000  # bytes of a query-protocol body that are searched for its Action

_KEPT = "handson.operation"
_SCOPE = re.compile(r"Credential=[^/,\s]+/\d+/[^/]*/([^/]+)/aws4_request")
_READ = re.compile(
    "^(Describe|Get|List|Head|BatchGet|BatchCheck|BatchDescribe|Lookup|Search|Filter|Query|Scan|Select|AssumeRole"
    "|Validate|Simulate|Test|Estimate|Detect|Preview|Decode|DiscoverPollEndpoint)"
)


def service_of(environ: dict[str, Any]) -> str:
    """The signing name in the request's credential scope (``ec2``, ``elasticloadbalancing``), else ``unknown``."""
    found = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    if found:
        return found.group(1)
    credential = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])[0].split("/")
    return credential[3] if len(credential) == 5 else "unknown"


def operation_of(environ: dict[str, Any]) -> tuple[str, bool]:
    """The operation, and whether it may change something.

    JSON protocols name it in X-Amz-Target, query protocols in the form; for REST it is method and path. A form body
    is read here and put back, and the answer kept for who asks again after the body was consumed.
    """
    if _KEPT not in environ:
        environ[_KEPT] = _read_operation(environ)
    return environ[_KEPT]


def _read_operation(environ: dict[str, Any]) -> tuple[str, bool]:
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        operation = target.rpartition(".")[2]
        return operation, not _READ.match(operation)
    action = parse_qs(environ.get("QUERY_STRING", "")).get("Action") or _form_action(environ)
    if action:
        return action[0], not _READ.match(action[0])
    method = environ.get("REQUEST_METHOD", "GET")
    return f"{method} {environ.get('PATH_INFO', '/')}", method not in ("GET", "HEAD", "OPTIONS")


def _form_action(environ: dict[str, Any]) -> list[str] | None:
    if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return None
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return None
    if not 0 < length <= MAX_FORM:
        return None
    body = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    found = re.search(rb"(?:^|&)Action=([A-Za-z0-9]+)", body)
    return [found.group(1).decode("ascii")] if found else None
