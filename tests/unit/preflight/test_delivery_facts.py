# SPDX-License-Identifier: GPL-3.0-or-later
"""What the account must have for builds, pipelines and images: what is asked, and what the answers mean."""

import pytest
from unit.preflight.samples import seen, service
from unit.preflight.test_delivery import ARN, BUILD, PIPELINE

from ansible_collections.handson.ecs.plugins.module_utils.preflight import checks, delivery_facts
from ansible_collections.handson.ecs.plugins.module_utils.preflight import facts as found

OTHER = ARN.replace("1f244295", "2f244295")
CONNECTED = {**BUILD, "build_project_source_auth_type": "CODECONNECTIONS", "build_project_source_auth_arn": ARN}
CACHE, ARTIFACTS = BUILD["build_project_cache_bucket"], PIPELINE["pipeline_artifact_bucket"]
IMAGE = service().values["image_reference"]
#: The source is fetched by the account's credentials, and a push tells CodeBuild.
BY_ACCOUNT = "build_project_source_auth_type"
NOTHING = {"connections": [], "source_credentials": False, "buckets": [], "images": []}


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ({}, {}),
        (BUILD, {"source_credentials": True, "buckets": [CACHE]}),
        ({**BUILD, "build_project_webhook_enabled": "no"}, {"buckets": [CACHE]}),
        ({**BUILD, "build_project_source_url": ""}, {}),
        ({**BUILD, "service_state": "absent"}, {}),
        ({**BUILD, "build_project_cache_type": "LOCAL"}, {"source_credentials": True}),
        # What S3 would not even take as a name is told without asking.
        ({**PIPELINE, "build_project_cache_bucket": "Not_A_Name"}, {"buckets": [ARTIFACTS]}),
        (PIPELINE, {"buckets": [CACHE, ARTIFACTS]}),
        ({**PIPELINE, "pipeline_connection_arn": ARN}, {"connections": [ARN], "buckets": [CACHE, ARTIFACTS]}),
        ({**PIPELINE, "pipeline_connection_arn": "mine"}, {"buckets": [CACHE, ARTIFACTS]}),
        ({**BUILD, "pipeline_connection_arn": ARN}, {"source_credentials": True, "buckets": [CACHE]}),
        (CONNECTED, {"connections": [ARN], "buckets": [CACHE]}),
        # Only CodeBuild can tell whether it takes one of another region.
        ({**CONNECTED, "build_project_source_auth_arn": ARN.replace("southeast-1", "east-1")}, {"buckets": [CACHE]}),
        ({**CONNECTED, **{k: PIPELINE[k] for k in ("pipeline_artifact_bucket",)}, "pipeline_enabled": True,
          "build_project_webhook_enabled": False, "pipeline_connection_arn": OTHER},
         {"connections": [ARN, OTHER], "buckets": [CACHE, ARTIFACTS]}),
    ],
)  # fmt: skip
def test_what_is_asked(values, asked):
    assert delivery_facts.questions([service(**values)]) == {**NOTHING, **asked}


def test_each_thing_is_asked_once_for_all_hosts():
    hosts = [service(name, **{**PIPELINE, "pipeline_connection_arn": ARN}) for name in ("a", "b", "c")]
    assert delivery_facts.questions(hosts, True) == {**NOTHING, "connections": [ARN], "buckets": [CACHE, ARTIFACTS]}


@pytest.mark.parametrize(
    ("values", "facts", "faulty", "says"),
    [
        (BUILD, {"source_credentials": []}, BY_ACCOUNT, "import-source-credentials"),
        (BUILD, {"source_credentials": ["BITBUCKET"]}, BY_ACCOUNT, "build_project_webhook_enabled to false"),
        (BUILD, {"source_credentials": ["GITHUB"]}, None, ""),
        (BUILD, {"source_credentials": None}, None, ""),
        (PIPELINE, {"source_credentials": []}, None, ""),
        (CONNECTED, {"connections": {ARN: None}}, "build_project_source_auth_arn", "no such connection"),
        (CONNECTED, {"connections": {ARN: "PENDING"}}, "build_project_source_auth_arn", "Update pending connection"),
        (CONNECTED, {"connections": {ARN: "AVAILABLE"}}, None, ""),
        (CONNECTED, {"connections": None}, None, ""),
        ({**PIPELINE, "pipeline_connection_arn": ARN}, {"connections": {ARN: None}}, "pipeline_connection_arn", "leave it empty"),
        # As in the role: all else is made.
        ({**PIPELINE, "pipeline_connection_arn": ARN}, {"connections": {ARN: "PENDING"}}, "pipeline_connection_arn?", "/connections/1f24"),
        (PIPELINE, {"buckets": {CACHE: None, ARTIFACTS: None}}, None, ""),
        (PIPELINE, {"buckets": {CACHE: "ap-southeast-1", ARTIFACTS: ""}}, None, ""),
        (PIPELINE, {"buckets": {CACHE: None, ARTIFACTS: "refused"}}, "pipeline_artifact_bucket", "Somebody else has"),
        (PIPELINE, {"buckets": {CACHE: "refused", ARTIFACTS: None}}, "build_project_cache_bucket", "build_username"),
        (PIPELINE, {"buckets": {CACHE: "eu-west-1", ARTIFACTS: None}}, "build_project_cache_bucket", "is in eu-west-1"),
        (PIPELINE, {"buckets": None}, None, ""),
        ({**PIPELINE, "service_state": "absent"}, {"buckets": {CACHE: "refused"}}, None, ""),
        ({}, {"images": {IMAGE: False}}, "image_context", f"docker push {IMAGE}"),
        ({}, {"images": {IMAGE: False}}, "image_context", "build_project_source_url"),
        ({}, {"images": {IMAGE: True}}, None, ""),
        ({}, {"images": None}, None, ""),
        (BUILD, {"images": {IMAGE: False}}, None, ""),
    ],
)
def test_what_the_answers_mean(values, facts, faulty, says):
    host = service(**values)
    faults = list(delivery_facts.check_delivery_facts(host, {"region": "ap-southeast-1", **facts}))
    assert seen(faults) == ([faulty] if faulty else [])
    assert all(says in f"{f.problem} {f.remedy}" for f in faults)
    # It is told with all the others, and not where only the account is looked at.
    told = checks.check_facts([host], {"region": "ap-southeast-1", **facts}, "all")
    assert seen(told) == seen(faults) and checks.check_facts([host], {"region": "ap-southeast-1", **facts}, "account") == []


@pytest.mark.parametrize(
    "values",
    [
        {"image_context": "/home/me/petclinic"},
        {"build_project_source_url": BUILD["build_project_source_url"]},
        {"image_reference": "public.ecr.aws/nginx/nginx:latest"},
        {"image_reference": f"{IMAGE}@sha256:{'0' * 64}"},
        {"image_reference": IMAGE.replace(":latest", ":1.0")},
        {"image_reference": IMAGE.replace("123456789012", "210987654321")},
        {"image_reference": "127.0.0.1:5011/petclinic-rest:latest"},
        {"service_task_definition": "keep"},
        {"service_task_definition": "petclinic-rest-task:7"},
        {"service_desired_count": 0},
        {"service_state": "absent"},
    ],
)
def test_an_image_that_need_not_be_there(values):
    assert delivery_facts.image_of(service(**values)) is None
    assert delivery_facts.questions([service(**values)], True)["images"] == []


def test_an_image_is_asked_for_only_where_it_is_needed_now():
    assert found.questions([service()], [service()])["images"] == []
    (image,) = found.questions([service()], [service()], image_needed=True)["images"]
    assert image == {"reference": IMAGE, "repository": "petclinic-rest", "tag": "latest"}
