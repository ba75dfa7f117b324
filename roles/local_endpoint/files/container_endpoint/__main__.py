# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Entry point: ``python <this directory> <command> ...``, with the commands of embedded_endpoint."""

import contextlib
import shlex
import shutil
import sys
import time
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent

# As in embedded_endpoint: our own modules are found by their full names only.
sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != PACKAGE]
sys.path.insert(0, str(PACKAGE.parent))

from embedded_endpoint import cli, gaps, probe, process  # noqa: E402  (needs the path above)

from container_endpoint import base_image, engine, reach, repositories  # noqa: E402

process.__file__ = __file__  # the server that `start` launches is this package's
process.COMMAND = "make containers"


def _serve(state, arguments) -> int:
    from container_endpoint import runtime
    from embedded_endpoint import server

    install = gaps.install

    def with_containers() -> None:
        install()
        runtime.install(state)

    gaps.install = with_containers
    engine.find(state)  # before anything else, so that the reason is in the log
    try:
        server.serve(state, arguments.port)
    finally:
        runtime.uninstall()
    return 0


def _start(state, arguments) -> int:
    engine.refuse_elsewhere()
    found = engine.find(state)
    engine.refuse_without_command()
    if not process.running_port(state, arguments.port):
        reach.refuse_apart(found)
    if base_image.is_wanted() and not found.has_image(base_image.REFERENCE):
        base_image.build(found.client)
    return _START(state, arguments)


def _stop(state, arguments) -> int:
    code = _STOP(state, arguments)
    shutil.rmtree(state.path / engine.LAYERS, ignore_errors=True)
    try:
        found = engine.find(state)
    except engine.NoEngine as error:
        left = _left_in_it(state)
        if not left:
            return code
        print(
            f"{error.wrong} So this stays in it: {left}. Start the engine, and stop the endpoint once more (make "
            f"containers-down). Where that engine is gone for good: rm -r {shlex.quote(str(state.path))}",
            file=sys.stderr,
        )
        return 1
    found.end_all()
    (state.path / engine.STARTED).unlink(missing_ok=True)
    mine = repositories.prefixes(repositories.noted(state.path))
    gone, left = found.forget_images(mine, base_image.REFERENCE, f"{probe.HOST}:")
    if not left:
        repositories.forget(state.path)
    if gone or left:
        print(_told(gone, left), file=sys.stderr)
    return code


def _left_in_it(state) -> str:
    """What this endpoint has left in an engine that doesn't answer now, as far as it is noted; empty if nothing is."""
    names = sorted(repositories.noted(state.path))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    images = [f"the images of {', '.join(names[:3])}{more}"] if names else []
    containers = []
    with contextlib.suppress(FileNotFoundError):
        last = time.localtime((state.path / engine.STARTED).stat().st_mtime)
        containers = [f"the endpoint's containers (last started {time.strftime('%Y-%m-%d %H:%M:%S', last)})"]
    return " and ".join(containers + images)


def _told(gone: int, left: int) -> str:
    tags = f"{gone} image tag{'' if gone == 1 else 's'}"
    text = f"Removed from Docker: the containers of this endpoint, and {tags} of its registry."
    if left:
        text += f" {left} could not be removed (does a container or an image of yours use one?): docker image ls."
    return (
        f"{text}\nWhat stays there: the image that they were built on, if Docker downloaded one (docker image ls), and "
        "its build cache (docker builder prune)."
    )


_START, _STOP = cli._start, cli._stop
cli._start, cli._stop, cli._serve = _start, _stop, _serve
try:
    sys.exit(cli.main())
except (engine.NoEngine, base_image.Impossible) as error:
    print(error, file=sys.stderr)
    sys.exit(1)
