# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""CloudFormation's security groups and their rules."""

from typing import Any

from embedded_endpoint.gaps.cloudformation.network import Ec2Handler
from embedded_endpoint.gaps.cloudformation.resources import Resource, handles

_EVERYWHERE = {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}  # the rule that EC2 gives each new group


def permission(rule: dict[str, Any]) -> dict[str, Any]:
    """EC2's form of a rule."""
    result = {key: rule.get(key) for key in ("IpProtocol", "FromPort", "ToPort") if rule.get(key) is not None}
    described = {"Description": rule["Description"]} if rule.get("Description") else {}
    group = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")
    prefix_list = rule.get("SourcePrefixListId") or rule.get("DestinationPrefixListId")
    if rule.get("CidrIp"):
        result["IpRanges"] = [{"CidrIp": rule["CidrIp"], **described}]
    if rule.get("CidrIpv6"):
        result["Ipv6Ranges"] = [{"CidrIpv6": rule["CidrIpv6"], **described}]
    if group or rule.get("SourceSecurityGroupName"):
        pair = {"GroupId": group} if group else {"GroupName": rule["SourceSecurityGroupName"]}
        owner = rule.get("SourceSecurityGroupOwnerId")
        result["UserIdGroupPairs"] = [{**pair, **({"UserId": owner} if owner else {}), **described}]
    if prefix_list:
        result["PrefixListIds"] = [{"PrefixListId": prefix_list, **described}]
    return result


@handles("AWS::EC2::SecurityGroup")
class SecurityGroup(Ec2Handler):
    def create(self, resource: Resource) -> None:
        given = resource.properties
        made = self.api.ec2(
            "create_security_group",
            GroupName=given.get("GroupName") or self.generated_name(resource),
            Description=given.get("GroupDescription"),
            VpcId=given.get("VpcId"),
            TagSpecifications=self.tags_on(resource, "security-group"),
        )
        resource.physical_id = made["GroupId"]
        self._rules(resource, {})
        if given.get("SecurityGroupEgress"):
            self._call("revoke", "egress", resource, [_EVERYWHERE])
            self._change("egress", resource, {}, given)

    def _rules(self, resource: Resource, before: dict[str, Any]) -> None:
        self._change("ingress", resource, before, resource.properties)

    def _call(self, verb: str, way: str, resource: Resource, rules: list[dict[str, Any]]) -> None:
        self.api.ec2(
            f"{verb}_security_group_{way}", GroupId=resource.physical_id, IpPermissions=[permission(r) for r in rules]
        )

    def _change(self, way: str, resource: Resource, before: dict[str, Any], after: dict[str, Any]) -> None:
        name = f"SecurityGroup{way.capitalize()}"
        old, new = before.get(name) or [], after.get(name) or []
        if removed := [rule for rule in old if rule not in new]:
            self._call("revoke", way, resource, removed)
        if added := [rule for rule in new if rule not in old]:
            self._call("authorize", way, resource, added)

    def update(self, resource: Resource, old: Resource) -> None:
        self._rules(resource, old.properties)
        default = {"SecurityGroupEgress": [_EVERYWHERE]}
        before, after = (
            each if each.get("SecurityGroupEgress") else default for each in (old.properties, resource.properties)
        )
        self._change("egress", resource, before, after)
        self.retag(resource, old)

    def delete(self, resource: Resource) -> None:
        self.gone("delete_security_group", GroupId=resource.physical_id)

    def attribute(self, resource: Resource, name: str) -> Any:
        found = self.api.ec2("describe_security_groups", GroupIds=[resource.physical_id])["SecurityGroups"][0]
        return {"GroupId": found["GroupId"], "Id": found["GroupId"], "VpcId": found["VpcId"]}[name]


class _Rule(Ec2Handler):
    way = ""

    def create(self, resource: Resource) -> None:
        made = self.api.ec2(
            f"authorize_security_group_{self.way}",
            GroupId=resource.properties.get("GroupId"),
            GroupName=resource.properties.get("GroupName") if self.way == "ingress" else None,
            IpPermissions=[permission(resource.properties)],
        )
        rules = made.get("SecurityGroupRules") or [{}]
        resource.physical_id = rules[0].get("SecurityGroupRuleId") or resource.logical_id

    def update(self, resource: Resource, old: Resource) -> None:
        self.delete(old)  # only the description can change without a replacement
        self.create(resource)

    def delete(self, resource: Resource) -> None:
        self.gone(
            f"revoke_security_group_{self.way}",
            GroupId=resource.properties.get("GroupId"),
            IpPermissions=[permission(resource.properties)],
        )

    def attribute(self, resource: Resource, name: str) -> Any:
        return {"Id": resource.physical_id}[name]


@handles("AWS::EC2::SecurityGroupIngress")
class Ingress(_Rule):
    way = "ingress"


@handles("AWS::EC2::SecurityGroupEgress")
class Egress(_Rule):
    """A rule of its own takes the place of the one that EC2 gave the group."""

    way = "egress"

    def create(self, resource: Resource) -> None:
        group = resource.properties["GroupId"]
        rules = self.api.ec2("describe_security_groups", GroupIds=[group])["SecurityGroups"][0]["IpPermissionsEgress"]
        everywhere = [{"CidrIp": "0.0.0.0/0"}]
        if any(rule["IpProtocol"] == "-1" and rule.get("IpRanges") == everywhere for rule in rules):
            self.api.ec2("revoke_security_group_egress", GroupId=group, IpPermissions=[permission(_EVERYWHERE)])
        super().create(resource)
