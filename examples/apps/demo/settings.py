# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What the environment says, checked before anything starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

PORTS = {"petclinic-rest": 9460, "api": 3000, "users": 3000, "threads": 3000, "posts": 3000}
MESSAGE = "Pet clinic service update test."
#: As many as the original adds up. In Python that takes about half a second of CPU.
NUMBERS = 10_000_000


class WrongSetting(ValueError):
    """A setting that can't be used, with the way out in its text."""


@dataclass(frozen=True)
class Settings:
    """Times are in seconds."""

    app: str
    host: str
    port: int
    version: str
    message: str
    crash: bool
    unhealthy: bool
    start_seconds: int
    stop_seconds: int
    stress_numbers: int
    stress_jobs: int
    metadata_uri: str


def read(environment: Mapping[str, str] = os.environ, app: str = "") -> Settings:
    """Return the settings; `app` goes before the environment's APP. Raises WrongSetting."""

    def whole(name: str, default: int, low: int, high: int) -> int:
        text = environment.get(name) or str(default)
        if not (text.isascii() and text.isdigit() and low <= int(text[:12]) <= high):
            raise WrongSetting(f"{name} is {text!r}: a whole number from {low} to {high} is needed.")
        return int(text)

    def on(name: str) -> bool:
        return environment.get(name, "").lower() not in ("", "0", "false", "no")

    app = app or environment.get("APP", "")
    if app not in PORTS:
        raise WrongSetting(f"APP is {app!r}: one of {', '.join(PORTS)} is needed.")
    return Settings(
        app=app,
        # Only this machine, until somebody says otherwise: the Dockerfile does.
        host=environment.get("HOST") or "127.0.0.1",
        port=whole("PORT", PORTS[app], 0, 65535),
        version=environment.get("VERSION") or "dev",
        message=environment.get("MESSAGE") or MESSAGE,
        crash=on("CRASH"),
        unhealthy=on("UNHEALTHY"),
        start_seconds=whole("START_SECONDS", 0, 0, 600),
        # Less than the ten seconds after which `docker stop` kills, and the thirty of ECS.
        stop_seconds=whole("STOP_SECONDS", 8, 0, 120),
        stress_numbers=whole("STRESS_NUMBERS", NUMBERS, 1, NUMBERS),
        stress_jobs=whole("STRESS_JOBS", 10, 0, 10),
        metadata_uri=environment.get("ECS_CONTAINER_METADATA_URI_V4", ""),
    )
