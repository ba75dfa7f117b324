#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: network
version_added: 0.1.0
short_description: Keep a VPC with public subnets
description:
  - Makes, changes and deletes a VPC, public subnets in at least two zones, an internet gateway and the route to it.
  - One module and not M(amazon.aws.ec2_vpc_net), M(amazon.aws.ec2_vpc_subnet), M(amazon.aws.ec2_vpc_igw) and
    M(amazon.aws.ec2_vpc_route_table) in turn, since they hand each other ids, so that a check on an empty account can
    show nothing but the VPC; and since they go by name and CIDR alone, and would adopt or delete another's VPC, subnet
    or gateway.
  - Everything carries O(owner) from the moment it is made, so a run that was interrupted goes on from where it stopped.
    Where the answer to a call got lost and something was made twice, the empty one of the two is deleted.
  - What others made in the VPC is left alone. With O(state=absent) it is a failure that names them, before anything is
    deleted.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name tag of the VPC and of its gateway and route table. Subnets have their zone behind it.
    type: str
    required: true
  cidr:
    description: Block of the VPC, /16 to /28. AWS cannot change it later.
    type: str
    default: 10.0.0.0/16
  subnet_cidrs:
    description:
      - Blocks of the subnets, at least two, inside O(cidr).
      - A subnet of ours whose block is taken off the list is deleted. AWS refuses that while something is in it.
    type: list
    elements: str
    default: [10.0.0.0/24, 10.0.1.0/24]
  availability_zones:
    description:
      - A zone for each subnet, two different ones at least. AWS cannot move a subnet later.
      - Empty takes the first zones of the region, without local zones and those that must be opted into, and leaves
        subnets that are there where they are.
    type: list
    elements: str
    default: []
  delete_timeout:
    description:
      - Seconds to try again while something still uses a part of it.
      - The network interfaces of a deleted load balancer linger for minutes.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Keep a network for the petclinic cluster
  handson.ecs.network:
    name: petclinic-rest-vpc
    cidr: 10.0.0.0/16
    subnet_cidrs: [10.0.0.0/24, 10.0.1.0/24]
    owner:
      handson:cluster: petclinic-rest-cluster
"""

RETURN = r"""
network:
  description: The network in the names of the options, with its ids.
  returned: always
  type: dict
  sample:
    id: vpc-0123456789abcdef0
    name: petclinic-rest-vpc
    cidr: 10.0.0.0/16
    dns_hostnames: true
    internet_gateway: attached
    internet_route: to the internet gateway
    subnets:
      10.0.0.0/24: {availability_zone: ap-southeast-1a, public_ip: true, routed: true}
      10.0.1.0/24: {availability_zone: ap-southeast-1b, public_ip: true, routed: true}
    subnet_ids: [subnet-0123456789abcdef0, subnet-0fedcba9876543210]
    doubles: []
    tags: {"handson:cluster": petclinic-rest-cluster}
"""

try:
    from botocore.exceptions import ClientError
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import networks as its
from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags, foreign_because, tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.ec2_tags import tag_specifications
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    Resource,
    ResourceError,
    argument_spec,
    ignore_missing,
)

ATTACHED = "attached"
ROUTED = "to the internet gateway"
#: EC2 says so for some moments of what it has just made.
UNBORN = ("InvalidVpcID.NotFound", "InvalidSubnetID.NotFound", "InvalidInternetGatewayID.NotFound",
          "InvalidRouteTableID.NotFound", "InvalidGatewayID.NotFound")  # fmt: skip
#: And so while something still uses it.
BUSY = ("DependencyViolation",)


class Network(Resource):
    kind = "network"
    result_key = "network"
    immutable = frozenset({"cidr"})

    # --- look -----------------------------------------------------------------------------------------------------

    def get(self):
        """Return the network, its tags those that every part of it carries. Fills the parts that are there."""
        owner, ec2 = self.params["owner"], self.client("ec2")
        self.vpc, self.subnets, self.gateway, self.table, self.doubles = None, {}, None, None, []
        named = [{"Name": "tag:Name", "Values": [self.name]}]
        found = ec2.describe_vpcs(Filters=named)["Vpcs"]
        mine = self._fullest(its.ours(found, owner))
        if found and not mine:
            return self._foreign(found[0])
        # By name, not by VPC: an interrupted run may have left one that is attached to nothing.
        gateways = its.ours(ec2.describe_internet_gateways(Filters=named)["InternetGateways"], owner)
        if not mine:
            self.doubles = [g["InternetGatewayId"] for g in gateways]
            # On the way up a lone gateway is used again, on the way down it must go.
            lone = self.doubles and self.params["state"] == "absent"
            return {"id": None, "name": self.name, "doubles": self.doubles, "tags": dict(owner)} if lone else None
        self.vpc, *more = mine
        vpc_id = self.vpc["VpcId"]
        attached = [g for g in gateways if any(a.get("VpcId") == vpc_id for a in g.get("Attachments") or [])]
        free = [g for g in gateways if not g.get("Attachments")]
        self.gateway = next(iter([*attached, *free]), None)
        of_vpc = [{"Name": "vpc-id", "Values": [vpc_id]}]
        self.all_subnets = ec2.describe_subnets(Filters=of_vpc)["Subnets"]
        self.subnets = {s["CidrBlock"]: s for s in its.ours(self.all_subnets, owner)}
        tables = ec2.describe_route_tables(Filters=of_vpc)["RouteTables"]
        self.tables = its.most_used([t for t in its.ours(tables, owner) if not its.is_main(t)])
        self.table = next(iter(self.tables), None)
        self.doubles = [v["VpcId"] for v in more]
        self.doubles += [g["InternetGatewayId"] for g in free if g is not self.gateway]
        self.doubles += [t["RouteTableId"] for t in self.tables[1:]]
        hostnames = ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsHostnames")["EnableDnsHostnames"]
        route = its.default_route(self.table)
        gateway_id = (self.gateway or {}).get("InternetGatewayId")
        routed = its.associated(self.table) if self.table else {}
        parts = [p for p in (self.vpc, self.gateway, self.table, *self.subnets.values()) if p]
        return {
            "id": vpc_id,
            "name": self.name,
            "cidr": self.vpc["CidrBlock"],
            "dns_hostnames": bool(hostnames["Value"]),
            "internet_gateway": ATTACHED if attached else "not attached" if free else None,
            "internet_route": None if not route else ROUTED if self._leads_to(route, gateway_id) else "elsewhere",
            "subnets": {
                cidr: {
                    "availability_zone": s["AvailabilityZone"],
                    "public_ip": s["MapPublicIpOnLaunch"],
                    "routed": s["SubnetId"] in routed,
                }
                for cidr, s in sorted(self.subnets.items())
            },
            "subnet_ids": [
                s["SubnetId"]
                for s in sorted(self.subnets.values(), key=lambda s: (s["AvailabilityZone"], s["SubnetId"]))
            ],
            "doubles": self.doubles,
            "tags": its.common_tags(parts),
        }

    def _foreign(self, vpc):
        """Another's VPC of our name: enough of it to be refused."""
        return {"id": vpc["VpcId"], "name": self.name, "tags": tags_to_dict(vpc.get("Tags"))}

    def _fullest(self, vpcs):
        """Several VPCs of ours with the one first that has subnets: that is the one to keep."""
        if len(vpcs) < 2:
            return vpcs
        of_them = [{"Name": "vpc-id", "Values": [v["VpcId"] for v in vpcs]}]
        used = [s["VpcId"] for s in self.client("ec2").describe_subnets(Filters=of_them)["Subnets"]]
        return sorted(vpcs, key=lambda v: (-used.count(v["VpcId"]), v["VpcId"]))

    @staticmethod
    def _leads_to(route, gateway_id):
        return bool(gateway_id) and route.get("GatewayId") == gateway_id and route.get("State") != "blackhole"

    def desired(self, current):
        p = self.params
        try:
            its.check(p["cidr"], p["subnet_cidrs"], p["availability_zones"])
            zones = self._zones()
        except ValueError as e:
            raise ResourceError(str(e)) from None
        for cidr, zone in zones.items():
            there = self.subnets.get(cidr)
            if there and there["AvailabilityZone"] != zone:
                raise ResourceError(
                    f"AWS cannot move a subnet: {cidr} is in {there['AvailabilityZone']} and would be in {zone}. Set "
                    "network_availability_zones to where the subnets are, or give the new one another block."
                )
        return {
            "name": self.name,
            "cidr": p["cidr"],
            "dns_hostnames": True,
            "internet_gateway": ATTACHED,
            "internet_route": ROUTED,
            "subnets": {c: {"availability_zone": zones[c], "public_ip": True, "routed": True} for c in sorted(zones)},
            "doubles": [],
        }

    def _zones(self):
        p = self.params
        if p["availability_zones"]:
            return dict(zip(p["subnet_cidrs"], p["availability_zones"]))
        there = {cidr: s["AvailabilityZone"] for cidr, s in self.subnets.items()}
        missing = set(p["subnet_cidrs"]) - set(there)
        offered = self.client("ec2").describe_availability_zones()["AvailabilityZones"] if missing else []
        return its.zones_for(p["subnet_cidrs"], there, its.first_zones(offered))

    # --- make -----------------------------------------------------------------------------------------------------

    def create(self, desired):
        ec2 = self.client("ec2")
        made = ec2.create_vpc(CidrBlock=desired["cidr"], **self._tagged("vpc", self.name))["Vpc"]
        ec2.get_waiter("vpc_available").wait(VpcIds=[made["VpcId"]], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        # Looked for by its tags, which EC2 may show a moment later than the VPC. This also finds a double, should the
        # answer to a first try have been lost.
        seen = []
        self.wait(lambda: seen.append(self.get()) or self.vpc is not None, f"the VPC {made['VpcId']}", 60, 1)
        self.update(seen[-1], desired, set(desired))

    def update(self, current, desired, changes):
        ec2, vpc_id = self.client("ec2"), self.vpc["VpcId"]
        self._delete_doubles()
        if not current["dns_hostnames"]:
            ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
        if "tags" in changes and current["tags"] != desired.get("tags"):
            parts = [self.vpc, self.gateway, self.table, *self.subnets.values()]
            ids = [self._id(p) for p in parts if p]
            ec2.create_tags(Resources=ids, Tags=dict_to_tags(desired["tags"]))
        gateway_id = self._keep_gateway(current)
        table_id = self._keep_table(current, gateway_id)
        for cidr, wanted in desired["subnets"].items():
            self._keep_subnet(cidr, wanted, current["subnets"].get(cidr), table_id)
        for cidr in sorted(set(current["subnets"]) - set(desired["subnets"])):
            ec2.delete_subnet(SubnetId=self.subnets[cidr]["SubnetId"])

    def _keep_gateway(self, current):
        ec2 = self.client("ec2")
        if self.gateway is None:
            made = ec2.create_internet_gateway(**self._tagged("internet-gateway", self.name))
            self.gateway = made["InternetGateway"]
        gateway_id = self.gateway["InternetGatewayId"]
        if current["internet_gateway"] != ATTACHED:
            # A second try of the SDK finds its own first one's attachment.
            self._once(
                lambda: ec2.attach_internet_gateway(InternetGatewayId=gateway_id, VpcId=self.vpc["VpcId"]),
                "Resource.AlreadyAssociated",
            )
        return gateway_id

    def _keep_table(self, current, gateway_id):
        ec2 = self.client("ec2")
        if self.table is None:
            self.table = self.retry_on(
                UNBORN,
                lambda: ec2.create_route_table(VpcId=self.vpc["VpcId"], **self._tagged("route-table", self.name)),
            )["RouteTable"]
        table_id = self.table["RouteTableId"]
        if current["internet_route"] != ROUTED:
            call = ec2.replace_route if its.default_route(self.table) else ec2.create_route
            route = {"DestinationCidrBlock": its.ANYWHERE, "GatewayId": gateway_id}
            self._once(lambda: call(RouteTableId=table_id, **route), "RouteAlreadyExists")
        return table_id

    def _keep_subnet(self, cidr, wanted, there, table_id):
        ec2 = self.client("ec2")
        if there is None:
            self._create_subnet(cidr, wanted["availability_zone"])
        subnet_id = self.subnets[cidr]["SubnetId"]
        if not (there or {}).get("public_ip"):
            self.retry_on(
                UNBORN, lambda: ec2.modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": True})
            )
        if not (there or {}).get("routed"):
            self._once(
                lambda: ec2.associate_route_table(SubnetId=subnet_id, RouteTableId=table_id),
                "Resource.AlreadyAssociated",
            )

    def _create_subnet(self, cidr, zone):
        ec2, vpc_id = self.client("ec2"), self.vpc["VpcId"]
        tagged = self._tagged("subnet", f"{self.name}-{zone}")
        try:
            made = self.retry_on(
                UNBORN,
                lambda: ec2.create_subnet(VpcId=vpc_id, CidrBlock=cidr, AvailabilityZone=zone, **tagged),
            )
            self.subnets[cidr] = made["Subnet"]
        except ClientError as e:
            if e.response["Error"]["Code"] != "InvalidSubnet.Conflict":
                raise
            self.subnets[cidr] = self._made_before(cidr, e)

    def _made_before(self, cidr, error):
        """Our own subnet, where the answer of the first try was lost. Refuses somebody else's."""
        found = self.client("ec2").describe_subnets(Filters=[{"Name": "vpc-id", "Values": [self.vpc["VpcId"]]}])[
            "Subnets"
        ]
        for subnet in its.ours(found, self.params["owner"]):
            if subnet["CidrBlock"] == cidr:
                return subnet
        there = ", ".join(f"{s['SubnetId']} with {s['CidrBlock']}" for s in found)
        raise ResourceError(
            f"The subnet {cidr} overlaps one in the VPC {self.name!r} that is not ours ({there}). Choose another block "
            "in network_subnet_cidrs."
        ) from error

    def _delete_doubles(self):
        ec2 = self.client("ec2")
        for double in self.doubles:
            if double.startswith("igw-"):
                ec2.delete_internet_gateway(InternetGatewayId=double)
            elif double.startswith("rtb-"):
                self._delete_table(next(t for t in self.tables if t["RouteTableId"] == double))
            else:
                try:
                    ec2.delete_vpc(VpcId=double)
                except ClientError as e:
                    if e.response["Error"]["Code"] != "DependencyViolation":
                        raise
                    raise ResourceError(
                        f"There are two VPCs of ours named {self.name!r}, {self.vpc['VpcId']} and {double}, and "
                        f"something is in the second. Empty and delete {double} in the console, and run again."
                    ) from e

    # --- take away ------------------------------------------------------------------------------------------------

    def delete(self, current):
        ec2 = self.client("ec2")
        if self.vpc is None:
            self._delete_doubles()
            return
        vpc_id = self.vpc["VpcId"]
        self._refuse_inhabited(vpc_id)
        self._delete_doubles()
        for subnet in self.subnets.values():
            self._delete_part(
                lambda: ec2.delete_subnet(SubnetId=subnet["SubnetId"]),
                "InvalidSubnetID.NotFound",
            )
        if self.gateway:
            gateway = {"InternetGatewayId": self.gateway["InternetGatewayId"]}
            if current["internet_gateway"] == ATTACHED:
                self._delete_part(
                    lambda: ec2.detach_internet_gateway(**gateway, VpcId=vpc_id),
                    "Gateway.NotAttached",
                    "InvalidInternetGatewayID.NotFound",
                )
            self._delete_part(lambda: ec2.delete_internet_gateway(**gateway), "InvalidInternetGatewayID.NotFound")
        if self.table:
            self._delete_table(self.table)
        self._delete_part(lambda: ec2.delete_vpc(VpcId=vpc_id), "InvalidVpcID.NotFound")

    def _refuse_inhabited(self, vpc_id):
        """Fail before anything is deleted where others' things would keep the VPC alive.

        Network interfaces are no such thing: those of our load balancer and tasks go by themselves.
        """
        groups = self.client("ec2").describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
        held = [f"security group {g['GroupName']} ({g['GroupId']})" for g in groups["SecurityGroups"]
                if g["GroupName"] != "default"]  # fmt: skip
        mine = {s["SubnetId"] for s in self.subnets.values()}
        held += [f"subnet {s['CidrBlock']} ({s['SubnetId']})" for s in self.all_subnets if s["SubnetId"] not in mine]
        if held:
            raise ResourceError(
                f"The VPC {self.name!r} ({vpc_id}) cannot be deleted, since it holds: {', '.join(held)}. Nothing of it "
                "was deleted. Take those away first; security groups of ours go by the role security_groups."
            )

    def _delete_table(self, table):
        """Delete a route table. AWS refuses one that has subnets; moto 5.2.5 also one whose subnets are gone."""
        ec2 = self.client("ec2")
        for association in its.associated(table).values():
            ignore_missing(
                lambda: ec2.disassociate_route_table(AssociationId=association),
                "InvalidAssociationID.NotFound",
            )
        self._delete_part(
            lambda: ec2.delete_route_table(RouteTableId=table["RouteTableId"]), "InvalidRouteTableID.NotFound"
        )

    def _delete_part(self, call, *gone):
        """Delete a part, again and again while something that goes by itself still uses it."""
        try:
            self.retry_on(BUSY, lambda: ignore_missing(call, *gone), timeout=self.params["delete_timeout"], interval=5)
        except ClientError as e:
            if e.response["Error"]["Code"] not in BUSY:
                raise
            used = self.client("ec2").describe_network_interfaces(
                Filters=[{"Name": "vpc-id", "Values": [self.vpc["VpcId"]]}]
            )["NetworkInterfaces"]
            said = ", ".join(f"{i['NetworkInterfaceId']} ({i.get('Description') or 'no description'})" for i in used)
            raise ResourceError(
                f"A part of the network {self.name!r} is still in use after {self.params['delete_timeout']} s: "
                f"{e.response['Error']['Message']} Network interfaces in it: {said or 'none'}. Delete what they belong "
                "to; a second run goes on from here."
            ) from e

    # --- help -----------------------------------------------------------------------------------------------------

    def _once(self, call, exists):
        """Call, patiently with what EC2 has just made, and take it for done where it was done before."""
        return self.retry_on(UNBORN, lambda: ignore_missing(call, exists))

    def _tagged(self, kind, name):
        return tag_specifications(kind, {**self.wanted_tags, "Name": name})

    @staticmethod
    def _id(part):
        # The most special key first: subnets and route tables have a VpcId, too.
        return next(part[k] for k in ("SubnetId", "RouteTableId", "InternetGatewayId", "VpcId") if k in part)

    def _refuse_foreign(self, current):
        if current and foreign_because(current["tags"], self.params["owner"]):
            raise ResourceError(
                f"There is already a VPC named {self.name!r} ({current['id']}) that is not ours: "
                f"{foreign_because(current['tags'], self.params['owner'])}. It was not touched. Choose another "
                "network_name, or use that one: network_mode 'existing' with its network_vpc_id and network_subnet_ids."
            )


def main():
    strings = {"type": "list", "elements": "str"}
    spec = argument_spec(
        name={"type": "str", "required": True},
        cidr={"type": "str", "default": "10.0.0.0/16"},
        subnet_cidrs={**strings, "default": ["10.0.0.0/24", "10.0.1.0/24"]},
        availability_zones={**strings, "default": []},
        delete_timeout={"type": "int", "default": 600},
    )
    Network(AnsibleAWSModule(argument_spec=spec, supports_check_mode=True)).run()


if __name__ == "__main__":
    main()
