#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: security_group
version_added: 0.1.0
short_description: Keep a security group and its ingress rules
description:
  - Makes, changes and deletes a security group of a VPC.
  - Rules are compared one source at a time and regardless of order, so a difference shows the one rule that changes,
    and only that one is authorized or revoked, in this order, so that nobody is locked out meanwhile.
  - AWS deletes no group that a rule of another group refers to. Delete the one that refers first. Of groups that refer
    to each other, give one an empty list of rules first.
  - Egress rules are left alone. AWS's default lets everything out.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the security group, unique in its VPC.
    type: str
    required: true
  description:
    description: Description of the group. AWS cannot change it later.
    type: str
    default: Managed by handson.ecs
  network:
    description:
      - The VPC that the group belongs to. Needed to make a group.
      - C(mode) is V(default) for the account's default VPC, V(existing) for the one whose id is C(vpc_id), V(create)
        for the one whose Name tag is C(name) and that carries the tags C(owner). C(subnet_ids) is ignored here.
      - With O(state=absent) and without O(network) the group is found by its name and O(owner) in any VPC.
    type: dict
  rules:
    description:
      - All ingress rules of the group. Rules that are not in this list are revoked, unless O(purge_rules=false).
      - Left alone when not given.
    type: list
    elements: dict
    suboptions:
      protocol:
        description: Protocol. V(all) and V(-1) are the same.
        type: str
        choices: [tcp, udp, icmp, icmpv6, all, "-1"]
        default: tcp
      from_port:
        description: First port, or the ICMP type.
        type: int
      to_port:
        description: Last port, or the ICMP code. The same as O(rules[].from_port) when not given.
        type: int
      ports:
        description: Short for both, such as V(80) or V(32768-65535).
        type: str
      cidrs:
        description: IPv4 networks that may come in.
        type: list
        elements: str
      cidrs_ipv6:
        description: IPv6 networks that may come in.
        type: list
        elements: str
      groups:
        description: Names of security groups of the same VPC that may come in. The group itself may be one of them.
        type: list
        elements: str
      description:
        description: Why the rule is there.
        type: str
  purge_rules:
    description:
      - Whether rules that are not in O(rules) are revoked.
      - Without it they stay, RV(extra_rules) names them, and whoever still needs them is not cut off. A second run with
        it takes them away.
    type: bool
    default: true
  delete_timeout:
    description:
      - Seconds to try again while something still uses the group.
      - The network interfaces of a deleted load balancer linger for minutes.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Keep the security group of the load balancer
  handson.ecs.security_group:
    name: petclinic-rest-alb-sg
    network:
      mode: default
    rules:
      - ports: "80"
        cidrs: [0.0.0.0/0]
        description: the world

- name: Keep the security group of the instances
  handson.ecs.security_group:
    name: petclinic-rest-ec2-sg
    network:
      mode: default
    rules:
      - protocol: all
        groups: [petclinic-rest-alb-sg]
      - ports: "22"
        cidrs: [203.0.113.0/24]
"""

RETURN = r"""
security_group:
  description: The security group in the names of the options, with its id. Each rule is one readable line.
  returned: always
  type: dict
  sample:
    id: sg-0123456789abcdef0
    vpc_id: vpc-0123456789abcdef0
    name: petclinic-rest-ec2-sg
    description: Managed by handson.ecs
    rules: ["all from sg petclinic-rest-alb-sg", "tcp 22 from 203.0.113.0/24"]
    tags: {"handson:cluster": petclinic-rest-cluster}
extra_rules:
  description: Rules of the group that O(rules) does not have, each as one readable line.
  returned: with O(purge_rules=false)
  type: list
  elements: str
  sample: ["tcp 9460 from sg petclinic-rest-alb-sg"]
"""

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import names
from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags, foreign_because, tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.ec2_tags import tag_specifications
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    KNOWN_AFTER_APPLY,
    Missing,
    Resource,
    ResourceError,
    argument_spec,
    ignore_missing,
)
from ansible_collections.handson.ecs.plugins.module_utils.security_groups import (
    flat_rules,
    rule_changes,
    rule_texts,
    rule_to_aws,
    rules_from_aws,
)


class SecurityGroup(Resource):
    kind = "security group"
    result_key = "security_group"
    immutable = frozenset({"description"})
    exists_codes = ("InvalidGroup.Duplicate",)

    def __init__(self, module):
        super().__init__(module)
        self._vpc_id = None
        try:
            self._wanted = flat_rules(self.params["rules"] or [])
        except ValueError as e:
            module.fail_json(msg=f"{self.kind} {self.name!r}: {e}")
        self._rules = []  # the flat rules of the living group
        self._permissions = ([], [])  # its ingress and egress as EC2 gives them
        self._ids = {}  # name -> id of this group and of those that the wanted rules name

    def get(self):
        vpc = self._vpc()
        if vpc is KNOWN_AFTER_APPLY:
            return None
        named = {self.name} | {r["source"] for r in self._wanted if r["kind"] == "group"}
        filters = [{"Name": "group-name", "Values": sorted(named)}]
        if vpc:
            filters.append({"Name": "vpc-id", "Values": [vpc]})
        pages = self.client("ec2").get_paginator("describe_security_groups").paginate(Filters=filters)
        found = [g for page in pages for g in page["SecurityGroups"]]
        self._ids = {g["GroupName"]: g["GroupId"] for g in found} if vpc else {}
        group = self._own([g for g in found if g["GroupName"] == self.name])
        if group is None:
            return None
        self._ids[self.name] = group["GroupId"]
        ingress, egress = group.get("IpPermissions") or [], group.get("IpPermissionsEgress") or []
        self._permissions = (ingress, egress)
        self._rules = rules_from_aws(ingress, {i: n for n, i in self._ids.items()})
        return {
            "name": group["GroupName"],
            "id": group["GroupId"],
            "vpc_id": group.get("VpcId"),
            "description": group["Description"],
            "rules": rule_texts(self._rules),
            "tags": tags_to_dict(group.get("Tags")),
        }

    def desired(self, current):
        desired = self.given("name", "description")
        if self.params["rules"] is not None:
            for rule in self._wanted:
                if rule["kind"] == "group" and rule["source"] != self.name:
                    self.resolve(lambda name=rule["source"]: self._id_of(name))
            # What is not purged is as it should be.
            desired["rules"] = rule_texts(self._wanted if self.params["purge_rules"] else self._wanted + self._extra())
        return desired

    def create(self, desired):
        made = self.client("ec2").create_security_group(
            GroupName=self.name,
            Description=desired["description"],
            VpcId=self._vpc(),
            **tag_specifications("security-group", desired.get("tags")),
        )
        self._ids[self.name] = made["GroupId"]
        if self._wanted:
            # A group that was just made isn't known to all of EC2 at once.
            self.retry_on(
                ("InvalidGroup.NotFound",), lambda: self._authorize(made["GroupId"], self._wanted), timeout=30
            )

    def update(self, current, desired, changes):
        ec2, group = self.client("ec2"), current["id"]
        if "rules" in changes:
            add, describe, revoke = rule_changes(self._rules, self._wanted)
            if add:
                self._authorize(group, add)
            if describe:
                ec2.update_security_group_rule_descriptions_ingress(GroupId=group, IpPermissions=self._to_aws(describe))
            if revoke and self.params["purge_rules"]:
                self._one_by_one_on(
                    ("InvalidPermission.NotFound",), ec2.revoke_security_group_ingress, group, self._to_aws(revoke)
                )
        if "tags" in changes:
            ec2.create_tags(Resources=[group], Tags=dict_to_tags(desired["tags"]))

    def delete(self, current):
        ec2, group = self.client("ec2"), current["id"]
        # Its own rules about other groups would keep those from being deleted. Rules of others about it stay theirs:
        # delete the group that refers first.
        for permissions, call in zip(
            self._permissions, (ec2.revoke_security_group_ingress, ec2.revoke_security_group_egress), strict=True
        ):
            referring = [
                {k: v for k, v in p.items() if k not in ("IpRanges", "Ipv6Ranges", "PrefixListIds")}
                for p in permissions
                if any(pair.get("GroupId") != group for pair in p.get("UserIdGroupPairs") or [])
            ]
            if referring:
                # Emulators let a group go that others refer to; to revoke such a rule is then an error of its own.
                gone = ("InvalidPermission.NotFound", "InvalidGroup.NotFound")
                self._one_by_one_on(gone, call, group, referring)
        try:
            self.retry_on(
                ("DependencyViolation",),
                lambda: ignore_missing(lambda: ec2.delete_security_group(GroupId=group), "InvalidGroup.NotFound"),
                timeout=self.params["delete_timeout"],
                interval=5,
            )
        except is_boto3_error_code("DependencyViolation"):
            raise ResourceError(
                f"The security group {self.name!r} ({group}) was still in use after {self.params['delete_timeout']} s: "
                f"{self._users(group)}. Take that away and run again, or raise delete_timeout."
            ) from None

    def after(self, current, changed):
        return {} if self.params["purge_rules"] else {"extra_rules": rule_texts(self._extra())}

    # --- help -----------------------------------------------------------------------------------------------------

    def _vpc(self):
        """The id of the group's VPC; None where `network` isn't given; KNOWN_AFTER_APPLY where there is none (yet)."""
        network = self.params["network"]
        if self._vpc_id is None and network is not None:
            lookup = lambda: names.vpc_id(self.client("ec2"), network)  # noqa: E731
            if self.params["state"] == "present":
                self._vpc_id = self.resolve(lookup)
            else:
                try:
                    self._vpc_id = lookup()
                except ResourceError as e:
                    # No VPC, no group in it. Of the default VPC its absence is the only thing that can be wrong.
                    if not isinstance(e, Missing) and (network.get("mode") or "default") != "default":
                        raise
                    self._vpc_id = KNOWN_AFTER_APPLY
        return self._vpc_id

    def _own(self, groups):
        """Of groups of this name in several VPCs (only without `network`) the one that is ours."""
        ours = [g for g in groups if not foreign_because(tags_to_dict(g.get("Tags")), self.params["owner"])]
        if len(ours) > 1:
            where = ", ".join(sorted(f"{g['GroupId']} in {g.get('VpcId')}" for g in ours))
            raise ResourceError(
                f"{len(ours)} security groups are named {self.name!r}: {where}. Set network to say which."
            )
        return (ours or groups or [None])[0]

    def _id_of(self, name):
        if name not in self._ids:
            # Raises Missing, with the playbook that makes it, unless it has come into being since.
            self._ids.update(names.security_group_ids(self.client("ec2"), [name], self._known_vpc()))
        return self._ids[name]

    def _known_vpc(self):
        vpc = self._vpc()
        if vpc is KNOWN_AFTER_APPLY:
            raise Missing("The VPC is not there yet.")
        return vpc

    def _extra(self):
        """The flat rules of the living group that are not wanted."""
        return rule_changes(self._rules, self._wanted)[2] if self.params["rules"] is not None else []

    def _to_aws(self, rules):
        return [rule_to_aws(r, self._ids) for r in rules]

    def _authorize(self, group, rules):
        self._one_by_one_on(
            ("InvalidPermission.Duplicate",),
            self.client("ec2").authorize_security_group_ingress,
            group,
            self._to_aws(rules),
        )

    @staticmethod
    def _one_by_one_on(codes, call, group, permissions):
        """Call for all permissions at once; where EC2 says that one of them already is as wanted, one at a time.

        EC2 takes all of them or none, and a repeated call whose first answer was lost finds all of them done.
        """
        if ignore_missing(lambda: call(GroupId=group, IpPermissions=permissions), *codes) is None:
            for permission in permissions:
                ignore_missing(lambda p=permission: call(GroupId=group, IpPermissions=[p]), *codes)

    def _users(self, group):
        """What keeps the group from being deleted, in words."""
        ec2 = self.client("ec2")
        interfaces = ec2.describe_network_interfaces(Filters=[{"Name": "group-id", "Values": [group]}])
        users = [
            f"network interface {i['NetworkInterfaceId']} ({i.get('Description') or 'no description'})"
            for i in interfaces["NetworkInterfaces"]
        ]
        groups = ec2.describe_security_groups(Filters=[{"Name": "ip-permission.group-id", "Values": [group]}])
        users += [f"a rule of the security group {g['GroupName']!r}" for g in groups["SecurityGroups"]]
        return ", ".join(users) or "AWS does not say by what"


def main():
    rule = {
        "protocol": {"type": "str", "choices": ["tcp", "udp", "icmp", "icmpv6", "all", "-1"], "default": "tcp"},
        "from_port": {"type": "int"},
        "to_port": {"type": "int"},
        "ports": {"type": "str"},
        "cidrs": {"type": "list", "elements": "str"},
        "cidrs_ipv6": {"type": "list", "elements": "str"},
        "groups": {"type": "list", "elements": "str"},
        "description": {"type": "str"},
    }
    spec = argument_spec(
        name={"type": "str", "required": True},
        description={"type": "str", "default": "Managed by handson.ecs"},
        network={"type": "dict"},
        rules={"type": "list", "elements": "dict", "options": rule},
        purge_rules={"type": "bool", "default": True},
        delete_timeout={"type": "int", "default": 600},
    )
    SecurityGroup(
        AnsibleAWSModule(argument_spec=spec, supports_check_mode=True, required_if=[("state", "present", ["network"])])
    ).run()


if __name__ == "__main__":
    main()
