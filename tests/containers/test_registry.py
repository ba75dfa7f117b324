# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The registry's protocol: what docker push and docker pull ask."""

import hashlib
import io
import json
from types import SimpleNamespace

import pytest
from container_endpoint import registry, repositories

LAYER = b"a layer"
DIGEST = f"sha256:{hashlib.sha256(LAYER).hexdigest()}"


class Image:
    def __init__(self, text, tag, kind, digest):
        self.image_manifest, self.image_manifest_media_type, self.digest = text, kind, digest
        self.image_tags = [tag] if tag else []

    def get_image_digest(self):
        return self.digest


class Ecr:
    """What of moto's backend is used."""

    def __init__(self, repository):
        self.repository = repository

    def put_image(self, _name, text, tag, kind, digest):
        if tag == "refused":
            raise ValueError("The image tag 'refused' cannot be overwritten because the repository is immutable.")
        for image in self.repository.images:
            image.image_tags = [each for each in image.image_tags if each != tag]
        self.repository.images.append(Image(text, tag, kind, digest))


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Ask the registry, in which there is the repository `shop`: (status, headers, body)."""
    monkeypatch.setattr(registry, "_folder", tmp_path)
    repository = SimpleNamespace(name="shop", images=[])
    there = (Ecr(repository), repository)
    monkeypatch.setattr(registry, "_repository", lambda name: there if name == "shop" else None)

    def request(method, path, body=b"", query="", kind="", chunked=False):
        environ = {
            "REQUEST_METHOD": method,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": "" if chunked else str(len(body)),
            "HTTP_TRANSFER_ENCODING": "chunked" if chunked else "",
            "CONTENT_TYPE": kind,
            "wsgi.input": io.BytesIO(body),
        }
        status, headers, answered = registry.answer(environ, path)
        return int(status.split()[0]), headers, answered

    request.folder = tmp_path
    return request


def pushed(ask, layer=LAYER, digest=DIGEST, chunked=False):
    """Upload a layer as docker push does; the last answer."""
    status, headers, _ = ask("POST", "/v2/shop/blobs/uploads/")
    assert status == 202
    half = len(layer) // 2
    assert ask("PATCH", headers["Location"], layer[:half], chunked=chunked)[0] == 202
    status, headers, _ = ask("PATCH", headers["Location"], layer[half:], chunked=chunked)
    assert headers["Range"] == f"0-{len(layer) - 1}"
    return ask("PUT", headers["Location"], query=f"digest={digest}")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_layer_goes_up_and_down(ask, chunked):
    assert ask("HEAD", f"/v2/shop/blobs/{DIGEST}")[0] == 404
    assert pushed(ask, chunked=chunked)[0] == 201
    status, headers, _ = ask("HEAD", f"/v2/shop/blobs/{DIGEST}")
    assert (status, headers["Content-Length"]) == (200, str(len(LAYER)))
    assert ask("GET", f"/v2/shop/blobs/{DIGEST}")[2] == LAYER


def test_a_layer_that_is_another_is_refused_and_gone(ask):
    status, _, body = pushed(ask, digest=f"sha256:{'0' * 64}")
    assert status == 400 and b"DIGEST_INVALID" in body
    assert list(ask.folder.iterdir()) == []


def test_an_upload_can_be_given_up(ask):
    _, headers, _ = ask("POST", "/v2/shop/blobs/uploads/")
    assert ask("DELETE", headers["Location"])[0] == 204
    assert list(ask.folder.iterdir()) == []


@pytest.mark.parametrize(
    "path",
    ["/v2/shop/blobs/uploads/../../etc/passwd", "/v2/shop/blobs/sha256:../../x", "/v2/shop/blobs/md5:0", "/v2/nothing"],
)
def test_paths_that_lead_nowhere(ask, path):
    assert ask("PUT", path, b"x")[0] == 404
    assert list(ask.folder.iterdir()) == []


def test_a_manifest_by_tag_and_by_digest(ask):
    text = json.dumps({"schemaVersion": 2}).encode()
    digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
    status, headers, _ = ask("PUT", "/v2/shop/manifests/v1", text, kind="application/x")
    assert (status, headers["Docker-Content-Digest"]) == (201, digest)
    for reference in ("v1", digest):
        status, headers, body = ask("GET", f"/v2/shop/manifests/{reference}")
        assert (status, headers["Content-Type"], body) == (200, "application/x", text)
    assert json.loads(ask("GET", "/v2/shop/tags/list")[2]) == {"name": "shop", "tags": ["v1"]}


def test_what_is_not_there(ask):
    status, _, body = ask("GET", "/v2/shop/manifests/v9")
    assert status == 404 and json.loads(body)["errors"][0]["code"] == "MANIFEST_UNKNOWN"
    status, _, body = ask("GET", "/v2/other/manifests/v1")
    assert status == 404 and json.loads(body)["errors"][0]["code"] == "NAME_UNKNOWN"


def test_a_tag_that_may_not_move(ask):
    status, _, body = ask("PUT", "/v2/shop/manifests/refused", b"{}")
    assert status == 400 and b"immutable" in body


def test_signed_calls_and_other_paths_are_passed_on():
    def inner(environ, _start):
        return [b"inner"]

    answered = []
    application = registry.Registry(inner)
    for path, signature in (("/", ""), ("/v2/apis", "AWS4-HMAC-SHA256 …")):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "HTTP_AUTHORIZATION": signature}
        assert application(environ, None) == [b"inner"]
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/v2/"}
    assert application(environ, lambda status, headers: answered.append((status, dict(headers)))) == [b"{}"]
    assert answered[0][0] == "200 OK" and answered[0][1]["Docker-Distribution-Api-Version"] == "registry/2.0"


@pytest.mark.parametrize(
    ("image", "ours"),
    [("127.0.0.1:5011/shop:v1", True), ("localhost:5011/shop", True), ("127.0.0.1:5012/shop", False), ("nginx", False)],
)
def test_which_images_are_ours(monkeypatch, image, ours):
    monkeypatch.setenv("MOTO_PORT", "5011")
    assert registry.is_ours(image) is ours


def test_a_repository_is_noted_as_soon_as_it_is_there(monkeypatch, tmp_path):
    """Not only when something is pushed: a run that is cut before leaves an image with its tag."""
    monkeypatch.setattr(registry, "_notes", tmp_path)
    monkeypatch.setenv("MOTO_PORT", "5011")
    backend = registry.ECRBackend("ap-southeast-1", "123456789012")
    backend.create_repository("shop", None, {}, None, "MUTABLE", [])
    with pytest.raises(Exception, match="already exists"):
        backend.create_repository("shop", None, {}, None, "MUTABLE", [])
    backend.create_repository("team/app", None, {}, None, "MUTABLE", [])
    assert repositories.noted(tmp_path) == {"127.0.0.1:5011/shop", "127.0.0.1:5011/team/app"}
