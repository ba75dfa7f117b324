# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a workstation: by the inventory alone, and by what the account shows."""

import copy
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml
from ansible_collections.handson.ecs.plugins.module_utils.preflight import checks, workstation
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Host
from unit.preflight.samples import cluster, one, seen, service

VALUES = {
    "aws_account_id": "123456789012",
    "aws_region": "ap-southeast-1",
    "stack_tags": {},
    "stack_workstation_owner": {"handson:workstation": "petclinic-cloud9"},
    "workstation_state": "present",
    "workstation_name": "petclinic-cloud9",
    "workstation_kind": "ec2",
    "workstation_instance_type": "t2.micro",
    "workstation_volume_size": 16,
    "workstation_image_parameter": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    "workstation_metadata_hop_limit": 1,
    "workstation_vpc_id": "",
    "workstation_subnet_id": "",
    "workstation_address_url": "https://checkip.amazonaws.com",
    "workstation_cidrs": ["203.0.113.7/32"],
    "workstation_ports": [22, 9460, 19460],
    "workstation_key_name": "petclinic-cloud9",
    "workstation_registries": [],
    "workstation_packages": ["docker", "java-1.8.0-amazon-corretto-devel"],
    "workstation_repositories": [
        "https://github.com/voyagerwoo/petclinic-rest",
        "https://github.com/voyagerwoo/petclinic-front",
    ],
    "workstation_idle_minutes": 30,
}
TYPE, IMAGE = "workstation_instance_type", "workstation_image_parameter"
VPC, SUBNET = "vpc-0a1b2c3d4e5f67890", "subnet-0a1b2c3d4e5f67890"
ARM = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
TYPES = {"t2.micro": {"vcpus": 1, "memory": 1024, "interfaces": 2, "architectures": ["x86_64"]}}
FACTS = {
    "account": "123456789012",
    "region": "ap-southeast-1",
    "endpoint": "",
    "instance_types": TYPES,
    "parameters": {VALUES["workstation_image_parameter"]: "ami-0a1b2c3d4e5f67890"},
    "default_subnets": [{"id": SUBNET, "vpc_id": VPC, "availability_zone": "ap-southeast-1a"}],
    "problems": [],
}


def bench(name="petclinic-cloud9", **changes):
    """The tutorial's workstation with some values changed."""
    return Host(name, "workstation", {**copy.deepcopy(VALUES), **changes})


def test_the_tutorials_has_no_fault_beside_its_cluster_and_service():
    assert checks.check_values([cluster(), service(), bench()]) == []


def test_cloud9s_has_no_fault():
    assert checks.check_values([bench(workstation_kind="cloud9", workstation_cidrs=[])]) == []


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("workstation_kind", "codespaces", "ec2, cloud9"),
        ("workstation_name", "w" * 128, ""),
        ("workstation_name", "w" * 129, "129 characters"),
        ("workstation_name", "1st", "a letter first"),
        ("workstation_name", "my_bench", "hyphens"),
        ("workstation_name", "", "empty"),
        ("workstation_key_name", "schlüssel", "ASCII"),
        ("workstation_instance_type", "micro", "t2.micro"),
        ("workstation_instance_type", "", "t2.micro"),
        ("workstation_volume_size", 16384, ""),
        ("workstation_volume_size", 16385, "from 8 to 16384"),
        ("workstation_volume_size", 7, "from 8"),
        ("workstation_volume_size", "40", ""),
        ("workstation_metadata_hop_limit", 0, "from 1 to 64"),
        ("workstation_image_parameter", "ami-0a1b2c3d4e5f67890", "begins with /"),
        ("workstation_image_parameter", ARM, "arm64, t2.micro is x86_64"),
        ("workstation_image_parameter", ARM, "al2023-ami-kernel-default-x86_64"),
        ("workstation_image_parameter", "/own/images/bench", ""),
        ("workstation_cidrs", [], ""),
        ("workstation_cidrs", ["203.0.113.0/24", "2001:db8::/32"], ""),
        ("workstation_cidrs", ["203.0.113.7"], "looks like"),
        ("workstation_cidrs", ["203.0.113.7/24"], "bits set"),
        ("workstation_cidrs", ["/32"], "checkip.amazonaws.com did not tell your own address"),
        ("workstation_cidrs", ["/32"], "Set it yourself: [203.0.113.7/32]"),
        ("workstation_ports", [], ""),
        ("workstation_ports", [22, 70000], "70000 is no port"),
        ("workstation_ports", [0], "0 is no port"),
        ("workstation_idle_minutes", 0, ""),
        ("workstation_idle_minutes", 5, ""),
        ("workstation_idle_minutes", 4, "from 5 to 20160"),
        ("workstation_idle_minutes", 20161, "or 0"),
        ("workstation_idle_minutes", -1, "from 5"),
        ("workstation_idle_minutes", "soon", "whole number"),
        ("workstation_registries", ["petclinic-rest", "team/vets"], ""),
        ("workstation_registries", ["Vets"], "lower case"),
        ("workstation_registries", ["*"], "at least 2"),
        ("workstation_packages", [], ""),
        ("workstation_packages", ["docker; reboot"], "no package"),
        ("workstation_packages", ["--nogpgcheck"], "no package"),
        ("workstation_repositories", [], ""),
        ("workstation_repositories", ["https://git.example.org:8443/~vet/kennel.git"], ""),
        ("workstation_repositories", ["http://github.com/vet/kennel"], "https address"),
        ("workstation_repositories", ["ssh://github.com/vet/kennel"], "https address"),
        ("workstation_repositories", ["https://github.com/vet/$(reboot)"], "https address"),
        ("workstation_repositories", ["https://github.com/vet/x?token=abc"], "https address"),
        ("workstation_repositories", ["https://github.com/vet/x", "https://github.com/dog/x.git"], "one folder, x"),
        ("workstation_vpc_id", "default", "looks like vpc-"),
    ],
)
def test_values(variable, value, says):
    host = bench(**{variable: value})
    if variable == "workstation_vpc_id":
        host.values["workstation_subnet_id"] = SUBNET
    if says:
        one(workstation.check_workstation, host, variable, says)
    else:
        assert list(workstation.check_workstation(host)) == []


@pytest.mark.parametrize("url", ["https://vet:s3cret@github.com/vet/kennel", "https://s3cret@github.com/vet/kennel"])
def test_credentials_in_a_url_are_a_fault_that_does_not_show_them(url):
    host = bench(workstation_repositories=[url])
    one(workstation.check_workstation, host, "workstation_repositories", "credentials in it")
    assert "s3cret" not in checks.report(list(workstation.check_workstation(host)))


def test_a_small_volume_is_a_warning():
    assert seen(workstation.check_workstation(bench(workstation_volume_size=8))) == ["workstation_volume_size?"]


def test_vpc_and_subnet_are_named_together():
    one(workstation.check_workstation, bench(workstation_vpc_id=VPC), "workstation_subnet_id", "VPC is named without")
    one(workstation.check_workstation, bench(workstation_subnet_id=SUBNET), "workstation_vpc_id", "subnet is named")
    assert list(workstation.check_workstation(bench(workstation_vpc_id=VPC, workstation_subnet_id=SUBNET))) == []
    cloud9 = bench(workstation_kind="cloud9", workstation_subnet_id=SUBNET)
    assert list(workstation.check_workstation(cloud9)) == []


def test_its_own_tag_of_ownership_can_not_be_set():
    host = bench(stack_tags={"handson:workstation": "other"})
    one(workstation.check_workstation, host, "stack_tags.handson:workstation", "set by the run")


def test_no_two_take_one_name():
    same = [bench("one"), bench("two", workstation_key_name="two")]
    assert seen(workstation.check_unique(same)) == ["workstation_name"]
    assert {f.host for f in workstation.check_unique(same)} == {"one", "two"}
    assert list(workstation.check_unique([bench(), bench(aws_region="eu-west-1")])) == []


def test_the_key_pair_of_a_cluster_is_not_taken():
    hosts = [cluster(key_pair_name="petclinic"), bench(workstation_key_name="petclinic")]
    faults = list(workstation.check_unique(hosts))
    assert [(f.host, f.variable) for f in faults] == [("petclinic-cloud9", "workstation_key_name")]


def test_questions_come_on_top_of_the_others():
    asked = {"instance_types": ["t2.medium"], "parameters": ["/x"], "default_subnets": False, "clusters": ["c"]}
    found = workstation.questions([bench(), cluster()], asked)
    assert found == {
        "instance_types": ["t2.medium", "t2.micro"],
        "parameters": [VALUES["workstation_image_parameter"], "/x"],
        "default_subnets": True,
        "clusters": ["c"],
    }
    assert workstation.questions([cluster()], asked) == asked
    named = bench(workstation_vpc_id=VPC, workstation_subnet_id=SUBNET, workstation_kind="cloud9")
    assert workstation.questions([named], {}) == {
        "instance_types": ["t2.micro"],
        "parameters": [],
        "default_subnets": False,
    }


@pytest.mark.parametrize(
    ("facts", "changes", "names", "says"),
    [
        ({}, {}, "", ""),
        ({"instance_types": None, "parameters": None, "default_subnets": None}, {}, "", ""),
        ({"instance_types": {}}, {TYPE: "t3.mikro"}, TYPE, "mean t3.micro"),
        ({"parameters": {ARM: None}}, {IMAGE: ARM}, IMAGE, "x86_64"),
        ({"parameters": {"/own": None}}, {IMAGE: "/own"}, IMAGE, "no such"),
        ({"parameters": {"/own": "x"}}, {IMAGE: "/own"}, IMAGE, "no image"),
        ({"default_subnets": []}, {}, "workstation_subnet_id", "no default VPC"),
        ({"default_subnets": []}, {"workstation_vpc_id": VPC, "workstation_subnet_id": SUBNET}, "", ""),
        ({}, {"workstation_cidrs": ["0.0.0.0/0"]}, "workstation_cidrs?", "22, 9460, 19460 are open to the whole world"),
        ({}, {"workstation_cidrs": ["::/0"]}, "workstation_cidrs?", "whole world"),
        ({"endpoint": "http://127.0.0.1:5001"}, {"workstation_cidrs": ["0.0.0.0/0"]}, "", ""),
        ({"endpoint": "http://127.0.0.1:5001"}, {"workstation_kind": "cloud9"}, "workstation_kind", "has no Cloud9"),
        ({}, {"workstation_kind": "cloud9"}, "", ""),
        ({"instance_types": {}, "default_subnets": []}, {"workstation_state": "absent"}, "", ""),
    ],
)
def test_what_the_account_shows(facts, changes, names, says):
    found = list(workstation.check_facts(bench(**changes), {**FACTS, **facts}))
    assert seen(found) == ([names] if names else []), found
    assert not names or any(says in f.problem + " " + f.remedy for f in found), found


def test_the_facts_of_a_workstation_are_checked_with_all_others():
    found = checks.check_facts([cluster(), bench(workstation_kind="cloud9")], {**FACTS, "endpoint": "http://x"}, "all")
    assert "workstation_kind" in seen(found)


def test_other_hosts_are_no_workstations():
    assert list(workstation.check_facts(cluster(), FACTS)) == []


# --- one that the run does not deploy ---------------------------------------------------------------------------------


@pytest.fixture
def address_url():
    """A service that tells an address, and the list of what it was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"203.0.113.9\n")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("limit", ["vet-bench", "petclinic-rest-cluster", "petclinic-bench"])
def test_nobody_asks_for_the_address_of_one_that_is_not_deployed(limit, address_url, tmp_path):
    url, asked = address_url
    everywhere = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "aws_account_id": "123456789012",
        "aws_region": "ap-southeast-1",
        "aws_environment_extra": {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},  # nobody there: a fault of its own
        "workstation_address_url": url,
        "workstation_key_name": "petclinic",
    }
    benches = {"petclinic-bench": {}, "vet-bench": {"workstation_cidrs": ["203.0.113.7/32"]}}
    clusters = {"petclinic-rest-cluster": {"key_pair_name": "vets"}}
    children = {"workstations": {"hosts": benches}, "clusters": {"hosts": clusters}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": everywhere, "children": children}}))
    keep = {"content": "{{ ansible_failed_result | to_json }}", "dest": str(tmp_path / "result.json"), "mode": "0600"}
    tasks = [
        {
            "block": [{"handson.ecs.preflight": None, "run_once": True}],
            "rescue": [{"ansible.builtin.copy": keep, "when": "ansible_failed_result is defined"}],
        }
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    playbook = str(Path(sys.executable).parent / "ansible-playbook")
    command = [playbook, "-i", str(tmp_path / "hosts.yml"), str(tmp_path / "play.yml"), "--limit", limit]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    environment |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "NO_PROXY": "127.0.0.1"}
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "result.json").read_text())
    assert bool(asked) == (limit == "petclinic-bench")
    # Its names are known none the less.
    names = [f["variable"] for f in told["faults"] if "petclinic-bench" in f["problem"]]
    assert names == (["workstation_key_name"] if limit == "vet-bench" else [])
    assert {f["host"] for f in told["faults"]} == {limit}
