# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The workstation's user data and its templates: as the role renders them, run with stand-ins for the commands."""

import email
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.handson.ecs.plugins.module_utils import stacks

ROLE = Path(__file__).resolve().parents[2] / "roles/workstation"


@cache
def variables():
    """The role's variables, and those that it shares with the others, as templates."""
    files = (ROLE.parent / "naming/defaults/main.yml", ROLE / "defaults/main.yml", ROLE / "vars/main.yml")
    return {k: v for f in files for k, v in DataLoader().load_from_file(str(f), trusted_as_template=True).items()}


def rendered(expression, **given):
    """Render an expression as a task of the role would."""
    own = {"inventory_hostname": "bench", "hostvars": {}, "aws_account_id": "123456789012"}
    own |= {"workstation_cidrs": ["203.0.113.7/32"], "ansible_search_path": [str(ROLE)]}
    templar = Templar(DataLoader(), variables={**variables(), **own, **given})
    return templar.template(trust_as_template("{{ " + expression + " }}"))


def script(**given):
    """The shell script in the user data."""
    parts = email.message_from_string(str(rendered("__workstation_user_data", **given))).get_payload()
    assert [p.get_content_type() for p in parts] == ["text/cloud-config", "text/x-shellscript"]
    assert yaml.safe_load(parts[0].get_payload()) == {"cloud_final_modules": [["scripts-user", "always"]]}
    return parts[1].get_payload()


# --- the templates ----------------------------------------------------------------------------------------------------


def test_the_templates_are_clean_as_they_lie_there_and_as_they_are_sent(tmp_path):
    tool = shutil.which("cfn-lint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if not tool:
        pytest.skip("cfn-lint is not installed")
    sent = []
    for kind in ("ec2", "cloud9"):
        sent.append(tmp_path / f"{kind}.yml")
        sent[-1].write_text(str(rendered(f"__workstation_{kind}_template")))
    files = map(str, [*(ROLE / "files").glob("*.yml"), *sent])
    command = [tool, "--regions", "ap-southeast-1", "--", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def resources(kind, **given):
    return stacks.parse_template(str(rendered(f"__workstation_{kind}_template", **given)))["Resources"]


def test_every_port_is_open_to_every_block_and_to_no_other():
    given = {"workstation_cidrs": ["203.0.113.7/32", "2001:db8::/32"], "workstation_ports": [22, 9460]}
    rules = resources("ec2", **given)["SecurityGroup"]["Properties"]["SecurityGroupIngress"]
    found = {(r["FromPort"], r["ToPort"], r.get("CidrIp"), r.get("CidrIpv6")) for r in rules}
    assert found == {
        ("22", "22", "203.0.113.7/32", None),
        ("22", "22", None, "2001:db8::/32"),
        ("9460", "9460", "203.0.113.7/32", None),
        ("9460", "9460", None, "2001:db8::/32"),
    }
    assert resources("ec2", workstation_cidrs=[])["SecurityGroup"]["Properties"]["SecurityGroupIngress"] == []


def test_the_user_data_arrives_as_it_is_and_fits():
    found = resources("ec2")["Instance"]["Properties"]["UserData"]["Fn::Base64"]
    assert found == str(rendered("__workstation_user_data"))
    assert len(found.encode()) < 12 * 1024, "user data ends at 16 KiB, and a user may have many repositories"


def test_no_image_is_read_again_at_an_update():
    template = stacks.parse_template((ROLE / "files/ec2.yml").read_text())
    assert not [p for p in template["Parameters"].values() if p["Type"].startswith("AWS::SSM::")]
    assert "{{resolve:" not in (ROLE / "files/ec2.yml").read_text()


def test_cloud9_clones_into_folders_of_the_same_names():
    urls = ["https://github.com/vet/kennel.git", "https://github.com/vet/petclinic-rest"]
    found = resources("cloud9", workstation_repositories=urls)["Environment"]["Properties"]["Repositories"]
    assert found == [
        {"RepositoryUrl": urls[0], "PathComponent": "/kennel"},
        {"RepositoryUrl": urls[1], "PathComponent": "/petclinic-rest"},
    ]


@pytest.mark.parametrize("kind", ["ec2", "cloud9"])
def test_every_parameter_is_given(kind):
    given = rendered(f"__workstation_{kind}_parameters")
    assert set(given) == set(stacks.parse_template((ROLE / f"files/{kind}.yml").read_text())["Parameters"])


def test_by_itself_it_may_be_reached_by_session_manager_and_nothing_else():
    role = resources("ec2")["Role"]["Properties"]
    assert "ManagedPolicyArns" not in role
    ((statement,),) = [p["PolicyDocument"]["Statement"] for p in role["Policies"]]
    assert statement["Resource"] == "*" and sorted(statement["Action"]) == [
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    ]


def test_registries_become_arns():
    given = rendered("__workstation_ec2_parameters", workstation_registries=["petclinic-rest", "team/vets"])
    prefix = "arn:aws:ecr:ap-southeast-1:123456789012:repository/"
    assert given["RegistryArns"] == f"{prefix}petclinic-rest,{prefix}team/vets"
    assert rendered("__workstation_ec2_parameters")["RegistryArns"] == ""


# --- the script that sets it up ---------------------------------------------------------------------------------------


class Machine:
    """A folder for the root of a machine, and stand-ins that write down how they were called."""

    def __init__(self, folder):
        self.root, self.bin, self.log = folder / "root", folder / "bin", folder / "calls"
        (self.root / "home/ec2-user").mkdir(parents=True)
        self.bin.mkdir()
        for name in ("dnf", "systemctl", "usermod", "logger", "shutdown"):
            self.command(name)
        self.command("rpm", "exit 1")
        self.command("pgrep", "exit 1")
        self.command("ss")
        self.command("runuser", 'shift 3; exec "$@"')
        self.command("git", '[ "$1" != clone ] || mkdir "$3"')

    def command(self, name, body="exit 0"):
        path = self.bin / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>{self.log}\n{body}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def run(self, text, *arguments, **environment):
        self.log.write_text("")
        paths = {"PATH": f"{self.bin}:{os.environ['PATH']}", "HANDSON_ROOT": str(self.root)}
        command = ["bash", "-c", text, "script", *arguments]
        return subprocess.run(command, env=paths | environment, capture_output=True, text=True, check=False)

    @property
    def calls(self):
        return self.log.read_text().splitlines()

    def read(self, path):
        return (self.root / path).read_text()


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def syntax(text):
    return subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False).stderr


def test_the_scripts_are_shell():
    assert syntax(script()) == ""
    assert syntax((ROLE / "files/idle.sh").read_text()) == ""


def test_values_of_the_inventory_stay_words(machine):
    odd = {"workstation_github_user": "$(touch pwned); x", "workstation_git_email": "a'b@example.org"}
    assert machine.run(script(**odd)).returncode == 0
    assert "git config --global user.name $(touch pwned); x" in machine.calls
    assert "git config --global user.email a'b@example.org" in machine.calls
    assert not Path("pwned").exists()


def test_everything_is_set_up(machine):
    done = machine.run(script())
    assert done.returncode == 0, machine.read("var/log/handson-workstation.log")
    assert done.stdout == "" and "done" in machine.read("var/log/handson-workstation.log")
    (installed,) = [c for c in machine.calls if c.startswith("dnf")]
    jdks = [f"java-{version}-amazon-corretto-devel" for version in ("1.8.0", "17")]
    for package in ("docker", "git", "jq", "awscli-2", *jdks):
        assert f" {package}" in installed
    assert "systemctl enable --now docker" in machine.calls and "usermod -aG docker ec2-user" in machine.calls
    assert "systemctl enable --now handson-idle.timer" in machine.calls
    home = f"{machine.root}/home/ec2-user"
    for name in ("petclinic-rest", "petclinic-front"):
        assert f"git clone https://github.com/voyagerwoo/{name} {home}/{name}" in machine.calls
    assert not [c for c in machine.calls if "git config" in c]
    service = machine.read("etc/systemd/system/handson-idle.service")
    assert "\nExecStart=/usr/local/sbin/handson-idle 30 22 9460 19460\n" in service
    assert machine.read("usr/local/sbin/handson-idle").strip() == (ROLE / "files/idle.sh").read_text().strip()
    assert os.access(machine.root / "usr/local/sbin/handson-idle", os.X_OK)


def test_what_hangs_costs_no_more_than_its_time_and_the_timer_is_there_before(machine):
    for name in ("dnf", "git"):
        machine.command(name, "exec sleep 60")
    machine.command("rpm", '[[ "$2" != git && "$2" != jq ]]')
    text = script()
    assert text.count("\npatience=1800\n") == 1
    start = time.monotonic()
    assert machine.run(text.replace("patience=1800", "patience=2")).returncode == 1
    assert time.monotonic() - start < 30
    calls = [c for c in machine.calls if c.startswith(("dnf", "git", "systemctl enable --now handson"))]
    assert calls[:2] == ["systemctl enable --now handson-idle.timer", "dnf install -y git jq"]
    assert [c.split()[0] for c in calls[2:]] == ["dnf", "dnf", "git", "git"]
    assert "failed: install jq\n" in machine.read("var/log/handson-workstation.log")


def test_a_set_up_counts_as_use_as_long_as_it_runs(machine):
    for name, content in (("uptime", "7200.00 1.00\n"), ("loadavg", "0.00 0.00 0.00 1/99 42\n"), ("stamp", "60\n")):
        (machine.root / name).write_text(content)
    files = {"HANDSON_UPTIME": "uptime", "HANDSON_LOADAVG": "loadavg", "HANDSON_IDLE_STAMP": "stamp"}
    given = {k: str(machine.root / v) for k, v in files.items()}
    given["HANDSON_SET_UP"] = str(machine.root / "run/handson-set-up")
    machine.command("dnf", f'exec "{machine.root}/usr/local/sbin/handson-idle" 30 22')
    assert machine.run(script(), **given).returncode == 0
    assert machine.read("stamp") == "7200\n" and not [c for c in machine.calls if c.startswith("shutdown")]
    assert not (machine.root / "run/handson-set-up").exists()
    (machine.root / "run/handson-set-up").write_text("4194305\n")  # above the highest id: one that was killed
    (machine.root / "stamp").write_text("60\n")
    machine.run((ROLE / "files/idle.sh").read_text(), "30", "22", **given)
    assert "shutdown -h now" in machine.calls


def test_a_second_start_installs_and_clones_nothing(machine):
    machine.run(script())
    machine.command("rpm")
    work = machine.root / "home/ec2-user/petclinic-rest/work.txt"
    work.write_text("not pushed yet")
    assert machine.run(script()).returncode == 0
    assert not [c for c in machine.calls if c.startswith(("dnf", "git"))]
    assert work.read_text() == "not pushed yet"


def test_one_package_that_is_gone_does_not_cost_the_others(machine):
    machine.command("dnf", '[[ "$*" != *nodejs22* ]]')
    done = machine.run(script())
    assert done.returncode == 1
    assert "dnf install -y docker" in machine.calls
    log = machine.read("var/log/handson-workstation.log")
    assert "failed: install nodejs22\n" in log and "failed: install docker" not in log
    assert "systemctl enable --now handson-idle.timer" in machine.calls


def test_a_fork_that_is_not_there_does_not_cost_the_rest(machine):
    machine.command("git", '[ "$1" != clone ]')
    assert machine.run(script()).returncode == 1
    assert machine.read("var/log/handson-workstation.log").count("failed: clone https://github.com/voyagerwoo/") == 2
    assert "systemctl enable --now handson-idle.timer" in machine.calls


def test_without_idling_the_timer_is_off(machine):
    assert machine.run(script(workstation_idle_minutes=0)).returncode == 0
    assert "systemctl disable --now handson-idle.timer" in machine.calls


def test_nothing_to_install_and_nothing_to_clone(machine):
    assert machine.run(script(workstation_packages=[], workstation_repositories=[])).returncode == 0
    assert not [c for c in machine.calls if c.startswith(("dnf", "git")) or "docker" in c]


@pytest.mark.parametrize(("java", "folder"), [("8", "java-1.8.0-amazon-corretto"), ("17", "java-17-amazon-corretto")])
def test_the_jdk_that_is_asked_for_is_the_one_of_a_login(machine, java, folder):
    machine.run(script(workstation_java=java))
    profile = machine.read("etc/profile.d/handson-workstation.sh")
    jdk = machine.root / f"jvm/{folder}.x86_64"
    (jdk / "bin").mkdir(parents=True)
    (jdk / "bin/javac").touch(mode=0o755)
    profile = profile.replace("/usr/lib/jvm", str(jdk.parent))
    done = machine.run(f'{profile}\necho "$JAVA_HOME $AWS_REGION"; command -v javac')
    assert done.stdout.split() == [str(jdk), "ap-southeast-1", str(jdk / "bin/javac")]


# --- stop when idle ---------------------------------------------------------------------------------------------------


class Idle:
    """A machine whose minutes pass when they are told to."""

    def __init__(self, machine):
        self.machine, self.minute = machine, 0
        self.stamp, self.uptime, self.load = (machine.root / n for n in ("stamp", "uptime", "loadavg"))
        self.use()

    def use(self, session=False, ssh=False, load="0.02"):
        self.machine.command("pgrep", "exit 0" if session else "exit 1")
        self.machine.command("ss", "echo '0 0 10.0.0.5:22 203.0.113.7:52011'" if ssh else "exit 0")
        self.load.write_text(f"{load} 0.00 0.00 1/123 4567\n")

    def looks(self, minutes=1, port=9460):
        """Let minutes pass; return whether it stopped in one of them."""
        for _ in range(minutes):
            self.minute += 1
            self.uptime.write_text(f"{self.minute * 60}.25 100.00\n")
            files = {"HANDSON_IDLE_STAMP": self.stamp, "HANDSON_UPTIME": self.uptime, "HANDSON_LOADAVG": self.load}
            files["HANDSON_SET_UP"] = self.machine.root / "no-set-up"
            text = (ROLE / "files/idle.sh").read_text()
            done = self.machine.run(text, "30", "22", str(port), **{k: str(v) for k, v in files.items()})
            assert done.stderr == ""
            if [c for c in self.machine.calls if c.startswith("shutdown")]:
                assert "shutdown -h now" in self.machine.calls
                return True
        return False


@pytest.fixture
def idle(machine):
    return Idle(machine)


def test_it_stops_after_the_minutes_and_not_before(idle):
    assert not idle.looks(30)
    assert idle.looks()


@pytest.mark.parametrize("use", [{"session": True}, {"ssh": True}, {"load": "0.50"}])
def test_use_keeps_it_and_starts_the_count_anew(idle, use):
    assert not idle.looks(20)
    idle.use(**use)
    assert not idle.looks(40)
    idle.use()
    assert not idle.looks(29)
    assert idle.looks()


def test_a_little_load_is_no_use(idle):
    idle.use(load="0.49")
    assert idle.looks(31)


def test_a_stamp_that_cannot_be_read_starts_the_count_anew(idle):
    idle.looks(25)
    idle.stamp.write_text("rubbish; rm -rf /\n")
    assert not idle.looks(30)
    assert idle.looks()


def addresses():
    """The addresses of this machine that are not of its loopback."""
    try:
        found = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split()
    except OSError:
        return []
    return [a for a in found if not a.startswith(("127.", "fe80"))]


@pytest.mark.parametrize("port_is_one_of_them", [True, False])
@pytest.mark.parametrize("own", [True, False])
def test_somebody_at_the_running_app_is_not_cut_off(idle, own, port_is_one_of_them):
    """With the system's own ss, and as Java listens: on IPv6, for both."""
    address = "127.0.0.1" if own else next(iter(addresses()), "")
    if not shutil.which("ss") or not address:
        pytest.skip("no ss on this machine, or no address to be reached by")
    (idle.machine.bin / "ss").unlink()
    both = {"family": socket.AF_INET6, "dualstack_ipv6": True} if socket.has_dualstack_ipv6() else {}
    with socket.create_server(("", 0), **both) as server:
        port = server.getsockname()[1]
        with socket.create_connection((address, port), 10), server.accept()[0]:
            assert idle.looks(31, port if port_is_one_of_them else port + 1) == (own or not port_is_one_of_them)
