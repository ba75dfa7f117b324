# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Bring one region's ECS records up to date: agents, one-off tasks, services, counts."""

import time

from embedded_endpoint.gaps import agent, failing_tasks, placement, scheduler, task_record

STEP_SECONDS = 1.0  # a service that nobody describes advances this often


def catch_up(backend, advance: bool = True) -> None:
    """Reconcile a moto ECS backend with its EC2 backend and the clock; `advance` lets services take due steps."""
    agent.reconcile(backend)
    now = time.monotonic()
    for tasks in list(backend.tasks.values()):
        for task in list(tasks.values()):
            if task.is_one_off and task.status == "PENDING" and now - task.touched >= STEP_SECONDS:
                failing_tasks.come_up(backend, task)
    if advance:
        for service in list(backend.services.values()):
            if service.status != "INACTIVE" and now - service.stepped >= STEP_SECONDS:
                scheduler.step(backend, service)
    for service in list(backend.services.values()):
        scheduler.finish_draining(backend, service)
    refresh(backend)


def refresh(backend) -> None:
    """Recompute every count and every remaining resource from the task records; nothing can drift this way."""
    for cluster in backend.clusters.values():
        tasks = task_record.live_tasks(backend, cluster.name)
        instances = backend.container_instances.get(cluster.name, {})
        services = [service for service in backend.services.values() if service.cluster_arn == cluster.arn]
        cluster.running_tasks_count = sum(task.status == "RUNNING" for task in tasks)
        cluster.pending_tasks_count = sum(task.status == "PENDING" for task in tasks)
        cluster.registered_container_instances_count = len(instances)
        cluster.active_services_count = sum(service.status == "ACTIVE" for service in services)
        for instance in instances.values():
            placement.refresh_instance(instance, tasks)
        for service in services:
            scheduler.refresh_counts(backend, service)
