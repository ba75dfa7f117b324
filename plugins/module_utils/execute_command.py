# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ECS Exec: what it needs, and the program that carries the session.

ExecuteCommand only opens a session of Systems Manager. AWS's session-manager-plugin connects to it; the AWS CLI starts
it the same way. What must be there stands in "Monitor Amazon ECS containers with ECS Exec" in the ECS documentation.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import time
from typing import Any, Callable, Iterable, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.task_logs import clean

PLUGIN = "session-manager-plugin"
INSTALL = "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"
#: The plugin takes the session, in which there is a token, by this variable. Up to and with 1.2.497.0 it took it only as
#: an argument, which everybody on the machine can read.
SESSION_VARIABLE = "AWS_SSM_START_SESSION_RESPONSE"
LAST_WITHOUT_VARIABLE = (1, 2, 497, 0)
AGENT = "ExecuteCommandAgent"
#: What the plugin says about the session itself.
_CHATTER = re.compile(r"(Starting|Exiting) session with sessionId: \S+", re.IGNORECASE)
_BROKEN = re.compile(r"Cannot perform start session: .*|SessionId: \S+ : .*")


def takes_variable(version: str) -> bool:
    """Tell whether a plugin of this version takes the session by SESSION_VARIABLE."""
    found = re.fullmatch(r"\d+(\.\d+){0,3}", version.strip())
    if not found:
        return False
    numbers = tuple(int(n) for n in version.strip().split("."))
    return numbers + (0,) * (4 - len(numbers)) > LAST_WITHOUT_VARIABLE


def choose(tasks: Iterable[Mapping[str, Any]], wanted: str | None = None) -> Mapping[str, Any] | None:
    """Return the running task to enter: the one asked for by id or its beginning, else the newest that can be entered."""
    running = [t for t in tasks if t.get("lastStatus") == "RUNNING"]
    if wanted:
        name = wanted.rsplit("/", 1)[-1]
        return next((t for t in running if t["taskArn"].rsplit("/", 1)[-1].startswith(name)), None)
    running.sort(key=lambda t: (bool(t.get("enableExecuteCommand")), str(t.get("startedAt") or "")))
    return running[-1] if running else None


def task_faults(service: Mapping[str, Any], task: Mapping[str, Any], container: str) -> list[str]:
    """Return what keeps ECS Exec out of a container of a service's task, each with the way out."""
    faults = []
    if not service.get("enableExecuteCommand"):
        faults.append(
            "The service does not allow ECS Exec. Set service_execute_command: true, then playbooks/service.yml and "
            "playbooks/update.yml: only tasks that start afterwards have it."
        )
    elif not task.get("enableExecuteCommand"):
        faults.append(
            f"The task {task['taskArn'].rsplit('/', 1)[-1]} started before the service allowed ECS Exec. Replace the tasks: "
            "playbooks/update.yml"
        )
    for each in task.get("containers") or []:
        for agent in each.get("managedAgents") or []:
            if each["name"] == container and agent.get("name") == AGENT and agent.get("lastStatus") != "RUNNING":
                why = f": {agent['reason']}" if agent.get("reason") else ""
                faults.append(
                    f"The agent for ECS Exec in the container is {agent.get('lastStatus')}{why}. Right after a task's start wait "
                    "a minute; else look at the task role, and whether the task reaches the Systems Manager endpoint ssmmessages."
                )
    return faults


def definition_faults(definition: Mapping[str, Any], container: str) -> list[str]:
    """Return what in the task definition keeps ECS Exec out of a container, each with the way out."""
    faults = []
    if not definition.get("taskRoleArn"):
        faults.append(
            "The task has no role, so the agent in it may not open a channel. With service_execute_command: true "
            "playbooks/task.yml makes one; then playbooks/service.yml. One of your own, in task_definition_task_role, must be "
            "allowed ssmmessages:CreateControlChannel, CreateDataChannel, OpenControlChannel and OpenDataChannel on *."
        )
    for each in definition.get("containerDefinitions") or []:
        if each["name"] == container and each.get("readonlyRootFilesystem"):
            faults.append(
                "The container's root file system is read-only (readonly_root_filesystem), and the agent of ECS Exec must "
                "write to it."
            )
    return faults


def plugin_faults(path: str | None, version: str) -> list[str]:
    """Return what is wrong with session-manager-plugin on this machine. `path` is None where it isn't there."""
    if path is None:
        return [f"{PLUGIN} is not in the PATH of this machine. Install it: {INSTALL}"]
    if not takes_variable(version):
        return [
            f"{PLUGIN} {version.strip()!r} takes the session's token on its command line only, where everybody on this machine "
            f"can read it. Install 1.2.536.0 or newer: {INSTALL}"
        ]
    return []


def by_hand(cluster: str, task: str, container: str, region: str, command: str | None) -> str:
    """Return the line for a shell of one's own."""
    return (
        f"aws ecs execute-command --region {region} --cluster {shlex.quote(cluster)} --task {task} "
        f"--container {shlex.quote(container)} --interactive --command {shlex.quote(command or '/bin/sh')}"
    )


def docker_by_hand(runtime_id: str | None, command: str | None) -> str:
    """Return the line that enters a container by Docker; empty where this machine's engine runs none of that id."""
    docker = shutil.which("docker")
    if not docker or not runtime_id:
        return ""
    try:
        asked = [docker, "container", "inspect", "--format", "{{.State.Running}}", runtime_id]
        found = subprocess.run(asked, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return f"docker exec -it {runtime_id[:12]} {command or '/bin/sh'}" if found.stdout.strip() == "true" else ""


def session_json(session: Mapping[str, Any]) -> str:
    """Return what ExecuteCommand answered in the names that the plugin reads. It holds a token: never show it."""
    return json.dumps(
        {"SessionId": session["sessionId"], "StreamUrl": session["streamUrl"], "TokenValue": session["tokenValue"]}
    )


def run_plugin(
    path: str, session: str, region: str, target: str, endpoint: str, timeout: float, say: Callable[[str], None]
) -> tuple[list[str], str | None]:
    """Let the plugin carry a session; return the lines of its output and, where it went wrong, why.

    `timeout` is in seconds. The plugin wants a terminal to read from: on a closed input it ends the session at once.
    It gives no exit code of the command.
    """
    mine, terminal = pty.openpty()
    environment = {**os.environ, SESSION_VARIABLE: session}
    parameters = [SESSION_VARIABLE, region, "StartSession", "", json.dumps({"Target": target}), endpoint]
    try:
        program = subprocess.Popen(
            [path, *parameters],
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    finally:
        os.close(terminal)
    try:
        return _read(program, timeout, say)
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()
        program.stdout.close()
        os.close(mine)


def _read(program: subprocess.Popen, timeout: float, say: Callable[[str], None]) -> tuple[list[str], str | None]:
    deadline, rest, lines, broken = time.monotonic() + timeout, b"", [], None

    def take(raw: bytes) -> None:
        nonlocal broken
        text = clean(raw.decode(errors="replace"))
        if _CHATTER.search(text) or (not text and not lines):
            return
        if found := _BROKEN.match(text):
            broken = found[0]
        lines.append(text)
        say(text)

    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            if rest:
                take(rest)
            return lines, f"the command did not end within {timeout:.0f} s (service_shell_timeout)"
        if not select.select([program.stdout], [], [], left)[0]:
            continue
        piece = os.read(program.stdout.fileno(), 65536)
        *whole, rest = (rest + piece).split(b"\n")
        for each in whole:
            take(each)
        if not piece:
            if rest:
                take(rest)
            while lines and not lines[-1]:
                lines.pop()
            code = program.wait()
            return lines, broken or (f"{PLUGIN} ended with code {code}" if code else None)
