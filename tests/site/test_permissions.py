# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The policies of docs/iam.md suffice for whoever runs the playbooks, and each is needed.

Action sets are proven by running everything on an endpoint that enforces IAM, resources and conditions by
policies/evaluator.py on what such a run makes.
"""

from __future__ import annotations

import json
import re

import pytest
from account import inventory
from policies.enforced import ACCOUNT, REGION, S3_IN_MOTO, enforced, widened
from policies.evaluator import allowed, listed, resources_of
from site_names import CLUSTER, SERVICE

HERE = f"{REGION}:{ACCOUNT}"
USER = "the-person"


def documented():
    """The policies of docs/iam.md, the one for looking first."""
    with open("docs/iam.md", encoding="utf-8") as file:
        return [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)]


def statements():
    return [s for policy in documented() for s in policy["Statement"]]


@pytest.fixture
def person(both):
    """Sets what a user may do, and gives the arguments of a run in its name."""
    iam = both.aws("iam")
    iam.create_user(UserName=USER)
    key = iam.create_access_key(UserName=USER)["AccessKey"]

    def may(policies):
        iam.put_user_policy(UserName=USER, PolicyName="widened", PolicyDocument=json.dumps(widened(policies)))
        environment = {
            "AWS_ENDPOINT_URL": both.url,
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return ("-e", json.dumps({"aws_environment_extra": environment}))

    yield may
    iam.delete_access_key(UserName=USER, AccessKeyId=key["AccessKeyId"])
    for name in iam.list_user_policies(UserName=USER)["PolicyNames"]:
        iam.delete_user_policy(UserName=USER, PolicyName=name)
    iam.delete_user(UserName=USER)


@pytest.fixture
def with_workstation(tmp_path):
    hosts = tmp_path / "hosts.yml"
    hosts.write_text("all: {children: {workstations: {hosts: {petclinic-workstation: }}}}\n")
    return ("-i", "inventories/local", "-i", str(hosts))


#: The endpoint makes a stack's things with credentials of its own, which no IAM knows.
STACKS = ("--limit", "BreakTheMonolith-Demo,petclinic-workstation")
PETCLINIC = ("--limit", "petclinic-rest-*")
OTHERS = ("--limit", "petclinic-rest-*,api")
#: Of the services that are alike, one will do.
ALL = ("--limit", "petclinic-*,BreakTheMonolith-Demo,api")
CONFIRM = ("-e", "teardown_confirm=true")


def test_a_person_with_these_policies_makes_and_takes_away_everything(both, person, with_workstation):
    before = inventory(both.aws)
    both.play("site.yml", *with_workstation, *STACKS)
    run = person(documented())
    with enforced(both.port):
        both.play("site.yml", *with_workstation, *ALL, *run)
    look = person(documented()[:1])
    with enforced(both.port):
        seen = both.play("site.yml", "--check", *OTHERS, *look)
        assert seen.changed == 0, seen.changes
    run = person(documented())
    for action, resource, context in what_changes(both):
        assert allowed(documented(), action, resource, context), f"{action} {resource}"
    with enforced(both.port):
        again = both.play("site.yml", *run, *PETCLINIC)
        assert again.changed == 0, again.changes
        both.play("teardown.yml", *with_workstation, *run, *OTHERS, *CONFIRM)
    both.play("teardown.yml", *with_workstation, *ALL, *CONFIRM)
    assert inventory(both.aws) == before


def test_a_person_who_may_only_look_can_check_on_an_empty_account(both, person):
    run = person(documented()[:1])
    start = both.calls()
    with enforced(both.port):
        both.play("site.yml", "--check", *PETCLINIC, *run)
        both.play("teardown.yml", "--check", *PETCLINIC, *run)
        assert both.writes_since(start) == []
        refused = both.play("playbooks/image.yml", *PETCLINIC, *run, fails=True)
    assert "not authorized to perform" in refused.messages


def what_changes(site):
    """Of what is in the account now: actions that made it, on their resources, and by which tags."""
    aws = site.aws
    own = {"aws:RequestedRegion": REGION}
    for role in aws("iam").list_roles()["Roles"]:
        name, arn = role["RoleName"], role["Arn"]
        if role["Path"].startswith("/aws-service-role/"):
            yield "iam:CreateServiceLinkedRole", arn, {}
            continue
        stack = {"aws:CalledVia": ["cloudformation.amazonaws.com"]}
        by = stack if name.startswith(("BreakTheMonolith-Demo", "petclinic-workstation")) else {}
        for action in ("CreateRole", "DeleteRole", "TagRole", *([] if by and "Monolith" in name else ["PutRolePolicy", "DeleteRolePolicy"])):
            yield f"iam:{action}", arn, by
        for service in listed(role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]):
            yield "iam:PassRole", arn, {"iam:PassedToService": service}
    for group in aws("logs").describe_log_groups()["logGroups"]:
        yield "logs:CreateLogGroup", group["arn"].removesuffix(":*"), {}
    for bucket in aws("s3").list_buckets()["Buckets"]:
        for action in ("CreateBucket", "DeleteBucket", "ListBucketVersions", "PutBucketPolicy", "TagResource"):
            yield f"s3:{action}", f"arn:aws:s3:::{bucket['Name']}", {}
        yield "s3:DeleteObjectVersion", f"arn:aws:s3:::{bucket['Name']}/key", {}
    for project in aws("codebuild").list_projects()["projects"]:
        yield "codebuild:CreateProject", f"arn:aws:codebuild:{HERE}:project/{project}", {}
    for pipeline in aws("codepipeline").list_pipelines()["pipelines"]:
        yield "codepipeline:CreatePipeline", f"arn:aws:codepipeline:{HERE}:{pipeline['name']}", {}
    for connection in aws("codeconnections").list_connections()["Connections"]:
        arn = connection["ConnectionArn"]
        tags = {t["Key"]: t["Value"] for t in aws("codeconnections").list_tags_for_resource(ResourceArn=arn)["Tags"]}
        wanted = {f"aws:RequestTag/{k}": v for k, v in tags.items()}
        yield "codeconnections:CreateConnection", "*", {**own, **wanted}
        yield "codeconnections:TagResource", arn, {**own, **wanted}
        yield "codeconnections:DeleteConnection", arn, {f"aws:ResourceTag/{k}": v for k, v in tags.items()}
        for service in ("codebuild", "codepipeline"):
            yield "codeconnections:PassConnection", arn, {"codeconnections:PassedToService": f"{service}.amazonaws.com"}
    for topic in aws("sns").list_topics()["Topics"]:
        yield "sns:CreateTopic", topic["TopicArn"], {}
    for alarm in aws("cloudwatch").describe_alarms()["MetricAlarms"]:
        yield "cloudwatch:PutMetricAlarm", alarm["AlarmArn"], {}
        yield "cloudwatch:DeleteAlarms", alarm["AlarmArn"], {}
    for dashboard in aws("cloudwatch").list_dashboards()["DashboardEntries"]:
        yield "cloudwatch:PutDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{dashboard['DashboardName']}", {}
    for rule in aws("events").list_rules()["Rules"]:
        yield "events:PutRule", rule["Arn"], {}
        yield "events:PutTargets", rule["Arn"], {}
    for repository in aws("ecr").describe_repositories()["repositories"]:
        yield "ecr:CreateRepository", repository["repositoryArn"], {}
    for group in aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]:
        for action in ("CreateAutoScalingGroup", "DeleteAutoScalingGroup", "PutScalingPolicy", "SetDesiredCapacity"):
            yield f"autoscaling:{action}", group["AutoScalingGroupARN"], {}
    for stack in aws("cloudformation").describe_stacks()["Stacks"]:
        yield "cloudformation:CreateStack", stack["StackId"], {}
        yield "cloudformation:DeleteStack", stack["StackId"], {}
    elbv2 = aws("elbv2")
    for balancer in elbv2.describe_load_balancers()["LoadBalancers"]:
        arn = balancer["LoadBalancerArn"]
        yield "elasticloadbalancing:CreateLoadBalancer", arn, {}
        for listener in elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
            yield "elasticloadbalancing:DeleteListener", listener["ListenerArn"], {}
            for rule in elbv2.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]:
                yield "elasticloadbalancing:ModifyRule", rule["RuleArn"], {}
    for group in elbv2.describe_target_groups()["TargetGroups"]:
        yield "elasticloadbalancing:CreateTargetGroup", group["TargetGroupArn"], {}
    ecs = aws("ecs")
    for arn in ecs.list_clusters()["clusterArns"]:
        yield "ecs:DeleteCluster", arn, {}
        yield "ecs:ListTasks", "*", {}
        for instance in ecs.list_container_instances(cluster=arn)["containerInstanceArns"]:
            yield "ecs:UpdateContainerInstancesState", instance, {}
        for service in ecs.list_services(cluster=arn)["serviceArns"]:
            yield "ecs:UpdateService", service, {}
            yield "ecs:ExecuteCommand", arn, {}
        for task in ecs.list_tasks(cluster=arn)["taskArns"]:
            yield "ecs:StopTask", task, {}
    for arn in ecs.list_task_definitions()["taskDefinitionArns"]:
        yield "ecs:DeleteTaskDefinitions", arn, {}
        yield "ecs:RunTask", arn, {}


def test_roles_are_passed_by_name_to_one_service_each():
    found = {}
    for statement in statements():
        if "iam:PassRole" in listed(statement["Action"]):
            assert listed(statement["Action"]) == ["iam:PassRole"]
            (service,) = listed(statement["Condition"]["StringEquals"]["iam:PassedToService"])
            found.setdefault(service, []).extend(listed(statement["Resource"]))
    assert set(found) == {f"{s}.amazonaws.com" for s in ("ec2", "ecs-tasks", "codebuild", "codepipeline")}
    for service, resources in found.items():
        for arn in resources:
            name = arn.removeprefix(f"arn:aws:iam::{ACCOUNT}:role/")
            # CloudFormation gives the roles of its stacks names of its own.
            stacks = service == "ec2.amazonaws.com" and name in ("BreakTheMonolith-Demo-*", "petclinic-workstation-*")
            assert re.fullmatch(r"[\w-]+", name) or stacks, arn
    role = f"arn:aws:iam::{ACCOUNT}:role/petclinic-rest"
    for other in ("ec2", "ecs-tasks", "codepipeline", "lambda"):
        assert not allowed(documented(), "iam:PassRole", f"{role}-build-role", {"iam:PassedToService": f"{other}.amazonaws.com"})


def test_everything_is_said_only_where_nothing_is_changed_or_nothing_else_can_be():
    """Resource "*" but to look takes a condition, or an action that AWS knows no resource of."""
    look, *change = documented()
    reads = re.compile(r"\w[\w-]*:(Describe|Get|List|BatchGet|FilterLogEvents|ValidateTemplate)")
    assert all(reads.match(a) for s in look["Statement"] for a in listed(s["Action"]))
    for policy in change:
        for statement in policy["Statement"]:
            actions = listed(statement["Action"])
            assert not any("*" in a for a in actions)
            if "*" in listed(statement["Resource"]):
                assert statement.get("Condition") or not any(map(resources_of, actions)), statement["Sid"]


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/admin"),
        ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/x"),
        ("s3:DeleteObjectVersion", "arn:aws:s3:::somebody-elses/key"),
        ("s3:GetObject", "arn:aws:s3:::petclinic-rest-codepipeline-handson/key"),
        ("codebuild:UpdateProject", f"arn:aws:codebuild:{HERE}:project/other"),
        ("codeconnections:DeleteConnection", f"arn:aws:codeconnections:{HERE}:connection/other"),
        ("codeconnections:GetConnectionToken", f"arn:aws:codeconnections:{HERE}:connection/other"),
        ("codeconnections:UseConnection", f"arn:aws:codeconnections:{HERE}:connection/other"),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:petclinic"),
        ("ecs:DeleteService", f"arn:aws:ecs:{HERE}:service/other/{SERVICE}"),
        ("ecs:DeleteCluster", f"arn:aws:ecs:{HERE}:cluster/{CLUSTER[::-1]}"),
        ("ec2:TerminateInstances", f"arn:aws:ec2:{HERE}:instance/i-1"),
        ("sns:Publish", f"arn:aws:sns:{HERE}:petclinic-rest-alarms"),
    ],
)
def test_what_they_do_not_allow(action, resource):
    assert not allowed(documented(), action, resource, {"aws:RequestedRegion": REGION})


def test_the_spelling_of_moto_is_all_that_is_let_through_besides():
    for action, besides in S3_IN_MOTO.items():
        assert resources_of(action) and len(besides) == 1
