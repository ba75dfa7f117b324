# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""`api` is gone with all that was its own; of everything else only the listener's default action is another."""

import json

from readback import STATE_DIR, Expectations, client
from snapshot import differences, snapshot

LISTENER = "listener BreakTheMonolith-Demo-alb:80"
expect = Expectations()
before, after = json.loads((STATE_DIR / "molecule-site-things.json").read_text()), snapshot(client)
expect.equal(
    "what is different",
    differences(before, after),
    [
        "- log group /ecs/api",
        "- registry api",
        "- role api-task-execution-role",
        "- service api",
        "- target group api",
        "- task definition api:1",
        f"~ {LISTENER}",
    ],
)
action = expect.only("default actions", after[LISTENER]["DefaultActions"])
expect.contains("what the listener answers where no rule takes the request", action, {"Type": "fixed-response"})
expect.finish()
