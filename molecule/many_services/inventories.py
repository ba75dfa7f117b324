# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Writes two more inventories out of hosts.yml: inventories.py TO GROUP_VARS

TO/newcomer   with `search` as well; the tag of its image makes its tasks fail on the embedded endpoint
TO/retired    with `api` moved to the group retired_services
"""

import sys
from pathlib import Path

import yaml

to, group_vars = Path(sys.argv[1]), Path(sys.argv[2]).resolve()
SEARCH = {"target_group_rule_priority": 4, "target_group_rule_paths": ["/api/search*"], "image_tag": "crash"}

for name in ("newcomer", "retired"):
    inventory = yaml.safe_load(Path("hosts.yml").read_text())
    groups = inventory["all"]["children"]
    if name == "newcomer":
        groups["services"]["hosts"]["search"] = SEARCH
        groups["monolith"]["hosts"]["search"] = None
    else:
        groups["retired_services"] = {"hosts": {"api": groups["services"]["hosts"].pop("api")}}
    (to / name).mkdir(parents=True, exist_ok=True)
    (to / name / "hosts.yml").write_text(yaml.safe_dump(inventory))
    (to / name / "group_vars").unlink(missing_ok=True)
    (to / name / "group_vars").symlink_to(group_vars)
