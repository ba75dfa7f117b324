#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every test, say what this machine cannot run, and end with one line of counts.

    tests/run.py [lint] [pytest] [containers] [molecule]      # nothing named: all of them

`containers` and the Molecule scenario of that name take a Docker engine, the one that the docker command uses.

Each part runs even when one before it failed; the exit code is 1 as soon as one did.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import molecule_log
from containers import machine

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
LIVE = "tests/containers/live"
ENDPOINT = [sys.executable, str(ROOT / "roles/local_endpoint/files/embedded_endpoint")]
SCENARIOS = sorted(p.parent.name for p in ROOT.glob("molecule/*/molecule.yml"))
#: The CloudFormation templates among the roles' files.
TEMPLATES = sorted(f for f in ROOT.glob("roles/*/files/*.yml") if "AWSTemplateFormatVersion" in f.read_text())
LINTS = [
    ("yamllint", [BIN / "yamllint", "--strict", "."]),
    ("cfn-lint", [BIN / "cfn-lint", "--", *TEMPLATES]),
    ("ansible-lint", [BIN / "ansible-lint", "--offline", "--nocolor", "-q"]),
]


def clean_environment() -> dict[str, str]:
    """The caller's environment without settings that would point a test at a real account or another inventory.

    DOCKER_HOST stays. What to build images on is known once, so that nobody tries to download it again.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "HANDSON_", "ANSIBLE_", "MOLECULE_"))}
    if not machine.why_not():
        kept[machine.BASE_VARIABLE] = machine.base_image()
    return {**kept, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}


def run(title: str, command: list[object], environment: dict[str, str], beside: bool = False) -> tuple[int, str]:
    """Run a command and return its exit code and output, which is shown as it comes; of one `beside` others at its end."""
    out: list[str] | None = [] if beside else None
    say(out, f"\n=== {title}\n")
    start, lines = time.monotonic(), []
    with subprocess.Popen(
        [str(c) for c in command], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        RUNNING.append(process)
        for line in process.stdout:
            lines.append(line)
            say(out, line)
    RUNNING.remove(process)
    say(out, f"=== {title}: exit {process.returncode} after {time.monotonic() - start:.0f} s\n")
    if beside:
        print("".join(out), end="", flush=True)
    return process.returncode, "".join(lines)


#: What runs now.
RUNNING: list[subprocess.Popen] = []


def say(kept: list[str] | None, text: str) -> None:
    """Print a text, or keep it for later."""
    if kept is None:
        print(text, end="", flush=True)
    else:
        kept.append(text)


def end_what_runs() -> None:
    """Interrupt what runs, for it to end what it started, and wait half a minute for that."""
    for process in RUNNING:
        process.send_signal(signal.SIGINT)
    for process in list(RUNNING):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)


def lint() -> tuple[int, list[str]]:
    """Return how many linters passed, and those that did not."""
    failed = [title for title, command in LINTS if run(title, command, clean_environment())[0]]
    return len(LINTS) - len(failed), failed


def unit() -> tuple[int, list[str]]:
    """Run pytest's tests that take no engine."""
    return pytest("pytest", "-n", "2", "--dist", "worksteal", "--durations=25", f"--ignore={LIVE}")


def containers() -> tuple[int, list[str]]:
    """Run the tests with real containers: one after the other, on one site."""
    return (0, []) if machine.why_not() else pytest("containers", "--durations=5", LIVE)


def pytest(title: str, *arguments: str) -> tuple[int, list[str]]:
    """Run pytest; return how many tests passed, and a line for each that did not."""
    code, text = run(title, [BIN / "pytest", "-q", *arguments], clean_environment())
    passed = re.search(r"(\d+) passed", text.splitlines()[-1] if text else "")
    failed = re.findall(r"^(?:FAILED|ERROR) .*", text, re.MULTILINE)
    if code and not failed:
        failed = [f"{title}: exit code {code}"]
    return int(passed.group(1)) if passed else 0, failed


def molecule() -> tuple[int, list[str]]:
    """Run the Molecule scenarios, in two halves side by side, each with an endpoint and folders of its own.

    `default` makes and ends the endpoint that the others of a half share.
    """
    names = [name for name in SCENARIOS if name != "default" and not (name == "containers" and machine.why_not())]
    halves = names[::2], names[1::2]
    ports = [str(port) for port in machine.free_ports(8)]
    with ThreadPoolExecutor() as pool:
        second = pool.submit(scenarios, halves[1], ports[4:], True)
        try:
            results = [scenarios(halves[0], ports[:4], False), second.result()]
        except KeyboardInterrupt:
            end_what_runs()
            raise
    done = {name for ran, _ in results for name in ran}
    return len(done), [line for _, failed in results for line in failed]


def scenarios(names: list[str], ports: list[str], beside: bool) -> tuple[set[str], list[str]]:
    """Run some scenarios on these four ports; return those that passed, and a line for each that did not."""
    left_out = [name for name in SCENARIOS if name not in ("default", *names)]
    with contextlib.ExitStack() as stack:
        if "containers" in names:
            state = stack.enter_context(machine.state_folder())
        else:
            state = stack.enter_context(tempfile.TemporaryDirectory(prefix="handson-molecule-"))
        environment = {
            **clean_environment(),
            "MOLECULE_GLOB": "molecule/*/molecule.yml",
            "HANDSON_STATE_DIR": str(state),
            "HANDSON_ENDPOINT_PORT": ports[0],
            "HANDSON_CONTAINERS_PORT": ports[1],
            "HANDSON_LISTENER_PORTS": ",".join(ports[2:]),
            # Its notes on what is created go with the folder, and are not shared with another checkout of this name.
            "MOLECULE_EPHEMERAL_DIRECTORY": f"{state}/molecule",
        }
        command = [BIN / "molecule", "test", "--all", *(part for name in left_out for part in ("--exclude", name))]
        try:
            code, text = run(f"molecule: {' '.join(names)}", command, environment, beside)
        finally:
            # After a failed clean-up Molecule leaves the shared endpoint running.
            stop = [*ENDPOINT, "stop", "--state-dir", f"{state}/.handson/molecule"]
            subprocess.run(stop, env=environment, check=False, stdout=subprocess.DEVNULL)
    done = molecule_log.results(text)
    failed = molecule_log.causes(text)
    failed += [f"molecule {n}" for n, good in done.items() if not good and not any(f" {n}," in f for f in failed)]
    if code and not failed:
        failed = [f"molecule of {' '.join(names)}: exit code {code}"]
    return {name for name, good in done.items() if good}, failed


PARTS = {"lint": lint, "pytest": unit, "containers": containers, "molecule": molecule}


def not_run(wanted: list[str]) -> list[str]:
    """What was not run, so that nobody takes silence for success."""
    found = ["a real AWS account: everything above ran on the embedded endpoint"]
    if machine.why_not() and {"containers", "molecule"} & set(wanted):
        found.append(f"tests/containers/live and the scenario `containers`, with real containers: {machine.why_not()}")
    if not shutil.which("ab"):
        found.append("the tests that send load: there is no ab (Debian's apache2-utils)")
    left_out = [part for part in PARTS if part not in wanted]
    if left_out:
        found.append(f"the parts that were not asked for: {', '.join(left_out)}")
    return found


def main() -> int:
    wanted = sys.argv[1:] or list(PARTS)
    unknown = [w for w in wanted if w not in PARTS]
    if unknown:
        sys.exit(f"{unknown[0]!r} is none of {', '.join(PARTS)}.")
    passed, failed = 0, []
    for part in wanted:
        good, bad = PARTS[part]()
        passed += good
        failed += bad
    print("\nNot run here:")
    for what in not_run(wanted):
        print(f"- {what}")
    # Here again, since who reads only the end of a long log must find the cause there.
    if failed:
        print("\nFailed:")
    for line in failed:
        print(f"- {line}")
    print(f"\n{passed} passed, {len(failed)} failed")
    return int(bool(failed))


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # A program that was started in the background by a shell ignores SIGINT, and so would all that it starts.
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        end_what_runs()
        sys.exit("Interrupted.")
