# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Can the engine reach this machine's loopback interface? Tried, before anything is made that would be pushed there.

A socket on this machine may lead to an engine that is elsewhere: in a network of its own (rootless), in a virtual
machine (Docker Desktop and its like), behind a tunnel. Such an engine's 127.0.0.1 is another one, and the registry is
not there.
"""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from embedded_endpoint.probe import HOST

from container_endpoint import engine


class _Answers(BaseHTTPRequestHandler):
    """A registry without any image."""

    def do_GET(self) -> None:
        body = b'{"errors":[{"code":"NAME_UNKNOWN","message":"only asked whether it is reached"}]}'
        self.send_response(200 if self.path.rstrip("/") == "/v2" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_args: Any) -> None:
        """Nothing: it is asked for what isn't there."""


class _Probe(ThreadingHTTPServer):
    """Knows whether anybody came."""

    daemon_threads = True
    reached = False

    def verify_request(self, *_args: Any) -> bool:
        self.reached = True
        return True

    def handle_error(self, *_args: Any) -> None:
        """It is asked by TLS first."""


def is_reached(found: engine.Engine) -> bool:
    """Whether the engine connects to a port of this machine's loopback interface when it is to pull from there."""
    with _Probe((HOST, 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        with contextlib.suppress(*engine.silence()):  # there is no such image, of course
            found.client.api.pull(f"{HOST}:{server.server_port}/handson/reach", tag="none")
        server.shutdown()
        return server.reached


def refuse_apart(found: engine.Engine) -> None:
    """Raise NoEngine where the engine can't push to a registry that answers here."""
    if is_reached(found):
        return
    raise engine.NoEngine(
        f"The Docker engine at {engine.host()} runs apart from this machine{_kind(found)}: it does not reach a port of "
        f"{HOST} here, where this endpoint's registry answers, so that no image could be pushed.",
        "Nothing was started. Take an engine that runs on this machine itself, as a service of the system "
        "(https://docs.docker.com/engine/install/; which ones there are: docker context ls), or name it with "
        "DOCKER_HOST. Without containers: make site.",
    )


def _kind(found: engine.Engine) -> str:
    with contextlib.suppress(*engine.silence()):
        info = found.client.api.info()
        if any(each.startswith("name=rootless") for each in info.get("SecurityOptions") or []):
            return " (it is rootless, in a network of its own)"
        if info.get("OperatingSystem") == "Docker Desktop":
            return " (it is Docker Desktop, in a virtual machine)"
    return ""
