# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What a person does with what runs: a job that is run once, the log, a shell (tutorial sections 4.6 and 4.7).

Before test_rollouts, which ends with the teardown. The services are at v1 and steady, and stay so.
"""

import re

from containers import machine

SERVICE = "roll-third"
#: Of a job that ends with 2. The image has an entry point, so a command is what follows that.
COMMAND, LINE = ["no-such-application"], "APP is 'no-such-application': one of petclinic-rest, "


def test_a_job_that_fails_and_the_log_and_the_way_to_a_shell(product, say):
    before = product.containers(SERVICE)
    run = product.play(
        "playbooks/run_task.yml",
        "--limit",
        SERVICE,
        fails=True,
        task_definition_run_command=COMMAND,
        task_definition_run_count=1,
    )
    say(f"run_task.yml: {run.seconds:.0f} s")
    assert run.code == 2 and run.failed == [SERVICE]
    shown, failure = run.text.split("fatal: ", 1)
    task = re.search(rf"{SERVICE} \| \d\d:\d\d:\d\d \[([0-9a-f]{{8}})\] .*{re.escape(LINE)}", shown)
    assert task, "the log is not shown as it comes"
    assert re.search(rf"{SERVICE} \| task {task[1]}\S* ended: exit code {SERVICE}-app 2 ", shown), shown
    assert "1 of 1 tasks ended with a failure" in failure and f"{SERVICE}-app exited with code 2" in failure, failure
    assert LINE in failure.partition("The last lines of the log:")[2], failure

    run = product.play("playbooks/logs.yml", "playbooks/shell.yml", "--limit", SERVICE, service_logs_follow=1)
    say(f"logs.yml and shell.yml: {run.seconds:.0f} s")
    lines = re.findall(rf"{SERVICE} \| \d\d:\d\d:\d\d \[([0-9a-f]{{8}})\] (.*)", run.text)
    services = {task["taskArn"].rsplit("/", 1)[-1][:8] for task in product.tasks(SERVICE)}
    assert {whose for whose, text in lines if '"status": 200' in text} == services
    assert [whose for whose, text in lines if LINE in text] == [task[1]]
    entered = re.search(r"docker exec -it ([0-9a-f]{12}) /bin/sh", run.text)
    assert entered and entered[1] in before and "ssmmessages" not in run.text, run.text[-2000:]
    assert machine.docker("exec", entered[1], "/bin/sh", "-c", "exit 0").returncode == 0
    assert product.containers(SERVICE) == before
