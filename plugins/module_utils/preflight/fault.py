# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check has to say, and the few questions every check asks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Iterator

#: Variables whose content is never shown: it may hold what nobody else should read.
NEVER_SHOWN = frozenset(
    {
        "aws_environment",
        "aws_environment_extra",
        "image_build_args",
        "instances_agent_config",
        "instances_user_data",
        "task_definition_environment",
        "task_definition_extra_containers",
        "task_definition_secrets",
    }
)

#: Stands for "there is no value to show", since None is a value.
NOTHING = object()


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: on which host, in which variable, why, and what to do about it.

    `warning` marks what AWS accepts but the user should know.
    """

    host: str
    variable: str
    value: Any = field(compare=False)
    problem: str
    remedy: str
    warning: bool = False

    def shown(self) -> str:
        """Return `variable = value` as the report prints it, cut to a readable length."""
        if self.value is NOTHING or self.variable.split(".")[0] in NEVER_SHOWN:
            return self.variable
        text = repr(self.value)
        return f"{self.variable} = {text if len(text) <= 120 else text[:117] + '…'}"


@dataclass
class Host:
    """The plain values of one thing to deploy: a cluster or a service, with all the defaults of its roles."""

    name: str
    kind: str  # "cluster" or "service"
    values: dict[str, Any]
    #: True where faults are to be reported: the run deploys this host. Others are only looked up.
    deployed: bool = True
    #: Variables whose value could not be read at all; checks of them have nothing to add.
    broken: set[str] = field(default_factory=set)
    #: Variables that the inventory sets, not only the defaults.
    given: set[str] = field(default_factory=set)
    #: Variables whose value comes out of a vault, and is not shown.
    hidden: set[str] = field(default_factory=set)

    def fault(self, variable: str, problem: str, remedy: str, value: Any = None, warning: bool = False) -> Fault:
        """Make a Fault about a variable of this host, with its value unless another one is given."""
        shown = self.values.get(variable, NOTHING) if value is None else value
        if variable.split(".")[0] in self.hidden:
            shown = NOTHING
        return Fault(self.name, variable, shown, problem, remedy, warning)

    def text(self, variable: str) -> str:
        """Return the value as text, `""` where it is missing or null."""
        value = self.values.get(variable)
        return "" if value is None else str(value)

    def number(self, variable: str) -> int | None:
        """Return the value as a whole number, None where it is none (empty, `keep`, broken)."""
        return number(self.values.get(variable))

    def listed(self, variable: str) -> list[Any]:
        """Return the value where it is a list, otherwise an empty list."""
        value = self.values.get(variable)
        return value if isinstance(value, list) else []

    def mapped(self, variable: str) -> dict[str, Any]:
        """Return the value where it is a dictionary, otherwise an empty one."""
        value = self.values.get(variable)
        return value if isinstance(value, dict) else {}


def number(value: Any) -> int | None:
    """Return a whole number given as a number or as text, otherwise None. `true` is no number."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value.strip()):
        return int(value)
    return None


def in_range(host: Host, variable: str, low: int, high: int | None, what: str, also: str = "") -> Iterator[Fault]:
    """Yield a fault unless the variable is a whole number from `low` to `high`. `also` is a word accepted, too."""
    if variable in host.broken or variable not in host.values:
        return
    if also and host.text(variable) == also:
        return
    value = host.number(variable)
    bounds = f"goes from {low} to {high}" if high is not None else f"is {low} or more"
    or_word = f", or {also}" if also else ""
    remedy = (
        f"Choose a number from {low} to {high}{or_word}." if high is not None else f"Choose {low} or more{or_word}."
    )
    if value is None:
        yield host.fault(variable, f"{what} is a whole number.", remedy)
    elif value < low or (high is not None and value > high):
        yield host.fault(variable, f"{what} {bounds}{or_word}.", remedy)


def one_of(host: Host, variable: str, choices: tuple[str, ...], what: str) -> Iterator[Fault]:
    """Yield a fault unless the variable is one of `choices`."""
    if variable in host.broken or variable not in host.values:
        return
    if host.text(variable) not in choices:
        yield host.fault(variable, f"{what} is one of {', '.join(choices)}.", "Choose one of these.")


def truthy(value: Any) -> bool:
    """Return whether an inventory's value means yes, in the spellings that YAML and `--extra-vars` give."""
    return value is True or str(value).strip().lower() in ("true", "yes", "on", "1", "y", "t")
