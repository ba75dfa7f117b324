#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: scaling_rehearsal
version_added: 0.1.0
short_description: Rehearse how a service and its instances scale under a load
description:
  - Simulates minutes of load on a service with the inventory's policies, and prints the course of load, CPU, tasks and
    instances, what the scalers decide, and what somebody should know of it.
  - Runs on the controller and calls nobody. It reads the variables of the inventory as M(handson.ecs.preflight) does.
  - The same values and seed give the same result. C(docs/scaling-rehearsal.md) tells what the model knows and what not.
author: The handson.ecs contributors (@handson-ecs)
options:
  service:
    description: Host of the group C(services) to rehearse. The current host if left out.
    type: str
  load:
    description:
      - What comes in, one after the other or at the same time. Each has O(load[].concurrency) or O(load[].rate).
    type: list
    elements: dict
    default: []
    suboptions:
      start:
        description: Minute at which it begins.
        type: float
        required: true
      until:
        description: Minute at which it ends. To the end of the rehearsal, or of O(load[].requests), if left out.
        type: float
      concurrency:
        description: So many requests at once, the next when one is answered, as C(ab -c) does.
        type: int
      requests:
        description: So many requests in all, as C(ab -n) does.
        type: int
      rate:
        description: Requests per second, whatever the answers are.
        type: float
      rate_until:
        description: What O(load[].rate) has become at the end, evenly.
        type: float
  events:
    description: What somebody does meanwhile.
    type: list
    elements: dict
    default: []
    suboptions:
      minute:
        description: When.
        type: float
        required: true
      instances:
        description: Set the number of instances by hand.
        type: int
      max_tasks:
        description: Set the most tasks. Fewer than the fewest at that time is refused, as by AWS.
        type: int
      min_tasks:
        description: Set the fewest tasks.
        type: int
      deploy:
        description: Begin a roll-out.
        type: bool
        default: false
  minutes:
    description: How long.
    type: int
    default: 120
  seed:
    description: Of what varies at random, the cost of a request from minute to minute.
    type: int
    default: 1
  workload:
    description:
      - What requests, tasks and instances cost, where it differs from the tutorial's. The names and defaults are those
        of C(Workload) in C(plugins/module_utils/rehearsal/model.py), among them C(request_cpu) (vCPU-seconds of one
        request) and C(request_wait) (seconds that it spends elsewhere).
    type: dict
    default: {}
  cpu_limit:
    description:
      - V(burst) lets tasks use idle CPU beyond what they reserve, as the tutorial saw it. V(hard) limits each to its
        reservation, as AWS does with the CPU size of a task.
      - V(auto) is what AWS does with this inventory, so V(hard) with C(task_definition_cpu) set, unless the agent has
        C(ECS_ENABLE_TASK_CPU_MEM_LIMIT=false) in C(instances_agent_config), and V(burst) without.
    type: str
    choices: [auto, burst, hard]
    default: auto
  every:
    description: The table has a row for so many minutes, and wherever a count changes.
    type: int
    default: 5
  file:
    description: Where to draw it, a name that ends in C(.svg) or C(.png). Needs the Python package matplotlib.
    type: path
  title:
    description: Line over table and picture.
    type: str
attributes:
  action:
    description: It runs on the controller.
    support: full
  check_mode:
    description: Prints the same and draws nothing.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Rehearse the tutorial's section 7.2
  handson.ecs.scaling_rehearsal:
    load:
      - { start: 5, until: 41, concurrency: 6, requests: 100000 }
    file: /tmp/rehearsal.svg

- name: Rehearse a morning with a release in it
  handson.ecs.scaling_rehearsal:
    load:
      - { start: 0, until: 60, rate: 0.2, rate_until: 3 }
    events:
      - { minute: 40, deploy: true }
    minutes: 90
"""

RETURN = r"""
rows:
  description: The table as printed.
  returned: success
  type: list
log:
  description: What happened, a line each.
  returned: success
  type: list
findings:
  description: What somebody should know, each with the way out.
  returned: success
  type: list
notes:
  description: Assumptions of this rehearsal.
  returned: success
  type: list
tasks:
  description: Running tasks at the end.
  returned: success
  type: int
tasks_most:
  description: The most running tasks.
  returned: success
  type: int
instances:
  description: Registered instances at the end.
  returned: success
  type: int
instances_most:
  description: The most registered instances.
  returned: success
  type: int
"""
