# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""start, stop, status, env, calls: one server per state directory, and nobody else's process is touched."""

import json
import os
import socket
import stat
import subprocess
import sys

from endpoint.support import Launcher, free_port


def pid_of(launcher):
    return int((launcher.state_dir / "pid").read_text())


def test_start_again_and_stop(launcher):
    first, second = launcher("start"), launcher("start")
    assert first.stdout == f"started http://127.0.0.1:{launcher.port}\n"
    assert second.stdout == f"running http://127.0.0.1:{launcher.port}\n"
    assert stat.S_IMODE(launcher.state_dir.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in launcher.state_dir.iterdir()} == {0o600}
    assert launcher("status").stdout.startswith("running ")
    assert launcher("stop").stdout == "stopped\n"
    assert launcher("stop").stdout == "not running\n"
    assert not (launcher.state_dir / "pid").exists() and not (launcher.state_dir / "port").exists()
    assert launcher("status").stdout.startswith("not running")


def test_concurrent_starts_make_one_server(launcher):
    starts = [
        subprocess.Popen(launcher.arguments("start"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    words = sorted(start.communicate(timeout=90)[0].split()[0] for start in starts)
    assert words == ["running", "running", "started"]


def test_stale_pid_of_a_dead_process(launcher):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    launcher.state_dir.mkdir()
    (launcher.state_dir / "pid").write_text(f"{dead.pid}\n")
    assert launcher("start").stdout.startswith("started")


def test_pid_of_another_process_is_never_signalled(launcher):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        launcher.state_dir.mkdir()
        (launcher.state_dir / "pid").write_text(f"{other.pid}\n")
        assert launcher("stop").stdout == "not running\n"
        (launcher.state_dir / "pid").write_text(f"{other.pid}\n")
        assert launcher("start").stdout.startswith("started")
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_lost_pid_file_is_found_again(launcher):
    launcher("start")
    pid = pid_of(launcher)
    (launcher.state_dir / "pid").unlink()
    assert launcher("start").stdout.startswith("running")
    assert pid_of(launcher) == pid
    (launcher.state_dir / "pid").unlink()
    assert launcher("stop").stdout == "stopped\n"


def test_killed_server_is_started_again(launcher):
    launcher("start")
    os.kill(pid_of(launcher), 9)
    assert launcher("start").stdout.startswith("started")


def test_port_taken_by_something_else(launcher):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", launcher.port))
        holder.listen()
        result = launcher("start")
    assert result.returncode == 1 and result.stdout == ""
    assert f"port {launcher.port} " in result.stderr and "HANDSON_ENDPOINT_PORT=" in result.stderr
    assert "Traceback" not in result.stderr


def test_port_taken_by_another_checkout(shared, tmp_path):
    second = Launcher(tmp_path / "second", shared.port)
    result = second("start")
    assert result.returncode == 1 and str(shared.state_dir) in result.stderr
    assert second("stop").stdout == "not running\n"
    assert shared("status").stdout.startswith("running")


def test_port_from_the_environment_then_remembered(tmp_path):
    port = free_port()
    launch = Launcher(tmp_path / "state", None)
    try:
        assert launch("start", HANDSON_ENDPOINT_PORT=str(port)).stdout == f"started http://127.0.0.1:{port}\n"
        assert launch("start").stdout == f"running http://127.0.0.1:{port}\n"
    finally:
        launch("stop", HANDSON_ENDPOINT_PORT=str(port))
    assert "not a port number" in launch("start", HANDSON_ENDPOINT_PORT="web").stderr


def test_env_prints_only_shell_lines(shared, tmp_path):
    result = shared("env", "--region", "eu-west-1")
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert f"export AWS_ENDPOINT_URL=http://127.0.0.1:{shared.port}" in lines
    assert "export AWS_REGION=eu-west-1" in lines and "export AWS_DEFAULT_REGION=eu-west-1" in lines
    assert lines[-1] == "unset AWS_PROFILE AWS_SESSION_TOKEN"
    silent = Launcher(tmp_path / "none", free_port())("env")
    assert silent.returncode == 0 and silent.stderr.startswith("# ") and "AWS_ENDPOINT_URL" in silent.stdout


def test_env_leads_past_a_proxy(shared):
    def printed(**environment):
        lines = shared("env", **{"no_proxy": "", "NO_PROXY": "", "HTTP_PROXY": "http://127.0.0.1:9", **environment}).stdout
        found = {line.split("=", 1)[1] for line in lines.splitlines() if line.lower().startswith("export no_proxy=")}
        assert len(found) == 1 and "export NO_PROXY=" in lines and "export no_proxy=" in lines
        return found.pop()

    assert printed() == "127.0.0.1,localhost"
    assert printed(NO_PROXY=".example.com") == printed(no_proxy=".example.com") == ".example.com,127.0.0.1,localhost"
    assert printed(NO_PROXY=".example.com,127.0.0.1,localhost") == ".example.com,127.0.0.1,localhost"
    assert printed(no_proxy="*") == "'*'"


def test_request_log_and_calls(shared, aws):
    aws.ec2.describe_vpcs()
    before = int(shared("calls", "--count").stdout)
    aws.ecs.create_cluster(clusterName="a-name-that-must-not-be-logged")
    aws.s3.list_buckets()
    aws.s3.create_bucket(Bucket="some-bucket", CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"})
    aws.iam.list_roles()
    aws.sts.get_caller_identity()
    totals = json.loads(shared("calls", "--since", str(before), "--json").stdout)
    assert totals["calls"] == 5 and totals["mutating"] == 2
    assert totals["operations"]["ecs:CreateCluster"] == 1 and totals["operations"]["iam:ListRoles"] == 1
    assert totals["operations"]["s3:PUT /some-bucket"] == 1
    text = (shared.state_dir / "requests.jsonl").read_text()
    assert "must-not-be-logged" not in text and "testing" not in text
    assert set(json.loads(text.splitlines()[0])) == {"time", "service", "operation", "mutating", "status"}
    assert "5 API calls, 2 of them mutating" in shared("calls", "--since", str(before)).stdout
    shared("reset")
    assert shared("calls", "--count").stdout == "0\n"
    assert aws.ecs.list_clusters()["clusterArns"] == []
