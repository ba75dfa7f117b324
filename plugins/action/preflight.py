# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the whole inventory of a run, and the account, before anything is written. See plugins/modules/preflight.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.handson.ecs.plugins.module_utils.preflight import checks, workstation
from ansible_collections.handson.ecs.plugins.module_utils.preflight import facts as found
from ansible_collections.handson.ecs.plugins.module_utils.preflight import variables
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import NOTHING, Fault, Host
from ansible_collections.handson.ecs.plugins.plugin_utils.in_worker import InWorkerAction

ROLES = Path(__file__).resolve().parents[2] / "roles"
#: The groups of the inventory, and the roles whose variables a host of each holds. Roles that are not there (yet) are
#: passed over.
KINDS = {
    "cluster": (
        "clusters",
        (
            "naming", "network", "security_groups", "key_pair", "load_balancer", "cluster", "instances",
            "cluster_stack", "monitoring", "instance_scaling", "report", "teardown",
        ),
    ),
    "service": (
        "services",
        (
            "naming", "registry", "image", "task_definition", "target_group", "service", "build_project", "pipeline",
            "monitoring", "service_scaling", "verify", "report", "teardown",
        ),
    ),
    "workstation": ("workstations", ("naming", "workstation", "teardown")),
}  # fmt: skip
#: Services that site.yml takes away, as soon as the others are steady. They are read like services.
RETIRED = "retired_services"
#: What scope `account` looks at.
ACCOUNT = ("aws_account_id", "aws_region", "aws_environment", "aws_environment_extra")


def plain(value: Any) -> Any:
    """Return a copy in Python's own types: without tags, laziness and the subclasses that carry them."""
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {plain(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(v) for v in value]
    return str.__str__(str(value))


class ActionModule(InWorkerAction):
    """Gather, check, ask, report."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _VALID_ARGS = frozenset({"scope", "image_needed"})

    def run(self, tmp=None, task_vars=None):
        result = ActionBase.run(self, tmp, task_vars)
        task_vars = task_vars or {}
        scope = str(self._task.args.get("scope", "all"))
        if scope not in ("all", "account"):
            raise AnsibleError(f"preflight_scope is {scope!r}; it is one of all, account.")

        image_needed = boolean(self._task.args.get("image_needed", False))

        faults: list[Fault] = []
        roles = self._roles()
        hosts = self._hosts(task_vars, roles, scope, faults)
        if scope == "all":
            for host in hosts:
                specs = {k: v for role in KINDS[host.kind][1] for k, v in roles.get(role, ({}, {}))[1].items()}
                faults += variables.validate(host, specs)
            faults += checks.check_values(hosts)
        else:
            faults += checks.check_account(hosts)

        types: dict[str, Any] = {}
        result["standing"] = []
        for facts, those, questions in self._ask(hosts, scope, task_vars, image_needed):
            faults += checks.check_facts(those, facts, scope)
            result["standing"] += found.standing(those, facts)
            if facts.get("instance_types") is not None:
                types |= {name: facts["instance_types"].get(name) for name in questions["instance_types"]}
        if scope == "all":
            faults += checks.check_room(hosts, types)

        return self._result(result, checks.of_deployed(faults, hosts), hosts, scope)

    # --- gather ---------------------------------------------------------------------------------------------------

    def _roles(self) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
        """Return, by role, its defaults and the options of its argument spec."""
        read = {}
        for file in sorted(ROLES.glob("*/defaults/main.yml")):
            defaults = self._loader.load_from_file(str(file), cache="none", trusted_as_template=True) or {}
            spec_file = file.parents[1] / "meta" / "argument_specs.yml"
            options = {}
            if spec_file.is_file():
                spec = plain(self._loader.load_from_file(str(spec_file), cache="none"))
                entries = spec.get("argument_specs") or {}
                options = next(iter(entries.values()), {}).get("options") or {}
            read[file.parents[1].name] = (defaults, options)
        return read

    def _hosts(self, task_vars: dict[str, Any], roles: dict[str, Any], scope: str, faults: list[Fault]) -> list[Host]:
        """Return the plain values of every cluster and service of the inventory.

        Hosts outside of this play are read as well, since a service needs its cluster, and services that share a
        load balancer each other. Of those no fault is told.
        """
        play = set(task_vars.get("ansible_play_hosts_all") or [])
        groups, hostvars = task_vars["groups"], task_vars["hostvars"]
        known = {name for defaults, options in roles.values() for name in (*defaults, *options)}
        prefixes = [f"{role.name}_" for role in ROLES.iterdir() if role.is_dir()]
        hosts = []
        for kind, (group, of_kind) in KINDS.items():
            defaults = {k: v for role in of_kind for k, v in roles.get(role, ({}, {}))[0].items()}
            retired = plain(groups.get(RETIRED, [])) if kind == "service" else []
            for name in dict.fromkeys([*plain(groups.get(group, [])), *retired]):
                given = hostvars.raw_get(name)
                vaulted = {str(k) for k, v in given.items() if type(v).__name__ == "EncryptedString"}
                host = Host(name, kind, {}, deployed=name in play, given={str(k) for k in given}, hidden=vaulted)
                if not host.deployed and scope == "account":
                    continue
                only = ACCOUNT if scope == "account" else None
                if kind == "workstation" and not host.deployed:
                    only = workstation.LOOKED_UP
                self._template(host, defaults, given, task_vars, only, faults)
                if name in retired:
                    host.values["service_state"] = "absent"
                    faults += checks.check_retired(host, plain(groups.get(group, [])))
                if scope == "all":
                    faults += variables.unknown(name, host.given, known, prefixes)
                hosts.append(host)
        return hosts

    def _template(
        self,
        host: Host,
        defaults: Mapping[str, Any],
        given: Mapping[str, Any],
        task_vars: Mapping[str, Any],
        only: tuple[str, ...] | None,
        faults: list[Fault],
    ) -> None:
        """Fill the host's values: the roles' defaults below what the inventory and `--extra-vars` say."""
        everything = {**defaults, **given, "hostvars": task_vars["hostvars"]}
        templar = self._templar.copy_with_new_env(available_variables=everything)
        errors: dict[str, str] = {}
        for variable in defaults:
            if variable.startswith("__") or (only and variable not in only):
                continue
            try:
                value = everything[variable]
                host.values[variable] = plain(templar.template(value) if _may_be_template(value) else value)
                # What is known needs no second reading where other variables build on it.
                everything[variable] = host.values[variable]
            except AnsibleError as e:
                host.broken.add(variable)
                errors[variable] = _first_line(e)
        # A default that fails for the reason that a variable of the inventory fails for is no fault of its own.
        causes = {error for variable, error in errors.items() if variable in given}
        for variable, error in errors.items():
            if variable in given or error not in causes:
                problem = f"Its template can't be read: {error}"
                remedy = "Mend the template, or the variable that it names."
                faults.append(Fault(host.name, variable, NOTHING, problem, remedy))

    # --- ask ------------------------------------------------------------------------------------------------------

    def _ask(
        self, hosts: list[Host], scope: str, task_vars: dict[str, Any], image_needed: bool
    ) -> Iterator[tuple[dict[str, Any], list[Host], dict[str, Any]]]:
        """Ask AWS once for all hosts that reach it in the same way. Yields (facts, those hosts, what was asked)."""
        alike: dict[tuple[Any, ...], list[Host]] = {}
        for host in hosts:
            environment = host.values.get("aws_environment")
            # Without a region there is no AWS to ask, and that it is missing is a fault already.
            if host.deployed and isinstance(environment, dict) and host.text("aws_region").strip():
                alike.setdefault(tuple(sorted((str(k), str(v)) for k, v in environment.items())), []).append(host)
        for way, those in alike.items():
            questions: dict[str, Any] = {}
            if scope == "all":
                questions = workstation.questions(those, found.questions(those, hosts, image_needed))
            yield self._facts(dict(way), questions, task_vars), those, questions

    def _facts(
        self, environment: dict[str, str], questions: dict[str, Any], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        # The hosts' own aws_environment comes last, so that the answer is right with and without one on the play.
        before = self._task.environment
        given = before if isinstance(before, list) else [before] if before else []
        self._task.environment = [*given, environment]
        try:
            facts = self.run_module("preflight_info", dict(questions), task_vars)
        finally:
            self._task.environment = before
        facts = plain(facts)
        if facts.get("failed"):
            said = str(facts.get("msg") or facts.get("module_stderr") or "no message").strip()
            problem = {"call": "preflight_info", "action": "", "kind": "other", "message": said}
            return {"problems": [problem]}
        return facts

    # --- report ---------------------------------------------------------------------------------------------------

    def _result(self, result: dict[str, Any], told: list[Fault], hosts: list[Host], scope: str) -> dict[str, Any]:
        faults = [f for f in told if not f.warning]
        warnings = [f for f in told if f.warning]
        result.update(
            changed=False,
            faults=[checks.as_dict(f) for f in faults],
            **({"preflight_warnings": [checks.as_dict(f) for f in warnings]} if warnings else {}),
        )
        if warnings:
            # Not display.warning(): that one travels with the result, and a callback that hides `ok` hides it.
            text = f"[WARNING]: No fault, but something to know:\n\n{checks.report(warnings)}\n"
            self._display.display(text, color=C.COLOR_WARN, stderr=True)
        if faults:
            number = checks.counted(faults)
            end = f"{number} fault{'s' if number > 1 else ''}; nothing was written."
            result.update(failed=True, msg=f"{checks.report(faults)}\n\n{end}")
        else:
            checked = sum(h.deployed for h in hosts)
            what = "account and region" if scope == "account" else "values, account and room"
            result["msg"] = f"{checked} host{'s' if checked != 1 else ''} checked ({what}): no faults."
        return result


def _may_be_template(value: Any) -> bool:
    """Return whether only the templating engine can tell what this is: a template, or something out of a vault."""
    if isinstance(value, str):
        return "{" in value
    if isinstance(value, Mapping):
        return any(_may_be_template(v) or _may_be_template(k) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return any(_may_be_template(v) for v in value)
    return not (value is None or isinstance(value, (bool, int, float)))


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
