# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Without its pipeline: a push starts a build again, and of what deployed only the approved connection is left."""

import delivery_made
from readback import Expectations, client, pages
from shipped import wanted

expect = Expectations()
delivery_made.build(expect, wanted(webhook=True))
expect.equal("pipelines", pages("codepipeline", "list_pipelines", "pipelines"), [])
roles = [r["RoleName"] for r in pages("iam", "list_roles", "Roles")]
expect.equal("its role", [r for r in roles if "codepipeline" in r], [])
buckets = [b["Name"] for b in client("s3").list_buckets()["Buckets"]]
expect.equal("its bucket", [b for b in buckets if "codepipeline" in b], [])
connections = client("codeconnections").list_connections()["Connections"]
expect.equal("connections", [c["ConnectionName"] for c in connections], ["molecule-shipped-pending"])
expect.finish()
