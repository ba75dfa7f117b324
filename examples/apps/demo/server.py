# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""An HTTP/1.1 server that keeps connections, names its task in every answer, and loses no request when stopped."""

import contextlib
import ctypes
import json
import socket
import socketserver
import struct
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl

from demo.apps import STARTING, App

#: A load balancer keeps its connections for 60 s; one that is closed before by us could cost it a request.
KEEP_SECONDS = 75
#: When stopping, a connection counts as unused after this time without a request.
QUIET_SECONDS = 1.0
BODY_LIMIT = 65536


class Log:
    """One JSON object a line on standard output."""

    def __init__(self, **always: object):
        self.always = always
        self.lock = threading.Lock()

    def __call__(self, level: str = "info", **fields: object) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"time": now, "level": level, **self.always, **fields})
        # A reader that is gone is no reason to fail.
        with self.lock, contextlib.suppress(OSError):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


@dataclass
class Connection:
    busy: bool = False
    since: float = field(default_factory=time.monotonic)


class Handler(BaseHTTPRequestHandler):
    """One connection, with one request after the other."""

    protocol_version = "HTTP/1.1"
    # What can't be read as HTTP is answered with a status line and headers, too.
    default_request_version = "HTTP/1.1"
    server_version, sys_version = "handson-demo", ""
    timeout = KEEP_SECONDS
    # Headers and body in one packet, at once.
    wbufsize, disable_nagle_algorithm = -1, True
    server: "Server"

    def setup(self) -> None:
        super().setup()
        self.use = self.server.connections[self.request]
        self.begun, self.path = time.monotonic(), ""

    def handle_one_request(self) -> None:
        super().handle_one_request()
        self.use.busy, self.use.since = False, time.monotonic()

    def parse_request(self) -> bool:
        self.use.busy, self.begun, self.path = True, time.monotonic(), ""
        return super().parse_request()

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self.skip_body()
        try:
            status, body = self.server.app.answer(path, dict(parse_qsl(query)), self.server.state)
        except Exception as error:
            self.server.log("error", message=f"{type(error).__name__}: {error}", path=path)
            status, body = 500, {"error": "The application failed; its log says why."}
        self.answer(status, body)

    do_HEAD = do_GET

    def refuse(self) -> None:
        self.skip_body()
        path = self.path.partition("?")[0]
        if self.server.app.knows(path):
            self.answer(405, {"error": f"{self.command} is not for {path}."}, {"Allow": "GET, HEAD"})
        else:
            self.answer(404, self.server.app.missing(path))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = refuse

    def skip_body(self) -> None:
        """Read what a request brings along, or its rest would be taken for the next request."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length[:12]) > BODY_LIMIT:
            self.close_connection = True
        else:
            self.rfile.read(int(length))

    def answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        text = isinstance(body, str)
        content = (body if text else json.dumps(body, ensure_ascii=False)).encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", f"{'text/plain' if text else 'application/json'}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        for name, value in {
            "X-Task": self.server.task, "X-Version": self.server.version, **self.server.app.headers, **(headers or {})
        }.items():  # fmt: skip
            self.send_header(name, "".join(c if " " <= c <= "~" else "?" for c in value))
        if self.close_connection or self.server.stopping.is_set():
            self.send_header("Connection", "close")
        try:
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
            self.wfile.flush()
        finally:
            path = self.path.partition("?")[0]
            ms = round((time.monotonic() - self.begun) * 1000, 1)
            self.server.log(method=self.command, path=path, status=int(status), ms=ms, task=self.server.task)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what isn't HTTP as all else is answered: with our headers and a line in the log."""
        self.close_connection = True
        self.answer(code, {"error": message or HTTPStatus(code).phrase})

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: answer() writes the log."""


def drop_new_connections(listener: socket.socket) -> None:
    """Let the kernel drop every packet to a listening socket from now on; connections that wait there stay.

    Whoever connected between the last accept() and close() would see the connection reset after it sent its request.
    Dropped instead, it tries again, and is refused before it sent anything. Linux only; elsewhere a small gap stays.
    """
    if sys.platform == "linux":
        # A packet filter of one instruction, "return 0" (linux/filter.h). 26: SO_ATTACH_FILTER (asm-generic/socket.h).
        instruction = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
        with contextlib.suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HP", 1, ctypes.addressof(instruction)))


class Server(socketserver.ThreadingTCPServer):
    """Counts its connections, so that it knows when the last one is done."""

    allow_reuse_address = True
    daemon_threads = True
    # Connections that wait to be accepted; five, the default, would refuse some under load.
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], app: App, version: str, stopping: threading.Event, log: Log):
        self.app, self.version, self.stopping, self.log = app, version, stopping, log
        self.task, self.state = socket.gethostname(), STARTING
        self.connections: dict[socket.socket, Connection] = {}
        super().__init__(address, Handler)

    def process_request(self, request, client_address) -> None:
        # Counted here, not in the thread: that may start after the last look at the count.
        self.connections[request] = Connection()
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:
        super().shutdown_request(request)
        self.connections.pop(request, None)

    def handle_error(self, request, client_address) -> None:
        error = sys.exc_info()[1]
        # A client that went away is no fault of ours.
        if not isinstance(error, ConnectionError):
            self.log("error", message=f"{type(error).__name__}: {error}")

    def drain(self, seconds: float) -> int:
        """Accept no more, answer what was accepted, and return how many requests were not done in time."""
        self.stopping.set()
        self.shutdown()
        drop_new_connections(self.socket)
        # Who connected before this moment is waiting in the kernel, and would see the connection reset.
        self.socket.setblocking(False)
        while True:
            try:
                self.process_request(*self.get_request())
            except OSError:
                break
        self.server_close()
        deadline = time.monotonic() + seconds
        while self.connections and time.monotonic() < deadline:
            for request, use in self.connections.copy().items():
                if not use.busy and time.monotonic() - use.since > QUIET_SECONDS:
                    # Its thread reads the end, unless a request has just come: that one is still answered.
                    with contextlib.suppress(OSError):
                        request.shutdown(socket.SHUT_RD)
            time.sleep(0.02)
        return sum(use.busy for use in self.connections.copy().values())
