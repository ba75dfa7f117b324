#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: codebuild_run
version_added: 0.1.0
short_description: Run a build, and show its log while it runs
description:
  - Starts a build of a CodeBuild project, shows its phases and the lines of its log as they come, and waits for its end.
  - Fails with the phase that failed, what CodeBuild says of it, the log's last lines, and what to do.
  - A build goes on when the run that started it is interrupted. The next run follows it, see O(when_running).
  - Takes secrets out of the lines that it shows, in addition to what CodeBuild does. These are values of plain variables
    whose names say secret, assignments to such names, credentials in URLs, and tokens of GitHub and GitLab.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    description: Says what it would start, or which build it would follow.
    support: full
options:
  project:
    description: Name of the build project.
    type: str
    required: true
  owner:
    description: Tags that the project must carry, so that nothing of somebody else's is built. Empty checks nothing.
    type: dict
    default: {}
  source_version:
    description: What to build - a commit, a branch, a tag, or V(pr/25). Without it, what the project says.
    type: str
  build_id:
    description: Follow this build instead of starting one.
    type: str
  unless_image:
    description:
      - Start a build only where the registry has no such image yet, so that a first run has something to deploy.
      - Where it has, nothing is done, and RV(build) is null.
    type: dict
    suboptions:
      repository:
        description: Name of the ECR repository.
        type: str
        required: true
      tag:
        description: Tag of the image.
        type: str
        required: true
  when_running:
    description:
      - What to do where a build of the project runs already that does the same. A pipeline's own builds do not count.
      - It does the same where it is one of O(source_version); without that, of the version that the project names, or of a
        push to that branch which the webhook built.
      - V(follow) follows it, V(start) starts another one beside it, V(fail) says so and fails.
    type: str
    choices: [follow, start, fail]
    default: follow
  show_log:
    description: Whether the log's lines are shown. Its last lines are always part of a failure.
    type: bool
    default: true
  wait:
    description: Whether to wait for the build's end.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait at most. The build goes on by itself.
    type: int
    default: 3600
  wait_interval:
    description: Seconds between two looks.
    type: float
    default: 5
  progress_file:
    description: File to append progress to. The action plugin sets it and shows the lines.
    type: path
"""

EXAMPLES = r"""
- name: Build what is on the project's branch
  handson.ecs.codebuild_run:
    project: petclinic-rest-build

- name: Build a pull request
  handson.ecs.codebuild_run:
    project: petclinic-rest-build
    source_version: pr/25
"""

RETURN = r"""
build:
  description: The build. Null in check mode, unless one would be followed, and where O(unless_image) is there.
  returned: success, and failure of a build
  type: dict
  sample:
    id: petclinic-rest-build:0c5b…
    number: 3
    status: SUCCEEDED
    source_version: refs/heads/master
    commit: 5f3c…
    phases: [{phase: BUILD, status: SUCCEEDED, seconds: 62, message: null}]
    failed_phase: null
    exported: {IMAGE_DIGEST: "sha256:…"}
    log_group: /aws/codebuild/petclinic-rest-build
    log_stream: 0c5b…
    url: https://…
followed:
  description: Whether the build was there already. It then is nothing that this run changed.
  returned: success, and failure of a build
  type: bool
log:
  description: The log's last lines.
  returned: when it waited
  type: list
  elements: str
"""

import time
import uuid

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import build_runs
from ansible_collections.handson.ecs.plugins.module_utils.compare import tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.names import refuse_foreign_parent
from ansible_collections.handson.ecs.plugins.module_utils.resource import Missing, Resource, ResourceError, ignore_missing

#: How many of a project's newest builds are looked at for one that runs.
NEWEST = 20


class BuildRun(Resource):
    """A build rather than a resource: of the base class only its clients and its patience with IAM are used."""

    kind = "build"
    name_option = "project"

    def result(self):
        p, watch = self.params, build_runs.BuildWatch(self.client, self.params)
        if self._image_is_there():
            return {"changed": False, "build": None, "followed": False}
        found = self._found()
        if found and p["when_running"] == "fail" and not p["build_id"]:
            raise ResourceError(
                f"The build {found['id']} of {self.name!r} runs already. Wait for its end, follow it, or start another "
                "one beside it (when_running: follow or start)."
            )
        what = f"{self.name}, {p['source_version'] or 'the version that the project names'}"
        if self.module.check_mode:
            watch.say(f"would follow the build {found['id']}" if found else f"would start a build of {what}")
            return {
                "changed": not found,
                "build": build_runs.describe(found) if found else None,
                "followed": bool(found),
            }
        if found:
            watch.say(f"follows the build {found['id']}")
        build = found or self._start(watch)
        if not found:
            watch.say(f"build {build['id']} of {what}")
        result = {"changed": not found, "followed": bool(found)}
        if not p["wait"]:
            return {**result, "build": build_runs.describe(build)}
        try:
            build = watch.follow(build)
        except ResourceError as e:
            e.details = {**getattr(e, "details", {}), **result}
            raise
        except (BotoCoreError, ClientError):
            watch.say(f"The build {build['id']} goes on by itself; a second run follows it.")
            raise
        result.update(build=build_runs.describe(build), log=watch.log.last)
        if build["buildStatus"] != "SUCCEEDED":
            error = ResourceError(build_runs.failure(build, watch.log.last))
            error.details = result
            raise error
        return result

    def _found(self):
        """Return the build to follow, None where one is to be started. Refuses a project that is somebody else's."""
        p, codebuild = self.params, self.client("codebuild")
        projects = codebuild.batch_get_projects(names=[self.name])["projects"]
        if not projects:
            if self.module.check_mode:  # the run that is tried out would make it first
                return None
            raise Missing(
                f"There is no build project named {self.name!r}. Make it first: ansible-playbook playbooks/build.yml"
            )
        refuse_foreign_parent("build project", self.name, tags_to_dict(projects[0].get("tags")), p["owner"])
        if p["build_id"]:
            builds = codebuild.batch_get_builds(ids=[p["build_id"]])["builds"]
            if not builds or builds[0].get("projectName") != self.name:
                raise ResourceError(
                    f"The project {self.name!r} has no build {p['build_id']!r}. An id is PROJECT:NUMBERS, as the console "
                    "shows it under build history."
                )
            return builds[0]
        if p["when_running"] == "start":
            return None
        ids = codebuild.list_builds_for_project(projectName=self.name, sortOrder="DESCENDING").get("ids") or []
        builds = codebuild.batch_get_builds(ids=ids[:NEWEST])["builds"] if ids else []
        return build_runs.to_follow(builds, p["source_version"], projects[0])

    def _image_is_there(self):
        image = self.params["unless_image"]
        if not image:
            return False
        found = ignore_missing(
            lambda: self.client("ecr").batch_get_image(
                repositoryName=image["repository"], imageIds=[{"imageTag": image["tag"]}]
            ),
            "RepositoryNotFoundException",
        )
        return bool(found and found["images"])

    def _start(self, watch):
        # A repeated call (a lost answer) gets the same build again.
        request = {"projectName": self.name, "idempotencyToken": str(uuid.uuid4())}
        if self.params["source_version"]:
            request["sourceVersion"] = self.params["source_version"]
        deadline, waiting = time.monotonic() + self.params["wait_timeout"], False
        while True:
            try:
                return self.retry_on(build_runs.ROLE_NOT_YET, lambda: self.client("codebuild").start_build(**request)["build"])
            except ClientError as e:
                full = build_runs.full(e)
                if not full:
                    raise
                helps, said = full
                if not helps or not self.params["wait"]:
                    raise ResourceError(said) from e
                if time.monotonic() >= deadline:
                    raise ResourceError(f"{said} After {self.params['wait_timeout']} s there is still no room.") from e
                if not waiting:
                    watch.say(f"{said} It waits for one to end.")
                waiting = True
            time.sleep(max(self.params["wait_interval"], 0.1))


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "project": {"type": "str", "required": True},
            "owner": {"type": "dict", "default": {}},
            "source_version": {"type": "str"},
            "build_id": {"type": "str"},
            "unless_image": {
                "type": "dict",
                "options": {"repository": {"type": "str", "required": True}, "tag": {"type": "str", "required": True}},
            },
            "when_running": {"type": "str", "choices": ["follow", "start", "fail"], "default": "follow"},
            "show_log": {"type": "bool", "default": True},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 3600},
            "wait_interval": {"type": "float", "default": 5},
            "progress_file": {"type": "path"},
        },
        mutually_exclusive=[("build_id", "source_version")],
        supports_check_mode=True,
    )
    try:
        result = BuildRun(module).result()
    except ResourceError as e:
        module.fail_json(msg=str(e), **getattr(e, "details", {}))
    except (BotoCoreError, ClientError) as e:
        refused = build_runs.refusal(e)
        if refused:
            module.fail_json(msg=refused)
        module.fail_json_aws(e, msg=f"Could not run a build of {module.params['project']!r}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
