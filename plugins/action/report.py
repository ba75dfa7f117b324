# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write one page about all hosts of the play. See plugins/modules/report.py, which documents this action."""

from __future__ import annotations

from typing import Any, Mapping

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.handson.ecs.plugins.action.preflight import ActionModule as Preflight
from ansible_collections.handson.ecs.plugins.action.preflight import plain
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host
from ansible_collections.handson.ecs.plugins.module_utils.report.inventory import WANTED, cluster_of, service_of


class ActionModule(Preflight):
    """Reads the inventory as preflight does, and runs the module once for each account and region."""

    _VALID_ARGS = frozenset({"path", "language", "hours", "prices"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = ActionBase.run(self, tmp, task_vars)
        task_vars = task_vars or {}
        options = plain(self._task.args)
        if not options.get("path"):
            raise AnsibleError("report_path is empty: say where to write the page.")
        ways = self._ways(self._hosts(task_vars, self._roles(), "all", []))
        also: list[dict[str, Any]] = []
        for number, (way, told) in enumerate(ways):
            last = number == len(ways) - 1
            given = {**options, "also": also} if last else {k: v for k, v in options.items() if k != "path"}
            answer = self._read(dict(way), {**given, **told}, task_vars)
            if answer.get("failed") or last:
                result.update(answer)
                return result
            also.append(answer["seen"])
        raise AnsibleError("No host of the groups clusters and services is in this run, so there is nothing to tell.")

    def _template(
        self,
        host: Host,
        defaults: Mapping[str, Any],
        given: Mapping[str, Any],
        task_vars: Mapping[str, Any],
        only: tuple[str, ...] | None,
        faults: list[Fault],
    ) -> None:
        super()._template(host, defaults, given, task_vars, WANTED, faults)

    def _ways(self, hosts: list[Host]) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        """Return (environment, {clusters, services}) of each way to reach AWS, for the hosts of this run."""
        services = [h for h in hosts if h.kind == "service" and h.deployed]
        named = {h.text("cluster_name") for h in services}
        clusters = [h for h in hosts if h.kind == "cluster" and (h.deployed or h.text("cluster_name") in named)]
        found: dict[tuple[Any, ...], dict[str, Any]] = {}
        for host in [*clusters, *services]:
            environment = host.mapped("aws_environment")
            way = tuple(sorted((str(k), str(v)) for k, v in environment.items()))
            told = found.setdefault(way, {"clusters": [], "services": []})
            if host.kind == "cluster":
                told["clusters"].append(cluster_of(host))
            else:
                told["services"].append(service_of(host))
        for told in found.values():
            # A cluster that is no host of the inventory, which its services name.
            there = {c["name"] for c in told["clusters"]}
            told["clusters"] += [
                {"name": name} for name in dict.fromkeys(s["cluster"] for s in told["services"]) if name not in there
            ]
        return list(found.items())

    def _read(self, environment: dict[str, str], options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        # The hosts' own aws_environment comes last, so that the answer is right with and without one on the play.
        before = self._task.environment
        given = before if isinstance(before, list) else [before] if before else []
        self._task.environment = [*given, environment]
        try:
            return self.run_module("report", options, task_vars)
        finally:
            self._task.environment = before
