# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The numbers of hosts.yml, and where the programs of this scenario keep their notes."""

import json

from readback import STATE_DIR, client
from snapshot import Things, snapshot
from stack_made import Wanted

CLUSTER, PREFIX = "molecule-stack-cluster", "molecule-stack"
NOTE = STATE_DIR / "molecule-stack-things.json"


def wanted(**changes) -> Wanted:
    """What hosts.yml says, with changes."""
    told = {
        "maximum": 3,
        "instance_type": "t3.small",
        "cidr": "10.20.0.0/16",
        "subnets": ("10.20.8.0/22", "10.20.12.0/22"),
        "service_role": True,
    }
    return Wanted(CLUSTER, PREFIX, **{**told, **changes})


def note() -> None:
    """Keep what there is now for a later program."""
    NOTE.write_text(json.dumps(snapshot(client)))


def noted() -> Things:
    """What there was at the last note."""
    return json.loads(NOTE.read_text())
