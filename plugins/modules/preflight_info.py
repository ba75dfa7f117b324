#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: preflight_info
version_added: 0.1.0
short_description: Ask an account, by read-only calls, what a run must know before it writes
description:
  - Asks whose the credentials are and which region they reach, and whether the instance types, subnets, image
    parameters, connections, buckets and images that an inventory names are there.
  - A call that fails is part of the answer (RV(problems)) and no failure of the module, so that all faults can be
    told at once. M(handson.ecs.preflight) makes the report of it.
  - Makes one call of each kind, and one for each distinct parameter.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
options:
  instance_types:
    description: Instance types to describe.
    type: list
    elements: str
    default: []
  subnet_ids:
    description: Subnets to look up.
    type: list
    elements: str
    default: []
  default_subnets:
    description: Whether to look up the default subnets of the default VPC.
    type: bool
    default: false
  parameters:
    description: Names of SSM parameters to read, such as AWS's own for images. None of them may be secret.
    type: list
    elements: str
    default: []
  listeners:
    description: Load balancers, and the ports on which one should listen.
    type: list
    elements: dict
    default: []
    suboptions:
      load_balancer:
        description: Name of the load balancer.
        type: str
        required: true
      port:
        description: Port of the listener.
        type: int
        required: true
  listener_ports:
    description:
      - Ports that listeners of the local endpoint with containers are to have on this machine.
      - It is asked which it can't have, at a page of its own. AWS is not asked.
    type: list
    elements: int
    default: []
  clusters:
    description: Names of ECS clusters.
    type: list
    elements: str
    default: []
  services:
    description: Services to look up on O(clusters).
    type: list
    elements: dict
    default: []
    suboptions:
      cluster:
        description: Name of the cluster.
        type: str
        required: true
      service:
        description: Name of the service.
        type: str
        required: true
  connections:
    description: ARNs of connections to source code providers.
    type: list
    elements: str
    default: []
  source_credentials:
    description: Whether to look by what CodeBuild gets to repositories in this account and region.
    type: bool
    default: false
  buckets:
    description: Names of buckets, of anybody's.
    type: list
    elements: str
    default: []
  images:
    description: Images in the caller's own registry of ECR. A local endpoint is not asked, since it need not have images.
    type: list
    elements: dict
    default: []
    suboptions:
      reference:
        description: What the image is called in the answer.
        type: str
        required: true
      repository:
        description: Name of the repository.
        type: str
        required: true
      tag:
        description: Tag of the image.
        type: str
        required: true
attributes:
  check_mode:
    description: It only reads.
    support: full
  diff_mode:
    description: It only reads.
    support: none
"""

EXAMPLES = r"""
- name: Look whose account this is
  handson.ecs.preflight_info:
  register: seen

- name: Look whether the region offers the instance type
  handson.ecs.preflight_info:
    instance_types: [t2.medium]
    default_subnets: true
"""

RETURN = r"""
account:
  description: The account that the credentials belong to. Empty where nobody could tell.
  returned: always
  type: str
  sample: "123456789012"
arn:
  description: The caller.
  returned: always
  type: str
  sample: arn:aws:iam::123456789012:user/vet
region:
  description: The region that the calls reach.
  returned: always
  type: str
  sample: ap-southeast-1
endpoint:
  description: The URL of an endpoint that is not AWS's own. Empty for AWS.
  returned: always
  type: str
instance_types:
  description:
    - By type, C(vcpus), C(memory) in MiB, C(interfaces) and C(architectures).
    - A type that the region does not offer is missing. Null where nobody could tell.
  returned: always
  type: dict
  sample: {t2.medium: {vcpus: 2, memory: 4096, interfaces: 3, architectures: [x86_64]}}
subnets:
  description: Those of O(subnet_ids) that are there, with C(id), C(vpc_id) and C(availability_zone). Null as above.
  returned: always
  type: list
  elements: dict
default_subnets:
  description: The default subnets, in the same form. Null as above.
  returned: always
  type: list
  elements: dict
parameters:
  description: By name, the value, or null where there is no such parameter. Null as above.
  returned: always
  type: dict
listeners:
  description:
    - Those that stand, with the types of their default actions. Null as above.
    - Those of a port that O(listeners) does not name, and that do not redirect, have their C(tags), too. Of the others C(tags)
      is null.
  returned: always
  type: list
  elements: dict
  sample: [{load_balancer: petclinic-rest-alb, port: 80, default_actions: [forward], tags: null}]
taken_ports:
  description: Those of O(listener_ports) that something else holds. Null where nobody was asked or could tell.
  returned: always
  type: list
  elements: dict
  sample: [{port: 8080, holder: process 4711 (nginx)}]
clusters:
  description: Those that are active. Null as above.
  returned: always
  type: list
  elements: str
capacity_providers:
  description:
    - By name of RV(clusters), the capacity providers that are associated with it, none while ECS is still changing them.
    - Null as above.
  returned: always
  type: dict
  sample: {petclinic-rest-cluster: [petclinic-rest-capacity-provider]}
stack_clusters:
  description: Those of RV(clusters) that a CloudFormation stack made. Null as above.
  returned: always
  type: list
  elements: str
services:
  description: Those of O(services) that are active. The launch type is null with a capacity provider. Null as above.
  returned: always
  type: list
  elements: dict
  sample: [{cluster: petclinic-rest-cluster, service: petclinic-rest-service, launch_type: EC2}]
connections:
  description: By ARN of O(connections), the status, or null where there is no such connection. Null as above.
  returned: always
  type: dict
source_credentials:
  description: The kinds of server for which CodeBuild has credentials. Null as above.
  returned: always
  type: list
  elements: str
  sample: [GITHUB]
buckets:
  description:
    - By name of O(buckets), the region of the bucket, V(refused) where it may not be looked at, which is how somebody else's
      looks, or null where the name is free. Empty where the endpoint names no region. Null as above.
  returned: always
  type: dict
  sample: {handson-codebuild-cache-store: ap-southeast-1}
images:
  description: By reference of O(images), whether it is there. Null as above.
  returned: always
  type: dict
problems:
  description: The calls that failed.
  returned: always
  type: list
  elements: dict
  contains:
    call: {description: The API call., type: str, sample: DescribeSubnets}
    action: {description: The IAM action it needs., type: str, sample: "ec2:DescribeSubnets"}
    kind: {description: "One of V(unreachable), V(credentials), V(permission), V(other).", type: str}
    message: {description: What the SDK said., type: str}
"""

import json
import random
import time

try:
    import botocore.config
    from botocore import exceptions as sdk
except ImportError:
    pass  # AnsibleAWSModule says so in its own words

from ansible.module_utils.urls import open_url
from ansible_collections.amazon.aws.plugins.module_utils.botocore import boto3_inventory_conn, get_aws_connection_info
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils.build_runs import refusal
from ansible_collections.handson.ecs.plugins.module_utils.compare import chunks
from ansible_collections.handson.ecs.plugins.module_utils.endpoints import is_aws
from ansible_collections.handson.ecs.plugins.module_utils.load_balancers import tags_of
from ansible_collections.handson.ecs.plugins.module_utils.resource import ignore_missing

CREDENTIALS = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
#: CloudFormation puts it on everything that a stack makes.
STACK_TAG = "aws:cloudformation:stack-name"
PERMISSION = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedAccess"}
BUSY = ("Throttl", "RequestLimitExceeded", "TooManyRequests", "SlowDown", "ServiceUnavailable", "InternalError")


def kind_of(error):
    """Return which way out an SDK error has: unreachable, credentials, permission or other."""
    if isinstance(error, sdk.ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        return "credentials" if code in CREDENTIALS else "permission" if code in PERMISSION else "other"
    if isinstance(error, (sdk.HTTPClientError, sdk.ConnectionError)):
        return "unreachable"
    unauthorized = (
        sdk.NoCredentialsError,
        sdk.PartialCredentialsError,
        sdk.CredentialRetrievalError,
        sdk.ProfileNotFound,
        sdk.SSOError,
        sdk.TokenRetrievalError,
        sdk.NoAuthTokenError,
    )
    return "credentials" if isinstance(error, unauthorized) else "other"


def passing(error):
    """Return whether the same call may well succeed in a moment."""
    if isinstance(error, sdk.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or error.response.get("Error", {}).get("Code", "").startswith(BUSY)
    return False


class Questions:
    """Asks each question once and keeps what went wrong."""

    def __init__(self, module):
        self.module = module
        self.problems = []
        self.lost = False
        self.reached = {}
        self.region, self.endpoint_option, self.connection = get_aws_connection_info(module)

    def client(self, service):
        """Return a client that gives up soon: a report must not wait minutes for an endpoint that isn't there."""
        settings = botocore.config.Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 1})
        return boto3_inventory_conn(
            conn_type="client",
            resource=service,
            region=self.region,
            endpoint=self.endpoint_option,
            config=settings,
            **self.connection,
        )

    def ask(self, action, call):
        """Return what `call` returns, or None after noting the problem. Asks nothing once AWS is out of reach."""
        if self.lost:
            return None
        # A busy API is asked ten times, like every other module's call; a missing one three times.
        for attempt in range(10):
            try:
                return call()
            except (sdk.BotoCoreError, sdk.ClientError) as e:
                kind = kind_of(e)
                if self.reached.get("endpoint") and refusal(e):
                    return None  # a local endpoint that has no such call knows nothing of it, either
                if (passing(e) and attempt < 9) or (kind == "unreachable" and attempt < 2):
                    time.sleep(random.uniform(0.1, min(0.2 * 2**attempt, 5)))
                    continue
                self.lost = kind in ("unreachable", "credentials")
                self.problems.append({"call": action.split(":")[1], "action": action, "kind": kind, "message": str(e)})
                return None

    def run(self):
        """Ask all that the options ask for."""
        options = self.module.params
        answer = {"account": "", "arn": "", "region": self.region or "", "endpoint": "", "instance_types": None,
                  "subnets": None, "default_subnets": None, "parameters": None, "listeners": None, "taken_ports": None,
                  "clusters": None, "capacity_providers": None, "stack_clusters": None, "services": None, "connections": None,
                  "source_credentials": None, "buckets": None, "images": None}  # fmt: skip
        answer.update(self.ask("sts:GetCallerIdentity", self.identity) or self.reached)
        if options["instance_types"]:
            answer["instance_types"] = self.ask(
                "ec2:DescribeInstanceTypes", lambda: self.types(options["instance_types"])
            )
        if options["subnet_ids"]:
            named = [{"Name": "subnet-id", "Values": options["subnet_ids"]}]
            answer["subnets"] = self.ask("ec2:DescribeSubnets", lambda: self.subnets(named))
        if options["default_subnets"]:
            default = [{"Name": "default-for-az", "Values": ["true"]}]
            answer["default_subnets"] = self.ask("ec2:DescribeSubnets", lambda: self.subnets(default))
        if options["parameters"]:
            answer["parameters"] = self.ask("ssm:GetParameter", lambda: self.parameters(options["parameters"]))
        if options["listeners"]:
            found = self.ask("elasticloadbalancing:DescribeListeners", lambda: self.listeners(options["listeners"]))
            answer["listeners"] = found and self.tagged(found, options["listeners"])
        if options["listener_ports"] and answer["endpoint"] and not self.lost:
            answer["taken_ports"] = self.taken_ports(answer["endpoint"], options["listener_ports"])
        if options["clusters"]:
            answer.update(self.ask("ecs:DescribeClusters", lambda: self.clusters(options["clusters"])) or {})
        if options["services"] and answer["clusters"] is not None:
            wanted = [s for s in options["services"] if s["cluster"] in answer["clusters"]]
            answer["services"] = self.ask("ecs:DescribeServices", lambda: self.services(wanted))
        if options["connections"]:
            answer["connections"] = self.ask(
                "codeconnections:GetConnection", lambda: self.connections(options["connections"])
            )
        if options["source_credentials"]:
            answer["source_credentials"] = self.ask("codebuild:ListSourceCredentials", self.source_credentials)
        if options["buckets"]:
            answer["buckets"] = self.ask("s3:ListBucket", lambda: self.buckets(options["buckets"]))
        if options["images"] and not answer["endpoint"]:
            answer["images"] = self.ask("ecr:DescribeImages", lambda: self.images(options["images"]))
        return {**answer, "problems": self.problems}

    def identity(self):
        sts = self.client("sts")
        url = sts.meta.endpoint_url
        self.reached = {"region": sts.meta.region_name or "", "endpoint": "" if is_aws(url) else url}
        found = sts.get_caller_identity()
        return {**self.reached, "account": found["Account"], "arn": found["Arn"]}

    def types(self, names):
        # By filter and not by name: a name that isn't there is then just missing and does not fail the whole call.
        pages = (
            self.client("ec2")
            .get_paginator("describe_instance_types")
            .paginate(Filters=[{"Name": "instance-type", "Values": names}])
        )
        return {
            t["InstanceType"]: {
                "vcpus": t["VCpuInfo"]["DefaultVCpus"],
                "memory": t["MemoryInfo"]["SizeInMiB"],
                "interfaces": t["NetworkInfo"]["MaximumNetworkInterfaces"],
                "architectures": t.get("ProcessorInfo", {}).get("SupportedArchitectures", []),
            }
            for page in pages
            for t in page["InstanceTypes"]
        }

    def subnets(self, filters):
        found = self.client("ec2").describe_subnets(Filters=filters)["Subnets"]
        rows = [{"id": s["SubnetId"], "vpc_id": s["VpcId"], "availability_zone": s["AvailabilityZone"]} for s in found]
        return sorted(rows, key=lambda s: (s["availability_zone"], s["id"]))

    def parameters(self, names):
        # One by one: GetParameter is the permission that the instances role needs as well, GetParameters is another.
        ssm, values = self.client("ssm"), {}
        for name in names:
            try:
                values[name] = ssm.get_parameter(Name=name)["Parameter"]["Value"]
            except sdk.ClientError as e:
                if e.response["Error"]["Code"] not in ("ParameterNotFound", "ParameterVersionNotFound"):
                    raise
                values[name] = None
        return values

    def listeners(self, wanted):
        elbv2, found = self.client("elbv2"), []
        for name in sorted({w["load_balancer"] for w in wanted}):
            try:
                balancers = elbv2.describe_load_balancers(Names=[name])["LoadBalancers"]
            except sdk.ClientError as e:
                if e.response["Error"]["Code"] != "LoadBalancerNotFound":
                    raise
                continue
            for balancer in balancers:
                ports = elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
                found += [
                    {
                        "load_balancer": name,
                        "port": listener["Port"],
                        "default_actions": [action["Type"] for action in listener.get("DefaultActions") or []],
                        "arn": listener["ListenerArn"],
                    }
                    for listener in ports
                ]
        return found

    def tagged(self, found, wanted):
        """Return the listeners with tags for their ARNs, of those alone of which somebody must know whose they are."""
        asked = {(w["load_balancer"], w["port"]) for w in wanted}
        arns = [
            x["arn"] for x in found if (x["load_balancer"], x["port"]) not in asked and "redirect" not in x["default_actions"]
        ]
        tags = {}
        if arns:
            tags = self.ask("elasticloadbalancing:DescribeTags", lambda: tags_of(self.client("elbv2"), arns)) or {}
        return [{k: v for k, v in x.items() if k != "arn"} | {"tags": tags.get(x["arn"])} for x in found]

    def taken_ports(self, endpoint, ports):
        # No API call: only the local endpoint with containers tells, and others that are not AWS have no such page.
        query = "&".join(f"listener_port={port}" for port in ports)
        try:
            with open_url(f"{endpoint.rstrip('/')}/handson/status?{query}", timeout=5, use_proxy=False) as answer:
                return json.load(answer).get("taken_ports")
        except (OSError, ValueError, AttributeError):
            return None

    def clusters(self, names):
        found = self.client("ecs").describe_clusters(clusters=names[:100], include=["TAGS", "ATTACHMENTS"])["clusters"]
        active = {c["clusterName"]: c for c in found if c["status"] == "ACTIVE"}
        made = [name for name, c in active.items() if STACK_TAG in {t["key"] for t in c.get("tags") or []}]
        providers = {
            # A run that was killed while ECS attached them goes on before they can be used.
            name: [] if c.get("attachmentsStatus") == "UPDATE_IN_PROGRESS" else sorted(c.get("capacityProviders") or [])
            for name, c in active.items()
        }
        return {"clusters": sorted(active), "capacity_providers": providers, "stack_clusters": sorted(made)}

    def services(self, wanted):
        ecs, found = self.client("ecs"), []
        for cluster in sorted({w["cluster"] for w in wanted}):
            for part in chunks(sorted(w["service"] for w in wanted if w["cluster"] == cluster), 10):
                rows = ecs.describe_services(cluster=cluster, services=list(part))["services"]
                found += [
                    {"cluster": cluster, "service": s["serviceName"], "launch_type": s.get("launchType")}
                    for s in rows
                    if s["status"] == "ACTIVE"
                ]
        return found

    def connections(self, arns):
        codeconnections, found = self.client("codeconnections"), {}
        for arn in arns:
            answer = ignore_missing(
                lambda a=arn: codeconnections.get_connection(ConnectionArn=a), "ResourceNotFoundException"
            )
            found[arn] = answer["Connection"]["ConnectionStatus"] if answer else None
        return found

    def source_credentials(self):
        found = self.client("codebuild").list_source_credentials().get("sourceCredentialsInfos") or []
        return sorted({c["serverType"] for c in found if c.get("serverType")})

    def buckets(self, names):
        s3 = self.client("s3")
        # One call for all that are the caller's. Those that are not are free or somebody else's, and asked for one by one.
        mine = {}
        try:
            for page in s3.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 1000}):
                mine |= {b["Name"]: b.get("BucketRegion") or "" for b in page["Buckets"]}
        except sdk.ClientError as e:
            if kind_of(e) != "permission":
                raise
        return {name: mine[name] if name in mine else self.bucket(s3, name) for name in names}

    @staticmethod
    def bucket(s3, name):
        try:
            return s3.head_bucket(Bucket=name).get("BucketRegion") or ""
        except sdk.ClientError as e:
            # An answer to HEAD has no body, so the status is all that there is.
            status = e.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status == 301:
                return e.response["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amz-bucket-region") or "another region"
            if status not in (403, 404):
                raise
            return "refused" if status == 403 else None

    def images(self, wanted):
        ecr, found = self.client("ecr"), {}
        for image in wanted:
            which = {"repositoryName": image["repository"], "imageIds": [{"imageTag": image["tag"]}]}
            answer = ignore_missing(
                lambda w=which: ecr.describe_images(**w), "ImageNotFoundException", "RepositoryNotFoundException"
            )
            found[image["reference"]] = bool(answer and answer["imageDetails"])
        return found


def main():
    image = {option: {"type": "str", "required": True} for option in ("reference", "repository", "tag")}
    listener = {"load_balancer": {"type": "str", "required": True}, "port": {"type": "int", "required": True}}
    service = {"cluster": {"type": "str", "required": True}, "service": {"type": "str", "required": True}}
    strings = {"type": "list", "elements": "str", "default": []}
    module = AnsibleAWSModule(
        argument_spec={
            "instance_types": strings,
            "subnet_ids": strings,
            "default_subnets": {"type": "bool", "default": False},
            "parameters": strings,
            "listeners": {"type": "list", "elements": "dict", "options": listener, "default": []},
            "listener_ports": {"type": "list", "elements": "int", "default": []},
            "clusters": strings,
            "services": {"type": "list", "elements": "dict", "options": service, "default": []},
            "connections": strings,
            "source_credentials": {"type": "bool", "default": False},
            "buckets": strings,
            "images": {"type": "list", "elements": "dict", "options": image, "default": []},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **Questions(module).run())


if __name__ == "__main__":
    main()
