# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Without its source URL: a push starts nothing, and of the builds only the cluster's bucket of caches is left."""

from readback import Expectations, client, pages

expect = Expectations()
expect.equal("build projects", pages("codebuild", "list_projects", "projects"), [])
expect.equal("roles", [r["RoleName"] for r in pages("iam", "list_roles", "Roles") if "build" in r["RoleName"]], [])
groups = [g["logGroupName"] for g in pages("logs", "describe_log_groups", "logGroups")]
expect.equal("logs of builds", [g for g in groups if g.startswith("/aws/codebuild/")], [])
bucket = expect.only("buckets", [b["Name"] for b in client("s3").list_buckets()["Buckets"]])
expect.equal("the bucket of the caches", bucket, "handson-codebuild-cache-store")
expect.equal("what is in it", client("s3").list_objects_v2(Bucket=bucket)["KeyCount"], 0)
expect.finish()
