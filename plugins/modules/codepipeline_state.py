#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: codepipeline_state
version_added: 0.1.0
short_description: Tell how a pipeline stands, stage by stage
description:
  - Reads a pipeline's stages, its newest execution, and what waits for a person, which are approvals and transitions that
    somebody has switched off. Starts nothing and changes nothing.
  - A pipeline that is not there is an answer and no failure.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    description: Reads the same.
    support: full
options:
  pipeline:
    description: Name of the pipeline.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Look at the pipeline
  handson.ecs.codepipeline_state:
    pipeline: petclinic-rest-codepipeline
  register: looked
"""

RETURN = r"""
state:
  description:
    - How the pipeline stands. Null where there is none.
    - Of each stage that of its actions that says most, which is what failed, what runs, or what moved last. Null where
      none has run yet.
  returned: success
  type: dict
  sample:
    name: petclinic-rest-codepipeline
    url: https://…
    execution:
      id: 3137f7cb-7cf7-039j-s83l-d7eu3EXAMPLE
      status: InProgress
      started: "2026-11-22T10:04:10+00:00"
      started_by: WebhookV2
      revision: 5f3c0c1d9a6b…
      commit: 5f3c0c1 Say hello
    stages:
      - stage: Build
        status: Failed
        execution_id: 3137f7cb-7cf7-039j-s83l-d7eu3EXAMPLE
        inbound_execution_id: null
        action: Build
        action_status: Failed
        at: "2026-11-22T10:06:01+00:00"
        revision: null
        summary: null
        error: "JobFailed: Build terminated with state: FAILED"
        url: https://…
        text: "Build: Failed, JobFailed: Build terminated with state: FAILED"
    waiting:
      - {kind: approval, stage: Approve, action: Approve, text: "Approve / Approve waits for a person: https://…"}
"""

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import build_runs, pipeline_states


def looked(module):
    """Return how the pipeline stands, None where there is none."""
    name, codepipeline = module.params["pipeline"], module.client("codepipeline")
    try:
        state = codepipeline.get_pipeline_state(name=name)
    except is_boto3_error_code("PipelineNotFoundException"):
        return None
    # The newest first.
    found = codepipeline.list_pipeline_executions(pipelineName=name, maxResults=1)["pipelineExecutionSummaries"]
    region = codepipeline.meta.region_name
    url = build_runs.console(region, f"codesuite/codepipeline/pipelines/{name}/view?region={region}")
    return pipeline_states.describe(state, next(iter(found), None), url)


def main():
    module = AnsibleAWSModule(argument_spec={"pipeline": {"type": "str", "required": True}}, supports_check_mode=True)
    try:
        state = looked(module)
    except (BotoCoreError, ClientError) as e:
        module.fail_json_aws(e, msg=f"Could not look at the pipeline {module.params['pipeline']!r}")
    module.exit_json(changed=False, state=state)


if __name__ == "__main__":
    main()
