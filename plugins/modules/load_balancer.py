#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: load_balancer
version_added: 0.1.0
short_description: Keep an application load balancer and its listener
description:
  - Makes, changes and deletes an application load balancer with a listener for services to hang on.
  - A listener's default action and its rules belong to the services (M(handson.ecs.listener_rule)); this module makes
    a listener that answers 404 and leaves those alone. M(amazon.aws.elb_application_lb) keeps listeners, default
    actions and rules as one thing, so that a service could not own its place on a shared listener.
  - Where O(certificate_arn) comes or goes, or O(listener_port) changes, the listener that services are to hang on takes
    over the default action and the rules of the one of before, as far as they forward or give a fixed response, and only
    then that one redirects or is deleted. So what services answer is answered all the time, and where the new listener
    can't be made, nothing has changed. Their own places are then what M(handson.ecs.listener_rule) moves.
  - Of a listener that stays, the rules that do not carry O(owner) are not taken over. A rule whose priority another rule
    has on the new listener is refused before anything is changed, in check mode, too.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name, at most 32 letters, digits and hyphens.
    type: str
    required: true
  network:
    description:
      - Which VPC and subnets to use, as the role C(naming) composes it.
      - A dictionary of C(mode) (V(default), V(existing) or V(create)), C(vpc_id), C(subnet_ids), C(name) and C(owner).
    type: dict
    default: {}
  scheme:
    description: Whether the internet can reach it.
    type: str
    choices: [internet-facing, internal]
    default: internet-facing
  ip_address_type:
    description: IP versions it listens on.
    type: str
    choices: [ipv4, dualstack]
    default: ipv4
  security_groups:
    description: Names of its security groups.
    type: list
    elements: str
    default: []
  listener_port:
    description: Port of the HTTP listener.
    type: int
    default: 80
  certificate_arn:
    description:
      - ARN of a certificate in ACM. With one there is an HTTPS listener on port 443, and the HTTP listener redirects
        to it.
    type: str
  ssl_policy:
    description: Security policy of the HTTPS listener.
    type: str
    default: ELBSecurityPolicy-TLS13-1-2-2021-06
  idle_timeout:
    description: Seconds after which an idle connection is closed.
    type: int
    default: 60
  deletion_protection:
    description: Refuse to be deleted. O(state=absent) clears it first.
    type: bool
    default: false
  drop_invalid_header_fields:
    description: Drop HTTP headers with invalid names instead of passing them to the targets.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Keep the load balancer
  handson.ecs.load_balancer:
    name: petclinic-rest-alb
    network: {mode: default}
    security_groups: [petclinic-rest-alb-sg]
"""

RETURN = r"""
load_balancer:
  description: The load balancer in the names of the options, with its ARN and DNS name.
  returned: always
  type: dict
  sample: {name: petclinic-rest-alb, dns_name: petclinic-rest-alb-123.ap-southeast-1.elb.amazonaws.com}
"""

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import load_balancers as convert
from ansible_collections.handson.ecs.plugins.module_utils import names
from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    Resource,
    ResourceError,
    argument_spec,
    ignore_missing,
)

ATTRIBUTES = ("idle_timeout", "deletion_protection", "drop_invalid_header_fields")


class LoadBalancer(Resource):
    kind = "load balancer"
    result_key = "load_balancer"
    immutable = frozenset({"scheme"})
    exists_codes = ("DuplicateLoadBalancerName",)

    def get(self):
        elbv2 = self.client("elbv2")
        found = ignore_missing(lambda: elbv2.describe_load_balancers(Names=[self.name]), "LoadBalancerNotFound")
        if not found or not found["LoadBalancers"]:
            return None
        balancer = found["LoadBalancers"][0]
        arn = balancer["LoadBalancerArn"]
        if self.params["state"] == "absent":
            self._listeners = {}
        else:
            self._listeners = {x["Port"]: x for x in elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]}
        arns = [arn, *(x["ListenerArn"] for x in self._listeners.values())]
        tags = convert.tags_of(elbv2, arns)
        ours = self.params["owner"].items()
        return {
            "name": balancer["LoadBalancerName"],
            "arn": arn,
            "dns_name": balancer["DNSName"],
            "vpc_id": balancer["VpcId"],
            "scheme": balancer.get("Scheme", "internet-facing"),
            "ip_address_type": balancer["IpAddressType"],
            "subnets": sorted(z["SubnetId"] for z in balancer["AvailabilityZones"]),
            "security_groups": self._group_names(balancer.get("SecurityGroups") or []),
            # Listeners on other ports are somebody else's unless they carry our tags.
            "listeners": {
                str(port): convert.listener_from_aws(listener)
                for port, listener in sorted(self._listeners.items())
                if port in self._wanted_listeners or ours <= tags.get(listener["ListenerArn"], {}).items()
            },
            "tags": tags.get(arn, {}),
            **convert.attributes_from_aws(elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]),
        }

    def desired(self, current):
        rows = self.resolve(lambda: names.subnets(self.client("ec2"), self.params["network"]))
        listeners = {str(port): listener for port, listener in sorted(self._wanted_listeners.items())}
        if current and current["listeners"] != listeners:
            self._copies({int(port): self._listeners[int(port)] for port in current["listeners"]})  # may refuse
        return {
            **self.given("name", "scheme", "ip_address_type", *ATTRIBUTES),
            "subnets": sorted(r["id"] for r in rows) if isinstance(rows, list) else rows,
            "security_groups": sorted(self.params["security_groups"]),
            "listeners": listeners,
        }

    def create(self, desired):
        made = self.client("elbv2").create_load_balancer(
            Name=self.name,
            Type="application",
            Scheme=desired["scheme"],
            IpAddressType=desired["ip_address_type"],
            Subnets=desired["subnets"],
            SecurityGroups=self._group_ids(),
            **convert.tags_parameter(desired.get("tags")),
        )
        arn = made["LoadBalancers"][0]["LoadBalancerArn"]
        self._listeners = {}
        self._set_attributes(arn, desired)
        self._set_listeners(arn, desired)

    def update(self, current, desired, changes):
        elbv2, arn = self.client("elbv2"), current["arn"]
        if "ip_address_type" in changes:
            elbv2.set_ip_address_type(LoadBalancerArn=arn, IpAddressType=desired["ip_address_type"])
        if "subnets" in changes:
            elbv2.set_subnets(LoadBalancerArn=arn, Subnets=desired["subnets"])
        if "security_groups" in changes:
            elbv2.set_security_groups(LoadBalancerArn=arn, SecurityGroups=self._group_ids())
        if changes & set(ATTRIBUTES):
            self._set_attributes(arn, {k: desired[k] for k in changes & set(ATTRIBUTES)})
        if "listeners" in changes:
            self._set_listeners(arn, desired, ours=[int(port) for port in current["listeners"]])
        if "tags" in changes:
            elbv2.add_tags(ResourceArns=[arn], Tags=dict_to_tags(desired["tags"]))

    def delete(self, current):
        elbv2, arn = self.client("elbv2"), current["arn"]
        if current["deletion_protection"]:
            self._set_attributes(arn, {"deletion_protection": False})
        elbv2.delete_load_balancer(LoadBalancerArn=arn)  # its listeners and rules go with it

    @property
    def _wanted_listeners(self):
        p = self.params
        return convert.wanted_listeners(p["listener_port"], p["certificate_arn"], p["ssl_policy"])

    @property
    def _heir(self):
        """The port of the listener that services are to hang on."""
        return next(port for port, listener in self._wanted_listeners.items() if not listener.get("redirect"))

    def _group_names(self, ids):
        if not ids or self.params["state"] == "absent":
            return ids
        groups = self.client("ec2").describe_security_groups(GroupIds=ids)["SecurityGroups"]
        return sorted(g["GroupName"] for g in groups)

    def _group_ids(self):
        if not self.params["security_groups"]:
            return []
        vpc = names.subnets(self.client("ec2"), self.params["network"])[0]["vpc_id"]
        return list(names.security_group_ids(self.client("ec2"), self.params["security_groups"], vpc).values())

    def _set_attributes(self, arn, options):
        self.client("elbv2").modify_load_balancer_attributes(
            LoadBalancerArn=arn, Attributes=convert.attributes_to_aws(options)
        )

    def _set_listeners(self, arn, desired, ours=()):
        """Make and change the listeners so that what services answer now is answered all the time.

        `ours` are the ports of those of before. The one that services should hang on takes over what they hang on now,
        before that is redirected or deleted. And all are made before one is changed: making one with a certificate that
        isn't validated fails.
        """
        elbv2, wanted, heir = self.client("elbv2"), self._wanted_listeners, self._heir
        before = {port: self._listeners[port] for port in ours}
        inherited = convert.inherited(before, heir)
        ports = sorted(wanted, key=lambda port: port != heir)  # nothing is led to a port before that answers
        arns = {port: there["ListenerArn"] for port, there in self._listeners.items()}
        for port in ports:
            if port not in self._listeners:
                made = elbv2.create_listener(
                    LoadBalancerArn=arn,
                    DefaultActions=inherited if port == heir else [convert.REDIRECT],
                    **convert.listener_to_aws(port, wanted[port]),
                    **convert.tags_parameter(desired.get("tags")),
                )
                arns[port] = made["Listeners"][0]["ListenerArn"]
        self._copy_rules(before, arns[heir])
        for port in ports:
            there, parameters = self._listeners.get(port), {}
            if there and convert.listener_from_aws(there) != wanted[port]:
                parameters = convert.listener_to_aws(port, wanted[port])
                if wanted[port].get("redirect"):
                    parameters["DefaultActions"] = [convert.REDIRECT]
            if there and port == heir and convert.takes_over(there, inherited):
                parameters["DefaultActions"] = inherited
            if parameters:
                elbv2.modify_listener(ListenerArn=there["ListenerArn"], **parameters)
        for port in set(before) - set(wanted):
            ignore_missing(lambda port=port: elbv2.delete_listener(ListenerArn=arns[port]), "ListenerNotFound")

    def _copy_rules(self, before, heir):
        """Put the rules of `before` on the listener that takes their place. Their services move one by one, and later."""
        elbv2, missed = self.client("elbv2"), False
        for copy in self._copies(before, heir):
            try:
                made = ignore_missing(lambda copy=copy: elbv2.create_rule(ListenerArn=heir, **copy), "PriorityInUse")
            except is_boto3_error_code("TooManyRules"):
                raise ResourceError(
                    f"The load balancer {self.name!r} has as many rules as AWS allows it (TooManyRules), and while its "
                    f"services move to port {self._heir}, their rules stand on both listeners. All that was answered before "
                    "still is. Ask for a higher quota, `Rules per Application Load Balancer` of Elastic Load Balancing in "
                    f"Service Quotas, and run again. Or let services move now, since port {self._heir} listens already: "
                    "each that moves frees a rule (ansible-playbook playbooks/service.yml). Then run this again."
                ) from None
            missed = missed or made is None
        if missed:
            self._copies(before, heir)  # ours, of a first try whose answer was lost; anybody else's is told

    def _copies(self, before, heir=None):
        """Return the rules that are yet to be put on the listener that takes the place of `before`, for CreateRule.

        That is all of a listener that is deleted, and of one that stays those of the cluster. `heir` is its ARN, unless
        it stood before. Raises ResourceError where another rule has the priority of one of them: that would be gone with
        its listener.
        """
        elbv2, port = self.client("elbv2"), self._heir
        found = [
            (other, rule)
            for other in convert.predecessors(before, port)
            for rule in convert.rules_of(elbv2, before[other]["ListenerArn"])
            if convert.portable(rule["Actions"])
        ]
        heir = heir or self._listeners.get(port, {}).get("ListenerArn")
        taken = {r["Priority"]: (port, r) for r in convert.rules_of(elbv2, heir)} if found and heir else {}
        named = [rule["RuleArn"] for _port, rule in found]
        named += [taken[r["Priority"]][1]["RuleArn"] for _port, r in found if r["Priority"] in taken]
        tags, ours, copies = convert.tags_of(elbv2, dict.fromkeys(named)), self.params["owner"].items(), []
        for other, rule in found:
            has, stays = tags.get(rule["RuleArn"]), other in self._wanted_listeners
            if has is None or (stays and not ours <= has.items()):
                continue  # gone meanwhile, or not ours, and stays
            at, there = taken.setdefault(rule["Priority"], (other, rule))
            if there is rule:
                copies.append(convert.copied_rule(rule, has))
                continue
            theirs = tags.get(there["RuleArn"], {})
            moving = stays and ours <= theirs.items() and has.get("handson:service") == theirs.get("handson:service")
            # The same is what a run that was cut short has copied; that of the same service is what has moved meanwhile.
            if not moving and not convert.same_rule(rule, there):
                raise ResourceError(
                    f"The rules of the load balancer {self.name!r} are to move to port {port}, and two have the priority "
                    f"{rule['Priority']}: {convert.rule_text(other, rule, has)}, and {convert.rule_text(at, there, theirs)}. "
                    "No listener was changed. Give a service another target_group_rule_priority and move it "
                    "(ansible-playbook playbooks/service.yml), or take one of them away. Then run this again."
                )
        return copies


def main():
    spec = argument_spec(
        name={"type": "str", "required": True},
        network={"type": "dict", "default": {}},
        scheme={"type": "str", "choices": ["internet-facing", "internal"], "default": "internet-facing"},
        ip_address_type={"type": "str", "choices": ["ipv4", "dualstack"], "default": "ipv4"},
        security_groups={"type": "list", "elements": "str", "default": []},
        listener_port={"type": "int", "default": 80},
        certificate_arn={"type": "str"},
        ssl_policy={"type": "str", "default": "ELBSecurityPolicy-TLS13-1-2-2021-06"},
        idle_timeout={"type": "int", "default": 60},
        deletion_protection={"type": "bool", "default": False},
        drop_invalid_header_fields={"type": "bool", "default": True},
    )
    LoadBalancer(AnsibleAWSModule(argument_spec=spec, supports_check_mode=True)).run()


if __name__ == "__main__":
    main()
