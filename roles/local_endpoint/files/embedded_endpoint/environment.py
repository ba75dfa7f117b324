# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The shell lines that point any AWS tool at the endpoint, and at nothing else."""

import os
import shlex
from collections.abc import Mapping

# Not a secret: moto takes any key. It is no valid AWS key, so a tool that misses the endpoint fails at AWS.
FAKE_KEY = "testing"
HERE = "127.0.0.1,localhost"


def no_proxy(environment: Mapping[str, str]) -> str:
    """The hosts that are reached past a proxy: those of this environment, and this machine.

    Of the two spellings clients in Python take the small one. `*`, which is all hosts, holds by itself only. The
    collection's filter local_endpoint does the same for playbooks; this program runs without the collection.
    """
    before = (environment.get("no_proxy") or environment.get("NO_PROXY") or "").strip()
    if before == "*" or before.endswith(HERE):
        return before
    return f"{before},{HERE}" if before else HERE


def export_lines(endpoint: str, region: str) -> list[str]:
    """Shell lines for ``eval``: the endpoint, fake keys, the region, and no profile or session that would win."""
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": FAKE_KEY,
        "AWS_SECRET_ACCESS_KEY": FAKE_KEY,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": shlex.quote(no_proxy(os.environ)),
        "no_proxy": shlex.quote(no_proxy(os.environ)),
    }
    return [f"export {name}={value}" for name, value in variables.items()] + ["unset AWS_PROFILE AWS_SESSION_TOKEN"]
