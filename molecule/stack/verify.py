# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A stack with other numbers than the tutorial's; step 2 of Break the Monolith: instances and agents, and no tasks."""

import stack_made
from numbers_of_hosts import CLUSTER, note, wanted
from readback import Expectations, client, pages

ecs, expect = client("ecs"), Expectations()
outputs = stack_made.look_at(expect, wanted())

cluster = ecs.describe_clusters(clusters=[CLUSTER], include=["SETTINGS"])["clusters"][0]
counts = {"registeredContainerInstancesCount": 2, "runningTasksCount": 0, "pendingTasksCount": 0}
expect.contains("step 2: instances and tasks of the cluster", cluster, counts)
expect.equal("its settings", cluster["settings"], [{"name": "containerInsights", "value": "disabled"}])
expect.equal("its tasks", pages("ecs", "list_tasks", "taskArns", cluster=CLUSTER), [])
arns = pages("ecs", "list_container_instances", "containerInstanceArns", cluster=CLUSTER)
for instance in ecs.describe_container_instances(cluster=CLUSTER, containerInstances=arns)["containerInstances"]:
    expect.contains("container instance", instance, {"agentConnected": True, "runningTasksCount": 0})

listeners = pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=outputs["ALBArn"])
listener = expect.only("listeners", listeners)
action = expect.only("default actions", listener["DefaultActions"])
expect.contains("what the listener does before there is a service", action, {"Type": "fixed-response"})
expect.equal("its answer", action["FixedResponseConfig"]["StatusCode"], "404")
note()
expect.finish()
