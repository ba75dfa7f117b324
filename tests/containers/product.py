# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The product with real containers, run as a user runs it: one cluster with three services."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import boto3
import yaml

from containers import machine

ROOT = machine.ROOT
REGION = "ap-southeast-1"
CLUSTER = "roll-cluster"
#: One that is replaced beside the old version, one in its place, and one for an image that isn't there.
SERVICES = {
    "roll-wide": {
        "containers_app": "petclinic-rest",
        "task_definition_container_port": 9460,
        "target_group_health_check_path": "/actuator/health",
        "verify_requests": [{"path": "/test/update", "contains": "Pet clinic service update test."}],
    },
    "roll-tight": {
        "containers_app": "users",
        "service_minimum_healthy_percent": 50,
        "service_maximum_percent": 100,
        "service_availability_zone_rebalancing": "DISABLED",
        "target_group_rule_priority": 1,
        "target_group_rule_paths": ["/api/users*"],
        "verify_requests": [{"path": "/api/users", "items": 4}],
    },
    "roll-third": {
        "containers_app": "threads",
        "target_group_rule_priority": 2,
        "target_group_rule_paths": ["/api/threads*"],
        "verify_requests": [{"path": "/api/threads", "items": 3}],
    },
}
PATHS = {"roll-wide": "/test/update", "roll-tight": "/api/users", "roll-third": "/api/threads"}
COMMON = {
    "cluster_name": CLUSTER,
    "image_tag": "v1",
    "task_definition_container_port": 3000,
    "target_group_health_check_interval": 3,
    "target_group_health_check_timeout": 2,
    "target_group_deregistration_delay": 5,
    # Enough for these programs on a machine that does other things, too; a version that never gets healthy is found out sooner.
    "service_health_check_grace_period": 10,
    "service_wait_interval": 0.2,
    "service_wait_timeout": 120,
    "verify_timeout": 30,
}


class Run:
    """What ansible-playbook came to."""

    def __init__(self, code: int, said: list[tuple[float, str]], seconds: float):
        self.code, self.said, self.seconds = code, said, seconds  # said: (seconds since 1970, line)
        self.text = "".join(line for _at, line in said)
        recap = re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+).* failed=(\d+)", self.text, re.MULTILINE)
        self.changed = sum(int(changed) for _host, changed, _failed in recap)
        self.failed = sorted(host for host, _changed, failed in recap if int(failed))


class Product:
    """A checkout whose endpoint, inventory and ports are the tests' own."""

    def __init__(self, folder: Path):
        self.folder, self.state = folder, folder / "containers"
        self.port, self.listener = machine.free_ports(2)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "HANDSON_", "ANSIBLE_"))}
        self.environment = {
            **kept,
            "HANDSON_STATE_DIR": str(folder),
            "HANDSON_ENDPOINT_PORT": str(self.port),
            "HANDSON_METRICS_INTERVAL": "2",  # seconds between two looks of container_endpoint/metrics.py
            machine.BASE_VARIABLE: machine.base_image(),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        # Our hosts with the variables of the two shipped inventories.
        cluster = {"load_balancer_listener_port": self.listener, "instances_type": "t2.xlarge"}  # room for two versions
        hosts = {
            "clusters": {"hosts": {CLUSTER: cluster}},
            "services": {"hosts": SERVICES, "vars": COMMON},
        }
        self.inventories = []
        for name in ("local", "containers"):
            inventory = folder / "inventories" / name
            inventory.mkdir(parents=True)
            (inventory / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": hosts}}))
            (inventory / "group_vars").mkdir()
            (inventory / "group_vars/all.yml").symlink_to(ROOT / f"inventories/{name}/group_vars/all.yml")
            self.inventories += ["-i", str(inventory)]

    def play(self, *arguments: str, fails: bool = False, **variables: object) -> Run:
        """Run playbooks, one after the other; unless `fails`, they must end well."""
        begun = time.monotonic()
        with subprocess.Popen(
            ["ansible-playbook", *self.inventories, *arguments, "-e", json.dumps(variables)],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            too_long = threading.Timer(240, process.kill)
            too_long.start()
            try:
                said = [(time.time(), line) for line in process.stdout]
            except BaseException:  # an interrupted test leaves nothing running
                process.kill()
                raise
            finally:
                too_long.cancel()
        run = Run(process.returncode, said, time.monotonic() - begun)
        assert (run.code != 0) == fails, f"{run.text[-8000:]}\n{self.log()}\n{machine.docker('ps', '--all').stdout}"
        return run

    def log(self) -> str:
        """The last lines that the endpoint wrote."""
        file = self.state / "endpoint.log"
        return file.read_text(errors="replace")[-4000:] if file.exists() else "The endpoint wrote nothing."

    def aws(self, service: str):
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id="embedded-endpoint",
            aws_secret_access_key="embedded-endpoint-key",
        )

    def service(self, name: str) -> dict:
        return self.aws("ecs").describe_services(cluster=CLUSTER, services=[name])["services"][0]

    def tasks(self, name: str) -> list[dict]:
        """The running tasks of a service."""
        ecs = self.aws("ecs")
        arns = ecs.list_tasks(cluster=CLUSTER, serviceName=name)["taskArns"]
        return ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []

    def containers(self, name: str) -> set[str]:
        """The container ids of a service's tasks, as Docker's short ids."""
        return {c["runtimeId"][:12] for task in self.tasks(name) for c in task["containers"] if c.get("runtimeId")}

    def stopped(self, name: str) -> list[dict]:
        """The stopped tasks of a service, the last one first."""
        ecs = self.aws("ecs")
        arns = ecs.list_tasks(cluster=CLUSTER, serviceName=name, desiredStatus="STOPPED")["taskArns"]
        found = ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []
        return sorted(found, key=lambda task: task["stoppedAt"], reverse=True)

    def endpoint(self, command: str) -> str:
        asked = [sys.executable, str(machine.ENDPOINT), command, "--state-dir", str(self.state)]
        done = subprocess.run(asked, env=self.environment, capture_output=True, text=True, check=True, timeout=120)
        return done.stdout

    def stop(self) -> None:
        self.endpoint("stop")
