# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left in EC2, of Auto Scaling groups and of load balancers."""

from __future__ import annotations

from typing import Any, Iterator

from ansible_collections.handson.ecs.plugins.module_utils.compare import chunks, tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.leftover_probes.asking import Asking
from ansible_collections.handson.ecs.plugins.module_utils.leftovers import Row, owned, row

#: Resource type of DescribeTags -> (operation, key of its list, key of the id, filter by id, key of the name).
#: DescribeTags names some things for a while after they are gone (a terminated instance for an hour), so each is looked
#: up. By filter and not by id: of what isn't there the answer is then empty, and not an error for all of them.
EC2 = {
    "elastic-ip": ("describe_addresses", "Addresses", "AllocationId", "allocation-id", "PublicIp"),
    "instance": ("describe_instances", "Reservations", "InstanceId", "instance-id", None),
    "internet-gateway": (
        "describe_internet_gateways", "InternetGateways", "InternetGatewayId", "internet-gateway-id", None,
    ),
    "key-pair": ("describe_key_pairs", "KeyPairs", "KeyPairId", "key-pair-id", "KeyName"),
    # Has no filter by id.
    "launch-template": (
        "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId", "tag-key", "LaunchTemplateName",
    ),
    "natgateway": ("describe_nat_gateways", "NatGateways", "NatGatewayId", "nat-gateway-id", None),
    "network-interface": (
        "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId", "network-interface-id", None,
    ),
    "route-table": ("describe_route_tables", "RouteTables", "RouteTableId", "route-table-id", None),
    "security-group": ("describe_security_groups", "SecurityGroups", "GroupId", "group-id", "GroupName"),
    "subnet": ("describe_subnets", "Subnets", "SubnetId", "subnet-id", None),
    "volume": ("describe_volumes", "Volumes", "VolumeId", "volume-id", None),
    "vpc": ("describe_vpcs", "Vpcs", "VpcId", "vpc-id", None),
}  # fmt: skip


class Network(Asking):
    """EC2, Auto Scaling groups, load balancers."""

    def ec2(self) -> Iterator[Row]:
        carried: dict[Any, dict[str, str]] = {}
        for key, value in sorted({pair for owner in self.owners for pair in owner.items()}):
            filters = [{"Name": "key", "Values": [key]}, {"Name": "value", "Values": [value]}]
            for tag in self.ask("EC2 tag", "ec2", "describe_tags", "Tags", Filters=filters):
                # moto 5.2.5 calls an elastic-ip a vpc-elastic-ip.
                thing = (tag["ResourceType"].replace("vpc-elastic-ip", "elastic-ip"), tag["ResourceId"])
                carried.setdefault(thing, {})[tag["Key"]] = tag["Value"]
        ids: dict[str, list[str]] = {}
        for (kind, identifier), tags in carried.items():
            if owned(tags, self.owners):
                ids.setdefault(kind, []).append(identifier)
        for kind, those in sorted(ids.items()):
            label = "NAT gateway" if kind == "natgateway" else kind.replace("-", " ").replace("vpc", "VPC")
            if kind in EC2:
                yield from self.there(kind, label, sorted(those))
            else:
                yield from (row(label, i) for i in those)

    def there(self, kind: str, label: str, ids: list[str]) -> Iterator[Row]:
        """The rows of those EC2 things that really are there."""
        operation, key, id_key, id_filter, name_key = EC2[kind]
        values = sorted({k for o in self.owners for k in o}) if id_filter == "tag-key" else ids
        known = len(self.unknown)
        for part in chunks(values, 200):  # EC2 takes 200 values a filter
            found = self.ask(label, "ec2", operation, key, Filters=[{"Name": id_filter, "Values": part}])
            if len(self.unknown) > known:
                yield from (row(label, i, detail="by its tags; it could not be looked at") for i in part)
                continue
            if kind == "instance":
                found = [i for r in found for i in r["Instances"]]
            for thing in found:
                state = thing.get("State") or thing.get("Status") or thing.get("VpcId") or ""
                state = state["Name"] if isinstance(state, dict) else state
                if thing[id_key] not in ids or (kind, state) in (("instance", "terminated"), ("natgateway", "deleted")):
                    continue
                tags = tags_to_dict(thing.get("Tags") or thing.get("TagSet"))
                name = (thing.get(name_key) if name_key else None) or tags.get("Name") or thing[id_key]
                yield row(label, name, thing[id_key], state)

    def auto_scaling(self) -> list[Row]:
        carried: dict[Any, dict[str, str]] = {}
        for key, value in sorted({pair for owner in self.owners for pair in owner.items()}):
            filters = [{"Name": "key", "Values": [key]}, {"Name": "value", "Values": [value]}]
            for tag in self.ask("Auto Scaling group", "autoscaling", "describe_tags", "Tags", Filters=filters):
                carried.setdefault(tag["ResourceId"], {})[tag["Key"]] = tag["Value"]
        return [row("Auto Scaling group", name) for name, tags in carried.items() if owned(tags, self.owners)]

    def load_balancing(self) -> list[Row]:
        things: dict[str, Row] = {}
        balancers = self.ask("load balancer", "elbv2", "describe_load_balancers", "LoadBalancers")
        for b in balancers:
            arn, name = b["LoadBalancerArn"], b["LoadBalancerName"]
            things[arn] = row("load balancer", name, arn, (b.get("State") or {}).get("Code", ""))
            for listener in self.ask("listener", "elbv2", "describe_listeners", "Listeners", LoadBalancerArn=arn):
                of = listener["ListenerArn"]
                port = listener.get("Port")
                things[of] = row("listener", f"{name}:{port}", of)
                # Only these have rules of their own.
                if b.get("Type", "application") != "application":
                    continue
                for rule in self.ask("listener rule", "elbv2", "describe_rules", "Rules", ListenerArn=of):
                    if not rule["IsDefault"]:
                        things[rule["RuleArn"]] = row(
                            "listener rule", f"{name}:{port} {rule['Priority']}", rule["RuleArn"]
                        )
        for group in self.ask("target group", "elbv2", "describe_target_groups", "TargetGroups"):
            things[group["TargetGroupArn"]] = row("target group", group["TargetGroupName"], group["TargetGroupArn"])
        tags = self.balancer_tags(sorted(things))
        return [thing for arn, thing in things.items() if self.mine(tags.get(arn))]

    def balancer_tags(self, arns: list[str]) -> dict[str, Any]:
        """Return {ARN: tags}. DescribeTags takes 20 at a time, and answers for none where one is gone meanwhile."""
        tags = {}
        for part in chunks(arns, 20):
            found = self.ask("load balancer", "elbv2", "describe_tags", "TagDescriptions", ResourceArns=part)
            if not found and len(part) > 1 and not self.unknown:
                found = [
                    t
                    for arn in part
                    for t in self.ask("load balancer", "elbv2", "describe_tags", "TagDescriptions", ResourceArns=[arn])
                ]
            tags.update({t["ResourceArn"]: t["Tags"] for t in found})
        return tags
