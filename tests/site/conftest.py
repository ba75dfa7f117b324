# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole product, run as a user runs it: ansible-playbook from the checkout's root, on an endpoint of the tests' own."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

ROOT = Path(__file__).resolve().parents[2]
ENDPOINT = ROOT / "roles/local_endpoint/files/embedded_endpoint"
REGION = "ap-southeast-1"


class Run:
    """What one ansible-playbook came to."""

    def __init__(self, process, record: Path) -> None:
        self.code = process.returncode
        self.text = process.stdout
        lines = record.read_text().splitlines() if record.exists() else []
        self.results = [r for r in map(json.loads, lines) if "task" in r]
        recap = re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", self.text, re.MULTILINE)
        self.changed = sum(int(n) for _host, n in recap)

    @property
    def things(self) -> list[str]:
        """What changed or would change, such as 'service petclinic-rest-service', sorted."""
        return sorted(t for r in self.results for t in r["things"])

    @property
    def changes(self) -> list[str]:
        """The tasks that changed something, with their diffs: what to show when a test fails."""
        return [f"{r['host']}: {r['task']} {json.dumps(r['diffs'])[:1500]}" for r in self.results if r["changed"]]

    @property
    def messages(self) -> str:
        return "\n".join(r["msg"] for r in self.results if r["status"] == "failed")


class Site:
    """A checkout with a state folder and endpoint of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "HANDSON_", "ANSIBLE_"))}
        self.environment = {
            **clean,
            "HANDSON_STATE_DIR": str(state),
            "HANDSON_ENDPOINT_PORT": str(self.port),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "record",
            "ANSIBLE_NOCOLOR": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        self.clients = {}

    def command(self, playbook: str, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).parent / "ansible-playbook"), playbook, "-e", "service_wait_interval=0.1", *arguments]

    def play(self, playbook: str, *arguments: str, fails: bool = False, **environment: str) -> Run:
        """Run a playbook; unless `fails`, it must end well."""
        record = self.state / "record.jsonl"
        record.unlink(missing_ok=True)
        process = subprocess.run(
            self.command(playbook, *arguments),
            cwd=ROOT,
            env={**self.environment, "HANDSON_RECORD": str(record), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
        )
        run = Run(process, record)
        assert (run.code != 0) == fails, run.text[-6000:]
        return run

    def endpoint(self, *arguments: str) -> str:
        command = [sys.executable, str(ENDPOINT), *arguments, "--state-dir", str(self.state)]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True, timeout=90).stdout

    def calls(self) -> int:
        return int(self.endpoint("calls", "--count"))

    def calls_since(self, start: int) -> dict:
        return json.loads(self.endpoint("calls", "--since", str(start), "--json"))

    def aws(self, service: str):
        if service not in self.clients:
            self.clients[service] = boto3.client(
                service,
                region_name=REGION,
                endpoint_url=self.url,
                aws_access_key_id="embedded-endpoint",
                aws_secret_access_key="embedded-endpoint-key",
            )
        return self.clients[service]


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("state"))
    site.endpoint("start", "--port", str(site.port))
    yield site
    site.endpoint("stop")


@pytest.fixture
def site(running):
    """An empty account."""
    running.endpoint("reset")
    for key in (running.state / "keys").glob("*") if (running.state / "keys").exists() else []:
        key.unlink()
    return running
