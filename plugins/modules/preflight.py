#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: preflight
version_added: 0.1.0
short_description: Check the whole inventory and the account before anything is written
description:
  - Runs on the controller, once for all hosts of the play in the groups C(clusters), C(services), C(retired_services) and
    C(workstations).
  - Reads each host's variables as its roles will see them, defaults below inventory below C(--extra-vars), and checks
    them against the roles' argument specs and against what AWS accepts; names that no role knows are told as well.
  - Then asks the account by read-only calls, whether it is the right one, and whether the instance types, subnets and
    the image are there; for builds and pipelines, whether connections and credentials can be used and names of buckets are free.
  - Counts whether the tasks find room on the instances, at rest and during a roll-out.
  - Tells all faults at once, each with the variable to change. Nothing is written.
author: The handson.ecs contributors (@handson-ecs)
options:
  scope:
    description: V(all) checks everything, V(account) only that account and region are the right ones.
    type: str
    choices: [all, account]
    default: all
  image_needed:
    description:
      - Whether a service that nobody builds an image for is a fault as long as its registry has none.
      - Asked of AWS itself only. A local endpoint need not have images.
    type: bool
    default: false
attributes:
  action:
    description: It runs on the controller.
    support: full
  check_mode:
    description: It only reads.
    support: full
  diff_mode:
    description: It only reads.
    support: none
notes:
  - Use it with C(run_once).
  - Variables of a play (C(vars), C(vars_files)) are not seen; those of the inventory and C(--extra-vars) are.
  - The calls go where the hosts' C(aws_environment) says, on top of the play's own C(environment).
seealso:
  - module: handson.ecs.preflight_info
"""

EXAMPLES = r"""
- name: Check everything before anything is written
  hosts: clusters:services
  gather_facts: false
  tasks:
    - name: Check the inventory and the account
      handson.ecs.preflight:
      run_once: true
"""

RETURN = r"""
msg:
  description: All faults as one text, or that there are none.
  returned: always
  type: str
faults:
  description: Every fault of every host. The task fails where there is one.
  returned: always
  type: list
  elements: dict
  contains:
    host: {description: The host of the inventory., type: str}
    variable: {description: The variable to change., type: str, sample: load_balancer_name}
    value: {description: What it is now. Missing where it may be secret., type: raw}
    problem: {description: What is wrong., type: str}
    remedy: {description: What to do., type: str}
preflight_warnings:
  description: What AWS accepts, but somebody should know, in the same form.
  returned: where there are any
  type: list
  elements: dict
"""
