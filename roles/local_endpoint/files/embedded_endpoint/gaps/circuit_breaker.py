# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The deployment circuit breaker, and the slower pace of a deployment whose tasks keep failing.

moto 5.2.5 has neither. The threshold is that of
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html and of ThresholdType in the
API reference; reasons and events are worded as AWS words them.
"""

from moto.core.utils import utcnow

from embedded_endpoint.gaps import deployment_history, task_record
from embedded_endpoint.gaps.deployment import event

LEAST, MOST = 3, 200  # what BOUNDED_PERCENT is kept between
DEFAULT = {"type": "BOUNDED_PERCENT", "value": 50}
STRUGGLING = 3  # failures in a row after which ECS starts tasks more slowly
LONGEST_REST = 64  # steps; AWS waits up to 27 minutes


def breaker(service) -> dict:
    """The service's circuit breaker."""
    return service.deployment_configuration.get("deploymentCircuitBreaker") or {}


def threshold(service) -> int:
    """How many failed tasks give a deployment up."""
    given = breaker(service).get("thresholdConfiguration") or DEFAULT
    if given["type"] == "COUNT":
        return given["value"]
    share = -(-(service.desired_count or 0) * given["value"] // 100)  # rounded up
    return min(max(share, LEAST), MOST) if given["type"] == "BOUNDED_PERCENT" else max(share, 1)


def healthy(service, deployment) -> None:
    """A task of the deployment is healthy: by default the count of failures starts anew."""
    if breaker(service).get("resetOnHealthyTask", True):
        deployment.failed_tasks = deployment.rest = deployment.next_rest = 0


def failed(backend, service, deployment, count: int) -> None:
    """Count failed tasks of a deployment, and give it up at the threshold."""
    deployment.failed_tasks += count
    deployment.updated_at = utcnow()
    watching = breaker(service).get("enable") and deployment.rollout_state == "IN_PROGRESS"
    if watching and deployment is service.deployments[0]:
        if deployment.failed_tasks >= threshold(service):
            _give_up(backend, service, deployment)
    elif deployment.failed_tasks >= STRUGGLING:
        _slow_down(service, deployment)


def _give_up(backend, service, deployment) -> None:
    deployment.rollout_state = "FAILED"
    deployment.rollout_state_reason = "ECS deployment circuit breaker: tasks failed to start."
    event(service, f"(deployment {deployment.id}) deployment failed: tasks failed to start.")
    reason = "Service deployment failed because the circuit breaker detected that tasks failed to start."
    if not breaker(service).get("rollback") or not roll_back(
        backend, service, deployment, reason, "ECS deployment circuit breaker"
    ):
        deployment_history.given_up(deployment, reason)


def roll_back(backend, service, deployment, reason: str, who: str) -> bool:
    """Go back to the last deployment that was completed; False if there is none."""
    good = service.completed
    if good is None or good is deployment:
        return False
    # The good deployment becomes PRIMARY again under its old id (its tasks were started by it), as the events of real
    # services show: "rolling back to deployment A" is followed by "(deployment A) deployment completed".
    deployment.status = "ACTIVE"
    good.status, good.rollout_state = "PRIMARY", "IN_PROGRESS"
    good.rollout_state_reason = f"{who}: rolling back to deploymentId {good.id}."
    good.updated_at = utcnow()
    good.failed_tasks = good.rest = good.next_rest = 0
    service.deployments = [good, *(each for each in service.deployments if each is not good)]
    service.task_definition = good.task_definition
    event(service, f"rolling back to deployment {good.id}.")
    deployment_history.rolls_back(deployment, good, reason)
    _stop_pending(backend, service, deployment)
    return True


def _stop_pending(backend, service, deployment) -> None:
    tasks = task_record.live_tasks(backend, service.cluster_name)
    pending = [task for task in tasks if task.started_by == deployment.id and task.status == "PENDING"]
    for task in pending:
        reason = f"Scaling activity initiated by (deployment {service.deployments[0].id})"
        task_record.stop(backend, task, reason, "ServiceSchedulerInitiated")
    if pending:
        event(service, f"stopped {len(pending)} pending tasks.")


def _slow_down(service, deployment) -> None:
    if not deployment.next_rest:
        event(
            service,
            "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section "
            "of the Amazon ECS Developer Guide.",
        )
    deployment.next_rest = min(deployment.next_rest * 2 or 2, LONGEST_REST)
    deployment.rest = deployment.next_rest
