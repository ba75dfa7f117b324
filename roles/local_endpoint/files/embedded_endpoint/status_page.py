# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""GET /handson/status: how the launcher recognises its own server."""

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from embedded_endpoint.probe import SERVICE


class StatusPage:
    """WSGI middleware that answers /handson/status and passes everything else on."""

    def __init__(self, application: Callable[..., Iterable[bytes]], state_dir: str, port: int):
        self.application = application
        self.body = json.dumps({"service": SERVICE, "state_dir": state_dir, "pid": os.getpid(), "port": port}).encode()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/handson/status":
            return self.application(environ, start_response)
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(self.body)))]
        start_response("200 OK", headers)
        return [self.body]
