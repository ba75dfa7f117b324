# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the hosts of the inventory to the options of the module `report`."""

from __future__ import annotations

from typing import Any

from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Host

#: All that is read of a host.
WANTED = (
    "aws_environment", "cluster_name", "service_name", "load_balancer_name", "instances_name",
    "load_balancer_certificate_arn", "load_balancer_service_port", "verify_host", "verify_requests", "target_group_rule_paths",
)  # fmt: skip


def cluster_of(host: Host) -> dict[str, Any]:
    """Return a cluster as the module's option takes it."""
    return {
        "name": host.text("cluster_name"),
        "load_balancer": host.text("load_balancer_name"),
        "auto_scaling_group": host.text("instances_name"),
    }


def service_of(host: Host) -> dict[str, Any]:
    """Return a service as the module's option takes it."""
    return {"name": host.text("service_name"), "cluster": host.text("cluster_name"), "url": url(host)}


def url(host: Host) -> str:
    """Return where a service answers; `$host` stands for the load balancer's DNS name.

    The path is one that answers, as `verify` tells it: up to the first wildcard of a rule's first path, else the first
    path that is asked.
    """
    scheme = "https" if host.text("load_balancer_certificate_arn") else "http"
    port = host.text("load_balancer_service_port")
    shown = "" if (scheme, port) in (("http", "80"), ("https", "443"), (scheme, "")) else f":{port}"
    paths = [str(p).split("*")[0].split("?")[0] for p in host.listed("target_group_rule_paths")]
    asked = [r for r in host.listed("verify_requests") if isinstance(r, dict) and "status" not in r]
    path = next(iter([p for p in paths[:1] if p]), "") or str(next(iter(asked), {}).get("path") or "/")
    name = host.text("verify_host")
    return f"{scheme}://{name or '$host' + shown}{path}"
