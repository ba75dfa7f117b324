# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What others do to the services: a scaler sets a count, a pipeline deploys a revision of its own."""

import time

from readback import Expectations, client

CLUSTER, KEEP = "molecule-service-cluster", ("family", "networkMode", "containerDefinitions", "cpu", "memory")
ecs, expect = client("ecs"), Expectations()

ecs.update_service(cluster=CLUSTER, service="molecule-api-service", desiredCount=3)

answer = ecs.describe_task_definition(taskDefinition="molecule-web-task", include=["TAGS"])
task = answer["taskDefinition"]
task["containerDefinitions"][0]["image"] = task["containerDefinitions"][0]["image"].replace(":latest", ":build-7")
made = ecs.register_task_definition(
    **{k: task[k] for k in KEEP},
    requiresCompatibilities=task["requiresCompatibilities"],
    executionRoleArn=task["executionRoleArn"],
    tags=answer["tags"],
)
web = ecs.update_service(
    cluster=CLUSTER, service="molecule-web-service", taskDefinition=made["taskDefinition"]["taskDefinitionArn"]
)["service"]
expect.equal("revision of the pipeline", web["taskDefinition"].rsplit("/", 1)[-1], "molecule-web-task:2")

# A run that comes later finds both at rest.
for _ in range(60):
    both = ecs.describe_services(cluster=CLUSTER, services=["molecule-api-service", "molecule-web-service"])["services"]
    if all(len(s["deployments"]) == 1 and s["runningCount"] == s["desiredCount"] for s in both):
        break
    time.sleep(0.2)
expect.equal("running", [s["runningCount"] for s in both], [3, 1])
expect.finish()
