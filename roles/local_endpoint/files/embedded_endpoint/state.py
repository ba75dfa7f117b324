# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The state directory: port, pid, lock, request log and server log of one endpoint."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


class StateDir:
    """One endpoint's files. The directory is 0700 and its files 0600: they are nobody else's business."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path).expanduser().resolve()
        self.pid_file = self.path / "pid"
        self.port_file = self.path / "port"
        self.lock_file = self.path / "lock"
        self.server_log = self.path / "endpoint.log"
        self.request_log = self.path / "requests.jsonl"

    def create(self) -> None:
        """Make the directory if it isn't there. Raises OSError when it can't be made."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory's lock: start and stop of the same endpoint happen one after the other."""
        self.create()
        descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def read_number(self, file: Path) -> int | None:
        """The positive number in one of our files, None if there is none (or rubbish)."""
        try:
            number = int(file.read_text(encoding="ascii").strip())
        except (OSError, ValueError):
            return None
        return number if number > 0 else None

    def write_number(self, file: Path, number: int) -> None:
        """Write atomically: a reader sees the old number or the new one, never half of it."""
        descriptor, name = tempfile.mkstemp(dir=self.path, prefix=f".{file.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as stream:
                stream.write(f"{number}\n")
            os.replace(name, file)
        except BaseException:
            os.unlink(name)
            raise

    def forget_server(self) -> None:
        """Remove the pid file and the port file."""
        self.pid_file.unlink(missing_ok=True)
        self.port_file.unlink(missing_ok=True)
