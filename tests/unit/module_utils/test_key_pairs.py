# SPDX-License-Identifier: GPL-3.0-or-later
import os
import shutil
import subprocess

import pytest
from ansible_collections.handson.ecs.plugins.module_utils import key_pairs
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

needs_ssh_keygen = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed")


@pytest.fixture(scope="module", params=["ed25519", "rsa"])
def pair(request):
    return request.param, *key_pairs.generate(request.param)


def test_the_public_half_is_that_of_the_private(pair):
    kind, private, public = pair
    assert key_pairs.public_from_private(private) == public
    assert key_pairs.key_type(public) == kind


@needs_ssh_keygen
def test_ssh_keygen_agrees(pair, tmp_path):
    kind, private, public = pair
    path = tmp_path / "key"
    key_pairs.write_new(str(path), private, 0o600)

    def ssh_keygen(*args):
        return subprocess.run(["ssh-keygen", *args], check=True, capture_output=True, text=True).stdout

    assert ssh_keygen("-y", "-f", str(path)).split()[:2] == public.split()[:2]
    if kind == "ed25519":
        shown = ssh_keygen("-l", "-E", "sha256", "-f", str(path)).split()[1]
        assert key_pairs.normalized_fingerprint(shown) == key_pairs.fingerprint(public)


@pytest.mark.skipif(not (shutil.which("openssl") and shutil.which("ssh-keygen")), reason="openssl is not installed")
def test_the_rsa_fingerprint_is_that_of_the_user_guide(tmp_path):
    private, public = key_pairs.generate("rsa")
    key_pairs.write_new(str(tmp_path / "key"), private, 0o600)
    recipe = "ssh-keygen -ef key -m PEM | openssl rsa -RSAPublicKey_in -outform DER 2>/dev/null | openssl md5 -c"
    shown = subprocess.run(recipe, shell=True, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert shown.split()[-1] == key_pairs.fingerprint(public)


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("8ZVMcTKqdR5hxMjZI3t6b09EPIOE5QA6G9/Z63ejNBM=", "8ZVMcTKqdR5hxMjZI3t6b09EPIOE5QA6G9/Z63ejNBM"),
        ("SHA256:8ZVMcTKqdR5hxMjZI3t6b09EPIOE5QA6G9/Z63ejNBM", "8ZVMcTKqdR5hxMjZI3t6b09EPIOE5QA6G9/Z63ejNBM"),
        ("41:74:dd:49", "41:74:dd:49"),
        (None, None),
    ],
)
def test_fingerprints_are_spelled_one_way(text, normalized):
    assert key_pairs.normalized_fingerprint(text) == normalized


def pem(key, encryption=None):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption or serialization.NoEncryption()
    )


@pytest.mark.parametrize(
    ("private", "said"),
    [
        (b"", "not a private key"),
        (b"SECRET", "not a private key"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "RSA and ED25519 only|RSA and ED25519 keys only"),
        (pem(ed25519.Ed25519PrivateKey.generate(), serialization.BestAvailableEncryption(b"x")), "passphrase"),
    ],
)
def test_an_unusable_file_is_told_without_its_content(private, said):
    with pytest.raises(ValueError, match=said) as e:
        key_pairs.public_from_private(private)
    assert "SECRET" not in str(e.value)


def test_pkcs8_is_read_too():
    key = ed25519.Ed25519PrivateKey.generate()
    assert key_pairs.key_type(key_pairs.public_from_private(pem(key))) == "ed25519"


def test_the_marker_names_key_and_pair():
    (_, one), (_, other) = key_pairs.generate("ed25519"), key_pairs.generate("ed25519")
    content = key_pairs.marker("petclinic rest", one)
    assert content.split()[2:] == ["petclinic_rest", "made-by-handson.ecs"]
    assert key_pairs.made_for("petclinic rest", one, content)
    assert not key_pairs.made_for("petclinic rest", other, content)
    assert not key_pairs.made_for("other", one, content)
    assert not key_pairs.made_for("petclinic rest", one, one + " me@home")


@pytest.mark.parametrize(("mode", "private"), [("0600", True), ("0400", True), ("0640", False), ("0644", False)])
def test_ssh_wants_nobody_else_to_read(mode, private):
    assert key_pairs.is_private(mode) is private


def test_a_new_file_is_whole_private_and_never_replaces_another(tmp_path):
    path = tmp_path / "new" / "key"
    key_pairs.write_new(str(path), b"one", 0o600)
    assert key_pairs.mode_of(str(path)) == "0600" and key_pairs.mode_of(str(path.parent)) == "0700"
    with pytest.raises(FileExistsError):
        key_pairs.write_new(str(path), b"two", 0o600)
    assert path.read_bytes() == b"one" and os.listdir(path.parent) == ["key"]


def test_copies_are_those_of_this_file(tmp_path, monkeypatch):
    path = str(tmp_path / "key")
    monkeypatch.setattr(key_pairs.os, "unlink", lambda _path: None)  # killed before the last step
    for name in ("key", "key.pub", "key-1", "other"):
        key_pairs.write_new(str(tmp_path / name), b"x", 0o600)
    monkeypatch.undo()
    found = key_pairs.copies(path)
    assert len(found) == 2 and all(os.path.basename(c).startswith((".key-", ".key.pub-")) for c in found)
    key_pairs.remove_copies(path)
    assert key_pairs.copies(path) == found  # of a process that may be at it
    key_pairs.remove_copies(path, living=True)
    assert key_pairs.copies(path) == [] and len(os.listdir(tmp_path)) == 6


def test_a_lone_public_half_tells_whose_it_was():
    public = key_pairs.generate("ed25519")[1]
    content = key_pairs.marker("petclinic rest", public)
    assert key_pairs.marked_for("petclinic rest", content)
    assert not key_pairs.marked_for("other", content)
    assert not any(key_pairs.marked_for("petclinic rest", text) for text in ("", public, f"{public} me@home"))
