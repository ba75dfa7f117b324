# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What the programs of this scenario have in common."""

import delivery_made
from readback import client

CLUSTER, SERVICE, FAMILY = "molecule-delivery-cluster", "molecule-shipped-service", "molecule-shipped-task"
#: What the pipeline builds and deploys.
IMAGE = "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/molecule-shipped:5f3c0c1"


def wanted(**other):
    """What the inventory says."""
    bucket = "handson-codebuild-cache-store"
    repository = {"repository": "somebody/shipped", "branch": "main"}
    return delivery_made.Wanted(CLUSTER, "molecule-shipped", bucket, **repository, **other)


def service():
    """The service as it is, and its revision."""
    found = client("ecs").describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
    used = client("ecs").describe_task_definition(taskDefinition=found["taskDefinition"], include=["TAGS"])
    return found, used
