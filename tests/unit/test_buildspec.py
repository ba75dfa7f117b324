# SPDX-License-Identifier: GPL-3.0-or-later
"""The buildspec of the role build_project, run phase by phase with stand-ins for aws, docker and mvn."""

import json
import shutil
import subprocess
from pathlib import Path

import jinja2
import pytest
import yaml

ROLE = Path(__file__).resolve().parents[2] / "roles/build_project"
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
REPOSITORY = "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest"
COMMIT = "5f3c0de9a1b2c3d4e5f60718293a4b5c6d7e8f90"
#: Of the seventh build of this commit
TAG = "5f3c0de-7"
PASSWORD = "canary-password"
PHASES = ("install", "pre_build", "build", "post_build")
#: Each writes down how it was called. What docker login reads is kept apart: it must not be in an argument.
STAND_INS = {
    "aws": f'echo "aws $*" >> "$CALLS"; [ "$FAIL" != aws ] && echo {PASSWORD}',
    "docker": 'echo "docker $*" >> "$CALLS"; [ "$1" != login ] || cat > "$CALLS.stdin"; [ "$FAIL" != "docker $1" ]',
    "mvn": 'echo "mvn $*" >> "$CALLS"; ls src/test/java >> "$CALLS.tests" 2> /dev/null; [ "$FAIL" != mvn ]',
}
#: What a build whose tests pass does, in this order
GOOD = [
    "aws ecr get-login-password",
    f"docker login --username AWS --password-stdin {REPOSITORY.partition('/')[0]}",
    "mvn --batch-mode clean package",
    f"docker build --file src/main/docker/Dockerfile --tag {REPOSITORY}:latest .",
    f"docker tag {REPOSITORY}:latest {REPOSITORY}:{TAG}",
    f"docker push {REPOSITORY}:{TAG}",
    f"docker push {REPOSITORY}:latest",
]


def buildspec(**variables):
    """The buildspec as the role renders it (Ansible trims the newline after a block)."""
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    environment.filters["to_json"] = json.dumps
    text = environment.from_string((ROLE / "templates/buildspec.yml.j2").read_text(encoding="utf-8"))
    return yaml.safe_load(text.render(**{**DEFAULTS, **variables}))


class Build:
    """A build as CodeBuild runs it.

    Commands of a phase run one after the other in one shell, and the first that fails ends the phase. After a failed
    build phase post_build still runs, with CODEBUILD_BUILD_SUCCEEDING=0, unless `on-failure` says ABORT; after another
    failed phase nothing does (CodeBuild user guide, build phase transitions and buildspec reference). Nothing is taken
    from one phase's shell to the next here, though CodeBuild does: what holds without it holds with it.
    """

    def __init__(self, where, spec, obey_abort=True, **environment):
        self.source, self.calls_file = where / "source", where / "calls"
        self.source.mkdir()
        (where / "bin").mkdir()
        for name, text in STAND_INS.items():
            path = where / "bin" / name
            path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
            path.chmod(0o755)
        self.environment = {
            "PATH": f"{where / 'bin'}:/usr/bin:/bin",
            "CALLS": str(self.calls_file),
            "FAIL": "",
            "AWS_REGION": "ap-southeast-1",
            "CODEBUILD_RESOLVED_SOURCE_VERSION": COMMIT,
            "CODEBUILD_BUILD_NUMBER": "7",
            "IMAGE_REPOSITORY": REPOSITORY,
            "CONTAINER_NAME": "petclinic-rest-app",
            "IMAGE_TAG": "latest",
            "DOCKERFILE": DEFAULTS["build_project_dockerfile"],
            **environment,
        }
        self.failed, self.output = [], ""
        shell = spec["env"]["shell"]
        for phase in PHASES:
            described = spec["phases"].get(phase, {})
            if not self._run(shell, described.get("commands", [])):
                self.failed.append(phase)
                if phase != "build" or (obey_abort and described.get("on-failure") == "ABORT"):
                    break

    def _run(self, shell, commands):
        script = "\n".join(f"{command}\nstatus=$?; [ $status -eq 0 ] || exit $status" for command in commands)
        succeeding = {"CODEBUILD_BUILD_SUCCEEDING": "0" if self.failed else "1"}
        done = subprocess.run(
            [shutil.which(shell), "-c", script], cwd=self.source, env={**self.environment, **succeeding},
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        self.output += done.stdout + done.stderr
        return done.returncode == 0

    @property
    def calls(self):
        """Commands as they were called. The first two are the ends of a pipe and start at once: sorted."""
        lines = self.calls_file.read_text(encoding="utf-8").splitlines() if self.calls_file.exists() else []
        return sorted(lines[:2]) + lines[2:]

    @property
    def artifact(self):
        path = self.source / "imagedefinitions.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def test_it_is_what_codebuild_reads():
    spec = buildspec()
    assert spec["version"] == 0.2 and spec["env"]["shell"] == "bash"
    assert spec["phases"]["install"] == {"runtime-versions": {"java": "corretto8"}}
    assert spec["artifacts"] == {"files": ["imagedefinitions.json"]}
    assert spec["cache"] == {"paths": ["/root/.m2/**/*"]}
    assert set(spec["phases"]) == set(PHASES)
    for phase in spec["phases"].values():
        assert all(isinstance(command, str) for command in phase.get("commands", []))


def test_a_good_build_pushes_the_commit_and_latest_and_says_so(tmp_path):
    build = Build(tmp_path, buildspec())
    assert build.failed == [] and build.calls == GOOD
    assert build.artifact == [{"name": "petclinic-rest-app", "imageUri": f"{REPOSITORY}:{TAG}"}]


def test_the_password_comes_on_standard_input_and_is_shown_nowhere(tmp_path):
    build = Build(tmp_path, buildspec())
    assert Path(f"{build.calls_file}.stdin").read_text(encoding="utf-8").strip() == PASSWORD
    assert PASSWORD not in build.output + "\n".join(build.calls)


@pytest.mark.parametrize("obey_abort", [True, False])
def test_a_failing_test_stops_before_the_push(tmp_path, obey_abort):
    """Even where CodeBuild goes on to post_build, as it does for a buildspec without `on-failure`."""
    build = Build(tmp_path, buildspec(), obey_abort, FAIL="mvn")
    assert build.failed == (["build"] if obey_abort else ["build", "post_build"])
    assert build.calls == GOOD[:3] and build.artifact is None


@pytest.mark.parametrize(
    ("fail", "phase", "calls"),
    [
        ("aws", "pre_build", 2),
        ("docker login", "pre_build", 2),
        ("docker build", "build", 4),
        ("docker tag", "post_build", 5),
        ("docker push", "post_build", 6),
    ],
)
def test_whatever_fails_is_the_last_thing_and_leaves_no_artifact(tmp_path, fail, phase, calls):
    build = Build(tmp_path, buildspec(), FAIL=fail)
    assert build.failed == [phase] and build.calls == GOOD[:calls] and build.artifact is None


def test_a_source_without_a_commit_is_tagged_with_the_builds_number(tmp_path):
    build = Build(tmp_path, buildspec(), CODEBUILD_RESOLVED_SOURCE_VERSION="")
    assert build.artifact[0]["imageUri"] == f"{REPOSITORY}:build-7"
    assert f"docker push {REPOSITORY}:build-7" in build.calls


def test_the_wrong_container_name_is_all_that_the_first_drill_changes(tmp_path):
    build = Build(tmp_path, buildspec(), CONTAINER_NAME="petclinic-rest")
    assert build.failed == [] and build.calls == GOOD
    assert build.artifact == [{"name": "petclinic-rest", "imageUri": f"{REPOSITORY}:{TAG}"}]


def test_the_failing_test_of_the_second_drill_is_there_when_maven_runs(tmp_path):
    build = Build(tmp_path, buildspec(build_project_drill="failing-test"), FAIL="mvn")
    assert build.calls == GOOD[:3]
    assert Path(f"{build.calls_file}.tests").read_text(encoding="utf-8").split() == ["HandsonDrillTest.java"]
    text = (build.source / "src/test/java/HandsonDrillTest.java").read_text(encoding="utf-8")
    assert text.startswith("public class HandsonDrillTest {") and "org.junit.Assert.fail" in text
    assert "HandsonDrill" not in json.dumps(buildspec())


def test_another_dockerfile_and_other_runtimes(tmp_path):
    spec = buildspec(build_project_runtimes={"nodejs": 20}, build_project_cache_type="NO_CACHE")
    assert spec["phases"]["install"]["runtime-versions"] == {"nodejs": 20} and "cache" not in spec
    build = Build(tmp_path, spec, DOCKERFILE="docker/My File")
    assert f"docker build --file docker/My File --tag {REPOSITORY}:latest ." in build.calls


def test_the_variables_that_it_reads_are_those_of_the_project():
    """One variable names the container for both, the task definition and the artifact."""
    given = yaml.safe_load((ROLE / "vars/main.yml").read_text(encoding="utf-8"))["__build_project_variables"]
    text = json.dumps(buildspec())
    assert set(given) == {"IMAGE_REPOSITORY", "IMAGE_TAG", "CONTAINER_NAME", "DOCKERFILE"}
    assert all(f"${name}" in text or f"${{{name}" in text for name in given)
    assert given["CONTAINER_NAME"] == "{{ task_definition_container_name }}"
    assert given["IMAGE_REPOSITORY"] == "{{ registry_uri }}"


def test_the_tag_that_the_service_runs_is_the_one_that_is_pushed(tmp_path):
    build = Build(tmp_path, buildspec(), IMAGE_TAG="v1")
    assert build.failed == [] and build.calls[-1] == f"docker push {REPOSITORY}:v1"
    assert not any("latest" in call for call in build.calls)
