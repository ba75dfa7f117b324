# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks of section 5 that run something, as a user runs them, against stubbed builds and executions.

Project, role and log group are real records of the embedded endpoint, so a drill's fault is what stands in the project
when the pipeline starts.
"""

import itertools
import json
import os
import re
import socket
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import boto3
import pytest
from modules.build_server import serving
from modules.conftest import ENDPOINT, REGION, ROOT
from modules.fake_builds import BUILD_FAILS, FAILING_TEST, GOOD_RUN, OPERATIONS, WRITES, WRONG_CONTAINER, FakeCodeBuild, FakeCodePipeline

SERVICE = "petclinic-rest-service"
OWNER = {"handson:cluster": "petclinic-rest-cluster", "handson:service": SERVICE}
CANARY = "canary-7f3a9c"
VARIABLES = {
    "pipeline_start_interval": 0.05,
    "build_project_start_interval": 0.05,
    "service_wait_interval": 0.1,
}


class Drills:
    def __init__(self, state):
        self.state, self.url = state, (state / "url").read_text() if (state / "url").exists() else ""
        environment = [{"name": "DB_PASSWORD", "value": CANARY, "type": "PLAINTEXT"}]
        self.fake = FakeCodePipeline(tags=OWNER, variables=(), codebuild=FakeCodeBuild(tags=OWNER, environment=environment))
        failing = [dict(s, log=[f"login {CANARY}: {line}" for line in s["log"]]) for s in FAILING_TEST]
        self.fake.runs.update({"wrong-container": WRONG_CONTAINER, "failing-test": BUILD_FAILS})
        self.fake.build_steps["failing-test"] = failing
        self.fake.injected, self.fake.deploys = self.injected, self.deploy
        # Clocks are compared: what is deployed must be younger than the execution.
        self.fake.epoch, self.fake.clock = datetime.now(timezone.utc), itertools.count(0, 0)
        self.image = self.fake.codebuild.exported["IMAGE_URI"]
        self.calls = []

    def aws(self, service):
        keys = {"aws_access_key_id": "embedded-endpoint", "aws_secret_access_key": "embedded-endpoint-key"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **keys)

    def injected(self):
        """The fault that stands in the build project, read from the endpoint."""
        project = self.aws("codebuild").batch_get_projects(names=["petclinic-rest-build"])["projects"][0]
        values = {v["name"]: v["value"] for v in project["environment"]["environmentVariables"]}
        if "@org.junit.Test" in project["source"]["buildspec"]:
            return "failing-test"
        return {"petclinic-rest-app": "none", "petclinic-rest": "wrong-container"}[values["CONTAINER_NAME"]]

    def deploy(self):
        """What CodePipeline's action ECS does: a revision with the new image, made of the one that the service uses."""
        ecs, names = self.aws("ecs"), {"cluster": "petclinic-rest-cluster", "service": SERVICE}
        (service,) = ecs.describe_services(cluster=names["cluster"], services=[SERVICE])["services"]
        used = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
        (container,) = used["containerDefinitions"]
        made = ecs.register_task_definition(
            family=used["family"], cpu=used["cpu"], containerDefinitions=[{**container, "image": self.image}]
        )
        ecs.update_service(**names, taskDefinition=made["taskDefinition"]["taskDefinitionArn"])

    def play(self, playbooks, *arguments, fails=False, limit=SERVICE, theirs=("BatchGetProjects",), **variables):
        """Run playbooks, named with blanks between, in one go: their start and the import of the SDK take the longest."""
        with serving(self.fake, self.url, theirs) as (url, self.calls):
            environment = {
                **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "HANDSON_", "ANSIBLE_"))},
                "HANDSON_STATE_DIR": str(self.state),
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_NOCOLOR": "1",
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                **{f"AWS_ENDPOINT_URL_{s}": url for s in ("CODEBUILD", "CODEPIPELINE", "CLOUDWATCH_LOGS")},
            }
            done = subprocess.run(
                [
                    "ansible-playbook",
                    *(f"playbooks/{playbook}.yml" for playbook in playbooks.split()),
                    *("--limit", limit, "-vvv", *arguments),
                    *("-e", json.dumps({**VARIABLES, **variables})),
                ],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=240,
                check=False,
            )
        assert (done.returncode != 0) == fails, done.stdout[-6000:]
        assert CANARY not in done.stdout and "canary-of" not in done.stdout
        return done.stdout

    @property
    def started(self):
        return [o for o, _ in self.calls if o in WRITES]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """An embedded endpoint with the whole of petclinic, and its folder."""
    state = tmp_path_factory.mktemp("state")
    command = [sys.executable, str(ENDPOINT)]
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    subprocess.run([*command, "start", "--state-dir", str(state), "--port", str(port)], check=True, timeout=90)
    (state / "url").write_text(f"http://127.0.0.1:{port}")
    # What the drills take. What they don't, such as instances that scale, is left out.
    without = {"monitoring_enabled": False, "instance_scaling_mode": "none", "service_scaling_enabled": False}
    real = [o for operations in OPERATIONS.values() for o in operations]
    Drills(state).play("site", limit="petclinic-*", theirs=real, **without)
    yield state
    subprocess.run([*command, "stop", "--state-dir", str(state)], check=True, timeout=30)


@pytest.fixture
def drills(running):
    """Each test takes what the one before put back."""
    made = Drills(running)
    if made.injected() != "none":
        made.play("build")
    return made


def test_drills_inject_compare_and_put_back_and_a_good_change_goes_live(drills):
    text = drills.play("drill_wrong_container drill_failing_test drill_good_change start_build start_pipeline")
    # Each drill ends with an execution without its fault.
    assert [e["drill"] for e in drills.fake.executions.values()] == ["wrong-container", "none", "failing-test", "none", "none", "none"]
    assert drills.injected() == "none"
    wrong, failing, good, build, pipeline = re.split(r"(?m)^PLAY \[(?:Drill with|Start) .*$", text)[1:]
    for told, got in ((wrong, "the deploy stage fails"), (failing, "the build stage fails")):
        for row in (f"expected +{got}", f"got +{got}", "the build project +put back", "without the drill +all stages succeed"):
            assert re.search(row, told), row
    assert re.search(r"got +all stages succeed and the new image is live", good)
    assert re.search(rf"image +{drills.image}", good)
    assert "mvn clean package" in build and "phase BUILD SUCCEEDED after 62 s" in build and "IMAGE_DIGEST" in build
    assert "Deploy / Deploy: Succeeded" in pipeline
    assert drills.started == [*["StartPipelineExecution"] * 5, "StartBuild", "StartPipelineExecution"]


def test_a_drill_that_ends_otherwise_fails_and_puts_back_all_the_same(drills):
    drills.fake.runs["wrong-container"] = GOOD_RUN
    text = drills.play("drill_wrong_container", fails=True)
    assert "Expected: the deploy stage fails. Got: all stages succeed." in text
    assert drills.injected() == "none" and len(drills.fake.executions) == 2


def test_a_drill_does_not_begin_while_an_execution_is_under_way(drills):
    drills.fake.put(GOOD_RUN * 9)
    text = drills.play("drill_failing_test", fails=True)
    assert "is under way" in text and drills.started == [] and drills.injected() == "none"


def test_a_drill_in_check_mode_changes_nothing(drills):
    text = drills.play("drill_failing_test", "--check", pipeline_approval=True)
    assert "waits there for a person" in text
    assert drills.started == [] and drills.injected() == "none"


def test_after_an_interrupted_drill_the_next_one_puts_the_project_back(drills):
    drills.play("build", build_project_drill="failing-test")
    assert drills.injected() == "failing-test"
    drills.fake.put(BUILD_FAILS[:3] * 9, "failing-test")  # its execution goes on
    text = drills.play("drill_failing_test", fails=True)
    assert "is under way" in text and drills.injected() == "none" and drills.started == []


def test_after_an_interrupted_drill_build_yml_puts_the_project_back(drills):
    drills.play("build", build_project_drill="failing-test")
    assert drills.injected() == "failing-test"
    drills.play("build")
    assert drills.injected() == "none"


def test_a_good_change_that_somebody_else_replaced_is_told(drills):
    drills.image = "somebodys:1"
    text = drills.play("drill_good_change", fails=True)
    assert "Got: all stages succeed, and it runs petclinic-rest-task:" in text and "with somebodys:1" in text


def test_a_buildspec_of_the_repositorys_own_is_not_drilled(drills):
    text = drills.play("drill_failing_test", fails=True, build_project_buildspec_path="buildspec.yml")
    assert "push the fault yourself" in text and drills.started == []


def test_a_service_without_a_pipeline_is_told_so(drills):
    text = drills.play("start_pipeline", fails=True, pipeline_enabled=False)
    assert "None of the services of this run has a pipeline" in text
