# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A base image for the sample applications without a registry: the Python that runs this, as a root file system.

Where no image registry can be reached, ``FROM python:3.12-slim`` can't be built on. What a program of the standard
library needs (interpreter, library, shared objects, a shell for ``RUN`` and for looking inside) is all on the machine
that runs Ansible, so that is what the image is made of. It is Linux only, as the image has to be.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

REFERENCE = "handson/python:local"
VARIABLE = "HANDSON_BASE_IMAGE"  # the one by which inventories/containers chooses what to build on
# Not needed by a program, and most of the size.
LEFT_OUT = re.compile(
    r"/(?:__pycache__|test|tests|idlelib|ensurepip|lib2to3|pydoc_data|tkinter|turtledemo|site-packages|dist-packages"
    r"|config-[^/]*)(?:/|$)|/(?:_tkinter|_test|_ctypes_test|_xx|xx|_curses|_codecs_|_dbm|_gdbm|readline)[^/]*\.so$|\.a$"
)
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\napp:x:10001:10001:app:/tmp:/bin/sh\n",
    "etc/group": "root:x:0:\napp:x:10001:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
PROGRAMS = ("sh", "cat", "ls", "sleep", "env")


class Impossible(Exception):
    """It can't be made on this machine; the text says the way out."""


def is_wanted() -> bool:
    """Whether images are to be built on it, instead of on one that Docker downloads."""
    return os.environ.get(VARIABLE) == REFERENCE


def libraries(binaries: Iterable[Path]) -> set[Path]:
    """The shared objects that these binaries load, as ldd names them, the loader among them."""
    found: set[Path] = set()
    names = [str(each) for each in binaries]
    for start in range(0, len(names), 50):
        output = subprocess.run(["ldd", *names[start : start + 50]], capture_output=True, text=True, check=False).stdout
        found |= {Path(path) for path in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", output, re.MULTILINE)}
    return found


def contents() -> Iterator[tuple[Path, str]]:
    """What goes in: (file on this machine, path in the image without the first slash)."""
    python = Path(sys.executable).resolve()
    library = Path(sysconfig.get_paths(vars={"base": sys.base_prefix, "installed_base": sys.base_prefix})["stdlib"])
    binaries = [python]
    yield python, str(python).lstrip("/")
    for folder, names, files in os.walk(library):
        names[:] = [name for name in names if not LEFT_OUT.search(f"{folder}/{name}/")]
        for name in files:
            path = Path(folder, name)
            if LEFT_OUT.search(str(path)):
                continue
            if ".so" in name:
                binaries.append(path)
            yield path, str(path).lstrip("/")
    for name in PROGRAMS:
        found = shutil.which(name, path="/usr/bin:/bin")
        if found:
            binaries.append(Path(found))
            yield Path(found), f"bin/{name}"
    for path in sorted(libraries(binaries)):
        yield path, str(path).lstrip("/")


def write(stream: Any) -> None:
    """Write the root file system as a tar stream. Same files, same bytes: times and owners are left out."""
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for folder, mode in (("tmp", 0o1777), ("app", 0o755), ("usr/local/bin", 0o755)):
            _add(archive, folder, tarfile.DIRTYPE, mode)
        for name, text in FILES.items():
            _add(archive, name, tarfile.REGTYPE, 0o644, text.encode())
        python = "/" + str(Path(sys.executable).resolve()).lstrip("/")
        for name in ("usr/local/bin/python3", "usr/local/bin/python"):
            _add(archive, name, tarfile.SYMTYPE, 0o777, link=python)
        for source, target in sorted(contents(), key=lambda each: each[1]):
            mode = 0o755 if os.access(source, os.X_OK) else 0o644
            _add(archive, target, tarfile.REGTYPE, mode, source.read_bytes())


def _add(archive, name: str, kind: bytes, mode: int, data: bytes = b"", link: str = "") -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(data), link
    archive.addfile(entry, io.BytesIO(data))


def build(client: Any) -> None:
    """Import the file system into a Docker engine (a client of the Python package) as REFERENCE."""
    if not sys.platform.startswith("linux") or not shutil.which("ldd"):
        raise Impossible(
            f"{VARIABLE} is {REFERENCE}, which is made of this machine's Python, and that takes Linux with ldd. Name "
            f"an image that Docker can pull, or has: {VARIABLE}=python:3.12-slim make containers."
        )
    with tempfile.TemporaryFile() as stream:
        write(stream)
        stream.seek(0)
        repository, _, tag = REFERENCE.partition(":")
        changes = ["ENV PATH=/usr/local/bin:/usr/bin:/bin", "WORKDIR /app", 'CMD ["python3"]']
        client.api.import_image_from_data(stream, repository=repository, tag=tag, changes=changes)
