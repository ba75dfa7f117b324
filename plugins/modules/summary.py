#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: summary
version_added: 0.1.0
short_description: Print a short table
description:
  - Prints a table as lines, whatever the callback plugin does with results. It is an action and starts no process.
author: The handson.ecs contributors (@handson-ecs)
attributes:
  check_mode:
    description: Prints the same.
    support: full
options:
  title:
    description: Line over the table.
    type: str
  rows:
    description: List of rows, each a list of cells.
    type: list
    elements: list
    default: []
  notes:
    description: Lines under the table. Empty ones are left out.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Say what exists
  handson.ecs.summary:
    title: What exists now
    rows: [[service, petclinic-rest-service, 2 of 2 tasks running]]
"""

RETURN = r"""
rows:
  description: The rows as printed.
  returned: always
  type: list
"""
