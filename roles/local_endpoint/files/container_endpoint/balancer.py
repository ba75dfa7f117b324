# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The load balancers' listeners: one HTTP server a port of the loopback interface, which follows the rules.

Left out: HTTPS (refused when a listener is made), stickiness, authentication, access logs. The load balancer's name is
``localhost``, so the listener's port is what tells one from another: two listeners need two ports.
"""

import http.client
import itertools
import socket
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from embedded_endpoint.gaps.patching import replace
from embedded_endpoint.probe import HOST, port_holder, port_taken
from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer

from container_endpoint import health, routing, traffic
from container_endpoint.trouble import Trouble

NAME = "localhost"
HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}

#: requests that are on their way, by the address of their target
open_requests: Counter[tuple[str, int]] = Counter()
_counting = threading.Lock()  # += of one thread may otherwise lose that of another
_turn = itertools.count()
_servers: dict[int, tuple[ThreadingHTTPServer, str]] = {}  # port -> (server, listener ARN)
_refused: dict[int, Trouble] = {}  # by port


def _count(address: tuple[str, int], number: int) -> None:
    with _counting:
        open_requests[address] += number


class Handler(BaseHTTPRequestHandler):
    """One client's connection."""

    protocol_version = "HTTP/1.1"
    timeout = 60  # idle seconds, load_balancer_idle_timeout's default
    # Headers and body leave in one packet: in two, the second one waits 40 ms for the client's delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_args: Any) -> None:
        """Nothing: a load balancer's access log is off by default."""

    def handle_expect_100(self) -> bool:
        """Tell a client that waits before it sends a large body to go on, at once: curl waits a second."""
        go_on = super().handle_expect_100()
        self.wfile.flush()
        return go_on

    def _handle(self) -> None:
        body = self._body()
        request = routing.Request(self.command, self.path, dict(self.headers.items()), self.client_address[0])
        listener = self.server.listener()  # type: ignore[attr-defined]
        rule = routing.choose(list(listener.rules.values()), request) if listener else None
        for action in rule.actions if rule else []:
            kind = action.data.get("Type")
            if kind == "forward":
                return self._forward(routing.target_group(action.data), body)
            if kind == "fixed-response":
                config = action.data.get("FixedResponseConfig") or {}
                text = (config.get("MessageBody") or "").encode()
                return self._answer(int(config.get("StatusCode") or 503), text, config.get("ContentType"))
            if kind == "redirect":
                return self._redirect(action.data.get("RedirectConfig") or {}, request)
        return self._fail(503, "Service Temporarily Unavailable")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle

    def _body(self) -> bytes:
        if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0].strip() or b"0", 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass  # trailers
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _forward(self, arn: str | None, body: bytes) -> None:
        group = self.server.backend.target_groups.get(arn)  # type: ignore[attr-defined]
        targets = health.usable(group) if group is not None else []
        if not targets:
            return self._fail(503, "Service Temporarily Unavailable")
        address = targets[next(_turn) % len(targets)]
        _count(address, 1)
        try:
            self._exchange(arn, address, body)
        finally:
            _count(address, -1)

    def _exchange(self, arn: str | None, address: tuple[str, int], body: bytes) -> None:
        balancer = self.server.balancer_arn  # type: ignore[attr-defined]
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        headers.pop("Content-Length", None)
        before = headers.get("X-Forwarded-For")
        headers["X-Forwarded-For"] = f"{before}, {self.client_address[0]}" if before else self.client_address[0]
        headers["X-Forwarded-Proto"] = "http"
        headers["X-Forwarded-Port"] = str(self.server.server_address[1])
        connection = http.client.HTTPConnection(*address, timeout=60)
        try:
            connection.request(self.command, self.path, body=body or None, headers=headers)
            sent = time.monotonic()
            answer = connection.getresponse()
            seconds = time.monotonic() - sent
            data = answer.read()
        except TimeoutError:
            traffic.request(balancer, arn)
            return self._fail(504, "Gateway Time-out")
        except (OSError, http.client.HTTPException):
            traffic.request(balancer, arn)
            return self._fail(502, "Bad Gateway")
        finally:
            connection.close()
        traffic.request(balancer, arn, answer.status, seconds)
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        if length is not None and answer.status not in (204, 304):
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _answer(self, code: int, data: bytes, kind: str | None = None) -> None:
        self.send_response_only(code)
        self.send_header("Server", "awselb/2.0")
        self.send_header("Content-Type", kind or "text/plain")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _fail(self, code: int, reason: str) -> None:
        traffic.failure(self.server.balancer_arn, code)  # type: ignore[attr-defined]
        title = f"{code} {reason}"
        body = f"<center><h1>{title}</h1></center>"
        page = f"<html>\n<head><title>{title}</title></head>\n<body>\n{body}\n</body>\n</html>\n"
        self._answer(code, page.encode(), "text/html")

    def _redirect(self, config: dict[str, Any], request: routing.Request) -> None:
        parts = {
            "protocol": "http",
            "host": request.host,
            "port": str(self.server.server_address[1]),
            "path": request.path.lstrip("/"),
            "query": request.query,
        }

        def fill(key: str, default: str) -> str:
            text = config.get(key) or default
            for name, value in parts.items():
                text = text.replace("#{" + name + "}", value)
            return text

        query = fill("Query", "#{query}")
        place = f"{fill('Protocol', '#{protocol}').lower()}://{fill('Host', '#{host}')}:{fill('Port', '#{port}')}"
        place += fill("Path", "/#{path}") + (f"?{query}" if query else "")
        self.send_response_only(301 if config.get("StatusCode") == "HTTP_301" else 302)
        self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Server(ThreadingHTTPServer):
    """The listener's port."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, backend: ELBv2Backend, port: int, arn: str):
        super().__init__((HOST, port), Handler)
        self.backend, self.arn = backend, arn

    def listener(self) -> Any:
        """The listener as it is now."""
        balancer = self.backend.load_balancers.get(self.balancer_arn)
        return balancer.listeners.get(self.arn) if balancer else None

    balancer_arn = ""

    def handle_error(self, *_args: Any) -> None:
        """A client that went away is none of ours."""

    def server_bind(self) -> None:
        """As socketserver does, without looking the host's name up."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = NAME, self.server_address[1]


def follow(backends: list[ELBv2Backend]) -> None:
    """Open the ports of the listeners that there are, and close those of listeners that are gone."""
    wanted = {}
    for backend in backends:
        for balancer in list(backend.load_balancers.values()):
            for arn, listener in list(balancer.listeners.items()):
                if listener.protocol == "HTTP":
                    wanted.setdefault(int(listener.port), (backend, balancer.arn, arn))
    for port, (server, arn) in list(_servers.items()):
        if port not in wanted or wanted[port][2] != arn:
            server.shutdown()
            server.server_close()
            del _servers[port]
    for port, (backend, balancer_arn, arn) in wanted.items():
        if port in _servers:
            continue
        try:
            server = Server(backend, port, arn)
        except OSError as error:
            _refused.setdefault(port, Trouble(f"port {port} of {HOST}, for a listener")).met(f"{arn}: {error}")
            continue
        if port in _refused:
            _refused.pop(port).over()
        server.balancer_arn = balancer_arn
        _servers[port] = (server, arn)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()


def is_open(port: int) -> bool:
    """Whether a listener answers on that port."""
    return port in _servers


def _refuse_taken(backend: ELBv2Backend, port: Any, own: str | None = None) -> None:
    port = int(port)
    for balancer in backend.load_balancers.values():
        for listener in balancer.listeners.values():
            if int(listener.port) == port and listener.arn != own:
                raise _refusal(port, f"the load balancer {balancer.name}")
    if port not in _servers and port_taken(port):
        raise _refusal(port, port_holder(port))


def _refusal(port: int, holder: str) -> ELBClientError:
    return ELBClientError(
        "InvalidConfigurationRequest",
        f"The local endpoint's listeners are ports of {HOST}, and {port} is held by {holder}, or not allowed to this "
        "user. Set load_balancer_listener_port of the cluster to a free one above 1023.",
    )


def _refuse_encrypted(protocol: Any) -> None:
    if protocol and protocol != "HTTP":
        raise ELBClientError(
            "InvalidConfigurationRequest",
            f"The local endpoint's listeners answer HTTP; {protocol} is left out there, and nobody would get an "
            "answer. Take HTTP here (no certificate: load_balancer_certificate_arn of the cluster), or try it without "
            "containers (make site) or on a real account.",
        )


@replace(ELBv2Backend)
def modify_listener(original, self, arn, port=None, protocol=None, *args, **kwargs):
    _refuse_encrypted(protocol)
    if port is not None:
        _refuse_taken(self, port, arn)
    return original(self, arn, port, protocol, *args, **kwargs)


@replace(ELBv2Backend)
def create_listener(original, self, load_balancer_arn, protocol, port, *args, **kwargs):
    _refuse_encrypted(protocol)
    if port and load_balancer_arn in self.load_balancers:
        mine = self.load_balancers[load_balancer_arn].listeners.values()
        if not any(int(each.port) == int(port) for each in mine):  # its own: moto refuses that itself
            _refuse_taken(self, port)
    return original(self, load_balancer_arn, protocol, port, *args, **kwargs)


@replace(FakeLoadBalancer, "__init__")
def _balancer(original, self, *args, **kwargs):
    original(self, *args, **kwargs)
    self.dns_name = NAME
