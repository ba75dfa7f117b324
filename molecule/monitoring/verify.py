# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Topic, rule, alarms and dashboard of a cluster and a service; and somebody who is told. And the alarm of a step policy."""

import watching_made
from readback import Expectations, client

CLUSTER, SERVICE = "molecule-monitoring-cluster", "molecule-watched-service"
expect = Expectations()
watching_made.cluster(expect, CLUSTER)
watching_made.service(expect, CLUSTER, SERVICE, least_tasks=1, error_pattern="ERROR")
topic = watching_made.topic_of(CLUSTER)
told = client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
expect.equal("who is told", [(s["Protocol"], s["Endpoint"]) for s in told], [("email", "somebody@example.com")])
watching_made.stepping(expect, CLUSTER, SERVICE)
expect.finish()
