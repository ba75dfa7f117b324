# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What builds and deploys a service (tutorial section 5), whatever its names: buckets, project, pipeline, roles."""

import json
import urllib.parse
from dataclasses import dataclass
from typing import Any

from readback import ACCOUNT, REGION, Expectations, client, tags_of, values

#: The eight of section 5.1.
ECR_ACTIONS = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:CompleteLayerUpload",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:GetAuthorizationToken",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
]


@dataclass
class Wanted:
    """What a scenario gives its service; the rest derives from it."""

    cluster: str
    prefix: str
    cache_bucket: str
    repository: str = "voyagerwoo/petclinic-rest"
    branch: str = "master"
    buildspec: str = ""
    webhook: bool = False
    artifacts_of: str = "handson"

    @property
    def service(self) -> str:
        """The name of the service."""
        return f"{self.prefix}-service"

    @property
    def owner(self) -> dict[str, str]:
        """The tags of what is the service's."""
        return {"handson:cluster": self.cluster, "handson:service": self.service}


def build(expect: Expectations, wanted: Wanted) -> None:
    """Sections 5.0 and 5.1."""
    _bucket(expect, wanted.cache_bucket, {"handson:cluster": wanted.cluster})
    name = f"{wanted.prefix}-build"
    found = client("codebuild").batch_get_projects(names=[name])["projects"]
    project = expect.only(f"build projects {name}", found)
    expect.contains("its tags", tags_of(project["tags"]), wanted.owner)
    source = {"type": "GITHUB", "location": f"https://github.com/{wanted.repository}"}
    expect.contains("its source", project["source"], source)
    expect.equal("its branch", project["sourceVersion"], wanted.branch)
    expect.contains(
        "its environment",
        project["environment"],
        {
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
            "privilegedMode": True,
        },
    )
    given = {v["name"]: v["value"] for v in project["environment"]["environmentVariables"]}
    registry = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{wanted.prefix}"
    wanted_variables = {"CONTAINER_NAME": f"{wanted.prefix}-app", "IMAGE_REPOSITORY": registry}
    expect.contains("its variables", given, wanted_variables)
    cache = {"type": "S3", "location": f"{wanted.cache_bucket}/{wanted.prefix}"}
    expect.contains("its cache", project["cache"], cache)
    group = f"/aws/codebuild/{name}"
    logs = {"status": "ENABLED", "groupName": group}
    expect.contains("its log", project["logsConfig"]["cloudWatchLogs"], logs)
    groups = client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    expect.equal("days that its log is kept", [g.get("retentionInDays") for g in groups], [14])
    if wanted.buildspec:
        expect.equal("its buildspec", project["source"]["buildspec"], wanted.buildspec)
    else:
        said = project["source"]["buildspec"]
        parts = ("java", "corretto8", "get-login-password", "imagedefinitions.json", "/root/.m2/**/*")
        expect.equal("what its buildspec lacks", [p for p in parts if p not in said], [])
    _webhook(expect, wanted, project.get("webhook"))
    _build_role(expect, wanted, project)


def _webhook(expect: Expectations, wanted: Wanted, webhook: dict[str, Any] | None) -> None:
    if not wanted.webhook:
        return expect.equal("its webhook", webhook, None)
    groups = (webhook or {}).get("filterGroups", [])
    filters = {f["type"]: f["pattern"] for f in expect.only("groups of filters", groups)}
    expect.equal("what starts a build", filters, {"EVENT": "PUSH", "HEAD_REF": f"^refs/heads/{wanted.branch}$"})
    return None


def _build_role(expect: Expectations, wanted: Wanted, project: dict[str, Any]) -> None:
    role = _role(expect, wanted, f"{wanted.prefix}-build-role", "codebuild.amazonaws.com", project["arn"])
    expect.equal("role of the builds", project["serviceRole"], role["Arn"])
    statements = _policy(expect, role["RoleName"], "codebuild-ecr-policy")
    expect.equal("its ECR actions", sorted(a for s in statements for a in s["Action"]), ECR_ACTIONS)
    registry = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{wanted.prefix}"
    scoped = {tuple(s["Resource"]) for s in statements if s["Action"] != ["ecr:GetAuthorizationToken"]}
    expect.equal("where it may push to", scoped, {(registry,)})
    _policy(expect, role["RoleName"], "build")


def pipeline(expect: Expectations, wanted: Wanted, status: str = "AVAILABLE", version: int = 1) -> None:
    """Section 5.3. `status` is the connection's; pushes start the pipeline only where it can be used."""
    name, api = f"{wanted.prefix}-codepipeline", client("codepipeline")
    bucket = f"{name}-{wanted.artifacts_of}"
    _bucket(expect, bucket, wanted.owner)
    known = {c["ConnectionName"]: c for c in client("codeconnections").list_connections()["Connections"]}
    mine = [c for c in known if c.startswith(f"{wanted.prefix}-")]
    connection = known[expect.only("connections of the service", mine)]
    expect.contains("connection", connection, {"ProviderType": "GitHub", "ConnectionStatus": status})
    arn = connection["ConnectionArn"]
    tags = client("codeconnections").list_tags_for_resource(ResourceArn=arn)["Tags"]
    expect.contains("its tags", tags_of(tags), wanted.owner)

    answer = api.get_pipeline(name=name)
    made, its_arn = answer["pipeline"], answer["metadata"]["pipelineArn"]
    expect.contains("its tags", tags_of(api.list_tags_for_resource(resourceArn=its_arn)["tags"]), wanted.owner)
    store = {"type": "S3", "location": bucket}
    expect.contains("pipeline", made, {"pipelineType": "V2", "version": version, "artifactStore": store})
    actions = [expect.only(f"actions of {s['name']}", s["actions"]) for s in made["stages"]]
    provided = [(a["actionTypeId"]["category"], a["actionTypeId"]["provider"]) for a in actions]
    stages = [("Source", "CodeStarSourceConnection"), ("Build", "CodeBuild"), ("Deploy", "ECS")]
    expect.equal("stages", provided, stages)
    source, built, deployed = (a["configuration"] for a in actions)
    expect.contains(
        "source",
        source,
        {"ConnectionArn": arn, "FullRepositoryId": wanted.repository, "BranchName": wanted.branch},
    )
    expect.equal("build", built["ProjectName"], f"{wanted.prefix}-build")
    names = {"ClusterName": wanted.cluster, "ServiceName": wanted.service, "FileName": "imagedefinitions.json"}
    expect.contains("deployment", deployed, names)
    outputs = [a.get("outputArtifacts", []) for a in actions[:2]]
    expect.equal("what each action takes", [a.get("inputArtifacts", []) for a in actions[1:]], outputs)
    triggers = [t["gitConfiguration"]["push"] for t in made.get("triggers", [])]
    branches = [[p["branches"]["includes"] for p in pushes] for pushes in triggers]
    expect.equal("pushes that start it", branches, [[[wanted.branch]]] if status == "AVAILABLE" else [])
    expect.equal("what else starts it", source["DetectChanges"], "false")

    role = _role(expect, wanted, f"{name}-role", "codepipeline.amazonaws.com")
    expect.equal("role of the pipeline", made["roleArn"], role["Arn"])
    statements = _policy(expect, role["RoleName"], "build-and-deploy")
    may = {a for s in statements for a in s["Action"]}
    expect.equal("what it may not", {"ecs:TagResource", "ecs:UpdateService", "codebuild:StartBuild"} - may, set())
    passing = expect.only("statements that pass roles", [s for s in statements if "iam:PassRole" in s["Action"]])
    task_role = f"arn:aws:iam::{ACCOUNT}:role/{wanted.prefix}-task-execution-role"
    expect.equal("roles that it may pass", passing["Resource"], [task_role])
    to = passing["Condition"]["StringEquals"]["iam:PassedToService"]
    expect.equal("to whom", to, ["ecs-tasks.amazonaws.com"])


def _bucket(expect: Expectations, name: str, owner: dict[str, str]) -> None:
    """Private, encrypted, over TLS only, and emptied by itself."""
    s3 = client("s3")
    tags = values(s3.get_bucket_tagging(Bucket=name)["TagSet"])
    expect.equal(f"tags of {name}", tags, owner)
    blocked = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    expect.equal(f"what of {name} is kept from the public", sorted(blocked.values()), [True] * 4)
    controls = s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"]
    expect.equal(f"ownership in {name}", [r["ObjectOwnership"] for r in controls], ["BucketOwnerEnforced"])
    rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    used = [r["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] for r in rules]
    expect.equal(f"encryption of {name}", used, ["AES256"])
    policy = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
    tls = {"Effect": "Deny", "Principal": "*", "Action": "s3:*"}
    tls |= {"Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]}
    tls |= {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    expect.contains(f"policy of {name}", expect.only(f"statements of {name}", policy["Statement"]), tls)
    found = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    expect.equal(f"rules of {name} in force", [r["Status"] for r in found], ["Enabled"] * 2)
    expect.equal(f"days in {name}", [r["Expiration"]["Days"] for r in found if "Expiration" in r], [30])


def _role(expect: Expectations, wanted: Wanted, name: str, principal: str, source: str = "") -> dict[str, Any]:
    """A role that one service of AWS takes, and with a source only for that."""
    role = client("iam").get_role(RoleName=name)["Role"]
    expect.contains(f"tags of {name}", tags_of(role["Tags"]), wanted.owner)
    trust = expect.only(f"statements that trust for {name}", _document(role["AssumeRolePolicyDocument"])["Statement"])
    expect.equal(f"who takes {name}", _list(trust["Principal"]["Service"]), [principal])
    if not source:
        expect.equal(f"conditions of {name}", trust.get("Condition"), None)
        return role
    condition = trust["Condition"]
    expect.equal(f"for what {name} is taken", _list(condition["ArnLike"]["aws:SourceArn"]), [source])
    expect.equal(f"account of {name}", _list(condition["StringEquals"]["aws:SourceAccount"]), [ACCOUNT])
    return role


def _policy(expect: Expectations, role: str, name: str) -> list[dict[str, Any]]:
    """The statements of an inline policy: every action by its name, and every resource only where AWS knows none."""
    document = _document(client("iam").get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
    of_all = {"ecr:GetAuthorizationToken", "ecs:DescribeTaskDefinition", "ecs:ListTasks"}
    statements = []
    for statement in document["Statement"]:
        statement = {**statement, **{k: _list(statement[k]) for k in ("Action", "Resource")}}
        for kind, condition in statement.get("Condition", {}).items():
            statement["Condition"][kind] = {k: _list(v) for k, v in condition.items()}
        wide = [a for a in statement["Action"] if "*" in a]
        expect.equal(f"actions of {name} that are not named", wide, [])
        if "*" in statement["Resource"]:
            expect.equal(f"actions of {name} on everything", sorted(set(statement["Action"]) - of_all), [])
        statements.append(statement)
    return statements


def _document(policy: Any) -> dict[str, Any]:
    return json.loads(urllib.parse.unquote(policy)) if isinstance(policy, str) else policy


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
