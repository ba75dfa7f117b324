# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module `codepipeline_state` without a process of its own."""

from ansible_collections.handson.ecs.plugins.plugin_utils.in_worker import InWorkerAction as ActionModule

__all__ = ["ActionModule"]
