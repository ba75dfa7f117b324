# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""/test/stress: burn CPU as the original does, but not without end.

The original adds up the square roots of the numbers below ten million for its answer, and gives a pool of ten threads
ten more such sums. Its pool takes any number of them; here at most ten wait, so the load ends soon after the requests.
"""

import math
import queue
import threading
from collections.abc import Callable, Mapping

from demo.settings import NUMBERS


def root_sum(numbers: int, stopped: Callable[[], bool] = lambda: False) -> float:
    """Add up the square roots of 0 … numbers - 1, one after the other, so that the sum is the original's."""
    total = 0.0
    for start in range(0, numbers, 100_000):
        if stopped():
            break
        for number in range(start, min(start + 100_000, numbers)):
            total += math.sqrt(number)
    return total


class Stress:
    """Answers one request, and keeps one thread busy with the further sums."""

    def __init__(self, numbers: int, jobs: int, stopping: threading.Event):
        self.numbers, self.jobs, self.stopping = numbers, jobs, stopping
        self.waiting: queue.Queue[int] = queue.Queue(maxsize=max(jobs, 1))
        if jobs:
            threading.Thread(target=self._work, daemon=True).start()

    def __call__(self, query: Mapping[str, str]) -> tuple[int, object]:
        text = query.get("numbers") or str(self.numbers)
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:12]) <= NUMBERS):
            return 400, {"error": f"numbers is {text[:40]!r}: a whole number from 1 to {NUMBERS} is needed."}
        for _ in range(self.jobs):
            try:
                self.waiting.put_nowait(int(text))
            except queue.Full:
                break
        return 200, {"result": "OK", "sum": root_sum(int(text))}

    def _work(self) -> None:
        while not self.stopping.is_set():
            root_sum(self.waiting.get(), self.stopping.is_set)
