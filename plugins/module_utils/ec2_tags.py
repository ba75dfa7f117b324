# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags as EC2's creating calls want them."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags


def tag_specifications(resource_type: str, tags: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the parameter `TagSpecifications` that tags a new `resource_type`, or nothing where there are no tags.

    EC2 refuses a specification without tags, so it must be left out.
    """
    if not tags:
        return {}
    return {"TagSpecifications": [{"ResourceType": resource_type, "Tags": dict_to_tags(tags)}]}
