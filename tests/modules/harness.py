# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module in this process, and the module test pattern of docs/design.md as one function."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
from pathlib import Path
from typing import Any, Callable

from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args

#: One of those that moto begins with. To ask for all 1,285 of them takes it half a second.
IMAGE = "ami-03cf127a"


class Failed(AssertionError):
    """The module ended with failed=true; `result` is what it said."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result.get("msg"))
        self.result = result


#: How code begins that a test runs in a process of its own: it makes the checkout importable as pytest does.
BEGIN = f"import runpy\nrunpy.run_path({str(Path(__file__).resolve().parents[1] / 'conftest.py')!r})\n"


def run(module: str, check: bool = False, **options: Any) -> dict[str, Any]:
    """Run handson.ecs.<module> with these options. Returns its result; raises Failed where it failed."""
    code = importlib.import_module(f"ansible_collections.handson.ecs.plugins.modules.{module}")
    out = io.StringIO()
    # The process's own collection: what an earlier test was warned of is not this one's.
    warnings._global_warnings.clear()
    arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": True}
    with patch_module_args(arguments), contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        code.main()
    result = json.loads(out.getvalue().strip().splitlines()[-1])
    if result.get("failed"):
        raise Failed(result)
    return result


def contract(
    module: str,
    options: dict[str, Any],
    read: Callable[[], Any],
    changes: list[tuple[dict[str, Any], Callable[[Any], Any], Any]] = (),
    gone: Callable[[], bool] | None = None,
) -> None:
    """Hold a module to the pattern every module of this collection keeps.

    check (changed) -> nothing was made -> apply (changed) -> check and apply again (unchanged) -> change each option
    (changed in check, not applied; changed, seen by reading back; then unchanged) -> absent in check -> absent ->
    absent again.

    `read` looks at the account by boto3, never through the module, and returns None where there is nothing.
    Each of `changes` is (options to change, what to pick from read(), its value afterwards).
    `gone` says whether the thing is gone, where `read() is None` does not.
    """
    gone = gone or (lambda: read() is None)
    assert gone(), "the account is not empty before the test"
    assert run(module, check=True, **options)["changed"]
    assert gone(), "check mode made something"
    made = run(module, **options)
    assert made["changed"] and made["diff"]["before"] == {} and made["diff"]["after"]
    assert read() is not None, "apply made nothing"
    _settled(module, options)

    for change, pick, value in changes:
        was = pick(read())
        assert was != value, f"{change} would change nothing"
        options = {**options, **change}
        checked = run(module, check=True, **options)
        assert checked["changed"], f"check does not see {change}"
        assert checked["diff"]["before"] != checked["diff"]["after"]
        assert pick(read()) == was, f"check mode applied {change}"
        assert run(module, **options)["changed"], f"apply does not see {change}"
        assert pick(read()) == value, f"{change}: {pick(read())!r}"
        _settled(module, options)

    absent = {**options, "state": "absent"}
    assert run(module, check=True, **absent)["changed"]
    assert not gone(), "check mode deleted it"
    assert run(module, **absent)["changed"]
    assert gone(), "absent left it"
    assert not run(module, **absent)["changed"]
    assert not run(module, check=True, **absent)["changed"]


def _settled(module: str, options: dict[str, Any]) -> None:
    again = run(module, check=True, **options)
    assert not again["changed"], again["diff"]
    again = run(module, **options)
    assert not again["changed"], again["diff"]
