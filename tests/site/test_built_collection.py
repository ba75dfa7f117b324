# SPDX-License-Identifier: GPL-3.0-or-later
"""What `ansible-galaxy collection build` makes works where there is no checkout, with a user's own inventory."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .conftest import ENDPOINT, ROOT, Site

BIN = Path(sys.executable).parent


@pytest.fixture
def elsewhere(tmp_path):
    """A folder with the installed collection and a user's inventory, and a site whose runs know nothing else."""
    archives, collections = tmp_path / "archives", tmp_path / "collections"
    galaxy = [str(BIN / "ansible-galaxy"), "collection"]
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    source = tmp_path / "source"  # what git knows: a build takes whatever else lies in a checkout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file() and not (ROOT / name).is_symlink():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    subprocess.run([*galaxy, "build", str(source), "--output-path", str(archives)], check=True, capture_output=True)
    (archive,) = archives.glob("*.tar.gz")
    install = [*galaxy, "install", str(archive), "-p", str(collections), "--no-deps", "--force"]
    subprocess.run(install, check=True, capture_output=True)

    inventory = tmp_path / "inventory"
    shutil.copytree(ROOT / "inventories/local", inventory)
    hosts = yaml.safe_load((inventory / "hosts.yml").read_text())
    groups = hosts["all"]["children"]
    groups["clusters"]["hosts"] = {"BreakTheMonolith-Demo": None}
    groups["services"]["hosts"] = {"users": None}
    groups["break_the_monolith"]["hosts"] = {"users": None}
    # A user's inventory need not have every group.
    del groups["retired_services"], groups["workstations"]
    (inventory / "hosts.yml").write_text(yaml.safe_dump(hosts))

    state = tmp_path / "state"
    state.mkdir()
    site = Site(state)
    environment = {k: v for k, v in site.environment.items() if not k.startswith("ANSIBLE_")}
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(collections)
    yield tmp_path, environment, inventory
    subprocess.run([sys.executable, str(ENDPOINT), "stop", "--state-dir", str(state)], check=False, capture_output=True)


def test_it_runs_elsewhere(elsewhere):
    folder, environment, inventory = elsewhere

    def play(name, *arguments):
        command = [str(BIN / "ansible-playbook"), "-i", str(inventory), f"handson.ecs.{name}", *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        assert "Could not match supplied host pattern" not in done.stderr
        return done.stdout

    said = play("site", "-v")
    for part in ("roles", "plugins", "playbooks", "collections", "ansible.cfg"):
        assert f"{ROOT}/{part}" not in said, "something of the checkout was used"
    assert set(re.findall(r"changed=(\d+)", play("site"))) == {"0"}
    assert "Nothing of ours is left" in play("teardown", "-e", "teardown_confirm=true")
