# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Back on Fargate, and the instances are gone."""

from fargate import check_service
from readback import Expectations, pages

expect = Expectations()
check_service(expect, port=9460, count=2)
group = expect.only("auto scaling groups", pages("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups"))
expect.contains("auto scaling group", group, {"MinSize": 0, "DesiredCapacity": 0})
expect.finish()
