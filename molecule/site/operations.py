# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What running the task (4.6) and updating the service (4.8) of the petclinic tutorial leave behind."""

from readback import Expectations, client, pages

CLUSTER, SERVICE = "petclinic-rest-cluster", "petclinic-rest-service"
ecs, expect = client("ecs"), Expectations()

# --- 4.6: the task ran twice, outside of the service
arns = pages("ecs", "list_tasks", "taskArns", cluster=CLUSTER, family="petclinic-rest-task")
tasks = ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"]
alone = [t for t in tasks if not t.get("group", "").startswith("service:")]
expect.equal("tasks run by hand", len(alone), 2)
expect.equal("their state", [t["lastStatus"] for t in alone], ["RUNNING"] * 2)
expect.equal("their revision", {t["taskDefinitionArn"].rsplit("/", 1)[-1] for t in alone}, {"petclinic-rest-task:1"})
expect.equal("where they run", {t["launchType"] for t in alone}, {"EC2"})

# --- 4.8: the same task definition, a new deployment
service = expect.only("services", ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"])
expect.equal("revision", service["taskDefinition"].rsplit("/", 1)[-1], "petclinic-rest-task:1")
expect.equal("tasks", (service["desiredCount"], service["runningCount"]), (2, 2))
deployment = expect.only("deployments", service["deployments"])
expect.equal("roll-out", deployment["rolloutState"], "COMPLETED")

# 2 started → registered → old ones draining → stopped → steady state, in this order
messages = [e["message"] for e in sorted(service["events"], key=lambda e: e["createdAt"])]
steady = [i for i, m in enumerate(messages) if "has reached a steady state" in m]
expect.equal("steady states", len(steady), 2)
update = messages[steady[0] + 1 :]
said = ["has started 2 tasks", "registered 2 targets", "draining connections on 2 tasks", "has stopped 2 running tasks"]
found = [next((i for i, m in enumerate(update) if text in m), None) for text in said]
expect.holds("order of the events", None not in found and found == sorted(found), update)
expect.finish()
