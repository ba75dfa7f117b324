# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Deregistering and draining container instances, and their attributes.

moto 5.2.5 keeps the tasks of a deregistered instance, answers HTTP 500 for a cluster that never had one, and deletes an
attribute only where its value is given, which AWS asks to leave out.
"""

from moto.ecs.models import EC2ContainerServiceBackend

from embedded_endpoint.gaps import errors, target_registration, task_record
from embedded_endpoint.gaps.patching import replace


@replace(EC2ContainerServiceBackend)
def deregister_container_instance(original, self, cluster_str, container_instance_str, force):
    cluster = self._get_cluster(cluster_str)
    instance = self.container_instances.get(cluster.name, {}).get(container_instance_str.split("/")[-1])
    if instance is None:
        raise errors.invalid("Container instance not found.")
    tasks = [
        task
        for task in task_record.live_tasks(self, cluster.name)
        if task.container_instance_arn == instance.container_instance_arn
    ]
    if tasks and not force:
        raise errors.invalid("Found running tasks on the instance.")
    for task in tasks:
        target_registration.deregister(self, task)
        task_record.stop(self, task, "Container instance deregistered forcibly by user", "UserInitiated")
    del self.container_instances[cluster.name][instance.id]
    instance.status = "INACTIVE"
    # The agent of a deregistered instance doesn't come back by itself.
    vars(self).setdefault("deregistered_instances", set()).add(instance.ec2_instance_id)
    return instance


@replace(EC2ContainerServiceBackend)
def describe_container_instances(original, self, cluster_str, list_container_instance_ids):
    self.container_instances.setdefault(self._get_cluster(cluster_str).name, {})
    return original(self, cluster_str, list_container_instance_ids)


@replace(EC2ContainerServiceBackend)
def update_container_instances_state(original, self, cluster_str, list_container_instance_ids, status):
    cluster = self._get_cluster(cluster_str)
    self.container_instances.setdefault(cluster.name, {})
    for service in self.services.values():
        service.steady &= service.cluster_arn != cluster.arn
    return original(self, cluster_str, list_container_instance_ids, status)


@replace(EC2ContainerServiceBackend)
def list_container_instances(original, self, cluster_str, status=None):
    self._get_cluster(cluster_str)
    return original(self, cluster_str, status)


@replace(EC2ContainerServiceBackend)
def _delete_attribute(original, self, cluster_name, name, value=None, target_id=None, target_type=None):
    instance = self.container_instances.get(cluster_name, {}).get(str(target_id).rsplit("/", 1)[-1])
    if instance is not None and value is None:
        value = instance.attributes.get(name)
    return original(self, cluster_name, name, value, target_id, target_type)
