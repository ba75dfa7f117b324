# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Who is there? Questions about ports and processes; nothing here changes anything."""

import http.client
import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

SERVICE = "handson-embedded-endpoint"
HOST = "127.0.0.1"


def port_taken(port: int) -> bool:
    """Whether a server could *not* listen on that port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def get_json(port: int, path: str, timeout: float = 2.0) -> Any:
    """GET a JSON document from a local server; None when there is none. Goes past any HTTP proxy settings."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        if response.status != 200:
            return None
        return json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def endpoint_status(port: int, timeout: float = 2.0) -> dict[str, Any] | None:
    """What the embedded endpoint on that port says of itself (state_dir, pid, port), None if it isn't one."""
    status = get_json(port, "/handson/status", timeout)
    return status if isinstance(status, dict) and status.get("service") == SERVICE else None


def process_arguments(pid: int) -> list[str]:
    """The command line of a living process, [] if there is none or it can't be read."""
    proc = Path(f"/proc/{pid}")
    if Path("/proc/self").exists():
        try:
            if (proc / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0] == "Z":
                return []
            return (proc / "cmdline").read_bytes().decode(errors="surrogateescape").rstrip("\0").split("\0")
        except (OSError, IndexError):
            return []
    try:  # macOS has no /proc; paths with blanks are then not recognised, which errs on the safe side
        found = subprocess.run(
            ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
    except OSError:
        return []
    return found.stdout.split()


def is_our_server(pid: int | None, state_dir: Path) -> bool:
    """Whether that process provably is the server of this state directory: only then may it get a signal."""
    if not pid:
        return False
    arguments = process_arguments(pid)
    for position, argument in enumerate(arguments[:-1]):
        if argument == "--state-dir" and "serve" in arguments[:position]:
            return os.path.realpath(arguments[position + 1]) == str(state_dir)
    return False


def port_holder(port: int) -> str:
    """Words for a message: what holds the port, as far as can be known without special rights."""
    status = endpoint_status(port)
    if status:
        place = f"state directory {status.get('state_dir')}, pid {status.get('pid')}"
        return f"the embedded endpoint of another checkout ({place})"
    if get_json(port, "/moto-api/data.json") is not None:
        return "a moto server that was not started by this collection"
    pid = _listener_pid(port)
    if pid:
        name = os.path.basename((process_arguments(pid) or ["?"])[0])
        return f"process {pid} ({name})"
    return "another process (of another user, or not visible from here)"


def _listener_pid(port: int) -> int | None:
    """The process that listens on a TCP port, from /proc; None where that can't be known."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            columns = row.split()
            if columns[3] == "0A" and int(columns[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{columns[9]}]")
    if not inodes:
        return None
    for directory in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(os.readlink(descriptor) in inodes for descriptor in directory.iterdir()):
                return int(directory.parent.name)
        except OSError:
            continue
    return None
