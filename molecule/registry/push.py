# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""An image in each repository: AWS refuses to delete one that has images, unless it is told to."""

import json

from readback import Expectations, client

expect = Expectations()
for name in ("molecule-registry", "vets/vault"):
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": f"sha256:{'0' * 64}"},
        "layers": [],
    }
    client("ecr").put_image(repositoryName=name, imageManifest=json.dumps(manifest), imageTag="1.0")
    expect.equal(f"images in {name}", len(client("ecr").list_images(repositoryName=name)["imageIds"]), 1)
expect.finish()
