# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Account, region, tags and the shapes of ARNs."""

from __future__ import annotations

import re
from typing import Iterator

from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host

#: The file that a user copies and fills in.
SETTINGS = "group_vars/all.yml of your inventory"

_PARTITION = r"arn:aws(-[a-z]+)*"
ROLE_ARN = re.compile(_PARTITION + r":iam::\d{12}:role/[\w+=,.@/-]+")
KMS_ARN = re.compile(_PARTITION + r":kms:[a-z0-9-]+:\d{12}:(key|alias)/[A-Za-z0-9/_-]+")
CERTIFICATE_ARN = re.compile(
    _PARTITION
    + r":(acm:(?P<region>[a-z0-9-]+):\d{12}:certificate/[A-Za-z0-9-]+|iam::\d{12}:server-certificate/[\w+=,.@/-]+)"
)
SECRET_ARN = re.compile(
    _PARTITION + r":(secretsmanager:[a-z0-9-]+:\d{12}:secret:\S+|ssm:[a-z0-9-]+:\d{12}:parameter/\S+)"
)


def check_account(host: Host) -> Iterator[Fault]:
    """Check that account and region are filled in and have the right shape."""
    if "aws_account_id" not in host.broken:
        account = host.text("aws_account_id").strip()
        given = host.values.get("aws_account_id")
        if not account:
            yield host.fault(
                "aws_account_id",
                "The account is not filled in.",
                f'Put its twelve digits, quoted, into {SETTINGS}: aws_account_id: "…". '
                "`aws sts get-caller-identity` shows them.",
                value="",
            )
        elif not re.fullmatch(r"\d{12}", account):
            unquoted = isinstance(given, int) and not isinstance(given, bool)
            yield host.fault(
                "aws_account_id",
                f"An account id has 12 digits, this one has {len(account)}"
                + (": without quotes YAML reads a number, and leading zeros get lost." if unquoted else "."),
                f'Write all twelve digits in quotes in {SETTINGS}: aws_account_id: "012345678901".',
            )
    if "aws_region" not in host.broken:
        region = host.text("aws_region").strip()
        if not region:
            yield host.fault(
                "aws_region", "The region is not filled in.", f"Set it in {SETTINGS}, such as ap-southeast-1."
            )
        elif not re.fullmatch(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}", region):
            zone = re.fullmatch(r"([a-z]{2,4}(?:-[a-z]+)+-\d{1,2})[a-z]", region)
            yield host.fault(
                "aws_region",
                "This is a zone, not a region." if zone else "A region looks like ap-southeast-1.",
                f"Set it to {zone.group(1)}." if zone else f"Set it in {SETTINGS}.",
            )


def check_tags(host: Host) -> Iterator[Fault]:
    """Check the tags that everything gets: https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html."""
    tags = host.mapped("stack_tags")
    owner = host.mapped("stack_service_owner" if host.kind == "service" else "stack_cluster_owner")
    if len({*tags, *owner}) > 50:
        yield host.fault(
            "stack_tags",
            f"With the {len(owner)} of ownership these are {len({*tags, *owner})} tags; AWS allows 50.",
            "Take some away.",
            value=f"{len(tags)} tags",
        )
    for key, value in tags.items():
        where = f"stack_tags.{key}"
        allowed = r"[\w\s.:/=+\-@]*"
        if not 1 <= len(str(key)) <= 128:
            yield host.fault(where, "A tag's key has 1 to 128 characters.", "Shorten it.", value=value)
        if str(key).lower().startswith("aws:"):
            yield host.fault(where, "Keys that begin with aws: are AWS's own.", "Give it another key.", value=value)
        if isinstance(value, (dict, list)) or value is None:
            yield host.fault(where, "A tag's value is text.", "Write a text.", value=str(value))
        elif len(str(value)) > 256:
            yield host.fault(
                where,
                f"It has {len(str(value))} characters; a tag's value has at most 256.",
                "Shorten it.",
                value=value,
            )
        elif not re.fullmatch(allowed, str(key)) or not re.fullmatch(allowed, str(value)):
            yield host.fault(
                where,
                "Tags are made of letters, digits, spaces and _ . : / = + - @.",
                "Take the others out.",
                value=value,
            )
        if key in owner and str(owner[key]) != str(value):
            yield host.fault(
                where,
                "This key says whose the resource is, and is set by the run.",
                "Take it out of stack_tags.",
                value=value,
            )


def check_arns(host: Host) -> Iterator[Fault]:
    """Check the shape of ARNs that the inventory holds."""
    keys = {"cluster": ("instances_volume_kms_key",), "service": ("registry_kms_key",)}[host.kind]
    for variable in keys:
        key = host.text(variable)
        if key and not (
            KMS_ARN.fullmatch(key) or re.fullmatch(r"(mrk-[0-9a-f]{32}|[0-9a-f-]{36}|alias/[A-Za-z0-9/_-]+)", key)
        ):
            yield host.fault(variable, "This is no KMS key.", "Give a key's ARN, its id or alias/<name>.")
    role = host.text("task_definition_task_role")
    if host.kind == "service" and role:
        if role.startswith("arn:") and not ROLE_ARN.fullmatch(role):
            yield host.fault(
                "task_definition_task_role",
                "This is not the ARN of an IAM role.",
                "arn:aws:iam::<account>:role/<name>, or the role's name.",
            )
        elif not role.startswith("arn:") and not re.fullmatch(r"[\w+=,.@-]{1,64}", role, re.ASCII):
            yield host.fault(
                "task_definition_task_role",
                "This is neither an ARN nor the name of an IAM role.",
                "Give a role's ARN or its name of at most 64 characters.",
            )
    certificate = host.text("load_balancer_certificate_arn")
    if host.kind == "cluster" and certificate:
        match = CERTIFICATE_ARN.fullmatch(certificate)
        if not match:
            yield host.fault(
                "load_balancer_certificate_arn",
                "This is not the ARN of a certificate.",
                "arn:aws:acm:<region>:<account>:certificate/<id>.",
            )
        elif match["region"] and match["region"] != host.text("aws_region"):
            yield host.fault(
                "load_balancer_certificate_arn",
                f"The certificate lies in {match['region']}, the load balancer in {host.text('aws_region')}.",
                "Ask for a certificate in the load balancer's region.",
            )
