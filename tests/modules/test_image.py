# SPDX-License-Identifier: GPL-3.0-or-later
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from modules.aws_calls import operations, recorded
from modules.harness import BEGIN, Failed, run

FAKE = Path(__file__).with_name("fake_docker.py")
URI = "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest"
REFERENCE = f"{URI}:latest"
#: The password that moto gives out.
PASSWORD = "123456789012-auth-token"


class FakeDocker:
    def __init__(self, home):
        self.home = home

    @property
    def calls(self):
        file = self.home / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def commands(self):
        return [c["argv"][0] for c in self.calls]

    def called(self, command):
        return [c for c in self.calls if c["argv"][0] == command]


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A docker command that notes how it is called."""
    home = tmp_path / "docker"
    home.mkdir()
    command = home / "docker"
    command.write_text(f"#!{sys.executable}\nexec(open({str(FAKE)!r}).read())\n")
    command.chmod(0o755)
    monkeypatch.setenv("FAKE_DOCKER", str(home))
    monkeypatch.setenv("PATH", f"{home}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    return FakeDocker(home)


@pytest.fixture
def no_docker(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def context(tmp_path):
    folder = tmp_path / "petclinic"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return folder


@pytest.fixture
def options(aws, context):
    aws("ecr").create_repository(repositoryName="petclinic-rest")
    return {"repository": "petclinic-rest", "registry_uri": URI, "context": str(context)}


def image_of(context):
    return "sha256:" + hashlib.sha256((context / "Dockerfile").read_bytes()).hexdigest()


def in_registry(aws, tag="latest"):
    found = aws("ecr").batch_get_image(repositoryName="petclinic-rest", imageIds=[{"imageTag": tag}])["images"]
    return json.loads(found[0]["imageManifest"])["config"]["digest"] if found else None


def test_check_then_apply_then_nothing_then_a_change(aws, docker, context, options):
    checked = run("image", check=True, **options)
    assert checked["changed"] and "Would build" in checked["msg"] and docker.commands == ["info"]
    assert checked["diff"]["after"] == {"latest": "(known after apply)"}
    made = run("image", **options)
    assert made["changed"] and made["built"] and made["pushed"] == ["latest"] and made["reference"] == REFERENCE
    assert in_registry(aws) == image_of(context) and made["digest"].startswith("sha256:")

    again = run("image", **options)
    assert not again["changed"] and again["built"] and again["pushed"] == [] and again["digest"] == made["digest"]
    assert docker.commands.count("push") == docker.commands.count("login") == 1
    checked = run("image", check=True, **options)
    assert not checked["changed"] and "Only the build can tell" in checked["msg"]

    (context / "Dockerfile").write_text("FROM scratch\nLABEL a=b\n")
    changed = run("image", **options)
    assert changed["changed"] and changed["diff"]["before"] != changed["diff"]["after"]
    assert in_registry(aws) == image_of(context)


def test_the_password_is_nowhere_but_in_the_input_of_login(docker, options, tmp_path):
    progress = tmp_path / "progress"
    result = run("image", **options, progress_file=str(progress))
    (login,) = docker.called("login")
    assert login["stdin"] == PASSWORD
    assert login["argv"] == ["login", "--username", "AWS", "--password-stdin", URI.partition("/")[0]]
    assert all(PASSWORD not in " ".join(c["argv"]) for c in docker.calls)
    assert PASSWORD not in json.dumps(result) + progress.read_text()


def test_the_password_is_kept_in_a_private_folder_that_goes(docker, options):
    run("image", **options)
    (push,) = docker.called("push")
    assert PASSWORD in push["files"]["config.json"] and push["mode"] == 0o700
    assert not Path(push["config"]).exists()
    assert docker.called("build")[0]["config"] is None  # with the user's own: mirrors, logins to other registries


@pytest.mark.parametrize("fails", ["login", "push"])
def test_the_folder_goes_after_a_failure_as_well(docker, options, monkeypatch, fails):
    monkeypatch.setenv("FAKE_DOCKER_FAILS", fails)
    with pytest.raises(Failed, match="no space left") as e:
        run("image", **options)
    assert PASSWORD not in json.dumps(e.value.result)
    assert not Path(docker.called(fails)[0]["config"]).exists()


@pytest.fixture
def interrupted(docker, options, monkeypatch, tmp_path):
    """Run the module in a process group of its own until docker is at a command; kill that. The folder of the login."""
    (tmp_path / "tmp").mkdir()
    started = []

    def interrupted(at, kill):
        monkeypatch.setenv("FAKE_DOCKER_WAITS", at)
        code = f"{BEGIN}import json, sys\nfrom modules.harness import run\nrun('image', **json.loads(sys.argv[1]))"
        environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(
            [sys.executable, "-c", code, json.dumps(options)], env=environment, start_new_session=True
        )
        started.append(process)
        until(lambda: at in docker.commands or process.poll() is not None)
        assert process.poll() is None
        kill(process.pid, signal.SIGKILL)
        process.wait()
        return Path(docker.called(at)[0]["config"])

    yield interrupted
    (docker.home / "go").touch()  # what waits ends, whatever the test's end
    for process in started:
        process.kill()
        process.wait()


def until(done):
    """Wait for it, 30 s at most."""
    deadline = time.monotonic() + 30
    while not done() and time.monotonic() < deadline:
        time.sleep(0.05)
    return done()


def test_the_folder_goes_when_the_run_is_interrupted(docker, interrupted, tmp_path):
    """Ctrl-C ends Ansible's worker and its process group at once: nothing that the module would do is done."""
    folder = interrupted("push", os.killpg)
    assert PASSWORD in docker.called("push")[0]["files"]["config.json"] and folder.parent == tmp_path / "tmp"
    assert until(lambda: not folder.exists())


def test_the_folder_goes_after_a_login_that_outlives_the_module(docker, interrupted):
    folder = interrupted("login", os.kill)
    time.sleep(0.5)
    assert folder.exists()  # or the login would make it anew
    (docker.home / "go").touch()
    assert until(lambda: not folder.exists())
    time.sleep(0.5)
    assert not folder.exists()


def test_a_folder_that_not_even_the_guard_removed_goes_with_the_next_run(docker, options, monkeypatch, tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = tmp_path / f"handson-docker-{gone.pid}-abc_1234"
    folder.mkdir()
    (folder / "config.json").write_text(PASSWORD)
    run("image", **{**options, "context": None})
    assert not folder.exists()


def test_the_users_configuration_is_read_but_not_its_logins(docker, options, monkeypatch, tmp_path):
    theirs = tmp_path / "theirs"
    (theirs / "contexts").mkdir(parents=True)
    before = json.dumps({"currentContext": "remote", "credsStore": "desktop", "auths": {"x": {}}})
    (theirs / "config.json").write_text(before)
    monkeypatch.setenv("DOCKER_CONFIG", str(theirs))
    run("image", **options)
    (login,) = docker.called("login")
    assert (
        json.loads(login["files"]["config.json"]) == {"currentContext": "remote"} and login["files"]["contexts"] is True
    )
    assert (theirs / "config.json").read_text() == before


def test_without_docker_nothing_is_built_and_it_says_so(aws, no_docker, options):
    for check in (True, False):
        with recorded() as calls:
            result = run("image", check=check, **options)
        assert not result["changed"] and not result["built"] and calls == []
        said = f"No Docker here: nothing was built or pushed; the image reference {REFERENCE} is used as given."
        assert result["msg"] == said


def test_a_docker_whose_engine_does_not_run_is_none(docker, options, monkeypatch):
    monkeypatch.setenv("FAKE_DOCKER_FAILS", "info")
    assert "No Docker here" in run("image", **options)["msg"]
    assert docker.commands == ["info"]


def test_without_a_context_nothing_is_asked(aws, docker, options):
    with recorded() as calls:
        result = run("image", **{**options, "context": None})
    assert not result["changed"] and "used as given" in result["msg"]
    assert calls == [] and docker.calls == []


def test_every_tag_gets_the_image_and_only_stale_ones_are_pushed(aws, docker, context, options):
    assert run("image", **options)["pushed"] == ["latest"]
    both = {**options, "extra_tags": ["1.0", "latest"]}
    assert run("image", check=True, **both)["changed"]
    assert run("image", **both)["pushed"] == ["1.0"]
    assert in_registry(aws, "1.0") == image_of(context)
    assert not run("image", **both)["changed"]


def test_how_it_is_built(docker, context, options):
    (context / "docker").mkdir()
    (context / "docker/App").write_text("FROM scratch\n")
    run("image", **options, dockerfile="docker/App", build_args={"JAVA_VERSION": 17}, platform="linux/arm64")
    (build,) = docker.called("build")
    assert build["argv"] == [
        "build", "--tag", REFERENCE, "--file", str(context / "docker/App"), "--platform", "linux/arm64",
        "--build-arg", "JAVA_VERSION=17", str(context),
    ]  # fmt: skip
    assert build["attestations"] == "1"


def test_an_unchanged_run_asks_the_registry_once(docker, options):
    run("image", **options)
    with recorded() as calls:
        run("image", **options)
    assert operations(calls) == ["BatchGetImage"]


def test_the_manifest_of_our_platform_in_an_index_counts(aws, docker, context, options):
    config = {"digest": image_of(context)}
    one = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": [],
    }
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"}
    index["manifests"] = [
        {"digest": "sha256:inner", "platform": {"os": "linux", "architecture": "amd64"}},
        {"digest": "sha256:attestation", "platform": {"os": "unknown", "architecture": "unknown"}},
    ]

    def answer(real, parameters):
        (wanted,) = parameters["imageIds"]
        manifest, digest = (index, "sha256:index") if "imageTag" in wanted else (one, wanted["imageDigest"])
        assert digest in ("sha256:index", "sha256:inner")
        return {"images": [{"imageId": {**wanted, "imageDigest": digest}, "imageManifest": json.dumps(manifest)}]}

    with recorded(BatchGetImage=answer):
        result = run("image", **options)
    assert not result["changed"] and result["digest"] == "sha256:index"


def test_docker_may_know_the_image_by_its_manifest(docker, context, options):
    """Docker's containerd image store names an image by the digest of its manifest."""
    manifest = json.dumps({"config": {"digest": "sha256:other"}})

    def answer(real, parameters):
        return {
            "images": [{"imageId": {"imageTag": "latest", "imageDigest": image_of(context)}, "imageManifest": manifest}]
        }

    with recorded(BatchGetImage=answer):
        assert not run("image", **options)["changed"]


def test_the_output_comes_line_by_line(docker, options, tmp_path):
    progress = tmp_path / "progress"
    run("image", **options, progress_file=str(progress))
    lines = progress.read_text().splitlines()
    assert lines[:2] == ["#1 [internal] load build definition", "#2 DONE 0.0s"]
    assert lines[-1] == f"Built {REFERENCE} and pushed it under latest."


def test_what_was_not_done_is_shown_as_well(aws, no_docker, options, tmp_path):
    progress = tmp_path / "progress"
    run("image", **options, progress_file=str(progress))
    run("image", **{**options, "context": None}, progress_file=str(progress))
    assert ["No Docker here", "image_context is empty"] == [
        line.partition(":")[0] for line in progress.read_text().splitlines()
    ]


def test_a_failed_build_shows_its_last_lines(aws, docker, options, monkeypatch):
    monkeypatch.setenv("FAKE_DOCKER_FAILS", "build")
    with pytest.raises(Failed) as e:
        run("image", **options)
    said = e.value.result["msg"]
    assert "exit status 7" in said and "no space left on device" in said and "line 29" in said and "line 5 " not in said
    assert in_registry(aws) is None


def test_a_tag_that_cannot_move_says_so(docker, options, monkeypatch):
    monkeypatch.setenv("FAKE_DOCKER_FAILS", "push")
    monkeypatch.setenv(
        "FAKE_DOCKER_SAYS", "tag invalid: it already exists and cannot be overwritten because it is immutable"
    )
    with pytest.raises(Failed, match="give image_tag a new one"):
        run("image", **options)


def test_a_missing_repository_names_its_playbook_before_the_build(aws, docker, options):
    aws("ecr").delete_repository(repositoryName="petclinic-rest")
    with pytest.raises(Failed, match="no ECR repository named 'petclinic-rest'.*playbooks/image.yml"):
        run("image", **options)
    assert "build" not in docker.commands
    assert run("image", check=True, **options)["changed"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"context": "/nowhere"}, "image_context is '/nowhere'"),
        ({"dockerfile": "Containerfile"}, "no Dockerfile at .*Containerfile.*image_dockerfile"),
        ({"build_args": {"NPM_TOKEN": "x-value"}}, "NPM_TOKEN, which looks like a secret"),
        ({"registry_uri": "petclinic-rest"}, "must begin with the registry's host"),
    ],
)
def test_wrong_values_fail_with_or_without_docker(no_docker, options, change, said):
    for check in (True, False):
        with pytest.raises(Failed, match=said) as e:
            run("image", check=check, **{**options, **change})
        assert "x-value" not in e.value.result["msg"]


def test_builds_of_several_hosts_take_turns(docker, options, monkeypatch, tmp_path):
    """As hosts do in one run: a second build starts only when the first one is done."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    lock = tmp_path / f"handson-image-{os.getuid()}.lock"
    # In this order the lock goes first, and so the test ends when it fails as well.
    with ThreadPoolExecutor(1) as pool, lock.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        result = pool.submit(run, "image", **options)
        deadline = time.monotonic() + 20
        while "info" not in docker.commands and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.5)
        assert docker.commands == ["info"]
        fcntl.flock(other, fcntl.LOCK_UN)
        assert result.result(60)["built"]
        # Held only around the build: whoever comes next has it at once.
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def git(folder, *arguments):
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def commit(context):
    """Put the context into a Git work tree; its commit."""
    git(context, "init", "-q")
    git(context, "add", ".")
    git(context, "commit", "-q", "-m", "first")
    return git(context, "rev-parse", "HEAD").strip()


def test_an_image_is_tagged_with_its_commit(aws, docker, context, options, commit):
    checked = run("image", check=True, **options, commit_tag=True)
    assert checked["commit"] == commit and set(checked["diff"]["after"]) == {"latest", commit}
    made = run("image", **options, commit_tag=True)
    assert made["pushed"] == ["latest", commit] and made["commit"] == commit
    assert in_registry(aws, commit) == in_registry(aws)
    again = run("image", **options, commit_tag=True)
    assert not again["changed"] and docker.commands.count("push") == 2

    # A commit that changes nothing in the image is one tag more.
    git(context, "commit", "-q", "--allow-empty", "-m", "second")
    second = git(context, "rev-parse", "HEAD").strip()
    assert run("image", **options, commit_tag=True)["pushed"] == [second]


def test_the_same_commit_with_another_image_keeps_its_tag(aws, docker, context, options, commit):
    run("image", **options, commit_tag=True)
    before = in_registry(aws, commit)
    (context / "Dockerfile").write_text("FROM scratch\nLABEL a=b\n")
    git(context, "update-index", "--assume-unchanged", "Dockerfile")  # clean, and yet another image
    built = run("image", **options, commit_tag=True)
    assert built["pushed"] == ["latest"] and f"The tag {commit} stays" in built["msg"]
    assert in_registry(aws, commit) == before != in_registry(aws)


def test_what_is_not_committed_has_no_tag_of_a_commit(aws, docker, context, options, commit):
    (context / "Dockerfile").write_text("FROM scratch\nLABEL a=b\n")
    for check in (True, False):
        built = run("image", check=check, **options, commit_tag=True)
        assert built["commit"] is None and "not committed (Dockerfile)" in built["msg"]
    assert built["pushed"] == ["latest"]


def test_a_context_without_git_says_so(docker, options, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(Path(options["context"]).parent))
    built = run("image", **options, commit_tag=True)
    assert built["commit"] is None and "no Git work tree" in built["msg"] and built["pushed"] == ["latest"]
