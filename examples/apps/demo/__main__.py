# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Start an application: `python -m demo api`, or with APP in the environment."""

import argparse
import json
import signal
import sys
import threading
import urllib.request

from demo import apps, settings
from demo.server import Log, Server


def task_id(metadata_uri: str) -> str:
    """Ask the ECS agent for the id of this task. Raises OSError, ValueError or KeyError where it doesn't say."""
    # Not through a proxy: the address is one of this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{metadata_uri}/task", timeout=2) as answer:
        return json.load(answer)["TaskARN"].rpartition("/")[2]


def start(server: Server, config: settings.Settings) -> None:
    """Do what is to be done before the first request. The health check answers meanwhile, with 503."""
    if config.metadata_uri:
        try:
            server.task = task_id(config.metadata_uri)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            message = f"ECS does not say which task this is ({error}); the host name stands for it."
            server.log("warning", message=message, task=server.task)
    if server.stopping.wait(config.start_seconds):
        return
    server.state = apps.DOWN if config.unhealthy else apps.UP
    server.log(message="ready", state=server.state, task=server.task)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description="The README says what the environment may set.")
    parser.add_argument("app", nargs="?", default="", help=f"{', '.join(settings.PORTS)}; default: $APP")
    # Taken by sigwait() below, never in the middle of something else. Threads inherit it.
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        config = settings.read(app=parser.parse_args().app)
    except settings.WrongSetting as error:
        Log()("error", message=str(error))
        return 2
    log = Log(app=config.app, version=config.version)
    if config.crash:
        log("error", message="CRASH is set: this version ends at its start.")
        return 1
    # While /test/stress burns CPU, other requests wait less for their turn; five milliseconds are the default.
    sys.setswitchinterval(0.001)
    stopping = threading.Event()
    try:
        server = Server((config.host, config.port), apps.make(config, stopping), config.version, stopping, log)
    except OSError as error:
        log("error", message=f"{config.host}:{config.port} can't be used: {error}. Set HOST or PORT.")
        return 1
    log(message="listening", host=config.host, port=server.server_address[1])
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    threading.Thread(target=start, args=(server, config), daemon=True).start()
    name = signal.Signals(signal.sigwait(signals)).name
    log(message="stopping", signal=name, task=server.task)
    cut_off = server.drain(config.stop_seconds)
    log("error" if cut_off else "info", message="stopped", cut_off=cut_off, task=server.task)
    return 1 if cut_off else 0


if __name__ == "__main__":
    sys.exit(main())
