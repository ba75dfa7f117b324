# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the sample applications as programs of their own, each on a free port of this machine."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

APPS = Path(__file__).resolve().parents[2] / "examples/apps"


class Program:
    """A running application. Its log is a file, so that a full pipe never holds it up."""

    def __init__(self, folder, app, **environment):
        self.log = folder / f"{app}.log"
        # Nothing of the caller's environment but what Python itself may need.
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "LANG")}
        settings = {"PORT": "0", "STRESS_JOBS": "0", "VERSION": "v1", "PYTHONDONTWRITEBYTECODE": "1", **environment}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo", app], cwd=APPS, env={**kept, **settings}, stdout=log, stderr=log
            )

    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def line(self, message, seconds=10):
        """Return the log's line with this message. Waits for it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in self.log.read_text().split("\n")[:-1]:
                if json.loads(line).get("message") == message:
                    return json.loads(line)
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        raise AssertionError(f"no line {message!r} in {self.log.read_text()}")

    def connect(self):
        if not hasattr(self, "port"):
            self.port = self.line("listening")["port"]
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def ask(self, path, method="GET", **request):
        """Return (status, body, headers). JSON is read."""
        connection = self.connect()
        try:
            connection.request(method, path, **request)
            return self.answer(connection)
        finally:
            connection.close()

    @staticmethod
    def answer(connection):
        answer = connection.getresponse()
        body = answer.read().decode()
        is_json = answer.headers["Content-Type"].startswith("application/json")
        return answer.status, json.loads(body) if is_json and body else body, answer.headers

    def stop(self, signal_number=signal.SIGTERM):
        """Return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.process.wait(20)


@pytest.fixture
def start(tmp_path):
    """Return a function that starts an application, ready for requests unless told otherwise."""
    programs = []

    def start_one(app="petclinic-rest", ready=True, **environment):
        folder = tmp_path / str(len(programs))
        folder.mkdir()
        programs.append(Program(folder, app, **environment))
        if ready:
            programs[-1].line("ready")
        return programs[-1]

    yield start_one
    for program in programs:
        if program.process.poll() is None:
            program.process.kill()
        program.process.wait(10)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """Return a function that gives an application that runs, the same one to every test of a module."""
    programs = {}

    def get(app):
        if app not in programs:
            programs[app] = Program(tmp_path_factory.mktemp(app), app)
            programs[app].line("ready")
        return programs[app]

    yield get
    for program in programs.values():
        program.process.kill()
        program.process.wait(10)
