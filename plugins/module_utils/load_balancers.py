# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between a load balancer with its listeners as AWS describes them and the options of our modules."""

from __future__ import annotations

import json
import re
from typing import Any, Iterable, Mapping

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags, tags_to_dict

#: What a listener answers as long as no service hangs on it. It also marks a default action as free to take.
NO_SERVICE = {
    "Type": "fixed-response",
    "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "No service here yet."},
}

#: A rule that is made before its service is steady has one more condition: this header, with the target group's name
#: as its value. No client sends it, so the request goes on to the next rule, or to the default action.
#:
#: Why a condition, and not a weight of 0: a rule that matches is the end of the search, and one whose only target group
#: has no weight, or no target yet, answers with an error. And a rule it must be: CreateService wants a target group that hangs
#: on a listener, and only targets of such a group are checked for health at all; others stay `unused`,
#: Target.NotInUse (https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html).
HELD_HEADER = "X-Handson-Held"

#: "A rule can only have '5' condition values", those of a header counted
#: (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html).
MAX_CONDITION_VALUES = 5

REDIRECT = {
    "Type": "redirect",
    "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
}


#: The kinds of actions that a listener of either protocol may have, and that one may take over from another. What tells
#: who somebody is (authenticate-…) is for HTTPS alone, and a redirect from one port to another could lead back to itself.
PORTABLE = frozenset({"forward", "fixed-response"})


def wanted_listeners(port: int, certificate_arn: str | None, ssl_policy: str | None) -> dict[int, dict[str, Any]]:
    """Return the listeners a load balancer should have: one for HTTP, or HTTPS with a redirect from HTTP to it."""
    if not certificate_arn:
        return {port: {"protocol": "HTTP"}}
    return {
        port: {"protocol": "HTTP", "redirect": True},
        443: {"protocol": "HTTPS", "certificate_arn": certificate_arn, "ssl_policy": ssl_policy},
    }


def listener_from_aws(listener: Mapping[str, Any]) -> dict[str, Any]:
    """Return one listener (DescribeListeners) in the form of `wanted_listeners`."""
    seen: dict[str, Any] = {"protocol": listener["Protocol"]}
    if listener["Protocol"] == "HTTPS":
        certificates = [c["CertificateArn"] for c in listener.get("Certificates") or []]
        seen["certificate_arn"] = certificates[0] if certificates else None
        seen["ssl_policy"] = listener.get("SslPolicy")
    if redirects(listener):
        seen["redirect"] = True
    return seen


def listener_to_aws(port: int, listener: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of CreateListener or ModifyListener for one listener, without its default action."""
    parameters: dict[str, Any] = {"Protocol": listener["protocol"], "Port": port}
    if listener["protocol"] == "HTTPS":
        parameters["Certificates"] = [{"CertificateArn": listener["certificate_arn"]}]
        parameters["SslPolicy"] = listener["ssl_policy"]
    return parameters


def redirects(listener: Mapping[str, Any]) -> bool:
    """Tell whether a listener (DescribeListeners) sends everything that meets no rule elsewhere."""
    return [a["Type"] for a in listener.get("DefaultActions") or []] == ["redirect"]


def portable(actions: list[Mapping[str, Any]]) -> bool:
    """Tell whether another listener can take these actions over. See PORTABLE."""
    return bool(actions) and {a.get("Type") for a in actions} <= PORTABLE


def predecessors(listeners: Mapping[int, Mapping[str, Any]], heir: int) -> list[int]:
    """Return the ports of the listeners that services hang on although they should hang on `heir`.

    That is so while a certificate makes 443 of 80, or is taken away again, or the port is changed. HTTPS comes first.
    """
    ports = [port for port, listener in listeners.items() if port != heir and not redirects(listener)]
    return sorted(ports, key=lambda port: (port != 443, port))


def inherited(listeners: Mapping[int, Mapping[str, Any]], heir: int) -> list[Mapping[str, Any]]:
    """Return the default actions of a listener that takes the place of others: the first that it can have."""
    theirs = [listeners[port]["DefaultActions"] for port in predecessors(listeners, heir)]
    return next((actions for actions in theirs if portable(actions) and not is_free(actions)), [NO_SERVICE])


def takes_over(heir: Mapping[str, Any], actions: list[Mapping[str, Any]]) -> bool:
    """Tell whether a listener that stands gets these (`inherited`) for its default action: it has none of a service."""
    return redirects(heir) or (is_free(heir["DefaultActions"]) and not is_free(actions))


def foreseen(
    listeners: Mapping[int, Mapping[str, Any]], port: int, ours: Iterable[int], http_port: int | None = None
) -> dict[int, Mapping[str, Any]]:
    """Return {port: listener} as the module `load_balancer` leaves them where services hang on `port`.

    For check mode, in which it has changed nothing. It changes those on the ports `ours` and those that it is to keep:
    `port`, and with HTTPS `http_port`, which redirects there. Where that is not told, all but `port` are taken for it.

    The one on `port` has one more key, `Inherits`: {ARN of a listener whose rules it takes over: whether that stays}. One
    that is not made yet has no ARN.
    """
    before = {p: x for p, x in listeners.items() if p in {*ours, port, http_port}}
    ports, actions, heir = predecessors(before, port), inherited(before, port), listeners.get(port)
    stay = {p for p in before if port == 443 and http_port in (None, p)}
    left = {p: x for p, x in listeners.items() if p == port or p in stay or p not in before}
    for p in stay & set(ports):
        left[p] = {**left[p], "DefaultActions": [REDIRECT]}
    if heir and takes_over(heir, actions):
        left[port] = {**heir, "DefaultActions": actions}
    elif ports and not heir:
        left[port] = {**listeners[ports[0]], "ListenerArn": None, "Port": port, "DefaultActions": actions}
    if ports:
        left[port] = {**left[port], "Inherits": {listeners[p]["ListenerArn"]: p in stay for p in ports}}
    return left


def attributes_from_aws(attributes: list[Mapping[str, str]]) -> dict[str, Any]:
    """Return the options that DescribeLoadBalancerAttributes tells about."""
    values = {a["Key"]: a["Value"] for a in attributes}
    return {
        "idle_timeout": int(values.get("idle_timeout.timeout_seconds", 60)),
        "deletion_protection": values.get("deletion_protection.enabled", "false") == "true",
        "drop_invalid_header_fields": values.get("routing.http.drop_invalid_header_fields.enabled", "false") == "true",
    }


def attributes_to_aws(options: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the attributes of ModifyLoadBalancerAttributes that stand for these options."""
    keys = {
        "idle_timeout": "idle_timeout.timeout_seconds",
        "deletion_protection": "deletion_protection.enabled",
        "drop_invalid_header_fields": "routing.http.drop_invalid_header_fields.enabled",
    }
    return [{"Key": key, "Value": str(options[o]).lower()} for o, key in keys.items() if o in options]


def forwards_to(actions: list[Mapping[str, Any]]) -> str | None:
    """Return the ARN of the one target group that these actions forward to, or None."""
    if len(actions) != 1 or actions[0].get("Type") != "forward":
        return None
    if actions[0].get("TargetGroupArn"):
        return actions[0]["TargetGroupArn"]
    groups = (actions[0].get("ForwardConfig") or {}).get("TargetGroups") or []
    return groups[0]["TargetGroupArn"] if len(groups) == 1 else None


def is_free(actions: list[Mapping[str, Any]]) -> bool:
    """Tell whether a listener's default action is the placeholder that this collection puts there.

    Another fixed response, such as a page that says "down for maintenance", is somebody's.
    """
    if [a.get("Type") for a in actions] != ["fixed-response"]:
        return False
    seen, ours = actions[0].get("FixedResponseConfig") or {}, NO_SERVICE["FixedResponseConfig"]
    return all(seen.get(key) == ours[key] for key in ("StatusCode", "MessageBody"))


def rules_of(elbv2: Any, listener_arn: str) -> list[dict[str, Any]]:
    """Return the rules of a listener (DescribeRules) without its default action."""
    pages = elbv2.get_paginator("describe_rules").paginate(ListenerArn=listener_arn)
    return [rule for page in pages for rule in page["Rules"] if not rule["IsDefault"]]


def tags_of(elbv2: Any, arns: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return {ARN: tags} of load balancers, listeners, rules and target groups.

    Listeners and rules that are gone are left out: another service may take its rule away at any time.
    """
    found, wanted = {}, list(arns)
    for start in range(0, len(wanted), 20):  # DescribeTags takes 20 at a time
        found.update(_tags_of(elbv2, wanted[start : start + 20]))
    return found


def _tags_of(elbv2: Any, arns: list[str]) -> dict[str, dict[str, str]]:
    """Return {ARN: tags} of at most 20, and at least one.

    One that is gone fails the call, and the error doesn't name it. So the call is made for either half: one that is gone
    among 20 costs about ten calls, and what goes meanwhile is no trouble. To list the rules anew could go wrong again.
    """
    try:
        described = elbv2.describe_tags(ResourceArns=arns)["TagDescriptions"]
    except is_boto3_error_code(["RuleNotFound", "ListenerNotFound"]):
        if len(arns) == 1:
            return {}
        half = len(arns) // 2
        return {**_tags_of(elbv2, arns[:half]), **_tags_of(elbv2, arns[half:])}
    return {d["ResourceArn"]: tags_to_dict(d["Tags"]) for d in described}


def tags_parameter(tags: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the parameter `Tags` of a create call, or nothing: an empty list is refused."""
    return {"Tags": dict_to_tags(tags)} if tags else {}


def service_beside(tags: Mapping[str, str], owner: Mapping[str, Any]) -> str | None:
    """Return the name of the service that these tags are of, where it is another one of the owner's own cluster."""
    cluster, service = owner.get("handson:cluster"), tags.get("handson:service")
    beside = cluster and tags.get("handson:cluster") == str(cluster) and service != str(owner.get("handson:service"))
    return service if beside else None


def rule_priority(text: str) -> str:
    """Return a rule's priority as AWS writes it, `default` or the digits of 1 to 50000: ` 07` is 7.

    Raises ValueError for anything else.
    """
    text = text.strip()
    if text == "default":
        return text
    if re.fullmatch(r"[+]?[0-9]+", text) and 1 <= int(text) <= 50000:
        return str(int(text))
    raise ValueError(f"{text!r} is no priority")


def conditions_to_aws(paths: Iterable[str], hosts: Iterable[str], held: str | None = None) -> list[dict[str, Any]]:
    """Return the conditions of a listener rule. With `held` no client meets them; see HELD_HEADER."""
    conditions: list[dict[str, Any]] = []
    if paths:
        conditions.append({"Field": "path-pattern", "PathPatternConfig": {"Values": list(paths)}})
    if hosts:
        conditions.append({"Field": "host-header", "HostHeaderConfig": {"Values": list(hosts)}})
    if held:
        header = {"HttpHeaderName": HELD_HEADER, "Values": [held]}
        conditions.append({"Field": "http-header", "HttpHeaderConfig": header})
    return conditions


def held_conditions(paths: Iterable[str], hosts: Iterable[str]) -> dict[str, list[str]]:
    """Return {paths, hosts} of a rule while it is held.

    The header takes one of the five values that a rule may have. So the last of the longer list is left off where there
    are five: the rule takes no requests anyhow, and the user needs not do with four.
    """
    kept = {"paths": sorted(paths), "hosts": sorted(hosts)}
    while len(kept["paths"]) + len(kept["hosts"]) >= MAX_CONDITION_VALUES:
        max(kept.values(), key=len).pop()
    return kept


def same_rule(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two rules (DescribeRules) select the same requests and do the same with them."""
    return _meaning(one) == _meaning(other)


def _meaning(rule: Mapping[str, Any]) -> tuple[list[str], str, str]:
    """Return a rule's conditions, actions and transforms in one form: see `copied_rule` for the two of a condition."""
    conditions = []
    for condition in rule["Conditions"]:
        newer = next((v for k, v in condition.items() if k.endswith("Config") and v), None)
        parts = newer or {"Values": condition.get("Values") or []}
        parts = {k: sorted(map(json.dumps, v)) if isinstance(v, list) else v for k, v in parts.items() if v}
        conditions.append(json.dumps([condition["Field"], parts], sort_keys=True))
    actions = [{k: v for k, v in action.items() if v and k != "Order"} for action in rule["Actions"]]
    told = forwards_to(rule["Actions"]) or json.dumps(actions, sort_keys=True)
    return sorted(conditions), told, json.dumps(rule.get("Transforms") or [], sort_keys=True)


def rule_text(port: int, rule: Mapping[str, Any], tags: Mapping[str, str]) -> str:
    """Return whose a rule is, on which port, and for what, to be read by people."""
    seen = conditions_from_aws(rule["Conditions"])
    service = tags.get("handson:service")
    whose = f"that of the service {service!r}" if service else "one of somebody else's"
    return f"on port {port} {whose} ({', '.join(seen['paths'] + seen['hosts']) or 'without a path or host'})"


def copied_rule(rule: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of CreateRule, apart from its listener, for the same rule on another one.

    AWS describes a path or host both by the old `Values` and by the newer `…Config`; only one of them may be given.
    """
    conditions = []
    for condition in rule["Conditions"]:
        newer = any(key.endswith("Config") and value for key, value in condition.items())
        conditions.append({k: v for k, v in condition.items() if v and not (newer and k == "Values")})
    given = {"Priority": int(rule["Priority"]), "Conditions": conditions, "Actions": rule["Actions"]}
    transforms = {"Transforms": rule["Transforms"]} if rule.get("Transforms") else {}
    return {**given, **transforms, **tags_parameter(tags)}


def conditions_from_aws(conditions: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return {paths, hosts, held} of a listener rule's conditions, sorted.

    AWS fills both the old `Values` and the newer `…Config.Values`; an emulator may fill only one of them.
    """
    found: dict[str, Any] = {"paths": [], "hosts": [], "held": False}
    for condition in conditions:
        field = condition.get("Field")
        if field == "path-pattern":
            values = (condition.get("PathPatternConfig") or {}).get("Values") or condition.get("Values") or []
            found["paths"] = sorted(values)
        elif field == "host-header":
            values = (condition.get("HostHeaderConfig") or {}).get("Values") or condition.get("Values") or []
            found["hosts"] = sorted(values)
        elif field == "http-header":
            name = (condition.get("HttpHeaderConfig") or {}).get("HttpHeaderName", "")
            found["held"] |= name.lower() == HELD_HEADER.lower()
    return found
