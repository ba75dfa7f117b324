# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The refused update changed nothing and left no change set. Then somebody puts an interface into a group of it."""

from numbers_of_hosts import CLUSTER, PREFIX, noted
from readback import Expectations, client, pages
from snapshot import differences, snapshot

expect, ec2 = Expectations(), client("ec2")
expect.equal("what is different", differences(noted(), snapshot(client)), [])
left = client("cloudformation").list_change_sets(StackName=CLUSTER)["Summaries"]
expect.equal("change sets", [c for c in left if c["ExecutionStatus"] != "EXECUTE_COMPLETE"], [])

subnet = pages("ec2", "describe_subnets", "Subnets", Filters=[{"Name": "tag:Name", "Values": [f"{PREFIX}-vpc-1"]}])[0]
named = [{"Name": "group-name", "Values": [f"{PREFIX}-ecs-instance-sg"]}]
group = expect.only("groups of the instances", ec2.describe_security_groups(Filters=named)["SecurityGroups"])
made = ec2.create_network_interface(SubnetId=subnet["SubnetId"], Groups=[group["GroupId"]], Description="theirs")
expect.equal("their network interface is in", made["NetworkInterface"]["SubnetId"], subnet["SubnetId"])
expect.finish()
