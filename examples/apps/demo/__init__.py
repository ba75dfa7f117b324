# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Stand-ins for the programs of the two tutorials: the same HTTP interface, Python's standard library only."""
