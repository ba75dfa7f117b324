#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: leftovers
version_added: 0.1.0
short_description: Prove that nothing of a deployment is left in the account
description:
  - Asks the account for everything that carries an owner's tags, and fails with a table where there is something.
  - Goes by tags and types, not by the names that the roles use. So it also finds what a role forgot or named otherwise.
  - "Asks for: everything in EC2 that carries tags (instances that are not terminated, volumes, network interfaces,
    security groups, key pairs, launch templates, VPCs and their parts), Auto Scaling groups, load balancers, listeners,
    their rules and target groups, ECS clusters, services, running tasks, capacity providers and task definitions
    (active and inactive), scalable targets, IAM roles, policies and instance profiles, ECR repositories, log groups
    and CloudFormation stacks in every state."
  - Everything else that can carry tags comes from the Resource Groups Tagging API. It lists things for a while after
    they are gone, so of the types above nothing is taken from it.
  - A question that AWS does not answer makes no clean account. It is told in RV(unknown), and fails as well.
  - Knows one region, the caller's; IAM is the same in all of them.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
options:
  owner:
    description: Tags that prove that a resource is ours, such as C({"handson:cluster":"petclinic-rest-cluster"}).
    type: dict
    default: {}
  owners:
    description: More of them. What carries all tags of any one is ours.
    type: list
    elements: dict
    default: []
  name_prefixes:
    description:
      - What our names begin with. AWS can't be asked by tag for IAM roles, policies, instance profiles, ECR
        repositories, log groups and task definitions, and telling the tags takes a call for each. With prefixes only
        those are asked for whose name, or a part of it between slashes, begins with one.
      - Without any all of them are asked for, which takes long in a large account.
    type: list
    elements: str
    default: []
  fail:
    description: Whether something left, or unknown, is a failure. In check mode it never is.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to look again while something is left, for what AWS takes its time to forget.
    type: float
    default: 0
  wait_interval:
    description: Seconds between two looks.
    type: float
    default: 10
attributes:
  check_mode:
    description: It only reads, and does not fail.
    support: full
  diff_mode:
    description: It only reads.
    support: none
"""

EXAMPLES = r"""
- name: Prove that nothing of the cluster is left
  handson.ecs.leftovers:
    owner:
      handson:cluster: petclinic-rest-cluster
    name_prefixes: [petclinic-rest, petclinic]
    wait_timeout: 120
"""

RETURN = r"""
left:
  description: What is left, sorted by type and name.
  returned: always
  type: list
  elements: dict
  sample:
    - {type: security group, name: petclinic-rest-alb-sg, id: sg-0123456789abcdef0, detail: vpc-0123456789abcdef0}
unknown:
  description: The questions that AWS did not answer.
  returned: always
  type: list
  elements: dict
  contains:
    type: {description: What was asked for., type: str, sample: IAM role}
    action: {description: The permission that the question needs., type: str, sample: "iam:ListRoles"}
    denied: {description: Whether the caller lacks it., type: bool}
    message: {description: What AWS said., type: str}
stays:
  description: Service-linked roles that are there. They stay, since AWS keeps one for the whole account.
  returned: always
  type: list
  elements: str
  sample: [AWSServiceRoleForECS, AWSServiceRoleForElasticLoadBalancing]
"""

import re
import time

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils.compare import chunks, tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.leftovers import (
    DENIED,
    SERVICE_LINKED,
    arn_type,
    begins,
    covered,
    least_owners,
    least_prefixes,
    made_by_aws,
    named_by,
    owned,
    report,
    row,
    tidy,
)

#: Client -> prefix of its IAM actions, where they differ
PREFIXES = {"elbv2": "elasticloadbalancing", "resourcegroupstaggingapi": "tag"}

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


class Account:
    """Asks for everything and keeps what it could not learn."""

    def __init__(self, module, owners):
        self.module = module
        self.owners = owners
        self.prefixes = least_prefixes(module.params["name_prefixes"])
        self.unknown = {}
        self.stays = []
        self._clients = {}

    def left(self):
        """Return the rows of everything that is left. Fills `unknown` and `stays` anew."""
        self.unknown, self.stays = {}, []
        probes = (
            self.ec2, self.auto_scaling, self.load_balancing, self.clusters, self.capacity_providers,
            self.task_definitions, self.scalable_targets, self.iam, self.repositories, self.log_groups,
            self.stacks, self.others,
        )  # fmt: skip
        return tidy(r for probe in probes for r in probe())

    # --- asking ---------------------------------------------------------------------------------------------------

    def ask(self, kind, service, operation, key, **parameters):
        """Return what is under `key` of all pages of the answer. Without an answer [], after noting that.

        What is gone by the time it is asked for is no failure.
        """
        if service not in self._clients:
            self._clients[service] = self.module.client(service)
        client = self._clients[service]
        try:
            if client.can_paginate(operation):
                pages = client.get_paginator(operation).paginate(**parameters)
                return [item for page in pages for item in page.get(key) or []]
            answer = getattr(client, operation)(**parameters)
            items = answer.get(key) or []
            while answer.get("nextToken"):  # the SDK has no paginator for it: DescribeCapacityProviders, ten a page
                answer = getattr(client, operation)(**parameters, nextToken=answer["nextToken"])
                items += answer.get(key) or []
            return items
        except ClientError as e:
            code = e.response.get("Error", {}).get("Code", "")
            if code == "NoSuchEntity" or code.endswith(("NotFound", "NotFoundException")):
                return []
            self.note(kind, service, e, code in DENIED)
            return []

    def note(self, kind, service, error, denied=False):
        """Remember that nobody can tell."""
        action = f"{PREFIXES.get(service, service)}:{error.operation_name}"
        message = "not allowed" if denied else error.response.get("Error", {}).get("Message", "")[:300]
        self.unknown.setdefault((kind, action), {"type": kind, "action": action, "denied": denied, "message": message})

    def mine(self, tags):
        return owned(tags_to_dict(tags), self.owners)

    # --- what there may be ----------------------------------------------------------------------------------------

    def ec2(self):
        carried = {}
        for key, value in sorted({pair for owner in self.owners for pair in owner.items()}):
            filters = [{"Name": "key", "Values": [key]}, {"Name": "value", "Values": [value]}]
            for tag in self.ask("EC2 tag", "ec2", "describe_tags", "Tags", Filters=filters):
                # moto 5.2.5 calls an elastic-ip a vpc-elastic-ip.
                thing = (tag["ResourceType"].replace("vpc-elastic-ip", "elastic-ip"), tag["ResourceId"])
                carried.setdefault(thing, {})[tag["Key"]] = tag["Value"]
        ids = {}
        for (kind, identifier), tags in carried.items():
            if owned(tags, self.owners):
                ids.setdefault(kind, []).append(identifier)
        for kind, those in sorted(ids.items()):
            label = "NAT gateway" if kind == "natgateway" else kind.replace("-", " ").replace("vpc", "VPC")
            if kind in EC2:
                yield from self.there(kind, label, sorted(those))
            else:
                yield from (row(label, i) for i in those)

    def there(self, kind, label, ids):
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

    def stacks(self):
        for stack in self.ask("CloudFormation stack", "cloudformation", "describe_stacks", "Stacks"):
            if self.mine(stack.get("Tags")) and stack["StackStatus"] != "DELETE_COMPLETE":
                yield row("CloudFormation stack", stack["StackName"], stack["StackId"], stack["StackStatus"].lower())

    def auto_scaling(self):
        carried = {}
        for key, value in sorted({pair for owner in self.owners for pair in owner.items()}):
            filters = [{"Name": "key", "Values": [key]}, {"Name": "value", "Values": [value]}]
            for tag in self.ask("Auto Scaling group", "autoscaling", "describe_tags", "Tags", Filters=filters):
                carried.setdefault(tag["ResourceId"], {})[tag["Key"]] = tag["Value"]
        return [row("Auto Scaling group", name) for name, tags in carried.items() if owned(tags, self.owners)]

    def load_balancing(self):
        things = {}
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

    def balancer_tags(self, arns):
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

    def clusters(self):
        arns = self.ask("cluster", "ecs", "list_clusters", "clusterArns")
        ours = {value for owner in self.owners for value in owner.values()}
        for part in chunks(arns, 100):
            for c in self.ask("cluster", "ecs", "describe_clusters", "clusters", clusters=part, include=["TAGS"]):
                if c["status"] == "INACTIVE":
                    continue
                name, mine = c["clusterName"], self.mine(c.get("tags"))
                if mine:
                    yield row("cluster", name, c["clusterArn"], c["status"].lower())
                # A service of ours may run on somebody else's cluster.
                if mine or name in ours or begins(name, self.prefixes):
                    yield from self.services(name)
                    yield from self.tasks(name, mine)

    def services(self, cluster):
        arns = self.ask("service", "ecs", "list_services", "serviceArns", cluster=cluster)
        for part in chunks(arns, 10):
            for s in self.ask(
                "service", "ecs", "describe_services", "services", cluster=cluster, services=part, include=["TAGS"]
            ):
                if s["status"] != "INACTIVE" and self.mine(s.get("tags")):
                    yield row("service", s["serviceName"], s["serviceArn"], f"{s['status'].lower()} on {cluster}")

    def tasks(self, cluster, all_of_them):
        arns = self.ask("task", "ecs", "list_tasks", "taskArns", cluster=cluster, desiredStatus="RUNNING")
        for part in chunks(arns, 100):
            for t in self.ask("task", "ecs", "describe_tasks", "tasks", cluster=cluster, tasks=part, include=["TAGS"]):
                if all_of_them or self.mine(t.get("tags")):
                    yield row(
                        "task", t["taskArn"].rsplit("/", 1)[-1], t["taskArn"], f"{t['lastStatus'].lower()} on {cluster}"
                    )

    def capacity_providers(self):
        kind = "capacity provider"
        for p in self.ask(kind, "ecs", "describe_capacity_providers", "capacityProviders", include=["TAGS"]):
            if p.get("status") != "INACTIVE" and self.mine(p.get("tags")):
                yield row(kind, p["name"], p["capacityProviderArn"])

    def task_definitions(self):
        kind = "task definition"
        families = set()
        # ECS refuses what cannot begin a family, such as the name of a log group.
        possible = [p for p in self.prefixes if re.fullmatch(r"[A-Za-z0-9_-]+", p)]
        for prefix in possible if self.prefixes else [None]:
            only = {"familyPrefix": prefix} if prefix else {}
            families.update(self.ask(kind, "ecs", "list_task_definition_families", "families", status="ALL", **only))
        for family in sorted(families):
            # Those in DELETE_IN_PROGRESS are as gone as we can make them.
            for status in ("ACTIVE", "INACTIVE"):
                arns = self.ask(
                    kind, "ecs", "list_task_definitions", "taskDefinitionArns", familyPrefix=family, status=status
                )
                for arn in arns:
                    tags = self.ask(
                        kind, "ecs", "describe_task_definition", "tags", taskDefinition=arn, include=["TAGS"]
                    )
                    if self.mine(tags):
                        yield row(kind, arn.rsplit("/", 1)[-1], arn, status.lower())

    def scalable_targets(self):
        kind = "scalable target"
        for t in self.ask(
            kind, "application-autoscaling", "describe_scalable_targets", "ScalableTargets", ServiceNamespace="ecs"
        ):
            if named_by(t["ResourceId"].split("/")[1:], self.owners):
                yield row(kind, t["ResourceId"], detail=t["ScalableDimension"])

    def iam(self):
        # The lists do not tell tags, whatever their documentation's examples show.
        for r in self.ask("IAM role", "iam", "list_roles", "Roles"):
            name = r["RoleName"]
            if r["Path"].startswith("/aws-service-role/"):
                if name in SERVICE_LINKED:
                    self.stays.append(name)
            elif begins(name, self.prefixes):
                if self.mine(self.ask("IAM role", "iam", "list_role_tags", "Tags", RoleName=name)):
                    yield row("IAM role", name, r["Arn"])
        self.stays.sort()
        kind = "instance profile"
        for p in self.ask(kind, "iam", "list_instance_profiles", "InstanceProfiles"):
            name = p["InstanceProfileName"]
            if begins(name, self.prefixes):
                profile = self.ask(kind, "iam", "get_instance_profile", "InstanceProfile", InstanceProfileName=name)
                if profile and self.mine(profile.get("Tags")):
                    yield row(kind, name, p["Arn"])
        for p in self.ask("IAM policy", "iam", "list_policies", "Policies", Scope="Local"):
            if begins(p["PolicyName"], self.prefixes):
                if self.mine(self.ask("IAM policy", "iam", "list_policy_tags", "Tags", PolicyArn=p["Arn"])):
                    yield row("IAM policy", p["PolicyName"], p["Arn"])

    def repositories(self):
        kind = "ECR repository"
        for r in self.ask(kind, "ecr", "describe_repositories", "repositories"):
            name, arn = r["repositoryName"], r["repositoryArn"]
            if begins(name, self.prefixes):
                if self.mine(self.ask(kind, "ecr", "list_tags_for_resource", "tags", resourceArn=arn)):
                    yield row(kind, name, arn)

    def log_groups(self):
        kind, found = "log group", {}
        clusters = {value for owner in self.owners for value in owner.values()}
        # As substrings, since the names of ours follow those of the service that writes: /ecs/…, /aws/codebuild/…
        patterns = least_prefixes([*self.prefixes, *clusters]) if self.prefixes else [None]
        for pattern in patterns:
            only = {"logGroupNamePattern": pattern} if pattern else {}
            for g in self.ask(kind, "logs", "describe_log_groups", "logGroups", **only):
                found[g["logGroupName"]] = g.get("logGroupArn") or g["arn"].removesuffix(":*")
        for name, arn in sorted(found.items()):
            by_aws = made_by_aws(name, self.owners, self.prefixes)
            if not (by_aws or begins(name, self.prefixes)):
                continue
            tags = self.ask(kind, "logs", "list_tags_for_resource", "tags", resourceArn=arn) or {}
            if owned(tags, self.owners):
                yield row(kind, name, arn)
            elif by_aws and not tags:
                yield row(kind, name, arn, "has no tags: an AWS service made it")

    def others(self):
        for owner in self.owners:
            filters = [{"Key": key, "Values": [value]} for key, value in owner.items()]
            for thing in self.ask(
                "all other types",
                "resourcegroupstaggingapi",
                "get_resources",
                "ResourceTagMappingList",
                TagFilters=filters,
            ):
                arn = thing["ResourceARN"]
                if not covered(arn) and self.mine(thing.get("Tags")):
                    service, kind = arn_type(arn)
                    name = arn.split(":", 5)[-1].removeprefix(f"{kind}/").removeprefix(f"{kind}:")
                    yield row(f"{service} {kind}".strip(), name, arn)


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "owner": {"type": "dict", "default": {}},
            "owners": {"type": "list", "elements": "dict", "default": []},
            "name_prefixes": {"type": "list", "elements": "str", "default": []},
            "fail": {"type": "bool", "default": True},
            "wait_timeout": {"type": "float", "default": 0},
            "wait_interval": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    p = module.params
    try:
        owners = least_owners([*([p["owner"]] if p["owner"] else []), *p["owners"]])
    except ValueError as e:
        module.fail_json(msg=f"owner is {p['owner']!r} and owners is {p['owners']!r}, but {e}.")
    account, deadline = Account(module, owners), time.monotonic() + p["wait_timeout"]
    try:
        left = account.left()
        while left and not module.check_mode and time.monotonic() < deadline:
            time.sleep(min(p["wait_interval"], max(0.0, deadline - time.monotonic())))
            left = account.left()
    except BotoCoreError as e:
        module.fail_json_aws(e, msg="Could not ask the account what is left in it")
    unknown = sorted(account.unknown.values(), key=lambda u: (u["type"], u["action"]))
    result = {
        "changed": False,
        "left": left,
        "unknown": unknown,
        "stays": account.stays,
        "msg": report(left, unknown, owners),
    }
    if (left or unknown) and p["fail"] and not module.check_mode:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
