# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The inventory's values and count hold again, and every task was replaced by one of the same revision."""

import json

from readback import STATE_DIR, Expectations, client, pages, values

CLUSTER = "molecule-service-cluster"
expect = Expectations()
names = ["molecule-api-service", "molecule-web-service"]
before = json.loads((STATE_DIR / "molecule-service-tasks.json").read_text())
found = client("ecs").describe_services(cluster=CLUSTER, services=names)["services"]
for service, count, revision in zip(found, (2, 1), ("molecule-api-task:1", "molecule-web-task:2"), strict=True):
    name = service["serviceName"]
    expect.contains(name, service, {"desiredCount": count, "runningCount": count, "healthCheckGracePeriodSeconds": 45})
    expect.equal(f"maximum of {name}", service["deploymentConfiguration"]["maximumPercent"], 250)
    expect.equal(f"revision of {name}", service["taskDefinition"].rsplit("/", 1)[-1], revision)
    deployment = expect.only(f"deployments of {name}", service["deployments"])
    expect.equal(f"roll-out of {name}", deployment["rolloutState"], "COMPLETED")
    tasks = pages("ecs", "list_tasks", "taskArns", cluster=CLUSTER, serviceName=name)
    expect.equal(f"tasks of {name}", len(tasks), count)
    expect.equal(f"tasks of {name} that were there before", sorted(set(tasks) & set(before[name])), [])
    arn = service["loadBalancers"][0]["targetGroupArn"]
    attributes = client("elbv2").describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    delay = values(attributes)["deregistration_delay.timeout_seconds"]
    expect.equal(f"deregistration delay of {name}", delay, "20")
    health = client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    states = [h["TargetHealth"]["State"] for h in health]
    expect.equal(f"targets of {name}", sorted(s for s in states if s != "draining"), ["healthy"] * count)
expect.finish()
