# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be a secret does not come to syslog or the journal, where every module tells its options otherwise."""

import contextlib

import pytest
from modules.harness import Failed, run

CANARY = "canary-7f3a9c"
CONTAINER = {"name": "app", "image": "nginx", "environment": {"DATABASE": CANARY}}
ELSEWHERE = {"cluster": "nowhere", "container": "app"}


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("ecs_task_definition", {"family": "t", "containers": [CONTAINER]}),
        ("launch_template", {"name": "t", "instance_type": "t2.micro", "user_data": f"join {CANARY}"}),
        ("ecs_run_task", {**ELSEWHERE, "task_definition": "t", "command": ["migrate", CANARY]}),
        ("ecs_execute_command", {**ELSEWHERE, "service": "s", "command": f"migrate {CANARY}"}),
        ("image", {"repository": "r", "registry_uri": "localhost/r", "build_args": {"LOGIN": CANARY}}),
    ],
)
def test_what_may_be_secret_is_not_logged(aws, system_log, module, options):
    with contextlib.suppress(Failed):
        run(module, check=True, **options)
    assert CANARY not in "".join(system_log)


def test_other_modules_log_their_options(aws, system_log):
    with contextlib.suppress(Failed):
        run("log_group", check=True, name=CANARY)
    assert CANARY in "".join(system_log)  # or the tests above would see nothing
