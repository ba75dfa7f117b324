# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""CloudFormation's IAM roles, instance profiles and policies."""

import json
from typing import Any

from botocore.exceptions import ClientError

from embedded_endpoint.gaps.cloudformation.resources import (
    Handler,
    Resource,
    changed_properties,
    handles,
    pairs,
    tag_changes,
)


def _document(policy: Any) -> str:
    return policy if isinstance(policy, str) else json.dumps(policy)


class _IamHandler(Handler):
    service = "Iam"

    def gone(self, operation: str, **parameters: Any) -> None:
        """Delete something that may be gone."""
        try:
            self.api.iam(operation, **parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchEntity":
                raise


@handles("AWS::IAM::Role")
class Role(_IamHandler):
    def create(self, resource: Resource) -> None:
        given = resource.properties
        name = given.get("RoleName") or self.generated_name(resource, 64)
        self.api.iam(
            "create_role",
            RoleName=name,
            AssumeRolePolicyDocument=_document(given["AssumeRolePolicyDocument"]),
            Tags=pairs(resource.tags) or None,
            **{key: given.get(key) for key in ("Path", "Description", "MaxSessionDuration", "PermissionsBoundary")},
        )
        resource.physical_id = name
        self._policies(resource, {})

    def _policies(self, resource: Resource, before: dict[str, Any]) -> None:
        name, given = resource.physical_id, resource.properties
        old, new = (set(each.get("ManagedPolicyArns") or []) for each in (before, given))
        for arn in sorted(new - old):
            self.api.iam("attach_role_policy", RoleName=name, PolicyArn=arn)
        for arn in sorted(old - new):
            self.gone("detach_role_policy", RoleName=name, PolicyArn=arn)
        inline = {each["PolicyName"]: each["PolicyDocument"] for each in given.get("Policies") or []}
        for policy, document in inline.items():
            self.api.iam("put_role_policy", RoleName=name, PolicyName=policy, PolicyDocument=_document(document))
        for each in before.get("Policies") or []:
            if each["PolicyName"] not in inline:
                self.gone("delete_role_policy", RoleName=name, PolicyName=each["PolicyName"])

    def update(self, resource: Resource, old: Resource) -> None:
        given, name = resource.properties, resource.physical_id
        changed = changed_properties(given, old.properties)
        if "AssumeRolePolicyDocument" in changed:
            document = _document(given["AssumeRolePolicyDocument"])
            self.api.iam("update_assume_role_policy", RoleName=name, PolicyDocument=document)
        if changed & {"Description", "MaxSessionDuration"}:
            self.api.iam(
                "update_role",
                RoleName=name,
                Description=given.get("Description", ""),
                MaxSessionDuration=given.get("MaxSessionDuration", 3600),
            )
        if "PermissionsBoundary" in changed:
            boundary = given.get("PermissionsBoundary")
            if boundary:
                self.api.iam("put_role_permissions_boundary", RoleName=name, PermissionsBoundary=boundary)
            else:
                self.api.iam("delete_role_permissions_boundary", RoleName=name)
        self._policies(resource, old.properties)
        tags, removed = tag_changes(resource, old)
        if tags:
            self.api.iam("tag_role", RoleName=name, Tags=pairs(tags))
        if removed:
            self.api.iam("untag_role", RoleName=name, TagKeys=removed)

    def delete(self, resource: Resource) -> None:
        """A policy that somebody else attached stays, and IAM refuses the deletion."""
        name = resource.physical_id
        for arn in resource.properties.get("ManagedPolicyArns") or []:
            self.gone("detach_role_policy", RoleName=name, PolicyArn=arn)
        for each in resource.properties.get("Policies") or []:
            self.gone("delete_role_policy", RoleName=name, PolicyName=each["PolicyName"])
        self.gone("delete_role", RoleName=name)

    def attribute(self, resource: Resource, name: str) -> Any:
        found = self.api.iam("get_role", RoleName=resource.physical_id)["Role"]
        return {"Arn": found["Arn"], "RoleId": found["RoleId"]}[name]


@handles("AWS::IAM::InstanceProfile")
class InstanceProfile(_IamHandler):
    """CloudFormation gives instance profiles no tags."""

    def create(self, resource: Resource) -> None:
        given = resource.properties
        name = given.get("InstanceProfileName") or self.generated_name(resource, 128)
        self.api.iam("create_instance_profile", InstanceProfileName=name, Path=given.get("Path"))
        resource.physical_id = name
        self._roles(resource, [])

    def _roles(self, resource: Resource, before: list[str]) -> None:
        roles = resource.properties.get("Roles") or []
        for role in before:
            if role not in roles:
                self._role("remove_role_from_instance_profile", resource, role)
        for role in roles:
            if role not in before:
                self._role("add_role_to_instance_profile", resource, role)

    def _role(self, operation: str, resource: Resource, role: str) -> None:
        self.api.iam(operation, InstanceProfileName=resource.physical_id, RoleName=role)

    def update(self, resource: Resource, old: Resource) -> None:
        self._roles(resource, old.properties.get("Roles") or [])

    def delete(self, resource: Resource) -> None:
        for role in resource.properties.get("Roles") or []:
            self.gone("remove_role_from_instance_profile", InstanceProfileName=resource.physical_id, RoleName=role)
        self.gone("delete_instance_profile", InstanceProfileName=resource.physical_id)

    def attribute(self, resource: Resource, name: str) -> Any:
        found = self.api.iam("get_instance_profile", InstanceProfileName=resource.physical_id)["InstanceProfile"]
        return {"Arn": found["Arn"]}[name]


@handles("AWS::IAM::Policy")
class InlinePolicy(_IamHandler):
    _OWNERS = (("Roles", "role", "RoleName"), ("Users", "user", "UserName"), ("Groups", "group", "GroupName"))

    def create(self, resource: Resource) -> None:
        resource.physical_id = self.generated_name(resource)
        self._put(resource)

    def _put(self, resource: Resource) -> None:
        given = resource.properties
        for key, word, parameter in self._OWNERS:
            for owner in given.get(key) or []:
                self.api.iam(
                    f"put_{word}_policy",
                    PolicyName=given["PolicyName"],
                    PolicyDocument=_document(given["PolicyDocument"]),
                    **{parameter: owner},
                )

    def update(self, resource: Resource, old: Resource) -> None:
        self._put(resource)
        for key, word, parameter in self._OWNERS:
            for owner in old.properties.get(key) or []:
                renamed = resource.properties["PolicyName"] != old.properties["PolicyName"]
                if renamed or owner not in (resource.properties.get(key) or []):
                    name = old.properties["PolicyName"]
                    self.gone(f"delete_{word}_policy", PolicyName=name, **{parameter: owner})

    def delete(self, resource: Resource) -> None:
        for key, word, parameter in self._OWNERS:
            for owner in resource.properties.get(key) or []:
                name = resource.properties["PolicyName"]
                self.gone(f"delete_{word}_policy", PolicyName=name, **{parameter: owner})
