# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run this collection's own modules in Ansible's worker instead of a process of their own.

A module that talks to AWS from the controller spends most of its time on being packed, started and compiled, and on
importing the SDK: 0.5 s of processor time a task, most of a run that changes nothing. A worker is already a forked
process that lives for one task, with Ansible and (through this file, imported by the strategy before it forks) the SDK
loaded. So the module's `main` is called there, as ansible.netcommon does for network modules ("import_modules"); the
module sees the same arguments, environment and result hooks as ever.

It is a short cut and nothing depends on it. A connection that is not local, another interpreter, `become`, `async`,
ANSIBLE_KEEP_REMOTE_FILES (debugging), macOS (whose frameworks do not survive a fork) or HANDSON_MODULE_PROCESS=1 take
Ansible's ordinary way.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import sys
import traceback
from typing import Any, Iterator

from ansible import constants as C
from ansible.plugins.action import ActionBase

try:  # loaded before the fork, for all workers
    import boto3  # noqa: F401
    import botocore.loaders
    import botocore.session
    from ansible_collections.amazon.aws.plugins.module_utils import modules  # noqa: F401
except ImportError:
    botocore = None  # the module says what is missing

try:
    # Marked for tests, but the one place that knows how arguments reach a module in each version of ansible-core;
    # without it there is no short cut.
    from ansible.module_utils.testing import patch_module_args
except ImportError:
    patch_module_args = None

COLLECTION = "ansible_collections.handson.ecs.plugins.modules"

#: The services whose descriptions every run reads. Each client of each worker would parse them anew, EC2's for 0.2 s.
SERVICES = ("sts", "ec2", "elbv2", "ecs", "iam", "ssm", "autoscaling", "ecr", "logs")


@contextlib.contextmanager
def changed_environment(wanted: dict[str, str]) -> Iterator[None]:
    """Set these variables for a while. An empty value takes one away, which Ansible's own way of running cannot."""
    before = dict(os.environ)
    os.environ.update(wanted)
    for name in [name for name, value in wanted.items() if not value]:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def warm() -> Any:
    """Return a loader of the SDK's own data files that has read those of SERVICES, or None without the SDK.

    It holds API descriptions, partitions and retry rules: the same for every caller, region and account. Credentials,
    profiles and configuration are no part of it; every session still finds those for itself.
    """
    if botocore is None:
        return None
    loader = botocore.loaders.create_loader()
    # Apart from the caller's settings: a profile that is not there must not fail what needs no profile.
    apart = {k: "" for k in os.environ if k.startswith("AWS_")}
    with changed_environment({**apart, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}):
        session = botocore.session.Session()
        session.register_component("data_loader", loader)
        for service in SERVICES:
            # A client is the one list of what a client reads. It is thrown away, and its keys open nothing.
            session.create_client(service, "us-east-1", aws_access_key_id="-", aws_secret_access_key="-")
    return loader


LOADER = warm()
# What is loaded by now stays to the end. Without this each worker that makes enough objects has its garbage collector
# look through all of it, and thereby copies the pages that it shares with its parent: 0.15 s a task.
gc.freeze()


@contextlib.contextmanager
def warm_sessions() -> Iterator[None]:
    """Let the sessions made in this worker use LOADER, unless the user keeps data files of their own."""
    if LOADER is None or os.environ.get("AWS_DATA_PATH"):
        yield
        return
    before = botocore.session.create_loader
    botocore.session.create_loader = lambda path=None: before(path) if path else LOADER
    try:
        yield
    finally:
        botocore.session.create_loader = before


class InWorkerAction(ActionBase):
    """Runs the module of the same name, in the worker where that is possible."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        result.update(self.run_module(self._task.action, dict(self._task.args), task_vars or {}))
        return result

    def run_module(self, name: str, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run handson.ecs.<name> with these arguments and return its result."""
        short = name.rsplit(".", 1)[-1]
        if not self._can_run_here(task_vars):
            return self._execute_module(module_name=f"handson.ecs.{short}", module_args=arguments, task_vars=task_vars)
        self._update_module_args(f"handson.ecs.{short}", arguments, task_vars)
        arguments["_ansible_tmpdir"] = None
        module = importlib.import_module(f"{COLLECTION}.{short}")
        out = io.StringIO()
        try:
            with changed_environment(self._environment()), warm_sessions(), patch_module_args(arguments), contextlib.redirect_stdout(out):
                module.main()
        except SystemExit:
            pass
        except Exception as e:  # what would be a traceback on a module's standard error
            return {
                "failed": True,
                "msg": f"The module {short} ended with {type(e).__name__}: {e}",
                "exception": traceback.format_exc(),
            }
        lines = [line for line in out.getvalue().splitlines() if line.startswith("{")]
        if not lines:
            return {"failed": True, "msg": f"The module {short} ended without a result.", "module_stdout": out.getvalue()}
        return json.loads(lines[-1])

    def _can_run_here(self, task_vars: dict[str, Any]) -> bool:
        interpreter = task_vars.get("ansible_python_interpreter") or ""
        return (
            patch_module_args is not None
            and sys.platform != "darwin"
            and self._connection.transport == "local"
            and not self._task.async_val
            and not self._play_context.become
            and not C.DEFAULT_KEEP_REMOTE_FILES
            and os.environ.get("HANDSON_MODULE_PROCESS") != "1"
            and _same_file(str(self._templar.template(interpreter)), sys.executable)
        )

    def _environment(self) -> dict[str, str]:
        """Return the task's `environment`. A worker runs one task, so nobody else sees it set."""
        wanted: dict[str, str] = {}
        given = self._task.environment
        for part in given if isinstance(given, list) else [given]:
            if part:
                wanted.update({str(k): str(v) for k, v in self._templar.template(part).items()})
        return wanted


def _same_file(one: str, other: str) -> bool:
    return bool(one) and os.path.abspath(one) == os.path.abspath(other)
