#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure first run, second run, check and teardown on a warm endpoint of its own; print medians of three.

    tests/bench.py [petclinic] [site] [2] [10]      # nothing named: the first two

`petclinic` is the first tutorial with builds, pipeline, alarms and scaling, `site` both of them; a number is that many
services on one cluster, each with a rule of its own and none of the rest. The budgets are those of petclinic.

Seconds and CPU seconds are of ansible-playbook with all it starts (the endpoint is apart); peak memory is the largest
process. Calls come from the endpoint's request log. A task starts a process when Ansible runs a module in an
interpreter of its own, which the recorder counts by wrapping Ansible's one place for that.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENDPOINT = [sys.executable, str(ROOT / "roles/local_endpoint/files/embedded_endpoint")]
PLAYBOOK = str(Path(sys.executable).parent / "ansible-playbook")
CONFIRM = ["-e", "teardown_confirm=true"]
STEPS = [
    ("check on empty", ["site.yml", "--check", "--diff"]),
    ("first run", ["site.yml"]),
    ("second run", ["site.yml"]),
    ("teardown", ["teardown.yml", *CONFIRM]),
]
SUBJECTS = {"petclinic": ["--limit", "petclinic*"], "site": []}
#: As in tests/site/test_site.py.
CALLS = 130
COLUMNS = ["seconds", "cpu", "MiB", "calls", "mutating", "tasks", "processes"]


def measure(environment: dict[str, str], state: Path, arguments: list[str]) -> dict[str, float]:
    """Run one playbook and return its figures by COLUMNS."""
    record = state / "record.jsonl"
    record.unlink(missing_ok=True)
    before = calls(environment, "--count")
    start = time.monotonic()
    process = subprocess.Popen(
        [PLAYBOOK, *arguments],
        cwd=ROOT,
        env={**environment, "HANDSON_RECORD": str(record)},
        stdin=subprocess.DEVNULL,
        stdout=(state / "out").open("w"),
        stderr=subprocess.STDOUT,
    )
    _, status, usage = os.wait4(process.pid, 0)  # with all that it started and waited for
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - start
    if process.returncode:
        sys.exit(f"{arguments} failed:\n{(state / 'out').read_text()[-4000:]}")
    made = json.loads(calls(environment, "--json", "--since", before.strip()))
    results = [json.loads(line) for line in record.read_text().splitlines()]
    return {
        "seconds": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "MiB": usage.ru_maxrss / 1024,
        "calls": made["calls"],
        "mutating": made["mutating"],
        "tasks": sum("task" in r for r in results),
        "processes": sum("process" in r for r in results),
    }


def calls(environment: dict[str, str], *arguments: str) -> str:
    return subprocess.run([*ENDPOINT, "calls", *arguments], env=environment, check=True, capture_output=True, text=True).stdout


def services(number: int, folder: Path) -> list[str]:
    """Write an inventory of that many services on one cluster, and return the options that select it."""
    inventory = folder / f"services-{number}"
    inventory.mkdir()
    (inventory / "group_vars").symlink_to(ROOT / "inventories/local/group_vars")
    names = [f"part-{n:02}" for n in range(1, number + 1)]
    rules = {
        name: {"target_group_rule_priority": n, "target_group_rule_paths": [f"/{name}/*"], "cluster_name": "bench-cluster"}
        for n, name in enumerate(names, 1)
    }
    hosts = {
        "clusters": {"hosts": {"bench-cluster": {"instances_type": "m5.4xlarge"}}},
        "services": {"hosts": rules},
        # Sizes and names as in the second tutorial.
        "break_the_monolith": {"hosts": dict.fromkeys(names)},
    }
    (inventory / "hosts.json").write_text(json.dumps({"all": {"children": hosts}}))
    return ["-i", str(inventory)]


def bench(subject: str, options: list[str], environment: dict[str, str], state: Path) -> None:
    """Measure all steps four times, leave the first round out, which warms the endpoint up, and print the medians."""
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name, _ in STEPS}
    for number in range(4):
        for name, arguments in STEPS:
            figures = measure(environment, state, [*arguments, *options])
            if number:
                rounds[name].append(figures)
    print(f"\n{subject + ', medians of three':28}" + "".join(f"{c:>11}" for c in COLUMNS))
    medians = {}
    for name, figures in rounds.items():
        medians[name] = {c: statistics.median(f[c] for f in figures) for c in COLUMNS}
        cells = [f"{medians[name][c]:.1f}" if c in ("seconds", "cpu") else f"{medians[name][c]:.0f}" for c in COLUMNS]
        print(f"{name:28}" + "".join(f"{c:>11}" for c in cells))
    second, first = medians["second run"], medians["first run"]
    print(f"second run / first run: {second['seconds'] / first['seconds']:.2f} of the seconds (budget 0.60)")
    if subject == "petclinic":
        print(f"second run: {second['calls']:.0f} calls (budget {CALLS}), {second['mutating']:.0f} mutating (budget 0), "
              f"{second['processes']:.0f} tasks that start a process (budget 35)", flush=True)  # fmt: skip


def main() -> None:
    wanted = sys.argv[1:] or list(SUBJECTS)
    unknown = [w for w in wanted if w not in SUBJECTS and not w.isdigit()]
    if unknown:
        sys.exit(f"{unknown[0]!r} is none of {', '.join(SUBJECTS)}, and no number of services.")
    with tempfile.TemporaryDirectory(prefix="handson-bench-") as folder, socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        s.close()
        state = Path(folder)
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "HANDSON_", "ANSIBLE_"))},
            "HANDSON_STATE_DIR": folder,
            "HANDSON_ENDPOINT_PORT": str(port),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "record",
        }
        subprocess.run([*ENDPOINT, "start"], env=environment, check=True, capture_output=True)
        try:
            for subject in wanted:
                options = SUBJECTS[subject] if subject in SUBJECTS else services(int(subject), state)
                bench(subject if subject in SUBJECTS else f"{subject} services", options, environment, state)
        finally:
            subprocess.run([*ENDPOINT, "stop"], env=environment, check=True, capture_output=True)


if __name__ == "__main__":
    main()
