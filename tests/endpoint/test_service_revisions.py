# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Service revisions: which image a deployment resolved its tag to."""

import json

import pytest
from botocore.exceptions import ClientError

IMAGE = "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/web:latest"


@pytest.fixture
def push(demo):
    demo.ecr.create_repository(repositoryName="web")

    def push(content):
        kind = "application/vnd.docker.image.rootfs.diff.tar.gzip"
        layer = {"mediaType": kind, "size": 1, "digest": f"sha256:{content}"}
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": layer, "layers": [layer]})
        made = demo.ecr.put_image(repositoryName="web", imageManifest=manifest, imageTag="latest")
        return made["image"]["imageId"]["imageDigest"]

    return push


@pytest.fixture
def create(demo):
    def create(image=IMAGE, **options):
        container = {"name": "web", "image": image, "memory": 64, **options}
        demo.ecs.register_task_definition(family="revisions", containerDefinitions=[container])
        demo.ecs.create_service(
            cluster="demo", serviceName="web", taskDefinition="revisions", desiredCount=2, launchType="EC2"
        )
        return demo.until_steady()

    return create


def images(demo, arns):
    found = demo.ecs.describe_service_revisions(serviceRevisionArns=arns)
    assert not found["failures"]
    return [r["containerImages"] for r in found["serviceRevisions"]]


def test_a_tag_is_resolved_once_for_each_deployment(demo, create, push):
    old = push("1")
    service = create()
    (summary,) = service["currentServiceRevisions"]
    assert summary["arn"].startswith("arn:aws:ecs:ap-southeast-1:") and ":service-revision/demo/web/" in summary["arn"]
    assert summary["runningTaskCount"] == summary["requestedTaskCount"] == 2
    shown = {"containerName": "web", "image": IMAGE, "imageDigest": old}
    assert images(demo, [summary["arn"]]) == [[shown]]

    new = push("2")
    demo.ecs.update_service(cluster="demo", service="web", desiredCount=3)
    (same,) = demo.until_steady()["currentServiceRevisions"]
    assert same["arn"] == summary["arn"] and images(demo, [same["arn"]]) == [[shown]]

    demo.ecs.update_service(cluster="demo", service="web", forceNewDeployment=True)
    assert {r["arn"] for r in demo.service()["currentServiceRevisions"]} > {summary["arn"]}
    (now,) = demo.until_steady()["currentServiceRevisions"]
    assert images(demo, [now["arn"], summary["arn"]]) == [[{**shown, "imageDigest": new}], [shown]]


@pytest.mark.parametrize(
    ("image", "options"),
    [(IMAGE, {}), ("nginx:1", {}), (IMAGE.replace("web", "nothing"), {}), (IMAGE, {"versionConsistency": "disabled"})],
)
def test_what_is_not_resolved_has_no_digest(demo, create, push, image, options):
    if options:
        push("1")
    (summary,) = create(image, **options)["currentServiceRevisions"]
    assert images(demo, [summary["arn"]]) == [[{"containerName": "web", "image": image}]]


def test_a_digest_is_its_own(demo, create, push):
    digest = push("1")
    image = f"{IMAGE.rpartition(':')[0]}@{digest}"
    (summary,) = create(image)["currentServiceRevisions"]
    assert images(demo, [summary["arn"]])[0][0]["imageDigest"] == digest


def test_what_is_not_there_is_a_failure(demo):
    arn = "arn:aws:ecs:ap-southeast-1:123456789012:service-revision/demo/web/1"
    answer = demo.ecs.describe_service_revisions(serviceRevisionArns=[arn])
    assert answer["serviceRevisions"] == [] and answer["failures"] == [{"arn": arn, "reason": "MISSING"}]
    with pytest.raises(ClientError, match="InvalidParameterException"):
        demo.ecs.describe_service_revisions(serviceRevisionArns=[arn] * 21)
