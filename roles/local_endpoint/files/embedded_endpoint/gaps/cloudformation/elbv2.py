# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""CloudFormation's load balancers, listeners, rules and target groups."""

from typing import Any, ClassVar

from botocore.exceptions import ClientError

from embedded_endpoint.gaps.cloudformation.errors import Failure
from embedded_endpoint.gaps.cloudformation.resources import (
    Handler,
    Resource,
    changed_properties,
    handles,
    pairs,
    tag_changes,
)


class _ElbHandler(Handler):
    service = "ElasticLoadBalancingV2"

    def retag(self, resource: Resource, old: Resource) -> None:
        """Bring the tags up to date."""
        changed, removed = tag_changes(resource, old)
        if changed:
            self.api.elbv2("add_tags", ResourceArns=[resource.physical_id], Tags=pairs(changed))
        if removed:
            self.api.elbv2("remove_tags", ResourceArns=[resource.physical_id], TagKeys=removed)

    def gone(self, operation: str, **parameters: Any) -> None:
        """Delete something that may be gone."""
        try:
            self.api.elbv2(operation, **parameters)
        except ClientError as error:
            if not error.response["Error"]["Code"].endswith("NotFound"):
                raise


def _changed_attributes(resource: Resource, before: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [each for each in resource.properties.get(name) or [] if each not in (before.get(name) or [])]


@handles("AWS::ElasticLoadBalancingV2::LoadBalancer")
class LoadBalancer(_ElbHandler):
    _CREATED: ClassVar = ("IpAddressType", "Scheme", "SecurityGroups", "SubnetMappings", "Subnets", "Type")

    def create(self, resource: Resource) -> None:
        given = resource.properties
        name = given.get("Name") or self.generated_name(resource, 32)
        if self._named(name):
            raise Failure(
                "Resource handler returned message: \"Resource of type 'AWS::ElasticLoadBalancingV2::LoadBalancer' with "
                f"identifier '{name}' already exists.\" (HandlerErrorCode: AlreadyExists)"
            )
        made = self.api.elbv2(
            "create_load_balancer",
            Name=name,
            Tags=pairs(resource.tags) or None,
            **{key: given.get(key) for key in self._CREATED},
        )
        resource.physical_id = made["LoadBalancers"][0]["LoadBalancerArn"]
        self._attributes(resource, {})

    def _named(self, name: str) -> bool:
        try:
            return bool(self.api.elbv2("describe_load_balancers", Names=[name])["LoadBalancers"])
        except ClientError:
            return False

    def _attributes(self, resource: Resource, before: dict[str, Any]) -> None:
        attributes = _changed_attributes(resource, before, "LoadBalancerAttributes")
        if attributes:
            self.api.elbv2(
                "modify_load_balancer_attributes", LoadBalancerArn=resource.physical_id, Attributes=attributes
            )

    def update(self, resource: Resource, old: Resource) -> None:
        given, arn = resource.properties, resource.physical_id
        changed = changed_properties(given, old.properties)
        if "SecurityGroups" in changed:
            self.api.elbv2("set_security_groups", LoadBalancerArn=arn, SecurityGroups=given.get("SecurityGroups") or [])
        if changed & {"Subnets", "SubnetMappings"}:
            subnets = {key: given.get(key) for key in ("Subnets", "SubnetMappings")}
            self.api.elbv2("set_subnets", LoadBalancerArn=arn, **subnets)
        if "IpAddressType" in changed:
            kind = given.get("IpAddressType", "ipv4")
            self.api.elbv2("set_ip_address_type", LoadBalancerArn=arn, IpAddressType=kind)
        self._attributes(resource, old.properties)
        self.retag(resource, old)

    def delete(self, resource: Resource) -> None:
        self.gone("delete_load_balancer", LoadBalancerArn=resource.physical_id)

    def attribute(self, resource: Resource, name: str) -> Any:
        found = self.api.elbv2("describe_load_balancers", LoadBalancerArns=[resource.physical_id])["LoadBalancers"][0]
        return {
            "CanonicalHostedZoneID": found.get("CanonicalHostedZoneId", ""),
            "DNSName": found["DNSName"],
            "LoadBalancerArn": resource.physical_id,
            "LoadBalancerFullName": resource.physical_id.split(":loadbalancer/", 1)[1],
            "LoadBalancerName": found["LoadBalancerName"],
            "SecurityGroups": found.get("SecurityGroups", []),
        }[name]


@handles("AWS::ElasticLoadBalancingV2::Listener")
class Listener(_ElbHandler):
    def create(self, resource: Resource) -> None:
        given = {key: value for key, value in resource.properties.items() if key not in ("ListenerAttributes", "Tags")}
        made = self.api.elbv2("create_listener", **given, Tags=pairs(resource.tags) or None)
        resource.physical_id = made["Listeners"][0]["ListenerArn"]
        self._attributes(resource, {})

    def _attributes(self, resource: Resource, before: dict[str, Any]) -> None:
        attributes = _changed_attributes(resource, before, "ListenerAttributes")
        if attributes:
            self.api.elbv2("modify_listener_attributes", ListenerArn=resource.physical_id, Attributes=attributes)

    def update(self, resource: Resource, old: Resource) -> None:
        names = (
            "AlpnPolicy",
            "Certificates",
            "DefaultActions",
            "MutualAuthentication",
            "Port",
            "Protocol",
            "SslPolicy",
        )
        if changed_properties(resource.properties, old.properties) & set(names):
            given = {key: value for key, value in resource.properties.items() if key in names}
            self.api.elbv2("modify_listener", ListenerArn=resource.physical_id, **given)
        self._attributes(resource, old.properties)
        self.retag(resource, old)

    def delete(self, resource: Resource) -> None:
        self.gone("delete_listener", ListenerArn=resource.physical_id)

    def attribute(self, resource: Resource, name: str) -> Any:
        return {"ListenerArn": resource.physical_id}[name]


@handles("AWS::ElasticLoadBalancingV2::ListenerRule")
class ListenerRule(_ElbHandler):
    def create(self, resource: Resource) -> None:
        given = {key: value for key, value in resource.properties.items() if key != "Tags"}
        made = self.api.elbv2("create_rule", **given, Tags=pairs(resource.tags) or None)
        resource.physical_id = made["Rules"][0]["RuleArn"]

    def update(self, resource: Resource, old: Resource) -> None:
        changed, given = changed_properties(resource.properties, old.properties), resource.properties
        if changed & {"Actions", "Conditions", "Transforms"}:
            parts = {key: given.get(key) for key in ("Actions", "Conditions", "Transforms")}
            self.api.elbv2("modify_rule", RuleArn=resource.physical_id, **parts)
        if "Priority" in changed:
            priority = {"RuleArn": resource.physical_id, "Priority": given["Priority"]}
            self.api.elbv2("set_rule_priorities", RulePriorities=[priority])
        self.retag(resource, old)

    def delete(self, resource: Resource) -> None:
        self.gone("delete_rule", RuleArn=resource.physical_id)

    def attribute(self, resource: Resource, name: str) -> Any:
        return {"RuleArn": resource.physical_id, "IsDefault": "false"}[name]


@handles("AWS::ElasticLoadBalancingV2::TargetGroup")
class TargetGroup(_ElbHandler):
    _APART: ClassVar = ("Tags", "TargetGroupAttributes", "Targets")

    def create(self, resource: Resource) -> None:
        given = {key: value for key, value in resource.properties.items() if key not in self._APART}
        given["Name"] = given.get("Name") or self.generated_name(resource, 32)
        made = self.api.elbv2("create_target_group", **given, Tags=pairs(resource.tags) or None)
        resource.physical_id = made["TargetGroups"][0]["TargetGroupArn"]
        self._rest(resource, {})

    def _rest(self, resource: Resource, before: dict[str, Any]) -> None:
        attributes = _changed_attributes(resource, before, "TargetGroupAttributes")
        if attributes:
            self.api.elbv2("modify_target_group_attributes", TargetGroupArn=resource.physical_id, Attributes=attributes)
        new, old = (each.get("Targets") or [] for each in (resource.properties, before))
        for verb, targets in (
            ("register_targets", [each for each in new if each not in old]),
            ("deregister_targets", [each for each in old if each not in new]),
        ):
            if targets:
                self.api.elbv2(verb, TargetGroupArn=resource.physical_id, Targets=targets)

    def update(self, resource: Resource, old: Resource) -> None:
        changed = changed_properties(resource.properties, old.properties)
        health = {
            key: resource.properties.get(key) for key in changed if key.startswith(("Health", "Matcher", "Unhealthy"))
        }
        if health:
            self.api.elbv2("modify_target_group", TargetGroupArn=resource.physical_id, **health)
        self._rest(resource, old.properties)
        self.retag(resource, old)

    def delete(self, resource: Resource) -> None:
        self.gone("delete_target_group", TargetGroupArn=resource.physical_id)

    def attribute(self, resource: Resource, name: str) -> Any:
        found = self.api.elbv2("describe_target_groups", TargetGroupArns=[resource.physical_id])["TargetGroups"][0]
        return {
            "LoadBalancerArns": found.get("LoadBalancerArns", []),
            "TargetGroupArn": resource.physical_id,
            "TargetGroupFullName": resource.physical_id.rsplit(":", 1)[1],
            "TargetGroupName": found["TargetGroupName"],
        }[name]
