# SPDX-License-Identifier: GPL-3.0-or-later
import shlex

import pytest

from ansible_collections.handson.ecs.plugins.module_utils import execute_command as shell


@pytest.mark.parametrize(
    "version, takes",
    [
        ("1.2.497.0", False), ("1.2.498.0", True), ("1.2.536.0\n", True), ("1.2.7.0", False), ("1.3", True), ("2", True),
        ("1.2", False), ("", False), ("unknown", False), ("1.2.536.0.1", False),
    ],
)  # fmt: skip
def test_takes_variable(version, takes):
    assert shell.takes_variable(version) is takes


def task(name, status="RUNNING", allowed=True, started="1"):
    return {"taskArn": f"arn:x/{name}", "lastStatus": status, "enableExecuteCommand": allowed, "startedAt": started}


@pytest.mark.parametrize(
    "tasks, wanted, chosen",
    [
        ([], None, None),
        ([task("a"), task("b", started="2")], None, "b"),
        ([task("a"), task("b", started="2", allowed=False)], None, "a"),
        ([task("a"), task("b", status="PENDING", started="2")], None, "a"),
        ([task("abc"), task("b")], "ab", "abc"),
        ([task("abc")], "arn:x/abc", "abc"),
        ([task("abc", status="STOPPED")], "abc", None),
    ],
)
def test_choose(tasks, wanted, chosen):
    found = shell.choose(tasks, wanted)
    assert (found and found["taskArn"][6:]) == chosen


def test_a_line_by_hand_is_quoted():
    said = shell.by_hand("c", "t", "app", "eu-west-1", "sh -c 'ls | wc -l'")
    assert shlex.split(said)[-1] == "sh -c 'ls | wc -l'"
    assert shell.by_hand("c", "t", "app", "eu-west-1", None).endswith("--interactive --command /bin/sh")


def test_nothing_is_missing():
    able = {**task("a"), "containers": [{"name": "app", "managedAgents": [{"name": shell.AGENT, "lastStatus": "RUNNING"}]}]}
    assert shell.task_faults({"enableExecuteCommand": True}, able, "app") == []
    definition = {"taskRoleArn": "arn", "containerDefinitions": [{"name": "app"}, {"name": "b", "readonlyRootFilesystem": True}]}
    assert shell.definition_faults(definition, "app") == [] and shell.plugin_faults("/x", "1.2.707.0") == []
