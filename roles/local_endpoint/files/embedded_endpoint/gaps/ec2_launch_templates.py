# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""DescribeLaunchTemplates shows the tags that a template has now; a later version's user data reaches instances.

moto 5.2.5 shows the tags a template was created with, and never those of CreateTags and DeleteTags (seen by tagging a
template and describing it). It keeps the user data of CreateLaunchTemplateVersion as plain text and then fails with an
AssertionError when an auto scaling group launches from that version (seen by raising the desired count).
"""

from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateVersion
from moto.ec2.utils import parse_user_data

from embedded_endpoint.gaps.patching import replace

# Not `replace`: moto has an attribute here that __init__ sets, so the property has to swallow the setting.
LaunchTemplate.tags = property(lambda self: self.get_tags(), lambda self, _created_with: None)


@replace(LaunchTemplateVersion, "__init__")
def with_encoded_user_data(original, self, template, number, data, description):
    if isinstance(data.get("UserData"), str):
        data["UserData"] = parse_user_data(data["UserData"])
    original(self, template, number, data, description)
