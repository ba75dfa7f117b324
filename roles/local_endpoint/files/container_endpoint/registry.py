# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The registry's own protocol at the endpoint's port, so that ``docker push 127.0.0.1:PORT/repository:tag`` works.

Manifests go into moto's ECR records, by PutImage; layers are files in the state directory. moto 5.2.5 has the API
but no registry. https://distribution.github.io/distribution/spec/api/
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from embedded_endpoint import server
from embedded_endpoint.gaps.patching import replace
from embedded_endpoint.probe import HOST
from moto.ecr.models import ECRBackend, ecr_backends

from container_endpoint import engine, repositories

_PATH = re.compile(r"/v2/(?P<name>[a-z0-9._/-]+)/(?P<kind>blobs/uploads|blobs|manifests|tags)/(?P<rest>.*)")
_folder = Path(tempfile.gettempdir())
_notes: Path | None = None  # the state directory


def install(state) -> None:
    """Answer /v2/ before moto does; start without any layer."""
    global _folder, _notes
    _folder, _notes = state.path / engine.LAYERS, state.path
    shutil.rmtree(_folder, ignore_errors=True)
    _folder.mkdir(mode=0o700)
    outer = server.RequestLog

    def with_registry(application, log):
        return Registry(outer(application, log))

    server.RequestLog = with_registry


def is_ours(image: str) -> bool:
    """Whether an image reference leads here."""
    return image.startswith((f"{HOST}:{os.environ.get('MOTO_PORT')}/", f"localhost:{os.environ.get('MOTO_PORT')}/"))


@replace(ECRBackend)
def create_repository(original, self, repository_name, *args, **kwargs):
    made = original(self, repository_name, *args, **kwargs)
    # Not only when something is pushed: an image has its tag as soon as it is built.
    if _notes is not None:
        repositories.note(_notes, f"{HOST}:{os.environ.get('MOTO_PORT')}/{made.name}")
    return made


class Registry:
    """WSGI middleware that answers /v2/ and passes everything else on."""

    def __init__(self, application: Callable[..., Iterable[bytes]]):
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        # API calls of other services may begin with /v2/ as well; those are signed.
        if not path.startswith("/v2/") or environ.get("HTTP_AUTHORIZATION", "").startswith("AWS4"):
            return self.application(environ, start_response)
        status, headers, body = answer(environ, path)
        headers.setdefault("Docker-Distribution-Api-Version", "registry/2.0")
        headers.setdefault("Content-Length", str(len(body)))
        start_response(status, list(headers.items()))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def answer(environ: dict[str, Any], path: str) -> tuple[str, dict[str, str], bytes]:
    """(status, headers, body) of a request to the registry."""
    method = environ["REQUEST_METHOD"]
    if path == "/v2/":
        return "200 OK", {"Content-Type": "application/json"}, b"{}"
    found = _PATH.fullmatch(path)
    if not found:
        return _error("404 Not Found", "UNSUPPORTED", path)
    repository = _repository(found["name"])
    if repository is None:
        text = f"The repository with name '{found['name']}' does not exist in the registry"
        return _error("404 Not Found", "NAME_UNKNOWN", text)
    if found["kind"] == "blobs/uploads":
        return _upload(environ, method, found["name"], found["rest"])
    if found["kind"] == "blobs":
        return _blob(method, found["rest"])
    if found["kind"] == "manifests":
        return _manifest(environ, method, repository, found["rest"])
    tags = sorted(tag for image in repository[1].images for tag in image.image_tags)
    return "200 OK", {"Content-Type": "application/json"}, json.dumps({"name": found["name"], "tags": tags}).encode()


def _repository(name: str) -> tuple[Any, Any] | None:
    """(backend, repository): the registry's host names no region, so the name must do."""
    for regions in list(ecr_backends.values()):
        for backend in list(regions.values()):
            if name in backend.repositories:
                return backend, backend.repositories[name]
    return None


def _upload(environ, method: str, name: str, upload: str) -> tuple[str, dict[str, str], bytes]:
    digest = parse_qs(environ.get("QUERY_STRING", "")).get("digest", [""])[0]
    upload = upload or str(uuid.UUID(bytes=os.urandom(16)))
    if not re.fullmatch(r"[0-9a-f-]{36}", upload):
        return _error("404 Not Found", "BLOB_UPLOAD_UNKNOWN", upload)
    file = _folder / f"upload-{upload}"
    if method == "DELETE":
        file.unlink(missing_ok=True)
        return "204 No Content", {}, b""
    with file.open("ab") as stream:
        for piece in _body(environ):
            stream.write(piece)
        size = stream.tell()
    if digest and method in ("PUT", "POST"):
        with file.open("rb") as stream:
            actual = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
        if actual != digest:
            file.unlink()
            return _error("400 Bad Request", "DIGEST_INVALID", digest)
        file.replace(_blob_file(digest))
        headers = {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest}
        return "201 Created", headers, b""
    headers = {
        "Location": f"/v2/{name}/blobs/uploads/{upload}",
        "Range": f"0-{max(size - 1, 0)}",
        "Docker-Upload-UUID": upload,
    }
    return "202 Accepted", headers, b""


def _body(environ) -> Iterable[bytes]:
    stream = environ["wsgi.input"]
    left = int(environ.get("CONTENT_LENGTH") or 0)
    if not left and "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        while piece := stream.read(1 << 20):
            yield piece
    while left > 0 and (piece := stream.read(min(left, 1 << 20))):
        left -= len(piece)
        yield piece


def _blob_file(digest: str) -> Path:
    return _folder / digest.replace(":", "-")


def _blob(method: str, digest: str) -> tuple[str, dict[str, str], bytes]:
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest) or not _blob_file(digest).is_file():
        return _error("404 Not Found", "BLOB_UNKNOWN", digest)
    headers = {"Docker-Content-Digest": digest, "Content-Type": "application/octet-stream"}
    if method == "HEAD":
        return "200 OK", headers | {"Content-Length": str(_blob_file(digest).stat().st_size)}, b""
    return "200 OK", headers, _blob_file(digest).read_bytes()


def _manifest(environ, method: str, found: tuple[Any, Any], reference: str) -> tuple[str, dict[str, str], bytes]:
    backend, repository = found
    if method == "PUT":
        text = b"".join(_body(environ)).decode()
        digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        tag = None if reference.startswith("sha256:") else reference
        try:
            backend.put_image(repository.name, text, tag, environ.get("CONTENT_TYPE"), digest)
        except Exception as error:
            if "ImageAlreadyExists" not in type(error).__name__:
                return _error("400 Bad Request", "TAG_INVALID", str(getattr(error, "description", error)))
        place = f"/v2/{repository.name}/manifests/{digest}"
        return "201 Created", {"Location": place, "Docker-Content-Digest": digest}, b""
    for image in repository.images:
        if reference == image.get_image_digest() or reference in image.image_tags:
            body = image.image_manifest.encode()
            headers = {
                "Content-Type": image.image_manifest_media_type,
                "Docker-Content-Digest": image.get_image_digest(),
                "Content-Length": str(len(body)),
            }
            return "200 OK", headers, body
    return _error("404 Not Found", "MANIFEST_UNKNOWN", f"Requested image not found: {repository.name}:{reference}")


def _error(status: str, code: str, text: str) -> tuple[str, dict[str, str], bytes]:
    body = json.dumps({"errors": [{"code": code, "message": text}]}).encode()
    return status, {"Content-Type": "application/json"}, body
