# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""DescribeLaunchTemplates shows the tags that a template has now.

moto 5.2.5 shows those it was created with, and never those of CreateTags and DeleteTags (seen by tagging a template
and describing it).
"""

from moto.ec2.models.launch_templates import LaunchTemplate

# Not `replace`: moto has an attribute here that __init__ sets, so the property has to swallow the setting.
LaunchTemplate.tags = property(lambda self: self.get_tags(), lambda self, _created_with: None)
