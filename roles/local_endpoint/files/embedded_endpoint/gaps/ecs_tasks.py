# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""RunTask, StartTask, StopTask, ListTasks, DescribeTasks on our task records.

moto 5.2.5 answers HTTP 500 without container instances, places by wrong sums, lists stopped tasks among the running
ones, ignores serviceName, lets a described task run to STOPPED, and forgets failures.
"""

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ecs.models import EC2ContainerServiceBackend
from moto.ecs.responses import EC2ContainerServiceResponse

from embedded_endpoint.gaps import errors, failing_tasks, placement, target_registration, task_record
from embedded_endpoint.gaps.patching import replace
from embedded_endpoint.gaps.scheduler import FARGATE


@replace(EC2ContainerServiceBackend)
def run_task(
    original,
    self,
    cluster_str,
    task_definition_str,
    count,
    overrides,
    started_by,
    tags,
    launch_type,
    networking_configuration=None,
    group=None,
    platform_version=None,
    capacity_provider_strategy=None,
    failures=None,
    placement_strategy=None,
    placement_constraints=None,
):
    """moto's signature (its scheduler service calls it), and a list that takes the failures."""
    cluster = self._get_cluster(cluster_str)
    if launch_type and capacity_provider_strategy:
        raise errors.invalid("Specify either Launch Type or Capacity Provider Strategy, but not both.")
    definition = self.describe_task_definition(task_definition_str)
    if definition.status != "ACTIVE":
        raise errors.client("TaskDefinition is inactive")
    if not launch_type and not capacity_provider_strategy:
        capacity_provider_strategy = cluster.default_capacity_provider_strategy
    providers = [each["capacityProvider"] for each in capacity_provider_strategy or []]
    fargate = launch_type == "FARGATE" or bool(set(providers) & set(FARGATE))
    if not fargate and not placement.candidates(self, cluster.name):
        raise errors.invalid("No Container Instances were found in your cluster.")

    needed = placement.requirements(definition)
    group = group or f"family:{definition.family}"
    tasks = []
    for _ in range(count):
        instance = None
        if not fargate:
            instance, refused = placement.choose(
                self, cluster.name, needed, group, placement_strategy, placement_constraints, providers
            )
            if instance is None:
                if failures is not None:
                    failures += [{"arn": each.container_instance_arn, "reason": why} for each, why in refused]
                break
        tasks.append(
            _record(
                self,
                cluster,
                definition,
                instance,
                needed,
                group=group,
                launch_type=launch_type or ("" if providers else "EC2"),
                overrides=overrides,
                started_by=started_by or "",
                tags=tags,
                networking_configuration=networking_configuration,
                platform_version=platform_version,
                capacity_provider_name=(providers or [None])[0],
            )
        )
    return tasks


def _record(backend, cluster, definition, instance, needed, **options) -> task_record.TaskRecord:
    task = task_record.TaskRecord(backend, cluster, definition, instance, needed, **options)
    backend.tasks.setdefault(cluster.name, {})[task.task_arn] = task
    return task


@replace(EC2ContainerServiceResponse, "run_task")
def _run_task(original, self):
    failures = []
    tasks = self.ecs_backend.run_task(
        self._get_param("cluster", "default"),
        self._get_param("taskDefinition"),
        self._get_int_param("count", 1),
        self._get_param("overrides"),
        self._get_param("startedBy"),
        self._get_param("tags"),
        self._get_param("launchType"),
        self._get_param("networkConfiguration"),
        self._get_param("group"),
        self._get_param("platformVersion"),
        self._get_param("capacityProviderStrategy"),
        failures,
        self._get_param("placementStrategy"),
        self._get_param("placementConstraints"),
    )
    return ActionResult({"tasks": tasks, "failures": failures})


@replace(EC2ContainerServiceBackend)
def start_task(
    original, self, cluster_str, task_definition_str, container_instances, overrides, started_by, tags=None, group=None
):
    cluster = self._get_cluster(cluster_str)
    definition = self.describe_task_definition(task_definition_str)
    if not container_instances:
        raise errors.client("Container Instances cannot be empty.")
    tasks = []
    for name in container_instances:
        instance = self.container_instances.get(cluster.name, {}).get(name.split("/")[-1])
        if instance is None:
            raise errors.invalid("Container instance not found.")
        tasks.append(
            _record(
                self,
                cluster,
                definition,
                instance,
                placement.requirements(definition),
                group=group or f"family:{definition.family}",
                launch_type="EC2",
                overrides=overrides,
                started_by=started_by or "",
                tags=tags,
            )
        )
    return tasks


@replace(EC2ContainerServiceBackend)
def stop_task(original, self, cluster_str, task_str, reason):
    cluster = self._get_cluster(cluster_str)
    for arn, task in self.tasks.get(cluster.name, {}).items():
        if task_str in (arn, task.id):
            if task.status != "STOPPED":
                target_registration.deregister(self, task)
                task_record.stop(self, task, reason or "Task stopped by user", "UserInitiated")
                _wake(self, task)
            return task
    raise errors.invalid("The referenced task was not found.")


def _wake(backend, task) -> None:
    """The task's service is not steady any more."""
    for service in backend.services.values():
        if any(deployment.id == task.started_by for deployment in service.deployments):
            service.steady = False


@replace(EC2ContainerServiceResponse, "list_tasks")
def _list_tasks(original, self):
    backend = self.ecs_backend
    cluster = backend._get_cluster(self._get_param("cluster", "default"))
    tasks = list(backend.tasks.get(cluster.name, {}).values())
    status = self._get_param("desiredStatus") or "RUNNING"  # AWS's default; PENDING is never a desired status
    tasks = [task for task in tasks if task.desired_status == status]
    if service := self._get_param("serviceName"):
        name = service.split("/")[-1]
        backend._get_service(cluster.name, name)
        tasks = [task for task in tasks if task.group == f"service:{name}"]
    if instance := self._get_param("containerInstance"):
        ending = instance.split("/")[-1]
        tasks = [task for task in tasks if (task.container_instance_arn or "").split("/")[-1] == ending]
    if family := self._get_param("family"):
        tasks = [task for task in tasks if task.task_definition_arn.split("/")[-1].split(":")[0] == family]
    if started_by := self._get_param("startedBy"):
        tasks = [task for task in tasks if task.started_by == started_by]
    if launch_type := self._get_param("launchType"):
        tasks = [task for task in tasks if task.launch_type == launch_type]
    return ActionResult({"taskArns": [task.task_arn for task in tasks]})


@replace(EC2ContainerServiceResponse, "describe_tasks")
def _describe_tasks(original, self):
    backend, asked = self.ecs_backend, self._get_param("tasks", [])
    for task in backend.tasks.get(self._get_param("cluster", "default").split("/")[-1], {}).values():
        if task.is_one_off and task.status == "PENDING" and (task.task_arn in asked or task.id in asked):
            failing_tasks.come_up(backend, task)
    result = original(self)
    found = {name for task in result.result["tasks"] for name in (task.task_arn, task.id)}
    cluster = backend._get_cluster(self._get_param("cluster", "default"))
    prefix = cluster.arn.replace(":cluster/", ":task/", 1)
    result.result["failures"] = [
        {"arn": name if name.startswith("arn:") else f"{prefix}/{name}", "reason": "MISSING"}
        for name in asked
        if name not in found
    ]
    return result


@replace(EC2ContainerServiceBackend)
def describe_tasks(original, self, cluster_str, tasks):
    cluster = self._get_cluster(cluster_str)
    if not tasks:
        raise errors.invalid("Tasks cannot be empty.")
    records = self.tasks.get(cluster.name, {}).values()
    for task in list(records):
        # AWS keeps stopped tasks for about an hour.
        if task.stopped_at and (utcnow() - task.stopped_at).total_seconds() > 3600:
            del self.tasks[cluster.name][task.task_arn]
    return [task for task in list(records) if task.task_arn in tasks or task.id in tasks]
