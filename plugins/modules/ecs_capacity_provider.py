#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: ecs_capacity_provider
version_added: 0.1.0
short_description: Keep an ECS capacity provider and its place in a cluster
description:
  - Makes, changes and deletes a capacity provider over an auto scaling group, and keeps it attached to a cluster.
  - The cluster's other providers and the rest of its default strategy are never dropped.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the provider. It may not start with C(aws), C(ecs) or C(fargate).
    type: str
    required: true
  auto_scaling_group:
    description:
      - Name of the auto scaling group. Needed to make a provider.
      - AWS cannot give a living provider another group, not even one that was made anew under the same name.
    type: str
  managed_scaling:
    description: Whether and how ECS sizes the group after the tasks that wait for a place.
    type: dict
    default: {}
    suboptions:
      status:
        description: Whether it does. Another scaling policy on the group then fights with it.
        type: str
        choices: [ENABLED, DISABLED]
        default: ENABLED
      target_capacity:
        description: Per cent of the group that should be in use, 1 to 100. Below 100 leaves spare instances.
        type: int
        default: 100
      minimum_scaling_step_size:
        description: Fewest instances to start at once, 1 to 10000.
        type: int
        default: 1
      maximum_scaling_step_size:
        description: Most instances to start at once, 1 to 10000.
        type: int
        default: 10000
      instance_warmup_period:
        description: Seconds after its launch in which an instance does not count in the metrics, 0 to 10000.
        type: int
        default: 300
  managed_termination_protection:
    description:
      - Whether scaling in leaves instances alone that run tasks.
      - Needs O(managed_scaling.status=ENABLED), and a group that protects its instances from scale-in.
    type: str
    choices: [ENABLED, DISABLED]
    default: DISABLED
  managed_draining:
    description: Whether the tasks of an instance are moved away before the group terminates it.
    type: str
    choices: [ENABLED, DISABLED]
    default: ENABLED
  cluster:
    description: Name of the cluster to attach the provider to, or to take it off when it goes.
    type: str
  default_strategy:
    description:
      - The provider's share in the cluster's default strategy, which holds for services and tasks that name neither a
        launch type nor a strategy. Needs O(cluster).
      - Without it the default strategy is left as it is.
    type: dict
    suboptions:
      weight:
        description: Share of the tasks beyond all bases, relative to the other providers', 0 to 1000.
        type: int
        default: 1
      base:
        description: How many tasks it takes first. Only one provider of a strategy may have any.
        type: int
        default: 0
  delete_timeout:
    description: Seconds to wait for a provider to be taken off its cluster and deleted.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Let ECS size the group of the petclinic instances
  handson.ecs.ecs_capacity_provider:
    name: petclinic-rest-capacity
    auto_scaling_group: petclinic-rest-instances
    managed_scaling:
      target_capacity: 90
      maximum_scaling_step_size: 2
    cluster: petclinic-rest-cluster
    default_strategy:
      weight: 1
    owner:
      handson:cluster: petclinic-rest-cluster
"""

RETURN = r"""
capacity_provider:
  description: The provider in the names of the options, with its ARNs and states.
  returned: always
  type: dict
  contains:
    arn:
      description: Its ARN.
      type: str
    auto_scaling_group_arn:
      description: ARN of its auto scaling group.
      type: str
    attached:
      description: Whether it is attached to O(cluster).
      type: bool
    status:
      description: ECS's word for its state.
      type: str
    update_status:
      description: ECS's word for the state of its last change.
      type: str
  sample:
    name: petclinic-rest-capacity
    auto_scaling_group: petclinic-rest-instances
    attached: true
    default_strategy: {weight: 1, base: 0}
    managed_draining: ENABLED
"""

import time

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import auto_scaling_groups
from ansible_collections.handson.ecs.plugins.module_utils import capacity_providers as providers
from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags
from ansible_collections.handson.ecs.plugins.module_utils.ecs_clusters import ROLE_NOT_YET, describe_cluster, missing_cluster
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    Missing,
    Resource,
    ResourceError,
    argument_spec,
    ignore_missing,
)

#: What ECS says while it is still at work on the cluster or the provider, or tasks of the provider are still stopping.
BUSY = ("UpdateInProgressException", "ResourceInUseException", "not in an ACTIVE state", "Cluster was not ACTIVE")
#: CreateCapacityProvider has words of its own for a service-linked role that is new.
NO_ROLE_YET = (*ROLE_NOT_YET, "ECS Service Linked Role does not exist")

_PROVIDER = {"managed_scaling", "managed_termination_protection", "managed_draining"}


class CapacityProvider(Resource):
    kind = "capacity provider"
    result_key = "capacity_provider"
    immutable = frozenset({"auto_scaling_group", "auto_scaling_group_arn"})
    # "The specified capacity provider already exists": ECS has no code of its own for it.
    exists_codes = ("ClientException",)

    @property
    def ecs(self):
        return self.client("ecs")

    def get(self):
        found = self._describe()
        if found and found.get("updateStatus") == "DELETE_IN_PROGRESS" and self.params["state"] == "present":
            if not self.module.check_mode:
                self._wait_until_gone(time.monotonic() + self.params["delete_timeout"])
            return None
        if not found:
            return None
        current = providers.options_from_aws(found)
        cluster = self._cluster()
        if cluster:
            strategy = cluster.get("defaultCapacityProviderStrategy") or []
            current["attached"] = self.name in (cluster.get("capacityProviders") or [])
            current["default_strategy"] = providers.strategy_of(self.name, strategy)
        return current

    def desired(self, current):
        providers.check_name(self.name)
        group = self._group()
        scaling = providers.normal_scaling(self.params["managed_scaling"])
        # In check mode the group shows what it has, and the run that is tried out may be about to protect its instances.
        shown = None if self.module.check_mode else group
        providers.check_protection(self.params["managed_termination_protection"], scaling, shown)
        wanted = {
            **self.given("name", "auto_scaling_group", "managed_termination_protection", "managed_draining"),
            "auto_scaling_group_arn": self.resolve(lambda: self._arn(group)),
            "managed_scaling": scaling,
        }
        if self.params["cluster"]:
            if "attached" not in (current or {}):  # otherwise `get` has seen the cluster
                self.resolve(self._existing_cluster)
            wanted["attached"] = True
            wanted.update(self.given("default_strategy"))
        return wanted

    def create(self, desired):
        # "not in an ACTIVE state" has no place here: a ClientException may also say that the name is taken.
        self.retry_on(
            NO_ROLE_YET,
            lambda: self.ecs.create_capacity_provider(
                name=self.name,
                autoScalingGroupProvider={
                    "autoScalingGroupArn": desired["auto_scaling_group_arn"],
                    **self._settings(desired, _PROVIDER),
                },
                tags=dict_to_tags(desired.get("tags") or {}, "key", "value"),
            ),
        )
        if "attached" in desired:
            self._attach(desired)

    def update(self, current, desired, changes):
        if changes & _PROVIDER:
            self.retry_on(
                BUSY,
                lambda: self.ecs.update_capacity_provider(
                    name=self.name, autoScalingGroupProvider=self._settings(desired, changes)
                ),
            )
            self._wait_until_updated()
        if changes & {"attached", "default_strategy"}:
            self._attach(desired)
        if "tags" in changes:
            self.ecs.tag_resource(resourceArn=current["arn"], tags=dict_to_tags(desired["tags"], "key", "value"))

    def delete(self, current):
        deadline = time.monotonic() + self.params["delete_timeout"]
        if current.get("attached") or current.get("default_strategy"):
            cluster = self._cluster()
            without = providers.detach(
                self.name, cluster.get("capacityProviders") or [], cluster.get("defaultCapacityProviderStrategy") or []
            )
            self._put(without, self.params["delete_timeout"])
        if current["update_status"] != "DELETE_IN_PROGRESS":
            self.retry_on(
                BUSY,
                lambda: self.ecs.delete_capacity_provider(capacityProvider=self.name),
                timeout=max(30.0, deadline - time.monotonic()),
            )
        self._wait_until_gone(deadline)

    # --- looking ----------------------------------------------------------------------------------------------------

    def _describe(self):
        """The provider as ECS gives it; a deleted one stays visible as INACTIVE and counts as not there."""
        found = self.ecs.describe_capacity_providers(capacityProviders=[self.name], include=["TAGS"])
        living = [p for p in found["capacityProviders"] if p.get("status") != "INACTIVE"]
        return living[0] if living else None

    def _cluster(self, include=()):
        return describe_cluster(self.ecs, self.params["cluster"], include) if self.params["cluster"] else None

    def _existing_cluster(self):
        cluster = self._cluster()
        if cluster is None:
            raise missing_cluster(self.params["cluster"])
        return cluster

    def _group(self):
        """The auto scaling group, None where it isn't there yet (see `_arn`)."""
        try:
            return auto_scaling_groups.group(self.client("autoscaling"), self.params["auto_scaling_group"])
        except Missing:
            if self.module.check_mode:
                return None
            raise

    def _arn(self, group):
        if group is None:
            raise Missing(self.params["auto_scaling_group"])
        return group["AutoScalingGroupARN"]

    # --- changing ---------------------------------------------------------------------------------------------------

    def _settings(self, desired, names):
        settings = {}
        if "managed_scaling" in names:
            settings["managedScaling"] = providers.scaling_to_aws(desired["managed_scaling"])
        if "managed_termination_protection" in names:
            settings["managedTerminationProtection"] = desired["managed_termination_protection"]
        if "managed_draining" in names:
            settings["managedDraining"] = desired["managed_draining"]
        return settings

    def _attach(self, desired):
        cluster = self._existing_cluster()
        both = providers.attach(
            self.name,
            desired.get("default_strategy"),
            cluster.get("capacityProviders") or [],
            cluster.get("defaultCapacityProviderStrategy") or [],
        )
        self._put(both, 300)

    def _put(self, both, timeout):
        """Give the cluster its providers, and wait until it has them: a service that names one needs it there."""
        self.retry_on(
            BUSY + NO_ROLE_YET,
            lambda: ignore_missing(
                lambda: self.ecs.put_cluster_capacity_providers(cluster=self.params["cluster"], **both),
                *(["ClusterNotFoundException"] if self.params["state"] == "absent" else []),
            ),
            timeout=timeout,
        )

        def settled():
            cluster = self._cluster(["ATTACHMENTS"]) or {}
            if cluster.get("attachmentsStatus") == "UPDATE_FAILED":
                failed = [
                    f"{a.get('type')} {a.get('id')}: {a.get('details')}"
                    for a in cluster.get("attachments") or []
                    if a.get("status") in ("FAILED", "DELETED_FAILED")
                ]
                raise ResourceError(
                    f"ECS could not change the capacity providers of the cluster {self.params['cluster']!r}: "
                    f"{'; '.join(failed) or 'UPDATE_FAILED without a reason'}. Mend that and run again."
                )
            return cluster.get("attachmentsStatus") != "UPDATE_IN_PROGRESS"

        self.wait(settled, f"the capacity providers of the cluster {self.params['cluster']!r} to change", timeout)

    def _wait_until_updated(self):
        def updated():
            found = self._describe() or {}
            if found.get("updateStatus") == "UPDATE_FAILED":
                raise ResourceError(
                    f"ECS could not change the capacity provider {self.name!r}: "
                    f"{found.get('updateStatusReason') or 'it gives no reason'}. Mend that and run again."
                )
            return found.get("updateStatus") != "UPDATE_IN_PROGRESS"

        self.wait(updated, "its change to come through", 120)

    def _wait_until_gone(self, deadline):
        def gone():
            found = self._describe()
            if found and found.get("updateStatus") == "DELETE_FAILED":
                raise ResourceError(
                    f"ECS could not delete the capacity provider {self.name!r}: "
                    f"{found.get('updateStatusReason') or 'it gives no reason'}. It must be off every cluster (name "
                    "that in the option cluster) and out of every service's strategy. Then run again."
                )
            return found is None

        self.wait(gone, "it to be deleted", max(0.0, deadline - time.monotonic()))


def main():
    managed_scaling = {
        "status": {"type": "str", "choices": ["ENABLED", "DISABLED"], "default": "ENABLED"},
        "target_capacity": {"type": "int", "default": 100},
        "minimum_scaling_step_size": {"type": "int", "default": 1},
        "maximum_scaling_step_size": {"type": "int", "default": 10000},
        "instance_warmup_period": {"type": "int", "default": 300},
    }
    default_strategy = {"weight": {"type": "int", "default": 1}, "base": {"type": "int", "default": 0}}
    spec = argument_spec(
        name={"type": "str", "required": True},
        auto_scaling_group={"type": "str"},
        managed_scaling={"type": "dict", "options": managed_scaling, "default": {}},
        managed_termination_protection={"type": "str", "choices": ["ENABLED", "DISABLED"], "default": "DISABLED"},
        managed_draining={"type": "str", "choices": ["ENABLED", "DISABLED"], "default": "ENABLED"},
        cluster={"type": "str"},
        default_strategy={"type": "dict", "options": default_strategy},
        delete_timeout={"type": "int", "default": 600},
    )
    CapacityProvider(
        AnsibleAWSModule(
            argument_spec=spec,
            supports_check_mode=True,
            required_if=[("state", "present", ["auto_scaling_group"])],
            required_by={"default_strategy": ["cluster"]},
        )
    ).run()


if __name__ == "__main__":
    main()
