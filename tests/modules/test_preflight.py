# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole preflight: a playbook, an inventory, an endpoint, and a list of the calls that came there."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import re
import subprocess
import threading
import urllib.parse
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SERVICE = {
    "cluster_name": "petclinic-rest-cluster",
    "task_definition_container_port": 9460,
    "target_group_health_check_path": "/actuator/health",
}


class Recorder(http.server.BaseHTTPRequestHandler):
    """Passes every request on to `upstream` and keeps the names of the API calls in `calls`."""

    upstream = ""
    calls: list[str] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = self.headers.get("X-Amz-Target", "")
        action = urllib.parse.parse_qs(body.decode(errors="replace")).get("Action", [f"{self.command} {self.path}"])[0]
        self.calls.append(target.split(".")[-1] or action)
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.upstream).netloc, timeout=30)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length", "server", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_DELETE = do_POST

    def log_message(self, *_):
        pass


@pytest.fixture
def recorder(aws, endpoint):
    """A URL in front of the endpoint, and the list of calls that it has seen."""
    handler = type("Handler", (Recorder,), {"upstream": endpoint, "calls": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler.calls
    server.shutdown()
    server.server_close()


@pytest.fixture
def preflight(recorder, tmp_path):
    """Run the role on an inventory. Returns (the task's result, the API calls, all that was printed)."""
    url, calls = recorder

    def preflight(cluster=None, service=None, *arguments, hosts=None, everywhere=None):
        inventory = {
            "all": {
                "vars": {
                    "ansible_connection": "local",
                    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                    "aws_account_id": "123456789012",
                    "aws_region": "ap-southeast-1",
                    "aws_environment_extra": {"AWS_ENDPOINT_URL": url},
                    **(everywhere or {}),
                },
                "children": {
                    "clusters": {
                        "hosts": {"petclinic-rest-cluster": {"key_pair_name": "petclinic", **(cluster or {})}}
                    },
                    "services": {"hosts": {"petclinic-rest-service": {**SERVICE, **(service or {})}, **(hosts or {})}},
                },
            }
        }
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory))
        result = tmp_path / "result.json"
        result.unlink(missing_ok=True)
        keep = {
            "ansible.builtin.copy": {
                "content": "{{ ansible_failed_result | to_json }}",
                "dest": str(result),
                "mode": "0600",
            },
            "check_mode": False,
            "when": "ansible_failed_result is defined",  # a task with run_once fails for all, and tells one
        }
        role = {"ansible.builtin.import_role": {"name": "handson.ecs.preflight"}}
        tasks = [{"block": [role], "rescue": [keep]}]
        play = [{"hosts": "clusters:services", "gather_facts": False, "tasks": tasks}]
        (tmp_path / "play.yml").write_text(yaml.safe_dump(play))
        calls.clear()
        command = ["ansible-playbook", "-i", str(tmp_path / "hosts.yml"), str(tmp_path / "play.yml"), *arguments]
        environment = {k: v for k, v in os.environ.items() if k != "AWS_ENDPOINT_URL"}
        shown = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
        assert shown.returncode == 0, shown.stdout + shown.stderr  # the play mends itself by its rescue
        told = json.loads(result.read_text()) if result.exists() else {"faults": [], "msg": ""}
        return told, list(calls), shown.stdout + shown.stderr

    return preflight


def variables(told):
    return sorted({f["variable"] for f in told["faults"]})


READS = [
    "DescribeClusters",
    "DescribeInstanceTypes",
    "DescribeLoadBalancers",
    "DescribeSubnets",
    "GetCallerIdentity",
    "GetParameter",
]


def test_the_tutorial_passes_with_six_reads(preflight):
    told, calls, text = preflight()
    assert told["faults"] == [], told["msg"]
    assert sorted(calls) == READS
    assert "changed=0" in text and "WARNING" not in text


def test_all_faults_in_one_report_and_nothing_written(preflight, default_subnets):
    told, calls, text = preflight(
        cluster={
            "load_balancer_name": "petclinic-rest-production-alb-001",
            "load_balancer_listener_port": 70000,
            "network_mode": "existing",
            "network_vpc_id": "vpc-0a1b2c3d",
            "network_subnet_ids": default_subnets[:1],
            "instances_type": "t2.mediun",
            "instances_count": 1,
            "instances_min": 1,
        },
        service={
            "target_group_health_check_path": "actuator/health",
            "service_desired_count": 1,
            "service_minimum_healthy_percent": 100,
            "service_maximum_percent": 100,
            "task_definition_cpu": 4096,
            "task_definition_memory": 16384,
            "task_definition_environment": {"DB_PASSWORD": "hunter2"},
            "service_desired_cout": 2,
            "task_definition_command": "{{ not_there }}",
        },
    )
    assert variables(told) == [
        "instances_type",
        "load_balancer_listener_port",
        "load_balancer_name",
        "network_subnet_ids",
        "network_vpc_id",
        "service_availability_zone_rebalancing",
        "service_desired_cout",
        "service_maximum_percent",
        "target_group_health_check_path",
        "task_definition_command",
        "task_definition_cpu",
        "task_definition_environment.DB_PASSWORD",
        "task_definition_memory",
    ]
    for said in (
        "It has 33 characters; a load balancer's name has at most 32.",
        "A port goes from 1 to 65535.",
        "Write /actuator/health.",
        "with 100/100 and 1 tasks",
        "A task takes 4096 CPU units and 16384 MiB, and a t2.medium registers 2048 CPU units and about 3953 MiB",
        "There is one subnet; a load balancer needs subnets in two zones.",
        "ap-southeast-1 offers no such instance type.",
        "Did you mean t2.medium?",
        "Did you mean service_desired_count?",
        "'not_there' is undefined",
    ):
        assert said in told["msg"] and said.split(".")[0][:60] in text
    assert told["msg"].endswith(f"{len(told['faults'])} faults; nothing was written.")
    assert "hunter2" not in text and "hunter2" not in json.dumps(told)
    assert sorted(calls) == READS
    assert not [c for c in calls if not re.match("Describe|Get|List", c)]


def test_without_an_endpoint_the_inventory_is_still_checked(preflight):
    away = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    told, calls, _ = preflight(
        {"network_cidr": "x", "network_mode": "create"}, everywhere={"aws_environment_extra": away}
    )
    assert variables(told) == ["aws:GetCallerIdentity", "network_cidr"]
    assert "http://127.0.0.1:9 does not answer" in told["msg"] and calls == []


def test_an_account_that_is_not_filled_in_and_the_wrong_one(preflight):
    told, _, _ = preflight(everywhere={"aws_account_id": ""})
    assert variables(told) == ["aws_account_id"] and "The account is not filled in" in told["msg"]
    assert told["msg"].endswith("1 fault; nothing was written.")
    told, _, _ = preflight(everywhere={"aws_account_id": "999999999999"})
    assert "aws_account_id says 999999999999, but your credentials belong to 123456789012" in told["msg"]


def test_scope_account_makes_one_call_and_looks_at_nothing_else(preflight):
    told, calls, _ = preflight({"load_balancer_listener_port": 70000}, None, "-e", "preflight_scope=account")
    assert told["faults"] == [] and calls == ["GetCallerIdentity"]
    told, calls, _ = preflight(None, None, "-e", "preflight_scope=account", "-e", "aws_account_id=999999999999")
    assert variables(told) == ["aws_account_id"] and calls == ["GetCallerIdentity"]


def test_extra_vars_win_and_check_mode_is_the_same(preflight):
    told, calls, _ = preflight(
        {"load_balancer_listener_port": 80}, None, "--check", "-e", "load_balancer_listener_port=70000"
    )
    assert variables(told) == ["load_balancer_listener_port"] and sorted(calls) == READS


def test_limit_looks_at_the_service_with_its_cluster(preflight):
    told, calls, _ = preflight(
        {"load_balancer_listener_port": 70000, "instances_type": "t2.micro"}, None, "--limit", "petclinic-rest-service"
    )
    assert variables(told) == ["task_definition_memory"]  # the cluster's own fault is not this run's
    assert sorted(calls) == ["DescribeClusters", "DescribeInstanceTypes", "DescribeLoadBalancers", "GetCallerIdentity"]


def test_what_is_no_fault_is_said_and_stops_nothing(preflight):
    told, _, text = preflight(service={"registry_tag_mutability": "IMMUTABLE", "image_context": "app"})
    assert told["faults"] == [], told["msg"]
    assert "[WARNING]" in text and "The second push of the tag latest will be refused" in text


def test_a_name_that_the_cluster_overrides_holds_for_its_services(preflight):
    told, _, _ = preflight({"load_balancer_name": "my-alb", "load_balancer_listener_port": 8080})
    assert told["faults"] == [], told["msg"]


def test_services_of_one_load_balancer(preflight):
    second = {
        "cluster_name": "petclinic-rest-cluster",
        "task_definition_memory": 256,
        "task_definition_memory_reservation": 128,
    }
    told, _, _ = preflight(hosts={"vets-service": second})
    assert variables(told) == ["target_group_rule_priority"]
    assert {f["host"] for f in told["faults"]} == {"petclinic-rest-service", "vets-service"}
    told, calls, _ = preflight(
        hosts={"vets-service": second | {"target_group_rule_priority": 1, "target_group_rule_paths": ["/vets*"]}}
    )
    assert told["faults"] == [], told["msg"]
    assert sorted(calls) == READS
