# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The stack was rolled back and left nothing but itself. Then the one who took the role's name gives it back."""

from numbers_of_hosts import CLUSTER, PREFIX
from readback import Expectations, client, pages

expect = Expectations()
stack = expect.only("stacks", client("cloudformation").describe_stacks(StackName=CLUSTER)["Stacks"])
expect.equal("status of the stack", stack["StackStatus"], "ROLLBACK_COMPLETE")
expect.equal("VPCs", [v["IsDefault"] for v in pages("ec2", "describe_vpcs", "Vpcs")], [True])
expect.equal("clusters", pages("ecs", "list_clusters", "clusterArns"), [])
client("iam").delete_role(RoleName=f"{PREFIX}-ecs-instance-role")
expect.finish()
