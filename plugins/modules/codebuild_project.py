#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: codebuild_project
version_added: 0.1.0
short_description: Keep a CodeBuild project that builds a GitHub repository
description:
  - Makes, changes and deletes a CodeBuild project with its webhook.
  - A build of the project itself has no artifacts. In a pipeline the same project works as it is, since CodePipeline
    overrides source and artifacts of the build that it starts.
  - Whether anything differs is seen by comparing, and only the part that differs is updated.
  - Deleting it stops the builds that run, and waits until they have ended, since they would write on to its log and cache.
  - What looks like a secret in a project, such as a token that somebody put into a plain variable, is shown as a
    fingerprint only, and compared as it is.
  - No option takes a token. A private repository is reached by a connection or by a secret, each given by its ARN.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the project, 2 to 150 letters, digits, hyphens and underscores.
    type: str
    required: true
  description:
    description: What the project is for. Left alone when not given.
    type: str
  source_url:
    description: HTTPS URL of the GitHub repository, such as V(https://github.com/alice/petclinic-rest).
    type: str
  source_version:
    description: Branch, tag or commit to build where a build names none. Empty means the default branch.
    type: str
    default: ""
  source_auth:
    description:
      - How CodeBuild gets to the repository. Left alone when not given.
    type: dict
    suboptions:
      type:
        description:
          - V(CODECONNECTIONS) for a connection, V(SECRETS_MANAGER) for a secret that holds a token.
          - V(NONE) means the credentials that the account has for GitHub, if any. A public repository without a webhook
            needs none.
        type: str
        choices: [NONE, CODECONNECTIONS, SECRETS_MANAGER]
        default: NONE
      resource:
        description: ARN of the connection or secret. Never the token itself.
        type: str
        default: ""
  buildspec:
    description:
      - The buildspec itself, or the path of one in the repository or in S3. Empty means V(buildspec.yml) in the
        repository.
    type: str
    default: ""
  image:
    description:
      - Image that builds run in. CodeBuild's own begin with C(aws/codebuild/); the service role pulls others.
    type: str
    default: aws/codebuild/amazonlinux-x86_64-standard:5.0
  environment_type:
    description: What builds run on.
    type: str
    choices: [LINUX_CONTAINER, LINUX_GPU_CONTAINER, ARM_CONTAINER, LINUX_LAMBDA_CONTAINER, ARM_LAMBDA_CONTAINER]
    default: LINUX_CONTAINER
  compute_type:
    description: How much of it. C(BUILD_LAMBDA_…) and only those go with the two Lambda types.
    type: str
    choices:
      - BUILD_GENERAL1_SMALL
      - BUILD_GENERAL1_MEDIUM
      - BUILD_GENERAL1_LARGE
      - BUILD_GENERAL1_XLARGE
      - BUILD_GENERAL1_2XLARGE
      - BUILD_LAMBDA_1GB
      - BUILD_LAMBDA_2GB
      - BUILD_LAMBDA_4GB
      - BUILD_LAMBDA_8GB
      - BUILD_LAMBDA_10GB
    default: BUILD_GENERAL1_SMALL
  privileged:
    description: Whether builds may run Docker, which they need to make an image.
    type: bool
    default: false
  variables:
    description: Environment variables, a value by name. Everybody who may look at the project reads them.
    type: dict
    default: {}
  parameter_store:
    description: Environment variables out of Parameter Store, the name of a parameter by name.
    type: dict
    default: {}
  secrets_manager:
    description:
      - Environment variables out of Secrets Manager, by name the secret's name or ARN with the key in it if it has
        several, such as V(petclinic/deploy:password).
    type: dict
    default: {}
  cache:
    description: Where builds keep what the buildspec names under C(cache). Without it they keep nothing.
    type: dict
    suboptions:
      type:
        description: V(S3) for a bucket, V(LOCAL) for the machine that builds.
        type: str
        choices: [S3, LOCAL, NO_CACHE]
        default: NO_CACHE
      bucket:
        description: Name of the bucket, for V(S3).
        type: str
      prefix:
        description: Folder in the bucket, one for each project.
        type: str
        default: ""
      modes:
        description: What to keep on the machine, for V(LOCAL).
        type: list
        elements: str
        choices: [LOCAL_SOURCE_CACHE, LOCAL_DOCKER_LAYER_CACHE, LOCAL_CUSTOM_CACHE]
        default: []
  log_group:
    description:
      - CloudWatch log group that builds write to. Make it first, with M(handson.ecs.log_group); CodeBuild makes one
        without retention where it isn't there. Empty means no logs in CloudWatch.
    type: str
    default: ""
  service_role:
    description: Name or ARN of the IAM role that builds have. Needed to make a project.
    type: str
  timeout:
    description: Minutes that a build may take, 5 to 2160, on Lambda to 15.
    type: int
    default: 60
  queued_timeout:
    description: Minutes that a build may wait to start, 5 to 480.
    type: int
    default: 480
  webhook:
    description:
      - Filter groups of the webhook by which GitHub starts builds. An empty list means no webhook. Left alone when not
        given.
      - Each group is a list of filters C({type, pattern, exclude}). A build starts where all filters of one group
        match. Every group needs one of type V(EVENT).
    type: list
    elements: list
  progress_file:
    description:
      - File that progress is written to while it waits. The action plugin of the same name sets it.
    type: path
"""

EXAMPLES = r"""
- name: Build petclinic on every push to master
  handson.ecs.codebuild_project:
    name: petclinic-rest-build
    source_url: https://github.com/alice/petclinic-rest
    source_version: master
    privileged: true
    service_role: petclinic-rest-build-role
    cache:
      type: S3
      bucket: alice-codebuild-cache-store
      prefix: petclinic-rest
    log_group: /aws/codebuild/petclinic-rest-build
    webhook:
      - - {type: EVENT, pattern: PUSH}
        - {type: HEAD_REF, pattern: "^refs/heads/master$"}
"""

RETURN = r"""
project:
  description: The project in the names of the options, with its ARN.
  returned: always
  type: dict
  sample:
    name: petclinic-rest-build
    arn: arn:aws:codebuild:ap-southeast-1:123456789012:project/petclinic-rest-build
    source_url: https://github.com/alice/petclinic-rest
    source_version: master
    image: aws/codebuild/amazonlinux-x86_64-standard:5.0
    webhook: [[{"exclude": false, "pattern": "PUSH", "type": "EVENT"}]]
    tags: {"handson:service": petclinic-rest-service}
"""

import time

from ansible_collections.handson.ecs.plugins.module_utils import names
from ansible_collections.handson.ecs.plugins.module_utils.build_projects import (
    CACHE_MODES,
    COMPUTE_TYPES,
    ENVIRONMENT_TYPES,
    PART_OF,
    faults,
    image_pull_credentials,
    masked,
    misplaced_secrets,
    normalized_auth,
    normalized_cache,
    normalized_webhook,
    project_from_aws,
    project_to_aws,
    webhook_to_aws,
)
from ansible_collections.handson.ecs.plugins.module_utils.build_runs import ROLE_NOT_YET, is_over
from ansible_collections.handson.ecs.plugins.module_utils.compare import tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.progress import Progress
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    ClientError,
    Resource,
    ResourceError,
    argument_spec,
    ignore_missing,
)
from ansible_collections.handson.ecs.plugins.module_utils.unlogged import unlogged_module

#: Said where the role may not use the connection of `source_auth`. CodeBuild looks already when the project is made:
#: https://github.com/aws/aws-cdk/issues/38504, and of webhooks https://github.com/aws/aws-cdk/issues/31726
NO_CONNECTION = ("is not authorized to access connection", "Access denied to connection")
#: Said as long as IAM has not told CodeBuild of a new role, or of its new policies
NOT_SPREAD = (*ROLE_NOT_YET, *NO_CONNECTION)
GONE = "ResourceNotFoundException"
#: GitHub, or the way there, has refused
NOT_LET_IN = "OAuthProviderException"
#: And so it says where the way is a connection
NO_WAY = "InvalidInputException"
#: Seconds until a build that was told to stop must have ended, and between two looks at it
STOP_TIMEOUT, STOP_INTERVAL = 300, 3
#: What a connection takes to be used by a project
HOW_TO_CONNECT = (
    "The connection of source_auth (build_project_source_auth_arn) must be approved and of this account, and the project's "
    "role must be allowed codeconnections:GetConnection, GetConnectionToken and UseConnection on it, which "
    "playbooks/build.yml sees to; you need codeconnections:PassConnection."
)


class CodebuildProject(Resource):
    kind = "build project"
    result_key = "project"
    exists_codes = ("ResourceAlreadyExistsException",)

    def __init__(self, module):
        super().__init__(module)
        self._live = None  # the project as AWS gave it, for what is no option of ours
        self._progress = Progress(self.params["progress_file"])

    def get(self):
        found = self.client("codebuild").batch_get_projects(names=[self.name])["projects"]
        self._live = found[0] if found else None
        if self._live is None:
            return None
        return {**project_from_aws(self._live), "tags": tags_to_dict(self._live.get("tags"))}

    def desired(self, current):
        desired = {
            **self.given("name", "description", "source_url", "source_version", "buildspec", "image"),
            **self.given("environment_type", "compute_type", "privileged", "log_group", "timeout", "queued_timeout"),
            "source_type": "GITHUB",
            "artifacts": "NO_ARTIFACTS",
            "badge": False,
            "image_pull_credentials": image_pull_credentials(self.params["image"]),
            "cache": normalized_cache(self.params["cache"]),
            "service_role": self.resolve(lambda: names.role_arn(self.client("iam"), self.params["service_role"], "build")),
        }
        for option in ("variables", "parameter_store", "secrets_manager"):
            desired[option] = {k: str(v) for k, v in (self.params[option] or {}).items()}
        if self.params["source_auth"] is not None:
            desired["source_auth"] = normalized_auth(self.params["source_auth"])
        if self.params["webhook"] is not None:
            desired["webhook"] = normalized_webhook(self.params["webhook"])
        return desired

    def create(self, desired):
        parameters = project_to_aws(desired, desired)
        self._with_its_role("made", lambda: self.client("codebuild").create_project(name=self.name, **parameters))
        if desired.get("webhook"):
            self._create_webhook(desired["webhook"])

    def update(self, current, desired, changes):
        codebuild = self.client("codebuild")
        # A webhook is GitHub's for one repository: it goes before that changes, and comes again for the new one.
        moved = "source_url" in changes and current["webhook"]
        wanted = desired.get("webhook", current["webhook"])
        if current["webhook"] and (moved or not wanted):
            self._delete_webhook()
        if changes & set(PART_OF):
            parameters = project_to_aws(desired, changes, self._live)
            self._with_its_role("changed", lambda: codebuild.update_project(name=self.name, **parameters))
        if wanted and (moved or not current["webhook"]):
            self._create_webhook(wanted)
        elif wanted and "webhook" in changes:
            groups = webhook_to_aws(wanted)
            self._by_github(lambda: codebuild.update_webhook(projectName=self.name, filterGroups=groups))

    def delete(self, current):
        if current["webhook"]:
            self._delete_webhook()
        self._stop_builds()
        self.client("codebuild").delete_project(name=self.name)

    def _patiently(self, call):
        """Call until IAM has told CodeBuild of the role and of what it may do."""
        return self.retry_on(NOT_SPREAD, call)

    def _with_its_role(self, done, call):
        """Make or change the project, which CodeBuild does with a look at what its role may do."""
        try:
            return self._patiently(call)
        except ClientError as e:
            if not any(said in str(e) for said in NO_CONNECTION):
                raise
            raise ResourceError(
                f"The build project {self.name!r} can't be {done}: {e.response['Error'].get('Message')} {HOW_TO_CONNECT}"
            ) from None

    # --- its builds -----------------------------------------------------------------------------------------------

    def _stop_builds(self):
        """Stop what runs. A build outlives its project: it would make its log group anew and fill its cache again."""
        told, deadline = set(), time.monotonic() + STOP_TIMEOUT
        while running := self._running():
            for build in running:
                if build["id"] not in told:
                    told.add(build["id"])
                    self._progress.say(f"stops the build {build['id']}, which is in phase {build.get('currentPhase')}")
                    # One that has just ended is refused; the next look tells.
                    ignore_missing(lambda b=build: self.client("codebuild").stop_build(id=b["id"]), GONE, NO_WAY)
            if time.monotonic() >= deadline:
                raise ResourceError(
                    f"The build {running[0]['id']} still runs, {STOP_TIMEOUT} s after it was told to stop, so the build "
                    f"project {self.name!r} was left. Look at it in the CodeBuild console, and run again."
                )
            time.sleep(STOP_INTERVAL)

    def _running(self):
        """The builds that run, out of the newest hundred."""
        codebuild = self.client("codebuild")
        listed = ignore_missing(
            lambda: codebuild.list_builds_for_project(projectName=self.name, sortOrder="DESCENDING"), GONE
        )
        ids = (listed or {}).get("ids") or []
        return [b for b in codebuild.batch_get_builds(ids=ids)["builds"] if not is_over(b)] if ids else []

    # --- what is shown --------------------------------------------------------------------------------------------

    def _diff(self, before, after):
        return super()._diff(masked(before), masked(after))

    def _present(self):
        return self._masked(super()._present())

    def _absent(self):
        return self._masked(super()._absent())  # one that isn't ours is shown

    @staticmethod
    def _masked(result):
        return {**result, "project": masked(result["project"])} if result["project"] else result

    # --- the webhook ----------------------------------------------------------------------------------------------

    def _create_webhook(self, groups):
        # The answer holds the webhook's secret, so nobody keeps it.
        parameters = {"projectName": self.name, "filterGroups": webhook_to_aws(groups)}
        codebuild = self.client("codebuild")
        try:
            self._by_github(lambda: codebuild.create_webhook(**parameters))
        except ClientError as e:  # made by our own first try, whose answer was lost
            if e.response.get("Error", {}).get("Code") != "ResourceAlreadyExistsException":
                raise
            self._by_github(lambda: codebuild.update_webhook(**parameters))

    def _delete_webhook(self):
        def delete():
            return ignore_missing(lambda: self.client("codebuild").delete_webhook(projectName=self.name), GONE)

        if self.params["state"] == "present":
            self._by_github(delete)
            return
        try:
            delete()
        except ClientError as e:
            if e.response.get("Error", {}).get("Code") not in (NOT_LET_IN, NO_WAY):
                raise
            # The repository or the connection to it has gone before: no reason to keep the project.
            self.module.warn(
                f"GitHub did not let CodeBuild delete the webhook of the build project {self.name!r}. Where the "
                "repository is still there, delete it under Settings, Webhooks."
            )

    def _by_github(self, call):
        """Make a call that CodeBuild passes on to GitHub."""
        try:
            return self._patiently(call)
        except ClientError as e:
            error = e.response.get("Error", {})
            said = error.get("Message", "")
            by_connection = any(fragment in said for fragment in NO_CONNECTION)
            if error.get("Code") != NOT_LET_IN and "access token" not in said and not by_connection:
                raise
            way_out = HOW_TO_CONNECT + " Besides, CodeBuild needs" if by_connection else "CodeBuild needs"
            raise ResourceError(
                f"The build project {self.name!r} is there, but GitHub did not let CodeBuild set its webhook: "
                f"{said} {way_out} credentials of somebody who administers the repository: give "
                "source_auth (in the inventory build_project_source_auth_type and build_project_source_auth_arn), or "
                "connect the account to GitHub once in the CodeBuild console. Or do without a webhook: "
                "build_project_webhook_enabled: false."
            ) from None


def check(module):
    """Fail on what CodeBuild would refuse, before anything is made."""
    if module.params["state"] == "absent":
        return
    found = faults(module.params)
    if found:
        # What somebody put where it does not belong is shown neither in the message nor among the arguments (-vvv).
        module.no_log_values.update(misplaced_secrets(module.params))
        module.fail_json(msg=f"The build project {module.params['name']!r} can't be: " + "; ".join(found) + ".")


def main():
    auth = {
        "type": {"type": "str", "choices": ["NONE", "CODECONNECTIONS", "SECRETS_MANAGER"], "default": "NONE"},
        "resource": {"type": "str", "default": ""},
    }
    cache = {
        "type": {"type": "str", "choices": ["S3", "LOCAL", "NO_CACHE"], "default": "NO_CACHE"},
        "bucket": {"type": "str"},
        "prefix": {"type": "str", "default": ""},
        "modes": {"type": "list", "elements": "str", "choices": list(CACHE_MODES), "default": []},
    }
    spec = argument_spec(
        name={"type": "str", "required": True},
        description={"type": "str"},
        source_url={"type": "str"},
        source_version={"type": "str", "default": ""},
        source_auth={"type": "dict", "options": auth},
        buildspec={"type": "str", "default": ""},
        image={"type": "str", "default": "aws/codebuild/amazonlinux-x86_64-standard:5.0"},
        environment_type={"type": "str", "choices": list(ENVIRONMENT_TYPES), "default": "LINUX_CONTAINER"},
        compute_type={"type": "str", "choices": list(COMPUTE_TYPES), "default": "BUILD_GENERAL1_SMALL"},
        privileged={"type": "bool", "default": False},
        variables={"type": "dict", "default": {}},
        parameter_store={"type": "dict", "default": {}},
        # Names of secrets, not secrets.
        secrets_manager={"type": "dict", "default": {}, "no_log": False},
        cache={"type": "dict", "options": cache},
        log_group={"type": "str", "default": ""},
        service_role={"type": "str"},
        timeout={"type": "int", "default": 60},
        queued_timeout={"type": "int", "default": 480},
        webhook={"type": "list", "elements": "list"},
        progress_file={"type": "path"},
    )
    module = unlogged_module(
        argument_spec=spec,
        supports_check_mode=True,
        required_if=[("state", "present", ["source_url", "service_role"])],
    )
    check(module)
    CodebuildProject(module).run()


if __name__ == "__main__":
    main()
