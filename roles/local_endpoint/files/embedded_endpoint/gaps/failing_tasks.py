# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Make tasks fail: the tag of a container's image says how.

Without containers nothing ever fails, so nobody could see the circuit breaker, a roll-back or the report of causes.
The tag's beginning decides, of any container of the task:

    crash…           the program ends with exit code 1 as soon as it runs
    no-such-image…   the image cannot be pulled
    unhealthy…       the program runs, and answers the load balancer's health check with 500

Texts and codes are those of AWS:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
"""

from embedded_endpoint.gaps import target_registration, task_record

CRASH, NO_IMAGE, UNHEALTHY = "crash", "no-such-image", "unhealthy"
HEALTH_CHECK = "Health checks failed with these codes: [500]"

# An unhealthy task is stopped after this many steps of its service (about the unhealthy threshold of a target group),
# and one more for each started 30 s of the service's grace period, in which ECS doesn't look.
UNHEALTHY_STEPS = 2
GRACE_SECONDS_PER_STEP = 30


def tag(image: str) -> str:
    """The tag of an image reference, `latest` if it has none; a digest has no tag."""
    if "@" in image:
        return ""
    return image.rsplit("/", 1)[-1].partition(":")[2] or "latest"


def failure(task) -> tuple[str | None, task_record.ContainerRecord | None]:
    """How a task fails and its container that does, (None, None) for one that doesn't."""
    for kind in (NO_IMAGE, CRASH, UNHEALTHY):
        for container in task.containers:
            if tag(container.image or "").startswith(kind):
                return kind, container
    return None, None


def come_up(backend, task) -> bool:
    """PENDING becomes RUNNING; False if the task failed instead and is STOPPED."""
    kind, container = failure(task)
    if kind == NO_IMAGE:
        reference = _in_full(container.image)
        reason = (
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
            f"{reference}: {reference}: not found"
        )
        task_record.stop(backend, task, reason, "TaskFailedToStart")
        container.reason = reason
        return False
    task_record.run(task)
    if kind == CRASH:
        task_record.stop(backend, task, "Essential container in task exited", "EssentialContainerExited")
        container.exit_code = 1
        return False
    return True


def fall_ill(task) -> bool:
    """Whether the health check of a task's target fails; only a task with a target has one."""
    task.sick = bool(task.targets) and failure(task)[0] == UNHEALTHY
    return task.sick


def patience(service) -> int:
    """For how many steps a service keeps a task whose health check fails."""
    return UNHEALTHY_STEPS - (-(service.health_check_grace_period_seconds or 0) // GRACE_SECONDS_PER_STEP)


def stop_unhealthy(backend, task) -> list[str]:
    """Stop a task that failed its health checks; the ARNs of its target groups."""
    reason = f"Task failed ELB health checks in (target-group {task.targets[0][0]})"
    arns = target_registration.deregister(backend, task)
    task_record.stop(backend, task, reason, "ServiceSchedulerInitiated")
    return arns


def _in_full(image: str) -> str:
    """The reference as containerd names it: Docker Hub's host and `library` are spelled out."""
    first, slash, _rest = image.partition("/")
    if not slash:
        image = f"library/{image}"
    has_host = slash and ("." in first or ":" in first or first == "localhost")
    image = image if has_host else f"docker.io/{image}"
    return image if ":" in image.rsplit("/", 1)[-1] else f"{image}:latest"
