# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A change of maximum and type changed the group and the launch template, by one new version, and nothing else."""

import stack_made
from numbers_of_hosts import CLUSTER, PREFIX, note, noted, wanted
from readback import Expectations, client
from snapshot import differences, snapshot

expect = Expectations()
expect.equal(
    "what is different",
    differences(noted(), snapshot(client)),
    [
        f"~ auto scaling group {PREFIX}-ecs-instances",
        f"~ launch template {PREFIX}-ecs-instances",
        f"~ stack {CLUSTER}",
    ],
)
stack_made.look_at(
    expect, wanted(status="UPDATE_COMPLETE", maximum=4, instance_type="t3.medium", template_version=2)
)
note()
expect.finish()
