# SPDX-License-Identifier: GPL-3.0-or-later
"""Of every type: made by boto3 with our tags it is found, with somebody else's it is not."""

import itertools
import json

import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import IMAGE, Failed, run

CLUSTER = "petclinic-rest-cluster"
OWNER = {"handson:cluster": CLUSTER}
FOREIGN = {"handson:cluster": "another-cluster"}
OPTIONS = {"owner": OWNER, "name_prefixes": ["petclinic-rest", "petclinic"]}
NUMBER = itertools.count()
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def pairs(tags, key="Key", value="Value"):
    return [{key: k, value: v} for k, v in tags.items()]


def spec(kind, tags):
    return [{"ResourceType": kind, "Tags": pairs(tags)}]


def a_vpc(aws, tags):
    return aws("ec2").create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=spec("vpc", tags))["Vpc"]["VpcId"]


def default_subnets(aws):
    return [s["SubnetId"] for s in aws("ec2").describe_subnets()["Subnets"]]


def instance(aws, tags):
    aws("ec2").run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, TagSpecifications=spec("instance", tags))


def volume(aws, tags):
    aws("ec2").create_volume(AvailabilityZone="ap-southeast-1a", Size=1, TagSpecifications=spec("volume", tags))


def security_group(aws, tags):
    aws("ec2").create_security_group(GroupName="g", Description="d", TagSpecifications=spec("security-group", tags))


def launch_template(aws, tags):
    name = f"template-{next(NUMBER)}"
    aws("ec2").create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData={"InstanceType": "t2.medium"},
        TagSpecifications=spec("launch-template", tags),
    )
    return name


def key_pair(aws, tags):
    aws("ec2").create_key_pair(KeyName="k", TagSpecifications=spec("key-pair", tags))


def vpc(aws, tags):
    a_vpc(aws, tags)


def subnet(aws, tags):
    aws("ec2").create_subnet(
        VpcId=a_vpc(aws, {"a": "b"}), CidrBlock="10.1.0.0/24", TagSpecifications=spec("subnet", tags)
    )


def internet_gateway(aws, tags):
    aws("ec2").create_internet_gateway(TagSpecifications=spec("internet-gateway", tags))


def route_table(aws, tags):
    aws("ec2").create_route_table(VpcId=a_vpc(aws, {"a": "b"}), TagSpecifications=spec("route-table", tags))


def network_interface(aws, tags):
    aws("ec2").create_network_interface(
        SubnetId=default_subnets(aws)[0], TagSpecifications=spec("network-interface", tags)
    )


def elastic_ip(aws, tags):
    aws("ec2").allocate_address(Domain="vpc", TagSpecifications=spec("elastic-ip", tags))


def auto_scaling_group(aws, tags):
    aws("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=f"group-{next(NUMBER)}",
        LaunchTemplate={"LaunchTemplateName": launch_template(aws, {"a": "b"})},
        MinSize=0,
        MaxSize=0,
        AvailabilityZones=["ap-southeast-1a"],
        Tags=[{**t, "PropagateAtLaunch": False} for t in pairs(tags)],
    )


def a_load_balancer(aws, tags=None):
    name, two = f"balancer-{next(NUMBER)}", default_subnets(aws)[:2]
    made = aws("elbv2").create_load_balancer(Name=name, Subnets=two, Tags=pairs(tags or {"a": "b"}))
    return made["LoadBalancers"][0]["LoadBalancerArn"]


def load_balancer(aws, tags):
    a_load_balancer(aws, tags)


def a_listener(aws, tags=None):
    action = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
    made = aws("elbv2").create_listener(
        LoadBalancerArn=a_load_balancer(aws),
        Port=80,
        Protocol="HTTP",
        DefaultActions=[action],
        Tags=pairs(tags or {"a": "b"}),
    )
    return made["Listeners"][0]["ListenerArn"], action


def listener(aws, tags):
    a_listener(aws, tags)


def listener_rule(aws, tags):
    arn, action = a_listener(aws)
    condition = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/x"]}}
    aws("elbv2").create_rule(ListenerArn=arn, Priority=7, Conditions=[condition], Actions=[action], Tags=pairs(tags))


def target_group(aws, tags):
    network = aws("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    aws("elbv2").create_target_group(Name="g", Protocol="HTTP", Port=80, VpcId=network, Tags=pairs(tags))


def cluster(aws, tags):
    aws("ecs").create_cluster(clusterName="c", tags=pairs(tags, "key", "value"))


def a_task_definition(aws, tags=None, family="petclinic-rest-task"):
    container = {"name": "app", "image": "petclinic", "memory": 64}
    made = aws("ecs").register_task_definition(
        family=family, containerDefinitions=[container], tags=pairs(tags or {"a": "b"}, "key", "value")
    )
    return made["taskDefinition"]["taskDefinitionArn"]


def service(aws, tags):
    aws("ecs").create_cluster(clusterName=CLUSTER)
    aws("ecs").create_service(
        cluster=CLUSTER,
        serviceName=f"service-{next(NUMBER)}",
        taskDefinition=a_task_definition(aws),
        desiredCount=0,
        tags=pairs(tags, "key", "value"),
    )


def capacity_provider(aws, tags):
    auto_scaling_group(aws, {"a": "b"})
    arn = aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][-1]["AutoScalingGroupARN"]
    aws("ecs").create_capacity_provider(
        name="p", autoScalingGroupProvider={"autoScalingGroupArn": arn}, tags=pairs(tags, "key", "value")
    )


def active_task_definition(aws, tags):
    a_task_definition(aws, tags)


def inactive_task_definition(aws, tags):
    aws("ecs").deregister_task_definition(taskDefinition=a_task_definition(aws, tags))


def scalable_target(aws, tags):
    name = tags["handson:cluster"]  # it is by this name that it is ours, not by tags
    aws("ecs").create_cluster(clusterName=name)
    task = a_task_definition(aws)
    aws("ecs").create_service(cluster=name, serviceName="s", taskDefinition=task, desiredCount=0)
    aws("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=f"service/{name}/s",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=1,
        MaxCapacity=2,
    )


def role(aws, tags):
    aws("iam").create_role(RoleName="petclinic-rest-role", AssumeRolePolicyDocument=TRUST, Tags=pairs(tags))


def instance_profile(aws, tags):
    aws("iam").create_instance_profile(InstanceProfileName="petclinic-rest-profile", Tags=pairs(tags))


def policy(aws, tags):
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    aws("iam").create_policy(PolicyName="petclinic-rest", PolicyDocument=json.dumps(document), Tags=pairs(tags))


def repository(aws, tags):
    aws("ecr").create_repository(repositoryName="petclinic-rest", tags=pairs(tags))


def log_group(aws, tags):
    aws("logs").create_log_group(logGroupName="/ecs/petclinic-rest-task", tags=tags)


def bucket(aws, tags):
    aws("s3").create_bucket(Bucket="petclinic-b", CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"})
    aws("s3").put_bucket_tagging(Bucket="petclinic-b", Tagging={"TagSet": pairs(tags)})


def topic(aws, tags):
    aws("sns").create_topic(Name="petclinic-alarms", Tags=pairs(tags))


def role_of(aws, service):
    statement = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return aws("iam").create_role(RoleName=service, AssumeRolePolicyDocument=document)["Role"]["Arn"]


def build_project(aws, tags):
    aws("codebuild").create_project(
        name="petclinic-rest-build",
        source={"type": "GITHUB", "location": "https://github.com/handson/petclinic-rest"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole=role_of(aws, "codebuild"),
        tags=pairs(tags, "key", "value"),
    )


def pipeline(aws, tags):
    role = role_of(aws, "codepipeline")

    def stage(name, provider, configuration, **artifacts):
        kind = {"category": name, "owner": "AWS", "provider": provider, "version": "1"}
        return {
            "name": name,
            "actions": [{"name": name, "actionTypeId": kind, "configuration": configuration, **artifacts}],
        }

    source = {"S3Bucket": "b", "S3ObjectKey": "k"}
    aws("codepipeline").create_pipeline(
        pipeline={
            "name": "petclinic-rest-codepipeline",
            "roleArn": role,
            "artifactStore": {"type": "S3", "location": "petclinic-artifacts"},
            "stages": [
                stage("Source", "S3", source, outputArtifacts=[{"name": "s"}]),
                stage("Build", "CodeBuild", {"ProjectName": "p"}, inputArtifacts=[{"name": "s"}]),
            ],
            "version": 1,
        },
        tags=pairs(tags, "key", "value"),
    )


def connection(aws, tags):
    aws("codeconnections").create_connection(
        ProviderType="GitHub", ConnectionName="petclinic-rest-github", Tags=pairs(tags)
    )


def alarm(aws, tags, name="petclinic-rest-unhealthy"):
    aws("cloudwatch").put_metric_alarm(
        AlarmName=name,
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="UnHealthyHostCount",
        Namespace="AWS/ApplicationELB",
        Period=60,
        Statistic="Maximum",
        Threshold=0,
        Tags=pairs(tags),
    )


def dashboard(aws, tags):
    aws("cloudwatch").put_dashboard(DashboardName="petclinic-rest", DashboardBody='{"widgets": []}', Tags=pairs(tags))


def event_rule(aws, tags):
    aws("events").put_rule(Name="petclinic-rest-deployments", EventPattern='{"source": ["aws.ecs"]}', Tags=pairs(tags))


TYPES = [
    (instance, "instance"),
    (volume, "volume"),
    (security_group, "security group"),
    (launch_template, "launch template"),
    (key_pair, "key pair"),
    (vpc, "VPC"),
    (subnet, "subnet"),
    (internet_gateway, "internet gateway"),
    (route_table, "route table"),
    (network_interface, "network interface"),
    (elastic_ip, "elastic ip"),
    (auto_scaling_group, "Auto Scaling group"),
    (load_balancer, "load balancer"),
    (listener, "listener"),
    (listener_rule, "listener rule"),
    (target_group, "target group"),
    (cluster, "cluster"),
    (service, "service"),
    (capacity_provider, "capacity provider"),
    (active_task_definition, "task definition"),
    (inactive_task_definition, "task definition"),
    (scalable_target, "scalable target"),
    (role, "IAM role"),
    (instance_profile, "instance profile"),
    (policy, "IAM policy"),
    (repository, "ECR repository"),
    (log_group, "log group"),
    (bucket, "bucket"),
    (topic, "topic"),
    (build_project, "build project"),
    (pipeline, "pipeline"),
    (connection, "connection"),
    (alarm, "alarm"),
    (dashboard, "dashboard"),
    (event_rule, "event rule"),
]


@pytest.mark.parametrize(("make", "kind"), TYPES, ids=[t[0].__name__ for t in TYPES])
def test_ours_is_found_and_only_that(aws, make, kind):
    make(aws, OWNER)
    left = run("leftovers", **OPTIONS, fail=False)["left"]
    assert [r["type"] for r in left] == [kind]
    assert set(left[0]) == {"type", "name", "id", "detail"} and left[0]["name"] and left[0]["id"]


def test_somebody_elses_is_not(aws):
    for make, _kind in TYPES:
        make(aws, FOREIGN)
    assert run("leftovers", **OPTIONS)["left"] == []


@pytest.mark.parametrize(
    ("name", "owner", "found"),
    [
        (f"TargetTracking-service/{CLUSTER}/s-AlarmHigh-0a1b", OWNER, True),
        (f"TargetTracking-service/{CLUSTER}/s-AlarmHigh-0a1b", {**OWNER, "handson:service": "s"}, True),
        (f"TargetTracking-service/{CLUSTER}/s-AlarmHigh-0a1b", {**OWNER, "handson:service": "t"}, False),
        ("TargetTracking-service/another/s-AlarmLow-0a1b", OWNER, False),
        ("TargetTracking-petclinic-rest-ecs-instances-AlarmLow-0a1b", OWNER, True),
        ("TargetTracking-petclinic-rest-ecs-instances-AlarmLow-0a1b", {**OWNER, "handson:service": "s"}, False),
        ("TargetTracking-another-AlarmLow-0a1b", OWNER, False),
    ],
)
def test_alarms_of_scaling_policies_have_no_tags_but_names(aws, name, owner, found):
    alarm(aws, {"a": "b"}, name)
    left = run("leftovers", **{**OPTIONS, "owner": owner}, fail=False)["left"]
    assert [r["name"] for r in left] == ([name] if found else [])


def test_the_table_has_the_names_that_people_know(aws):
    for make in (
        role,
        log_group,
        key_pair,
        security_group,
        repository,
        active_task_definition,
        scalable_target,
        bucket,
    ):
        make(aws, OWNER)
    left = {r["type"]: r["name"] for r in run("leftovers", **OPTIONS, fail=False)["left"]}
    assert left == {
        "IAM role": "petclinic-rest-role",
        "log group": "/ecs/petclinic-rest-task",
        "key pair": "k",
        "security group": "g",
        "ECR repository": "petclinic-rest",
        "task definition": "petclinic-rest-task:1",
        "scalable target": f"service/{CLUSTER}/s",
        "bucket": "petclinic-b",
    }


def test_an_empty_account_is_clean(aws):
    result = run("leftovers", **OPTIONS)
    assert not result["changed"] and result["left"] == result["unknown"] == result["stays"] == []
    assert result["msg"] == f"Nothing is left of handson:cluster={CLUSTER}."


def test_it_only_reads(aws):
    for make in (role, cluster, log_group, repository, vpc):
        make(aws, OWNER)
    with recorded() as calls:
        run("leftovers", **OPTIONS, fail=False)
    assert all(name.startswith(("Describe", "List", "Get")) for name in operations(calls))


def test_what_is_gone_but_still_has_tags_is_not_left(aws):
    ec2 = aws("ec2")
    instance(aws, OWNER)
    there = ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    ec2.terminate_instances(InstanceIds=[there])
    ec2.delete_vpc(VpcId=a_vpc(aws, OWNER))
    assert run("leftovers", **OPTIONS)["left"] == []


def test_task_definitions_that_are_being_deleted_are_gone(aws):
    arn = a_task_definition(aws, OWNER)
    aws("ecs").deregister_task_definition(taskDefinition=arn)
    aws("ecs").delete_task_definitions(taskDefinitions=[arn])
    assert run("leftovers", **OPTIONS)["left"] == []


def test_an_inactive_cluster_is_gone(aws):
    aws("ecs").create_cluster(clusterName=CLUSTER, tags=pairs(OWNER, "key", "value"))
    aws("ecs").delete_cluster(cluster=CLUSTER)
    assert run("leftovers", **OPTIONS)["left"] == []


def test_groups_that_aws_made_carry_no_tags(aws):
    for name in (
        f"/aws/ecs/containerinsights/{CLUSTER}/performance",
        "/aws/ecs/containerinsights/another-cluster/performance",
        "/aws/codebuild/petclinic-rest-build",
        "/ecs/petclinic-untagged",
    ):
        aws("logs").create_log_group(logGroupName=name)
    left = run("leftovers", **OPTIONS, fail=False)["left"]
    assert [r["name"] for r in left] == [
        "/aws/codebuild/petclinic-rest-build",
        f"/aws/ecs/containerinsights/{CLUSTER}/performance",
    ]
    assert all("no tags" in r["detail"] for r in left)


def test_tasks_of_our_cluster_are_left(aws):
    cluster_of_ours = aws("ecs").create_cluster(clusterName="c", tags=pairs(OWNER, "key", "value"))["cluster"]
    task = f"{cluster_of_ours['clusterArn'].replace(':cluster/', ':task/')}/0123"
    answers = {
        "ListTasks": lambda real, p: {"taskArns": [task]},
        "DescribeTasks": lambda real, p: {"tasks": [{"taskArn": task, "lastStatus": "RUNNING", "tags": []}]},
    }
    with recorded(**answers):
        left = run("leftovers", **OPTIONS, fail=False)["left"]
    assert [(r["type"], r["name"], r["detail"]) for r in left] == [
        ("cluster", "c", "active"),
        ("task", "0123", "running on c"),
    ]


def test_of_two_tags_both_count(aws):
    service_tags = {**OWNER, "handson:service": "petclinic-rest-service"}
    owners = [service_tags]
    role(aws, OWNER)
    volume(aws, OWNER)
    log_group(aws, service_tags)
    left = run("leftovers", owners=owners, name_prefixes=["petclinic"], fail=False)["left"]
    assert [r["type"] for r in left] == ["log group"]
    left = run("leftovers", owners=[*owners, OWNER], name_prefixes=["petclinic"], fail=False)["left"]
    assert [r["type"] for r in left] == ["IAM role", "log group", "volume"]


def test_without_prefixes_everything_is_asked_for(aws):
    role(aws, OWNER)
    log_group(aws, OWNER)
    repository(aws, OWNER)
    active_task_definition(aws, OWNER)
    left = run("leftovers", owner=OWNER, fail=False)["left"]
    assert [r["type"] for r in left] == ["ECR repository", "IAM role", "log group", "task definition"]


def test_service_linked_roles_stay(aws):
    for name in ("ecs.amazonaws.com", "elasticloadbalancing.amazonaws.com", "spot.amazonaws.com"):
        aws("iam").create_service_linked_role(AWSServiceName=name)
    result = run("leftovers", **OPTIONS)
    assert result["stays"] == ["AWSServiceRoleForECS", "AWSServiceRoleForElasticLoadBalancing"]


def test_something_left_fails_with_a_table_but_not_in_check_mode(aws):
    role(aws, OWNER)
    volume(aws, OWNER)
    with pytest.raises(
        Failed, match="(?s)2 things are left of.*TYPE.*IAM role  petclinic-rest-role.*teardown.yml"
    ) as e:
        run("leftovers", **OPTIONS)
    assert len(e.value.result["left"]) == 2
    assert len(run("leftovers", check=True, **OPTIONS)["left"]) == 2


DENIABLE = [
    ("DescribeTags", "ec2:DescribeTags"),
    ("DescribeLoadBalancers", "elasticloadbalancing:DescribeLoadBalancers"),
    ("DescribeTargetGroups", "elasticloadbalancing:DescribeTargetGroups"),
    ("ListClusters", "ecs:ListClusters"),
    ("DescribeCapacityProviders", "ecs:DescribeCapacityProviders"),
    ("ListTaskDefinitionFamilies", "ecs:ListTaskDefinitionFamilies"),
    ("DescribeScalableTargets", "application-autoscaling:DescribeScalableTargets"),
    ("ListRoles", "iam:ListRoles"),
    ("ListRoleTags", "iam:ListRoleTags"),
    ("ListInstanceProfiles", "iam:ListInstanceProfiles"),
    ("ListPolicies", "iam:ListPolicies"),
    ("DescribeRepositories", "ecr:DescribeRepositories"),
    ("DescribeLogGroups", "logs:DescribeLogGroups"),
    ("GetResources", "tag:GetResources"),
]


def denied(operation):
    def deny(real, parameters):
        raise error("AccessDenied", "no", operation)

    return deny


def test_without_permissions_it_is_unknown_and_fails(aws):
    role(aws, FOREIGN)
    with recorded(**{operation: denied(operation) for operation, _action in DENIABLE}):
        with pytest.raises(Failed, match="Nobody can tell") as e:
            run("leftovers", **OPTIONS)
        assert run("leftovers", check=True, **OPTIONS)["left"] == []
    result = e.value.result
    # Who may not list roles does not come to their tags; and two services have a DescribeTags.
    actions = {action for _operation, action in DENIABLE} - {"iam:ListRoleTags"} | {"autoscaling:DescribeTags"}
    assert {u["action"] for u in result["unknown"]} == actions
    assert all(u["denied"] for u in result["unknown"]) and result["left"] == []


@pytest.mark.parametrize(("operation", "action"), [d for d in DENIABLE if d[0] in ("ListRoleTags", "DescribeTags")])
def test_the_failure_names_the_permission(aws, operation, action):
    role(aws, FOREIGN)
    with recorded(**{operation: denied(operation)}):
        with pytest.raises(Failed, match=f"Give the caller the permission .*{action}"):
            run("leftovers", **OPTIONS)


def test_an_instance_that_may_not_be_looked_at_is_left_by_its_tags(aws):
    instance(aws, OWNER)

    with recorded(DescribeInstances=denied("DescribeInstances")):
        result = run("leftovers", **OPTIONS, fail=False)
    assert result["left"][0]["detail"].startswith("by its tags")
    assert result["unknown"][0]["action"] == "ec2:DescribeInstances"


def test_the_tagging_api_is_not_believed_where_we_asked_ourselves(aws):
    stale = [
        {"ResourceARN": f"arn:aws:{rest}", "Tags": pairs(OWNER)}
        for rest in ("ec2:r:1:volume/vol-1", "ecs:r:1:cluster/c", "elasticloadbalancing:r:1:listener/app/b/1/2",
                     "cloudwatch:r:1:alarm:gone", "s3:::gone", "sns:r:1:gone", "codepipeline:r:1:gone")
    ]
    queue = {"ResourceARN": "arn:aws:sqs:r:1:petclinic-dead-letters", "Tags": pairs(OWNER)}
    with recorded(GetResources=lambda real, p: {"ResourceTagMappingList": [*stale, queue]}):
        left = run("leftovers", **OPTIONS, fail=False)["left"]
    assert [(r["type"], r["name"]) for r in left] == [("sqs", "petclinic-dead-letters")]


def test_it_looks_again_until_aws_has_forgotten(aws):
    queue = {"ResourceARN": "arn:aws:sqs:r:1:petclinic-dead-letters", "Tags": pairs(OWNER)}
    answers = [[queue], [queue], []]
    with recorded(GetResources=lambda real, p: {"ResourceTagMappingList": answers.pop(0)}):
        result = run("leftovers", **OPTIONS, wait_timeout=30, wait_interval=0.01)
    assert result["left"] == [] and answers == []


@pytest.mark.parametrize("owners", [{}, {"owner": {}}, {"owners": [{}]}])
def test_nobody_owns_everything(aws, owners):
    with pytest.raises(Failed, match="at least one tag"):
        run("leftovers", **owners)
