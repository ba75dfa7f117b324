# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A base image made of the Python here."""

import io
import sys
import tarfile

import pytest
from container_endpoint import base_image

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="made of this machine's Python: Linux only")


def test_what_is_in_it():
    stream = io.BytesIO()
    base_image.write(stream)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as archive:
        entries = {entry.name: entry for entry in archive}
        assert entries["etc/passwd"].mode == 0o644
        assert b"app:x:10001" in archive.extractfile("etc/passwd").read()
    python = entries[entries["usr/local/bin/python3"].linkname.lstrip("/")]
    assert python.isfile() and python.mode == 0o755
    names = "\n".join(entries)
    assert "/json/decoder.py" in names and "ld-linux" in names and "\nbin/sh\n" in names
    for left_out in ("__pycache__", "site-packages", "/test/", "idlelib"):
        assert left_out not in names
    assert {(e.uid, e.gid, e.mtime) for e in entries.values()} == {(0, 0, 0)}  # the same files give the same bytes
    assert all(not name.startswith("/") and ".." not in name.split("/") for name in entries)


@pytest.mark.parametrize(
    ("value", "wanted"), [("handson/python:local", True), ("python:3.12-slim", False), ("", False)]
)
def test_when_it_is_made(monkeypatch, value, wanted):
    monkeypatch.setenv("HANDSON_BASE_IMAGE", value)
    assert base_image.is_wanted() is wanted


def test_elsewhere_it_names_the_way_out(monkeypatch):
    monkeypatch.setattr(base_image.sys, "platform", "darwin")
    with pytest.raises(base_image.Impossible, match="HANDSON_BASE_IMAGE=python:3.12-slim"):
        base_image.build(None)
