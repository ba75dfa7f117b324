# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the rules of a security group as people write them and as EC2 keeps them.

In between stands the flat rule, one source each: {protocol, from_port, to_port, kind, source, description}, where
`kind` is cidr, cidr6, group or prefix_list and `source` is a CIDR, the name of a group (its id where the name is not
known) or the id of a prefix list. Order never matters.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Iterable, Mapping

Rule = dict[str, Any]

#: kind -> (list in an IpPermission, key of the source, word in a readable line)
KINDS = {
    "cidr": ("IpRanges", "CidrIp", ""),
    "cidr6": ("Ipv6Ranges", "CidrIpv6", ""),
    "group": ("UserIdGroupPairs", "GroupId", "sg "),
    "prefix_list": ("PrefixListIds", "PrefixListId", "prefix list "),
}

#: What people write for a protocol -> what EC2 answers with
#: (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html)
PROTOCOLS = {"all": "-1", "1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}


def flat_rules(rules: Iterable[Mapping[str, Any]]) -> list[Rule]:
    """Return the flat rules that the option `rules` asks for.

    Raises ValueError, naming the rule, where ports, protocol or a CIDR make no sense, a rule has no source, or two
    rules differ in nothing but their description, which to EC2 are the same.
    """
    flat: list[Rule] = []
    for number, rule in enumerate(rules, 1):
        try:
            protocol = str(rule.get("protocol") or "tcp").lower()
            protocol = PROTOCOLS.get(protocol, protocol)
            from_port, to_port = _ports(protocol, rule)
            sources = [("cidr", cidr(c, 4)) for c in rule.get("cidrs") or []]
            sources += [("cidr6", cidr(c, 6)) for c in rule.get("cidrs_ipv6") or []]
            sources += [("group", g) for g in rule.get("groups") or []]
            if not sources:
                raise ValueError("it names no source; give cidrs, cidrs_ipv6 or groups")
        except ValueError as e:
            raise ValueError(f"rules: rule {number} is wrong: {e}.") from None
        flat += [
            {
                "protocol": protocol,
                "from_port": from_port,
                "to_port": to_port,
                "kind": kind,
                "source": source,
                "description": rule.get("description") or "",
            }
            for kind, source in sources
        ]
    return _each_once(flat)


def rules_from_aws(permissions: Iterable[Mapping[str, Any]], names: Mapping[str, str]) -> list[Rule]:
    """Return the flat rules of `IpPermissions`. `names` is {id: name} of the groups whose names are known."""
    flat: list[Rule] = []
    for permission in permissions:
        protocol = PROTOCOLS.get(permission["IpProtocol"], permission["IpProtocol"])
        ported = protocol != "-1"
        for kind, (key, source, _word) in KINDS.items():
            for entry in permission.get(key) or []:
                value = entry.get(source)
                flat.append(
                    {
                        "protocol": protocol,
                        "from_port": permission.get("FromPort", -1) if ported else None,
                        "to_port": permission.get("ToPort", -1) if ported else None,
                        "kind": kind,
                        "source": names.get(value, value) if kind == "group" else value,
                        "description": entry.get("Description") or "",
                    }
                )
    return flat


def rule_to_aws(rule: Rule, ids: Mapping[str, str]) -> dict[str, Any]:
    """Return the IpPermission of one flat rule. `ids` is {name: id}; a group it lacks is taken to be an id already."""
    key, source, _word = KINDS[rule["kind"]]
    entry = {source: ids.get(rule["source"], rule["source"]) if rule["kind"] == "group" else rule["source"]}
    if rule["description"]:
        entry["Description"] = rule["description"]
    permission: dict[str, Any] = {"IpProtocol": rule["protocol"], key: [entry]}
    if rule["from_port"] is not None:
        permission |= {"FromPort": rule["from_port"], "ToPort": rule["to_port"]}
    return permission


def rule_text(rule: Rule, with_description: bool = True) -> str:
    """Return the rule as one readable line, such as `tcp 80 from 0.0.0.0/0` or `all from sg petclinic-rest-alb-sg`."""
    what = "all" if rule["protocol"] == "-1" else rule["protocol"]
    first, last = rule["from_port"], rule["to_port"]
    if rule["protocol"].startswith("icmp"):
        if first != -1:
            what += f" type {first}" + (f" code {last}" if last != -1 else "")
    elif first is not None:
        what += f" {first}" if first == last else f" {first}-{last}"
    text = f"{what} from {KINDS[rule['kind']][2]}{rule['source']}"
    return f"{text} ({rule['description']})" if with_description and rule["description"] else text


def rule_texts(rules: Iterable[Rule]) -> list[str]:
    """Return the rules as readable lines, each once, in order."""
    return sorted({rule_text(r) for r in rules})


def rule_changes(current: Iterable[Rule], desired: Iterable[Rule]) -> tuple[list[Rule], list[Rule], list[Rule]]:
    """Return (to authorize, to describe anew, to revoke) that turn the current rules into the desired ones.

    To EC2 a rule that differs in its description alone is the same rule: it can only be described anew.
    """
    have = {rule_text(r, with_description=False): r for r in current}
    want = {rule_text(r, with_description=False): r for r in desired}
    return (
        [want[k] for k in sorted(want.keys() - have.keys())],
        [want[k] for k in sorted(want.keys() & have.keys()) if want[k]["description"] != have[k]["description"]],
        [have[k] for k in sorted(have.keys() - want.keys())],
    )


def cidr(text: str, version: int) -> str:
    """Return a CIDR as EC2 keeps it: host bits cleared, IPv6 compressed, a bare address as a network of one.

    Raises ValueError where it is none of that IP version.
    """
    option = "cidrs" if version == 4 else "cidrs_ipv6"
    try:
        network = ipaddress.ip_network(str(text).strip(), strict=False)
    except ValueError:
        raise ValueError(f"{option} has {text!r}, which is no CIDR such as 10.0.0.0/16") from None
    if network.version != version:
        raise ValueError(f"{option} has {text!r}, which is IPv{network.version}")
    return str(network)


def _each_once(rules: list[Rule]) -> list[Rule]:
    once: dict[str, Rule] = {}
    for rule in rules:
        text = rule_text(rule, with_description=False)
        if once.setdefault(text, rule) != rule:
            raise ValueError(f"rules: {text!r} is there twice with different descriptions. Leave one of them out.")
    return list(once.values())


def _ports(protocol: str, rule: Mapping[str, Any]) -> tuple[int | None, int | None]:
    first, last, ports = rule.get("from_port"), rule.get("to_port"), rule.get("ports")
    if ports not in (None, ""):
        if first is not None or last is not None:
            raise ValueError("it has both ports and from_port or to_port; give one of them")
        head, _dash, tail = str(ports).partition("-")
        try:
            first, last = int(head), int(tail or head)
        except ValueError:
            raise ValueError(f"ports is {ports!r}; write 80 or 32768-65535") from None
    if protocol == "-1":
        if first is not None:
            raise ValueError("protocol all takes no ports")
        return None, None
    if protocol.startswith("icmp"):
        return (-1 if first is None else first), (-1 if last is None else last)
    if first is None:
        raise ValueError(f"{protocol} needs ports, or from_port and to_port; 0-65535 is all of them")
    last = first if last is None else last
    if not 0 <= first <= last <= 65535:
        raise ValueError(f"ports {first}-{last} are not within 0-65535, or the wrong way round")
    return first, last
