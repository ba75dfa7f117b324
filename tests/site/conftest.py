# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole product, run as a user runs it: ansible-playbook from the checkout's root, on an endpoint of the tests' own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import boto3
import pytest

ROOT = Path(__file__).resolve().parents[2]
ENDPOINT = ROOT / "roles/local_endpoint/files/embedded_endpoint"
REGION = "ap-southeast-1"
#: The task that each playbook begins with.
FIRST_TASK = "Check the inventory and the account"
#: The endpoint goes one step at each look, so looking often makes it fast.
QUICKLY = {"service_wait_interval": 0.1, "cluster_stack_wait_interval": 0.02}


def leaves(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """What of a thing differs, such as 'health_check.path'."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            yield from leaves(before.get(key), after.get(key), f"{path}.{key}" if path else key)
    elif before != after:
        yield path


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
    def values(self) -> list[str]:
        """What of it changed or would change, such as 'service petclinic-rest-service: desired_count', sorted."""
        pairs = [pair for r in self.results for pair in zip(r["things"], r["diffs"], strict=True)]
        return sorted(f"{thing}: {leaf}" for thing, d in pairs for leaf in leaves(d["before"], d["after"]))

    @property
    def changes(self) -> list[str]:
        """The tasks that changed something, with their diffs: what to show when a test fails."""
        return [f"{r['host']}: {r['task']} {json.dumps(r['diffs'])[:1500]}" for r in self.results if r["changed"]]

    @property
    def passes(self) -> list[int]:
        """How many tasks changed something in each playbook, where several were run in one go."""
        counts: list[int] = []
        for r in self.results:
            if r["task"].endswith(FIRST_TASK):
                counts.append(0)
            elif counts:
                counts[-1] += r["changed"]
        return counts

    @property
    def messages(self) -> str:
        return "\n".join(r["msg"] for r in self.results if r["status"] == "failed")


class Site:
    """A checkout with a state folder and endpoint of its own."""

    #: What a run is limited to, unless it says so itself.
    limit = ""

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

    def command(self, *arguments: str) -> list[str]:
        limit = ["--limit", self.limit] if self.limit and "--limit" not in arguments else []
        return [str(Path(sys.executable).parent / "ansible-playbook"), "-e", json.dumps(QUICKLY), *limit, *arguments]

    def play(self, *arguments: str, fails: bool = False, **environment: str) -> Run:
        """Run one or several playbooks; unless `fails`, they must end well."""
        record = self.state / "record.jsonl"
        record.unlink(missing_ok=True)
        process = subprocess.run(
            self.command(*arguments),
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

    def kill(self, when: Callable[[], bool], *arguments: str) -> bool:
        """Start a playbook and kill it, with every process it started, as soon as `when` holds; whether it did so."""
        process = subprocess.Popen(
            self.command(*arguments),
            cwd=ROOT,
            env={**self.environment, "HANDSON_RECORD": os.devnull},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while process.poll() is None:
            if when():
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return True
            time.sleep(0.01)
        return False

    def read_back(self, script: str) -> str:
        """Run a program of tests/verify's kind against what is there; it must find nothing that differs."""
        environment = {
            **self.environment,
            **{"AWS_ENDPOINT_URL": self.url, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION},
            **{"AWS_ACCESS_KEY_ID": "embedded-endpoint", "AWS_SECRET_ACCESS_KEY": "embedded-endpoint-key"},
            "PYTHONPATH": str(ROOT / "tests/verify"),
        }
        command = [sys.executable, str(ROOT / script)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def endpoint(self, *arguments: str) -> str:
        command = [sys.executable, str(ENDPOINT), *arguments, "--state-dir", str(self.state)]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True, timeout=90).stdout

    @property
    def log(self) -> list[dict[str, Any]]:
        """The calls that the endpoint has received, oldest first."""
        return [json.loads(line) for line in (self.state / "requests.jsonl").read_text().splitlines()]

    def calls(self) -> int:
        return len(self.log)

    def writes(self) -> int:
        """How many of them write. Cheap: it is asked again and again while a run goes on."""
        return (self.state / "requests.jsonl").read_bytes().count(b'"mutating":true')

    def calls_since(self, start: int) -> dict:
        return json.loads(self.endpoint("calls", "--since", str(start), "--json"))

    def writes_since(self, start: int) -> list[str]:
        """The operations since then that write, each once, such as 'ecs:CreateService', sorted."""
        return sorted({f"{c['service']}:{c['operation']}" for c in self.log[start:] if c["mutating"]})

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
def both(running):
    """An empty account, and the whole inventory: both tutorials."""
    running.endpoint("reset")
    for key in (running.state / "keys").glob("*") if (running.state / "keys").exists() else []:
        key.unlink()
    running.limit = ""
    return running


@pytest.fixture
def site(both):
    """An empty account, and the hosts of the petclinic tutorial alone."""
    both.limit = "petclinic-*"
    return both
