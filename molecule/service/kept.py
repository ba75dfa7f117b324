# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The scaler's count and the pipeline's revision are as they were. Notes the tasks for changed.py."""

import json

from readback import STATE_DIR, Expectations, client, pages

CLUSTER = "molecule-service-cluster"
expect = Expectations()
names = ["molecule-api-service", "molecule-web-service"]
api, web = client("ecs").describe_services(cluster=CLUSTER, services=names)["services"]
expect.equal("count of the scaler", (api["desiredCount"], api["runningCount"]), (3, 3))
expect.equal("revision of the pipeline", web["taskDefinition"].rsplit("/", 1)[-1], "molecule-web-task:2")
tasks = {name: pages("ecs", "list_tasks", "taskArns", cluster=CLUSTER, serviceName=name) for name in names}
expect.equal("tasks", [len(tasks[name]) for name in names], [3, 1])
(STATE_DIR / "molecule-service-tasks.json").write_text(json.dumps(tasks))
expect.finish()
