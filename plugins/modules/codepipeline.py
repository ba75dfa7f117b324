#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: codepipeline
version_added: 0.1.0
short_description: Keep a pipeline from GitHub by CodeBuild to an ECS service
description:
  - Makes, changes and deletes a pipeline of type V2 with the stages Source (a repository, read by a connection), Build
    (a CodeBuild project), where asked for Approval (by a person), and Deploy (the image into an ECS service).
  - Of stages, actions and triggers the module keeps all. What was added to them elsewhere is a difference and goes.
    Variables of the pipeline are left alone.
  - A pipeline that is made runs at once, as AWS has it; one that is changed does not.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the pipeline, at most 100 letters, digits and V(.@-_).
    type: str
    required: true
  role:
    description: Name or ARN of the role that the pipeline works with.
    type: str
  artifact_bucket:
    description: Name of the bucket, in the pipeline's region, that holds what one action hands to the next.
    type: str
  artifact_kms_key:
    description:
      - KMS key (ARN) that encrypts the artifacts. Empty takes the account's key for S3.
      - Its policy must let the roles of pipeline and build project use it.
    type: str
    default: ""
  connection:
    description: Name or ARN of the connection that reads the repository.
    type: str
  repository:
    description: The GitHub repository, as C(https://github.com/<owner>/<name>) or C(<owner>/<name>).
    type: str
  branch:
    description: The branch that is built.
    type: str
    default: master
  source_format:
    description:
      - V(CODE_ZIP) hands the build a ZIP of the files, V(CODEBUILD_CLONE_REF) lets it clone, so that it has git's history.
      - For the latter the role of the build project must be allowed to use the connection.
    type: str
    choices: [CODE_ZIP, CODEBUILD_CLONE_REF]
    default: CODE_ZIP
  trigger:
    description: Whether a push to the branch starts the pipeline.
    type: bool
    default: true
  build_project:
    description: Name of the CodeBuild project. It must be there when the pipeline is made.
    type: str
  approval:
    description: Whether a person must approve between build and deployment.
    type: bool
    default: false
  approval_message:
    description: What that person reads.
    type: str
    default: ""
  approval_timeout:
    description: Minutes until an approval that nobody gave fails, 5 to 86400. AWS takes 7 days when not given.
    type: int
  cluster:
    description: Name of the ECS cluster.
    type: str
  service:
    description: Name of the ECS service to deploy to.
    type: str
  image_file:
    description: The file in the build's output that says which container gets which image.
    type: str
    default: imagedefinitions.json
  deploy_timeout:
    description: Minutes until a deployment that is not steady fails, 1 to 60. AWS takes 60 when not given.
    type: int
  execution_mode:
    description:
      - What happens to a run that has to wait for another one. V(SUPERSEDED), a newer one takes its place; V(QUEUED), they
        wait in line.
    type: str
    choices: [SUPERSEDED, QUEUED]
    default: SUPERSEDED
  role_timeout:
    description: Seconds to wait until AWS lets the pipeline have a role that was just made.
    type: int
    default: 90
"""

EXAMPLES = r"""
- name: Keep the pipeline of the petclinic service
  handson.ecs.codepipeline:
    name: petclinic-rest-codepipeline
    role: petclinic-rest-codepipeline-role
    artifact_bucket: petclinic-rest-codepipeline-123456789012
    connection: petclinic-rest-github
    repository: https://github.com/me/spring-petclinic-rest
    branch: master
    build_project: petclinic-rest-build
    cluster: petclinic-rest-cluster
    service: petclinic-rest-service
"""

RETURN = r"""
pipeline:
  description: The pipeline with its ARN, version, stages and triggers as AWS has them, and its page in the console.
  returned: always
  type: dict
  sample:
    name: petclinic-rest-codepipeline
    arn: arn:aws:codepipeline:ap-southeast-1:123456789012:petclinic-rest-codepipeline
    version: 1
    type: V2
    execution_mode: SUPERSEDED
"""

try:
    from botocore.exceptions import ClientError
except ImportError:  # AnsibleAWSModule reports the missing library in its own words
    ClientError = Exception

from ansible_collections.handson.ecs.plugins.module_utils import names
from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags, tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.connections import (
    connection_from_aws,
    connections_named,
    is_arn,
    most_usable,
)
from ansible_collections.handson.ecs.plugins.module_utils.pipelines import (
    PROVIDER,
    ROLE_NOT_THERE_YET,
    console_url,
    declaration,
    faults,
    login_in,
    pipeline_from_aws,
    stages_of,
    triggers_of,
    value_in_stages,
)
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    KNOWN_AFTER_APPLY,
    Missing,
    Resource,
    ResourceError,
    argument_spec,
    ignore_missing,
)
from ansible_collections.handson.ecs.plugins.module_utils.secrets import TOKENS
from ansible_collections.handson.ecs.plugins.module_utils.unlogged import unlogged_module

GONE = "PipelineNotFoundException"
#: Of the option, the variable that the inventory has for it, where it isn't the pipeline's own
VARIABLES = {
    "repository": "build_project_source_url",
    "branch": "build_project_branch",
    "build_project": "build_project_name",
    "cluster": "cluster_name",
    "service": "service_name",
    "connection": "pipeline_connection_name",
    "role": "pipeline_role_name",
}


class CodePipeline(Resource):
    kind = "pipeline"
    result_key = "pipeline"
    # Every pipeline of V1 can become one of V2 by an update.
    exists_codes = ("PipelineNameInUseException",)

    def __init__(self, module):
        super().__init__(module)
        # A login that somebody wrote into the URL is refused below, and must not be shown doing so.
        login = login_in(self.params["repository"] or "")
        if login:
            self.module.no_log_values.update({login, *login.split(":")} - {""})
        connection = self.params["connection"] or ""
        if TOKENS.search(connection):
            self.module.no_log_values.add(connection)

    def get(self):
        codepipeline = self.client("codepipeline")
        found = ignore_missing(lambda: codepipeline.get_pipeline(name=self.name), GONE)
        if not found:
            return None
        arn = found["metadata"]["pipelineArn"]
        tags = ignore_missing(
            lambda: codepipeline.list_tags_for_resource(resourceArn=arn), "ResourceNotFoundException"
        )
        return pipeline_from_aws(found, tags_to_dict((tags or {}).get("tags")))

    def desired(self, current):
        wrong = faults(self.params)
        if wrong:
            said = "; ".join(f"{option} ({VARIABLES.get(option, 'pipeline_' + option)}): {fault}" for option, fault in wrong)
            raise ResourceError(f"AWS would not have the pipeline {self.name!r} so: {said}.")
        self._needs_the_project(current)
        self._needs_the_bucket(current)
        return {
            **self.given("name", "artifact_bucket", "artifact_kms_key", "execution_mode"),
            "type": "V2",
            "role": self.resolve(lambda: self._role(current)),
            "stages": stages_of(self.params, self.resolve(lambda: self._connection(current))),
            "triggers": triggers_of(self.params),
        }

    def create(self, desired):
        tags = dict_to_tags(desired.get("tags") or {}, "key", "value")
        self._with_role(
            desired,
            lambda: self.client("codepipeline").create_pipeline(
                pipeline=declaration(desired), **({"tags": tags} if tags else {})
            ),
        )

    def update(self, current, desired, changes):
        codepipeline = self.client("codepipeline")
        if changes - {"tags"}:
            whole = declaration({**current, **desired})
            self._with_role(desired, lambda: codepipeline.update_pipeline(pipeline=whole))
        if "tags" in changes:
            tags = dict_to_tags(desired["tags"], "key", "value")
            codepipeline.tag_resource(resourceArn=current["arn"], tags=tags)

    def delete(self, current):
        ignore_missing(lambda: self.client("codepipeline").delete_pipeline(name=self.name), GONE)

    def after(self, current, changed):
        current["console_url"] = console_url(current["arn"]) if current.get("arn") else KNOWN_AFTER_APPLY
        return {}

    # --- what it stands on ----------------------------------------------------------------------------------------

    def _role(self, current):
        """The ARN of the role. No call where the pipeline has a role of that name already."""
        role, have = self.params["role"], (current or {}).get("role", "")
        if have and have.rsplit("/", 1)[-1] == role:
            return have
        return role if role == KNOWN_AFTER_APPLY else names.role_arn(self.client("iam"), role, "pipeline")

    def _connection(self, current):
        """The ARN of the connection."""
        connection = self.params["connection"]
        if is_arn(connection) or connection == KNOWN_AFTER_APPLY:
            return connection
        named = connections_named(self.client("codeconnections"), connection)
        have = value_in_stages((current or {}).get("stages"), PROVIDER, "ConnectionArn")
        if have in [c["ConnectionArn"] for c in named]:
            return have
        found = most_usable(connection_from_aws(c, {}) for c in named)
        if found is None:
            raise Missing(
                f"There is no connection named {connection!r}. Make it first: ansible-playbook playbooks/pipeline.yml"
            )
        return found["arn"]

    def _needs_the_project(self, current):
        """Raise Missing where the build project is new to the pipeline and not there. AWS would say so only at the run."""
        project = self.params["build_project"]
        if value_in_stages((current or {}).get("stages"), "CodeBuild", "ProjectName") == project:
            return

        def look():
            if not self.client("codebuild").batch_get_projects(names=[project])["projects"]:
                raise Missing(
                    f"There is no build project named {project!r}. Make it first: ansible-playbook playbooks/build.yml"
                )

        self.resolve(look)

    def _needs_the_bucket(self, current):
        bucket = self.params["artifact_bucket"]
        if (current or {}).get("artifact_bucket") == bucket:
            return

        def look():
            if ignore_missing(lambda: self.client("s3").head_bucket(Bucket=bucket), "404", "NoSuchBucket") is None:
                raise Missing(
                    f"There is no bucket named {bucket!r}. Make it first: ansible-playbook playbooks/pipeline.yml"
                )

        self.resolve(look)

    def _with_role(self, desired, call):
        """Call, waiting for a new role to be known. Raises ResourceError where it never is."""
        try:
            return self.retry_on(ROLE_NOT_THERE_YET, call, timeout=self.params["role_timeout"])
        except ClientError as e:
            if not any(fragment in str(e) for fragment in ROLE_NOT_THERE_YET):
                raise
            raise ResourceError(
                f"CodePipeline may not assume the role {desired['role']}, after {self.params['role_timeout']} s of trying. Its "
                "trust policy must name codepipeline.amazonaws.com, and its conditions must hold for the pipeline "
                f"{self.name!r}: look at pipeline_trust_conditions ({{}} takes them away)."
            ) from None


def main():
    spec = argument_spec(
        name={"type": "str", "required": True},
        role={"type": "str"},
        artifact_bucket={"type": "str"},
        # The name of a key is no secret.
        artifact_kms_key={"type": "str", "default": "", "no_log": False},
        connection={"type": "str"},
        repository={"type": "str"},
        branch={"type": "str", "default": "master"},
        source_format={"type": "str", "choices": ["CODE_ZIP", "CODEBUILD_CLONE_REF"], "default": "CODE_ZIP"},
        trigger={"type": "bool", "default": True},
        build_project={"type": "str"},
        approval={"type": "bool", "default": False},
        approval_message={"type": "str", "default": ""},
        approval_timeout={"type": "int"},
        cluster={"type": "str"},
        service={"type": "str"},
        image_file={"type": "str", "default": "imagedefinitions.json"},
        deploy_timeout={"type": "int"},
        execution_mode={"type": "str", "choices": ["SUPERSEDED", "QUEUED"], "default": "SUPERSEDED"},
        role_timeout={"type": "int", "default": 90},
    )
    needed = ["role", "artifact_bucket", "connection", "repository", "build_project", "cluster", "service"]
    CodePipeline(
        unlogged_module(argument_spec=spec, supports_check_mode=True, required_if=[("state", "present", needed)])
    ).run()


if __name__ == "__main__":
    main()
