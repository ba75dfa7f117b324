# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Four services on one cluster and one listener, each with what is its own."""

import things
from readback import Expectations

expect = Expectations()
WANTED = {
    "default": ("api", []),
    "1": ("users", ["/api/users*"]),
    "2": ("threads", ["/api/threads*"]),
    "3": ("posts", ["/api/posts*"]),
}
found = things.rules()
expect.equal("the listener", {p: (r["to"], r["paths"]) for p, r in found.items()}, WANTED)
expect.equal("held rules", [p for p, r in found.items() if r["held"]], [])
for priority, (name, _paths) in WANTED.items():
    owner = {"handson:cluster": things.CLUSTER, "handson:service": name}
    if priority != "default":
        expect.contains(f"tags of the rule of {name}", found[priority]["tags"], owner)
    service = things.of(name)
    kinds = ["service", "target group", "places", "ACTIVE task definitions", "registry", "log group", "role"]
    expect.equal(f"what {name} lacks", [k for k in kinds if not service.get(k)], [])
    wanted = {"desiredCount": 1, "runningCount": 1, "pendingCount": 0}
    expect.contains(f"service {name}", service["service"], wanted)
    task = expect.only(f"revisions of {name}", service["ACTIVE task definitions"])
    container = expect.only(f"containers of {name}", task["containerDefinitions"])
    image = f"123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/{name}:v1"
    expect.contains(f"container of {name}", container, {"name": name, "image": image, "cpu": 256, "memory": 256})
    expect.equal(f"port of {name}", container["portMappings"][0]["containerPort"], 3000)
    health = {
        "HealthCheckPath": "/",
        "HealthCheckIntervalSeconds": 6,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 2,
    }
    expect.contains(f"health check of {name}", service["target group"], health)
    expect.equal(f"healthy targets of {name}", things.healthy(name), 1)
expect.finish()
