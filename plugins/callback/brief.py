# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's default output without the lines about its own book-keeping."""

from __future__ import annotations

from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback.default import CallbackModule as Default

from ansible_collections.handson.ecs.plugins.plugin_utils.line_by_line import show_line_by_line

DOCUMENTATION = r"""
name: brief
type: stdout
short_description: Ansible's default output without the lines about included files
version_added: 0.1.0
description:
  - Says what P(ansible.builtin.default#callback) says, except which file was included for which host.
  - Every role of this collection includes one file, so that would be a third of what a run prints.
  - Writes line by line, also where the output is a pipe.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - Set C(stdout_callback = handson.ecs.brief) in ansible.cfg.
"""


class CallbackModule(Default):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "handson.ecs.brief"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        show_line_by_line()

    def v2_playbook_on_include(self, included_file):
        """Say nothing."""

    def v2_runner_on_ok(self, result):
        """Show the warnings of a result that is itself hidden: the default would hide them with it."""
        if isinstance(result.task, TaskInclude):
            return
        if not self.get_option("display_ok_hosts") and not result.result.get("changed", False):
            self._handle_warnings_and_exception(result)
        super().v2_runner_on_ok(result)
