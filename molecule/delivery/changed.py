# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A value of the inventory went live with the image of the pipeline; the project takes the repository's buildspec."""

import delivery_made
from readback import Expectations
from shipped import FAMILY, IMAGE, service, wanted

expect = Expectations()
found, used = service()
expect.equal("revision", found["taskDefinition"].rsplit("/", 1)[-1], f"{FAMILY}:3")
container = expect.only("containers", used["taskDefinition"]["containerDefinitions"])
expect.equal("image", container["image"], IMAGE)
expect.equal("environment", container["environment"], [{"name": "LOG_LEVEL", "value": "debug"}])
delivery_made.build(expect, wanted(buildspec="ci/buildspec.yml"))
delivery_made.pipeline(expect, wanted(), version=3)
expect.finish()
