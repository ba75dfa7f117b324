# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What the roles may do that a run makes: all that their services call in their names, and no more.

The policies are those that Ansible wrote, read back from the account. Action sets are proven on an endpoint that
enforces IAM, resources and conditions by policies/evaluator.py, which the same calls are put to.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from policies.enforced import ACCOUNT, REGION, credentials, enforced, refused
from policies.evaluator import allowed, faults

HERE = f"{REGION}:{ACCOUNT}"
OWN_ACCOUNT = {"aws:ResourceAccount": ACCOUNT}
TASK_ROLE = "petclinic-rest-task-role"


@dataclass
class Call:
    """An action, on what, and how boto3 calls it; without a method where there is nothing to call."""

    action: str
    resource: str = "*"
    method: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)

    def __str__(self):
        return f"{self.action} {self.resource}"


def ecr(action, method, repository="petclinic-rest", **parameters):
    given = {"repositoryName": repository, **parameters}
    if method == "describe_repositories":
        given = {"repositoryNames": [repository]}
    return Call(f"ecr:{action}", f"arn:aws:ecr:{HERE}:repository/{repository}", method, given)


def s3(action, method, bucket, key="", **parameters):
    resource = f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")
    return Call(f"s3:{action}", resource, method, {"Bucket": bucket, **({"Key": key} if key else {}), **parameters}, OWN_ACCOUNT)


def logs(action, method, group, stream="", **parameters):
    resource = f"arn:aws:logs:{HERE}:log-group:{group}" + (f":log-stream:{stream}" if stream else "")
    return Call(f"logs:{action}", resource, method, {"logGroupName": group, **parameters})


def ecs(action, method="", resource="*", context=None, **parameters):
    resource = resource if resource == "*" else f"arn:aws:ecs:{HERE}:{resource}"
    return Call(f"ecs:{action}", resource, method, parameters, context or {})


DIGEST = "sha256:" + "0" * 64
UPLOAD = "0" * 36
LOGIN = Call("ecr:GetAuthorizationToken", "*", "get_authorization_token")
#: What `docker push` asks for, https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
PUSH = [
    LOGIN,
    ecr("BatchCheckLayerAvailability", "batch_check_layer_availability", layerDigests=[DIGEST]),
    ecr("BatchGetImage", "batch_get_image", imageIds=[{"imageTag": "latest"}]),
    ecr("InitiateLayerUpload", "initiate_layer_upload"),
    ecr("UploadLayerPart", "upload_layer_part", uploadId=UPLOAD, partFirstByte=0, partLastByte=1, layerPartBlob=b"-"),
    ecr("CompleteLayerUpload", "complete_layer_upload", uploadId=UPLOAD, layerDigests=[DIGEST]),
    ecr("PutImage", "put_image", imageManifest="{}", imageTag="latest"),
]
#: And what `docker pull` does, https://docs.aws.amazon.com/AmazonECR/latest/userguide/ECR_on_ECS.html
PULL = [*PUSH[:3], ecr("GetDownloadUrlForLayer", "get_download_url_for_layer", layerDigest=DIGEST)]
EVENT = [{"timestamp": 1, "message": "-"}]


def writes_log(group, stream="s"):
    return [
        logs("CreateLogStream", "create_log_stream", group, stream, logStreamName=stream),
        logs("PutLogEvents", "put_log_events", group, stream, logStreamName=stream, logEvents=EVENT),
    ]


def hands_on(bucket, key):
    """What an action of a pipeline does with its artifacts."""
    return [
        s3("GetBucketAcl", "get_bucket_acl", bucket),
        s3("GetBucketLocation", "get_bucket_location", bucket),
        s3("PutObject", "put_object", bucket, key, Body=b"-"),
        s3("GetObject", "get_object", bucket, key),
        s3("GetObjectVersion", "get_object", bucket, key, VersionId="null"),
    ]


def passes(role, to):
    return Call("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/{role}", context={"iam:PassedToService": to})


def may_use_key(arn):
    return [Call(f"kms:{a}", arn) for a in ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey")]


#: What nobody's role may do.
NEVER = [
    Call("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/x", "create_user", {"UserName": "x"}),
    Call("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/petclinic-rest-build-role", "put_role_policy",
         {"RoleName": "petclinic-rest-build-role", "PolicyName": "p", "PolicyDocument": "{}"}),
    Call("ec2:RunInstances", f"arn:aws:ec2:{HERE}:instance/*", "run_instances", {"ImageId": "ami-1", "MinCount": 1, "MaxCount": 1}),
    Call("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/petclinic-rest-codepipeline-role", "assume_role",
         {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/petclinic-rest-codepipeline-role", "RoleSessionName": "xx"}),
    ecr("DeleteRepository", "delete_repository", force=True),
    ecs("DeleteService", "delete_service", "service/petclinic-rest-cluster/petclinic-rest-service",
        cluster="petclinic-rest-cluster", service="petclinic-rest-service"),
    s3("DeleteBucket", "delete_bucket", "petclinic-rest-codepipeline-handson"),
    s3("DeleteObject", "delete_object", "petclinic-rest-codepipeline-handson", "petclinic/a"),
    logs("DeleteLogGroup", "delete_log_group", "/ecs/petclinic-rest-task"),
]  # fmt: skip
CLUSTER, SERVICE, FAMILY = "petclinic-rest-cluster", "petclinic-rest-service", "petclinic-rest-task"
OF_SERVICE = f"service/{CLUSTER}/{SERVICE}"
CACHE, ARTIFACTS = "handson-codebuild-cache-store", "petclinic-rest-codepipeline-handson"
CONTAINERS = [{"name": "petclinic-rest-app", "image": "i", "memoryReservation": 8}]


def build(made):
    group = "/aws/codebuild/petclinic-rest-build"
    secret = f"arn:aws:secretsmanager:{HERE}:secret:petclinic"
    may = [
        *PUSH,
        # The tutorial's eight actions have these two as well.
        ecr("DescribeRepositories", "describe_repositories"),
        ecr("DescribeImages", "describe_images"),
        logs("CreateLogGroup", "create_log_group", group),
        *writes_log(group),
        *hands_on(CACHE, "petclinic-rest/key"),
        *hands_on(ARTIFACTS, "petclinic/BuildArtif/x"),
        *may_use_key(made["key"]),
        *(Call(f"codeconnections:{a}", made["connection"]) for a in ("GetConnection", "GetConnectionToken", "UseConnection")),
        # Of the pipeline, for a clone.
        Call("codeconnections:UseConnection", f"arn:aws:codeconnections:{HERE}:connection/other",
             context={"aws:ResourceTag/handson:service": SERVICE}),
        Call("ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/petclinic/a", "get_parameters", {"Names": ["/petclinic/a"]}),
        Call("secretsmanager:GetSecretValue", f"{secret}/b-AbCdEf", "get_secret_value", {"SecretId": "petclinic/b"}),
    ]  # fmt: skip
    may_not = [
        Call("codeconnections:UseConnection", f"arn:aws:codeconnections:{HERE}:connection/other"),
        ecr("PutImage", "", "api"),
        s3("GetObject", "", CACHE, "another-service/key"),
        # A bucket of that name in another account, where ours is gone.
        Call("s3:GetObject", f"arn:aws:s3:::{CACHE}/petclinic-rest/key", context={"aws:ResourceAccount": "1" * 12}),
        Call("ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/petclinic/ab"),
        Call("ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/other"),
        Call("secretsmanager:GetSecretValue", f"{secret}/bb-AbCdEf"),
        Call("codebuild:StartBuild", f"arn:aws:codebuild:{HERE}:project/petclinic-rest-build", "start_build", {"projectName": "petclinic-rest-build"}),
        ecs("UpdateService", "update_service", OF_SERVICE, cluster=CLUSTER, service=SERVICE),
        passes("petclinic-rest-task-execution-role", "ecs-tasks.amazonaws.com"),
    ]  # fmt: skip
    return may, may_not


def pipeline(made):
    project = f"arn:aws:codebuild:{HERE}:project/petclinic-rest-build"
    of_cluster = {"ecs:cluster": f"arn:aws:ecs:{HERE}:cluster/{CLUSTER}"}
    family = f"task-definition/{FAMILY}:2"
    may = [
        Call("codeconnections:UseConnection", made["pipeline_connection"]),
        Call("codebuild:StartBuild", project, "start_build", {"projectName": "petclinic-rest-build"}),
        Call("codebuild:BatchGetBuilds", project, "batch_get_builds", {"ids": ["petclinic-rest-build:1"]}),
        *hands_on(ARTIFACTS, "petclinic/SourceArti/x"),
        s3("GetBucketVersioning", "get_bucket_versioning", ARTIFACTS),
        *may_use_key(made["key"]),
        # https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-ECS.html
        ecs("DescribeServices", "describe_services", OF_SERVICE, cluster=CLUSTER, services=[SERVICE]),
        ecs("DescribeTaskDefinition", "describe_task_definition", taskDefinition=FAMILY),
        ecs("RegisterTaskDefinition", "register_task_definition", family, family=FAMILY, containerDefinitions=CONTAINERS),
        ecs("TagResource", "tag_resource", family, {"ecs:CreateAction": "RegisterTaskDefinition"},
            resourceArn=f"arn:aws:ecs:{HERE}:{family}", tags=[{"key": "a", "value": "b"}]),
        passes("petclinic-rest-task-execution-role", "ecs-tasks.amazonaws.com"),
        passes(TASK_ROLE, "ecs-tasks.amazonaws.com"),
        ecs("UpdateService", "update_service", OF_SERVICE, cluster=CLUSTER, service=SERVICE),
        ecs("ListTasks", "list_tasks", "*", of_cluster, cluster=CLUSTER),
        ecs("DescribeTasks", "describe_tasks", f"task/{CLUSTER}/1", cluster=CLUSTER, tasks=["1" * 32]),
    ]  # fmt: skip
    may_not = [
        Call("codeconnections:UseConnection", f"arn:aws:codeconnections:{HERE}:connection/other"),
        Call("codebuild:StartBuild", f"arn:aws:codebuild:{HERE}:project/other"),
        Call("codebuild:UpdateProject", project, "update_project", {"name": "petclinic-rest-build"}),
        s3("GetObject", "", CACHE, "petclinic-rest/key"),
        ecs("UpdateService", "", f"service/{CLUSTER}/api"),
        ecs("UpdateService", "", "service/other/petclinic-rest-service"),
        ecs("RegisterTaskDefinition", "", "task-definition/api:1"),
        ecs("TagResource", "", family),
        ecs("ListTasks", "", "*", {"ecs:cluster": f"arn:aws:ecs:{HERE}:cluster/other"}),
        ecs("DeregisterTaskDefinition", "deregister_task_definition", taskDefinition=f"{FAMILY}:1"),
        ecs("RunTask", "run_task", family, cluster=CLUSTER, taskDefinition=FAMILY),
        passes("petclinic-rest-build-role", "ecs-tasks.amazonaws.com"),
        passes("petclinic-rest-task-execution-role", "ec2.amazonaws.com"),
        Call("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/petclinic-rest-task-execution-role"),
        LOGIN,
    ]
    return may, may_not


def execution(_made):
    secret = f"arn:aws:secretsmanager:{HERE}:secret:petclinic"
    may = [
        *PULL,
        *writes_log("/ecs/petclinic-rest-task", "petclinic-rest-app/petclinic-rest-app/1"),
        Call("ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/petclinic/p", "get_parameters", {"Names": ["/petclinic/p"]}),
        Call("secretsmanager:GetSecretValue", f"{secret}-AbCdEf", "get_secret_value", {"SecretId": f"{secret}-AbCdEf"}),
    ]
    may_not = [
        ecr("BatchGetImage", "", "api"),
        ecr("PutImage", "put_image", imageManifest="{}"),
        logs("CreateLogGroup", "create_log_group", "/ecs/petclinic-rest-task"),
        logs("PutLogEvents", "", "/ecs/api", "s"),
        Call("secretsmanager:GetSecretValue", f"{secret}-b-AbCdEf"),
        Call("ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/petclinic/other"),
        Call("ssm:PutParameter", f"arn:aws:ssm:{HERE}:parameter/petclinic/p", "put_parameter", {"Name": "/petclinic/p", "Value": "v"}),
    ]
    return may, may_not


def workstation(made):
    may = [
        *PUSH,
        *PULL,
        ecr("DescribeRepositories", "describe_repositories"),
        ecr("DescribeImages", "describe_images"),
        ecr("ListImages", "list_images"),
        Call("ssm:UpdateInstanceInformation", f"arn:aws:ec2:{HERE}:instance/i-1"),
        *(Call(f"ssmmessages:{verb}{kind}Channel") for verb in ("Create", "Open") for kind in ("Control", "Data")),
    ]
    may_not = [
        ecr("PutImage", "", "api"),
        Call("ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter/petclinic/p", "get_parameter", {"Name": "/petclinic/p"}),
        ecs("UpdateService", "update_service", OF_SERVICE, cluster=CLUSTER, service=SERVICE),
        passes("petclinic-rest-task-execution-role", "ecs-tasks.amazonaws.com"),
    ]
    return may, may_not


def instances(_made):
    """What the agent asks for; AWS's policy has every resource."""
    may = [
        ecs("DiscoverPollEndpoint", "discover_poll_endpoint"),
        ecs("RegisterContainerInstance", "register_container_instance", cluster=CLUSTER),
        ecs("SubmitTaskStateChange", "submit_task_state_change", cluster=CLUSTER),
        ecs("Poll"),
        *PULL,
    ]
    return may, [passes("petclinic-rest-task-execution-role", "ecs-tasks.amazonaws.com")]


#: By the beginning of a role's name: what is called in its name and what it must not do; who may take it, and for whom
#: only. EC2 says nothing of that, and AWS's guides have no such condition for an execution role (the page of the task
#: role has one) and for a pipeline's.
FOR_PROJECT = ("codebuild.amazonaws.com", f"arn:aws:codebuild:{HERE}:project/petclinic-rest-build")
ROLES = {
    "petclinic-rest-build-role": (build, *FOR_PROJECT),
    "petclinic-rest-codepipeline-role": (pipeline, "codepipeline.amazonaws.com", None),
    "petclinic-rest-task-execution-role": (execution, "ecs-tasks.amazonaws.com", None),
    "petclinic-rest-ecs-instance-role": (instances, "ec2.amazonaws.com", None),
    "BreakTheMonolith-Demo-ecs-instance-role": (instances, "ec2.amazonaws.com", None),
    "petclinic-workstation-": (workstation, "ec2.amazonaws.com", None),
}
MANAGED = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
#: Actions without a resource in our policies though AWS knows one, and why.
UNLIMITED = {
    # The instance's own; AWS's managed policies have it so (AWSCloud9SSMInstanceProfile).
    "ssm:UpdateInstanceInformation",
}


@pytest.fixture(scope="module")
def made(running, tmp_path_factory):
    """An account after a run with everything that adds a statement to a policy: the roles with their policies, and ARNs."""
    running.endpoint("reset")
    running.limit = ""
    key = running.aws("kms").create_key()["KeyMetadata"]["Arn"]
    connection = running.aws("codeconnections").create_connection(ConnectionName="own", ProviderType="GitHub")["ConnectionArn"]
    running.aws("iam").create_role(RoleName=TASK_ROLE, AssumeRolePolicyDocument="{}")
    service = {
        "build_project_source_auth_type": "CODECONNECTIONS",
        "build_project_source_auth_arn": connection,
        "build_project_parameter_store": {"A": "/petclinic/a"},
        "build_project_secrets_manager": {"B": "petclinic/b:key"},
        "pipeline_enabled": True,
        "pipeline_source_format": "CODEBUILD_CLONE_REF",
        "pipeline_artifact_kms_key": key,
        "task_definition_task_role": TASK_ROLE,
        "task_definition_secrets": {
            "P": "/petclinic/p",
            "S": f"arn:aws:secretsmanager:{HERE}:secret:petclinic-AbCdEf:key::",
        },
    }
    hosts = {"petclinic-rest-service": service, "petclinic-rest-cluster": {"monitoring_enabled": True}}
    workstations = {"petclinic-workstation": {"workstation_registries": ["petclinic-rest"]}}
    inventory = tmp_path_factory.mktemp("inventory") / "hosts.yml"
    inventory.write_text(json.dumps({"all": {"hosts": hosts, "children": {"workstations": {"hosts": workstations}}}}))
    limit = ("--limit", "petclinic-*,BreakTheMonolith-Demo")
    running.play("site.yml", "-i", "inventories/local", "-i", str(inventory), *limit)
    iam = running.aws("iam")
    roles = {}
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        if role["Path"].startswith("/aws-service-role/") or name == TASK_ROLE:
            continue
        inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
        managed = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        roles[name] = {
            "trust": role["AssumeRolePolicyDocument"],
            "inline": {p: iam.get_role_policy(RoleName=name, PolicyName=p)["PolicyDocument"] for p in inline},
            "managed": [p["PolicyArn"] for p in managed],
        }
    connections = running.aws("codeconnections").list_connections()["Connections"]
    of_pipeline = next(c["ConnectionArn"] for c in connections if c["ConnectionName"] == "petclinic-rest-github")
    yield {"site": running, "roles": roles, "key": key, "connection": connection, "pipeline_connection": of_pipeline}
    running.endpoint("reset")


def role_of(made, beginning):
    return next(role for name, role in made["roles"].items() if name.startswith(beginning))


def documents(made, role):
    managed = []
    iam = made["site"].aws("iam")
    for arn in role["managed"]:
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        managed.append(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])
    return [*role["inline"].values(), *managed]


def test_every_role_that_a_run_makes_is_looked_at(made):
    assert sorted(next((b for b in ROLES if name.startswith(b)), name) for name in made["roles"]) == sorted(ROLES)
    for name, role in made["roles"].items():
        assert role["managed"] == ([MANAGED] if "instance-role" in name else []), name
        assert bool(role["inline"]) is not bool(role["managed"]), name


@pytest.mark.parametrize("beginning", ROLES)
def test_no_policy_allows_more_than_it_must(made, beginning):
    for name, document in role_of(made, beginning)["inline"].items():
        unlimited = {f"{a} on everything" for a in UNLIMITED}
        assert [f for f in faults(document, ACCOUNT) if f.split(": ", 1)[1] not in unlimited] == [], name


@pytest.mark.parametrize("beginning", ROLES)
def test_a_role_is_taken_by_its_service_only(made, beginning):
    _calls, service, source = ROLES[beginning]
    trust = [role_of(made, beginning)["trust"]]
    right = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": source} if source else {}
    assert allowed(trust, "sts:AssumeRole", "*", right, {"Service": service})
    for wrong in ({"Service": "lambda.amazonaws.com"}, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}):
        assert not allowed(trust, "sts:AssumeRole", "*", right, wrong)
    if source:
        other = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"{source}-2"}
        foreign = {**right, "aws:SourceAccount": "1" * 12}
        assert not any(allowed(trust, "sts:AssumeRole", "*", c, {"Service": service}) for c in ({}, other, foreign))


@pytest.mark.parametrize("beginning", ROLES)
def test_a_policy_allows_what_its_service_calls_and_on_its_own_things_only(made, beginning):
    role = role_of(made, beginning)
    policies = documents(made, role)
    may, may_not = ROLES[beginning][0](made)
    for call in may:
        assert allowed(policies, call.action, call.resource, call.context), f"{beginning} may not {call}"
    for call in [*may_not, *NEVER]:
        assert not allowed(policies, call.action, call.resource, call.context), f"{beginning} may {call}"
    # Nothing is allowed that nothing calls.
    named = {a for p in role["inline"].values() for s in p["Statement"] for a in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}
    called = {c.action for c in may} | {f"codestar-connections:{c.action.split(':')[1]}" for c in may if c.action.startswith("codeconn")}
    # PutObjectAcl stands in the user guide's policy for the artifact store.
    assert named - called <= {"s3:PutObjectAcl"}


def test_an_endpoint_that_enforces_iam_lets_each_role_do_its_work_and_no_more(made):
    site = made["site"]
    iam, sts = site.aws("iam"), site.aws("sts")
    nobody = credentials(iam, sts, "proof-nobody", [])
    who = {}
    for number, (beginning, _) in enumerate(ROLES.items()):
        role = role_of(made, beginning)
        who[beginning] = credentials(iam, sts, f"proof-{number}", role["inline"].values(), role["managed"])
    wrong, asked = [], 0
    with enforced(site.port):
        for beginning, (calls, *_) in ROLES.items():
            may, may_not = calls(made)
            for call, verdict in [*((c, False) for c in may), *((c, True) for c in [*may_not, *NEVER])]:
                if not call.method:
                    continue
                of = (call.action.split(":")[0], call.method, call.parameters)
                # It must ask in the first place, or its answer proves nothing.
                if not refused(site.url, nobody, *of):
                    wrong.append(f"the endpoint asks nobody about {call}")
                if refused(site.url, who[beginning], *of) is not verdict:
                    wrong.append(f"{beginning}: {call} was {'allowed' if verdict else 'refused'}")
                asked += 1
    assert not wrong and asked > 100


def test_who_may_publish_to_the_topic(made):
    sns = made["site"].aws("sns")
    topics = [t["TopicArn"] for t in sns.list_topics()["Topics"]]
    assert [t.rsplit(":", 1)[-1] for t in topics] == ["petclinic-rest-alarms"]
    policy = [json.loads(sns.get_topic_attributes(TopicArn=topics[0])["Attributes"]["Policy"])]
    ours = {"aws:SourceAccount": ACCOUNT, "aws:SecureTransport": "true"}
    foreign = {**ours, "aws:SourceAccount": "1" * 12}
    assert not allowed(policy, "sns:Publish", topics[0], foreign, {"Service": "cloudwatch.amazonaws.com"})
    # EventBridge does not say for whom it publishes (its user guide, permissions of SNS topics).
    assert allowed(policy, "sns:Publish", topics[0], {"aws:SecureTransport": "true"}, {"Service": "events.amazonaws.com"})
    for service in ("cloudwatch.amazonaws.com", "events.amazonaws.com"):
        assert allowed(policy, "sns:Publish", topics[0], ours, {"Service": service})
        assert not allowed(policy, "sns:Publish", topics[0], {**ours, "aws:SecureTransport": "false"}, {"Service": service})
        assert not allowed(policy, "sns:Subscribe", topics[0], ours, {"Service": service})
    assert not allowed(policy, "sns:Publish", topics[0], ours, {"Service": "s3.amazonaws.com"})
    assert not allowed(policy, "sns:Publish", topics[0], ours, {"AWS": "arn:aws:iam::111111111111:root"})


def test_buckets_let_nobody_in_and_refuse_plain_http(made):
    s3client = made["site"].aws("s3")
    buckets = sorted(b["Name"] for b in s3client.list_buckets()["Buckets"])
    assert {CACHE, ARTIFACTS} <= set(buckets)
    for bucket in buckets:
        policy = json.loads(s3client.get_bucket_policy(Bucket=bucket)["Policy"])
        assert {s["Effect"] for s in policy["Statement"]} == {"Deny"}
        own = {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        for resource in (f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/a"):
            for tls in ("true", "false"):
                plain = {"aws:SecureTransport": tls}
                assert allowed([policy, own], "s3:GetObject", resource, plain) is (tls == "true")
