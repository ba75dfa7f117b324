# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Which repositories this endpoint had, on paper: after a kill or a start on another port it is known just as well.

By it `stop` tells the endpoint's images from those that somebody else pushed to a registry on the same port.
"""

import os
from collections.abc import Iterable
from pathlib import Path

FILE = "repositories"  # in the state directory: a line for each, such as 127.0.0.1:5011/petclinic-rest


def note(folder: Path, place: str) -> None:
    """Add a repository, by its host, port and name."""
    if place not in noted(folder):
        # One short write at the end of the file: there as a whole, or not at all.
        with open(folder / FILE, "a", encoding="utf-8", opener=_private) as stream:
            stream.write(f"{place}\n")


def noted(folder: Path) -> set[str]:
    """All that were noted."""
    try:
        return set((folder / FILE).read_text(encoding="utf-8").split())
    except OSError:
        return set()


def forget(folder: Path) -> None:
    """Nothing of them is left in Docker."""
    (folder / FILE).unlink(missing_ok=True)


def prefixes(places: Iterable[str]) -> tuple[str, ...]:
    """How the names of their images begin, by tag and by digest."""
    return tuple(f"{place}{mark}" for place in sorted(places) for mark in ":@")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
