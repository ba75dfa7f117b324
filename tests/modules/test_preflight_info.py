# SPDX-License-Identifier: GPL-3.0-or-later
import importlib

import pytest
from botocore import exceptions as sdk
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


def test_an_endpoint_that_is_not_there_is_an_answer(endpoint):
    seen = run("preflight_info", endpoint_url="http://127.0.0.1:9", instance_types=["t2.medium"])
    assert [(p["call"], p["kind"]) for p in seen["problems"]] == [("GetCallerIdentity", "unreachable")]
    assert seen["account"] == "" and seen["instance_types"] is None


def test_an_unknown_profile_is_an_answer(endpoint, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    seen = run("preflight_info", profile="no-such-profile")
    assert [p["kind"] for p in seen["problems"]] == ["credentials"]


def error(code):
    return sdk.ClientError({"Error": {"Code": code, "Message": ""}}, "X")


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
