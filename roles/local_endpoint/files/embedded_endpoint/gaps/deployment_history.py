# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A service's history: its service deployments, newest first.

moto 5.2.5 keeps none. What starts a service deployment and how its states follow one another:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html. A roll-back makes no service
revision of its own: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-revision.html
"""

from typing import Any

from moto.core.utils import utcnow
from moto.moto_api._internal import mock_random

#: States in which StopServiceDeployment starts a roll-back.
STOPPABLE = ("PENDING", "IN_PROGRESS")
#: States in which it "continues": nothing new happens.
UNDER_WAY = ("STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")


class ServiceDeployment:
    """One service deployment."""

    def __init__(self, service, revision):
        name = mock_random.get_random_string(21)
        self.service_deployment_arn = f"{service.arn.replace(':service/', ':service-deployment/', 1)}/{name}"
        self.service_arn, self.cluster_arn = service.arn, service.cluster_arn
        self.target_service_revision_arn = revision.service_revision_arn
        self.target_service_revision = {"arn": self.target_service_revision_arn}
        self.source_service_revisions: list[dict[str, Any]] = []
        self.deployment_configuration = service.deployment_configuration
        self.rollback: dict[str, Any] | None = None
        self.created_at = self.started_at = self.updated_at = utcnow()
        self.finished_at = self.stopped_at = None
        self.status, self.status_reason = "IN_PROGRESS", None

    def become(self, status: str, reason: str | None = None) -> None:
        """Change the state; a final one has a time."""
        self.status, self.status_reason, self.updated_at = status, reason or self.status_reason, utcnow()
        if status in ("SUCCESSFUL", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"):
            self.finished_at = self.updated_at
        elif status == "STOPPED":
            self.stopped_at = self.updated_at


def begin(service, revision) -> ServiceDeployment:
    """A deployment starts; one that is still under way is over with that."""
    history = history_of(service)
    for each in history:
        if each.status in (*STOPPABLE, *UNDER_WAY):
            each.become("STOPPED", "A new service deployment was started.")
    record = ServiceDeployment(service, revision)
    if running := next((each for each in history if each.status == "SUCCESSFUL"), None):
        record.source_service_revisions = [{"arn": running.target_service_revision_arn}]
    history.insert(0, record)
    return record


def completed(deployment) -> None:
    """A deployment reached its end, in its own right or as what another one was rolled back to."""
    if deployment.record.status in STOPPABLE:
        deployment.record.become("SUCCESSFUL")
    if deployment.rolled_back_record is not None:
        deployment.rolled_back_record.become("ROLLBACK_SUCCESSFUL")
        deployment.rolled_back_record = None


def given_up(deployment, reason: str) -> None:
    """A deployment failed and nothing takes its place."""
    if deployment.rolled_back_record is not None:
        deployment.rolled_back_record.become("ROLLBACK_FAILED", reason)
        deployment.rolled_back_record = None
    elif deployment.record.status in STOPPABLE:
        deployment.record.become("STOPPED", reason)


def rolls_back(deployment, good, reason: str) -> None:
    """`good` takes the place of a deployment."""
    record = deployment.record
    record.become("ROLLBACK_IN_PROGRESS", reason)
    record.rollback = {
        "reason": reason,
        "startedAt": record.updated_at,
        "serviceRevisionArn": good.record.target_service_revision_arn,
    }
    good.rolled_back_record = record


def history_of(service) -> list[ServiceDeployment]:
    """The service's deployments, newest first."""
    return vars(service).setdefault("history", [])
