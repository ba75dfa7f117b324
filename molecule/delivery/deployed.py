# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The pipeline is whole: a push starts it, now that its connection is approved. Deploys as its last stage does: a revision with the new image, made of the service's own."""

import time

import delivery_made
from readback import Expectations, client
from shipped import CLUSTER, IMAGE, SERVICE, service, wanted

#: What RegisterTaskDefinition takes of what DescribeTaskDefinition says.
TAKES = client("ecs").meta.service_model.operation_model("RegisterTaskDefinition").input_shape.members
expect = Expectations()
delivery_made.pipeline(expect, wanted(), version=2)
_, used = service()
revision = {k: v for k, v in used["taskDefinition"].items() if k in TAKES}
revision["containerDefinitions"][0]["image"] = IMAGE
made = client("ecs").register_task_definition(**revision, tags=used["tags"])["taskDefinition"]
client("ecs").update_service(cluster=CLUSTER, service=SERVICE, taskDefinition=made["taskDefinitionArn"])
for _ in range(60):
    found, _ = service()
    if len(found["deployments"]) == 1 and found["runningCount"] == 1:
        break
    time.sleep(0.1)
expect.equal("deployments", len(found["deployments"]), 1)
expect.equal("revision of the pipeline", found["taskDefinition"].rsplit("/", 1)[-1], "molecule-shipped-task:2")
expect.finish()
