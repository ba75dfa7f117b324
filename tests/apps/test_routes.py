# SPDX-License-Identifier: GPL-3.0-or-later
"""Every path of both tutorials: status and body."""

import math
import socket

import pytest

READY = "Ready to receive requests"
API_READY = "API ready to receive requests"
UPDATE = "Pet clinic service update test."


def ids(rows):
    return [row["id"] for row in rows]


def posts(*numbers):
    """Expect as many posts of these threads."""
    return lambda rows: [row["thread"] for row in rows] == list(numbers)


def shape(rows, *columns):
    return all(set(row) == set(columns) for row in rows)


USERS = {
    "/api/users": lambda rows: ids(rows) == [1, 2, 3, 4] and shape(rows, "id", "username", "name", "bio"),
    "/api/users/2": lambda row: row["username"] == "finn",
}
THREADS = {
    "/api/threads": lambda rows: ids(rows) == [1, 2, 3] and shape(rows, "id", "title", "createdBy"),
    "/api/threads/3": lambda row: row["id"] == 3,
}
POSTS = {
    "/api/posts": lambda rows: len(rows) == 6 and shape(rows, "thread", "text", "user"),
    "/api/posts/in-thread/1": posts(1, 1),
    "/api/posts/in-thread/2": posts(2, 2, 2),
    "/api/posts/in-thread/99": posts(),
    "/api/posts/by-user/2": posts(1, 2),
    "/api/posts/by-user/99": posts(),
}
COMMON = {"/": READY, "/api/": API_READY, "/api": API_READY}
VET = {"id": 2, "firstName": "Helen", "lastName": "Leary", "specialties": [{"id": 1, "name": "radiology"}]}
FOUND = {
    "petclinic-rest": {
        "/actuator/health": {"status": "UP"},
        "/actuator/info": {"build": {"name": "petclinic-rest", "version": "v1"}},
        "/test/update": UPDATE,
        "/test/stress?numbers=1000": lambda body: body["result"] == "OK"
        and math.isclose(body["sum"], sum(map(math.sqrt, range(1000)))),
        "/open/vets": lambda rows: ids(rows) == [1, 2, 3, 4, 5, 6],
        "/open/vets/2": VET,
        "/open/vets/2/": VET,
    },
    "api": {**COMMON, **USERS, **THREADS, **POSTS},
    "users": {**COMMON, **USERS},
    "threads": {**COMMON, **THREADS},
    "posts": {**COMMON, **POSTS},
}
NOT_FOUND = {
    "petclinic-rest": ["/", "/open/vets/99", "/open/vets/two", "/actuator", "/test", "/api/users"],
    "api": ["/api/posts/1", "/api/users/99", "/api/users/finn", "/api/threads/99", "/actuator/health", "/nothing"],
    "users": ["/api/threads", "/api/posts", "/api/users/99"],
    "threads": ["/api/users", "/api/posts", "/api/threads/99"],
    "posts": ["/api/users", "/api/threads", "/api/posts/1"],
}


@pytest.mark.parametrize(("app", "path"), [(app, path) for app, table in FOUND.items() for path in table])
def test_answers(running, app, path):
    status, body, headers = running(app).ask(path)
    expected = FOUND[app][path]
    assert status == 200
    assert expected(body) if callable(expected) else body == expected
    kind = "text/plain" if isinstance(body, str) else "application/json"
    assert headers["Content-Type"] == f"{kind}; charset=utf-8"


@pytest.mark.parametrize("app", NOT_FOUND)
def test_says_what_is_not_there(running, app):
    for path in NOT_FOUND[app]:
        status, body, headers = running(app).ask(path)
        assert status == 404, path
        expected = {"status": 404, "error": "Not Found", "path": path} if app == "petclinic-rest" else "Not Found"
        assert body == expected
        assert headers["X-Task"]


@pytest.mark.parametrize("app", FOUND)
def test_every_answer_names_task_and_version(running, app):
    for path in (*FOUND[app], "/nothing"):
        _, _, headers = running(app).ask(path)
        assert (headers["X-Task"], headers["X-Version"]) == (socket.gethostname(), "v1")


@pytest.mark.parametrize("app", ["petclinic-rest", "api"])
def test_head_has_the_headers_and_no_body(running, app):
    path = {"petclinic-rest": "/actuator/health", "api": "/"}[app]
    status, body, headers = running(app).ask(path, "HEAD")
    assert (status, body) == (200, "")
    assert int(headers["Content-Length"]) > 10


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_reads(running, method):
    status, _, headers = running("api").ask("/api/users", method, body="{}")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    assert running("api").ask("/nothing", method, body="{}")[0] == 404


def test_a_browser_may_ask_from_the_front_ends_port(running):
    assert running("petclinic-rest").ask("/open/vets")[2]["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("numbers", ["0", "-1", "x", "10000001", "9" * 5000, "%D9%A3"])
def test_stress_is_bounded(running, numbers):
    status, body, _ = running("petclinic-rest").ask(f"/test/stress?numbers={numbers}")
    assert status == 400
    assert "a whole number from 1 to 10000000 is needed" in body["error"]


def test_what_is_not_http_is_refused_and_named(running):
    program = running("api")
    program.ask("/")
    with socket.create_connection(("127.0.0.1", program.port), timeout=10) as client:
        client.sendall(b"no such thing\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"X-Task: " in answer
