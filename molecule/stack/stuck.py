# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The stack could not go, for the interface in its security group is still there. Then its owner takes it away."""

from numbers_of_hosts import CLUSTER
from readback import Expectations, client

expect, ec2 = Expectations(), client("ec2")
stack = expect.only("stacks", client("cloudformation").describe_stacks(StackName=CLUSTER)["Stacks"])
expect.equal("status of the stack", stack["StackStatus"], "DELETE_FAILED")
theirs = [{"Name": "description", "Values": ["theirs"]}]
interface = expect.only("their interfaces", ec2.describe_network_interfaces(Filters=theirs)["NetworkInterfaces"])
ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
expect.finish()
