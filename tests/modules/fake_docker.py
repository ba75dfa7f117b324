# SPDX-License-Identifier: GPL-3.0-or-later
"""A `docker` that builds nothing: it notes how it was called, and its registry is the ECR of the test endpoint.

The id of an image is the hash of what is in its Dockerfile, so the same folder gives the same image.
"""

import hashlib
import json
import os
import stat
import sys
import time
from pathlib import Path

HOME = Path(os.environ["FAKE_DOCKER"])
IMAGES = HOME / "images.json"


def manifest(image):
    """What a registry holds of an image."""
    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1, "digest": image},
        # moto tells images apart by their layers.
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 1, "digest": image}],
    }


def main(argv):
    there = os.environ.get("DOCKER_CONFIG")
    kept = Path(there).iterdir() if there else ()
    files = {f.name: f.is_symlink() or f.read_text() for f in kept if f.is_symlink() or f.is_file()}
    read = sys.stdin.read() if "--password-stdin" in argv else ""
    call = {
        "argv": argv,
        "stdin": read,
        "config": there,
        "files": files,
        "mode": stat.S_IMODE(os.stat(there).st_mode) if there else None,
        "attestations": os.environ.get("BUILDX_NO_DEFAULT_ATTESTATIONS"),
    }
    with (HOME / "calls").open("a") as f:
        f.write(json.dumps(call) + "\n")
    command = argv[0]
    if command == os.environ.get("FAKE_DOCKER_WAITS"):
        while not (HOME / "go").exists():
            time.sleep(0.05)
    if command == os.environ.get("FAKE_DOCKER_FAILS"):
        for number in range(30):
            print(f"line {number} {read}", flush=True)
        print(os.environ.get("FAKE_DOCKER_SAYS", "no space left on device"), file=sys.stderr)
        return 7
    images = json.loads(IMAGES.read_text()) if IMAGES.exists() else {}
    if command == "build":
        content = Path(argv[argv.index("--file") + 1]).read_bytes()
        print("#1 [internal] load build definition\n#2 DONE 0.0s", flush=True)
        images[argv[argv.index("--tag") + 1]] = "sha256:" + hashlib.sha256(content).hexdigest()
    elif command == "image":
        print(images[argv[-1]])
    elif command == "login":
        Path(there).mkdir(mode=0o700, exist_ok=True)  # as Docker does (cli/config/configfile, Save)
        (Path(there) / "config.json").write_text(json.dumps({"auths": {argv[-1]: {"auth": read}}}))
    elif command == "tag":
        images[argv[2]] = images[argv[1]]
    elif command == "push":
        import boto3

        name, _, tag = argv[1].rpartition(":")
        boto3.client("ecr", region_name="ap-southeast-1").put_image(
            repositoryName=name.partition("/")[2], imageManifest=json.dumps(manifest(images[argv[1]])), imageTag=tag
        )
    IMAGES.write_text(json.dumps(images))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
