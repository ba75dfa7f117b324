# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Two drills in one command: what the first one got is not what the second one says, even where that has no result."""

import re
import socket
import subprocess
import sys

import pytest
from modules.conftest import ENDPOINT
from modules.fake_builds import GOOD_RUN
from modules.test_drills import Drills


@pytest.fixture
def drills(tmp_path):
    """An embedded endpoint with nothing in it: the pipeline is the fake's, and the build project is made by the run."""
    command = [sys.executable, str(ENDPOINT)]
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    subprocess.run([*command, "start", "--state-dir", str(tmp_path), "--port", str(port)], check=True, timeout=90)
    (tmp_path / "url").write_text(f"http://127.0.0.1:{port}")
    made = Drills(tmp_path)
    made.fake.deploys = lambda: None  # there is no service
    yield made
    subprocess.run([*command, "stop", "--state-dir", str(tmp_path)], check=True, timeout=30)


def test_a_drill_that_does_not_end_in_time_says_so_and_not_what_the_one_before_got(drills):
    drills.fake.runs["wrong-container"] = GOOD_RUN[:3] + GOOD_RUN[2:3] * 9999
    text = drills.play("build drill_failing_test drill_wrong_container", fails=True, pipeline_start_timeout=8)
    first, second = re.split(r"(?m)^PLAY \[Drill with .*$", text)[1:]
    assert re.search("got +the build stage fails", first) and re.search("without the drill +all stages succeed", first)
    assert "the build stage fails" not in second
    # The drill, its good run, and the drill that runs on.
    last = list(drills.fake.executions)[-1]
    assert len(drills.fake.executions) == 3 and drills.fake.executions[last]["drill"] == "wrong-container"
    assert re.search(rf"got +the execution {last} did not end in time \(pipeline_start_timeout, 8 s\)", second)
    assert re.search("the build project +put back", second) and drills.injected() == "none"
    assert f"--pipeline-execution-id {last} --abandon" in second and "playbooks/start_pipeline.yml" in second
