# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""All is made but for what a person does: a push starts neither build nor pipeline, and the connection waits. Approves it."""

import os
import urllib.request

import delivery_made
from readback import Expectations
from shipped import wanted

expect = Expectations()
delivery_made.build(expect, wanted())
delivery_made.pipeline(expect, wanted(), status="PENDING")
url = f"{os.environ['AWS_ENDPOINT_URL']}/handson/connections/molecule-shipped-pending/approve"
with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=10) as answer:
    expect.equal("approval", answer.status, 200)
expect.finish()
