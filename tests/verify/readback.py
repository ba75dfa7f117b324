# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What the programs that read back share: clients, and a list of what was expected and what was found.

They use boto3 and nothing of this collection, so that a module is never its own witness.
"""

import functools
import os
import sys
from pathlib import Path
from typing import Any

import boto3

ACCOUNT = "123456789012"
REGION = "ap-southeast-1"
STATE_DIR = Path(os.environ["HANDSON_STATE_DIR"])


@functools.cache
def client(service: str) -> Any:
    """The boto3 client of a service, such as "ec2"; endpoint and region come from the environment."""
    return boto3.client(service)


def pages(service: str, operation: str, key: str, **arguments: Any) -> list[Any]:
    """Everything that a paginated operation lists under `key`."""
    found = client(service).get_paginator(operation).paginate(**arguments)
    return [item for page in found for item in page.get(key, [])]


def tags_of(tags: list[dict[str, str]]) -> dict[str, str]:
    """AWS's list of tags as a dictionary, whether the service writes Key or key."""
    return {t.get("Key", t.get("key", "")): t.get("Value", t.get("value", "")) for t in tags or []}


def values(items: list[dict[str, Any]]) -> dict[str, str]:
    """AWS's list of attributes ({"Key", "Value"}) as a dictionary."""
    return {item["Key"]: item["Value"] for item in items}


class Expectations:
    """Collects what differs, so that one run shows everything that is wrong."""

    def __init__(self) -> None:
        self.held = 0
        self.differences: list[str] = []

    def equal(self, what: str, found: Any, wanted: Any) -> None:
        """Expect `found` to be exactly `wanted`."""
        if found == wanted:
            self.held += 1
        else:
            self.differences.append(f"{what}:\n    expected {wanted!r}\n    found    {found!r}")

    def holds(self, what: str, condition: bool, found: Any = "") -> None:
        """Expect a condition; `found` is shown where it does not hold."""
        if condition:
            self.held += 1
        else:
            self.differences.append(f"{what}:\n    found    {found!r}")

    def contains(self, what: str, found: dict[str, Any], wanted: dict[str, Any]) -> None:
        """Expect a dictionary to have these entries; others don't matter."""
        self.equal(what, {k: found.get(k) for k in wanted}, wanted)

    def only(self, what: str, items: list[Any]) -> Any:
        """Expect exactly one item and return it. Ends the program where there is none, since all else would follow."""
        self.equal(f"number of {what}", len(items), 1)
        if not items:
            self.finish()
        return items[0]

    def finish(self) -> None:
        """End the program: with 1 and all differences on stderr, or with the number of facts that held."""
        if self.differences:
            sys.exit("\n".join([*self.differences, f"{len(self.differences)} facts differ, {self.held} hold."]))
        if not self.held:
            sys.exit("Nothing was looked at.")
        print(f"{self.held} facts hold.")
        sys.exit(0)
