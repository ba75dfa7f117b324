# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers write, from CloudWatch Logs, as lines for a person.

The log driver awslogs names a stream `prefix/container/task id`: "Send Amazon ECS logs to CloudWatch" in the ECS
documentation.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Callable, Iterable, Mapping

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

#: Milliseconds by which an event may come late: it is looked for again that long, since streams don't come in order.
LATE = 30_000
#: A terminal's control sequences, and what else is no text: a log must not steer the terminal that shows it.
_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_DENIED = ("AccessDeniedException", "AccessDenied", "UnrecognizedClientException")


@dataclass(frozen=True)
class Stream:
    """The log of one container of one task."""

    group: str
    name: str
    task_id: str
    container: str


def clean(message: str) -> str:
    """Return a message without control characters and without the end of its line."""
    return _CONTROL.sub("", message).rstrip()


def line(timestamp: int, label: str, message: str) -> str:
    """Return one event as a line: its local time, whose it is, what it says. `timestamp` is in milliseconds."""
    return f"{datetime.fromtimestamp(timestamp / 1000).astimezone():%H:%M:%S} [{label}] {clean(message)}"


def label(task_id: str, container: str, main: str | None) -> str:
    """Return whose a line is: the task's short id, and the container where it isn't the main one."""
    return task_id[:8] if not main or container == main else f"{task_id[:8]} {container}"


def streams(definition: Mapping[str, Any], task_ids: Iterable[str]) -> list[Stream]:
    """Return the streams of tasks of a task definition. A container without awslogs and a prefix has none that is known."""
    found = []
    for container in definition.get("containerDefinitions") or []:
        logging = container.get("logConfiguration") or {}
        options = logging.get("options") or {}
        group, prefix = options.get("awslogs-group"), options.get("awslogs-stream-prefix")
        if logging.get("logDriver") == "awslogs" and group and prefix:
            name = container["name"]
            found += [Stream(group, f"{prefix}/{name}/{task_id}", task_id, name) for task_id in task_ids]
    return found


def origin(stream_name: str) -> tuple[str, str]:
    """Return (task id, container) of a stream; of one that is named otherwise (its end, empty)."""
    parts = stream_name.rsplit("/", 2)
    return (parts[2], parts[1]) if len(parts) == 3 else (parts[-1], "")


class TaskLog:
    """Follows the streams of a few tasks."""

    def __init__(self, logs: Any, wanted: Iterable[Stream], say: Callable[[str], None], main: str | None = None) -> None:
        self._logs, self._say, self._main = logs, say, main
        self._tokens: dict[Stream, str | None] = dict.fromkeys(wanted)
        #: {container: log group}
        self.groups = {s.container: s.group for s in self._tokens}
        #: What was shown, oldest first.
        self.lines: list[str] = []

    def look(self) -> int:
        """Show what is new and return how many lines that were. A stream that isn't there yet is no fault."""
        events = []
        for stream in list(self._tokens):
            try:
                events += self._new(stream)
            except is_boto3_error_code("ResourceNotFoundException"):
                continue
            except is_boto3_error_code(list(_DENIED)) as e:
                del self._tokens[stream]
                self._say(f"the log {stream.group} cannot be read: {e.response['Error'].get('Message')}")
        for timestamp, whose, message in sorted(events, key=lambda e: e[0]):
            self.lines.append(line(timestamp, whose, message))
            self._say(self.lines[-1])
        return len(events)

    def _new(self, stream: Stream) -> list[tuple[int, str, str]]:
        found = []
        while True:
            token = self._tokens[stream]
            page = self._logs.get_log_events(
                logGroupName=stream.group,
                logStreamName=stream.name,
                startFromHead=True,
                **({"nextToken": token} if token else {}),
            )
            whose = label(stream.task_id, stream.container, self._main)
            found += [(e["timestamp"], whose, e["message"]) for e in page["events"]]
            # "If you have reached the end of the stream, it returns the same token you passed in": GetLogEvents
            self._tokens[stream] = page.get("nextForwardToken") or token
            if self._tokens[stream] == token or not page["events"]:
                return found


class GroupLog:
    """Follows a whole log group from a time on: the tasks that are there and those that come."""

    def __init__(self, logs: Any, group: str, since: int, main: str | None = None) -> None:
        """`since` is in milliseconds since 1970."""
        self._logs, self._group, self._main = logs, group, main
        self._since = self._latest = since
        self._seen: dict[str, int] = {}  # event id -> timestamp
        #: Whether the last look ended before the log did.
        self.cut = False

    def look(self, deadline: float) -> list[str]:
        """Return the lines that are new, oldest first. Raises ClientError ResourceNotFoundException without the group.

        No page is begun after `deadline` (of time.monotonic) but the first one: a busy group is written faster than read.
        """
        start = max(self._since, self._latest - LATE)
        found, token, self.cut = [], None, False
        while True:
            page = self._logs.filter_log_events(
                logGroupName=self._group, startTime=start, **({"nextToken": token} if token else {})
            )
            found += [e for e in page["events"] if e["eventId"] not in self._seen]
            self._seen.update({e["eventId"]: e["timestamp"] for e in page["events"]})
            token = page.get("nextToken")
            self.cut = bool(token) and time.monotonic() >= deadline
            if self.cut or not token:
                break
        self._latest = max([self._latest, *(e["timestamp"] for e in found)])
        self._seen = {i: t for i, t in self._seen.items() if t >= self._latest - LATE}
        found.sort(key=lambda e: e["timestamp"])
        return [
            line(e["timestamp"], label(*origin(e["logStreamName"]), self._main), e["message"]) for e in found
        ]
