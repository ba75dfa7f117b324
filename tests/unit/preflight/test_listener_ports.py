# SPDX-License-Identifier: GPL-3.0-or-later
"""Listeners of the local endpoint with containers are ports of a machine, and others may hold them."""

from __future__ import annotations

import http.server
import json
import threading

import pytest
from ansible_collections.handson.ecs.plugins.module_utils.preflight import checks, facts
from ansible_collections.handson.ecs.plugins.modules import preflight_info
from unit.preflight.samples import cluster, seen, service


def two(**given):
    hosts = [cluster("one", load_balancer_listener_port=8080), cluster("two", load_balancer_listener_port="8081")]
    for host in hosts:
        host.given = set(given)
    return hosts


def test_only_the_endpoint_with_containers_is_asked():
    assert facts.questions([*two(), service()], [])["listener_ports"] == []
    assert facts.questions([*two(local_endpoint_containers=True), service()], [])["listener_ports"] == [8080, 8081]


@pytest.mark.parametrize(("taken", "hosts"), [(None, []), ([], []), ([8081], ["two"]), ([8080, 8081], ["one", "two"])])
def test_all_that_are_taken_are_told_at_once(taken, hosts):
    found = None if taken is None else [{"port": port, "holder": "process 7 (nginx)"} for port in taken]
    faults = checks.check_facts(two(), {"taken_ports": found, "endpoint": "http://127.0.0.1:5011"}, "all")
    assert [f.host for f in faults] == hosts and seen(faults) == (["load_balancer_listener_port"] if hosts else [])
    assert all("held by process 7 (nginx)" in f.problem and "above 1023" in f.remedy for f in faults)


class Page(http.server.BaseHTTPRequestHandler):
    """The endpoint's page of its own."""

    said: bytes = b""

    def do_GET(self):
        self.server.asked = self.path
        self.send_response(200 if self.said else 404)
        self.send_header("Content-Length", str(len(self.said)))
        self.end_headers()
        self.wfile.write(self.said)

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"taken_ports": [{"port": 8080, "holder": "x"}]}, [{"port": 8080, "holder": "x"}]),
        ({"service": "handson-embedded-endpoint"}, None),  # the endpoint without containers
        (["rubbish"], None),
        (None, None),
    ],
)
def test_what_the_endpoint_tells(monkeypatch, said, told):
    monkeypatch.setattr(Page, "said", b"" if said is None else json.dumps(said).encode())
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        assert preflight_info.Questions.taken_ports(None, url, [8080, 8081]) == told
    finally:
        server.shutdown()
        server.server_close()
    assert server.asked == "/handson/status?listener_port=8080&listener_port=8081"
