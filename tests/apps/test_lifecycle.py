# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, stop, bad versions, many requests at once, and what the log says."""

import json
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

HEALTH = {"petclinic-rest": "/actuator/health", "users": "/"}
OTHER = {"petclinic-rest": "/open/vets", "users": "/api/users"}


def wait_until_refused(port):
    """Wait until nothing accepts there any more."""
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionError:
            return
        time.sleep(0.01)
    raise AssertionError(f"port {port} still accepts connections")


def test_update_text_and_version_are_settings(start):
    program = start(MESSAGE="동물병원 서비스 업데이트", VERSION="v2\r\nX-Bad: 1")
    status, body, headers = program.ask("/test/update")
    assert (status, body) == (200, "동물병원 서비스 업데이트")
    assert headers["X-Version"] == "v2??X-Bad: 1"
    assert headers["X-Bad"] is None


def test_task_is_the_one_that_ecs_says(start):
    class Metadata(BaseHTTPRequestHandler):
        def do_GET(self):
            assert self.path == "/v4/abc/task"
            arn = "arn:aws:ecs:ap-southeast-1:123456789012:task/petclinic/0123abcd"
            content = json.dumps({"TaskARN": arn}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Metadata) as agent:
        threading.Thread(target=agent.handle_request, daemon=True).start()
        # A proxy that isn't there: it must not be asked.
        uri = f"http://127.0.0.1:{agent.server_port}/v4/abc"
        program = start(ECS_CONTAINER_METADATA_URI_V4=uri, http_proxy="http://127.0.0.1:1")
    assert program.ask("/open/vets")[2]["X-Task"] == "0123abcd"
    assert program.lines()[-1]["task"] == "0123abcd"


def test_host_name_stands_for_a_task_that_ecs_does_not_say(start):
    program = start(ECS_CONTAINER_METADATA_URI_V4="http://127.0.0.1:1/v4/abc")
    assert program.ask("/open/vets")[2]["X-Task"] == socket.gethostname()
    assert "ECS does not say which task this is" in program.log.read_text()


def test_a_line_of_json_for_each_request(start):
    program = start()
    for path in ("/open/vets?page=1", "/open/vets/99", '/"%C3%BC'):
        program.ask(path)
    assert program.stop() == 0
    lines = [line for line in program.lines() if "method" in line]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("GET", "/open/vets", 200),
        ("GET", "/open/vets/99", 404),
        ("GET", '/"%C3%BC', 404),
    ]
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["ms"] >= 0
        assert (line["task"], line["app"], line["version"]) == (socket.gethostname(), "petclinic-rest", "v1")


@pytest.mark.parametrize("app", ["petclinic-rest", "users"])
def test_health_says_that_it_is_starting(start, app):
    program = start(app, ready=False, START_SECONDS="600")
    assert program.ask(HEALTH[app])[0] == 503
    assert program.ask(OTHER[app])[0] == 503
    assert program.stop() == 0


@pytest.mark.parametrize("app", ["petclinic-rest", "users"])
def test_unhealthy_version_fails_its_health_check_only(start, app):
    program = start(app, UNHEALTHY="1")
    status, body, _ = program.ask(HEALTH[app])
    assert status == 503
    assert body == ({"status": "DOWN"} if app == "petclinic-rest" else "Not ready to receive requests")
    assert program.ask(OTHER[app])[0] == 200


@pytest.mark.parametrize("app", ["petclinic-rest", "users"])
def test_crashing_version_says_so_and_ends(start, app):
    program = start(app, ready=False, CRASH="1")
    assert program.process.wait(10) == 1
    assert [line["level"] for line in program.lines()] == ["error"]
    assert "CRASH" in program.lines()[0]["message"]


@pytest.mark.parametrize(
    ("app", "environment", "message"),
    [
        ("shop", {}, "APP is 'shop': one of petclinic-rest, api, users, threads, posts is needed."),
        ("api", {"PORT": "99999"}, "PORT is '99999': a whole number from 0 to 65535 is needed."),
        ("api", {"STOP_SECONDS": "soon"}, "STOP_SECONDS is 'soon': a whole number from 0 to 120 is needed."),
    ],
)
def test_wrong_settings_are_named(start, app, environment, message):
    program = start(app, ready=False, **environment)
    assert program.process.wait(10) == 2
    assert [line["message"] for line in program.lines()] == [message]


def test_port_in_use_is_named(start):
    port = start().line("listening")["port"]
    second = start(ready=False, PORT=str(port))
    assert second.process.wait(10) == 1
    assert f"127.0.0.1:{port} can't be used" in second.lines()[0]["message"]


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_stop_finishes_what_is_under_way_and_accepts_no_more(start, signal_number):
    program = start()
    slow = program.connect()
    slow.request("GET", "/test/stress")  # all ten million
    time.sleep(0.1)
    program.process.send_signal(signal_number)
    wait_until_refused(program.port)
    status, body, headers = program.answer(slow)
    assert (status, body) == (200, {"result": "OK", "sum": 21081849486.439312})
    assert headers["Connection"] == "close"
    assert program.process.wait(10) == 0
    assert program.lines()[-1]["message"] == "stopped"


def test_stop_says_what_it_cut_off(start):
    # The further sums, and each other, make the requests slower.
    program = start(STOP_SECONDS="0", STRESS_JOBS="10")
    slow = [program.connect() for _ in range(8)]
    for connection in slow:
        connection.request("GET", "/test/stress")
    time.sleep(0.5)  # until one of them is taken up, on a machine that does other things, too
    assert program.stop() == 1
    last = program.lines()[-1]
    assert last["level"] == "error" and 1 <= last["cut_off"] <= len(slow)


def test_stop_waits_neither_for_unused_connections_nor_for_further_sums(start):
    program = start(STRESS_JOBS="10")
    idle = program.connect()
    idle.request("GET", "/test/stress?numbers=3000000")
    assert program.answer(idle)[0] == 200
    never_used = program.connect()
    never_used.connect()
    begun = time.monotonic()
    assert program.stop() == 0
    assert time.monotonic() - begun < 7  # an unused connection would hold it for 8


def test_stop_while_requests_come_loses_none(start):
    program = start()
    program.connect()
    answered, failed = [], []

    def ask_until_refused():
        while True:
            try:
                client = socket.create_connection(("127.0.0.1", program.port), timeout=10)
            except ConnectionError:
                return
            with client:
                try:
                    client.sendall(b"GET /open/vets/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    answer = b"".join(iter(lambda: client.recv(4096), b""))
                    (answered if answer.startswith(b"HTTP/1.1 200 ") else failed).append(answer)
                except OSError as error:
                    failed.append(error)

    with ThreadPoolExecutor(4) as pool:
        askers = [pool.submit(ask_until_refused) for _ in range(4)]
        time.sleep(0.3)
        assert program.stop() == 0
        for asker in askers:
            asker.result(10)
    assert failed == []
    assert len(answered) > 20


def test_keeps_connections(running):
    connection = running("api").connect()
    sockets = set()
    for method, path in (("GET", "/"), ("HEAD", "/api/users"), ("GET", "/no"), ("POST", "/"), ("GET", "/api/posts")):
        connection.request(method, path, body="x" * 100 if method == "POST" else None)
        assert running("api").answer(connection)[2]["Connection"] is None
        sockets.add(connection.sock)
    assert len(sockets) == 1
    connection.close()


def test_many_at_once_are_all_answered(running):
    program = running("api")
    port = program.line("listening")["port"]
    clients = 300
    # All connect before anyone asks: what the backlog does not hold would be refused.
    connections = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(clients)]
    for connection in connections:
        connection.sendall(b"GET /api/users/2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answers = [b"".join(iter(lambda c=connection: c.recv(4096), b"")) for connection in connections]
    for connection in connections:
        connection.close()
    assert sum(answer.startswith(b"HTTP/1.1 200 ") and b"finn" in answer for answer in answers) == clients


def test_some_hundred_requests_a_second(running):
    program = running("api")

    def ask_many(_):
        connection = program.connect()
        for _ in range(100):
            connection.request("GET", "/api/users")
            assert program.answer(connection)[0] == 200
        connection.close()

    begun = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask_many, range(4)))
    # 400 requests; many times as fast on an idle machine, and this one may run other tests.
    assert time.monotonic() - begun < 12


def test_health_answers_under_stress(start):
    program = start(STRESS_JOBS="10")
    slow = [program.connect() for _ in range(2)]
    for connection in slow:
        connection.request("GET", "/test/stress?numbers=4000000")
    begun = time.monotonic()
    assert program.ask("/actuator/health")[0] == 200
    # A load balancer's shortest timeout is two seconds; the sums take many times that beside other tests.
    assert time.monotonic() - begun < 4
    assert [program.answer(connection)[0] for connection in slow] == [200, 200]
