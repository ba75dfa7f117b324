# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What is gone is not found: moto 5.2.5 answers DescribeTags of it with no tags, and DeleteRule with success.

Elastic Load Balancing refuses both, and DescribeTags as a whole where one of several is gone
(https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html, and API_DeleteRule.html).
"""

from moto.elbv2.exceptions import (
    ELBClientError,
    ListenerNotFoundError,
    LoadBalancerNotFoundError,
    RuleNotFoundError,
    TargetGroupNotFoundError,
)
from moto.elbv2.models import ELBv2Backend

from embedded_endpoint.gaps.patching import replace

#: The error by what an ARN names. moto's own look-up says for a rule whose listener is gone that the listener is.
ERRORS = {
    "loadbalancer": LoadBalancerNotFoundError,
    "targetgroup": TargetGroupNotFoundError,
    "listener": ListenerNotFoundError,
    "listener-rule": RuleNotFoundError,
}


def _expect(backend: ELBv2Backend, arn: str) -> None:
    """Raise the error of its kind where there is no such load balancer, target group, listener or rule."""
    kind = arn.split(":")[-1].split("/")[0]
    if kind not in ERRORS or (kind == "listener-rule" and _is_default(backend, arn)):
        return
    try:
        backend._get_resource_by_arn(arn)
    except ELBClientError:
        raise ERRORS[kind]() from None


def _is_default(backend: ELBv2Backend, arn: str) -> bool:
    """Tell whether an ARN is that of a listener's default rule, which moto's own look-up leaves out."""
    listeners = (listener for balancer in backend.load_balancers.values() for listener in balancer.listeners.values())
    return any(rule.arn == arn for listener in listeners for rule in listener._default_rule.values())


@replace(ELBv2Backend)
def describe_tags(original, self, resource_arns):
    for arn in resource_arns:
        _expect(self, arn)
    return original(self, resource_arns)


@replace(ELBv2Backend)
def delete_rule(original, self, arn):
    _expect(self, arn)
    return original(self, arn)
