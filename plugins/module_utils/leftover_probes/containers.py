# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left in ECS and ECR."""

from __future__ import annotations

import re
from typing import Iterator

from ansible_collections.handson.ecs.plugins.module_utils.compare import chunks
from ansible_collections.handson.ecs.plugins.module_utils.leftover_probes.asking import Asking
from ansible_collections.handson.ecs.plugins.module_utils.leftovers import Row, begins, named_by, row


class Containers(Asking):
    """Clusters, services, tasks, task definitions, scalable targets, repositories."""

    def clusters(self) -> Iterator[Row]:
        arns = self.ask("cluster", "ecs", "list_clusters", "clusterArns")
        ours = {value for owner in self.owners for value in owner.values()}
        for part in chunks(arns, 100):
            for c in self.ask("cluster", "ecs", "describe_clusters", "clusters", clusters=part, include=["TAGS"]):
                if c["status"] == "INACTIVE":
                    continue
                name, mine = c["clusterName"], self.mine(c.get("tags"))
                if mine:
                    yield row("cluster", name, c["clusterArn"], c["status"].lower())
                # A service of ours may run on somebody else's cluster.
                if mine or name in ours or begins(name, self.prefixes):
                    yield from self.services(name)
                    yield from self.tasks(name, mine)

    def services(self, cluster: str) -> Iterator[Row]:
        arns = self.ask("service", "ecs", "list_services", "serviceArns", cluster=cluster)
        for part in chunks(arns, 10):
            for s in self.ask(
                "service", "ecs", "describe_services", "services", cluster=cluster, services=part, include=["TAGS"]
            ):
                if s["status"] != "INACTIVE" and self.mine(s.get("tags")):
                    yield row("service", s["serviceName"], s["serviceArn"], f"{s['status'].lower()} on {cluster}")

    def tasks(self, cluster: str, all_of_them: bool) -> Iterator[Row]:
        arns = self.ask("task", "ecs", "list_tasks", "taskArns", cluster=cluster, desiredStatus="RUNNING")
        for part in chunks(arns, 100):
            for t in self.ask("task", "ecs", "describe_tasks", "tasks", cluster=cluster, tasks=part, include=["TAGS"]):
                if all_of_them or self.mine(t.get("tags")):
                    yield row(
                        "task", t["taskArn"].rsplit("/", 1)[-1], t["taskArn"], f"{t['lastStatus'].lower()} on {cluster}"
                    )

    def capacity_providers(self) -> Iterator[Row]:
        kind = "capacity provider"
        for p in self.ask(kind, "ecs", "describe_capacity_providers", "capacityProviders", include=["TAGS"]):
            if p.get("status") != "INACTIVE" and self.mine(p.get("tags")):
                yield row(kind, p["name"], p["capacityProviderArn"])

    def task_definitions(self) -> Iterator[Row]:
        kind = "task definition"
        families: set[str] = set()
        # ECS refuses what cannot begin a family, such as the name of a log group.
        possible = [p for p in self.prefixes if re.fullmatch(r"[A-Za-z0-9_-]+", p)]
        for prefix in possible if self.prefixes else [None]:
            only = {"familyPrefix": prefix} if prefix else {}
            families.update(self.ask(kind, "ecs", "list_task_definition_families", "families", status="ALL", **only))
        for family in sorted(families):
            # Those in DELETE_IN_PROGRESS are as gone as we can make them.
            for status in ("ACTIVE", "INACTIVE"):
                arns = self.ask(
                    kind, "ecs", "list_task_definitions", "taskDefinitionArns", familyPrefix=family, status=status
                )
                for arn in arns:
                    tags = self.ask(
                        kind, "ecs", "describe_task_definition", "tags", taskDefinition=arn, include=["TAGS"]
                    )
                    if self.mine(tags):
                        yield row(kind, arn.rsplit("/", 1)[-1], arn, status.lower())

    def scalable_targets(self) -> Iterator[Row]:
        kind = "scalable target"
        for t in self.ask(
            kind, "application-autoscaling", "describe_scalable_targets", "ScalableTargets", ServiceNamespace="ecs"
        ):
            if named_by(t["ResourceId"].split("/")[1:], self.owners):
                yield row(kind, t["ResourceId"], detail=t["ScalableDimension"])

    def repositories(self) -> Iterator[Row]:
        kind = "ECR repository"
        for r in self.ask(kind, "ecr", "describe_repositories", "repositories"):
            name, arn = r["repositoryName"], r["repositoryArn"]
            if begins(name, self.prefixes):
                if self.mine(self.ask(kind, "ecr", "list_tags_for_resource", "tags", resourceArn=arn)):
                    yield row(kind, name, arn)
