# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils import images


@pytest.mark.parametrize(
    "name",
    ["DB_PASSWORD", "PGPASSWORD", "githubToken", "NPM_TOKEN", "AWS_SECRET_ACCESS_KEY", "API_KEY", "apiKey", "APIKEY",
     "ssh-key", "credentials", "DB_PWD", "KEYSTORE_PASSPHRASE"],
)  # fmt: skip
def test_a_secret(name):
    assert images.looks_secret(name)


@pytest.mark.parametrize(
    "name", ["JAVA_VERSION", "BASE_IMAGE", "TOKENIZER", "CACHE_KEY", "KEYBOARD", "SPRING_PROFILE", "SECRETARY"]
)
def test_no_secret(name):
    assert not images.looks_secret(name)


def test_secret_build_args():
    assert images.secret_build_args({"JAVA": 1, "B_TOKEN": 2, "A_TOKEN": 3}) == ["A_TOKEN", "B_TOKEN"]


def test_build_arguments():
    assert images.build_arguments("r/x:1", "/src", "/src/Dockerfile", {"B": 2, "A": "a b"}, "linux/amd64") == [
        "build", "--tag", "r/x:1", "--file", "/src/Dockerfile",
        "--platform", "linux/amd64",
        "--build-arg", "A=a b", "--build-arg", "B=2", "/src",
    ]  # fmt: skip
    assert "--platform" not in images.build_arguments("r/x:1", "/src", "f", {}, "")


@pytest.mark.parametrize(
    ("repository", "is_labelled"),
    [
        ("127.0.0.1:5011/shop", True),
        ("localhost:5011/team/shop", True),
        ("localhost/shop", True),
        # The same source is to have the same digest in each account and region.
        ("123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/shop", False),
        ("localhost.example.com/shop", False),
        ("127.0.0.11:5011/shop", False),
    ],
)
def test_the_label_is_for_registries_on_this_machine(repository, is_labelled):
    arguments = images.build_arguments(f"{repository}:1", "/src", "f", {}, "")
    assert (["--label", f"handson.repository={repository}"] == arguments[3:5]) is is_labelled
    assert ("--label" in arguments) is is_labelled


@pytest.mark.parametrize(("value", "full"), [("sha256:ab\n", "sha256:ab"), ("ab", "sha256:ab"), ("", ""), (None, "")])
def test_digest(value, full):
    assert images.digest(value) == full


def entry(digest, os="linux", architecture="amd64", variant=None):
    platform = {"os": os, "architecture": architecture} | ({"variant": variant} if variant else {})
    return {"digest": digest, "platform": platform}


ATTESTATION = entry("at", "unknown", "unknown")


@pytest.mark.parametrize(
    ("manifests", "platform", "digest"),
    [
        ([entry("a"), entry("b", architecture="arm64", variant="v8")], "linux/amd64", "a"),
        ([entry("a"), entry("b", architecture="arm64", variant="v8")], "linux/arm64", "b"),
        ([entry("a"), entry("b", architecture="arm64", variant="v8")], "linux/arm64/v7", None),
        ([entry("a"), ATTESTATION], "linux/s390x", None),
        ([entry("a"), ATTESTATION], "", "a"),
        ([entry("a"), entry("b", architecture="arm64")], "", None),
        ([], "linux/amd64", None),
    ],
)
def test_of_platform(manifests, platform, digest):
    assert images.of_platform({"manifests": manifests}, platform) == digest


def test_identities():
    assert images.identities("sha256:m", {"config": {"digest": "sha256:c"}}) == {"sha256:m", "sha256:c"}
    assert images.identities(None, {}) == set()


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        (
            "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic",
            "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com",
        ),
        ("127.0.0.1:4580/team/petclinic", "127.0.0.1:4580"),
        ("localhost/petclinic", "localhost"),
    ],
)
def test_host_of(uri, host):
    assert images.host_of(uri) == host


@pytest.mark.parametrize("uri", ["petclinic", "team/petclinic", ""])
def test_a_repository_of_docker_hub_is_refused(uri):
    with pytest.raises(ValueError, match="must begin with the registry's host"):
        images.host_of(uri)


def test_last_lines():
    assert images.last_lines(["a", "", "b", " ", "c"], 2) == "b\nc"


@pytest.mark.parametrize(
    ("head", "changes", "tag", "why"),
    [
        ("abc\n", "", "abc", ""),
        ("", "", None, "in no Git work tree"),
        ("abc", " M Dockerfile\n?? a\n", None, "(Dockerfile, a)"),
        ("abc", " M a\n M b\n M c\n M d\n", None, "(a, b, c and 1 more)"),
    ],
)
def test_the_commit_to_tag_with(head, changes, tag, why):
    found, said = images.commit_of(head, changes)
    assert found == tag and why in said
