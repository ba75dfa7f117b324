# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A listener: what it passes on, what it answers itself, and what it does where nobody is behind it."""

import http.client
import json
import os
import socket
import sys
import threading
from types import SimpleNamespace

import pytest
from container_endpoint import balancer, health, ports
from containers import machine
from containers.load import get
from containers.programs import Target, group


@pytest.fixture
def targets(monkeypatch):
    """Two programs, which are the healthy targets of the group `web`."""
    programs = [Target("one"), Target("two")]
    records = group(("i-1", 1), ("i-1", 2))
    addresses = {("i-1", number): program.address for number, program in enumerate(programs, 1)}
    monkeypatch.setattr(health, "addresses", addresses)
    for key in records.targets:
        health.checks(records)[key] = health.Check(0)
        health.checks(records)[key].state = "healthy"
    programs[0].records = records
    yield programs
    for program in programs:
        program.end()


def rule(priority, kind, path="", **data):
    conditions = [{"Field": "path-pattern", "Values": [path]}] if path else []
    action = SimpleNamespace(data={"Type": kind, **data})
    return SimpleNamespace(priority=priority, conditions=conditions, actions=[action])


@pytest.fixture
def ask(targets):
    """Ask a listener: (status, headers, body)."""
    fixed = {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "Not here."}
    to_https = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    to_other = {"Host": "other.example.com", "Path": "/new/#{path}", "Query": "from=#{host}", "StatusCode": "HTTP_302"}
    rules = [
        rule("default", "fixed-response", FixedResponseConfig=fixed),
        rule("1", "forward", "/web*", TargetGroupArn="web"),
        rule("2", "forward", "/status/*", TargetGroupArn="web"),
        rule("3", "forward", "/empty", TargetGroupArn="empty"),
        rule("4", "forward", "/dead", TargetGroupArn="dead"),
        rule("5", "redirect", "/secure*", RedirectConfig=to_https),
        rule("6", "redirect", "/old", RedirectConfig=to_other),
    ]
    dead = group(("i-9", 9))
    health.addresses["i-9", 9] = ("127.0.0.1", 1)
    health.checks(dead)["i-9:9"] = health.Check(0)
    health.checks(dead)["i-9:9"].state = "healthy"
    listener = SimpleNamespace(rules=dict(enumerate(rules)))
    backend = SimpleNamespace(
        load_balancers={"balancer": SimpleNamespace(listeners={"listener": listener})},
        target_groups={"web": targets[0].records, "empty": group(), "dead": dead},
    )
    server = balancer.Server(backend, 0, "listener")
    server.balancer_arn = "balancer"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def request(path, method="GET", body=None, **headers):
        connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
        try:
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body=body, headers=headers, encode_chunked="Transfer-Encoding" in headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    request.port = server.server_address[1]
    yield request
    server.shutdown()
    server.server_close()


def test_what_is_passed_on(ask):
    status, headers, body = ask("/web/a?b=1", X_Forwarded_For="10.0.0.9", Connection="keep-alive", X_Mine="yes")
    seen = json.loads(body)
    assert status == 200 and seen["path"] == "/web/a?b=1"
    assert headers["X-Task"] == seen["by"] and "Keep-Alive" not in headers
    assert seen["headers"]["X-Forwarded-For"] == "10.0.0.9, 127.0.0.1"
    assert seen["headers"]["X-Forwarded-Proto"] == "http" and seen["headers"]["X-Forwarded-Port"] == str(ask.port)
    assert seen["headers"]["X-Mine"] == "yes" and seen["headers"]["Host"] == f"127.0.0.1:{ask.port}"


def test_each_target_has_its_turn_and_nothing_stays_open(ask):
    by = [json.loads(ask("/web")[2])["by"] for _ in range(6)]
    assert sorted(by) == ["one"] * 3 + ["two"] * 3
    assert not any(balancer.open_requests.values())


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body(ask, chunked):
    body = iter([b"first,", b"second"]) if chunked else b"first,second"
    headers = {"Transfer_Encoding": "chunked"} if chunked else {}
    assert json.loads(ask("/web", "POST", body, **headers)[2])["body"] == "first,second"


def test_a_client_that_waits_for_the_word_to_go_on_gets_it_at_once(ask):
    with socket.create_connection(("127.0.0.1", ask.port), timeout=5) as client:
        client.sendall(b"POST /web HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n")
        client.sendall(b"body")
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_a_head_has_the_length_and_no_body(ask):
    status, headers, body = ask("/web", "HEAD")
    assert (status, body) == (200, "") and int(headers["Content-Length"]) > 0


def test_an_error_of_a_target_is_passed_on_as_it_is(ask):
    status, headers, _ = ask("/status/500")
    assert status == 500 and headers["X-Task"] in ("one", "two")


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [("/else", 404, "Not here."), ("/empty", 503, "Service Temporarily Unavailable"), ("/dead", 502, "Bad Gateway")],
)
def test_what_it_answers_itself(ask, path, status, body):
    answer = ask(path)
    assert answer[0] == status and body in answer[2] and answer[1]["Server"] == "awselb/2.0"


def test_redirects(ask):
    status, headers, _ = ask("/secure/a?x=1", Host="shop.example.com")
    assert (status, headers["Location"]) == (301, "https://shop.example.com:443/secure/a?x=1")
    status, headers, _ = ask("/old", Host="shop.example.com")
    assert (status, headers["Location"]) == (302, f"http://other.example.com:{ask.port}/new/old?from=shop.example.com")


def test_a_connection_is_kept(ask):
    connection = http.client.HTTPConnection("127.0.0.1", ask.port, timeout=10)
    for path in ("/web", "/else", "/dead", "/web"):
        connection.request("GET", path)
        assert connection.getresponse().read()
        assert connection.sock is not None
    connection.close()


def test_a_taken_port_is_refused_with_its_holder(targets):
    backend = SimpleNamespace(load_balancers={})
    with pytest.raises(balancer.ELBClientError) as refused:
        balancer._refuse_taken(backend, targets[0].address[1])
    assert str(targets[0].address[1]) in str(refused.value) and "load_balancer_listener_port" in str(refused.value)


@pytest.mark.parametrize("protocol", ["HTTPS", "TLS", "TCP"])
def test_a_listener_that_would_answer_nobody_is_refused(targets, protocol):
    backend = balancer.ELBv2Backend("ap-southeast-1", "123456789012")
    for refused in (
        lambda: backend.create_listener("balancer", protocol, "443", None, None, []),
        lambda: backend.modify_listener("listener", None, protocol),
    ):
        with pytest.raises(balancer.ELBClientError, match=f"{protocol} is left out there") as error:
            refused()
        assert "load_balancer_certificate_arn" in str(error.value) and "make site" in str(error.value)


def test_which_ports_a_listener_could_not_have(request, monkeypatch):
    holder = socket.create_server(("127.0.0.1", 0))
    request.addfinalizer(holder.close)
    held, (free,) = holder.getsockname()[1], machine.free_ports(1)
    answers = []
    page = ports.StatusPage(None, "/state", 5011)

    def taken(query):
        environ = {"PATH_INFO": "/handson/status", "QUERY_STRING": query}
        return json.loads(b"".join(page(environ, lambda status, headers: answers.append(status))))

    asked = f"listener_port={held}&listener_port={free}"
    found = taken(asked)
    assert [each["port"] for each in found["taken_ports"]] == [held] and found["state_dir"] == "/state"
    assert found["taken_ports"][0]["holder"].startswith(f"process {os.getpid()} (")
    assert "taken_ports" not in taken("") and set(answers) == {"200 OK"}
    monkeypatch.setitem(balancer._servers, held, (None, "ours"))
    assert taken(asked)["taken_ports"] == []


def test_ports_follow_the_listeners(targets):
    (free,) = machine.free_ports(1)
    listener = SimpleNamespace(protocol="HTTP", port=free, rules={})
    backend = SimpleNamespace(load_balancers={"b": SimpleNamespace(arn="b", listeners={"l": listener})}, target_groups={})
    balancer.follow([backend])
    assert get(free, "/")[0] == 503
    backend.load_balancers.clear()
    balancer.follow([backend])
    assert not balancer._refused
    with pytest.raises(ConnectionRefusedError):
        get(free, "/")


def test_a_port_that_can_not_be_had_is_logged_once_and_opened_when_it_is_free(targets, caplog):
    (port,) = machine.free_ports(1)
    listener = SimpleNamespace(protocol="HTTP", port=port, rules={})
    backend = SimpleNamespace(load_balancers={"b": SimpleNamespace(arn="b", listeners={"l": listener})}, target_groups={})
    with socket.create_server(("127.0.0.1", port)):
        for _ in range(3):
            balancer.follow([backend])
        assert len(caplog.messages) == 1 and f"port {port} of 127.0.0.1" in caplog.text
    balancer.follow([backend])
    assert get(port, "/")[0] == 503 and len(caplog.messages) == 2 and not balancer._refused
    backend.load_balancers.clear()
    balancer.follow([backend])
