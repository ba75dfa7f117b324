#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: ecs_service_rollback
version_added: 0.1.0
short_description: Bring the previous revision of a service back
description:
  - Stops a deployment that is under way, and follows ECS back to the last one that was successful.
  - Without one under way, deploys what ran before, going by the service's deployments of the last 90 days.
  - Run again, it finds the service back already and changes nothing.
  - A task definition that names its image by a tag can't bring an image back from which the tag has moved on. The
    module then says the digest that ran before, for O(digest).
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    description: Says what it would roll back to.
    support: full
options:
  name:
    description: Name of the service.
    type: str
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  to:
    description: C(family:revision) to go to, or the number alone. Left out, it is the one before.
    type: str
  digest:
    description:
      - Digest of an image, C(sha256:…), that is still in the repository.
      - A revision that names it is registered and deployed. Everything else in it is that of O(to), or of the one
        before.
    type: str
  container:
    description: The container whose image O(digest) is. Left out, the task must have only one.
    type: str
  owner:
    description: Tags that the service must carry. A revision that is registered gets them.
    type: dict
    default: {}
  tags:
    description: Further tags of a revision that is registered.
    type: dict
    default: {}
  wait_timeout:
    description: Seconds to wait until the service is steady.
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
- name: Bring the previous revision back
  handson.ecs.ecs_service_rollback:
    name: petclinic-rest-service
    cluster: petclinic-rest-cluster

- name: Go back to the third revision
  handson.ecs.ecs_service_rollback:
    name: petclinic-rest-service
    cluster: petclinic-rest-cluster
    to: petclinic-rest-task:3
"""

RETURN = r"""
rollback:
  description: From where to where, and by which call. In check mode what it would be.
  returned: success
  type: dict
  contains:
    from:
      description: The revision that the service used, or was going to.
      type: str
      returned: always
    to:
      description: The revision that it uses now.
      type: str
      returned: always
    by:
      description: V(StopServiceDeployment), V(UpdateService), or null where nothing was to do.
      type: str
      returned: always
    image:
      description: The image that O(digest) stands for.
      type: str
      returned: with O(digest)
  sample: {from: "petclinic-rest-task:2", to: "petclinic-rest-task:1", by: UpdateService}
events:
  description: What ECS said during the wait, oldest first.
  returned: success
  type: list
  elements: str
"""

import time

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import service_deployments as past
from ansible_collections.handson.ecs.plugins.module_utils.compare import (
    dict_to_tags,
    foreign_because,
    merged_tags,
    tags_to_dict,
)
from ansible_collections.handson.ecs.plugins.module_utils.resource import KNOWN_AFTER_APPLY, Missing, ResourceError
from ansible_collections.handson.ecs.plugins.module_utils.rollout import Rollout
from ansible_collections.handson.ecs.plugins.module_utils.services import is_steady, primary, revision


class RollingBack(Rollout):
    """Follows ECS while it takes a service back from a deployment that was stopped."""

    def wait_back(self, service, deployment, target):
        """Return the events once the deployment is rolled back and the service steady. Raises ResourceError else."""
        deadline, counts = time.monotonic() + self._params["wait_timeout"], None
        while True:
            self._show(service)
            now = (service["runningCount"], service["desiredCount"], service["pendingCount"])
            if now != counts:
                self.say(f"{now[0]} of {now[1]} tasks running, {now[2]} pending")
                counts = now
            seen = self._client("ecs").describe_service_deployments(
                serviceDeploymentArns=[deployment["serviceDeploymentArn"]]
            )["serviceDeployments"][0]
            if seen["status"] in ("ROLLBACK_SUCCESSFUL", "STOPPED", "ROLLBACK_FAILED") and is_steady(service):
                if revision(service["taskDefinition"]) == target:
                    return self._lines
            if seen["status"] in ("STOPPED", "ROLLBACK_FAILED"):
                raise self._not_back(service, f"ended as {seen['status']}: {seen.get('statusReason') or 'no reason given'}")
            if time.monotonic() >= deadline:
                raise self._not_back(service, f"is not done after {self._params['wait_timeout']} s (service_wait_timeout)")
            time.sleep(self._params["wait_interval"])
            service = self._describe()

    def _not_back(self, service, what):
        self._deployment = primary(service).get("id")
        causes = "".join(f"\n- {cause}" for cause in self._causes(service))
        return ResourceError(
            f"The roll-back of the service {self._params['name']!r} {what}. It uses {revision(service['taskDefinition'])} with "
            f"{service['runningCount']} of {service['desiredCount']} tasks running. Mend the cause and run again, or name the "
            f"revision to go to: -e service_rollback_to=family:revision{causes}"
        )


class Rollback:
    """One roll-back of one service."""

    def __init__(self, module):
        self.module, self.params = module, module.params
        self.ecs = module.client("ecs")
        self.rollout = RollingBack(lambda service: self.ecs if service == "ecs" else module.client(service), module.params)

    def run(self):
        """Return the module's result."""
        p = self.params
        if p["digest"] and not past.DIGEST.fullmatch(p["digest"]):
            raise ResourceError(f"{p['digest']!r} (service_rollback_to_digest) is no digest: sha256: and 64 hexadecimal digits.")
        service = self.service()
        self.running = revision(service["taskDefinition"])
        listed = self.ecs.list_service_deployments(cluster=p["cluster"], service=p["name"], maxResults=100)
        deployments = listed["serviceDeployments"]
        self.under_way = past.ongoing(deployments)
        arns = past.worth_describing(deployments)
        described = self.ecs.describe_service_revisions(serviceRevisionArns=arns)["serviceRevisions"] if arns else []
        plan = past.plan(deployments, past.states(described))
        if p["digest"]:
            return self.go_to_image(service, plan)
        if p["to"]:
            return self.go_to(service, past.asked_revision(p["to"], self.running))
        if plan.kind == "back":
            self.rollout.say(f"{p['name']} is back on {self.running} already")
            return self.result(False, self.running, self.running, None)
        if plan.kind == "none" or (plan.target is None and plan.kind != "wait"):
            raise ResourceError(self.nothing(plan))
        if plan.kind == "image":
            raise ResourceError(self.moved_on(plan))
        if plan.kind in ("stop", "wait"):
            return self.stop(service, plan)
        self.warn_of_images(plan)
        return self.go_to(service, plan.target.task_definition)

    # --- ways back ------------------------------------------------------------------------------------------------

    def stop(self, service, plan):
        """Stop the deployment that is under way, unless it is being rolled back already, and follow."""
        target = plan.target.task_definition if plan.target else None
        source = plan.current.task_definition if plan.current else self.running
        stopping = plan.kind == "stop"
        if self.module.check_mode:
            return self.result(stopping, source, target, "StopServiceDeployment" if stopping else None)
        seen = {e["id"] for e in service.get("events") or []}
        self.rollout.follow(service, seen)
        self.rollout.say(
            f"the deployment of {source} is under way: stopping it, back to {target}"
            if stopping
            else f"ECS is rolling {self.params['name']} back already"
        )
        if stopping:
            try:
                self.ecs.stop_service_deployment(
                    serviceDeploymentArn=plan.deployment["serviceDeploymentArn"], stopType="ROLLBACK"
                )
            except is_boto3_error_code("ConflictException") as e:
                raise ResourceError(
                    f"The deployment of {source} could not be stopped: {e.response['Error']['Message']} It may have ended "
                    "meanwhile: run again, and what ended is rolled back."
                ) from None
        events = self.rollout.wait_back(service, plan.deployment, target)
        return self.result(stopping, source, target, "StopServiceDeployment" if stopping else None, events)

    def go_to(self, service, target, image=None):
        """Deploy a revision, unless the service is there or on its way."""
        failed = primary(service).get("rolloutState") == "FAILED"
        if target == self.running and not failed:
            if self.module.check_mode:
                return self.result(False, self.running, target, None, image=image)
            if not self.under_way:
                self.rollout.say(f"{self.params['name']} uses {target} already")
            return self.result(False, self.running, target, None, self.rollout.wait(service), image)
        self.task_definition(target)  # refused here, with the way out
        if self.module.check_mode:
            return self.result(True, self.running, target, "UpdateService", image=image)
        return self.deploy(service, target, image, failed and target == self.running)

    def deploy(self, service, target, image=None, force=False):
        """Start a deployment of a revision and wait until the service is steady."""
        self.rollout.say(f"{self.params['name']} goes from {self.running} to {target}")
        request = {"forceNewDeployment": True} if force else {}
        answer = self.ecs.update_service(
            cluster=self.params["cluster"], service=self.params["name"], taskDefinition=target, **request
        )
        self.rollout.follow(answer["service"], {e["id"] for e in service.get("events") or []})
        events = self.rollout.wait(answer["service"])
        return self.result(True, self.running, target, "UpdateService", events, image)

    def go_to_image(self, service, plan):
        """Register a revision that names the image by its digest, and deploy it."""
        p = self.params
        if p["to"]:
            base = past.asked_revision(p["to"], self.running)
        elif plan.kind in ("stop", "wait", "update") and plan.target:
            base = plan.target.task_definition
        else:
            base = self.running
        running = self.task_definition(self.running, active=False)["taskDefinition"]
        now = self.container(running)
        image = past.pinned_image(now["image"], p["digest"])
        if now["image"] == image and not p["to"]:
            return self.go_to(service, self.running, image)
        found = self.task_definition(base)
        definition = found["taskDefinition"]
        self.container(definition)["image"] = past.pinned_image(self.container(definition)["image"], p["digest"])
        if self.module.check_mode:
            return self.result(True, self.running, KNOWN_AFTER_APPLY, "UpdateService", image=image)
        takes = self.ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape.members
        request = {k: v for k, v in definition.items() if k in takes}
        tags = {**tags_to_dict(found.get("tags")), **merged_tags(p["tags"], p["owner"])}
        if tags:
            request["tags"] = dict_to_tags(tags, "key", "value")
        made = self.ecs.register_task_definition(**request)["taskDefinition"]
        target = revision(made["taskDefinitionArn"])
        self.rollout.say(f"registered {target} with {image}")
        return self.deploy(service, target, image)

    # --- looking --------------------------------------------------------------------------------------------------

    def service(self):
        """Return the service as DescribeServices gives it."""
        p = self.params
        try:
            found = self.ecs.describe_services(cluster=p["cluster"], services=[p["name"]], include=["TAGS"])["services"]
        except is_boto3_error_code("ClusterNotFoundException"):
            found = []
        active = [s for s in found if s["status"] == "ACTIVE"]
        if not active:
            raise Missing(
                f"There is no service named {p['name']!r} in {p['cluster']!r}, so there is nothing to roll back. Make it first: "
                "ansible-playbook playbooks/service.yml"
            )
        reason = foreign_because(tags_to_dict(active[0].get("tags")), p["owner"])
        if reason:
            raise ResourceError(f"The service {p['name']!r} is not ours: {reason}. It was not touched.")
        return active[0]

    def task_definition(self, name, active=True):
        """Return a revision as DescribeTaskDefinition gives it."""
        family = self.running.rpartition(":")[0]
        if name.rpartition(":")[0] != family or not name.rpartition(":")[2].isdigit():
            raise ResourceError(
                f"{name!r} is no revision of {family!r}, which the service {self.params['name']!r} uses. Give service_rollback_to "
                f"as {family}:<revision>, or the number alone."
            )
        try:
            found = self.ecs.describe_task_definition(taskDefinition=name, include=["TAGS"])
        except is_boto3_error_code(["ClientException", "InvalidParameterException"]):
            raise ResourceError(f"There is no task definition {name}. {self.which(family)}") from None
        if active and found["taskDefinition"].get("status") == "INACTIVE":
            raise ResourceError(f"The task definition {name} is deregistered: ECS starts no task of it. {self.which(family)}")
        return found

    def which(self, family):
        return (
            f"Choose one of these with -e service_rollback_to=family:revision: aws ecs list-task-definitions "
            f"--family-prefix {family} --sort DESC"
        )

    def container(self, definition):
        """Return the container of a task definition whose image is meant."""
        containers, wanted = definition["containerDefinitions"], self.params["container"]
        if wanted is None and len(containers) == 1:
            return containers[0]
        found = [c for c in containers if c["name"] == wanted]
        if not found:
            raise ResourceError(
                f"Which container is the image of? {definition['family']}:{definition['revision']} has "
                f"{', '.join(c['name'] for c in containers)}; container says {wanted!r}."
            )
        return found[0]

    # --- words ----------------------------------------------------------------------------------------------------

    def nothing(self, plan):
        name = self.params["name"]
        if plan.kind == "none" and plan.deployment and self.under_way:
            said = f"The service {name!r} has its first deployment under way, so there is nothing to go back to."
        else:
            said = (
                f"There is nothing to roll the service {name!r} back to: of the last 90 days, which ECS keeps, no other "
                f"successful deployment than that of {self.running} is known."
            )
        return f"{said} {self.which(self.running.rpartition(':')[0])}"

    def moved_on(self, plan):
        rows = past.moved(plan.current, plan.target).items()
        said = "; ".join(f"{image} was {then} and is {now} now" for _name, (image, now, then) in rows)
        digest = next(iter(rows))[1][2]
        return (
            f"The deployment before had the same task definition {plan.target.task_definition}, and its tag has moved on since: "
            f"{said}. A task definition that names a tag can't bring back what the tag named before. Bring that image back by "
            f"its digest (a revision with it is registered and deployed): -e service_rollback_to_digest={digest} or push the "
            "old image under the tag again and run playbooks/update.yml. So that a revision is one image for good, build with "
            "an image_tag of its own for each version."
        )

    def warn_of_images(self, plan):
        for image, now, then in past.moved(plan.current, plan.target).values() if plan.current else ():
            self.module.warn(
                f"{plan.target.task_definition} names its image by a tag: {image} was {then} when it ran and is {now} now, and "
                f"that is what starts. For the image of then add -e service_rollback_to_digest={then}"
            )

    def result(self, changed, source, target, by, events=(), image=None):
        return {
            "changed": changed,
            "rollback": {"from": source, "to": target, "by": by, **({"image": image} if image else {})},
            "events": list(events),
            "diff": {"before": {"task_definition": source}, "after": {"task_definition": target}},
        }


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "cluster": {"type": "str", "required": True},
            "to": {"type": "str"},
            "digest": {"type": "str"},
            "container": {"type": "str"},
            "owner": {"type": "dict", "default": {}},
            "tags": {"type": "dict", "default": {}},
            "wait_timeout": {"type": "int", "default": 900},
            "wait_interval": {"type": "float", "default": 5},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        result = Rollback(module).run()
    except ResourceError as e:
        module.fail_json(msg=str(e), **getattr(e, "details", {}))
    except (BotoCoreError, ClientError) as e:
        module.fail_json_aws(e, msg=f"Could not roll back the service {module.params['name']!r}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
