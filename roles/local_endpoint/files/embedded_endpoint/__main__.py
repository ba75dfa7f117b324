# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Entry point: ``python <this directory> <command> ...``."""

import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent

# Python put the package directory itself first; its modules must be found as embedded_endpoint.<name> only, so that
# none of them can shadow a module of the standard library or of moto.
sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != PACKAGE]
sys.path.insert(0, str(PACKAGE.parent))

from embedded_endpoint.cli import main  # noqa: E402  (needs the path above)

sys.exit(main())
