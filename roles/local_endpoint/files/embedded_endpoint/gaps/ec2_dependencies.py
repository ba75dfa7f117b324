# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""DeleteVpc and DeleteSubnet of one in use are a DependencyViolation.

moto 5.2.5 deletes a subnet whatever is in it, and a VPC with security groups or an internet gateway (it minds subnets
and route tables).
"""

from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.responses import EC2Response
from moto.elbv2 import elbv2_backends

from embedded_endpoint.gaps.patching import replace


@replace(EC2Response)
def delete_vpc(original, self):
    vpc_id = self._get_param("VpcId")
    groups = self.ec2_backend.groups.get(vpc_id, {}).values()
    gateways = self.ec2_backend.internet_gateways.values()
    if any(not each.is_default for each in groups) or any(each.vpc and each.vpc.id == vpc_id for each in gateways):
        raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    return original(self)


@replace(EC2Response)
def delete_subnet(original, self):
    subnet_id = self._get_param("SubnetId")
    balancers = elbv2_backends[self.current_account][self.region].load_balancers.values()
    if any(
        instance.subnet_id == subnet_id and instance.state != "terminated"
        for instance in self.ec2_backend.all_instances()
    ) or any(subnet_id in [each.id for each in balancer.subnets] for balancer in balancers):
        raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    return original(self)
