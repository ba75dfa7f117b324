# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What each application answers: a table of paths. `{id}` is a number; a slash at the end doesn't matter."""

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from demo.settings import Settings
from demo.stress import Stress

#: Status and body: text goes out as it is, all else as JSON.
Answer = tuple[int, object]
STARTING, UP, DOWN = "OUT_OF_SERVICE", "UP", "DOWN"
NOT_FOUND: Answer = (404, None)


@dataclass
class App:
    """An application: its health check, and a function of the query and the path's numbers for each other path."""

    health: str
    state: Callable[[str], object]
    missing: Callable[[str], object]
    routes: Mapping[str, Callable[..., Answer]]
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        number = "([0-9]{1,9})"
        self.patterns = [(re.compile(path.replace("{id}", number)), route) for path, route in self.routes.items()]

    def answer(self, path: str, query: Mapping[str, str], state: str) -> Answer:
        """Return what a GET of `path` answers while the application is in `state`."""
        path = path.rstrip("/") or "/"
        if path == self.health:
            return (200 if state == UP else 503), self.state(state)
        if state == STARTING:
            return 503, {"error": "It is still starting."}
        for pattern, route in self.patterns:
            if match := pattern.fullmatch(path):
                status, body = route(query, *(int(number) for number in match.groups()))
                return (status, body) if status != 404 else (404, self.missing(path))
        return 404, self.missing(path)

    def knows(self, path: str) -> bool:
        path = path.rstrip("/") or "/"
        return path == self.health or any(pattern.fullmatch(path) for pattern, _ in self.patterns)


def fixed(body: object) -> Callable[..., Answer]:
    return lambda query: (200, body)


def one(rows: list[dict]) -> Callable[..., Answer]:
    """Find a row by its id."""
    return lambda query, number: next(((200, row) for row in rows if row["id"] == number), NOT_FOUND)


def those(rows: list[dict], column: str) -> Callable[..., Answer]:
    """Find the rows with a number in a column. None is an empty list, not an error, as in the original."""
    return lambda query, number: (200, [row for row in rows if row[column] == number])


def data(name: str) -> dict[str, list[dict]]:
    return json.loads((Path(__file__).parent / "data" / f"{name}.json").read_text(encoding="utf-8"))


def petclinic(settings: Settings, stopping: threading.Event) -> App:
    vets = data("petclinic")["vets"]
    return App(
        health="/actuator/health",
        state=lambda state: {"status": state},
        missing=lambda path: {"status": 404, "error": "Not Found", "path": path},
        routes={
            "/actuator/info": fixed({"build": {"name": settings.app, "version": settings.version}}),
            "/test/update": fixed(settings.message),
            "/test/stress": Stress(settings.stress_numbers, settings.stress_jobs, stopping),
            "/open/vets": fixed(vets),
            "/open/vets/{id}": one(vets),
        },
        # The front end is served from another port.
        headers={"Access-Control-Allow-Origin": "*"},
    )


def forum(settings: Settings, stopping: threading.Event) -> App:
    """The monolith `api`, or one of the three services that it is broken into."""
    tables = data("forum")
    users, threads, posts = tables["users"], tables["threads"], tables["posts"]
    services = {
        "users": {"/api/users": fixed(users), "/api/users/{id}": one(users)},
        "threads": {"/api/threads": fixed(threads), "/api/threads/{id}": one(threads)},
        # No /api/posts/{id}, whatever the tutorial says: the original has none, and its posts no id.
        "posts": {
            "/api/posts": fixed(posts),
            "/api/posts/in-thread/{id}": those(posts, "thread"),
            "/api/posts/by-user/{id}": those(posts, "user"),
        },
    }
    routes: dict[str, Callable[..., Answer]] = {"/api": fixed("API ready to receive requests")}
    for name, own in services.items():
        if settings.app in ("api", name):
            routes |= own
    return App(
        health="/",
        state=lambda state: "Ready to receive requests" if state == UP else "Not ready to receive requests",
        missing=lambda path: "Not Found",
        routes=routes,
    )


def make(settings: Settings, stopping: threading.Event) -> App:
    return (petclinic if settings.app == "petclinic-rest" else forum)(settings, stopping)
