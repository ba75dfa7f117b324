# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of the table that ends a run."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

DOCUMENTATION = r"""
name: overview_rows
version_added: 0.1.0
short_description: Rows of the table that ends a run
description: Turns what the role C(verify) saw on each host into rows for M(handson.ecs.summary).
options:
  _input:
    description: The variables of the hosts, among them what C(verify) registered.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
rows: "{{ ansible_play_hosts | map('extract', hostvars) | handson.ecs.overview_rows }}"
"""

RETURN = r"""
_value:
  description: A list of [kind, name, state].
  type: list
"""


def overview_rows(hosts: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Return [kind, name, state] of each cluster, then of each service with its targets and URL, and of what keeps them."""
    clusters, services = [], []
    for host in hosts:
        seen = host.get("__verify_cluster") or {}
        if "ready" in seen:
            clusters.append(["cluster", host["inventory_hostname"], _instances(seen)])
        elif not seen.get("skipped", True):
            clusters.append(["cluster", host["inventory_hostname"], "not there"])
        overview = (host.get("__verify_service") or {}).get("overview")
        if overview:
            services += _service(overview)
        (clusters if "ready" in seen else services).extend(host.get("__verify_more") or [])
    return clusters + services


def _instances(seen: Mapping[str, Any]) -> str:
    """Return how many container instances are ready, their tasks, and which versions of the ECS agent they run."""
    rows = seen.get("container_instances") or []
    state = f"{seen['ready']} container instances ready"
    if rows:
        versions = sorted({row.get("agent_version") or "unknown" for row in rows})
        tasks = sum(row.get("running_tasks_count") or 0 for row in rows)
        state += f", {tasks} task{'' if tasks == 1 else 's'}, agent {' and '.join(versions)}"
    return state


def _service(overview: Mapping[str, Any]) -> list[list[str]]:
    name = overview["service"]
    state = overview.get("tasks", "not there")
    if overview.get("task_definition"):
        state += f" of {overview['task_definition']}"
    rows = [
        ["service", name, state],
        ["targets", name, overview.get("targets", "not there")],
        ["url", name, overview.get("url", "not there")],
    ]
    return [*rows, ["ended", name, overview["ended"]]] if overview.get("ended") else rows


class FilterModule:
    """The filters of this file, by name."""

    def filters(self) -> dict[str, Any]:
        return {"overview_rows": overview_rows}
