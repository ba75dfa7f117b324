#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: ecs_service
version_added: 0.1.0
short_description: Keep an ECS service, and wait until it is steady
description:
  - Makes, changes and deletes a service, and updates only what differs.
  - Waits for steady state by reading deployments and events, and shows the events as they come. When the deployment
    fails it says why, and what to do; where ECS rolls back, it waits for that too, and fails.
  - The run after a roll-back deploys the newest revision again, unless O(task_definition=keep) or an older one is asked
    for. A deployment that ECS gave up without a roll-back is started anew.
  - With O(follow_tag) it starts a new deployment when, and only when, the image's tag names another digest than the one
    that the service runs.
  - Does what M(community.aws.ecs_service) lacks - compares the deployment configuration, keeps a count that a scaler
    set, changes tags, waits, deletes when the cluster is gone.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the service.
    type: str
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  cluster_owner:
    description: Tags that the cluster must carry, so that nothing is put on somebody else's. Empty checks nothing.
    type: dict
    default: {}
  family:
    description: Family of the task definition. Needed for O(task_definition=latest) and to make a service.
    type: str
  task_definition:
    description:
      - V(latest) for the newest active revision of O(family), V(keep) for whatever revision the service has, or
        C(family:revision).
      - V(keep_image) goes to the newest revision only where that describes another task with the image that runs now
        (of O(image_container)), and keeps the revision otherwise. So whoever deploys images, such as a pipeline, is not
        overruled, and neither is a roll-back.
      - A service that is not there yet starts with the newest one.
    type: str
    default: latest
  image_container:
    description:
      - Container whose image O(task_definition=keep_image) looks at. Not given, the first one of O(load_balancers).
    type: str
  follow_tag:
    description:
      - Start a new deployment where an image of the service is referred to by a tag, and the tag names another digest
        than the one that the service's current revision runs. ECS itself looks at a tag once for each deployment.
      - Only for images in the registry of O(registry_uri). Where ECS knows no digest nothing is done.
      - Costs one call for the service's revision and one for each tag; none where O(task_definition=latest) names its
        images by digest. Without effect with O(task_definition=keep) and O(task_definition=keep_image).
    type: bool
    default: false
  registry_uri:
    description: URI of a repository in the ECR registry whose tags O(follow_tag) follows.
    type: str
    default: ""
  image_changes:
    description:
      - In check mode, tells that the same run would push an image first. Where the registry lacks the tag, its digest
        is then known after apply.
    type: bool
    default: false
  task_definition_changes:
    description:
      - In check mode, tells that the same run would register a new revision first. The service's revision is then
        known after apply.
    type: bool
    default: false
  desired_count:
    description: Number of tasks, or V(keep) for what a scaler or a person set.
    type: str
    default: keep
  initial_count:
    description: Number of tasks with which a new service starts where O(desired_count=keep).
    type: int
    default: 1
  launch_type:
    description: Where tasks run. Excludes O(capacity_provider_strategy).
    type: str
    choices: [EC2, FARGATE, EXTERNAL]
  capacity_provider_strategy:
    description: List of C(capacity_provider), C(weight), C(base).
    type: list
    elements: dict
    default: []
  load_balancers:
    description: Which containers the load balancer reaches. Left alone where not given.
    type: list
    elements: dict
    suboptions:
      target_group:
        description: Name of the target group.
        type: str
        required: true
      container_name:
        description: Name of the container in the task definition.
        type: str
        required: true
      container_port:
        description: Port of the container.
        type: int
        required: true
  deployment:
    description: How a new revision is rolled out.
    type: dict
    suboptions:
      minimum_healthy_percent:
        description: Lower bound of running tasks in percent of the desired count, rounded up.
        type: int
        default: 100
      maximum_percent:
        description: Upper bound of running tasks in percent of the desired count, rounded down.
        type: int
        default: 200
      circuit_breaker:
        description: Whether ECS gives a deployment up that does not get healthy.
        type: bool
        default: true
      rollback:
        description: Whether ECS then goes back to the last completed deployment.
        type: bool
        default: true
      threshold_type:
        description: What O(deployment.threshold_value) counts. Left to ECS where not given.
        type: str
        choices: [COUNT, BOUNDED_PERCENT, UNBOUNDED_PERCENT]
      threshold_value:
        description: How many failed tasks, or percent of the desired count, give a deployment up.
        type: int
  health_check_grace_period:
    description: Seconds after a task's start in which failed load balancer health checks do not count.
    type: int
  availability_zone_rebalancing:
    description: Whether ECS moves tasks to keep the zones even. Needs a maximum above 100 percent.
    type: str
    choices: [ENABLED, DISABLED]
  scheduling_strategy:
    description: V(REPLICA) keeps a number of tasks, V(DAEMON) one on each instance.
    type: str
    choices: [REPLICA, DAEMON]
    default: REPLICA
  placement_strategy:
    description: List of C(type) and C(field).
    type: list
    elements: dict
  placement_constraints:
    description: List of C(type) and C(expression).
    type: list
    elements: dict
  network:
    description: VPC and subnets of an awsvpc service, as the role C(naming) composes it.
    type: dict
  security_groups:
    description: Names of the security groups of an awsvpc service.
    type: list
    elements: str
    default: []
  assign_public_ip:
    description: Whether an awsvpc task gets a public address.
    type: bool
    default: false
  enable_execute_command:
    description: Whether ECS Exec may enter the containers.
    type: bool
  enable_ecs_managed_tags:
    description: Whether ECS tags the tasks with cluster and service.
    type: bool
    default: true
  propagate_tags:
    description: Whose tags the tasks get.
    type: str
    choices: [SERVICE, TASK_DEFINITION, NONE]
  force_new_deployment:
    description: Start new tasks of the same revision, which pulls the image anew. Always a change.
    type: bool
    default: false
  wait:
    description: Wait until the service is steady, or until it is gone.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait.
    type: int
    default: 900
  wait_interval:
    description: Seconds between two looks.
    type: float
    default: 5
  progress_file:
    description: File to append progress to. The action plugin sets it and shows the lines.
    type: path
"""

EXAMPLES = r"""
- name: Keep the petclinic service
  handson.ecs.ecs_service:
    name: petclinic-rest-service
    cluster: petclinic-rest-cluster
    family: petclinic-rest-task
    launch_type: EC2
    desired_count: 2
    load_balancers:
      - target_group: petclinic-rest-target
        container_name: petclinic-rest-app
        container_port: 9460
    health_check_grace_period: 60
    deployment:
      minimum_healthy_percent: 100
      maximum_percent: 200

- name: Roll out what was pushed under the same tag
  handson.ecs.ecs_service:
    name: petclinic-rest-service
    cluster: petclinic-rest-cluster
    task_definition: keep
    force_new_deployment: true

- name: Roll out what was pushed under the same tag, if it is another image
  handson.ecs.ecs_service:
    name: petclinic-rest-service
    cluster: petclinic-rest-cluster
    family: petclinic-rest-task
    follow_tag: true
    registry_uri: 123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest
"""

RETURN = r"""
service:
  description: The service in the names of the options, with its ARN and counts.
  returned: always
  type: dict
  sample: {desired_count: 2, running_count: 2, task_definition: "petclinic-rest-task:1"}
events:
  description: What ECS said during the wait, oldest first.
  returned: when waited
  type: list
  elements: str
causes:
  description: Why the service is not steady, each with what to do.
  returned: on failure of the wait
  type: list
  elements: dict
  sample: [{problem: "A task stopped: CannotPullContainerError …", remedy: "Is it pushed …"}]
rolled_back_to:
  description: The revision to which ECS rolled back, or null where it did not.
  returned: on failure of the wait
  type: str
  sample: petclinic-rest-task:1
"""

import uuid

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code, is_boto3_error_message
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import names
from ansible_collections.handson.ecs.plugins.module_utils import services as convert
from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags, tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.ecs_clusters import ROLE_NOT_YET
from ansible_collections.handson.ecs.plugins.module_utils.image_digests import Digests, followed
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    KNOWN_AFTER_APPLY,
    Missing,
    Resource,
    ResourceError,
    argument_spec,
)
from ansible_collections.handson.ecs.plugins.module_utils.rollout import Rollout
from ansible_collections.handson.ecs.plugins.module_utils.task_definitions import image_of, same_task, to_aws

#: option -> parameter of CreateService and UpdateService, where the value is the same
SAME = {
    "health_check_grace_period": "healthCheckGracePeriodSeconds",
    "availability_zone_rebalancing": "availabilityZoneRebalancing",
    "enable_execute_command": "enableExecuteCommand",
    "enable_ecs_managed_tags": "enableECSManagedTags",
    "propagate_tags": "propagateTags",
    "placement_strategy": "placementStrategy",
    "placement_constraints": "placementConstraints",
}


#: What CreateService says while a service-linked role, or the listener's new default action, has not reached ECS yet.
NOT_YET = (*ROLE_NOT_YET, "does not have an associated load balancer")
#: What CreateService and UpdateService say of a capacity provider that the cluster does not have.
NOT_ASSOCIATED = "a capacity provider that is not associated with the cluster"


class Service(Resource):
    kind = "service"
    result_key = "service"
    immutable = frozenset({"launch_type", "scheduling_strategy"})

    def __init__(self, module):
        super().__init__(module)
        self.rollout = Rollout(self.client, self.params)
        self._images = None  # {container: image} of the newest revision, where it was asked for

    def get(self):
        raw = self._describe()
        if raw and raw["status"] == "DRAINING" and self.params["state"] == "present":
            # CreateService refuses a name that is still draining, so it is waited out.
            if self.module.check_mode:
                return None
            self._wait_gone()
            raw = None
        self.raw = raw
        if raw is None:
            return None
        seen = convert.service_from_aws(raw)
        seen["name"] = raw["serviceName"]
        seen["load_balancers"] = [
            {"target_group": x["targetGroupArn"], "container_name": x["containerName"], "container_port": x["containerPort"]}
            for x in raw.get("loadBalancers") or []
        ]
        seen["tags"] = tags_to_dict(raw.get("tags"))
        seen["known"] = frozenset(seen)
        return seen

    def desired(self, current):
        p = self.params
        wanted = self.given(
            "name", "launch_type", "scheduling_strategy", "health_check_grace_period", "availability_zone_rebalancing",
            "enable_execute_command", "enable_ecs_managed_tags", "propagate_tags",
        )  # fmt: skip
        if p["capacity_provider_strategy"]:
            wanted["capacity_provider_strategy"] = convert.strategy(p["capacity_provider_strategy"])
            wanted.pop("launch_type", None)  # a service has one or the other
        elif "launch_type" in wanted and current and not current["launch_type"]:
            # Back from a provider to the launch type: by an empty strategy, not by a launch type (API_UpdateService).
            wanted["capacity_provider_strategy"] = []
            del wanted["launch_type"]
        for option in ("placement_strategy", "placement_constraints"):
            if p[option] is not None:
                wanted[option] = [convert.placement(x) for x in p[option]]
        if p["deployment"]:
            wanted["deployment"] = convert.deployment_wanted(p["deployment"], (current or {}).get("deployment"))
        if p["load_balancers"] is not None:
            wanted["load_balancers"] = self._load_balancers()
        if p["network"]:
            wanted["network"] = self._network()
        wanted["task_definition"] = self._task_definition(current)
        if p["scheduling_strategy"] == "REPLICA":
            wanted["desired_count"] = self._desired_count(current)
        if p["force_new_deployment"] or self._given_up(current, wanted):
            wanted["force_new_deployment"] = True
        elif self._follows(current, wanted):
            foreseen = self.params["image_changes"] and self.module.check_mode
            looked = Digests(self.client, self.params["registry_uri"], KNOWN_AFTER_APPLY if foreseen else None)
            seen, named = looked.compare(self.raw)
            if seen:
                current["image_digests"], wanted["image_digests"] = seen, named
        if current is not None:
            # What the endpoint does not tell (see service_from_aws) can't be compared.
            known = current.pop("known")
            silent = {"deployment", "health_check_grace_period", "availability_zone_rebalancing", *SAME} - known
            wanted = {k: v for k, v in wanted.items() if k not in silent}
        return wanted

    def create(self, desired):
        names.refuse_foreign_cluster(self.client("ecs"), self.params["cluster"], self.params["cluster_owner"])
        request = {
            "cluster": self.params["cluster"],
            "serviceName": self.name,
            # The same token makes a repeated call (a lost answer) return the service of the first.
            "clientToken": str(uuid.uuid4()),
            "taskDefinition": desired["task_definition"],
            "schedulingStrategy": desired["scheduling_strategy"],
            "deploymentController": {"type": "ECS"},
            **self._parameters(desired, set(desired)),
        }
        if desired.get("launch_type"):
            request["launchType"] = desired["launch_type"]
        if desired.get("tags"):
            request["tags"] = dict_to_tags(desired["tags"], "key", "value")
        made = self._with_providers(lambda: self.retry_on(NOT_YET, lambda: self.client("ecs").create_service(**request)))
        self.rollout.follow(made["service"], seen=set())

    def update(self, current, desired, changes):
        ecs = self.client("ecs")
        if "tags" in changes:
            tags = dict_to_tags(desired["tags"], "key", "value")
            ecs.tag_resource(resourceArn=current["arn"], tags=tags)
        request = self._parameters(desired, changes)
        if "task_definition" in changes:
            request["taskDefinition"] = desired["task_definition"]
        if changes & {"force_new_deployment", "image_digests", "capacity_provider_strategy"}:
            # ECS takes another capacity provider strategy only together with a new deployment.
            request["forceNewDeployment"] = True
        if request:
            seen = {e["id"] for e in self.raw.get("events") or []}
            answer = self._with_providers(
                lambda: ecs.update_service(cluster=self.params["cluster"], service=self.name, **request)
            )
            self.rollout.follow(answer["service"], seen=seen)

    def delete(self, current):
        if current["status"] != "DRAINING":
            self.client("ecs").delete_service(cluster=self.params["cluster"], service=self.name, force=True)
        if self.params["wait"]:
            self._wait_gone()

    def after(self, current, changed):
        if current is not None:
            current.pop("known", None)
        if self.module.check_mode or not self.params["wait"]:
            return {}
        return {"events": self.rollout.wait(self.raw)}

    def _present(self):
        result = super()._present()
        if self.rollout.latest:  # what the wait saw last
            result["service"].update(
                running_count=self.rollout.latest["runningCount"], pending_count=self.rollout.latest["pendingCount"]
            )
        return result

    def _absent(self):
        result = super()._absent()
        if result["service"]:
            result["service"].pop("known", None)
        result["diff"]["before"].pop("known", None)
        return result

    def _with_providers(self, call):
        """Return what `call` returns. Not repeated where the cluster lacks a provider: nobody may be about to attach it."""
        try:
            return call()
        except is_boto3_error_message(NOT_ASSOCIATED):
            names_asked = [each["capacity_provider"] for each in self.params["capacity_provider_strategy"]]
            asked = ", ".join(map(repr, names_asked))
            way = (
                "The one of its own instances is made by: ansible-playbook playbooks/cluster.yml. Run that and then this "
                "again, or change the name."
            )
            if {"FARGATE", "FARGATE_SPOT"} & set(names_asked):
                way = (
                    "Change service_capacity_provider: for Fargate leave it empty and set task_definition_launch_type to "
                    "FARGATE. No playbook associates AWS's own providers with a cluster."
                )
            raise ResourceError(
                f"The service {self.name!r} asks for the capacity provider {asked} (service_capacity_provider), and the "
                f"cluster {self.params['cluster']!r} has none of that name. {way}"
            ) from None

    # --- parts of the request -------------------------------------------------------------------------------------

    def _parameters(self, desired, options):
        """Return what CreateService and UpdateService have in common, for these options."""
        request = {SAME[o]: desired[o] for o in options if o in SAME}
        if "deployment" in options:
            request["deploymentConfiguration"] = convert.deployment_to_aws(desired["deployment"])
        if "load_balancers" in options:
            request["loadBalancers"] = [
                {"targetGroupArn": x["target_group"], "containerName": x["container_name"], "containerPort": x["container_port"]}
                for x in desired["load_balancers"]
            ]
        if "network" in options:
            request["networkConfiguration"] = convert.network_to_aws(desired["network"])
        if "capacity_provider_strategy" in options:
            request["capacityProviderStrategy"] = to_aws(desired["capacity_provider_strategy"])
        if "desired_count" in options:
            request["desiredCount"] = desired["desired_count"]
        return request

    def _load_balancers(self):
        elbv2 = self.client("elbv2")
        return [
            {**x, "target_group": self.resolve(lambda x=x: names.target_group_arn(elbv2, x["target_group"]))}
            for x in self.params["load_balancers"]
        ]

    def _network(self):
        ec2, p = self.client("ec2"), self.params
        rows = self.resolve(lambda: names.subnets(ec2, p["network"]))
        known = isinstance(rows, list)
        groups = self.resolve(
            lambda: names.security_group_ids(ec2, p["security_groups"], rows[0]["vpc_id"] if known else None)
        )
        return {
            "subnets": sorted(r["id"] for r in rows) if known else rows,
            "security_groups": sorted(groups.values()) if isinstance(groups, dict) else groups,
            "assign_public_ip": p["assign_public_ip"],
        }

    def _task_definition(self, current):
        asked = self.params["task_definition"]
        if asked == "keep" and current is not None:
            return current["task_definition"]
        if asked not in ("keep", "keep_image", "latest"):
            return asked
        if self.params["task_definition_changes"] and self.module.check_mode:
            return KNOWN_AFTER_APPLY
        if asked == "keep_image" and current is not None:
            return self._with_the_same_image(current["task_definition"])
        return self.resolve(self._latest)

    def _with_the_same_image(self, now):
        """Return the newest revision where only the image's owner did not make it, else the present one.

        A newer revision with another image is the pipeline's, on its way or rolled back. One that describes the same
        task brings nothing.
        """
        newest = self._revision(self.params["family"]) if self.params["family"] else None
        if newest is None or convert.revision(newest["taskDefinitionArn"]) == now:
            return now
        used = self._revision(now)
        balancers = self.params["load_balancers"] or [{"container_name": None}]
        container = self.params["image_container"] or balancers[0]["container_name"]
        if used is None or same_task(used, newest):
            return now
        image = image_of(used, container)
        return convert.revision(newest["taskDefinitionArn"]) if image and image == image_of(newest, container) else now

    def _revision(self, name):
        """Return a revision, or a family's newest active one, as DescribeTaskDefinition gives it, or None."""
        try:
            return self.client("ecs").describe_task_definition(taskDefinition=name)["taskDefinition"]
        except is_boto3_error_code("ClientException"):
            return None

    # --- the image behind a tag -----------------------------------------------------------------------------------

    def _follows(self, current, wanted):
        """Tell whether to look at the digests: not where another deployment comes anyway, or the image is kept."""
        if not self.params["follow_tag"] or current is None or self.params["task_definition"] in ("keep", "keep_image"):
            return False
        if wanted["task_definition"] != current["task_definition"]:
            return False
        return self._images is None or bool(followed(self._images, self.params["registry_uri"]))

    def _given_up(self, current, wanted):
        """Tell whether the circuit breaker stopped the deployment that is asked for.

        ECS starts no task for a failed deployment, so a cause that was mended elsewhere (an image pushed meanwhile, a
        security group) would never show: only a new deployment of the same revision does.
        """
        if current is None or wanted["task_definition"] != current["task_definition"]:
            return False
        return convert.primary(self.raw).get("rolloutState") == "FAILED"

    def _latest(self):
        family = self.params["family"]
        if not family:
            raise Missing(
                f"There is no service named {self.name!r} in {self.params['cluster']!r}. Make it first: "
                "ansible-playbook playbooks/service.yml"
            )
        found = self._revision(family)
        if found is None:
            raise Missing(
                f"There is no active task definition {family!r}. Make it first: ansible-playbook playbooks/task.yml"
            )
        self._images = {c["name"]: c["image"] for c in found["containerDefinitions"]}
        return convert.revision(found["taskDefinitionArn"])

    def _desired_count(self, current):
        asked = self.params["desired_count"]
        if asked == "keep":
            return self.params["initial_count"] if current is None else current["desired_count"]
        return int(asked)

    # --- looking --------------------------------------------------------------------------------------------------

    def _describe(self):
        """Return the service as DescribeServices gives it, or None where there is none or it is INACTIVE."""
        try:
            answer = self.client("ecs").describe_services(
                cluster=self.params["cluster"], services=[self.name], include=["TAGS"]
            )
        except is_boto3_error_code("ClusterNotFoundException"):
            if self.params["state"] == "absent" or self.module.check_mode:
                return None
            raise ResourceError(
                f"There is no cluster named {self.params['cluster']!r}. Make it first: ansible-playbook playbooks/cluster.yml"
            ) from None
        found = [s for s in answer["services"] if s["status"] != "INACTIVE"]
        return found[0] if found else None

    def _wait_gone(self):
        self.rollout.say(f"waiting until the tasks of {self.name} have drained")
        self.wait(
            lambda: self._describe() is None,
            f"the service {self.name!r} to drain",
            self.params["wait_timeout"],
            self.params["wait_interval"],
        )


def main():
    deployment = {
        "minimum_healthy_percent": {"type": "int", "default": 100},
        "maximum_percent": {"type": "int", "default": 200},
        "circuit_breaker": {"type": "bool", "default": True},
        "rollback": {"type": "bool", "default": True},
        "threshold_type": {"type": "str", "choices": ["COUNT", "BOUNDED_PERCENT", "UNBOUNDED_PERCENT"]},
        "threshold_value": {"type": "int"},
    }
    load_balancer = {
        "target_group": {"type": "str", "required": True},
        "container_name": {"type": "str", "required": True},
        "container_port": {"type": "int", "required": True},
    }
    spec = argument_spec(
        name={"type": "str", "required": True},
        cluster={"type": "str", "required": True},
        cluster_owner={"type": "dict", "default": {}},
        family={"type": "str"},
        task_definition={"type": "str", "default": "latest"},
        image_container={"type": "str"},
        follow_tag={"type": "bool", "default": False},
        registry_uri={"type": "str", "default": ""},
        image_changes={"type": "bool", "default": False},
        task_definition_changes={"type": "bool", "default": False},
        desired_count={"type": "str", "default": "keep"},
        initial_count={"type": "int", "default": 1},
        launch_type={"type": "str", "choices": ["EC2", "FARGATE", "EXTERNAL"]},
        capacity_provider_strategy={"type": "list", "elements": "dict", "default": []},
        load_balancers={"type": "list", "elements": "dict", "options": load_balancer},
        deployment={"type": "dict", "options": deployment},
        health_check_grace_period={"type": "int"},
        availability_zone_rebalancing={"type": "str", "choices": ["ENABLED", "DISABLED"]},
        scheduling_strategy={"type": "str", "choices": ["REPLICA", "DAEMON"], "default": "REPLICA"},
        placement_strategy={"type": "list", "elements": "dict"},
        placement_constraints={"type": "list", "elements": "dict"},
        network={"type": "dict"},
        security_groups={"type": "list", "elements": "str", "default": []},
        assign_public_ip={"type": "bool", "default": False},
        enable_execute_command={"type": "bool"},
        enable_ecs_managed_tags={"type": "bool", "default": True},
        propagate_tags={"type": "str", "choices": ["SERVICE", "TASK_DEFINITION", "NONE"]},
        force_new_deployment={"type": "bool", "default": False},
        wait={"type": "bool", "default": True},
        wait_timeout={"type": "int", "default": 900},
        wait_interval={"type": "float", "default": 5},
        progress_file={"type": "path"},
    )
    Service(AnsibleAWSModule(argument_spec=spec, supports_check_mode=True)).run()


if __name__ == "__main__":
    main()
