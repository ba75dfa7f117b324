# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Two load balancers: HTTP only, and HTTPS to which HTTP redirects."""

from typing import Any

from readback import Expectations, client, pages, tags_of, values

CERTIFICATE = "arn:aws:iam::123456789012:server-certificate/molecule-tls"
NOT_FOUND = {"StatusCode": "404"}
expect = Expectations()
balancers = {b["LoadBalancerName"]: b for b in pages("elbv2", "describe_load_balancers", "LoadBalancers")}
expect.equal("names", sorted(balancers), ["molecule-plain-alb", "molecule-tls-alb"])
if len(balancers) < 2:
    expect.finish()


def listeners(name: str) -> dict[int, dict[str, Any]]:
    """The listeners of a load balancer by port."""
    found = pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=balancers[name]["LoadBalancerArn"])
    return {x["Port"]: x for x in found}


def action(listener: dict[str, Any]) -> dict[str, Any]:
    """A listener's only default action."""
    return expect.only(f"default actions of port {listener['Port']}", listener["DefaultActions"])


attributes = {}
for name, balancer in balancers.items():
    arn = balancer["LoadBalancerArn"]
    expect.contains(name, balancer, {"Type": "application", "Scheme": "internet-facing", "IpAddressType": "ipv4"})
    expect.holds(f"zones of {name}", len(balancer["AvailabilityZones"]) >= 2, balancer["AvailabilityZones"])
    group = expect.only(f"security groups of {name}", balancer["SecurityGroups"])
    found = client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["GroupName"]
    expect.equal(f"security group of {name}", found, f"{name}-sg")
    tags = tags_of(client("elbv2").describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"])
    expect.contains(f"tags of {name}", tags, {"handson:cluster": name.replace("-alb", "-cluster")})
    answer = client("elbv2").describe_load_balancer_attributes(LoadBalancerArn=arn)
    attributes[name] = values(answer["Attributes"])
    expect.contains(
        f"attributes of {name}", attributes[name], {"routing.http.drop_invalid_header_fields.enabled": "true"}
    )

# --- HTTP only. Until a service takes its place, the listener answers 404
plain = listeners("molecule-plain-alb")
expect.equal("listeners without a certificate", {p: x["Protocol"] for p, x in plain.items()}, {80: "HTTP"})
expect.contains("default action", action(plain[80])["FixedResponseConfig"], NOT_FOUND)
expect.contains(
    "attributes of molecule-plain-alb",
    attributes["molecule-plain-alb"],
    {"idle_timeout.timeout_seconds": "60", "deletion_protection.enabled": "false"},
)

# --- HTTPS
tls = listeners("molecule-tls-alb")
expect.equal("listeners with a certificate", {p: x["Protocol"] for p, x in tls.items()}, {8080: "HTTP", 443: "HTTPS"})
expect.equal("certificates", [c["CertificateArn"] for c in tls[443]["Certificates"]], [CERTIFICATE])
expect.equal("security policy", tls[443]["SslPolicy"], "ELBSecurityPolicy-TLS13-1-2-Res-2021-06")
expect.contains("default action of HTTPS", action(tls[443])["FixedResponseConfig"], NOT_FOUND)
redirect = action(tls[8080])
expect.equal("default action of HTTP", redirect["Type"], "redirect")
expect.contains(
    "where it redirects to",
    redirect["RedirectConfig"],
    {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
)
expect.contains(
    "attributes of molecule-tls-alb",
    attributes["molecule-tls-alb"],
    {"idle_timeout.timeout_seconds": "120", "deletion_protection.enabled": "true"},
)

# --- both ports are open in the group, and no other
groups = pages("ec2", "describe_security_groups", "SecurityGroups")
ports = {
    g["GroupName"]: sorted(r["FromPort"] for r in g["IpPermissions"]) for g in groups if "-alb-sg" in g["GroupName"]
}
expect.equal("open ports", ports, {"molecule-plain-alb-sg": [80], "molecule-tls-alb-sg": [443, 8080]})
expect.finish()
