# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Docker has no container and no image of this endpoint any more."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from containers import machine  # noqa: E402  (needs the path above)

left = machine.left_in_docker(Path(sys.argv[1]).resolve(), sys.argv[2])
if left:
    sys.exit("Docker still has " + ", ".join(left))
