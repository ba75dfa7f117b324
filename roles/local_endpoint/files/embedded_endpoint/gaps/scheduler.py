# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The service scheduler: makes a service's task records what the service asks for, one step at a time.

moto 5.2.5 has none: its services have no tasks, and their counts are the desired ones. A step is one of: tasks come up
and register (or fail, see failing_tasks), unhealthy tasks stop, drained tasks stop, new tasks start, old tasks begin to
drain, steady state. One DescribeServices call is
one step, so that a client that waits sees the roll-out move. The texts are those of AWS:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
"""

import time
from collections import Counter

from moto.core.utils import utcnow

from embedded_endpoint.gaps import circuit_breaker, failing_tasks, placement, target_registration, task_record
from embedded_endpoint.gaps.deployment import event

FARGATE = ("FARGATE", "FARGATE_SPOT")
TROUBLESHOOTING = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."


def tasks_of(backend, service) -> list[task_record.TaskRecord]:
    """The service's tasks that are not stopped."""
    ids = {deployment.id for deployment in service.deployments}
    return [task for task in task_record.live_tasks(backend, service.cluster_name) if task.started_by in ids]


def desired(backend, service) -> int:
    """How many tasks there should be: none for a service on its way out, one an instance for DAEMON."""
    if service.status != "ACTIVE":
        return 0
    if service.scheduling_strategy == "DAEMON":
        return len(placement.candidates(backend, service.cluster_name))
    return service.desired_count or 0


def limits(service, count: int) -> tuple[int, int]:
    """The fewest running and the most existing tasks during a roll-out: minimum rounded up, maximum down."""
    configuration = service.deployment_configuration
    fewest = -(-count * configuration.get("minimumHealthyPercent", 100) // 100)
    most = count * configuration.get("maximumPercent", 200) // 100
    return fewest, most


def step(backend, service) -> None:
    """Take one step, the first that is due; without any, the service is steady."""
    service.stepped = time.monotonic()
    if service.status == "INACTIVE" or not service.deployments:
        return
    for action in (_come_up, _stop_unhealthy, _stop_drained, _start_missing, _drain_surplus, _settle):
        if action(backend, service):
            break
    finish_draining(backend, service)
    refresh_counts(backend, service)


def finish_draining(backend, service) -> None:
    """A service that was deleted and has no tasks left is INACTIVE; it stays describable."""
    if service.status == "DRAINING" and not tasks_of(backend, service):
        service.status = "INACTIVE"
        service.deployments = []
        refresh_counts(backend, service)


def refresh_counts(backend, service) -> None:
    """Counts of the service and its deployments, from the task records."""
    tasks = tasks_of(backend, service)
    service.running_count = sum(task.status == "RUNNING" for task in tasks)
    service.pending_count = sum(task.status == "PENDING" for task in tasks)
    for deployment in service.deployments:
        mine = [task for task in tasks if task.started_by == deployment.id]
        deployment.running_count = sum(task.status == "RUNNING" and not task.draining for task in mine)
        deployment.pending_count = sum(task.status == "PENDING" for task in mine)
        deployment.desired_count = desired(backend, service) if deployment.status == "PRIMARY" else len(mine)


def _come_up(backend, service) -> bool:
    pending = [task for task in tasks_of(backend, service) if task.status == "PENDING"]
    registered: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for task in pending:
        if not failing_tasks.come_up(backend, task):
            failed[task.started_by] += 1
            continue
        registered.update(target_registration.register(backend, service, task))
        if failing_tasks.fall_ill(task):
            target_registration.fail_health_check(backend, task, failing_tasks.HEALTH_CHECK)
        else:
            circuit_breaker.healthy(service, _deployment(service, task.started_by))
    for arn, count in registered.items():
        event(service, f"registered {count} targets in (target-group {arn})")
    _count_failures(backend, service, failed)
    return bool(pending)


def _stop_unhealthy(backend, service) -> bool:
    """Stop tasks whose health check failed long enough. The others' failures are counted, which takes no step."""
    stopped = []
    deregistered: Counter[str] = Counter()
    for task in tasks_of(backend, service):
        if not task.sick or task.draining:
            continue
        task.sick_steps += 1
        if task.sick_steps > failing_tasks.patience(service):
            _say_unhealthy(backend, service, task)
            deregistered.update(failing_tasks.stop_unhealthy(backend, task))
            stopped.append(task)
    if not stopped:
        return False
    event(service, f"has stopped {len(stopped)} running tasks: {_names(stopped)}.")
    for arn, number in deregistered.items():
        event(service, f"deregistered {number} targets in (target-group {arn})")
    for task in stopped:
        _deployment(service, task.started_by).unhealthy_tasks += 1
    service.steady = False
    _count_failures(backend, service, Counter(task.started_by for task in stopped))
    return True


def _say_unhealthy(backend, service, task) -> None:
    arn, target = task.targets[0]
    instance = "" if task.private_address() else f" (instance {target['Id']})"
    event(
        service,
        f"(task {task.id}){instance} (port {target['Port']}) is unhealthy in (target-group {arn}) "
        f"due to (reason {failing_tasks.HEALTH_CHECK}).",
    )


def _count_failures(backend, service, failed: Counter[str]) -> None:
    for deployment_id, count in failed.items():
        service.steady = False
        circuit_breaker.failed(backend, service, _deployment(service, deployment_id), count)


def _deployment(service, deployment_id: str):
    return next(each for each in service.deployments if each.id == deployment_id)


def _stop_drained(backend, service) -> bool:
    drained = [task for task in tasks_of(backend, service) if task.draining]
    for task in drained:
        reason = f"Scaling activity initiated by (deployment {service.deployments[0].id})"
        task_record.stop(backend, task, reason, "ServiceSchedulerInitiated")
    if drained:
        event(service, f"has stopped {len(drained)} running tasks: {_names(drained)}.")
        _forget_finished_deployments(backend, service)
    return bool(drained)


def _start_missing(backend, service) -> bool:
    primary, tasks, count = service.deployments[0], tasks_of(backend, service), desired(backend, service)
    staying = [task for task in tasks if task.started_by == primary.id and not _on_draining_instance(backend, task)]
    wanted = min(count - len(staying), limits(service, count)[1] - len(tasks))
    if service.status != "ACTIVE" or wanted <= 0 or primary.rollout_state == "FAILED":
        return False  # "A deployment in FAILED state doesn't launch any new tasks": Deployment in the API reference
    if primary.rest > 0:
        primary.rest -= 1
        return False
    definition = backend.describe_task_definition(primary.task_definition)
    started: list[task_record.TaskRecord] = []
    refused = None
    for _ in range(wanted):
        task, refused = _place(backend, service, primary, definition)
        if task is None:
            break
        started.append(task)
    if started:
        replaced = min(primary.unhealthy_tasks, len(started))
        primary.unhealthy_tasks = 0
        why = f" Amazon ECS replaced {replaced} tasks due to an unhealthy status." if replaced else ""
        event(service, f"has started {len(started)} tasks: {_names(started)}.{why}")
        service.complaint = None
    if len(started) < wanted:
        _complain(service, refused)
    service.steady = False
    return bool(started)


def _drain_surplus(backend, service) -> bool:
    tasks, count = tasks_of(backend, service), desired(backend, service)
    primary = service.deployments[0]
    running = [task for task in tasks if task.status == "RUNNING" and not task.draining]
    old = [task for task in running if task.started_by != primary.id]
    if primary.rollout_state == "FAILED" and service.status == "ACTIVE":
        old = []  # given up without a roll-back: what serves goes on serving
    current = [task for task in running if task.started_by == primary.id]
    leaving = [task for task in current if _on_draining_instance(backend, task)]
    # A task that fails its health check doesn't count towards the minimum, so an old one needn't wait to go.
    healthy = [task for task in running if not task.sick]
    sick = [task for task in old if task.sick]
    surplus = [task for task in old if not task.sick] + leaving
    staying = [task for task in current if task not in leaving]
    if service.status == "ACTIVE":
        allowed = max(len(healthy) - limits(service, count)[0], 0)
        # New tasks that are still missing but fit under the maximum come first; here there is no room for them.
        surplus = surplus[: max(allowed, len(running) - max(count, limits(service, count)[1]))]
    surplus = sick + surplus
    extra = len(staying) - count
    if extra > 0:
        surplus = surplus + staying[len(staying) - extra :]
    if not surplus:
        return False
    service.steady = False
    deregistered: Counter[str] = Counter()
    for task in surplus:
        task.draining = True
        task.desired_status = "STOPPED"
        deregistered.update(target_registration.deregister(backend, task))
    if deregistered:
        event(service, f"has begun draining connections on {len(surplus)} tasks.")
        for arn, number in deregistered.items():
            event(service, f"deregistered {number} targets in (target-group {arn})")
    else:
        _stop_drained(backend, service)  # nothing to drain: tasks without a load balancer stop at once
    return True


def _settle(backend, service) -> bool:
    _forget_finished_deployments(backend, service)
    primary, tasks, count = service.deployments[0], tasks_of(backend, service), desired(backend, service)
    if service.status != "ACTIVE" or service.steady or len(service.deployments) > 1:
        return False
    if len(tasks) != count or any(task.status != "RUNNING" or task.sick for task in tasks):
        return False
    if primary.rollout_state == "FAILED":
        return False
    service.completed = primary
    if primary.rollout_state != "COMPLETED":
        primary.complete()
        event(service, f"(deployment {primary.id}) deployment completed.")
    event(service, "has reached a steady state.")
    service.steady = True
    return True


def _place(backend, service, deployment, definition):
    """Start one task: (the task, []), or (None, the instances that refused it with their reasons)."""
    cluster = backend.clusters[service.cluster_name]
    providers = [each["capacityProvider"] for each in service.capacity_provider_strategy or []]
    needed = placement.requirements(definition)
    instance = None
    if service.launch_type != "FARGATE" and not set(providers) & set(FARGATE):
        instance, refused = placement.choose(
            backend,
            cluster.name,
            needed,
            f"service:{service.name}",
            service.placement_strategy,
            service.placement_constraints,
            providers,
        )
        if instance is None:
            return None, refused
    task = task_record.TaskRecord(
        backend,
        cluster,
        definition,
        instance,
        needed,
        deployment=deployment,
        group=f"service:{service.name}",
        launch_type=service.launch_type or ("EC2" if instance else "FARGATE"),
        started_by=deployment.id,
        tags=_task_tags(service, definition),
        networking_configuration=service.network_configuration or None,
        platform_version=service.platform_version,
        capacity_provider_name=_provider(instance, providers),
    )
    task.enable_execute_command = service.enable_execute_command
    deployment.revision.resolve(definition)
    backend.tasks.setdefault(cluster.name, {})[task.task_arn] = task
    deployment.updated_at = utcnow()
    return task, []


def _provider(instance, providers: list[str]) -> str | None:
    if not providers:
        return None
    return getattr(instance, "capacity_provider_name", None) or providers[0]


def _complain(service, refused) -> None:
    if not refused:
        reason = "Reason: No Container Instances were found in your cluster."
    else:
        instance, code = refused[0]
        reason = (
            f"The closest matching (container-instance {instance.id}) "
            f"{placement.INSUFFICIENT.get(code, 'does not meet the placement constraints')}."
        )
    # AWS repeats it every few minutes; one for each distinct situation is enough to wait on.
    situation = refused[0][1] if refused else "NONE"
    if service.complaint == situation:
        return
    service.complaint = situation
    event(
        service,
        "was unable to place a task because no container instance met all of its requirements. "
        f"{reason} {TROUBLESHOOTING}",
    )


def _task_tags(service, definition) -> list[dict[str, str]]:
    tags = {}
    if service.propagate_tags == "SERVICE":
        tags = {tag["key"]: tag["value"] for tag in service.tags or []}
    elif service.propagate_tags == "TASK_DEFINITION":
        tags = {tag["key"]: tag["value"] for tag in definition.tags or []}
    if service.enable_ecs_managed_tags:
        tags |= {"aws:ecs:clusterName": service.cluster_name, "aws:ecs:serviceName": service.name}
    return [{"key": key, "value": value} for key, value in tags.items()]


def _forget_finished_deployments(backend, service) -> None:
    used = {task.started_by for task in tasks_of(backend, service)}
    service.deployments[1:] = [each for each in service.deployments[1:] if each.id in used]


def _on_draining_instance(backend, task) -> bool:
    instances = backend.container_instances.get(task.cluster_name, {})
    instance = instances.get((task.container_instance_arn or "").split("/")[-1])
    return instance is not None and instance.status == "DRAINING"


def _names(tasks) -> str:
    return " ".join(f"(task {task.id})" for task in tasks)
