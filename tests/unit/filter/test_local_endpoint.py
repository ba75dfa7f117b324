# SPDX-License-Identifier: GPL-3.0-or-later
import importlib.util
from pathlib import Path

import pytest

from ansible_collections.handson.ecs.plugins.filter.local_endpoint import local_endpoint

#: Of the endpoint itself, a program that runs without the collection: it says the same for `make env`.
PROGRAM = Path(__file__).resolve().parents[3] / "roles/local_endpoint/files/embedded_endpoint/environment.py"


@pytest.fixture(scope="module")
def program():
    spec = importlib.util.spec_from_file_location("environment", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_port_is_the_endpoints(tmp_path):
    assert local_endpoint(str(tmp_path), environment={})["AWS_ENDPOINT_URL"] == "http://127.0.0.1:5001"
    assert local_endpoint(str(tmp_path), 5011, {})["AWS_ENDPOINT_URL"] == "http://127.0.0.1:5011"
    (tmp_path / "port").write_text("6001\n")
    assert local_endpoint(str(tmp_path), 5011, {})["AWS_ENDPOINT_URL"] == "http://127.0.0.1:6001"


def test_nothing_of_a_real_account_is_left(tmp_path):
    found = local_endpoint(str(tmp_path), environment={"AWS_PROFILE": "production", "AWS_SESSION_TOKEN": "x"})
    assert found["AWS_PROFILE"] == found["AWS_SESSION_TOKEN"] == ""
    assert found["AWS_CONFIG_FILE"] == found["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    # A variable that isn't there need not be taken away: an empty profile is an error to tools that know no better.
    assert "AWS_PROFILE" not in local_endpoint(str(tmp_path), environment={"AWS_PROFILE": ""})


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": "intranet"}, "intranet,127.0.0.1,localhost"),
        ({"no_proxy": "a", "NO_PROXY": "b"}, "a,127.0.0.1,localhost"),
        ({"no_proxy": "a,127.0.0.1,localhost"}, "a,127.0.0.1,localhost"),
        ({"NO_PROXY": " * "}, "*"),
    ],
)
def test_a_proxy_is_passed_by_and_the_program_says_the_same(tmp_path, program, given, wanted):
    found = local_endpoint(str(tmp_path), environment=given)
    assert found["NO_PROXY"] == found["no_proxy"] == wanted
    assert program.no_proxy(given) == wanted
