# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many tasks fit, what they reserve, and whether a roll-out has room."""

from __future__ import annotations

from typing import Any, Mapping

from ansible.errors import AnsibleFilterError

from ansible_collections.handson.ecs.plugins.module_utils import capacity as arithmetic
from ansible_collections.handson.ecs.plugins.module_utils.preflight.instance_types import closest, instance_type
from ansible_collections.handson.ecs.plugins.module_utils.preflight.service import bounds

DOCUMENTATION = r"""
name: capacity
version_added: 0.1.0
short_description: How many tasks fit the instances, and what they reserve
description:
  - Counts what a task takes against what instances of a type register with ECS.
options:
  _input:
    description:
      - What one task takes, C(cpu) in CPU units, C(memory) in MiB, C(awsvpc) whether it has a network interface of its
        own, C(host_port) whether it has a fixed port.
    type: dict
    required: true
  instance_type:
    description: Their type.
    type: str
    required: true
  instances:
    description: How many there are.
    type: int
    default: 1
  instances_max:
    description: How many there may be; O(instances) if left out.
    type: int
  tasks:
    description: How many tasks are desired.
    type: int
    default: 0
  tasks_min:
    description: The fewest; O(tasks) if left out.
    type: int
  tasks_max:
    description: The most; O(tasks) if left out.
    type: int
  minimum_healthy_percent:
    description: Of a roll-out.
    type: int
    default: 100
  maximum_percent:
    description: Of a roll-out.
    type: int
    default: 200
  asked:
    description: What DescribeInstanceTypes told of types, by name. A table stands in.
    type: dict
"""

EXAMPLES = r"""
# The tutorial's cluster: 4 tasks fit an instance, 2 of them reserve 25 % of the CPU, 4 in a roll-out 50 %.
room: "{{ {'cpu': 512, 'memory': 625} | handson.ecs.capacity('t2.medium', instances=2, tasks=2) }}"
"""

RETURN = r"""
_value:
  description:
    - C(each) (tasks on an instance), C(bounded_by), C(room) (tasks on all), C(room_max), C(reserved) and
      C(reserved_in_rollout) (percentages C(cpu) and C(memory)), C(rollout) (fewest and most tasks), C(deadlock),
      C(rollout_fits), C(instances_needed), and C(problems) in words.
  type: dict
"""


def capacity(
    task: Mapping[str, Any],
    instance_type_name: str | None = None,
    instances: int = 1,
    instances_max: int | None = None,
    tasks: int = 0,
    tasks_min: int | None = None,
    tasks_max: int | None = None,
    minimum_healthy_percent: int = 100,
    maximum_percent: int = 200,
    asked: Mapping[str, Any] | None = None,
    **named: Any,
) -> dict[str, Any]:
    """Return the arithmetic of a task on instances. See DOCUMENTATION."""
    name = str(named.pop("instance_type", instance_type_name) or "")
    if named:
        raise AnsibleFilterError(f"handson.ecs.capacity has no option {', '.join(sorted(named))}.")
    kind = instance_type(name, asked)
    if kind is None:
        hint = f" Did you mean {closest(name)}?" if closest(name) else " Give what the API says of it as `asked`."
        unknown = f"handson.ecs.capacity: instance_type is {name!r}, which the table doesn't have."
        raise AnsibleFilterError(unknown + hint)
    try:
        one = arithmetic.Task(
            int(task.get("cpu") or 0),
            int(task.get("memory") or 0),
            bool(task.get("awsvpc")),
            ("its host port",) if task.get("host_port") else (),
        )
        count, most, desired = int(instances), int(instances_max or instances), int(tasks)
        low = desired if tasks_min is None else int(tasks_min)
        high = desired if tasks_max is None else int(tasks_max)
        percents = int(minimum_healthy_percent), int(maximum_percent)
    except (TypeError, ValueError, AttributeError) as e:
        raise AnsibleFilterError(f"handson.ecs.capacity: a count or size is no whole number: {e}") from e
    fewest, ceiling = bounds(desired, *percents)
    room = arithmetic.room(one, kind, count)
    return {
        "each": arithmetic.slots(one, kind),
        "bounded_by": arithmetic.bounded_by(one, kind),
        "room": room,
        "room_max": arithmetic.room(one, kind, most),
        "reserved": _rounded(arithmetic.reservation(one, desired, kind, count)),
        "reserved_in_rollout": _rounded(arithmetic.reservation(one, min(ceiling, room), kind, count)),
        "rollout": [fewest, ceiling],
        "deadlock": arithmetic.deadlocked(desired, *percents),
        "rollout_fits": arithmetic.rollout_fits(room, desired, *percents),
        "instances_needed": arithmetic.instances_for(one, kind, desired),
        "problems": arithmetic.judge(one, kind, (count, most), (low, desired, high), percents),
    }


def _rounded(percent: dict[str, float]) -> dict[str, float]:
    return {what: round(value, 1) for what, value in percent.items()}


class FilterModule:
    """The filters of this file, by name."""

    def filters(self) -> dict[str, Any]:
        return {"capacity": capacity}
