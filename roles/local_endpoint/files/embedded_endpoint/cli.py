# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The command line: start, stop, status, env, calls, reset, serve."""

import argparse
import http.client
import json
import os
import shlex
import sys

from embedded_endpoint import calls, environment, process
from embedded_endpoint.probe import HOST
from embedded_endpoint.state import StateDir


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit code is 0, or 1 with the reason on stderr."""
    arguments = _parser().parse_args(argv)
    state = StateDir(arguments.state_dir)
    try:
        return arguments.run(state, arguments)
    except process.EndpointError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The embedded AWS endpoint can't use its state directory {state.path}: {error}.", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--state-dir",
        default=os.environ.get("HANDSON_STATE_DIR") or os.path.join(os.getcwd(), ".handson"),
        help="where pid, port, lock and logs are kept (default: HANDSON_STATE_DIR, else ./.handson)",
    )
    common.add_argument("--port", type=int, help="port on 127.0.0.1 (default: HANDSON_ENDPOINT_PORT, else 5001)")
    parser = argparse.ArgumentParser(
        prog="embedded_endpoint", description="An AWS endpoint of records on this machine."
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, run, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, parents=[common], help=text)
        command.set_defaults(run=run)
        return command

    add("start", _start, "start it, unless it runs")
    add("stop", _stop, "stop it, if it runs")
    add("status", _status, "say in one line whether it runs")
    add("env", _env, "print shell lines that point AWS tools at it").add_argument("--region", default="ap-southeast-1")
    counting = add("calls", _calls, "totals of the API calls it received")
    counting.add_argument("--since", type=int, default=0, metavar="N", help="leave out the first N calls")
    counting.add_argument("--json", action="store_true", help="as JSON")
    counting.add_argument("--count", action="store_true", help="only the number of calls so far (for --since)")
    add("reset", _reset, "empty the account and the log of calls")
    add("serve", _serve, "(internal) serve in the foreground")
    return parser


def _start(state: StateDir, arguments: argparse.Namespace) -> int:
    port, started = process.start(state, arguments.port)
    print(f"{'started' if started else 'running'} {process.url(port)}")
    return 0


def _stop(state: StateDir, arguments: argparse.Namespace) -> int:
    print("stopped" if process.stop(state, arguments.port) else "not running")
    return 0


def _status(state: StateDir, arguments: argparse.Namespace) -> int:
    port = process.running_port(state, arguments.port)
    if port:
        print(f"running {process.url(port)} (pid {state.read_number(state.pid_file)}, state directory {state.path})")
    else:
        print(f"not running (state directory {state.path})")
    return 0


def _env(state: StateDir, arguments: argparse.Namespace) -> int:
    port = process.running_port(state, arguments.port)
    if not port:
        port = process.wanted_port(state, arguments.port)
        print("# the embedded AWS endpoint is not running: make endpoint", file=sys.stderr)
    print("\n".join(environment.export_lines(process.url(port), shlex.quote(arguments.region))))
    return 0


def _calls(state: StateDir, arguments: argparse.Namespace) -> int:
    if arguments.count:
        print(calls.count_lines(state.request_log))
        return 0
    result = calls.totals(state.request_log, arguments.since)
    print(json.dumps(result) if arguments.json else calls.as_text(result))
    return 0


def _reset(state: StateDir, arguments: argparse.Namespace) -> int:
    port = process.running_port(state, arguments.port)
    if not port:
        raise process.EndpointError("The embedded AWS endpoint is not running, so there is nothing to reset.")
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request("POST", "/moto-api/reset")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise process.EndpointError(f"The reset was not answered: {error}.") from None
    finally:
        connection.close()
    if status != 200:
        raise process.EndpointError(f"The reset was answered with HTTP status {status}.")
    if state.request_log.exists():
        os.truncate(state.request_log, 0)
    print("reset")
    return 0


def _serve(state: StateDir, arguments: argparse.Namespace) -> int:
    from embedded_endpoint.server import serve  # imports moto, which is slow: only this command needs it

    serve(state, process.wanted_port(state, arguments.port))
    return 0
