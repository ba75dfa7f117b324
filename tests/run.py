#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every test, say what this machine cannot run, and end with one line of counts.

    tests/run.py [lint] [pytest] [molecule]      # nothing named: all of them

Each part runs even when one before it failed; the exit code is 1 as soon as one did.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
ENDPOINT = [sys.executable, str(ROOT / "roles/local_endpoint/files/embedded_endpoint")]
#: The CloudFormation templates among the roles' files.
TEMPLATES = sorted(f for f in ROOT.glob("roles/*/files/*.yml") if "AWSTemplateFormatVersion" in f.read_text())
LINTS = [
    ("yamllint", [BIN / "yamllint", "--strict", "."]),
    ("cfn-lint", [BIN / "cfn-lint", "--", *TEMPLATES]),
    ("ansible-lint", [BIN / "ansible-lint", "--offline", "--nocolor", "-q"]),
]


def clean_environment() -> dict[str, str]:
    """The caller's environment without settings that would point a test at a real account or another inventory."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "HANDSON_", "ANSIBLE_", "MOLECULE_"))}
    return {**kept, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}


def free_port() -> str:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def run(title: str, command: list[object], environment: dict[str, str]) -> tuple[int, str]:
    """Run a command, show its output as it comes, and return its exit code and output."""
    print(f"\n=== {title}", flush=True)
    start, lines = time.monotonic(), []
    with subprocess.Popen(
        [str(c) for c in command], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        for line in process.stdout:
            lines.append(line)
            print(line, end="", flush=True)
    print(f"=== {title}: exit {process.returncode} after {time.monotonic() - start:.0f} s", flush=True)
    return process.returncode, "".join(lines)


def lint() -> tuple[int, int]:
    """Return (passed, failed) of the linters."""
    codes = [run(title, command, clean_environment())[0] for title, command in LINTS]
    return codes.count(0), len(codes) - codes.count(0)


def unit() -> tuple[int, int]:
    """Return (passed, failed) of pytest's tests."""
    code, text = run("pytest", [BIN / "pytest", "-q", "-n", "2", "--dist", "worksteal", "--durations=5"], clean_environment())
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error)", text.splitlines()[-1] if text else "")}
    failed = counts.get("failed", 0) + counts.get("error", 0)
    return counts.get("passed", 0), failed or int(code != 0)


def molecule() -> tuple[int, int]:
    """Return (passed, failed) of the Molecule scenarios, which share one endpoint of their own."""
    scenarios = len(list(ROOT.glob("molecule/*/molecule.yml")))
    with tempfile.TemporaryDirectory(prefix="handson-molecule-") as state:
        environment = {
            **clean_environment(),
            "MOLECULE_GLOB": "molecule/*/molecule.yml",
            "HANDSON_STATE_DIR": state,
            "HANDSON_ENDPOINT_PORT": free_port(),
            # Its notes on what is created go with the folder, and are not shared with another checkout of this name.
            "MOLECULE_EPHEMERAL_DIRECTORY": f"{state}/molecule",
        }
        try:
            code, _ = run("molecule", [BIN / "molecule", "test", "--all"], environment)
        finally:
            # After a failed clean-up Molecule leaves the shared endpoint running.
            subprocess.run([*ENDPOINT, "stop", "--state-dir", f"{state}/.handson/molecule"], env=environment, check=False)
    return (scenarios, 0) if code == 0 else (0, scenarios)


PARTS = {"lint": lint, "pytest": unit, "molecule": molecule}
#: What no machine of this project's tests can run, so that nobody takes silence for success.
NOT_RUN = [
    "a real AWS account: everything above ran on the embedded endpoint",
    "containers behind the load balancer (make containers): that needs a Docker engine, and no scenario runs it yet",
]


def main() -> int:
    wanted = sys.argv[1:] or list(PARTS)
    unknown = [w for w in wanted if w not in PARTS]
    if unknown:
        sys.exit(f"{unknown[0]!r} is none of {', '.join(PARTS)}.")
    counts = [PARTS[w]() for w in wanted]
    passed, failed = (sum(c[i] for c in counts) for i in (0, 1))
    print("\nNot run here:")
    for what in NOT_RUN:
        print(f"- {what}")
    print(f"\n{passed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
