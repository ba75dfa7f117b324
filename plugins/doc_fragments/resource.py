# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


class ModuleDocFragment:
    """Options that every module of this collection shares."""

    DOCUMENTATION = r"""
options:
  state:
    description:
      - V(present) makes or changes the resource, V(absent) takes it away.
      - Taking away what is not there is not a change.
    type: str
    choices: [present, absent]
    default: present
  owner:
    description:
      - Tags that prove that a resource is ours, such as C({"handson:cluster":"petclinic-rest-cluster"}).
      - They are put on everything the module makes.
      - A resource of the same name that lacks one of them is somebody else's. The module refuses to change or delete it.
      - An empty dictionary switches the check off.
    type: dict
    default: {}
  tags:
    description:
      - Further tags to set. Tags that are not named here are left alone.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Computes the same difference and makes none of it.
    support: full
  diff_mode:
    description: Shows the resource before and after, in the names of the module's own options.
    support: full
"""
