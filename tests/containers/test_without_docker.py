# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A machine without Docker: `make containers` says so before it does anything, and `make site` needs none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from containers import machine

LOCAL, CONTAINERS = ["-i", "inventories/local"], ["-i", "inventories/local", "-i", "inventories/containers"]


@pytest.fixture
def play(tmp_path):
    """Run ansible-playbook where DOCKER_HOST leads nowhere: (exit code, output)."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "HANDSON_", "ANSIBLE_"))}
    environment = {
        **kept,
        "HANDSON_STATE_DIR": str(tmp_path),
        "HANDSON_ENDPOINT_PORT": str(machine.free_ports(1)[0]),
        "ANSIBLE_CONFIG": str(machine.ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "DOCKER_HOST": f"unix://{tmp_path}/no-such-socket",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }

    def run(*arguments, **more):
        done = subprocess.run(
            ["ansible-playbook", *arguments, "-e", "service_wait_interval=0.1"],
            cwd=machine.ROOT,
            env=environment | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout

    yield run
    for package in ("embedded_endpoint", "container_endpoint"):
        state = tmp_path / "containers" if package.startswith("container") else tmp_path
        command = [sys.executable, str(machine.ENDPOINT.with_name(package)), "stop", "--state-dir", str(state)]
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)


def test_make_containers_says_what_is_missing(play, tmp_path):
    code, text = play(*CONTAINERS, "site.yml")
    assert code == 2 and f"No Docker engine answers at unix://{tmp_path}/no-such-socket" in text
    assert "Nothing was started." in text and "Without containers: make site." in text
    assert "changed=0" in text and "Traceback" not in text
    assert not (tmp_path / "containers" / "pid").exists()


def test_make_site_needs_none(play):
    code, text = play(*LOCAL, "site.yml", "--limit", "petclinic-*")
    assert code == 0, text[-4000:]
    assert "What exists now" in text and "No Docker engine answers" not in text


@pytest.mark.parametrize("spelled", ["HTTP_PROXY", "http_proxy"])
def test_a_proxy_that_the_shell_names_does_not_get_the_calls_to_this_machine(play, spelled):
    (nobody,) = machine.free_ports(1)
    none = {"no_proxy": "", "NO_PROXY": "intranet.example.com"}
    code, text = play(*LOCAL, "playbooks/preflight.yml", **{spelled: f"http://127.0.0.1:{nobody}"}, **none)
    assert code == 0, text[-4000:]
