# SPDX-License-Identifier: GPL-3.0-or-later
"""An embedded endpoint of the tests' own, empty before each test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import boto3
import pytest
from ansible.module_utils.basic import AnsibleModule

ROOT = Path(__file__).resolve().parents[2]
ENDPOINT = ROOT / "roles/local_endpoint/files/embedded_endpoint"
REGION = "ap-southeast-1"
OWNER = {"handson:cluster": "petclinic-rest-cluster"}


@pytest.fixture(scope="session")
def endpoint():
    """Start the embedded endpoint once a test process; yield its URL."""
    state = tempfile.mkdtemp(prefix="handson-test-")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    command = [sys.executable, str(ENDPOINT)]
    subprocess.run([*command, "start", "--state-dir", state, "--port", str(port)], check=True, timeout=90)
    url = f"http://127.0.0.1:{port}"
    mine = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "embedded-endpoint",
        "AWS_SECRET_ACCESS_KEY": "embedded-endpoint-key",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    before = {k: os.environ.get(k) for k in mine}
    os.environ.update(mine)
    yield url
    for key, value in before.items():
        os.environ.pop(key) if value is None else os.environ.__setitem__(key, value)
    subprocess.run([*command, "stop", "--state-dir", state], check=True, timeout=30)
    shutil.rmtree(state)


@pytest.fixture
def aws(endpoint):
    """Empty the account and return a function that gives a boto3 client of a service."""
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST"), timeout=30).read()
    clients = {}

    def client(service):
        if service not in clients:
            clients[service] = boto3.client(service, region_name=REGION)
        return clients[service]

    return client


@pytest.fixture
def system_log(monkeypatch):
    """What modules tell syslog or the journal: a list that fills."""
    told = []
    monkeypatch.setattr(AnsibleModule, "log", lambda self, msg, log_args=None: told.append(f"{msg} {log_args}"))
    return told


@pytest.fixture
def default_subnets(aws):
    """Ids of the default VPC's subnets, by zone."""
    found = aws("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    return [s["SubnetId"] for s in sorted(found, key=lambda s: s["AvailabilityZone"])]


@pytest.fixture
def alb(aws, default_subnets):
    """A load balancer named petclinic-rest-alb, made by boto3."""
    made = aws("elbv2").create_load_balancer(Name="petclinic-rest-alb", Subnets=default_subnets[:2])
    return made["LoadBalancers"][0]
