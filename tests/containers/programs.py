# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A small HTTP server as a target, and the records that lead to it. No Docker."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace


class Target(ThreadingHTTPServer):
    """Answers what it was asked, as JSON; /status/503 with that status, /slow after a second and a half."""

    daemon_threads = True

    def __init__(self, name="one"):
        super().__init__(("127.0.0.1", 0), Handler)
        self.name, self.address = name, self.server_address
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, *_):
        """A check that waited no longer."""

    def end(self):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.path == "/slow":
            time.sleep(1.5)
        status = int(self.path.rsplit("/", 1)[1]) if self.path.startswith("/status/") else 200
        answer = {"by": self.server.name, "path": self.path, "headers": dict(self.headers), "body": body}
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("X-Task", self.server.name)
        self.send_header("Keep-Alive", "timeout=5")  # for one connection only: not to be passed on
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_HEAD = do_POST = do_GET

    def log_message(self, *_):
        pass


def group(*targets, path="/health", matcher="200", interval=5, healthy=2, unhealthy=2):
    """A target group's record, with (id, port) as its targets."""
    return SimpleNamespace(
        port=80,
        targets={f"{name}:{port}": {"Id": name, "Port": port} for name, port in targets},
        health_check_path=path,
        health_check_timeout_seconds=1,
        health_check_interval_seconds=interval,
        healthy_threshold_count=healthy,
        unhealthy_threshold_count=unhealthy,
        matcher={"HttpCode": matcher},
    )
