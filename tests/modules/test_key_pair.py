# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import subprocess
import sys

import pytest
from ansible_collections.handson.ecs.plugins.module_utils import key_pairs
from modules.aws_calls import operations, recorded
from modules.harness import BEGIN, Failed, contract, run

OWNER = {"handson:cluster": "petclinic-rest-cluster"}
NAME = "petclinic-rest-key"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys" / "petclinic-rest-key.pem"


@pytest.fixture
def options(path):
    return {"name": NAME, "private_key_file": str(path), "owner": OWNER}


@pytest.fixture
def read(aws):
    def read():
        found = aws("ec2").describe_key_pairs(Filters=[{"Name": "key-name", "Values": [NAME]}], IncludePublicKey=True)
        return found["KeyPairs"][0] if found["KeyPairs"] else None

    return read


@pytest.fixture
def own_key(path):
    """A private key that the user made, at the path."""
    private, public = key_pairs.generate("ed25519")
    key_pairs.write_new(str(path), private, 0o600)
    return public


def tags(pair):
    return {t["Key"]: t["Value"] for t in pair["Tags"]}


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_contract(read, options, path, kind):
    contract(
        "key_pair",
        {**options, "type": kind},
        read,
        changes=[({"tags": {"team": "vets"}}, lambda k: tags(k).get("team"), "vets")],
        gone=lambda: read() is None and not path.exists(),
    )
    assert os.listdir(path.parent) == []


def test_the_key_is_made_here_private_and_never_shown(read, options, path):
    result = run("key_pair", **options)
    assert key_pairs.mode_of(str(path)) == "0600" and key_pairs.mode_of(str(path.parent)) == "0700"
    public = key_pairs.public_from_private(path.read_bytes())
    assert read()["PublicKey"].split()[:2] == public.split()[:2]
    assert result["key_pair"]["fingerprint"] == result["diff"]["after"]["fingerprint"] == key_pairs.fingerprint(public)
    body = path.read_text().splitlines()[2]
    assert "PRIVATE" not in json.dumps(result) and body not in json.dumps(result)
    assert path.with_suffix(".pem.pub").read_text() == key_pairs.marker(NAME, public)


def test_check_mode_writes_no_file(aws, options, path):
    result = run("key_pair", check=True, **options)
    assert result["diff"]["after"]["fingerprint"] == "(known after apply)"
    assert not path.parent.exists()


def test_an_unchanged_run_makes_one_call(aws, options):
    run("key_pair", **options)
    with recorded() as calls:
        assert not run("key_pair", **options)["changed"]
    assert operations(calls) == ["DescribeKeyPairs"]


def test_a_key_that_is_only_here_is_imported(aws, read, options, path, own_key):
    before = path.read_bytes()
    assert run("key_pair", **options, type="rsa")["changed"]
    assert path.read_bytes() == before and read()["KeyType"] == "ed25519"
    assert not run("key_pair", **options, type="rsa")["changed"]


def test_an_own_key_file_outlives_the_key_pair(aws, read, options, path, own_key):
    run("key_pair", **options)
    assert run("key_pair", **options, state="absent")["changed"]
    assert read() is None and path.exists()
    assert not run("key_pair", **options, state="absent")["changed"]


def test_remove_private_key_false_keeps_the_file(aws, read, options, path):
    run("key_pair", **options)
    keep = {**options, "remove_private_key": False, "state": "absent"}
    assert run("key_pair", **keep)["changed"]
    assert read() is None and path.exists()
    assert not run("key_pair", **keep)["changed"]


def test_a_file_left_by_a_broken_teardown_goes(aws, options, path):
    run("key_pair", **options)
    aws("ec2").delete_key_pair(KeyName=NAME)
    absent = {**options, "state": "absent"}
    assert run("key_pair", check=True, **absent)["changed"] and path.exists()
    assert run("key_pair", **absent)["changed"] and not path.exists()
    assert not run("key_pair", **absent)["changed"]


def killed_at(function, call, code, *arguments):
    """Run code in a process that is killed where it calls os.<function> for the n-th time, without doing it."""
    kill = (
        "import os, signal, sys, json\n"
        f"calls, real = [], os.{function}\n"
        "def killed(*a, **k):\n"
        "    calls.append(a)\n"
        f"    return os.kill(os.getpid(), signal.SIGKILL) if len(calls) == {call} else real(*a, **k)\n"
        f"os.{function} = killed\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", BEGIN + kill + code, *arguments], env=environment, check=False).returncode == -9


WRITE = """
from ansible_collections.handson.ecs.plugins.module_utils import key_pairs as k
private, public = k.generate("ed25519")
k.write_new(sys.argv[2] + ".pub", k.marker(sys.argv[1], public).encode(), 0o644)
k.write_new(sys.argv[2], private, 0o600)
"""


@pytest.mark.parametrize(("function", "call"), [("link", 1), ("unlink", 1), ("link", 2), ("unlink", 2)])
def test_no_half_made_key_outlives_the_next_run(aws, read, options, path, function, call):
    killed_at(function, call, WRITE, NAME, str(path))
    assert [n for n in os.listdir(path.parent) if n.startswith(".")]
    assert run("key_pair", **options)["changed"]
    assert sorted(os.listdir(path.parent)) == [path.name, f"{path.name}.pub"]
    assert not run("key_pair", **options)["changed"]


@pytest.mark.parametrize(("function", "call"), [("link", 1), ("unlink", 1), ("link", 2), ("unlink", 2)])
def test_no_half_made_key_outlives_the_teardown(aws, options, path, function, call):
    killed_at(function, call, WRITE, NAME, str(path))
    there, absent = os.listdir(path.parent), {**options, "state": "absent"}
    assert not run("key_pair", **absent, remove_private_key=False)["changed"]
    assert run("key_pair", check=True, **absent)["changed"] and os.listdir(path.parent) == there
    assert run("key_pair", **absent)["changed"] and os.listdir(path.parent) == []
    assert not run("key_pair", **absent)["changed"]


def test_a_public_half_left_by_a_teardown_cut_short_goes(aws, options, path):
    run("key_pair", **options)
    code = "from modules.harness import run\nrun('key_pair', **json.loads(sys.argv[1]))"
    absent = {**options, "state": "absent"}
    killed_at("unlink", 2, code, json.dumps(absent))
    assert os.listdir(path.parent) == [f"{path.name}.pub"]
    assert run("key_pair", **absent)["changed"] and os.listdir(path.parent) == []
    assert not run("key_pair", **absent)["changed"]


def test_a_lone_public_key_of_somebody_stays(aws, options, path):
    path.parent.mkdir()
    public = path.with_suffix(".pem.pub")
    public.write_text("ssh-ed25519 AAAA me@home\n")
    assert not run("key_pair", **options, state="absent")["changed"] and public.exists()


def test_absent_keeps_a_file_that_is_another_key(aws, read, options, path):
    run("key_pair", **options)
    aws("ec2").delete_key_pair(KeyName=NAME)
    other = key_pairs.generate("ed25519")[1]
    specification = {"ResourceType": "key-pair", "Tags": [{"Key": k, "Value": v} for k, v in OWNER.items()]}
    aws("ec2").import_key_pair(KeyName=NAME, PublicKeyMaterial=other.encode(), TagSpecifications=[specification])
    assert run("key_pair", **options, state="absent")["changed"]
    assert read() is None and path.exists()


def test_a_lost_private_half_fails_with_the_way_out(aws, read, options, path):
    run("key_pair", **options)
    path.unlink()
    was = read()["PublicKey"]
    with pytest.raises(Failed, match="private half is not at.*teardown.*replace"):
        run("key_pair", **options)
    assert run("key_pair", check=True, **options, replace=True)["changed"] and not path.exists()
    assert run("key_pair", **options, replace=True)["changed"]
    assert read()["PublicKey"] != was and tags(read()) == OWNER
    assert not run("key_pair", **options)["changed"]


def test_another_key_fails_with_the_way_out(aws, read, options, path):
    run("key_pair", **options)
    private, public = key_pairs.generate("rsa")
    path.write_bytes(private)
    with pytest.raises(Failed, match="is not that of private_key_file.*teardown.*replace"):
        run("key_pair", **options)
    assert run("key_pair", **options, replace=True)["changed"]
    assert read()["PublicKey"].split()[:2] == public.split()[:2]


def test_a_readable_private_key_is_made_private_again(aws, options, path):
    run("key_pair", **options)
    path.chmod(0o644)
    result = run("key_pair", check=True, **options)
    assert result["diff"]["before"]["private_key_mode"] == "0644"
    assert result["diff"]["after"]["private_key_mode"] == "0600"
    assert run("key_pair", **options)["changed"]
    assert key_pairs.mode_of(str(path)) == "0600"
    path.chmod(0o400)
    assert not run("key_pair", **options)["changed"]


def test_a_foreign_key_pair_is_refused_and_not_deleted(aws, read, options, path, own_key):
    aws("ec2").import_key_pair(KeyName=NAME, PublicKeyMaterial=own_key.encode())
    with pytest.raises(Failed, match="not ours"):
        run("key_pair", **options)
    assert run("key_pair", **options, state="absent")["foreign"]
    assert read() and path.exists()


def test_a_lost_reply_keeps_the_key(aws, read, options, path):
    with recorded(ImportKeyPair=lambda real, parameters: (real(), real())):
        assert run("key_pair", **options)["changed"]
    public = key_pairs.public_from_private(path.read_bytes())
    assert read()["PublicKey"].split()[:2] == public.split()[:2]
    assert not run("key_pair", **options)["changed"]


def test_an_unusable_file_is_told_without_its_content(aws, options, path):
    path.parent.mkdir()
    path.write_text("SECRET")
    with pytest.raises(Failed, match="not a private key") as e:
        run("key_pair", **options)
    assert "SECRET" not in json.dumps(e.value.result)


def test_a_public_key_of_somebody_is_not_overwritten(aws, options, path):
    path.parent.mkdir()
    public = path.with_suffix(".pem.pub")
    public.write_text("ssh-ed25519 AAAA me@home\n")
    with pytest.raises(Failed, match="somebody's public key"):
        run("key_pair", **options)
    assert public.read_text() == "ssh-ed25519 AAAA me@home\n" and not path.exists()
