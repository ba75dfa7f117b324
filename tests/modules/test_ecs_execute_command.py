# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os
import shutil
import stat
import sys
import time
from pathlib import Path

import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import IMAGE, Failed, run

from ansible_collections.handson.ecs.plugins.modules import ecs_execute_command

CLUSTER, SERVICE, FAMILY = "petclinic-rest-cluster", "petclinic-rest-service", "petclinic-rest-task"
OWNER = {"handson:service": SERVICE}
OPTIONS = {"service": SERVICE, "cluster": CLUSTER, "container": "app", "owner": OWNER, "command": "env"}
TOKEN = "AAEAAexample"
SESSION = {"sessionId": "ecs-execute-command-1", "streamUrl": "wss://ssmmessages.example/1", "tokenValue": TOKEN}


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The fake plugin in the PATH. Returns a function that tells how it was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "session-manager-plugin"
    source = Path(__file__).with_name("fake_session_manager_plugin.py").read_text()
    script.write_text(source.replace("/usr/bin/env python3", sys.executable, 1))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_PLUGIN", str(tmp_path))
    return lambda: json.loads((tmp_path / "call").read_text())


@pytest.fixture
def service(aws, default_subnets):
    """Return a function that makes a steady service; `exec` says whether it allows ECS Exec."""

    def make(allowed=True, **options):
        ecs = aws("ecs")
        container = {"name": "app", "image": "petclinic", "memoryReservation": 100, **options.pop("container", {})}
        ecs.register_task_definition(family=FAMILY, containerDefinitions=[container], **options)
        ecs.create_cluster(clusterName=CLUSTER)
        aws("ec2").run_instances(
            ImageId=IMAGE, InstanceType="t2.medium", MinCount=1, MaxCount=1,
            SubnetId=default_subnets[0], UserData=f"#!/bin/bash\necho ECS_CLUSTER={CLUSTER} >> /etc/ecs/ecs.config\n",
        )  # fmt: skip
        ecs.create_service(
            cluster=CLUSTER, serviceName=SERVICE, taskDefinition=FAMILY, desiredCount=2, launchType="EC2",
            enableExecuteCommand=allowed, tags=[{"key": k, "value": v} for k, v in OWNER.items()],
        )  # fmt: skip
        for _ in range(5):
            ecs.describe_services(cluster=CLUSTER, services=[SERVICE])

    return make


ROLE = {"taskRoleArn": "arn:aws:iam::123456789012:role/petclinic-rest-task-role"}


def answers(**more):
    return recorded(ExecuteCommand=lambda _real, parameters: {"session": SESSION, "interactive": True}, **more)


def test_a_command_runs_and_its_output_is_shown(service, plugin, tmp_path):
    service(**ROLE)
    progress = tmp_path / "progress"
    with answers() as calls:
        result = run("ecs_execute_command", **OPTIONS, progress_file=str(progress))
    assert result["changed"] and result["lines"] == ["one", "two"]
    asked = next(parameters for operation, parameters in calls if operation == "ExecuteCommand")
    assert asked["command"] == "env" and asked["container"] == "app" and asked["interactive"] is True
    call = plugin()
    assert call["session"] == {"SessionId": "ecs-execute-command-1", "StreamUrl": SESSION["streamUrl"], "TokenValue": TOKEN}
    assert call["argv"][:4] == ["AWS_SSM_START_SESSION_RESPONSE", "ap-southeast-1", "StartSession", ""] and call["terminal"]
    target = json.loads(call["argv"][4])["Target"]
    assert target.startswith(f"ecs:{CLUSTER}_{result['task']}_")
    said = progress.read_text()
    assert said.splitlines()[0] == f"task {result['task']}, container app: env" and said.splitlines()[1:3] == ["one", "two"]
    for place in (json.dumps(result), said, json.dumps(call["argv"])):
        assert TOKEN not in place, "the token is a secret"


def test_check_mode_runs_nothing(service, plugin):
    service(**ROLE)
    with answers() as calls:
        result = run("ecs_execute_command", check=True, **OPTIONS)
    assert result["changed"] and result["lines"] == [] and "ExecuteCommand" not in operations(calls)


def test_everything_that_is_missing_is_said_at_once(service, monkeypatch):
    service(allowed=False, container={"readonlyRootFilesystem": True})
    monkeypatch.setenv("PATH", "/nonexistent")
    for check in (True, False):
        with answers(), pytest.raises(Failed) as failed:
            run("ecs_execute_command", check=check, **OPTIONS)
        first, second, third, fourth = failed.value.result["missing"]
        assert "service_execute_command: true" in first and "task_definition_task_role" in second
        assert "read-only" in third and "session-manager-plugin is not in the PATH" in fourth and "https://" in fourth


def test_tasks_from_before_are_told(service, plugin, aws):
    service(allowed=False, **ROLE)
    aws("ecs").update_service(cluster=CLUSTER, service=SERVICE, enableExecuteCommand=True)
    with answers(), pytest.raises(Failed, match="started before the service allowed.*playbooks/update.yml"):
        run("ecs_execute_command", **OPTIONS)


def test_an_agent_that_does_not_run(service, plugin):
    service(**ROLE)

    def stopped(real, _parameters):
        answer = real()
        for task in answer["tasks"]:
            task["containers"][0]["managedAgents"] = [{"name": "ExecuteCommandAgent", "lastStatus": "STOPPED", "reason": "no role"}]
        return answer

    with answers(DescribeTasks=stopped), pytest.raises(Failed, match="in the container is STOPPED: no role"):
        run("ecs_execute_command", **OPTIONS)


def test_an_old_plugin_would_show_the_token(service, plugin, monkeypatch):
    service(**ROLE)
    monkeypatch.setenv("FAKE_PLUGIN_VERSION", "1.2.497.0")
    with answers(), pytest.raises(Failed, match="token on its command line only.*1.2.536.0 or newer"):
        run("ecs_execute_command", **OPTIONS)


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A docker command that knows one container, whose id the test writes down. Nothing else is in the PATH."""
    script = tmp_path / "docker"
    script.write_text(
        f'#!/bin/sh\nread -r known <"{tmp_path}/known"\n'
        '[ "$*" = "container inspect --format {{.State.Running}} $known" ] && echo true\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    return lambda runtime_id: (tmp_path / "known").write_text(f"{runtime_id}\n")


def runtime_ids(aws):
    """{task id: runtime id of its container}."""
    tasks = aws("ecs").describe_tasks(cluster=CLUSTER, tasks=aws("ecs").list_tasks(cluster=CLUSTER)["taskArns"])["tasks"]
    return {t["taskArn"].rsplit("/", 1)[-1]: t["containers"][0]["runtimeId"] for t in tasks}


def test_without_a_command_the_line_is_said(service, monkeypatch):
    service(allowed=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(ecs_execute_command, "is_aws", lambda _url: True)
    with answers() as calls:
        result = run("ecs_execute_command", **{**OPTIONS, "command": None})
    assert not result["changed"] and len(result["missing"]) == 3 and "ExecuteCommand" not in operations(calls)
    assert result["by_hand"] == (
        f"aws ecs execute-command --region ap-southeast-1 --cluster {CLUSTER} --task {result['task']} --container app "
        "--interactive --command /bin/sh"
    )


def test_a_container_of_an_endpoint_that_is_not_awss_is_entered_by_docker(service, docker, aws):
    service(allowed=False)
    task, runtime_id = sorted(runtime_ids(aws).items())[0]
    docker(runtime_id)
    line = f"docker exec -it {runtime_id[:12]}"
    with recorded() as calls:
        result = run("ecs_execute_command", **{**OPTIONS, "command": None}, task=task)
    assert (result["by_hand"], result["missing"], result["changed"]) == (f"{line} /bin/sh", [], False)
    assert "DescribeTaskDefinition" not in operations(calls), "no role is missing there"
    with pytest.raises(Failed, match=rf"http://127.0.0.1:\d+ has no ECS Exec.*only AWS has.*{line} env"):
        run("ecs_execute_command", **OPTIONS, task=task)


def test_where_tasks_are_records_there_is_nothing_to_enter(service, docker, monkeypatch):
    service(allowed=False)
    docker("0123456789ab" * 5)
    for path in (os.environ["PATH"], "/nonexistent"):
        monkeypatch.setenv("PATH", path)
        result = run("ecs_execute_command", **{**OPTIONS, "command": None})
        (said,) = result["missing"]
        assert result["by_hand"] == "" and said.startswith("No container runs: the endpoint http://127.0.0.1:")
        with pytest.raises(Failed, match=r"(?s)has no ECS Exec.*only AWS has\. No container runs") as failed:
            run("ecs_execute_command", **OPTIONS)
        assert "ssmmessages" not in failed.value.result["msg"]


@pytest.mark.parametrize("code", ["TargetNotConnectedException", "InvalidParameterException"])
def test_ecs_opens_no_session(service, plugin, code):
    service(**ROLE)

    def refuse(_real, _parameters):
        raise error(code, "The execute command failed.")

    with recorded(ExecuteCommand=refuse), pytest.raises(Failed, match="did not open the session: The execute command failed"):
        run("ecs_execute_command", **OPTIONS)


def test_a_session_that_breaks(service, plugin, monkeypatch):
    service(**ROLE)
    monkeypatch.setenv("FAKE_PLUGIN_SAYS", "|Cannot perform start session: EOF")
    with answers(), pytest.raises(Failed, match="went wrong: Cannot perform start session: EOF. By hand: aws ecs") as failed:
        run("ecs_execute_command", **OPTIONS)
    assert TOKEN not in json.dumps(failed.value.result)


def test_a_command_that_does_not_end(service, plugin, monkeypatch):
    service(**ROLE)
    monkeypatch.setenv("FAKE_PLUGIN_SLEEPS", "60")
    began = time.monotonic()
    with answers(), pytest.raises(Failed, match=r"did not end within 1 s \(service_shell_timeout\)") as failed:
        run("ecs_execute_command", **OPTIONS, timeout=1)
    assert failed.value.result["lines"] == ["one", "two"] and time.monotonic() - began < 20


def test_a_task_is_asked_for(service, plugin, aws):
    service(**ROLE)
    ids = sorted(a.rsplit("/", 1)[-1] for a in aws("ecs").list_tasks(cluster=CLUSTER)["taskArns"])
    for task in ids:
        with answers():
            assert run("ecs_execute_command", **OPTIONS, task=task[:10])["task"] == task
    with answers(), pytest.raises(Failed, match=r"no task 'zzz' \(service_shell_task\) that runs. Running: .*" + ids[0]):
        run("ecs_execute_command", **OPTIONS, task="zzz")
    with answers(), pytest.raises(Failed, match="no container 'other'. It has: app"):
        run("ecs_execute_command", **{**OPTIONS, "container": "other"})


def test_no_service_and_a_foreign_one(service, plugin):
    service(**ROLE)
    with pytest.raises(Failed, match="no service named 'other'.*service.yml"):
        run("ecs_execute_command", **{**OPTIONS, "service": "other"})
    with pytest.raises(Failed, match="not ours"):
        run("ecs_execute_command", **{**OPTIONS, "owner": {"handson:service": "other"}})


def test_no_task_runs(service, plugin, aws):
    service(**ROLE)
    aws("ecs").update_service(cluster=CLUSTER, service=SERVICE, desiredCount=0)
    for _ in range(4):
        aws("ecs").describe_services(cluster=CLUSTER, services=[SERVICE])
    with pytest.raises(Failed, match="has no task that runs. Running: none"):
        run("ecs_execute_command", **OPTIONS)
    assert shutil.which("session-manager-plugin")
