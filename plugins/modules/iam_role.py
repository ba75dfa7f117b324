#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: iam_role
version_added: 0.1.0
short_description: Keep an IAM role that AWS services assume
description:
  - Makes, changes and deletes a role with its trust policy, its policies and, where asked for, its instance profile.
  - Policies are compared by what they mean, not by how they are spelled.
  - Deleting takes the role out of every instance profile, detaches and deletes its policies, and survives what an
    earlier run left half deleted.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the role, at most 64 characters.
    type: str
    required: true
  path:
    description: Path of the role. AWS cannot change it later.
    type: str
    default: /
  description:
    description: Description of the role. Left alone when not given.
    type: str
  assume_services:
    description: Services that may assume the role, such as V(ecs-tasks.amazonaws.com). Needed to make a role.
    type: list
    elements: str
  conditions:
    description:
      - Conditions of the trust policy, such as C({"StringEquals":{"aws:SourceAccount":"123456789012"}}).
      - Empty means none.
    type: dict
    default: {}
  managed_policies:
    description:
      - All managed policies of the role, by ARN or by the name of one of AWS's, such as V(CloudWatchAgentServerPolicy).
        The folder in front (C(service-role/)) may be left out.
      - Policies that are not in this list are detached. Left alone when not given.
    type: list
    elements: str
  inline_policies:
    description:
      - All inline policies of the role, a policy document by name.
      - Policies that are not named here are deleted. Left alone when not given.
    type: dict
  instance_profile:
    description:
      - Keep an instance profile of the same name that holds the role, so that EC2 instances can have it.
      - An instance profile that is there is left alone with V(false).
    type: bool
    default: false
  max_session_duration:
    description: Seconds that a session may last, 3600 to 43200. Left alone when not given.
    type: int
  permissions_boundary:
    description: ARN of the policy that bounds the role's permissions. Empty removes it, left alone when not given.
    type: str
"""

EXAMPLES = r"""
- name: Keep the role of the container instances
  handson.ecs.iam_role:
    name: petclinic-rest-instance-role
    assume_services: [ec2.amazonaws.com]
    managed_policies: [AmazonEC2ContainerServiceforEC2Role]
    instance_profile: true

- name: Keep the role of the tasks
  handson.ecs.iam_role:
    name: petclinic-rest-task-role
    assume_services: [ecs-tasks.amazonaws.com]
    conditions:
      StringEquals:
        aws:SourceAccount: "123456789012"
    inline_policies:
      read-settings:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Action: ssm:GetParameters
            Resource: arn:aws:ssm:ap-southeast-1:123456789012:parameter/petclinic/*
"""

RETURN = r"""
role:
  description: The role in the names of the options, with its ARN. Policies are in one spelling.
  returned: always
  type: dict
  sample:
    name: petclinic-rest-instance-role
    arn: arn:aws:iam::123456789012:role/petclinic-rest-instance-role
    path: /
    assume_services: [ec2.amazonaws.com]
    conditions: {}
    managed_policies: ["arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"]
    instance_profile: true
    instance_profile_arn: arn:aws:iam::123456789012:instance-profile/petclinic-rest-instance-role
    tags: {"handson:cluster": petclinic-rest-cluster}
"""

import json

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils.compare import (
    dict_to_tags,
    foreign_because,
    tags_to_dict,
    without_none,
)
from ansible_collections.handson.ecs.plugins.module_utils.iam_policies import (
    managed_arns,
    normalized_conditions,
    normalized_policy,
    trust_from_policy,
    trust_policy,
)
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    Resource,
    ResourceError,
    argument_spec,
    ignore_missing,
)

GONE = "NoSuchEntity"


class IamRole(Resource):
    kind = "IAM role"
    result_key = "role"
    immutable = frozenset({"path"})
    exists_codes = ("EntityAlreadyExists",)

    def __init__(self, module):
        super().__init__(module)
        self._holders = []  # names of the roles that the instance profile of our name holds

    def get(self):
        iam = self.client("iam")
        found = ignore_missing(lambda: iam.get_role(RoleName=self.name), GONE)
        absent = self.params["state"] == "absent"
        profile = None
        # A broken run may have left the profile alone: in teardown that is what there is of our role.
        if self.params["instance_profile"] or (absent and not found):
            profile = ignore_missing(lambda: iam.get_instance_profile(InstanceProfileName=self.name), GONE)
            profile = profile and profile["InstanceProfile"]
        if not found and not profile:
            return None
        role = (
            self._role(found["Role"], absent)
            if found
            else {"name": self.name, "arn": None, "path": self.params["path"]}
        )
        self._holders = [r["RoleName"] for r in (profile or {}).get("Roles") or []]
        if self.params["instance_profile"]:
            role["instance_profile"] = self.name in self._holders
        if profile:
            role["instance_profile_arn"] = profile["Arn"]
            self._join_tags(role, tags_to_dict(profile.get("Tags")), found, absent)
        return role

    def _role(self, role, absent):
        services, conditions = trust_from_policy(role["AssumeRolePolicyDocument"])
        state = {
            "name": role["RoleName"],
            "arn": role["Arn"],
            "path": role["Path"],
            "description": role.get("Description") or "",
            "assume_services": services,
            "conditions": conditions,
            "max_session_duration": role.get("MaxSessionDuration"),
            "permissions_boundary": (role.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn") or "",
            "tags": tags_to_dict(role.get("Tags")),
        }
        if not absent and self.params["managed_policies"] is not None:
            state["managed_policies"] = self._attached()
        if not absent and self.params["inline_policies"] is not None:
            state["inline_policies"] = {name: self._inline(name) for name in self._inline_names()}
        return state

    def _join_tags(self, role, tags, found, absent):
        """Let the profile's tags speak where there is no role, and where they lack something that we want on both."""
        if not found:
            role["tags"] = tags
        elif not absent:
            reason = foreign_because(tags, self.params["owner"])
            if reason:
                raise ResourceError(
                    f"There is already an instance profile named {self.name!r} that is not ours: {reason}. It was not "
                    "touched. Choose another name or prefix in the inventory, or, if it is yours, put the tag on it."
                )
            wanted = self.wanted_tags
            role["tags"] = {
                k: tags.get(k, "") if k in wanted and tags.get(k) != v else v for k, v in role["tags"].items()
            }

    def desired(self, current):
        desired = self.given("name", "path", "description", "max_session_duration", "permissions_boundary")
        desired["assume_services"] = sorted(set(self.params["assume_services"]))
        desired["conditions"] = normalized_conditions(self.params["conditions"])
        if self.params["managed_policies"] is not None:
            attached = (current or {}).get("managed_policies") or []
            desired["managed_policies"] = sorted({self._arn(p, attached) for p in self.params["managed_policies"]})
        if self.params["inline_policies"] is not None:
            desired["inline_policies"] = {n: self._document(n, d) for n, d in self.params["inline_policies"].items()}
        if self.params["instance_profile"]:
            desired["instance_profile"] = True
        return desired

    def create(self, desired):
        iam = self.client("iam")
        iam.create_role(
            RoleName=self.name,
            Path=desired["path"],
            AssumeRolePolicyDocument=self._trust(desired),
            Tags=dict_to_tags(desired.get("tags") or {}),
            **without_none(
                {
                    "Description": desired.get("description") or None,
                    "MaxSessionDuration": desired.get("max_session_duration"),
                    "PermissionsBoundary": desired.get("permissions_boundary") or None,
                }
            ),
        )
        self._keep_policies({}, desired, set(desired))
        if desired.get("instance_profile"):
            self._keep_profile(desired)

    def update(self, current, desired, changes):
        if current["arn"] is None:  # the profile is all that a broken run left
            self.create(desired)
            return
        iam = self.client("iam")
        if changes & {"assume_services", "conditions"}:
            iam.update_assume_role_policy(RoleName=self.name, PolicyDocument=self._trust(desired))
        if changes & {"description", "max_session_duration"}:
            # What the call leaves out it sets back, so both are given.
            both = {**current, **desired}
            iam.update_role(
                RoleName=self.name,
                Description=both["description"],
                **without_none({"MaxSessionDuration": both["max_session_duration"]}),
            )
        if "permissions_boundary" in changes:
            if desired["permissions_boundary"]:
                iam.put_role_permissions_boundary(
                    RoleName=self.name, PermissionsBoundary=desired["permissions_boundary"]
                )
            else:
                iam.delete_role_permissions_boundary(RoleName=self.name)
        if "tags" in changes:
            iam.tag_role(RoleName=self.name, Tags=dict_to_tags(desired["tags"]))
        self._keep_policies(current, desired, changes)
        if "instance_profile" in changes or ("tags" in changes and desired.get("instance_profile")):
            self._keep_profile(desired)

    def delete(self, current):
        iam = self.client("iam")
        role = {"RoleName": self.name}
        if current["arn"]:
            for page in iam.get_paginator("list_instance_profiles_for_role").paginate(**role):
                for profile in page["InstanceProfiles"]:
                    self._leave(profile["InstanceProfileName"], self.name)
        self._delete_profile()
        if current["arn"]:
            for arn in self._attached():
                ignore_missing(lambda a=arn: iam.detach_role_policy(**role, PolicyArn=a), GONE)
            for name in self._inline_names():
                ignore_missing(lambda n=name: iam.delete_role_policy(**role, PolicyName=n), GONE)
            # IAM may still see for a moment what was just taken off.
            self.retry_on(
                ("DeleteConflict",), lambda: ignore_missing(lambda: iam.delete_role(**role), GONE), timeout=30
            )

    # --- policies -------------------------------------------------------------------------------------------------

    def _attached(self):
        pages = self.client("iam").get_paginator("list_attached_role_policies").paginate(RoleName=self.name)
        return sorted(p["PolicyArn"] for page in pages for p in page["AttachedPolicies"])

    def _inline_names(self):
        pages = self.client("iam").get_paginator("list_role_policies").paginate(RoleName=self.name)
        return [name for page in pages for name in page["PolicyNames"]]

    def _inline(self, name):
        answer = self.client("iam").get_role_policy(RoleName=self.name, PolicyName=name)
        return normalized_policy(answer["PolicyDocument"])

    def _arn(self, policy, attached):
        """The ARN of a managed policy given by ARN or by the name of one of AWS's. Asks AWS only where it's new."""
        iam = self.client("iam")
        candidates = managed_arns(policy, iam.meta.partition)
        for arn in candidates:
            if arn in attached:
                return arn
        if policy.startswith("arn:"):
            return policy
        for arn in candidates:
            if ignore_missing(lambda a=arn: iam.get_policy(PolicyArn=a), GONE):
                return arn
        raise ResourceError(
            f"managed_policies of the role {self.name!r} names {policy!r}, but AWS has no managed policy of that name. "
            "Look it up in the IAM console; of a policy of your own give the ARN."
        )

    def _document(self, name, document):
        try:
            return normalized_policy(document)
        except ValueError as e:
            raise ResourceError(f"inline_policies of the role {self.name!r}: {name!r} is no policy: {e}.") from None

    def _trust(self, desired):
        return json.dumps(trust_policy(desired["assume_services"], desired["conditions"]))

    def _keep_policies(self, current, desired, changes):
        iam, role = self.client("iam"), {"RoleName": self.name}
        if "managed_policies" in changes:
            have, want = set(current.get("managed_policies") or []), set(desired["managed_policies"])
            for arn in sorted(want - have):
                iam.attach_role_policy(**role, PolicyArn=arn)
            for arn in sorted(have - want):
                ignore_missing(lambda a=arn: iam.detach_role_policy(**role, PolicyArn=a), GONE)
        if "inline_policies" in changes:
            have, want = current.get("inline_policies") or {}, desired["inline_policies"]
            for name in sorted(n for n in want if have.get(n) != want[n]):
                iam.put_role_policy(**role, PolicyName=name, PolicyDocument=json.dumps(want[name]))
            for name in sorted(have.keys() - want.keys()):
                ignore_missing(lambda n=name: iam.delete_role_policy(**role, PolicyName=n), GONE)

    # --- the instance profile -------------------------------------------------------------------------------------

    def _keep_profile(self, desired):
        iam, profile = self.client("iam"), {"InstanceProfileName": self.name}
        tags = dict_to_tags(desired.get("tags") or {})
        # It may be there from a call whose answer was lost, or from before. A foreign one was refused above.
        if ignore_missing(
            lambda: iam.create_instance_profile(**profile, Path=desired["path"], Tags=tags), "EntityAlreadyExists"
        ):
            self._holders = []
        elif tags:
            iam.tag_instance_profile(**profile, Tags=tags)
        if self.name not in self._holders:
            for other in self._holders:  # a profile holds one role
                self._leave(self.name, other)
            # "Not found" for a moment after the profile was made; "limit exceeded" where a lost call put it in.
            self.retry_on(
                (GONE,),
                lambda: ignore_missing(
                    lambda: iam.add_role_to_instance_profile(**profile, RoleName=self.name), "LimitExceeded"
                ),
                timeout=30,
            )

    def _leave(self, profile, role):
        ignore_missing(
            lambda: self.client("iam").remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=role),
            GONE,
        )

    def _delete_profile(self):
        """Delete the instance profile of the role's name if it is ours, and whatever role it may hold."""
        iam = self.client("iam")
        found = ignore_missing(lambda: iam.get_instance_profile(InstanceProfileName=self.name), GONE)
        if not found or foreign_because(tags_to_dict(found["InstanceProfile"].get("Tags")), self.params["owner"]):
            return
        for role in found["InstanceProfile"]["Roles"]:
            self._leave(self.name, role["RoleName"])
        self.retry_on(
            ("DeleteConflict",),
            lambda: ignore_missing(lambda: iam.delete_instance_profile(InstanceProfileName=self.name), GONE),
            timeout=30,
        )


def main():
    spec = argument_spec(
        name={"type": "str", "required": True},
        path={"type": "str", "default": "/"},
        description={"type": "str"},
        assume_services={"type": "list", "elements": "str"},
        conditions={"type": "dict", "default": {}},
        managed_policies={"type": "list", "elements": "str"},
        inline_policies={"type": "dict"},
        instance_profile={"type": "bool", "default": False},
        max_session_duration={"type": "int"},
        permissions_boundary={"type": "str"},
    )
    IamRole(
        AnsibleAWSModule(
            argument_spec=spec, supports_check_mode=True, required_if=[("state", "present", ["assume_services"])]
        )
    ).run()


if __name__ == "__main__":
    main()
