#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: ecs_service_logs
version_added: 0.1.0
short_description: Show the log of a service's tasks, and follow it for a while
description:
  - Shows what the tasks wrote to their log group lately, and what they write from then on, as it comes. Each line has
    the time and the beginning of its task's id.
  - Ends by itself after O(follow) seconds, also where the tasks write more than is read until then. It says so.
  - Tasks that were run once write to the same group, and are shown too.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    description: Reads only.
    support: full
options:
  log_group:
    description: Name of the log group.
    type: str
    required: true
  container:
    description: The container whose lines are not marked with its name.
    type: str
  since:
    description: Seconds before now from which on lines are shown.
    type: int
    default: 600
  follow:
    description: Seconds to follow. V(0) shows what is there, as far as half a minute reads it.
    type: int
    default: 30
  interval:
    description: Seconds between two looks.
    type: float
    default: 2
  progress_file:
    description: File to append the lines to. The action plugin sets it and shows them.
    type: path
"""

EXAMPLES = r"""
- name: Follow the log for two minutes
  handson.ecs.ecs_service_logs:
    log_group: /ecs/petclinic-rest-task
    follow: 120
"""

RETURN = r"""
lines:
  description: The last thousand lines that were shown, oldest first.
  returned: success
  type: list
  elements: str
  sample: ["10:15:02 [5f3c0a1b] Started PetClinicApplication in 8.1 seconds"]
count:
  description: How many lines were shown.
  returned: success
  type: int
"""

import time

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils.progress import Progress
from ansible_collections.handson.ecs.plugins.module_utils.task_logs import GroupLog

KEPT = 1000

#: Seconds to read what is there, where nothing is followed.
FIRST = 30


def follow(module):
    """Return (lines, count) after showing what comes in time."""
    p, progress = module.params, Progress(module.params["progress_file"])
    log = GroupLog(module.client("logs"), p["log_group"], int((time.time() - p["since"]) * 1000), p["container"])
    deadline = time.monotonic() + p["follow"]
    reading = deadline if p["follow"] else deadline + FIRST
    kept, count, nothing = [], 0, False
    while True:
        lines = log.look(reading)
        for line in lines:
            progress.say(line)
        kept, count = (kept + lines)[-KEPT:], count + len(lines)
        left = deadline - time.monotonic()
        if not count and not nothing:
            progress.say(f"nothing in {p['log_group']} in the last {p['since']} s")
            nothing = True
        if left <= 0:
            if log.cut:
                progress.say(
                    f"{p['log_group']} has more than could be read in time. A smaller service_logs_since begins later, a greater "
                    "service_logs_follow reads longer."
                )
            return kept, count
        time.sleep(min(p["interval"], left))


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "log_group": {"type": "str", "required": True},
            "container": {"type": "str"},
            "since": {"type": "int", "default": 600},
            "follow": {"type": "int", "default": 30},
            "interval": {"type": "float", "default": 2},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        lines, count = follow(module)
    except is_boto3_error_code("ResourceNotFoundException"):
        module.fail_json(
            msg=f"There is no log group {module.params['log_group']!r} (task_definition_log_group). Make it first: "
            "ansible-playbook playbooks/task.yml"
        )
    except (BotoCoreError, ClientError) as e:
        module.fail_json_aws(e, msg=f"Could not read the log group {module.params['log_group']!r}")
    module.exit_json(changed=False, lines=lines, count=count)


if __name__ == "__main__":
    main()
