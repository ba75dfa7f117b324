#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: leftovers
version_added: 0.1.0
short_description: Prove that nothing of a deployment is left in the account
description:
  - Asks the account for everything that carries an owner's tags, and fails with a table where there is something.
  - Goes by tags and types, not by the names that the roles use. So it also finds what a role forgot or named otherwise.
  - "Asks for: everything in EC2 that carries tags (instances that are not terminated, volumes, network interfaces,
    security groups, key pairs, launch templates, VPCs and their parts), Auto Scaling groups, load balancers, listeners,
    their rules and target groups, ECS clusters, services, running tasks, capacity providers and task definitions
    (active and inactive), scalable targets, IAM roles, policies and instance profiles, ECR repositories, log groups,
    build projects, pipelines, connections, buckets, alarms, dashboards, topics, event rules and CloudFormation stacks
    in every state."
  - Everything else that can carry tags comes from the Resource Groups Tagging API. It lists things for a while after
    they are gone, so of the types above nothing is taken from it.
  - A question that AWS does not answer makes no clean account. It is told in RV(unknown), and fails as well.
  - Knows one region, the caller's; IAM is the same in all of them.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
options:
  owner:
    description: Tags that prove that a resource is ours, such as C({"handson:cluster":"petclinic-rest-cluster"}).
    type: dict
    default: {}
  owners:
    description: More of them. What carries all tags of any one is ours.
    type: list
    elements: dict
    default: []
  name_prefixes:
    description:
      - What our names begin with. AWS can't be asked by tag for IAM roles, policies, instance profiles, ECR
        repositories, log groups, task definitions, build projects, pipelines, connections, buckets, alarms,
        dashboards, topics and event rules, and telling the tags takes a call for each. With prefixes only those are asked for whose name, or a part of it between slashes, begins with one.
      - Without any all of them are asked for, which takes long in a large account.
    type: list
    elements: str
    default: []
  fail:
    description: Whether something left, or unknown, is a failure. In check mode it never is.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to look again while something is left, for what AWS takes its time to forget.
    type: float
    default: 0
  wait_interval:
    description: Seconds between two looks.
    type: float
    default: 10
attributes:
  check_mode:
    description: It only reads, and does not fail.
    support: full
  diff_mode:
    description: It only reads.
    support: none
"""

EXAMPLES = r"""
- name: Prove that nothing of the cluster is left
  handson.ecs.leftovers:
    owner:
      handson:cluster: petclinic-rest-cluster
    name_prefixes: [petclinic-rest, petclinic]
    wait_timeout: 120
"""

RETURN = r"""
left:
  description: What is left, sorted by type and name.
  returned: always
  type: list
  elements: dict
  sample:
    - {type: security group, name: petclinic-rest-alb-sg, id: sg-0123456789abcdef0, detail: vpc-0123456789abcdef0}
unknown:
  description: The questions that AWS did not answer.
  returned: always
  type: list
  elements: dict
  contains:
    type: {description: What was asked for., type: str, sample: IAM role}
    action: {description: The permission that the question needs., type: str, sample: "iam:ListRoles"}
    denied: {description: Whether the caller lacks it., type: bool}
    message: {description: What AWS said., type: str}
stays:
  description: Service-linked roles that are there. They stay, since AWS keeps one for the whole account.
  returned: always
  type: list
  elements: str
  sample: [AWSServiceRoleForECS, AWSServiceRoleForElasticLoadBalancing]
"""

import time

try:
    from botocore.exceptions import BotoCoreError
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils.leftover_probes.account_wide import AccountWide
from ansible_collections.handson.ecs.plugins.module_utils.leftover_probes.containers import Containers
from ansible_collections.handson.ecs.plugins.module_utils.leftover_probes.delivery import Delivery
from ansible_collections.handson.ecs.plugins.module_utils.leftover_probes.network import Network
from ansible_collections.handson.ecs.plugins.module_utils.leftover_probes.watching import Watching
from ansible_collections.handson.ecs.plugins.module_utils.leftovers import least_owners, report, tidy


class Account(Network, Containers, AccountWide, Delivery, Watching):
    """Everything that there may be."""

    def left(self):
        """Return the rows of everything that is left. Fills `unknown` and `stays` anew."""
        self.unknown, self.stays = {}, []
        probes = (
            self.ec2, self.auto_scaling, self.load_balancing, self.clusters, self.capacity_providers,
            self.task_definitions, self.scalable_targets, self.iam, self.repositories, self.log_groups,
            self.build_projects, self.pipelines, self.connections, self.buckets, self.alarms, self.dashboards,
            self.topics, self.event_rules, self.stacks, self.others,
        )  # fmt: skip
        return tidy(r for probe in probes for r in probe())


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "owner": {"type": "dict", "default": {}},
            "owners": {"type": "list", "elements": "dict", "default": []},
            "name_prefixes": {"type": "list", "elements": "str", "default": []},
            "fail": {"type": "bool", "default": True},
            "wait_timeout": {"type": "float", "default": 0},
            "wait_interval": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    p = module.params
    try:
        owners = least_owners([*([p["owner"]] if p["owner"] else []), *p["owners"]])
    except ValueError as e:
        module.fail_json(msg=f"owner is {p['owner']!r} and owners is {p['owners']!r}, but {e}.")
    account, deadline = Account(module, owners), time.monotonic() + p["wait_timeout"]
    try:
        left = account.left()
        while left and not module.check_mode and time.monotonic() < deadline:
            time.sleep(min(p["wait_interval"], max(0.0, deadline - time.monotonic())))
            left = account.left()
    except BotoCoreError as e:
        module.fail_json_aws(e, msg="Could not ask the account what is left in it")
    unknown = sorted(account.unknown.values(), key=lambda u: (u["type"], u["action"]))
    result = {
        "changed": False,
        "left": left,
        "unknown": unknown,
        "stays": account.stays,
        "msg": report(left, unknown, owners),
    }
    if (left or unknown) and p["fail"] and not module.check_mode:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
