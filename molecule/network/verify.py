# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A VPC with two public subnets in two zones, two security groups in it, and a key pair whose private half is here."""

import base64
import hashlib

from cryptography.hazmat.primitives import serialization
from readback import STATE_DIR, Expectations, client, pages, tags_of

OURS = {"handson:cluster": "molecule-network-cluster", "team": "vets"}
expect = Expectations()

# --- VPC
vpc = expect.only("VPCs of ours", [v for v in pages("ec2", "describe_vpcs", "Vpcs") if not v["IsDefault"]])
vpc_id = vpc["VpcId"]
here = [{"Name": "vpc-id", "Values": [vpc_id]}]
expect.equal("CIDR of the VPC", vpc["CidrBlock"], "10.42.0.0/16")
expect.contains("tags of the VPC", tags_of(vpc["Tags"]), {**OURS, "Name": "molecule-network-vpc"})
dns = client("ec2").describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsHostnames")
expect.equal("DNS names in the VPC", dns["EnableDnsHostnames"]["Value"], True)

# --- subnets
subnets = pages("ec2", "describe_subnets", "Subnets", Filters=here)
expect.equal("CIDRs of the subnets", sorted(s["CidrBlock"] for s in subnets), ["10.42.1.0/24", "10.42.2.0/24"])
expect.equal("number of zones", len({s["AvailabilityZone"] for s in subnets}), 2)
for subnet in subnets:
    expect.equal(f"public addresses in {subnet['CidrBlock']}", subnet["MapPublicIpOnLaunch"], True)
    expect.contains(f"tags of {subnet['CidrBlock']}", tags_of(subnet["Tags"]), OURS)

# --- the way to the internet
attached = [{"Name": "attachment.vpc-id", "Values": [vpc_id]}]
gateways = pages("ec2", "describe_internet_gateways", "InternetGateways", Filters=attached)
gateway = expect.only("internet gateways", gateways)
expect.contains("tags of the gateway", tags_of(gateway["Tags"]), OURS)
tables = pages("ec2", "describe_route_tables", "RouteTables", Filters=here)
routed: dict[str, str] = {}
for table in tables:
    target = {r.get("DestinationCidrBlock"): r.get("GatewayId") for r in table["Routes"]}.get("0.0.0.0/0")
    routed |= {a["SubnetId"]: target for a in table["Associations"] if a.get("SubnetId")}
expect.equal("default route of each subnet", routed, {s["SubnetId"]: gateway["InternetGatewayId"] for s in subnets})

# --- security groups
groups = {g["GroupName"]: g for g in pages("ec2", "describe_security_groups", "SecurityGroups", Filters=here)}
expect.equal(
    "names of the security groups",
    sorted(groups),
    ["default", "molecule-network-alb-sg", "molecule-network-ecs-instance-sg"],
)


def rules(name: str) -> list[tuple]:
    """The rules of a group as (protocol, from, to, source)."""
    group_names = {g["GroupId"]: g["GroupName"] for g in groups.values()}
    found = []
    for rule in groups[name]["IpPermissions"]:
        ports = (rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort"))
        found += [(*ports, r["CidrIp"]) for r in rule["IpRanges"]]
        found += [(*ports, group_names.get(r["GroupId"])) for r in rule["UserIdGroupPairs"]]
        found += [(*ports, r["CidrIpv6"]) for r in rule["Ipv6Ranges"]]
    return sorted(found, key=str)


expect.equal(
    "who reaches the load balancer",
    rules("molecule-network-alb-sg"),
    [("tcp", 80, 80, "198.51.100.0/24"), ("tcp", 80, 80, "203.0.113.0/24")],
)
everything = {r[0] for r in rules("molecule-network-ecs-instance-sg") if r[3] == "molecule-network-alb-sg"}
expect.equal("what the load balancer reaches on instances", everything, {"-1"})
expect.equal(
    "who else reaches the instances",
    [r for r in rules("molecule-network-ecs-instance-sg") if r[3] != "molecule-network-alb-sg"],
    [("tcp", 22, 22, "203.0.113.7/32")],
)
for name in ("molecule-network-alb-sg", "molecule-network-ecs-instance-sg"):
    expect.contains(f"tags of {name}", tags_of(groups[name]["Tags"]), OURS)

# --- key pair
file = STATE_DIR / "keys" / "molecule-network.pem"
expect.equal("mode of the private key", oct(file.stat().st_mode & 0o777), "0o600")
expect.equal("mode of the keys' folder", oct(file.parent.stat().st_mode & 0o777), "0o700")
pair = expect.only("key pairs", client("ec2").describe_key_pairs(IncludePublicKey=True)["KeyPairs"])
expect.equal("name of the key pair", pair["KeyName"], "molecule-network")
expect.contains("tags of the key pair", tags_of(pair["Tags"]), OURS)
private = serialization.load_ssh_private_key(file.read_bytes(), None)
expect.equal("size of the key", private.key_size, 4096)
public = private.public_key()
ssh = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
expect.equal("public half in EC2", pair["PublicKey"].split()[:2], ssh.decode().split()[:2])
# An imported RSA key's fingerprint is the MD5 of its DER form (EC2 User Guide, "fingerprint of your key pair").
der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
md5 = hashlib.md5(der, usedforsecurity=False).hexdigest()
sha256 = base64.b64encode(hashlib.sha256(base64.b64decode(ssh.split()[1])).digest()).decode().rstrip("=")
expect.holds(
    "fingerprint",
    pair["KeyFingerprint"].replace(":", "") == md5 or pair["KeyFingerprint"].rstrip("=") == sha256,
    pair["KeyFingerprint"],
)
expect.finish()
