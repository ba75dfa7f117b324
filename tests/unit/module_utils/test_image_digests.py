# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils import image_digests as i

ECR = "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com"
D = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        (f"{ECR}/petclinic-rest:latest", (ECR, "petclinic-rest", "latest")),
        (f"{ECR}/team/petclinic", (ECR, "team/petclinic", "latest")),
        (f"{ECR}/petclinic@{D}", (ECR, "petclinic", None)),
        (f"{ECR}/petclinic:v1@{D}", (ECR, "petclinic", None)),
        ("127.0.0.1:5011/petclinic:v1", ("127.0.0.1:5011", "petclinic", "v1")),
        ("localhost/petclinic", ("localhost", "petclinic", "latest")),
        ("nginx", ("", "nginx", "latest")),
        ("library/nginx:1", ("", "library/nginx", "1")),
    ],
)
def test_split_reference(image, parts):
    assert i.split_reference(image) == parts


@pytest.mark.parametrize(
    ("image", "place"),
    [
        (f"{ECR}/petclinic:v1", ("petclinic", "v1")),
        (f"{ECR}/another", ("another", "latest")),
        (f"{ECR}/petclinic@{D}", None),
        ("999999999999.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic:v1", None),
        ("nginx:1", None),
    ],
)
def test_only_tags_of_our_registry_are_followed(image, place):
    assert i.followed({"app": image}, f"{ECR}/petclinic") == ({"app": place} if place else {})
    assert i.followed({"app": image}, "") == {}


def test_the_newest_revision_of_the_task_definition_counts():
    old, new = {"taskDefinition": "f:1", "createdAt": "2026-01-01"}, {"taskDefinition": "f:1", "createdAt": "2026-01-02"}
    other = {"taskDefinition": "f:2", "createdAt": "2026-01-03"}
    assert i.newest([new, other, old], "f:1") is new
    assert i.newest([], "f:1") is None


@pytest.mark.parametrize(
    ("revision", "digests"),
    [
        (None, {}),
        ({}, {}),
        ({"containerImages": [{"containerName": "a", "image": "x"}]}, {}),
        ({"containerImages": [{"containerName": "a", "image": "x", "imageDigest": D}]}, {"a": D}),
    ],
)
def test_what_runs(revision, digests):
    assert i.running(revision) == digests


def test_members_of_an_index():
    assert i.members({"manifests": [{"digest": D}, {}]}) == {D}
    assert i.members({"config": {"digest": D}}) == set()


class Client:
    """ECS and ECR that note the calls."""

    def __init__(self, images, behind):
        self.images, self.behind, self.calls = images, behind, []

    def describe_service_revisions(self, serviceRevisionArns):
        self.calls.append("DescribeServiceRevisions")
        return {"serviceRevisions": [{"taskDefinition": "f:1", "containerImages": self.images}]}

    def batch_get_image(self, repositoryName, imageIds, acceptedMediaTypes):
        self.calls.append(f"BatchGetImage {repositoryName}:{imageIds[0]['imageTag']}")
        found = self.behind.get(imageIds[0]["imageTag"])
        return {"images": [{"imageId": {"imageDigest": found[0]}, "imageManifest": found[1]}] if found else []}


SERVICE = {"taskDefinition": "f:1", "currentServiceRevisions": [{"arn": "r"}]}


def image(digest, tag="v1", name="app"):
    shown = {"containerName": name, "image": f"{ECR}/petclinic:{tag}"}
    return {**shown, "imageDigest": digest} if digest else shown


@pytest.mark.parametrize(
    ("images", "behind", "coming", "result", "calls"),
    [
        ([image("sha256:a")], {"v1": ("sha256:a", "{}")}, None, ({"app": "sha256:a"}, {"app": "sha256:a"}), 2),
        ([image("sha256:a")], {"v1": ("sha256:b", "{}")}, None, ({"app": "sha256:a"}, {"app": "sha256:b"}), 2),
        # The index's own digest, or that of one of its images.
        (
            [image("sha256:a")],
            {"v1": ("sha256:i", '{"manifests": [{"digest": "sha256:a"}]}')},
            None,
            ({"app": "sha256:a"}, {"app": "sha256:a"}),
            2,
        ),
        ([image(None)], {"v1": ("sha256:b", "{}")}, None, ({}, {}), 1),
        ([image("sha256:a")], {}, None, ({"app": "sha256:a"}, {"app": "sha256:a"}), 2),
        ([image("sha256:a")], {}, "(soon)", ({"app": "sha256:a"}, {"app": "(soon)"}), 2),
        # Two containers of one image: one look.
        (
            [image("sha256:a"), image("sha256:a", name="sidecar")],
            {"v1": ("sha256:b", "{}")},
            None,
            ({"app": "sha256:a", "sidecar": "sha256:a"}, {"app": "sha256:b", "sidecar": "sha256:b"}),
            2,
        ),
    ],
)
def test_compare(images, behind, coming, result, calls):
    client = Client(images, behind)
    assert i.Digests(lambda _service: client, f"{ECR}/petclinic", coming).compare(SERVICE) == result
    assert len(client.calls) == calls


def test_a_service_without_revisions_costs_no_call():
    client = Client([], {})
    assert i.Digests(lambda _service: client, f"{ECR}/petclinic").compare({"taskDefinition": "f:1"}) == ({}, {})
    assert client.calls == []
