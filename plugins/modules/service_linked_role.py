#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: service_linked_role
version_added: 0.1.0
short_description: Make sure that the service-linked roles of AWS services exist
description:
  - Makes the service-linked roles that are missing. AWS makes them on first use only where the caller may create them,
    and the first use then sometimes fails because the role is not known everywhere yet.
  - Never deletes one. They belong to the account and are shared by everything in it.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
options:
  services:
    description:
      - Services whose roles must exist, such as V(ecs.amazonaws.com), V(elasticloadbalancing.amazonaws.com),
        V(autoscaling.amazonaws.com) and V(ecs.application-autoscaling.amazonaws.com).
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    description: Computes the same difference and makes none of it.
    support: full
  diff_mode:
    description: Shows the services whose role exists, before and after.
    support: full
"""

EXAMPLES = r"""
- name: Make sure that ECS and what it works with have their roles
  handson.ecs.service_linked_role:
    services:
      - ecs.amazonaws.com
      - elasticloadbalancing.amazonaws.com
      - autoscaling.amazonaws.com
      - ecs.application-autoscaling.amazonaws.com
"""

RETURN = r"""
services:
  description: The services of O(services) whose role exists after the run.
  returned: always
  type: list
  elements: str
  sample: [autoscaling.amazonaws.com, ecs.amazonaws.com]
created:
  description: The services whose role was made, or would be made in check mode.
  returned: always
  type: list
  elements: str
  sample: [ecs.amazonaws.com]
"""

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

PREFIX = "/aws-service-role/"

#: Services that let an account have further roles, with a suffix, which nobody uses unasked. The plain one counts.
#: https://docs.aws.amazon.com/autoscaling/ec2/userguide/autoscaling-service-linked-role.html
SUFFIXED = {"autoscaling.amazonaws.com": "AWSServiceRoleForAutoScaling"}


def existing_services(roles):
    """Return the services whose (plain) service-linked role is among `roles` of ListRoles."""
    found = set()
    for role in roles:
        service = role["Path"].removeprefix(PREFIX).strip("/")
        if role["RoleName"] == SUFFIXED.get(service, role["RoleName"]):
            found.add(service)
    return found


def create(iam, service):
    """Make one role. That it "has been taken in this account" means that it is there: somebody was faster."""
    try:
        iam.create_service_linked_role(AWSServiceName=service)
    except ClientError as e:
        taken = "has been taken in this account" in str(e)
        if not taken and e.response.get("Error", {}).get("Code") != "EntityAlreadyExists":
            raise


def main():
    module = AnsibleAWSModule(
        argument_spec={"services": {"type": "list", "elements": "str", "required": True}}, supports_check_mode=True
    )
    wanted = set(module.params["services"])
    iam = module.client("iam")
    try:
        pages = iam.get_paginator("list_roles").paginate(PathPrefix=PREFIX)
        before = wanted & existing_services(role for page in pages for role in page["Roles"])
    except (BotoCoreError, ClientError) as e:
        module.fail_json_aws(e, msg="Could not list the service-linked roles")
    missing = sorted(wanted - before)
    for service in missing if not module.check_mode else []:
        try:
            create(iam, service)
        except (BotoCoreError, ClientError) as e:
            module.fail_json_aws(
                e,
                msg=f"Could not make the service-linked role of {service}. Allow iam:CreateServiceLinkedRole, or ask "
                f"an administrator for: aws iam create-service-linked-role --aws-service-name {service}",
            )
    module.exit_json(
        changed=bool(missing),
        services=sorted(wanted),
        created=missing,
        diff={"before": {"services": sorted(before)}, "after": {"services": sorted(wanted)}},
    )


if __name__ == "__main__":
    main()
