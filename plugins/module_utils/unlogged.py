# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that tell the system log nothing of their options, since some of them may be secret by their content."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule


class UnloggedModule(AnsibleModule):
    """AnsibleModule(no_log=True) would not do: every task brings its own `_ansible_no_log`, which takes the place of
    that (basic.py, _set_internal_properties).
    """

    def _log_invocation(self) -> None:
        pass


def unlogged_module(**options: Any) -> AnsibleAWSModule:
    """Return an AnsibleAWSModule over UnloggedModule. The class is a setting of all AnsibleAWSModules there."""
    settings = AnsibleAWSModule.default_settings
    before = settings["module_class"]
    settings["module_class"] = UnloggedModule
    try:
        return AnsibleAWSModule(**options)
    finally:
        settings["module_class"] = before
