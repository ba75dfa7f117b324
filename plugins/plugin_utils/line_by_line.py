# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show each line as it comes, also in a pipe."""

from __future__ import annotations

import contextlib
import sys


def show_line_by_line() -> None:
    """Let standard output write every line at once, where it is a pipe or a file as on a terminal.

    ansible-core does not flush (ansible/utils/display.py), and Python writes 8 KiB at a time into a pipe: in a CI job, or
    with `| tee`, the progress of a roll-out would come when that is over.
    """
    # Something else than a text stream of Python's is in its place, in tests for example.
    with contextlib.suppress(AttributeError, ValueError, OSError):
        sys.stdout.reconfigure(line_buffering=True)
