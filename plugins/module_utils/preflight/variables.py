# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables held against the roles' argument specs: types, choices, and names that no role knows."""

from __future__ import annotations

import copy
import difflib
from typing import Any, Iterable, Iterator, Mapping

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import NOTHING, Fault, Host

#: Prefixes that others may use, too: under these only what looks like a slip is a fault.
SHARED_PREFIXES = ("aws_", "stack_")

_IN_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a dictionary",
    "str": "text",
}


def validate(host: Host, specs: Mapping[str, Mapping[str, Any]]) -> Iterator[Fault]:
    """Yield a fault for each value that is not of its option's type or choices.

    Afterwards the host's values have the options' types, and the variables with a fault count as broken.
    """
    for variable, spec in specs.items():
        if variable not in host.values or variable in host.broken:
            continue
        value = host.values[variable]
        if value is None and spec.get("default") is not None and spec.get("type") != "raw":
            if spec.get("type", "str") == "str" and spec["default"] == "":
                host.values[variable] = ""
                continue
            host.broken.add(variable)
            yield host.fault(
                variable, "It has no value (null).", "Give it one, or take the line out for the default.", value=NOTHING
            )
            continue
        result = ArgumentSpecValidator({variable: dict(spec)}).validate({variable: copy.deepcopy(value)})
        if result.error_messages:
            host.broken.add(variable)
            yield host.fault(variable, *_said(variable, value, spec))
        elif value is not None and not (variable == "aws_account_id" and isinstance(value, int)):
            # The account id stays as it was written: a number there has lost its leading zeros.
            host.values[variable] = result.validated_parameters[variable]


def _said(variable: str, value: Any, spec: Mapping[str, Any]) -> tuple[str, str]:
    """Return (problem, remedy) of a value that its option does not take, without the value itself."""
    wanted = _IN_WORDS.get(spec.get("type", "str"), "text")
    if spec.get("choices") and not isinstance(value, (dict, list)):
        return "It is none of its choices.", f"Choose one of {', '.join(map(str, spec['choices']))}."
    if spec.get("elements") and isinstance(value, list):
        return f"One of its elements is not {_IN_WORDS.get(spec['elements'], 'text')}.", "Look at each of them."
    is_now = "text" if isinstance(value, str) else _IN_WORDS.get(type(value).__name__, type(value).__name__)
    return f"This is {is_now} and can't be read as {wanted}.", f"Write {wanted}."


def unknown(host: str, given: Iterable[str], known: Iterable[str], prefixes: Iterable[str]) -> Iterator[Fault]:
    """Yield a fault for each variable that begins like a role's options but is none of them."""
    known = set(known)
    prefixes = tuple(prefixes)
    for name in sorted(set(given) - known):
        if name.startswith("__") or not name.startswith(prefixes + SHARED_PREFIXES):
            continue
        like = difflib.get_close_matches(name, known, 1, 0.8)
        if not name.startswith(prefixes) and not like:
            continue
        yield Fault(
            host,
            name,
            NOTHING,
            "No role has such a variable, so it would change nothing.",
            (
                f"Did you mean {like[0]}?"
                if like
                else "See the roles' README files for their variables, or give yours another prefix."
            ),
        )
