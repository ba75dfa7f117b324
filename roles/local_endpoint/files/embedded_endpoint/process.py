# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Start, find and stop the server of a state directory. Never touches a process that is not provably ours."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from embedded_endpoint.probe import HOST, endpoint_status, is_our_server, port_holder, port_taken
from embedded_endpoint.state import StateDir

DEFAULT_PORT = 5001
START_SECONDS = 60
STOP_SECONDS = 5
COMMAND = "make site"  # by which people start it


class EndpointError(Exception):
    """Something the user must know; the text says what, and the way out."""


def url(port: int) -> str:
    """The endpoint's address on that port."""
    return f"http://{HOST}:{port}"


def wanted_port(state: StateDir, port: int | None) -> int:
    """The port to use: --port, else HANDSON_ENDPOINT_PORT, else the one used before, else 5001.

    Raises EndpointError for a number that is no port.
    """
    if port is None:
        text = os.environ.get("HANDSON_ENDPOINT_PORT", "").strip()
        if text:
            try:
                port = int(text)
            except ValueError:
                raise EndpointError(f"HANDSON_ENDPOINT_PORT is '{text}', which is not a port number.") from None
    if port is None:
        port = state.read_number(state.port_file) or DEFAULT_PORT
    if not 1 <= port <= 65535:
        raise EndpointError(f"{port} is not a port number: choose one from 1024 to 65535 (HANDSON_ENDPOINT_PORT).")
    return port


def running_port(state: StateDir, port: int | None = None, timeout: float = 2.0) -> int | None:
    """The port on which this state directory's server answers, None if it doesn't.

    It answers only to its own name: a server of another checkout on our port is not ours.
    """
    candidates = [state.read_number(state.port_file)]
    with contextlib.suppress(EndpointError):
        candidates.append(wanted_port(state, port))
    for candidate in dict.fromkeys(filter(None, candidates)):
        status = endpoint_status(candidate, timeout)
        if status and status.get("state_dir") == str(state.path):
            return candidate
    return None


def start(state: StateDir, port: int | None = None) -> tuple[int, bool]:
    """Make sure the endpoint runs.

    Returns its port, and whether this call started it. Raises EndpointError when the port is taken by something else
    or the server doesn't come up.
    """
    with state.locked():
        running = running_port(state, port)
        if running:
            _remember(state, running)
            return running, False

        pid = state.read_number(state.pid_file)
        if is_our_server(pid, state.path):
            # Ours, but it didn't answer. A loaded machine may be slow: ask once more, patiently.
            running = running_port(state, port, timeout=10.0)
            if running:
                _remember(state, running)
                return running, False
            _terminate(pid, state)  # it hangs, and a new one must replace it
        chosen = wanted_port(state, port)
        state.forget_server()
        if port_taken(chosen):
            raise EndpointError(
                f"The embedded AWS endpoint can't start: port {chosen} on {HOST} is held by {port_holder(chosen)}. "
                f"Nothing was changed. Take another port (HANDSON_ENDPOINT_PORT={chosen + 1} {COMMAND}), "
                "or stop what holds this one."
            )
        _launch(state, chosen)
        return chosen, True


def stop(state: StateDir, port: int | None = None) -> bool:
    """Stop this state directory's server; False when none ran. Raises EndpointError when it doesn't end."""
    if not state.path.is_dir():
        return False
    with state.locked():
        pid = state.read_number(state.pid_file)
        if not is_our_server(pid, state.path):
            # The pid file is missing or stale; the server itself may still be there and says its pid.
            running = running_port(state, port)
            status = endpoint_status(running) if running else None
            pid = status.get("pid") if status else None
        stopped = is_our_server(pid, state.path)
        if stopped:
            _terminate(pid, state)
        state.forget_server()
        return stopped


def _remember(state: StateDir, port: int) -> None:
    """Write the pid and port files of a server that answers, where they were lost."""
    status = endpoint_status(port) or {}
    if state.read_number(state.port_file) != port:
        state.write_number(state.port_file, port)
    if status.get("pid") and state.read_number(state.pid_file) != status["pid"]:
        state.write_number(state.pid_file, status["pid"])


def _launch(state: StateDir, port: int) -> None:
    """Start the server detached and wait until it answers. Raises EndpointError if it dies or stays silent."""
    package = Path(__file__).resolve().parent
    descriptor = os.open(state.server_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as log:
        server = subprocess.Popen(
            [sys.executable, str(package), "serve", "--state-dir", str(state.path), "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=state.path,
            start_new_session=True,
        )
    state.write_number(state.pid_file, server.pid)
    state.write_number(state.port_file, port)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            state.forget_server()
            raise EndpointError(
                f"The embedded AWS endpoint ended while it started (exit code {server.returncode}). "
                f"The last lines of {state.server_log}:\n{_tail(state.server_log)}"
            )
        status = endpoint_status(port, timeout=1.0)
        if status and status.get("pid") == server.pid:
            return
        time.sleep(0.05)
    _terminate(server.pid, state)
    state.forget_server()
    raise EndpointError(
        f"The embedded AWS endpoint did not answer on port {port} within {START_SECONDS} s. "
        f"The last lines of {state.server_log}:\n{_tail(state.server_log)}"
    )


def _terminate(pid: int | None, state: StateDir) -> None:
    """End our server: SIGTERM, then SIGKILL after STOP_SECONDS. Checks again before each signal whose process it is."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        if not pid or not is_our_server(pid, state.path):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal_number)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            if not is_our_server(pid, state.path):
                return
            time.sleep(0.02)
    raise EndpointError(f"The embedded AWS endpoint (pid {pid}) does not end, not even on SIGKILL.")


def _tail(file: Path, lines: int = 20) -> str:
    """The last lines of a text file, for a message."""
    try:
        return "\n".join(file.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError as error:
        return f"({error})"
