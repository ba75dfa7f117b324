#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: ecs_cluster
version_added: 0.1.0
short_description: Keep an ECS cluster
description:
  - Makes, changes and deletes an ECS cluster, with its Container Insights setting and its tags.
  - Never touches the cluster's capacity providers while it is there. Those are M(handson.ecs.ecs_capacity_provider)'s.
    That is why this is not M(community.aws.ecs_cluster), which takes them off by default and knows no settings or tags.
  - Taking a cluster away stops the tasks that no service owns, waits for the container instances to go, and takes the
    capacity providers off. It refuses as long as there are services. In check mode it only warns of them, since a
    whole teardown that is being tried out would have taken them away before.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the cluster, at most 255 letters, digits, hyphens and underscores.
    type: str
    required: true
  container_insights:
    description:
      - What CloudWatch collects about the cluster beyond the free metrics.
      - V(enabled) and V(enhanced) cost money, and make the log group C(/aws/ecs/containerinsights/<name>/performance).
    type: str
    choices: [disabled, enabled, enhanced]
    default: disabled
  delete_timeout:
    description: Seconds that O(state=absent) waits for tasks and container instances to go.
    type: int
    default: 600
  only_refuse:
    description:
      - With O(state=absent), look and refuse where services are still active, and delete nothing.
      - It is for what must go before the cluster, such as its instances, so that nothing is half gone when the cluster
        refuses. A cluster that isn't there or isn't ours refuses nothing.
    type: bool
    default: false
  only_empty:
    description:
      - With O(state=absent), take off the cluster what nobody else would, and leave the cluster itself. It is for a
        cluster that somebody else deletes, such as CloudFormation with its stack, which fails on these at every try.
      - Refuses where services are still active, as O(only_refuse) does. Then it stops the tasks that no service owns,
        deregisters the container instances whose agent is not connected or whose EC2 instance is gone, and waits
        until the tasks have ended. Nothing else is touched, and nothing at all on a cluster that isn't ours.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Keep the cluster of the petclinic services
  handson.ecs.ecs_cluster:
    name: petclinic-rest-cluster
    container_insights: enabled
    owner:
      handson:cluster: petclinic-rest-cluster

- name: Take it away
  handson.ecs.ecs_cluster:
    name: petclinic-rest-cluster
    owner:
      handson:cluster: petclinic-rest-cluster
    state: absent

- name: Stop here where services still run on it
  handson.ecs.ecs_cluster:
    name: petclinic-rest-cluster
    owner:
      handson:cluster: petclinic-rest-cluster
    state: absent
    only_refuse: true

- name: Empty it, before the stack that made it is deleted
  handson.ecs.ecs_cluster:
    name: petclinic-rest-cluster
    owner:
      handson:cluster: petclinic-rest-cluster
    state: absent
    only_empty: true
"""

RETURN = r"""
cluster:
  description: The cluster in the names of the options, with its ARN, capacity providers and counts.
  returned: always
  type: dict
  contains:
    arn:
      description: Its ARN.
      type: str
    status:
      description: ECS's word for its state.
      type: str
    capacity_providers:
      description: Names of the capacity providers that are attached to it.
      type: list
    default_strategy:
      description: Its default capacity provider strategy as ECS gives it.
      type: list
    registered_container_instances_count:
      description: How many container instances are registered.
      type: int
    running_tasks_count:
      description: How many tasks run.
      type: int
    pending_tasks_count:
      description: How many tasks are about to run.
      type: int
    active_services_count:
      description: How many services are active.
      type: int
  sample:
    name: petclinic-rest-cluster
    arn: "arn:aws:ecs:ap-southeast-1:123456789012:cluster/petclinic-rest-cluster"
    status: ACTIVE
    container_insights: disabled
    capacity_providers: []
    default_strategy: []
    registered_container_instances_count: 2
    running_tasks_count: 4
    pending_tasks_count: 0
    active_services_count: 1
    tags: {"handson:cluster": petclinic-rest-cluster}
stopped_tasks:
  description: ARNs of the tasks without a service that were stopped.
  returned: when O(state=absent) took the cluster away, and with O(only_empty)
  type: list
  elements: str
deregistered_instances:
  description:
    - ARNs of container instances that were left behind by terminated EC2 instances, and were deregistered.
    - With O(only_empty) those without a connected agent, too.
  returned: when O(state=absent) took the cluster away, and with O(only_empty)
  type: list
  elements: str
"""

import time

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils.compare import chunks, dict_to_tags, drift, foreign_because
from ansible_collections.handson.ecs.plugins.module_utils.ecs_clusters import (
    ROLE_NOT_YET,
    cluster_from_aws,
    container_instances,
    cut_off,
    describe_cluster,
    ec2_states,
    left_behind,
    list_all,
    still_going,
    without_service,
)
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    Resource,
    ResourceError,
    argument_spec,
    ignore_missing,
)

#: What DeleteCluster says while what it contains is still on its way out.
NOT_YET_EMPTY = (
    "ClusterContainsTasksException",
    "ClusterContainsContainerInstancesException",
    "ClusterContainsServicesException",
    "ClusterContainsCapacityProviderException",
    "UpdateInProgressException",
)


class Cluster(Resource):
    kind = "cluster"
    result_key = "cluster"

    def __init__(self, module):
        super().__init__(module)
        self.stopped, self.deregistered = [], []
        self._looked = []  # what `_absent` saw, so that it is not asked for twice

    def get(self):
        if self._looked:
            return self._looked.pop()
        found = describe_cluster(self.client("ecs"), self.name, ["TAGS", "SETTINGS", "CONFIGURATIONS"])
        return found and cluster_from_aws(found)

    def desired(self, current):
        return self.given("name", "container_insights")

    def create(self, desired):
        self.retry_on(
            ROLE_NOT_YET,
            lambda: self.client("ecs").create_cluster(
                clusterName=self.name,
                settings=self._settings(desired),
                tags=dict_to_tags(desired.get("tags") or {}, "key", "value"),
            ),
        )
        # A name that is taken is no error to ECS, which answers with the cluster as it is: somebody may have made it
        # since we looked, or we ourselves in a first try whose answer was lost.
        current = self._read_back()
        self._refuse_foreign(current)
        changes = drift(current, desired)[1]
        if changes:
            self.update(current, desired, changes)

    def update(self, current, desired, changes):
        ecs = self.client("ecs")
        if "container_insights" in changes:
            # UpdateCluster and not UpdateClusterSettings: the same thing with the same rights, and moto has only this.
            ecs.update_cluster(cluster=self.name, settings=self._settings(desired))
        if "tags" in changes:
            ecs.tag_resource(resourceArn=current["arn"], tags=dict_to_tags(desired["tags"], "key", "value"))

    def delete(self, current):
        deadline = time.monotonic() + self.params["delete_timeout"]
        self._stop_tasks()
        self._wait_for_instances(deadline)
        if current["capacity_providers"] or current["default_strategy"]:
            self.retry_on(
                ("UpdateInProgressException", "ResourceInUseException"),
                lambda: self.client("ecs").put_cluster_capacity_providers(
                    cluster=self.name, capacityProviders=[], defaultCapacityProviderStrategy=[]
                ),
                timeout=max(30.0, deadline - time.monotonic()),
            )
        self.retry_on(
            NOT_YET_EMPTY,
            lambda: ignore_missing(
                lambda: self.client("ecs").delete_cluster(cluster=self.name), "ClusterNotFoundException"
            ),
            timeout=max(30.0, deadline - time.monotonic()),
        )

    def _absent(self):
        current = self.get()
        ours = current is not None and foreign_because(current["tags"], self.params["owner"]) is None
        if ours:
            self._refuse_with_services()
        if self.params["only_empty"] and ours:
            return {**self._empty(), self.result_key: current}
        if self.params["only_refuse"] or self.params["only_empty"]:
            return {"changed": False, "diff": self._diff({}, {}), self.result_key: current}
        self._looked = [current]
        result = super()._absent()
        if result["changed"]:
            result.update(stopped_tasks=self.stopped, deregistered_instances=self.deregistered)
        return result

    def _empty(self):
        """Take away what keeps others from deleting the cluster, or what it stands on. Return what it was."""
        deadline = time.monotonic() + self.params["delete_timeout"]
        self._stop_tasks()
        seen = container_instances(self.client("ecs"), self.name)
        self._deregister(cut_off(seen, self._ec2_states(i for i in seen if i.get("agentConnected"))))
        if not self.module.check_mode:
            # Those that somebody stopped just before are waited for, too: a network interface goes with its task's end.
            self.wait(
                lambda: not still_going(self._tasks("STOPPED"), self.deregistered),
                "the stopped tasks to end",
                max(0.0, deadline - time.monotonic()),
            )
        found = {"stopped_tasks": self.stopped, "deregistered_instances": self.deregistered}
        shown = {key: arns for key, arns in found.items() if arns}
        return {"changed": bool(shown), "diff": self._diff(shown, {}), **found}

    def _settings(self, desired):
        return [{"name": "containerInsights", "value": desired["container_insights"]}]

    def _refuse_with_services(self):
        """Fail, in check mode warn, where services are still active.

        Those that are draining are gone by themselves in a moment.
        """
        ecs = self.client("ecs")
        arns = list_all(ecs.list_services, "serviceArns", cluster=self.name)
        active = sorted(
            service["serviceName"]
            for part in chunks(arns, 10)
            for service in ecs.describe_services(cluster=self.name, services=list(part))["services"]
            if service["status"] == "ACTIVE"
        )
        if not active:
            return
        said = (
            f"The ECS cluster {self.name!r} still has the services {', '.join(active)}, and AWS deletes no cluster "
            "with services. Take them away first: ansible-playbook playbooks/teardown_service.yml"
        )
        if not self.module.check_mode:
            raise ResourceError(said)
        # In `teardown.yml --check` the services are there by design: that they would go first was foreseen before.
        self.module.warn(f"{said} (teardown.yml does so itself).")

    def _stop_tasks(self):
        """Stop what runs here without a service, such as a task that was run once by hand."""
        ecs = self.client("ecs")
        for arn in without_service(self._tasks("RUNNING")):
            if not self.module.check_mode:
                ignore_missing(
                    lambda arn=arn: ecs.stop_task(cluster=self.name, task=arn, reason="The cluster is being deleted"),
                    "InvalidParameterException",  # it has stopped since we looked
                )
            self.stopped.append(arn)

    def _tasks(self, desired_status):
        """Return the tasks that are to be RUNNING or STOPPED, as DescribeTasks gives them. ECS tells for an hour."""
        ecs = self.client("ecs")
        arns = list_all(ecs.list_tasks, "taskArns", cluster=self.name, desiredStatus=desired_status)
        return [
            task
            for part in chunks(arns, 100)
            for task in ecs.describe_tasks(cluster=self.name, tasks=list(part))["tasks"]
        ]

    def _ec2_states(self, instances):
        """Return EC2's {instance id: state} of container instances."""
        ids = [i["ec2InstanceId"] for i in instances if (i.get("ec2InstanceId") or "").startswith("i-")]
        return ec2_states(self.client("ec2"), ids) if ids else {}

    def _deregister(self, arns):
        for arn in arns:
            if not self.module.check_mode:
                ignore_missing(
                    lambda arn=arn: self.client("ecs").deregister_container_instance(
                        cluster=self.name, containerInstance=arn, force=True
                    ),
                    "InvalidParameterException",  # ECS itself was faster
                )
            self.deregistered.append(arn)

    def _wait_for_instances(self, deadline):
        """Wait until no container instance is registered, and help those that nothing else deregisters."""
        ecs, seen = self.client("ecs"), []

        def gone():
            seen[:] = container_instances(ecs, self.name)
            if not seen:
                return True
            # Whether its agent still counts as connected makes no difference: a terminated instance is final.
            behind = left_behind(seen, self._ec2_states(seen))
            self._deregister(behind)
            seen[:] = [i for i in seen if i["containerInstanceArn"] not in behind]
            return not seen

        try:
            self.wait(gone, "the container instances to go", max(0.0, deadline - time.monotonic()))
        except ResourceError:
            ids = ", ".join(sorted(str(i.get("ec2InstanceId")) for i in seen))
            raise ResourceError(
                f"The ECS cluster {self.name!r} still has {len(seen)} container instances after "
                f"{self.params['delete_timeout']} s (delete_timeout): {ids}. AWS deletes no cluster with instances. "
                "Take their auto scaling group away (ansible-playbook playbooks/teardown_cluster.yml), or terminate "
                "those instances, and run again."
            ) from None


def main():
    spec = argument_spec(
        name={"type": "str", "required": True},
        container_insights={"type": "str", "choices": ["disabled", "enabled", "enhanced"], "default": "disabled"},
        delete_timeout={"type": "int", "default": 600},
        only_refuse={"type": "bool", "default": False},
        only_empty={"type": "bool", "default": False},
    )
    module = AnsibleAWSModule(argument_spec=spec, supports_check_mode=True)
    for option in ("only_refuse", "only_empty"):
        if module.params[option] and module.params["state"] != "absent":
            module.fail_json(msg=f"{option} goes with state absent only. Set state to absent, or leave {option} out.")
    Cluster(module).run()


if __name__ == "__main__":
    main()
