# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""GET /handson/status?listener_port=8080: could a listener have that port? Asked before a run writes anything."""

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from embedded_endpoint import server
from embedded_endpoint.probe import port_holder, port_taken

from container_endpoint import balancer

_Plain = server.StatusPage


class StatusPage(_Plain):
    """The status with `taken_ports`, where it is asked for ports: what nobody of ours listens on, and can't be had."""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        asked = parse_qs(environ.get("QUERY_STRING", "")).get("listener_port", [])
        if environ.get("PATH_INFO") != "/handson/status" or not asked:
            return super().__call__(environ, start_response)
        found = [{"port": port, "holder": holder} for port in map(int, asked) if (holder := holder_of(port))]
        body = json.dumps(json.loads(self.body) | {"taken_ports": found}).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


def install() -> None:
    """Answer so from the next start of the server on."""
    server.StatusPage = StatusPage


def holder_of(port: int) -> str:
    """What keeps a new listener from a port; empty if nothing does, or a listener of this endpoint has it already."""
    if balancer.is_open(port) or not port_taken(port):
        return ""
    return f"{port_holder(port)}, or not allowed to this user" if port < 1024 else port_holder(port)
