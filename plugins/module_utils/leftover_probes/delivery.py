# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left of builds and pipelines."""

from __future__ import annotations

from typing import Iterator

from ansible_collections.handson.ecs.plugins.module_utils.compare import chunks
from ansible_collections.handson.ecs.plugins.module_utils.leftover_probes.asking import Asking
from ansible_collections.handson.ecs.plugins.module_utils.leftovers import Row, begins, row


class Delivery(Asking):
    """CodeBuild, CodePipeline, connections, and the buckets of both."""

    def build_projects(self) -> Iterator[Row]:
        kind = "build project"
        # A hundred in a call, so there is no need to choose by name.
        for part in chunks(self.ask(kind, "codebuild", "list_projects", "projects"), 100):
            for p in self.ask(kind, "codebuild", "batch_get_projects", "projects", names=part):
                if self.mine(p.get("tags")):
                    yield row(kind, p["name"], p["arn"])

    def pipelines(self) -> Iterator[Row]:
        kind = "pipeline"
        for p in self.ask(kind, "codepipeline", "list_pipelines", "pipelines"):
            if not begins(p["name"], self.prefixes):
                continue
            # The list has no ARNs.
            found = self.ask(kind, "codepipeline", "get_pipeline", "metadata", name=p["name"])
            if found:
                arn = found["pipelineArn"]
                if self.mine(self.ask(kind, "codepipeline", "list_tags_for_resource", "tags", resourceArn=arn)):
                    yield row(kind, p["name"], arn)

    def connections(self) -> Iterator[Row]:
        kind = "connection"
        for c in self.ask(kind, "codeconnections", "list_connections", "Connections"):
            name, arn = c["ConnectionName"], c["ConnectionArn"]
            if begins(name, self.prefixes):
                if self.mine(self.ask(kind, "codeconnections", "list_tags_for_resource", "Tags", ResourceArn=arn)):
                    yield row(kind, name, arn, c["ConnectionStatus"].lower())

    def buckets(self) -> Iterator[Row]:
        for b in self.ask("bucket", "s3", "list_buckets", "Buckets"):
            if begins(b["Name"], self.prefixes):
                if self.mine(self.ask("bucket", "s3", "get_bucket_tagging", "TagSet", Bucket=b["Name"])):
                    yield row("bucket", b["Name"])
