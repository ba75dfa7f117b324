# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What Elastic Load Balancing says of what is gone (gaps/elbv2_not_found.py)."""

import pytest
from botocore.exceptions import ClientError


def test_what_is_gone_is_not_found(aws):
    aws.balancer()
    balancer = aws.elbv2.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    listener = aws.elbv2.describe_listeners(LoadBalancerArn=balancer)["Listeners"][0]["ListenerArn"]
    group = aws.elbv2.describe_target_groups()["TargetGroups"][0]["TargetGroupArn"]
    rules = [
        aws.elbv2.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "Values": [f"/{priority}"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": group}],
        )["Rules"][0]["RuleArn"]
        for priority in (1, 2)
    ]
    default = next(r["RuleArn"] for r in aws.elbv2.describe_rules(ListenerArn=listener)["Rules"] if r["IsDefault"])
    everything = [balancer, listener, group, *rules, default]
    described = aws.elbv2.describe_tags(ResourceArns=everything)["TagDescriptions"]
    assert [d["ResourceArn"] for d in described] == everything

    aws.elbv2.delete_rule(RuleArn=rules[0])
    for call, given in ((aws.elbv2.describe_tags, {"ResourceArns": everything}), (aws.elbv2.delete_rule, {"RuleArn": rules[0]})):
        with pytest.raises(ClientError, match="RuleNotFound"):
            call(**given)
    assert len(aws.elbv2.describe_tags(ResourceArns=[balancer, rules[1]])["TagDescriptions"]) == 2

    # A listener takes its rules along. (aws.balancer() made the balancer, and nothing else is on it.)
    for delete, arn, code in (
        (lambda: aws.elbv2.delete_listener(ListenerArn=listener), rules[1], "RuleNotFound"),
        (lambda: None, listener, "ListenerNotFound"),
        (lambda: aws.elbv2.delete_target_group(TargetGroupArn=group), group, "TargetGroupNotFound"),
        (lambda: aws.elbv2.delete_load_balancer(LoadBalancerArn=balancer), balancer, "LoadBalancerNotFound"),
    ):
        delete()
        with pytest.raises(ClientError, match=code):
            aws.elbv2.describe_tags(ResourceArns=[arn])
