# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names: lengths and alphabets, with the suffixes that the defaults put on them.

The rules are those of the APIs' own references: elasticloadbalancing (CreateLoadBalancer, CreateTargetGroup), ecs
(CreateCluster, CreateService, RegisterTaskDefinition, CreateCapacityProvider), ec2 (CreateSecurityGroup,
CreateKeyPair), ecr (CreateRepository), iam (CreateRole), logs (CreateLogGroup), autoscaling (CreateAutoScalingGroup), cloudformation
(CreateStack).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterator

from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host, truthy


@dataclass(frozen=True)
class Rule:
    """What a kind of name may look like. `pattern` must match all of it; `not_before` are forbidden beginnings."""

    what: str
    longest: int
    pattern: str
    letters: str
    shortest: int = 1
    not_before: tuple[str, ...] = ()


_BALANCER = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_BALANCER_LETTERS = "letters, digits and hyphens, with no hyphen at its ends"
_ECS = r"[A-Za-z0-9_-]+"
_ECS_LETTERS = "letters, digits, hyphens and underscores"

LOAD_BALANCER = Rule("a load balancer's name", 32, _BALANCER, _BALANCER_LETTERS, not_before=("internal-",))
TARGET_GROUP = Rule("a target group's name", 32, _BALANCER, _BALANCER_LETTERS)
CLUSTER = Rule("a cluster's name", 255, _ECS, _ECS_LETTERS)
SERVICE = Rule("a service's name", 255, _ECS, _ECS_LETTERS)
FAMILY = Rule("a task definition's family", 255, _ECS, _ECS_LETTERS)
CONTAINER = Rule("a container's name", 255, _ECS, _ECS_LETTERS)
CAPACITY_PROVIDER = Rule(
    "a capacity provider's name", 255, _ECS, _ECS_LETTERS, not_before=("aws", "ecs", "fargate", "AWS", "ECS", "FARGATE")
)
SECURITY_GROUP = Rule(
    "a security group's name",
    255,
    r"[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]+",
    "letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*",
    not_before=("sg-",),
)
KEY_PAIR = Rule("a key pair's name", 255, r"[!-~]([ -~]*[!-~])?", "ASCII, with no space at its ends")
ROLE = Rule("an IAM role's name", 64, r"[\w+=,.@-]+", "letters, digits and _+=,.@-")
REPOSITORY = Rule(
    "a repository's name",
    256,
    r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*",
    "lower case letters and digits, with single . _ or - or / between them",
    shortest=2,
)
LOG_GROUP = Rule(
    "a log group's name", 512, r"[.\-_/#A-Za-z0-9]+", "letters, digits and . - _ / #", not_before=("aws/",)
)
STACK = Rule("a stack's name", 128, r"[A-Za-z][A-Za-z0-9-]*", "letters, digits and hyphens, a letter first")
SCALING_GROUP = Rule("an Auto Scaling group's name", 255, r"[!-9;-~]+", "ASCII without spaces and colons")

#: What each variable names, by the kind of host that makes the thing.
OF_CLUSTER = {
    "cluster_name": CLUSTER,
    "load_balancer_name": LOAD_BALANCER,
    "security_groups_load_balancer_name": SECURITY_GROUP,
    "security_groups_instance_name": SECURITY_GROUP,
    "key_pair_name": KEY_PAIR,
    "instances_name": SCALING_GROUP,
    "instances_role_name": ROLE,
    "instances_capacity_provider_name": CAPACITY_PROVIDER,
    "network_name": Rule("a Name tag", 256, r"[^\x00-\x1f]+", "printable characters"),
}
OF_SERVICE = {
    "service_name": SERVICE,
    "registry_name": REPOSITORY,
    "target_group_name": TARGET_GROUP,
    "security_groups_task_name": SECURITY_GROUP,
    "task_definition_family": FAMILY,
    "task_definition_container_name": CONTAINER,
    "task_definition_execution_role_name": ROLE,
    "task_definition_task_role_name": ROLE,
    "task_definition_log_group": LOG_GROUP,
}
#: The variable that a name's default derives from: shortening it mends all names at once.
_DERIVED_FROM = {
    "load_balancer_name": "cluster_prefix",
    "instances_role_name": "cluster_prefix",
    "target_group_name": "service_prefix",
    "registry_name": "service_prefix",
    "task_definition_execution_role_name": "service_prefix",
    "task_definition_task_role_name": "service_prefix",
}


def problem_of(name: str, rule: Rule) -> str | None:
    """Return why AWS would refuse `name`, or None where it would not."""
    if not name:
        return f"{rule.what[0].upper()}{rule.what[1:]} can't be empty."
    if len(name) > rule.longest:
        return f"It has {len(name)} characters; {rule.what} has at most {rule.longest}."
    if len(name) < rule.shortest:
        return f"{rule.what[0].upper()}{rule.what[1:]} has at least {rule.shortest} characters."
    if not re.fullmatch(rule.pattern, name, re.ASCII):
        return f"{rule.what[0].upper()}{rule.what[1:]} is made of {rule.letters}."
    for start in rule.not_before:
        if name.startswith(start):
            return f"{rule.what[0].upper()}{rule.what[1:]} must not begin with {start!r}."
    return None


def check_names(host: Host) -> Iterator[Fault]:
    """Check the names of everything that this host makes."""
    for variable, rule in (OF_CLUSTER if host.kind == "cluster" else OF_SERVICE).items():
        if variable in host.broken or variable not in host.values:
            continue
        name = host.text(variable)
        problem = problem_of(name, rule)
        if problem:
            prefix = _DERIVED_FROM.get(variable)
            derived = (
                prefix
                and variable not in host.given
                and host.text(prefix)
                and name.startswith(host.text(prefix))
                and host.text(prefix) != name
            )
            if derived:
                now = host.text(prefix)
                remedy = f"Set {variable} to another name, or {prefix} (now {now!r}) for all that begin with it."
            else:
                remedy = f"Set {variable} to another name."
            yield host.fault(variable, problem, remedy)


#: Names that two hosts can't share in one account and region, since each belongs to one of them.
UNIQUE = {
    "cluster": ("cluster_name", "load_balancer_name", "instances_name", "instances_role_name", "key_pair_name"),
    "service": (
        "target_group_name",
        "task_definition_family",
        "registry_name",
        "task_definition_execution_role_name",
        "task_definition_task_role_name",
        "task_definition_log_group",
        "build_project_name",
        "build_project_role_name",
        "build_project_log_group",
        "pipeline_name",
        "pipeline_role_name",
        "pipeline_artifact_bucket",
        "pipeline_connection_name",
    ),
}


def _makes(host: Host, variable: str) -> bool:
    """Return whether the host makes the thing that the variable names. Every service has names for builds, few have them."""
    if not host.text(variable):
        return False
    if not variable.startswith(("build_project_", "pipeline_")):
        return True
    if not host.text("build_project_source_url") or host.text("service_state") == "absent":
        return False
    if variable.startswith("pipeline_") and not truthy(host.values.get("pipeline_enabled")):
        return False
    return variable != "pipeline_connection_name" or not host.text("pipeline_connection_arn")


def _place(host: Host, variable: str) -> tuple[str, ...]:
    """Return where a name can be taken once: in a region of an account, a role's in the account, a bucket's in the world."""
    if variable == "pipeline_artifact_bucket":
        return ()
    account = host.text("aws_account_id")
    return (account,) if variable.endswith("_role_name") else (account, host.text("aws_region"))


def check_unique(hosts: list[Host]) -> Iterator[Fault]:
    """Check that no two hosts make a thing of the same name. The fault stands on both."""
    for kind, variables in UNIQUE.items():
        for variable in variables:
            taken: dict[tuple[str, ...], list[Host]] = {}
            for host in hosts:
                if host.kind == kind and _makes(host, variable):
                    taken.setdefault((*_place(host, variable), host.text(variable)), []).append(host)
            for sharers in taken.values():
                for host in sharers if len(sharers) > 1 else []:
                    others = ", ".join(h.name for h in sharers if h is not host)
                    remedy = f"Give {variable} another value in host_vars of one of them."
                    if variable == "pipeline_connection_name":
                        remedy += (
                            " For one connection that all of them use, make it once (`aws codeconnections create-connection`, "
                            "or the console), and set pipeline_connection_arn to its ARN."
                        )
                    yield host.fault(variable, f"{others} has the same; each {kind} owns its own.", remedy)
