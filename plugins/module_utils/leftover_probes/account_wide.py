# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left of roles, stacks and log groups, and of anything else that carries tags."""

from __future__ import annotations

from typing import Iterator

from ansible_collections.handson.ecs.plugins.module_utils.leftover_probes.asking import Asking
from ansible_collections.handson.ecs.plugins.module_utils.leftovers import SERVICE_LINKED, Row, arn_type, begins, covered, least_prefixes, made_by_aws, owned, row

#: What the module lists itself, but only by name: service and type of the ARN -> label, client, operation, key of the
#: tags, option. Under a name that is not ours only the Tagging API finds it; a call to its own service then tells
#: whether it is there at all.
LOOKED_UP = {
    ("s3", ""): ("bucket", "s3", "get_bucket_tagging", "TagSet", "Bucket"),
    ("sns", ""): ("topic", "sns", "list_tags_for_resource", "Tags", "ResourceArn"),
    ("codepipeline", ""): ("pipeline", "codepipeline", "list_tags_for_resource", "tags", "resourceArn"),
    ("codeconnections", "connection"): (
        "connection", "codeconnections", "list_tags_for_resource", "Tags", "ResourceArn",
    ),
    ("cloudwatch", "alarm"): ("alarm", "cloudwatch", "list_tags_for_resource", "Tags", "ResourceARN"),
    ("cloudwatch", "dashboard"): ("dashboard", "cloudwatch", "list_tags_for_resource", "Tags", "ResourceARN"),
    ("events", "rule"): ("event rule", "events", "list_tags_for_resource", "Tags", "ResourceARN"),
}  # fmt: skip


class AccountWide(Asking):
    """IAM, CloudFormation, log groups, and everything else that carries tags."""

    def iam(self) -> Iterator[Row]:
        # The lists do not tell tags, whatever their documentation's examples show.
        for r in self.ask("IAM role", "iam", "list_roles", "Roles"):
            name = r["RoleName"]
            if r["Path"].startswith("/aws-service-role/"):
                if name in SERVICE_LINKED:
                    self.stays.append(name)
            elif begins(name, self.prefixes):
                if self.mine(self.ask("IAM role", "iam", "list_role_tags", "Tags", RoleName=name)):
                    yield row("IAM role", name, r["Arn"])
        self.stays.sort()
        kind = "instance profile"
        for p in self.ask(kind, "iam", "list_instance_profiles", "InstanceProfiles"):
            name = p["InstanceProfileName"]
            if begins(name, self.prefixes):
                profile = self.ask(kind, "iam", "get_instance_profile", "InstanceProfile", InstanceProfileName=name)
                if profile and self.mine(profile.get("Tags")):
                    yield row(kind, name, p["Arn"])
        for p in self.ask("IAM policy", "iam", "list_policies", "Policies", Scope="Local"):
            if begins(p["PolicyName"], self.prefixes):
                if self.mine(self.ask("IAM policy", "iam", "list_policy_tags", "Tags", PolicyArn=p["Arn"])):
                    yield row("IAM policy", p["PolicyName"], p["Arn"])

    def stacks(self) -> Iterator[Row]:
        for stack in self.ask("CloudFormation stack", "cloudformation", "describe_stacks", "Stacks"):
            if self.mine(stack.get("Tags")) and stack["StackStatus"] != "DELETE_COMPLETE":
                yield row("CloudFormation stack", stack["StackName"], stack["StackId"], stack["StackStatus"].lower())

    def log_groups(self) -> Iterator[Row]:
        kind = "log group"
        found: dict[str, str] = {}
        clusters = {value for owner in self.owners for value in owner.values()}
        # As substrings, since the names of ours follow those of the service that writes: /ecs/…, /aws/codebuild/…
        patterns = least_prefixes([*self.prefixes, *clusters]) if self.prefixes else [None]
        for pattern in patterns:
            only = {"logGroupNamePattern": pattern} if pattern else {}
            for g in self.ask(kind, "logs", "describe_log_groups", "logGroups", **only):
                found[g["logGroupName"]] = g.get("logGroupArn") or g["arn"].removesuffix(":*")
        for name, arn in sorted(found.items()):
            by_aws = made_by_aws(name, self.owners, self.prefixes)
            if not (by_aws or begins(name, self.prefixes)):
                continue
            tags = self.ask(kind, "logs", "list_tags_for_resource", "tags", resourceArn=arn) or {}
            if owned(tags, self.owners):
                yield row(kind, name, arn)
            elif by_aws and not tags:
                yield row(kind, name, arn, "has no tags: an AWS service made it")

    def others(self) -> Iterator[Row]:
        for owner in self.owners:
            filters = [{"Key": key, "Values": [value]} for key, value in owner.items()]
            for thing in self.ask(
                "all other types",
                "resourcegroupstaggingapi",
                "get_resources",
                "ResourceTagMappingList",
                TagFilters=filters,
            ):
                arn = thing["ResourceARN"]
                service, kind = arn_type(arn)
                name = arn.split(":", 5)[-1].removeprefix(f"{kind}/").removeprefix(f"{kind}:")
                if (service, kind) in LOOKED_UP:
                    yield from self.looked_up(service, kind, name, arn)
                elif not covered(arn) and self.mine(thing.get("Tags")):
                    yield row(f"{service} {kind}".strip(), name, arn)

    def looked_up(self, service: str, kind: str, name: str, arn: str) -> Iterator[Row]:
        """The row of a thing that the Tagging API knows, if it is still there: it has the tags, or it has none."""
        label, client, operation, key, option = LOOKED_UP[service, kind]
        of = name if option == "Bucket" else arn
        if self.mine(self.ask(label, client, operation, key, **{option: of})):
            yield row(label, name, of)
