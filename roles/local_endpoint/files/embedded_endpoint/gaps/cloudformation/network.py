# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""CloudFormation's VPCs, subnets, gateways and routes."""

from typing import Any, ClassVar

from botocore.exceptions import ClientError

from embedded_endpoint.gaps.cloudformation.resources import Handler, Resource, handles, pairs, tag_changes


class Ec2Handler(Handler):
    """What EC2's resources have in common: tags, and errors that say that something is gone."""

    service = "Ec2"

    def tags_on(self, resource: Resource, kind: str) -> list[dict[str, Any]] | None:
        """The TagSpecifications of a call that creates."""
        return [{"ResourceType": kind, "Tags": pairs(resource.tags)}] if resource.tags else None

    def retag(self, resource: Resource, old: Resource, identifier: str | None = None) -> None:
        """Bring the tags up to date."""
        changed, removed = tag_changes(resource, old)
        if changed:
            self.api.ec2("create_tags", Resources=[identifier or resource.physical_id], Tags=pairs(changed))
        if removed:
            self.api.ec2(
                "delete_tags", Resources=[identifier or resource.physical_id], Tags=[{"Key": key} for key in removed]
            )

    def gone(self, operation: str, **parameters: Any) -> None:
        """Delete something that may be gone."""
        try:
            self.api.ec2(operation, **parameters)
        except ClientError as error:
            if "NotFound" not in error.response["Error"]["Code"]:
                raise


@handles("AWS::EC2::VPC")
class Vpc(Ec2Handler):
    def create(self, resource: Resource) -> None:
        given = resource.properties
        made = self.api.ec2(
            "create_vpc",
            CidrBlock=given.get("CidrBlock"),
            InstanceTenancy=given.get("InstanceTenancy"),
            TagSpecifications=self.tags_on(resource, "vpc"),
        )
        resource.physical_id = made["Vpc"]["VpcId"]
        self._attributes(resource, {})

    def _attributes(self, resource: Resource, before: dict[str, Any]) -> None:
        for name, default in (("EnableDnsSupport", True), ("EnableDnsHostnames", False)):
            value = resource.properties.get(name, default)
            if value != before.get(name, default):
                self.api.ec2("modify_vpc_attribute", VpcId=resource.physical_id, **{name: {"Value": value}})

    def update(self, resource: Resource, old: Resource) -> None:
        self._attributes(resource, old.properties)
        self.retag(resource, old)

    def delete(self, resource: Resource) -> None:
        self.gone("delete_vpc", VpcId=resource.physical_id)

    def attribute(self, resource: Resource, name: str) -> Any:
        vpc = self.api.ec2("describe_vpcs", VpcIds=[resource.physical_id])["Vpcs"][0]
        by_vpc = [{"Name": "vpc-id", "Values": [resource.physical_id]}]
        if name == "DefaultSecurityGroup":
            by_vpc.append({"Name": "group-name", "Values": ["default"]})
            return self.api.ec2("describe_security_groups", Filters=by_vpc)["SecurityGroups"][0]["GroupId"]
        if name == "DefaultNetworkAcl":
            return self.api.ec2("describe_network_acls", Filters=by_vpc)["NetworkAcls"][0]["NetworkAclId"]
        if name == "CidrBlockAssociations":
            return [each["AssociationId"] for each in vpc["CidrBlockAssociationSet"]]
        return {"VpcId": vpc["VpcId"], "CidrBlock": vpc["CidrBlock"], "Ipv6CidrBlocks": []}[name]


@handles("AWS::EC2::Subnet")
class Subnet(Ec2Handler):
    _OPTIONS: ClassVar = ("MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation")

    def create(self, resource: Resource) -> None:
        given = {key: value for key, value in resource.properties.items() if key not in ("Tags", *self._OPTIONS)}
        made = self.api.ec2("create_subnet", **given, TagSpecifications=self.tags_on(resource, "subnet"))
        resource.physical_id = made["Subnet"]["SubnetId"]
        self._attributes(resource, {})

    def _attributes(self, resource: Resource, before: dict[str, Any]) -> None:
        for name in self._OPTIONS:
            value = resource.properties.get(name, False)
            if value != before.get(name, False):
                self.api.ec2("modify_subnet_attribute", SubnetId=resource.physical_id, **{name: {"Value": value}})

    def update(self, resource: Resource, old: Resource) -> None:
        self._attributes(resource, old.properties)
        self.retag(resource, old)

    def delete(self, resource: Resource) -> None:
        self.gone("delete_subnet", SubnetId=resource.physical_id)

    def attribute(self, resource: Resource, name: str) -> Any:
        if name == "NetworkAclAssociationId":
            found = self.api.ec2(
                "describe_network_acls",
                Filters=[{"Name": "association.subnet-id", "Values": [resource.physical_id]}],
            )["NetworkAcls"][0]["Associations"]
            return next(each["NetworkAclAssociationId"] for each in found if each["SubnetId"] == resource.physical_id)
        subnet = self.api.ec2("describe_subnets", SubnetIds=[resource.physical_id])["Subnets"][0]
        return {
            key: subnet[key] for key in ("AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "SubnetId", "VpcId")
        }[name]


@handles("AWS::EC2::InternetGateway")
class InternetGateway(Ec2Handler):
    def create(self, resource: Resource) -> None:
        made = self.api.ec2("create_internet_gateway", TagSpecifications=self.tags_on(resource, "internet-gateway"))
        resource.physical_id = made["InternetGateway"]["InternetGatewayId"]

    def update(self, resource: Resource, old: Resource) -> None:
        self.retag(resource, old)

    def delete(self, resource: Resource) -> None:
        self.gone("delete_internet_gateway", InternetGatewayId=resource.physical_id)

    def attribute(self, resource: Resource, name: str) -> Any:
        return {"InternetGatewayId": resource.physical_id}[name]


@handles("AWS::EC2::VPCGatewayAttachment")
class GatewayAttachment(Ec2Handler):
    def create(self, resource: Resource) -> None:
        self.api.ec2("attach_internet_gateway", **_attachment(resource))
        resource.physical_id = f"IGW|{resource.properties['VpcId']}"

    def update(self, resource: Resource, old: Resource) -> None:
        self.delete(old)
        self.create(resource)

    def delete(self, resource: Resource) -> None:
        try:
            self.api.ec2("detach_internet_gateway", **_attachment(resource))
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("Gateway.NotAttached", "InvalidInternetGatewayID.NotFound"):
                raise

    def attribute(self, resource: Resource, name: str) -> Any:
        return {"AttachmentType": "IGW"}[name]


def _attachment(resource: Resource) -> dict[str, Any]:
    return {key: resource.properties.get(key) for key in ("InternetGatewayId", "VpcId")}


@handles("AWS::EC2::RouteTable")
class RouteTable(Ec2Handler):
    def create(self, resource: Resource) -> None:
        made = self.api.ec2(
            "create_route_table",
            VpcId=resource.properties["VpcId"],
            TagSpecifications=self.tags_on(resource, "route-table"),
        )
        resource.physical_id = made["RouteTable"]["RouteTableId"]

    def update(self, resource: Resource, old: Resource) -> None:
        self.retag(resource, old)

    def delete(self, resource: Resource) -> None:
        self.gone("delete_route_table", RouteTableId=resource.physical_id)

    def attribute(self, resource: Resource, name: str) -> Any:
        return {"RouteTableId": resource.physical_id}[name]


@handles("AWS::EC2::Route")
class Route(Ec2Handler):
    def create(self, resource: Resource) -> None:
        self.api.ec2("create_route", **resource.properties)
        resource.physical_id = f"{resource.properties['RouteTableId']}|{self._destination(resource)}"

    @staticmethod
    def _destination(resource: Resource) -> str | None:
        given = resource.properties
        return given.get("DestinationCidrBlock") or given.get("DestinationIpv6CidrBlock")

    def update(self, resource: Resource, old: Resource) -> None:
        self.api.ec2("replace_route", **resource.properties)

    def delete(self, resource: Resource) -> None:
        names = ("RouteTableId", "DestinationCidrBlock", "DestinationIpv6CidrBlock")
        self.gone("delete_route", **{key: value for key, value in resource.properties.items() if key in names})

    def attribute(self, resource: Resource, name: str) -> Any:
        return {"CidrBlock": self._destination(resource)}[name]


@handles("AWS::EC2::SubnetRouteTableAssociation")
class SubnetRouteTableAssociation(Ec2Handler):
    def create(self, resource: Resource) -> None:
        resource.physical_id = self.api.ec2("associate_route_table", **resource.properties)["AssociationId"]

    def update(self, resource: Resource, old: Resource) -> None:
        """Both properties replace it."""

    def delete(self, resource: Resource) -> None:
        self.gone("disassociate_route_table", AssociationId=resource.physical_id)

    def attribute(self, resource: Resource, name: str) -> Any:
        return {"Id": resource.physical_id}[name]
