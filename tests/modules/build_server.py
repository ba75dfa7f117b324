# SPDX-License-Identifier: GPL-3.0-or-later
"""The fakes of fake_builds.py behind a port, for whole playbooks. What they do not know goes on to an endpoint."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.error
import urllib.request
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.exceptions import ClientError
from modules.fake_builds import OPERATIONS, fits

#: What the SDK puts before the operation in the header X-Amz-Target.
TARGETS = {"CodeBuild_20161006": "codebuild", "CodePipeline_20150709": "codepipeline", "Logs_20140328": "logs"}


def _plain(value):
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(type(value))


@contextlib.contextmanager
def serving(fake, upstream: str, theirs: tuple[str, ...] = ()):
    """Serve a fake; yield (url, calls). Operations that are named in `theirs` go on, too."""
    calls: list[tuple[str, dict]] = []
    lock = threading.Lock()

    def answer(service, operation, parameters):
        """Return (status, body), or None where this is not the fake's to answer."""
        part = next((p for p in fake.parts() if service in p.services and hasattr(p, operation)), None)
        if part is None or operation in theirs or operation not in OPERATIONS.get(service, ()):
            return None
        fits(service, operation, "input", parameters)
        try:
            result = getattr(part, operation)(**parameters)
        except ClientError as e:
            error = e.response["Error"]
            return 400, {"__type": error["Code"], "message": error["Message"]}
        fits(service, operation, "output", result)
        return 200, result

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            prefix, _, operation = self.headers.get("X-Amz-Target", "").partition(".")
            with lock:
                service = TARGETS.get(prefix, "")
                calls.append((operation, json.loads(body or b"{}")))
                answered = answer(service, operation, calls[-1][1])
            status, content = self._forward(body) if answered is None else (answered[0], json.dumps(answered[1], default=_plain).encode())
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _forward(self, body):
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("content-length", "connection", "accept-encoding")}
            request = urllib.request.Request(upstream + self.path, data=body, headers=headers, method="POST")
            try:
                with urllib.request.urlopen(request, timeout=30) as r:
                    return r.status, r.read()
            except urllib.error.HTTPError as e:
                return e.code, e.read()

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", calls
    finally:
        server.shutdown()
        server.server_close()
