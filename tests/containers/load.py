# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A request loop of bounded length that counts every answer."""

import http.client
import threading
import time
from collections import Counter

MOST = 60_000  # requests; an update takes a few hundred to a few thousand
LONGEST = 400  # seconds, more than what is watched may take
PAUSE = 0.01  # seconds between two requests


class Load(threading.Thread):
    """GET a path of a listener again and again, over a new connection each time, until `stop`.

    Also after MOST requests or LONGEST seconds; then it did not see all of what it was to watch (`cut_short`).
    """

    def __init__(self, port: int, path: str):
        super().__init__(daemon=True)
        self.port, self.path = port, path
        self.statuses: Counter[int | str] = Counter()  # HTTP status, or the name of what went wrong
        self.versions: list[str] = []  # of each good answer, in order
        self.tasks: Counter[str] = Counter()
        self.cut_short = False
        self._enough = threading.Event()

    def __enter__(self) -> "Load":
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._enough.set()
        self.join()

    def run(self) -> None:
        end = time.monotonic() + LONGEST
        while not self._enough.wait(PAUSE):
            self.cut_short = self.count >= MOST or time.monotonic() >= end
            if self.cut_short:
                return
            try:
                status, headers, _ = get(self.port, self.path)
                self.statuses[status] += 1
                if status == 200:
                    self.versions.append(headers["X-Version"])
                    self.tasks[headers["X-Task"]] += 1
            except (OSError, http.client.HTTPException) as error:
                self.statuses[type(error).__name__] += 1

    @property
    def count(self) -> int:
        return sum(self.statuses.values())

    @property
    def failed(self) -> int:
        return self.count - self.statuses[200]

    def __str__(self) -> str:
        versions = ", ".join(f"{number} by {name}" for name, number in Counter(self.versions).items())
        cut = "CUT SHORT: " if self.cut_short else ""
        return f"{cut}{self.count} requests for {self.path}, {self.failed} failed ({versions}; {dict(self.statuses)})"


def get(port: int, path: str, seconds: float = 20) -> tuple[int, http.client.HTTPMessage, str]:
    """(status, headers, body) of one request to a listener."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def until(condition, seconds: float, what: str = "it"):
    """Ask a condition until it holds, and return what it gave and after how many seconds."""
    begun = time.monotonic()
    while True:
        found = condition()
        took = time.monotonic() - begun
        if found:
            return found, took
        assert took < seconds, f"{what} did not come true within {seconds} s"
        time.sleep(0.1)
