# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to an owner, by tags and by names, and how what is left of it is told."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

Owner = Mapping[str, str]
Row = dict[str, str]

#: Services and resource types whose ARNs the module's own, prompt calls answer for. The Resource Groups Tagging API
#: still lists things of these types for hours after they are gone (https://github.com/aws/aws-sdk/issues/676: volumes,
#: listeners, rules). An empty set stands for every type of the service.
COVERED: dict[str, frozenset[str]] = {
    "ec2": frozenset(),
    "autoscaling": frozenset({"autoscalinggroup"}),
    "elasticloadbalancing": frozenset({"loadbalancer", "targetgroup", "listener", "listener-rule"}),
    "ecs": frozenset(
        {
            "cluster",
            "service",
            "task",
            "task-definition",
            "capacity-provider",
            "container-instance",
            "service-deployment",
        }
    ),
    "iam": frozenset({"role", "instance-profile", "policy"}),
    "ecr": frozenset({"repository"}),
    "logs": frozenset({"log-group"}),
    "application-autoscaling": frozenset({"scalable-target"}),
    "cloudformation": frozenset({"stack"}),
    "codebuild": frozenset({"project"}),
    "codepipeline": frozenset(),
    "codeconnections": frozenset({"connection"}),
    "codestar-connections": frozenset({"connection"}),
    "s3": frozenset(),
    "cloudwatch": frozenset({"alarm", "dashboard"}),
    "sns": frozenset(),
    "events": frozenset({"rule"}),
}

#: The service-linked roles that ECS, the load balancer and auto scaling need. AWS makes them once for an account; other
#: clusters of the account need them as well, so a teardown leaves them.
SERVICE_LINKED = (
    "AWSServiceRoleForApplicationAutoScaling_ECSService",
    "AWSServiceRoleForAutoScaling",
    "AWSServiceRoleForECS",
    "AWSServiceRoleForElasticLoadBalancing",
)

#: Error codes by which AWS says that the caller may not ask.
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedAccess"})


def least_owners(owners: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return the owners without those that another one includes: what carries two tags carries each of them.

    Raises ValueError where one is empty, since every resource of the account would be its.
    """
    texts = [{str(k): str(v) for k, v in owner.items()} for owner in owners]
    if not texts or not all(texts):
        raise ValueError("an owner needs at least one tag, or everything in the account would be its")
    least = [o for o in texts if not any(other.items() < o.items() for other in texts)]
    return [o for i, o in enumerate(least) if o not in least[:i]]


def owned(tags: Mapping[str, str], owners: Iterable[Owner]) -> bool:
    """Return whether something with these tags belongs to one of the owners."""
    return any(owner.items() <= tags.items() for owner in owners)


def named_by(names: Iterable[str], owners: Iterable[Owner]) -> bool:
    """Return whether `names` hold all values of one of the owners.

    For what carries no tags but has the names of its cluster and service in its own: `service/<cluster>/<service>`.
    """
    there = set(names)
    return any(set(owner.values()) <= there for owner in owners)


def least_prefixes(prefixes: Iterable[str]) -> list[str]:
    """Return the prefixes without those that begin with another one."""
    texts = sorted({p for p in prefixes if p})
    return [p for p in texts if not any(p != other and p.startswith(other) for other in texts)]


def begins(name: str, prefixes: Iterable[str]) -> bool:
    """Return whether a name, or a part of it between slashes, begins with one of the prefixes. Without any it does."""
    texts = list(prefixes)
    return not texts or any(part.startswith(p) for part in (name, *name.split("/")) for p in texts)


def arn_type(arn: str) -> tuple[str, str]:
    """Return service and resource type of an ARN, such as ("ecs", "cluster"). The type of `arn:aws:s3:::name` is "".

    Load balancers have their kind in front of the name, listeners and rules likewise
    (arn:…:listener-rule/app/…); none of that is part of the type.
    """
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return "", ""
    service, resource = parts[2], parts[5]
    cut = min((i for i in (resource.find("/"), resource.find(":")) if i >= 0), default=-1)
    return service, resource[:cut].lower() if cut >= 0 else ""


def covered(arn: str) -> bool:
    """Return whether the module asks for things of this ARN's type by a call of their own service."""
    service, kind = arn_type(arn)
    types = COVERED.get(service)
    return types is not None and (not types or kind in types)


def made_by_aws(log_group: str, owners: Iterable[Owner], prefixes: Iterable[str]) -> bool:
    """Return whether a log group without tags is one that an AWS service made for something of ours.

    Container Insights writes to /aws/ecs/containerinsights/<cluster>/…, CodeBuild to /aws/codebuild/<project>, and
    both make the group anew when it was deleted before their last lines came.
    """
    parts = log_group.strip("/").split("/")
    if parts[:3] == ["aws", "ecs", "containerinsights"] and len(parts) > 3:
        return named_by(parts[3:4], owners)
    if parts[:2] == ["aws", "codebuild"] and len(parts) == 3:
        return any(parts[2] == p or parts[2].startswith(f"{p}-") for p in prefixes)
    return False


def row(kind: str, name: str, identifier: str = "", detail: str = "") -> Row:
    """Return one line of the report."""
    return {"type": kind, "name": name, "id": identifier or name, "detail": detail}


def tidy(rows: Iterable[Row]) -> list[Row]:
    """Return the rows sorted, each thing once."""
    by_thing = {(r["type"], r["id"]): r for r in rows}
    return sorted(by_thing.values(), key=lambda r: (r["type"], r["name"], r["id"]))


def table(rows: Iterable[Row]) -> str:
    """Return the rows as lines of text in columns."""
    lines = [("TYPE", "NAME", "")]
    for r in rows:
        more = [r["id"] if r["id"] != r["name"] else "", r["detail"]]
        lines.append((r["type"], r["name"], ", ".join(m for m in more if m)))
    widths = [max(len(line[i]) for line in lines) for i in (0, 1)]
    return "\n".join(f"{a:{widths[0]}}  {b:{widths[1]}}  {c}".rstrip() for a, b, c in lines)


def report(rows: list[Row], unknown: list[dict[str, Any]], owners: Iterable[Owner]) -> str:
    """Return what a person should read: what is left, what nobody could tell, and what to do about it."""
    whose = " or ".join(" and ".join(f"{k}={v}" for k, v in o.items()) for o in owners)
    said = []
    if rows:
        things = "1 thing is" if len(rows) == 1 else f"{len(rows)} things are"
        said.append(f"{things} left of {whose}:\n\n{table(rows)}")
        said.append(
            "Run teardown.yml again: it goes on from where it stopped. What it does not know it leaves: delete that in "
            "the console, or, if it is to stay, take the tag off it."
        )
    if unknown:
        lines = "\n".join(f"- {u['type']}: {u['action']}: {u['message']}" for u in unknown)
        said.append(f"Nobody can tell whether these are gone, since AWS did not answer:\n{lines}")
        lacking = sorted({u["action"] for u in unknown if u["denied"]})
        if lacking:
            said.append(f"Give the caller the permission {', '.join(lacking)} and run teardown.yml again.")
    return "\n\n".join(said) or f"Nothing is left of {whose}."
