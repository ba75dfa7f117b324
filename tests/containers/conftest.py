# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""container_endpoint is a package in a role's files; here it is put where Python finds it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "roles" / "local_endpoint" / "files"))
