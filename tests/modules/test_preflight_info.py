# SPDX-License-Identifier: GPL-3.0-or-later
import importlib

import pytest
from botocore import exceptions as sdk
from modules.aws_calls import error, operations, recorded
from modules.harness import run

IMAGE = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"


def test_whose_account_and_region_this_is(aws):
    seen = run("preflight_info")
    assert not seen["changed"] and seen["problems"] == []
    assert seen["account"] == "123456789012" and seen["region"] == "ap-southeast-1"
    assert seen["endpoint"].startswith("http://127.0.0.1")
    assert seen["instance_types"] is seen["subnets"] is seen["default_subnets"] is seen["parameters"] is None


@pytest.mark.parametrize("check", [False, True])
def test_everything_at_once(aws, default_subnets, check):
    seen = run(
        "preflight_info",
        check=check,
        instance_types=["t2.medium", "t9.huge", "t4g.small"],
        subnet_ids=[default_subnets[0], "subnet-00000000000000000"],
        default_subnets=True,
        parameters=[IMAGE, "/no/such"],
    )
    assert seen["problems"] == []
    assert seen["instance_types"] == {
        "t2.medium": {"vcpus": 2, "memory": 4096, "interfaces": 3, "architectures": ["i386", "x86_64"]},
        "t4g.small": {"vcpus": 2, "memory": 2048, "interfaces": 3, "architectures": ["arm64"]},
    }
    assert [s["id"] for s in seen["subnets"]] == default_subnets[:1]
    assert [s["id"] for s in seen["default_subnets"]] == default_subnets
    assert seen["parameters"][IMAGE].startswith("ami-") and seen["parameters"]["/no/such"] is None


def test_services_of_clusters_that_are_there(aws):
    ecs = aws("ecs")
    ecs.create_cluster(clusterName="demo")
    ecs.register_task_definition(family="web", containerDefinitions=[{"name": "web", "image": "web:1", "memory": 64}])
    ecs.create_service(cluster="demo", serviceName="web", taskDefinition="web", desiredCount=0, launchType="EC2")
    wanted = [{"cluster": c, "service": s} for c, s in (("demo", "web"), ("demo", "gone"), ("none", "web"))]
    seen = run("preflight_info", clusters=["demo", "none"], services=wanted)
    assert seen["problems"] == []
    assert seen["services"] == [{"cluster": "demo", "service": "web", "launch_type": "EC2"}]
    assert run("preflight_info", clusters=["none"], services=wanted)["services"] == []


def test_what_a_service_would_have_to_wait_for(aws, alb):
    redirect = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}
    nothing = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
    for port, action in ((80, redirect), (8080, nothing)):
        there = {"LoadBalancerArn": alb["LoadBalancerArn"], "Protocol": "HTTP", "Port": port}
        aws("elbv2").create_listener(**there, DefaultActions=[action], Tags=[{"Key": "team", "Value": "vets"}])
    for name in ("bare", "demo"):
        aws("ecs").create_cluster(clusterName=name)
    providers = {"capacityProviders": ["FARGATE_SPOT", "FARGATE"], "defaultCapacityProviderStrategy": []}
    aws("ecs").put_cluster_capacity_providers(cluster="demo", **providers)
    asked = {"clusters": ["demo", "bare", "none"], "listeners": [{"load_balancer": "petclinic-rest-alb", "port": 80}]}
    with recorded() as calls:
        seen = run("preflight_info", **asked)
    looked = ["GetCallerIdentity", "DescribeLoadBalancers", "DescribeListeners", "DescribeTags", "DescribeClusters"]
    assert operations(calls) == looked
    assert {x["port"]: x["default_actions"] for x in seen["listeners"]} == {80: ["redirect"], 8080: ["fixed-response"]}
    # Whose the listener is that nobody asks for; of the usual ones nobody must know.
    assert {x["port"]: x["tags"] for x in seen["listeners"]} == {80: None, 8080: {"team": "vets"}}
    with recorded() as calls:
        run("preflight_info", listeners=[{"load_balancer": "petclinic-rest-alb", "port": 8080}])
    assert "DescribeTags" not in operations(calls)
    assert seen["capacity_providers"] == {"bare": [], "demo": ["FARGATE", "FARGATE_SPOT"]}

    def attaching(real, _parameters):
        answer = real()
        return {**answer, "clusters": [{**c, "attachmentsStatus": "UPDATE_IN_PROGRESS"} for c in answer["clusters"]]}

    with recorded(DescribeClusters=attaching) as calls:
        assert run("preflight_info", **asked)["capacity_providers"] == {"bare": [], "demo": []}
    assert run("preflight_info")["capacity_providers"] is None


def test_an_endpoint_that_is_not_there_is_an_answer(endpoint):
    seen = run("preflight_info", endpoint_url="http://127.0.0.1:9", instance_types=["t2.medium"])
    assert [(p["call"], p["kind"]) for p in seen["problems"]] == [("GetCallerIdentity", "unreachable")]
    assert seen["account"] == "" and seen["instance_types"] is None


def test_an_unknown_profile_is_an_answer(endpoint, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    seen = run("preflight_info", profile="no-such-profile")
    assert [p["kind"] for p in seen["problems"]] == ["credentials"]


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        (error("ExpiredToken"), "credentials"),
        (error("InvalidClientTokenId"), "credentials"),
        (error("UnauthorizedOperation"), "permission"),
        (error("AccessDeniedException"), "permission"),
        (error("InvalidParameterValue"), "other"),
        (sdk.NoCredentialsError(), "credentials"),
        (sdk.EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), "unreachable"),
        (sdk.ReadTimeoutError(endpoint_url="http://127.0.0.1:9"), "unreachable"),
    ],
)
def test_each_error_has_its_way_out(what, kind):
    module = importlib.import_module("ansible_collections.handson.ecs.plugins.modules.preflight_info")
    assert module.kind_of(what) == kind


# --- connections, credentials, buckets, images ------------------------------------------------------------------------

ARN = "arn:aws:codeconnections:ap-southeast-1:123456789012:connection/1f244295-871f-411f-afb1-e6ca987858b6"


def answers(value):
    """An operation that the endpoint does not have: `value` is the answer, or what is raised."""

    def answer(_real, _parameters):
        if isinstance(value, Exception):
            raise value
        return value

    return answer


def head(status, **headers):
    answer = {"Error": {"Code": str(status), "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers}}
    return sdk.ClientError(answer, "HeadBucket")


def test_connections_that_are_there_and_not(aws):
    codeconnections = aws("codeconnections")
    made = [codeconnections.create_connection(ConnectionName=n, ProviderType="GitHub")["ConnectionArn"] for n in ("a", "pending")]
    seen = run("preflight_info", connections=[*made, ARN])
    assert seen["problems"] == []
    assert seen["connections"] == {made[0]: "AVAILABLE", made[1]: "PENDING", ARN: None}


def test_an_endpoint_without_source_credentials_is_no_fault(aws):
    seen = run("preflight_info", source_credentials=True)
    assert seen["problems"] == [] and seen["source_credentials"] is None


def test_source_credentials(aws):
    infos = [{"arn": "arn:1", "serverType": "GITHUB", "authType": "OAUTH"}]
    with recorded(ListSourceCredentials=answers({"sourceCredentialsInfos": infos})):
        assert run("preflight_info", source_credentials=True)["source_credentials"] == ["GITHUB"]
    with recorded(ListSourceCredentials=answers(error("AccessDeniedException"))):
        (problem,) = run("preflight_info", source_credentials=True)["problems"]
    assert problem["action"] == "codebuild:ListSourceCredentials" and problem["kind"] == "permission"


def test_buckets_that_are_free_ours_and_somebody_elses(aws):
    where = {"CreateBucketConfiguration": {"LocationConstraint": "ap-southeast-1"}}
    for name in ("handson-ours", "handson-too"):
        aws("s3").create_bucket(Bucket=name, **where)
    with recorded() as calls:
        seen = run("preflight_info", buckets=["handson-ours", "handson-too"])
    assert seen["problems"] == [] and set(seen["buckets"]) == {"handson-ours", "handson-too"}
    assert operations(calls) == ["GetCallerIdentity", "ListBuckets"], "one call for all of ours"
    assert run("preflight_info", buckets=["handson-free"])["buckets"] == {"handson-free": None}

    ours = [{"Name": "handson-ours", "BucketRegion": "eu-west-1"}]
    pages = iter([{"Buckets": ours, "ContinuationToken": "2"}, {"Buckets": [{"Name": "handson-too", "BucketRegion": "x"}]}])
    with recorded(ListBuckets=lambda *_: next(pages), HeadBucket=answers(head(403))):
        seen = run("preflight_info", buckets=["handson-ours", "handson-too", "theirs"])
    assert seen["buckets"] == {"handson-ours": "eu-west-1", "handson-too": "x", "theirs": "refused"}


@pytest.mark.parametrize(
    ("said", "means"),
    [
        (head(301, **{"x-amz-bucket-region": "eu-west-1"}), "eu-west-1"),
        (head(301), "another region"),
        (head(403), "refused"),
        ({"BucketRegion": "ap-southeast-1"}, "ap-southeast-1"),
    ],
)
def test_who_may_not_list_buckets_asks_for_each(aws, said, means):
    with recorded(ListBuckets=answers(error("AccessDenied")), HeadBucket=answers(said)):
        seen = run("preflight_info", buckets=["handson-a"])
    assert seen["problems"] == [] and seen["buckets"] == {"handson-a": means}


WEB = {"reference": "registry/web:1", "repository": "web", "tag": "1"}


def test_a_local_endpoint_need_not_have_images(aws):
    with recorded() as calls:
        assert run("preflight_info", images=[WEB])["images"] is None
    assert operations(calls) == ["GetCallerIdentity"]


@pytest.mark.parametrize(
    ("said", "there"),
    [
        ({"imageDetails": [{"imageTags": ["1"]}]}, True),
        (error("ImageNotFoundException"), False),
        (error("RepositoryNotFoundException"), False),
    ],
)
def test_images_of_a_real_account(aws, monkeypatch, said, there):
    module = importlib.import_module("ansible_collections.handson.ecs.plugins.modules.preflight_info")
    monkeypatch.setattr(module.Questions, "identity", lambda self: {"account": "123456789012", "endpoint": ""})
    with recorded(DescribeImages=answers(said)) as calls:
        seen = run("preflight_info", images=[WEB])
    assert seen["problems"] == [] and seen["images"] == {"registry/web:1": there}
    assert calls == [("DescribeImages", {"repositoryName": "web", "imageIds": [{"imageTag": "1"}]})]
