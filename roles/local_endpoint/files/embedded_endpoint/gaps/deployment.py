# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A service's deployments and events.

moto 5.2.5 has one deployment whose counts come from an environment variable, and no events.
"""

from typing import Any

from moto.core.utils import utcnow
from moto.moto_api._internal import mock_random

from embedded_endpoint.gaps import deployment_history
from embedded_endpoint.gaps.service_revision import ServiceRevision

MAX_EVENTS = 100


class Deployment:
    """One deployment, as DescribeServices shows it; the newest is PRIMARY, older ones ACTIVE until they are drained."""

    def __init__(self, service):
        now = utcnow()
        self.id = f"ecs-svc/{mock_random.randint(10**18, 10**19 - 1)}"
        self.status = "PRIMARY"
        self.task_definition = service.task_definition
        self.desired_count = service.desired_count
        self.pending_count = 0
        self.running_count = 0
        self.failed_tasks = 0
        self.unhealthy_tasks = 0  # stopped for their health, and not yet replaced
        self.rest = self.next_rest = 0  # steps until the next start, see circuit_breaker
        self.created_at = now
        self.updated_at = now
        self.capacity_provider_strategy = service.capacity_provider_strategy or None
        self.launch_type = service.launch_type
        self.platform_version = service.platform_version
        self.platform_family = service.platform_family
        self.network_configuration = service.network_configuration or None
        self.rollout_state = "IN_PROGRESS"
        self.rollout_state_reason = f"ECS deployment {self.id} in progress."
        self.revision = ServiceRevision(service, self)
        self.record = deployment_history.begin(service, self.revision)
        self.rolled_back_record = None  # that of a deployment which is being rolled back to this one

    def complete(self) -> None:
        """The roll-out is done."""
        self.rollout_state = "COMPLETED"
        self.rollout_state_reason = f"ECS deployment {self.id} completed."
        self.updated_at = utcnow()
        deployment_history.completed(self)


def begin(service) -> None:
    """Start a new PRIMARY deployment; the present one becomes ACTIVE."""
    for deployment in service.deployments:
        deployment.status = "ACTIVE"
        deployment.updated_at = utcnow()
    service.deployments.insert(0, Deployment(service))
    revision = service.deployments[0].revision
    service.revisions[revision.service_revision_arn] = revision
    service.steady = False


def event(service, text: str) -> None:
    """Add an event, newest first; `text` is what follows ``(service NAME) ``."""
    message: dict[str, Any] = {
        "id": str(mock_random.uuid4()),
        "createdAt": utcnow(),
        "message": f"(service {service.name}) {text}",
    }
    service.events.insert(0, message)
    del service.events[MAX_EVENTS:]
