# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""One line for each AWS API request: time, service, operation, mutating, status. Never a value, header or body."""

import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from embedded_endpoint.aws_request import operation_of, service_of

# With a slash at the end: a bucket may be called handson-something.
NOT_AWS = ("/moto-api/", "/handson/", "/favicon.ico", "/latest/")


class RequestLog:
    """WSGI middleware that appends a JSON line to a file for each request."""

    def __init__(self, application: Callable[..., Iterable[bytes]], file: Path):
        self.application = application
        # O_APPEND and one write per line: lines of concurrent requests don't mix, and a truncated file is just empty.
        self.descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "").startswith(NOT_AWS):
            return self.application(environ, start_response)
        service = service_of(environ)
        operation, mutating = operation_of(environ)

        def logging_start_response(status: str, *args: Any, **kwargs: Any) -> Any:
            self._write(service, operation, mutating, int(status.split(" ", 1)[0]))
            return start_response(status, *args, **kwargs)

        try:
            return self.application(environ, logging_start_response)
        except Exception:
            self._write(service, operation, mutating, 500)
            raise

    def _write(self, service: str, operation: str, mutating: bool, status: int) -> None:
        entry = {
            "time": round(time.time(), 3),
            "service": service,
            "operation": operation,
            "mutating": mutating,
            "status": status,
        }
        os.write(self.descriptor, (json.dumps(entry, separators=(",", ":")) + "\n").encode())
