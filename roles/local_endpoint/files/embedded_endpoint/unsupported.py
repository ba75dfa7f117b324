# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A plain answer for what moto doesn't have.

moto 5.2.5 raises NotImplementedError for an operation it lacks, and fails on a service it doesn't know; both reach
the client as HTTP 500, which every SDK repeats with growing pauses (seen with codeconnections and GetPipelineState).
501 isn't repeated, and the text says what is missing.
"""

import html
import json
from collections.abc import Callable, Iterable
from typing import Any

from embedded_endpoint.aws_request import operation_of, service_of


class Unsupported:
    """WSGI middleware that turns moto's NotImplementedError and unknown services into an AWS-style error."""

    def __init__(self, application: Any):
        self.application = application
        self.known: dict[str, bool] = {}  # host -> moto has it; moto tries some 200 patterns for each answer

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            operation_of(environ)  # now: moto consumes the body
            if environ.get("HTTP_AUTHORIZATION") and self._unknown_service(environ):
                raise NotImplementedError
            return self.application(environ, start_response)
        except NotImplementedError:
            return self._answer(environ, start_response)

    def _unknown_service(self, environ: dict[str, Any]) -> bool:
        host = self.application.infer_service_region_host(environ, environ.get("PATH_INFO", ""))
        if host is None:
            return False
        if host not in self.known:
            self.known[host] = self.application.get_backend_for_host(host) is not None
        return not self.known[host]

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        service, operation = service_of(environ), operation_of(environ)[0]
        message = f"The local endpoint has no {service}:{operation}. It is a gap of the emulator, not of your request."
        if environ.get("HTTP_X_AMZ_TARGET") or "json" in environ.get("CONTENT_TYPE", ""):
            kind = "application/x-amz-json-1.1"
            body = json.dumps({"__type": "NotImplementedException", "message": message})
        else:
            kind = "text/xml"
            error = f"<Code>NotImplementedException</Code><Message>{html.escape(message)}</Message>"
            if service == "ec2":
                body = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>local</RequestID></Response>"
            else:
                body = f"<ErrorResponse><Error>{error}</Error><RequestId>local</RequestId></ErrorResponse>"
        content = body.encode()
        start_response("501 Not Implemented", [("Content-Type", kind), ("Content-Length", str(len(content)))])
        return [content]
