# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Can the engine reach this machine's loopback interface? Tried, before anything is made that would be pushed there.

A socket on this machine may lead to an engine that is elsewhere: in a network of its own (rootless), in a virtual
machine (Docker Desktop and its like), behind a tunnel. Such an engine's 127.0.0.1 is another one, and the registry is
not there.
"""

import contextlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from embedded_endpoint.probe import HOST

from container_endpoint import engine

SECONDS = 30.0  # for one refused connection, or one that is answered on this machine
#: How an engine says that nothing answers at an address, or something else: there is another 127.0.0.1 where it is.
ELSEWHERE = re.compile(
    r"dial tcp|connection refused|no route to host|unreachable|i/o timeout|deadline exceeded|server gave HTTP response"
    r"|handson/reach\S* not found|(?:manifest|name) unknown|repository does not exist",
    re.IGNORECASE,
)


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


def ask(found: engine.Engine) -> tuple[bool, str]:
    """Whether the engine comes to a port of this machine's loopback interface when it is to pull from there.

    And what it says then. Raises NoEngine where it says nothing.
    """
    import docker.errors

    def pull(_hear) -> str:
        # With a login of nobody: otherwise docker-py asks the user's credential helpers, before it asks the engine.
        said = found.client.api.pull(f"{HOST}:{server.server_port}/handson/reach", tag="none", auth_config={})
        return str(said).strip().rpartition("\n")[2]

    with _Probe((HOST, 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            text, silent = engine.listen(pull, SECONDS), None
        except docker.errors.APIError as error:  # there is no such image, of course
            text, silent = str(error.explanation or error).strip(), None
        except (*engine.silence(), engine.Silent) as error:
            text, silent = "", error
        server.shutdown()
        if silent is not None and not server.reached:
            raise engine.NoEngine(
                f"The Docker engine at {engine.host()} did not answer when it was to pull from a port of {HOST} here, "
                f"by which it is tried whether it reaches this endpoint's registry: {silent}.",
                "Nothing was started. See whether it works (docker info), start it anew (sudo systemctl restart "
                "docker), and try again. Without containers: make site.",
            )
        return server.reached, text


def refuse_apart(found: engine.Engine) -> None:
    """Raise NoEngine where the engine can't push to a registry that answers here."""
    reached, said = ask(found)
    if reached:
        return
    kind = _kind(found)
    if not kind and not ELSEWHERE.search(said):
        raise engine.NoEngine(
            f"The Docker engine at {engine.host()} did not pull from a port of {HOST} here, where this endpoint's "
            f"registry answers. It says: {said}",
            "Nothing was started. Let it pull from there (an authorization plugin's rules, the engine's log: "
            "journalctl -u docker), or name another engine of this machine with DOCKER_HOST (docker context ls). "
            "Without containers: make site.",
        )
    raise engine.NoEngine(
        f"The Docker engine at {engine.host()} runs apart from this machine{kind}: it does not reach a port of "
        f"{HOST} here, where this endpoint's registry answers, so that no image could be pushed. It says: {said}",
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
