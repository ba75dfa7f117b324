# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What the closing lines of the tests say of a scenario that failed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import molecule_log

HEAD = "  \x1b[2m│\x1b[0m \n  │ TASK [Fail where it differs]\n  │   *****\n  │ [ERROR]: Task failed: Action failed: a thing:\n"
TAIL = """\
  │ PLAY RECAP
  │   ****
  │ cluster   : ok=1    changed=0    unreachable=0    failed=1
  └─ Return code: 2 ──
CRITICAL Ansible return code was 2, command was: ansible-playbook
\x1b[31mERROR   \x1b[0m \x1b[32mnetwork\x1b[0m ➜ \x1b[33mverify\x1b[0m: \x1b[31mExecuted: Failed\x1b[0m
"""
TABLE = """\
\x1b[32mdefault      \x1b[0m: actions=5  successful=5  disabled=0  skipped=0  missing=0  failed=0
\x1b[32mnetwork      \x1b[0m: actions=5  successful=4  disabled=0  skipped=0  missing=0  failed=1
\x1b[32mdefault      \x1b[0m: actions=1  successful=1  disabled=0  skipped=0  missing=0  failed=0
"""


def test_a_failure_is_told_with_its_task():
    block = "  │ fatal: [cluster]: FAILED! => \n  │     msg: |-\n  │         a thing:\n  │             expected 2\n  │ \n"
    assert molecule_log.causes(HEAD + block + TAIL) == [
        "molecule network, verify\n"
        "    TASK [Fail where it differs]\n"
        "    fatal: [cluster]: FAILED! => \n"
        "        msg: |-\n"
        "            a thing:\n"
        "                expected 2"
    ]


def test_a_failure_is_told_where_molecule_draws_no_frame():
    text = """\
TASK [Fail where it differs] ******
fatal: [api]: FAILED! =>
    msg: a thing

PLAY RECAP ******
CRITICAL Ansible return code was 2
ERROR    [many_services > verify] Executed: Failed
"""
    assert molecule_log.causes(text) == [
        "molecule many_services, verify\n    TASK [Fail where it differs]\n    fatal: [api]: FAILED! =>\n        msg: a thing"
    ]


def test_of_a_run_within_the_run_only_what_became_of_it_is_told():
    noise = "".join(f"  │         ok: [{n}]\n" for n in range(40))
    inner = "  │     cmd:\n  │     - ansible-playbook\n  │     rc: 0\n  │     stdout: |-\n" + noise + "  │         changed: [cluster]\n" + noise
    told = molecule_log.causes(HEAD + "  │ fatal: [localhost]: FAILED! => \n" + inner + TAIL)[0].splitlines()[2:]
    assert told == ["    fatal: [localhost]: FAILED! =>", "    rc: 0", "    changed: [cluster]"]


def test_a_long_failure_is_cut():
    block = "  │ fatal: [cluster]: FAILED! => \n" + "".join(f"  │     line {n}\n" for n in range(90))
    assert len(molecule_log.causes(HEAD + block + TAIL)[0].splitlines()) <= molecule_log.MOST_LINES + 2


def test_without_a_failed_task_the_last_lines_are_told():
    assert "Idempotence test failed" in molecule_log.causes("CRITICAL Idempotence test failed\n" + TAIL)[0]


def test_each_scenario_in_the_table_has_passed_or_not():
    assert molecule_log.results(TABLE) == {"default": True, "network": False}
    assert molecule_log.results(TABLE.replace("failed=1", "failed=0")) == {"default": True, "network": True}


def test_what_passed_has_no_cause():
    assert molecule_log.causes(HEAD.replace("[ERROR]", "") + TABLE) == []
