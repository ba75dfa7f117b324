# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance of a type can hold.

The table stands in where the API could not be asked. It is DescribeInstanceTypes' own answer for the common small
types: virtual CPUs, MiB, network interfaces, architecture.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import Any, Mapping

#: What a container instance registers of its memory. ECS counts what the kernel shows (`free`), not the type's size:
#: a t2.medium registers about 3953 of its 4096 MiB. Other types lose a little more, so this never counts too little.
REGISTERED_SHARE = 3953 / 4096


@dataclass(frozen=True)
class InstanceType:
    """CPU units, registered MiB, network interfaces and architectures of one instance of a type."""

    name: str
    cpu: int
    memory: int
    interfaces: int
    architectures: tuple[str, ...]


_TABLE = {
    "c5.large": (2, 4096, 3, "x86_64"),
    "c5.xlarge": (4, 8192, 4, "x86_64"),
    "c5.2xlarge": (8, 16384, 4, "x86_64"),
    "c5.4xlarge": (16, 32768, 8, "x86_64"),
    "c6i.large": (2, 4096, 3, "x86_64"),
    "c6i.xlarge": (4, 8192, 4, "x86_64"),
    "c6i.2xlarge": (8, 16384, 4, "x86_64"),
    "c6i.4xlarge": (16, 32768, 8, "x86_64"),
    "m5.large": (2, 8192, 3, "x86_64"),
    "m5.xlarge": (4, 16384, 4, "x86_64"),
    "m5.2xlarge": (8, 32768, 4, "x86_64"),
    "m5.4xlarge": (16, 65536, 8, "x86_64"),
    "m6i.large": (2, 8192, 3, "x86_64"),
    "m6i.xlarge": (4, 16384, 4, "x86_64"),
    "m6i.2xlarge": (8, 32768, 4, "x86_64"),
    "m6i.4xlarge": (16, 65536, 8, "x86_64"),
    "t2.nano": (1, 512, 2, "x86_64"),
    "t2.micro": (1, 1024, 2, "x86_64"),
    "t2.small": (1, 2048, 3, "x86_64"),
    "t2.medium": (2, 4096, 3, "x86_64"),
    "t2.large": (2, 8192, 3, "x86_64"),
    "t2.xlarge": (4, 16384, 3, "x86_64"),
    "t2.2xlarge": (8, 32768, 3, "x86_64"),
    "t3.nano": (2, 512, 2, "x86_64"),
    "t3.micro": (2, 1024, 2, "x86_64"),
    "t3.small": (2, 2048, 3, "x86_64"),
    "t3.medium": (2, 4096, 3, "x86_64"),
    "t3.large": (2, 8192, 3, "x86_64"),
    "t3.xlarge": (4, 16384, 4, "x86_64"),
    "t3.2xlarge": (8, 32768, 4, "x86_64"),
    "t3a.nano": (2, 512, 2, "x86_64"),
    "t3a.micro": (2, 1024, 2, "x86_64"),
    "t3a.small": (2, 2048, 2, "x86_64"),
    "t3a.medium": (2, 4096, 3, "x86_64"),
    "t3a.large": (2, 8192, 3, "x86_64"),
    "t3a.xlarge": (4, 16384, 4, "x86_64"),
    "t3a.2xlarge": (8, 32768, 4, "x86_64"),
    "t4g.nano": (2, 512, 2, "arm64"),
    "t4g.micro": (2, 1024, 2, "arm64"),
    "t4g.small": (2, 2048, 3, "arm64"),
    "t4g.medium": (2, 4096, 3, "arm64"),
    "t4g.large": (2, 8192, 3, "arm64"),
    "t4g.xlarge": (4, 16384, 4, "arm64"),
    "t4g.2xlarge": (8, 32768, 4, "arm64"),
}


#: What the API told of types, {vcpus, memory (MiB), interfaces, architectures}; None of one that it doesn't know.
Asked = Mapping[str, "Mapping[str, Any] | None"]


def instance_type(name: str, asked: Asked | None = None) -> InstanceType | None:
    """Return what is known of a type: as the API told, else from the table, else None."""
    told = (asked or {}).get(name)
    if told:
        vcpus, memory, interfaces = told["vcpus"], told["memory"], told["interfaces"]
        architectures = tuple(told.get("architectures") or ())
    elif name in _TABLE:
        vcpus, memory, interfaces, architecture = _TABLE[name]
        architectures = (architecture,)
    else:
        return None
    return InstanceType(name, vcpus * 1024, math.floor(memory * REGISTERED_SHARE), interfaces, architectures)


def closest(name: str) -> str | None:
    """Return the type of the table whose name is most like an unknown one's, or None."""
    return next(iter(difflib.get_close_matches(name, _TABLE, 1, 0.8)), None)


def stand_in(name: str) -> InstanceType:
    """Return what to count with where the API says that there is no type of this name.

    It is the one that was probably meant, else the largest of the table, which never counts too little.
    """
    found = instance_type(closest(name) or "m5.4xlarge")
    assert found is not None
    return found
