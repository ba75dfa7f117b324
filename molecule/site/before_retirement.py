# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Notes everything that there is while `api` still serves, for retired.py."""

import json

from readback import STATE_DIR, Expectations, client
from snapshot import snapshot

expect, things = Expectations(), snapshot(client)
expect.holds("service api", "service api" in things, sorted(things))
(STATE_DIR / "molecule-site-things.json").write_text(json.dumps(things))
expect.finish()
