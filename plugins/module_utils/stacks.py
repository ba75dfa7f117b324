# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pure functions for CloudFormation stacks: templates and parameters compared, change sets judged."""

from __future__ import annotations

import json
from typing import Any, Iterable, Mapping

try:
    import yaml
except ImportError:  # told by parse_template
    yaml = None

from ansible_collections.handson.ecs.plugins.module_utils.compare import tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.resource import KNOWN_AFTER_APPLY, ResourceError

#: What CloudFormation shows instead of the value of a parameter with NoEcho.
HIDDEN = "****"
#: Bytes that CreateStack and CreateChangeSet take as TemplateBody (API reference).
TEMPLATE_LIMIT = 51200

#: States out of which an update is possible.
UPDATABLE = frozenset(
    {
        "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE",
    }  # fmt: skip
)
#: States of a stack that never was: it can only be deleted ("can not be updated"), and nothing is lost by that.
REMADE = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS"})
#: These lead to nothing but a deletion either. But what is left may be of value: somebody chose to keep what a failed
#: creation had made, or a deletion stopped half-way.
HELD = frozenset({"CREATE_FAILED", "DELETE_FAILED"})
#: States that end in one of REMADE. In check mode they are not waited out, so what follows is foreseen.
BOUND_FOR_REMADE = frozenset({"ROLLBACK_IN_PROGRESS"})
#: Failed updates that first have to be rolled back to the end.
ROLLED_BACK_FIRST = frozenset({"UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED"})


def in_progress(status: str) -> bool:
    """Whether an operation runs that ends by itself. A stack under review waits for a person."""
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"


# --- templates --------------------------------------------------------------------------------------------------------


def parse_template(body: Any) -> dict[str, Any]:
    """Return a template as a document: YAML with the short forms of the intrinsic functions, JSON, or parsed JSON.

    Scalars are text as written, since CloudFormation makes no difference between 80 and "80"; `!GetAtt A.B` and its
    long forms are the same list. boto3 hands a JSON template out parsed. Raises ResourceError for what is no template.
    """
    document = body
    if isinstance(body, str):
        try:
            document = json.loads(body) if body.lstrip().startswith("{") else _from_yaml(body)
        except ValueError as e:
            raise ResourceError(
                f"The template is neither YAML nor JSON: {e}. Mend the file that template_body reads."
            ) from e
    if not isinstance(document, Mapping) or not isinstance(document.get("Resources"), Mapping):
        raise ResourceError(
            "The template has no section Resources. template_body takes the template's text, such as "
            "\"{{ lookup('ansible.builtin.file', 'cluster.yml') }}\", and not the path of a file."
        )
    return _plain(document)


def _from_yaml(text: str) -> Any:
    if yaml is None:
        raise ResourceError("PyYAML is needed to read the template: pip install pyyaml.")
    try:
        return yaml.load(text, Loader=_loader())
    except yaml.YAMLError as e:
        raise ValueError(" ".join(str(e).split())) from e


def _loader() -> Any:
    class Loader(yaml.BaseLoader):  # makes text of every scalar and runs nothing
        pass

    def short_form(loader: Any, name: str, node: Any) -> dict[str, Any]:
        if isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        elif isinstance(node, yaml.MappingNode):
            value = loader.construct_mapping(node, deep=True)
        else:
            value = loader.construct_scalar(node)
        return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}

    Loader.add_multi_constructor("!", short_form)
    return Loader


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        plain = {str(k): _plain(v) for k, v in value.items()}
        if isinstance(plain.get("Fn::GetAtt"), str):
            plain["Fn::GetAtt"] = plain["Fn::GetAtt"].split(".", 1)
        return plain
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def comparable(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a parsed template can lead to an update.

    Description and top-level Metadata can't be updated by themselves, and of a parameter only the type acts on what is
    there (CloudFormation User Guide, the sections' notes on stack updates). Defaults, which may be secret, stay out.
    """
    kept = {k: v for k, v in template.items() if k not in ("Description", "Metadata", "Parameters")}
    declared = template.get("Parameters")
    if declared:
        kept["Parameters"] = {name: {"Type": p.get("Type", "String")} for name, p in declared.items()}
    return kept


def resources(template: Mapping[str, Any]) -> dict[str, str]:
    """Return {logical id: type}, with the condition where there is one: what a diff shows of a new stack."""
    shown = {}
    for name, resource in template["Resources"].items():
        condition = resource.get("Condition")
        shown[name] = resource.get("Type", "") + (f" (if {condition})" if condition else "")
    return shown


def check_size(body: str) -> None:
    """Raise ResourceError where the text is too long to be sent."""
    size = len(body.encode())
    if size > TEMPLATE_LIMIT:
        raise ResourceError(
            f"The template has {size} bytes; CloudFormation takes {TEMPLATE_LIMIT} without a bucket. Shorten it, or "
            "divide it into two stacks."
        )


# --- parameters -------------------------------------------------------------------------------------------------------


def given_parameters(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters as CloudFormation takes them: lists joined with commas, the rest as text.

    What is null is not given. Raises ResourceError for a dictionary.
    """
    texts = {}
    for name, value in given.items():
        if isinstance(value, Mapping) or (
            isinstance(value, list) and any(isinstance(v, (Mapping, list)) for v in value)
        ):
            raise ResourceError(
                f"parameters.{name} holds a dictionary or a list in a list. CloudFormation takes text: give a value, "
                "or a list of values."
            )
        if value is not None:
            texts[str(name)] = ",".join(_text(v) for v in value) if isinstance(value, list) else _text(value)
    return texts


def declared(template: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the parameters that a parsed template declares."""
    return dict(template.get("Parameters") or {})


def hidden(template: Mapping[str, Any]) -> set[str]:
    """Return the names of the parameters with NoEcho."""
    return {name for name, p in declared(template).items() if str(p.get("NoEcho", "")).lower() == "true"}


def normal(values: Mapping[str, str], template: Mapping[str, Any]) -> dict[str, str]:
    """Return values as they are compared and shown: lists without spaces around commas, secrets hidden."""
    secret, slots = hidden(template), declared(template)
    return {
        name: HIDDEN if name in secret else _normal(value, slots.get(name, {}).get("Type", "String"))
        for name, value in values.items()
    }


def _normal(value: str, kind: str) -> str:
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        return ",".join(part.strip() for part in value.split(","))
    return value


def check_parameters(given: Mapping[str, str], template: Mapping[str, Any], previous: Iterable[str]) -> None:
    """Raise ResourceError for parameters that the template does not know, and for those without any value.

    `previous` are the parameters of the living stack, whose values are kept where none is given.
    """
    slots = declared(template)
    unknown = sorted(set(given) - set(slots))
    if unknown:
        has = f"It has: {', '.join(sorted(slots))}." if slots else "It has none."
        raise ResourceError(f"The template has no parameter {', '.join(unknown)}. {has} Correct the options.")
    without = sorted(n for n, p in slots.items() if n not in given and n not in set(previous) and "Default" not in p)
    if without:
        raise ResourceError(
            f"The template's parameter {', '.join(without)} has no default. Give a value in the option parameters."
        )


def expected_parameters(
    given: Mapping[str, str], template: Mapping[str, Any], previous: Mapping[str, str]
) -> dict[str, str]:
    """Return the value that each declared parameter will have: the given one, the previous one, the default."""
    return {name: given.get(name, previous.get(name, p.get("Default", ""))) for name, p in declared(template).items()}


def request_parameters(
    given: Mapping[str, str], template: Mapping[str, Any], previous: Iterable[str]
) -> list[dict[str, Any]]:
    """Return the Parameters of CreateStack (`previous` empty) or CreateChangeSet.

    A parameter that is new in the template has no previous value and takes its default where none is given.
    """
    kept, request = set(previous), []
    for name in declared(template):
        if name in given:
            request.append({"ParameterKey": name, "ParameterValue": given[name]})
        elif name in kept:
            request.append({"ParameterKey": name, "UsePreviousValue": True})
    return request


def with_zones(given: Mapping[str, str], names: Iterable[str], zones: Iterable[str]) -> dict[str, str]:
    """Return `given` with a zone for each of the parameters `names` that has none there.

    Each gets the first of `zones` that none of the others has. Raises ResourceError where there are too few.
    """
    names, zones = list(names), list(zones)
    wanting = [name for name in names if name not in given]
    free = [zone for zone in zones if zone not in {given.get(name) for name in names}]
    if len(wanting) > len(free):
        raise ResourceError(
            f"The region offers {len(zones)} availability zones ({', '.join(zones) or 'none'}), and the stack needs "
            f"{len(wanting)} for {', '.join(wanting)}, each another one. Name zones in network_availability_zones, or "
            "choose another aws_region."
        )
    return {**given, **dict(zip(wanting, free))}


# --- stacks and differences -------------------------------------------------------------------------------------------


def stack_from_aws(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Turn an entry of DescribeStacks into the names of the options.

    A parameter of an SSM type has its name as ParameterValue; ResolvedValue is what SSM had for it.
    """
    return {
        "name": raw["StackName"],
        "id": raw["StackId"],
        "status": raw["StackStatus"],
        "parameters": {p["ParameterKey"]: p.get("ParameterValue", "") for p in raw.get("Parameters") or []},
        "outputs": {o["OutputKey"]: o.get("OutputValue") for o in raw.get("Outputs") or []},
        "tags": tags_to_dict(raw.get("Tags")),
    }


def foreseen_outputs(template: Mapping[str, Any], known: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the outputs that a stack of this template will have, as far as they are known before it is made."""
    return {name: (known or {}).get(name, KNOWN_AFTER_APPLY) for name in template.get("Outputs") or {}}


def changed_parts(before: Any, after: Any) -> tuple[Any, Any]:
    """Return two documents without the parts that are the same in both, at any depth of dictionaries."""
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        return before, after
    left: dict[str, Any] = {}
    right: dict[str, Any] = {}
    for key in [*before, *(k for k in after if k not in before)]:
        if key not in after:
            left[key] = before[key]
        elif key not in before:
            right[key] = after[key]
        elif before[key] != after[key]:
            left[key], right[key] = changed_parts(before[key], after[key])
    return left, right


# --- change sets ------------------------------------------------------------------------------------------------------

LOSSES = ("Replace ", "May replace ", "Remove ")
#: The property that names a thing, by type. CloudFormation makes the new thing before it deletes the old one, so "you
#: can't perform an update that causes a custom-named resource to be replaced", unless the name is another one too
#: (Template Reference, "Name type"). A subnet's block is taken in the same way, by the old subnet.
NAMED_BY = {
    "AWS::AutoScaling::AutoScalingGroup": "AutoScalingGroupName",
    "AWS::EC2::LaunchTemplate": "LaunchTemplateName",
    "AWS::EC2::SecurityGroup": "GroupName",
    "AWS::EC2::Subnet": "CidrBlock",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::ECS::CapacityProvider": "Name",
    "AWS::ECS::Cluster": "ClusterName",
    "AWS::ECS::Service": "ServiceName",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "Name",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Logs::LogGroup": "LogGroupName",
}


def no_changes(reason: str | None) -> bool:
    """Whether this is how CloudFormation says that a change set (or an update) would do nothing."""
    return any(part in (reason or "") for part in ("didn't contain changes", "No updates are to be performed"))


def planned(changes: Iterable[Mapping[str, Any]], template: Mapping[str, Any]) -> list[str]:
    """Return one line for each resource that a change set touches: `Modify Instances (AWS::…): LaunchTemplate`."""
    rows = _rows(changes)
    gone = replaced(rows, template)
    lines = []
    for row in rows:
        name = row["LogicalResourceId"]
        verb = row["Action"]
        if name in gone and verb != "Remove":
            verb = "Replace" if row.get("Replacement") == "True" else "May replace"
        names = {_target(d).get("Name") or _target(d).get("Attribute") or "" for d in row.get("Details") or []} - {""}
        what = f": {', '.join(sorted(names))}" if names and verb not in ("Add", "Remove") else ""
        lines.append(f"{verb} {name} ({row.get('ResourceType', '')}){what}")
    return lines


def destructive(changes: Iterable[Mapping[str, Any]], template: Mapping[str, Any]) -> list[str]:
    """Return the lines of `planned` for the resources that would be replaced or removed."""
    return [line for line in planned(changes, template) if line.startswith(LOSSES)]


def irreplaceable(changes: Iterable[Mapping[str, Any]], template: Mapping[str, Any]) -> list[str]:
    """Return the logical ids of what would be replaced and can't be: VPCs, and things that keep a name of their own.

    Everything in a VPC goes with it, and most of that has names.
    """
    rows = _rows(changes)
    gone = replaced(rows, template)
    return [
        row["LogicalResourceId"]
        for row in rows
        if row["LogicalResourceId"] in gone
        and row.get("Action") != "Remove"
        and (row.get("ResourceType") == "AWS::EC2::VPC" or _keeps_its_name(row, template))
    ]


def _keeps_its_name(row: Mapping[str, Any], template: Mapping[str, Any]) -> bool:
    slot = NAMED_BY.get(row.get("ResourceType", ""))
    properties = template["Resources"].get(row["LogicalResourceId"], {}).get("Properties") or {}
    if slot is None or properties.get(slot, {"Ref": "AWS::NoValue"}) == {"Ref": "AWS::NoValue"}:
        return False
    renamed = (d.get("Evaluation") == "Static" and _target(d).get("Name") == slot for d in row.get("Details") or [])
    return not any(renamed)


def restarted(changes: Iterable[Mapping[str, Any]], template: Mapping[str, Any]) -> list[str]:
    """Return the logical ids of the instances that are stopped and started, since their user data changes."""
    rows = _rows(changes)
    gone = replaced(rows, template)
    return [
        row["LogicalResourceId"]
        for row in rows
        if row.get("ResourceType") == "AWS::EC2::Instance"
        and row["LogicalResourceId"] not in gone
        and any(_target(d).get("Name") == "UserData" and not _stays(d, gone) for d in row.get("Details") or [])
    ]


def _rows(changes: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [c["ResourceChange"] for c in changes if c.get("ResourceChange")]


def replaced(rows: Iterable[Mapping[str, Any]], template: Mapping[str, Any]) -> set[str]:
    """Return the logical ids of the resources that will, or may, be replaced.

    Replacement is `True`, `False`, or `Conditional`: CloudFormation does not know before it runs. Conditional counts
    as a replacement unless each of its causes is known to keep the resource (API reference, ResourceChange):

    - A reference to another resource (Ref, or GetAtt of an ARN or id, Evaluation Dynamic) changes only where that one
      is replaced itself. One new tag on a VPC would otherwise put everything in it on the list.
    - What changes an Auto Scaling group only conditionally replaces it only by UpdatePolicy AutoScalingReplacingUpdate.
    """
    rows = {r["LogicalResourceId"]: r for r in rows}
    gone = {n for n, r in rows.items() if r.get("Replacement") == "True" or r.get("Action") == "Dynamic"}
    while True:
        more = {n for n, r in rows.items() if n not in gone and r.get("Replacement") == "Conditional"}
        more = {n for n in more if _replaced(rows[n], gone, template)}
        if not more:
            return gone
        gone |= more


def _replaced(row: Mapping[str, Any], gone: set[str], template: Mapping[str, Any]) -> bool:
    causes = [
        d for d in row.get("Details") or [] if _target(d).get("RequiresRecreation") in ("Always", "Conditionally")
    ]
    return not causes or not all(_keeps(detail, row, gone, template) for detail in causes)


def _keeps(detail: Mapping[str, Any], row: Mapping[str, Any], gone: set[str], template: Mapping[str, Any]) -> bool:
    if _stays(detail, gone):
        return True
    if row.get("ResourceType") == "AWS::EC2::Instance" and _target(detail).get("Name") == "UserData":
        # With a root volume on EBS, and every image of today has one, the instance is only stopped and started
        # (AWS::EC2::Instance, UserData, "Update requires").
        return _target(detail).get("RequiresRecreation") == "Conditionally"
    if row.get("ResourceType") == "AWS::AutoScaling::AutoScalingGroup":
        policy = template["Resources"].get(row["LogicalResourceId"], {}).get("UpdatePolicy") or {}
        replacing = policy.get("AutoScalingReplacingUpdate") or {}
        conditionally = _target(detail).get("RequiresRecreation") == "Conditionally"
        return conditionally and str(replacing.get("WillReplace", "false")).lower() == "false"
    return False


def _stays(detail: Mapping[str, Any], gone: set[str]) -> bool:
    """Whether this is only a reference to a resource that stays, so that the value stays as well."""
    source, cause = detail.get("ChangeSource"), detail.get("CausingEntity") or ""
    resource, _dot, attribute = cause.partition(".")
    if detail.get("Evaluation") != "Dynamic" or not resource or resource in gone:
        return False
    return source == "ResourceReference" or (source == "ResourceAttribute" and attribute.endswith(("Arn", "Id")))


def _target(detail: Mapping[str, Any]) -> Mapping[str, Any]:
    return detail.get("Target") or {}
