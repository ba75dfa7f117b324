# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Somebody takes the name of a role that the stack is going to make."""

import json

from numbers_of_hosts import PREFIX
from readback import Expectations, client

expect = Expectations()
theirs = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
trust = json.dumps({"Version": "2012-10-17", "Statement": [theirs]})
role = client("iam").create_role(RoleName=f"{PREFIX}-ecs-instance-role", AssumeRolePolicyDocument=trust)["Role"]
expect.equal("their role", role["RoleName"], f"{PREFIX}-ecs-instance-role")
expect.finish()
