# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What containers write goes to the log group of their definition, as the awslogs driver does."""

import logging
import threading
import time

from moto.logs import logs_backends

LOG = logging.getLogger("container_endpoint")
LAST_SECONDS = 5.0
_copies: dict[str, threading.Thread] = {}  # by Docker's id


def follow(backend, task, container, made) -> None:
    """Copy a container's output line by line, until it ends."""
    configuration = container.definition.get("logConfiguration") or {}
    options = configuration.get("options") or {}
    group = options.get("awslogs-group")
    if configuration.get("logDriver") != "awslogs" or not group:
        return
    prefix = options.get("awslogs-stream-prefix")
    stream = f"{prefix}/{container.name}/{task.id}" if prefix else made.id
    region = options.get("awslogs-region") or backend.region_name
    target = logs_backends[backend.account_id][region]
    _copies[made.id] = threading.Thread(target=_copy, args=(target, group, stream, made), daemon=True)
    _copies[made.id].start()


def finish(container_id: str) -> None:
    """Wait until everything that an ended container wrote is copied."""
    copy = _copies.pop(container_id, None)
    if copy is not None:
        copy.join(LAST_SECONDS)


def _copy(target, group: str, stream: str, made) -> None:
    try:
        target.ensure_log_stream(group, stream)
        rest = b""
        for piece in made.logs(stream=True, follow=True):
            *lines, rest = (rest + piece).split(b"\n")
            _put(target, group, stream, lines)
        _put(target, group, stream, [rest])
    except Exception as error:  # the group may be deleted while its last container still ends
        LOG.info("log stream %s: %s", stream, error)


def _put(target, group: str, stream: str, lines: list[bytes]) -> None:
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line.decode(errors="replace").rstrip("\r")} for line in lines if line]
    if events:
        target.put_log_events(group, stream, events)
