#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: ecs_task_definition
version_added: 0.1.0
short_description: Keep a task definition
description:
  - Registers a new revision when, and only when, the newest active revision differs from what is asked for in any
    setting. M(community.aws.ecs_taskdefinition) overlooks changed environment values, ports, sizes and roles.
  - With O(image_of_service) somebody else owns the image, such as a pipeline. What is asked for is then compared with
    the revision that the service uses, and a new one gets that revision's image.
  - O(state=absent) deregisters and deletes all revisions of the family that carry the tags of O(owner). It leaves
    the others, and warns of them.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  family:
    description: Name of the task definition.
    type: str
    required: true
  containers:
    description:
      - The container definitions with the API's own parameters in snake_case, such as C(name), C(image),
        C(memory_reservation), C(port_mappings), C(log_configuration), C(health_check).
      - C(environment) and C(secrets) are dictionaries. C(secrets) holds ARNs of Secrets Manager secrets or SSM
        parameters.
    type: list
    elements: dict
  cpu:
    description: CPU units of the task, or such as V(.5 vCPU). Left open where empty.
    type: str
  memory:
    description: MiB of the task, or such as V(1 GB). A hard limit. Left open where empty.
    type: str
  network_mode:
    description: Docker networking of the task.
    type: str
    choices: [bridge, host, awsvpc, none]
    default: bridge
  requires_compatibilities:
    description: Launch types that ECS checks the definition against.
    type: list
    elements: str
    choices: [EC2, FARGATE, EXTERNAL, MANAGED_INSTANCES]
    default: [EC2]
  execution_role:
    description: Name or ARN of the role with which the agent pulls the image, writes logs and reads secrets.
    type: str
  task_role:
    description: Name or ARN of the role of the program in the container.
    type: str
  volumes:
    description: Volumes with the API's own parameters in snake_case.
    type: list
    elements: dict
    default: []
  placement_constraints:
    description: Placement constraints with the API's own parameters.
    type: list
    elements: dict
    default: []
  runtime_platform:
    description: C(cpu_architecture) and C(operating_system_family).
    type: dict
  image_of_service:
    description:
      - Takes the image of one container over from the revision that this service uses, whatever O(containers) says.
      - Compares with that revision instead of the newest one. So a newer revision that the service does not use, since
        it was rolled back, is left alone.
      - The revision of a service of O(owner) is taken for ours, even without its tags, which it then gets.
      - Without such a service all is as if this option was not given.
    type: dict
    suboptions:
      service:
        description: Name of the service.
        type: str
        required: true
      cluster:
        description: Name of its cluster.
        type: str
        required: true
      container:
        description: Name of the container.
        type: str
        required: true
"""

EXAMPLES = r"""
- name: Keep the task definition of petclinic
  handson.ecs.ecs_task_definition:
    family: petclinic-rest-task
    cpu: "512"
    memory: "1024"
    execution_role: petclinic-rest-task-execution-role
    containers:
      - name: petclinic-rest-app
        image: 123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest:latest
        memory_reservation: 625
        port_mappings:
          - container_port: 9460
            host_port: 0

- name: Keep the sizes, and let the pipeline say which image
  handson.ecs.ecs_task_definition:
    family: petclinic-rest-task
    cpu: "1024"
    memory: "1024"
    containers:
      - name: petclinic-rest-app
        image: 123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest:latest
        memory_reservation: 625
    image_of_service:
      service: petclinic-rest-service
      cluster: petclinic-rest-cluster
      container: petclinic-rest-app
"""

RETURN = r"""
task_definition:
  description:
    - The newest active revision in the names of the options, with its ARN and number.
    - With O(image_of_service) the one that the service uses, or the newest where that is what the options ask for.
  returned: always
  type: dict
  sample: {family: petclinic-rest-task, revision: 1, arn: "arn:aws:ecs:…:task-definition/petclinic-rest-task:1"}
runs_already:
  description:
    - Whether the service runs what is asked for, although the newest revision is another. The new revision is then no
      reason for a deployment.
  returned: state is present
  type: bool
"""

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from ansible_collections.handson.ecs.plugins.module_utils import names
from ansible_collections.handson.ecs.plugins.module_utils import task_definitions as convert
from ansible_collections.handson.ecs.plugins.module_utils.compare import (
    dict_to_tags,
    drift,
    foreign_because,
    tags_to_dict,
)
from ansible_collections.handson.ecs.plugins.module_utils.resource import Resource, ResourceError, argument_spec
from ansible_collections.handson.ecs.plugins.module_utils.unlogged import unlogged_module

#: What ECS says while a new role has not yet reached it (aws-facts: IAM propagates).
ROLE_NOT_YET = ("Role is not valid", "is not authorized to perform: sts:AssumeRole", "unable to assume the role")


class TaskDefinition(Resource):
    kind = "task definition"
    name_option = "family"
    result_key = "task_definition"

    def __init__(self, module):
        super().__init__(module)
        self._taken_over = {}  # {container: image of the service's revision}
        self._used = None  # ARN of the revision that a service of ours uses
        self._runs_already = False

    def get(self):
        if self.params["state"] == "absent":
            return self._seen(self._newest_to_delete())
        used = self._used_by_service()
        if used is None or used["family"] != self.name:
            return self._seen(self._describe(self.name))
        # The newest one, too, may be what is asked for: registered by the last run, whose deployment then failed.
        wanted, newest = self.desired(used), self._seen(self._describe(self.name))
        if newest is None or newest["arn"] == used["arn"]:
            return used
        if drift(used, wanted)[1]:
            return used if drift(newest, wanted)[1] else newest
        # What runs is what is asked for, and yet a service goes on to a newer revision with the same image. So one that
        # failed, and that the inventory has taken back, must not stay the newest: the same as what runs is registered anew.
        if self._image_of(newest) != self._image_of(used):
            return used
        self._runs_already = True
        return newest

    def after(self, current, changed):
        return {"runs_already": self._runs_already}

    def _image_of(self, seen):
        container = seen["containers"].get(self.params["image_of_service"]["container"])
        return container.get("image") if container else None

    def _used_by_service(self):
        """Return the revision that the service of image_of_service uses, or None. Notes its image."""
        asked = self.params["image_of_service"]
        if not asked:
            return None
        try:
            answer = self.client("ecs").describe_services(
                cluster=asked["cluster"], services=[asked["service"]], include=["TAGS"]
            )
        except is_boto3_error_code("ClusterNotFoundException"):
            return None
        service = next((s for s in answer["services"] if s["status"] == "ACTIVE"), None)
        if service is None:
            return None
        reason = foreign_because(tags_to_dict(service.get("tags")), self.params["owner"])
        if reason:
            raise ResourceError(
                f"The service {asked['service']!r} of {asked['cluster']!r} is not ours: {reason}. The image was not "
                "taken over from it, and nothing was touched. Choose another name or prefix in the inventory, or, if it is "
                "yours, put the tag on it."
            )
        used = self._seen(self._describe(service["taskDefinition"]))
        if used is not None:
            self._used = used["arn"]
            container = used["containers"].get(asked["container"])
            if container and container.get("image"):
                self._taken_over = {asked["container"]: container["image"]}
        return used

    def _refuse_foreign(self, current):
        # What a pipeline registered may lack our tags; that our own service uses it says as much.
        if current is None or current["arn"] != self._used:
            super()._refuse_foreign(current)

    @staticmethod
    def _seen(found):
        """Return what DescribeTaskDefinition tells in the names of the options."""
        if found is None:
            return None
        described = found["taskDefinition"]
        mode = described.get("networkMode") or "bridge"
        return {
            "family": described["family"],
            "revision": described["revision"],
            "arn": described["taskDefinitionArn"],
            "cpu": convert.size(described.get("cpu")),
            "memory": convert.size(described.get("memory")),
            "network_mode": mode,
            "requires_compatibilities": sorted(described.get("requiresCompatibilities") or []),
            "execution_role": convert.role_name(described.get("executionRoleArn")),
            "task_role": convert.role_name(described.get("taskRoleArn")),
            "containers": {
                c["name"]: convert.container_from_aws(c, mode) for c in described.get("containerDefinitions") or []
            },
            "volumes": [convert.from_aws(v) for v in described.get("volumes") or []],
            "placement_constraints": [convert.from_aws(c) for c in described.get("placementConstraints") or []],
            "runtime_platform": convert.from_aws(described.get("runtimePlatform") or {}),
            "tags": tags_to_dict(found.get("tags")),
        }

    def desired(self, current):
        p = self.params
        wanted = {
            "family": self.name,
            "cpu": convert.size(p["cpu"]),
            "memory": convert.size(p["memory"]),
            "network_mode": p["network_mode"],
            "requires_compatibilities": sorted(p["requires_compatibilities"]),
            "execution_role": convert.role_name(p["execution_role"]),
            "task_role": convert.role_name(p["task_role"]),
            "containers": {c["name"]: convert.normal_container(c, p["network_mode"]) for c in p["containers"] or []},
            "volumes": p["volumes"],
            "placement_constraints": p["placement_constraints"],
        }
        for name, image in self._taken_over.items():
            if name in wanted["containers"]:
                wanted["containers"][name]["image"] = image
        if p["runtime_platform"]:
            wanted["runtime_platform"] = p["runtime_platform"]
        return wanted

    def create(self, desired):
        request = {
            "family": self.name,
            "networkMode": desired["network_mode"],
            "requiresCompatibilities": desired["requires_compatibilities"],
            "containerDefinitions": [convert.container_to_aws(c) for c in desired["containers"].values()],
            "volumes": convert.to_aws(desired["volumes"]),
            "placementConstraints": convert.to_aws(desired["placement_constraints"]),
            "tags": dict_to_tags(desired.get("tags", {}), "key", "value"),
        }
        for key in ("cpu", "memory"):
            if desired[key]:
                request[key] = desired[key]
        if self.params["runtime_platform"]:
            request["runtimePlatform"] = convert.to_aws(self.params["runtime_platform"])
        iam = self.client("iam")
        for option, key in (("execution_role", "executionRoleArn"), ("task_role", "taskRoleArn")):
            if self.params[option]:
                request[key] = names.role_arn(iam, self.params[option])
        if not request["tags"]:
            del request["tags"]  # ECS refuses an empty list
        self.retry_on(ROLE_NOT_YET, lambda: self.client("ecs").register_task_definition(**request))

    def update(self, current, desired, changes):
        if changes == {"tags"}:
            # Tags hang on a revision and can change on it; everything else makes a new one.
            tags = dict_to_tags(desired["tags"], "key", "value")
            self.client("ecs").tag_resource(resourceArn=current["arn"], tags=tags)
        else:
            self.create(desired)

    def _describe(self, revision):
        """Return a revision, or a family's newest active one, as DescribeTaskDefinition gives it, or None."""
        try:
            return self.client("ecs").describe_task_definition(taskDefinition=revision, include=["TAGS"])
        except is_boto3_error_code("ClientException"):  # "Unable to describe task definition"
            return None

    def _newest_to_delete(self):
        """Note which revisions are ours, and return the newest of them; the newest of all where none is.

        Tags hang on a revision: a family may have some of ours and some that somebody else registered.
        """
        ours, foreign, newest = {}, [], None
        for status in ("INACTIVE", "ACTIVE"):
            ours[status] = []
            for arn in self._revisions(status):
                found = self._describe(arn)
                if found is None:  # gone since we looked
                    continue
                if foreign_because(tags_to_dict(found.get("tags")), self.params["owner"]) is None:
                    ours[status].append(arn)
                    newest = found
                else:
                    foreign.append((arn, found))
        self._active, self._inactive = ours["ACTIVE"], ours["INACTIVE"]
        if newest is not None and foreign:
            left = ", ".join(arn.rsplit("/", 1)[-1] for arn, _found in foreign)
            self.module.warn(
                f"Of the task definition {self.name!r} these revisions are not ours and are left alone: {left}."
            )
        return newest or (foreign[-1][1] if foreign else None)

    def delete(self, current):
        ecs, failed = self.client("ecs"), []
        for arn in self._active:
            ecs.deregister_task_definition(taskDefinition=arn)
        everything = self._inactive + self._active
        for start in range(0, len(everything), 10):  # DeleteTaskDefinitions takes 10 at a time
            answer = ecs.delete_task_definitions(taskDefinitions=everything[start : start + 10])
            failed += answer.get("failures") or []
        if failed:
            said = "; ".join(
                " ".join(filter(None, ((f.get("arn") or "?").rsplit("/", 1)[-1] + ":", f.get("reason"), f.get("detail"))))
                for f in failed
            )
            raise ResourceError(
                f"ECS did not delete {len(failed)} of {len(everything)} revisions of the task definition "
                f"{self.name!r}: {said}. They are deregistered. Run again, or delete them in the console under Task definitions."
            )

    def _revisions(self, status):
        """Return the ARNs of this family's revisions, oldest first."""
        pages = self.client("ecs").get_paginator("list_task_definitions").paginate(familyPrefix=self.name, status=status)
        arns = [arn for page in pages for arn in page["taskDefinitionArns"]]
        # On moto 5.2.5 familyPrefix is a prefix; on AWS it is the whole name.
        return [a for a in arns if a.rsplit("/", 1)[-1].rsplit(":", 1)[0] == self.name]

    def _diff(self, before, after):
        sides = [{**s, "containers": convert.masked(s["containers"])} if s.get("containers") else s for s in (before, after)]
        return super()._diff(*sides)

    def _present(self):
        return self._masked(super()._present())

    def _absent(self):
        return self._masked(super()._absent())  # one that isn't ours is shown

    def _masked(self, result):
        if (result["task_definition"] or {}).get("containers"):
            shown = convert.masked(result["task_definition"]["containers"])
            result["task_definition"] = {**result["task_definition"], "containers": shown}
        return result


def main():
    spec = argument_spec(
        family={"type": "str", "required": True},
        containers={"type": "list", "elements": "dict"},
        cpu={"type": "str"},
        memory={"type": "str"},
        network_mode={"type": "str", "choices": ["bridge", "host", "awsvpc", "none"], "default": "bridge"},
        requires_compatibilities={
            "type": "list",
            "elements": "str",
            "choices": ["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"],
            "default": ["EC2"],
        },
        execution_role={"type": "str"},
        task_role={"type": "str"},
        volumes={"type": "list", "elements": "dict", "default": []},
        placement_constraints={"type": "list", "elements": "dict", "default": []},
        runtime_platform={"type": "dict"},
        image_of_service={
            "type": "dict",
            "options": {name: {"type": "str", "required": True} for name in ("service", "cluster", "container")},
        },
    )
    TaskDefinition(
        unlogged_module(
            argument_spec=spec, supports_check_mode=True, required_if=[("state", "present", ["containers"])]
        )
    ).run()


if __name__ == "__main__":
    main()
