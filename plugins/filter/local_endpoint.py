# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment variables that point tasks at an endpoint of the role local_endpoint.

A filter, since every task asks for them: what this does in Python took five templates with six lookups.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Mapping

DOCUMENTATION = r"""
name: local_endpoint
version_added: 0.1.0
short_description: The environment that points at a local endpoint
description:
  - Returns what C(aws_environment_extra) must hold for the AWS SDK to reach the endpoint that the role local_endpoint
    starts, and nothing else, whatever profile, keys or proxy the shell exports.
  - An empty value takes the variable away.
options:
  _input:
    description: The endpoint's state directory, which holds its port.
    type: path
    required: true
  port:
    description: The port where the directory names none.
    type: int
    default: 5001
"""

EXAMPLES = r"""
aws_environment_extra: "{{ stack_state_dir | handson.ecs.local_endpoint }}"
"""

RETURN = r"""
_value:
  description: Names and values of environment variables.
  type: dict
"""

HERE = "127.0.0.1,localhost"


def no_proxy(environment: Mapping[str, str]) -> str:
    """Return the hosts that are reached past a proxy: those of this environment, and this machine.

    `*`, which is all hosts, holds by itself only (https://docs.python.org/3/library/urllib.request.html).
    """
    before = (environment.get("no_proxy") or environment.get("NO_PROXY") or "").strip()
    if before == "*" or before.endswith(HERE):
        return before
    return f"{before},{HERE}" if before else HERE


def local_endpoint(state_dir: str, port: int | str = 5001, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables. `environment` stands in for the process's own."""
    environment = os.environ if environment is None else environment
    try:
        port = Path(state_dir, "port").read_text(encoding="utf-8").strip() or port
    except OSError:
        pass  # not started yet
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "embedded-endpoint",
        "AWS_SECRET_ACCESS_KEY": "embedded-endpoint-key",
        "AWS_SESSION_TOKEN": "",
        # Keep the profile of a real account out of a run that is not meant for it.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **{name: "" for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE") if environment.get(name)},
        # A proxy that the shell names must not get the calls to this machine. Clients read either spelling.
        "NO_PROXY": no_proxy(environment),
        "no_proxy": no_proxy(environment),
    }


class FilterModule:
    """What Ansible loads."""

    def filters(self):
        return {"local_endpoint": local_endpoint}
