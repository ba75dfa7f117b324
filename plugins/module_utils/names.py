# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a name to an id or ARN. Names are the interface between roles, so every module looks up what it needs itself.

Each function takes a boto3 client, does one or two read calls, and raises Missing with the playbook that makes the
thing where it isn't there.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from ansible_collections.handson.ecs.plugins.module_utils.compare import foreign_because, tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.resource import Missing, ResourceError


def _missing(kind: str, name: str, playbook: str) -> Missing:
    return Missing(f"There is no {kind} named {name!r}. Make it first: ansible-playbook playbooks/{playbook}.yml")


def _of_owner(network: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"Name": f"tag:{k}", "Values": [str(v)]} for k, v in (network.get("owner") or {}).items()]


def vpc_id(ec2: Any, network: dict[str, Any]) -> str:
    """Return the id of the VPC that `network` selects.

    `network` is {mode: default | existing | create, vpc_id: …, name: …}: the account's default VPC, the one with
    that id, or the one with that Name tag.
    """
    mode = network.get("mode") or "default"
    if mode == "existing":
        if not network.get("vpc_id"):
            raise ResourceError("network_mode is 'existing', but network_vpc_id is empty: put the VPC's id there.")
        return network["vpc_id"]
    if mode == "default":
        filters = [{"Name": "is-default", "Values": ["true"]}]
    else:
        filters = [{"Name": "tag:Name", "Values": [network["name"]]}]
        filters += _of_owner(network)
    found = ec2.describe_vpcs(Filters=filters)["Vpcs"]
    if not found and mode == "default":
        raise ResourceError(
            "This region has no default VPC. Set network_mode to 'create', or to 'existing' with network_vpc_id and "
            "network_subnet_ids."
        )
    if not found:
        raise _missing("VPC", network["name"], "network")
    if len(found) > 1:
        raise ResourceError(f"{len(found)} VPCs are named {network['name']!r}. Set network_mode to 'existing' and name one.")
    return found[0]["VpcId"]


def subnets(ec2: Any, network: dict[str, Any]) -> list[dict[str, str]]:
    """Return the subnets that `network` selects as [{id, availability_zone, vpc_id}], sorted by zone.

    An `existing` network names them; otherwise it is the default subnets of the default VPC, or those of the VPC with
    that Name tag that carry the owner's tags.
    """
    if network.get("subnet_ids"):
        filters = [{"Name": "subnet-id", "Values": list(network["subnet_ids"])}]
    elif (network.get("mode") or "default") == "default":
        filters = [{"Name": "default-for-az", "Values": ["true"]}]
    else:
        filters = [{"Name": "vpc-id", "Values": [vpc_id(ec2, network)]}]
        if network["mode"] == "create":  # others may have put subnets of theirs into our VPC
            filters += _of_owner(network)
    found = ec2.describe_subnets(Filters=filters)["Subnets"]
    missing = sorted(set(network.get("subnet_ids") or []) - {s["SubnetId"] for s in found})
    if missing:
        raise ResourceError(f"network_subnet_ids names subnets that are not there: {', '.join(missing)}.")
    if not found:
        raise _missing("subnet of the VPC", network.get("name") or network.get("vpc_id") or "default", "network")
    rows = [{"id": s["SubnetId"], "availability_zone": s["AvailabilityZone"], "vpc_id": s["VpcId"]} for s in found]
    return sorted(rows, key=lambda s: (s["availability_zone"], s["id"]))


def security_group_ids(ec2: Any, names: list[str], vpc: str | None = None) -> dict[str, str]:
    """Return {name: id} of the security groups with these names, in one VPC where `vpc` is given."""
    if not names:
        return {}
    filters = [{"Name": "group-name", "Values": list(names)}]
    if vpc:
        filters.append({"Name": "vpc-id", "Values": [vpc]})
    found = {g["GroupName"]: g["GroupId"] for g in ec2.describe_security_groups(Filters=filters)["SecurityGroups"]}
    for name in names:
        if name not in found:
            raise _missing("security group", name, "network")
    return found


def load_balancer(elbv2: Any, name: str) -> dict[str, Any]:
    """Return the load balancer with this name as DescribeLoadBalancers gives it."""
    try:
        return elbv2.describe_load_balancers(Names=[name])["LoadBalancers"][0]
    except is_boto3_error_code("LoadBalancerNotFound"):
        pass
    except IndexError:  # MiniStack 1.5.33 answers with an empty list instead of an error
        pass
    raise _missing("load balancer", name, "load_balancer")


def target_group_arn(elbv2: Any, name: str) -> str:
    """Return the ARN of the target group with this name."""
    try:
        return elbv2.describe_target_groups(Names=[name])["TargetGroups"][0]["TargetGroupArn"]
    except is_boto3_error_code("TargetGroupNotFound"):
        pass
    except IndexError:  # as above
        pass
    raise _missing("target group", name, "service")


def role_arn(iam: Any, name: str, playbook: str = "task") -> str:
    """Return the ARN of the IAM role with this name. A value that already is an ARN is returned as it is."""
    if name.startswith("arn:"):
        return name
    try:
        return iam.get_role(RoleName=name)["Role"]["Arn"]
    except is_boto3_error_code("NoSuchEntity"):
        raise _missing("IAM role", name, playbook) from None


def refuse_foreign_parent(kind: str, name: str, tags: dict[str, str], owner: dict[str, Any]) -> None:
    """Raise ResourceError where what is to be used (a cluster, a load balancer) lacks the tags of `owner`."""
    reason = foreign_because(tags, owner)
    if reason:
        raise ResourceError(
            f"The {kind} {name!r} is not ours: {reason}. Nothing was put on it. Choose another {kind}, or, if it is yours, "
            "put the tag on it."
        )


def refuse_foreign_cluster(ecs: Any, name: str, owner: dict[str, Any]) -> None:
    """Raise Missing where there is no such active cluster, ResourceError where it lacks the tags of `owner`.

    Costs no call where `owner` is empty.
    """
    if not owner:
        return
    found = ecs.describe_clusters(clusters=[name], include=["TAGS"])["clusters"]
    active = [c for c in found if c["status"] == "ACTIVE"]
    if not active:
        raise _missing("cluster", name, "cluster")
    refuse_foreign_parent("cluster", name, tags_to_dict(active[0].get("tags")), owner)
