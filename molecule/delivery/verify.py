# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A build project of its own: a push to the branch starts a build, and there is no pipeline."""

import delivery_made
from readback import Expectations, client
from shipped import wanted

expect = Expectations()
delivery_made.build(expect, wanted(webhook=True))
expect.equal("pipelines", client("codepipeline").list_pipelines()["pipelines"], [])
expect.equal("connections", client("codeconnections").list_connections()["Connections"], [])
expect.finish()
