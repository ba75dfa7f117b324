# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""DeleteStack deletes a stack's ECS resources; moto 5.2.5 reports DELETE_COMPLETE and leaves them.

CloudFormation waits for a service to drain, so its steps are taken at once here. A cluster that still has instances
raises, and moto tries it again after the other resources.
"""

from moto.ecs.models import Cluster, Service, TaskDefinition, ecs_backends

from embedded_endpoint.gaps import agent, scheduler
from embedded_endpoint.gaps.patching import LOCK, replace

MOST_STEPS = 10  # drain, stop, and some to spare


@replace(Service)
def delete(original, self, account_id, region_name):
    backend = ecs_backends[account_id][region_name]
    with LOCK:
        if self.status == "ACTIVE":
            backend.delete_service(self.cluster_name, self.name, True)
        for _ in range(MOST_STEPS):
            scheduler.step(backend, self)


@replace(Cluster, "delete")
def _delete_cluster(original, self, account_id, region_name):
    backend = ecs_backends[account_id][region_name]
    with LOCK:
        agent.reconcile(backend)
        backend.delete_cluster(self.name)


@replace(TaskDefinition, "delete")
def _deregister(original, self, account_id, region_name):
    ecs_backends[account_id][region_name].deregister_task_definition(self.arn)
