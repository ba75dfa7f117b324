# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from ansible_collections.handson.ecs.plugins.module_utils.load_balancers import NO_SERVICE
from modules.harness import Failed, contract, run

OWNER = {"handson:cluster": "petclinic-rest-cluster", "handson:service": "petclinic-rest-service"}
OPTIONS = {"load_balancer": "petclinic-rest-alb", "target_group": "petclinic-rest-target", "owner": OWNER}


@pytest.fixture
def account(aws, alb):
    """A load balancer with a free listener and two target groups; returns their ARNs by name."""
    elbv2 = aws("elbv2")
    free = NO_SERVICE
    listener = elbv2.create_listener(
        LoadBalancerArn=alb["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[free]
    )["Listeners"][0]["ListenerArn"]
    arns = {"listener": listener}
    for name in ("petclinic-rest-target", "other-target"):
        tags = [{"Key": k, "Value": v} for k, v in OWNER.items()] if name != "other-target" else [{"Key": "a", "Value": "b"}]
        made = elbv2.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=alb["VpcId"], Tags=tags)
        arns[name] = made["TargetGroups"][0]["TargetGroupArn"]
    return arns


@pytest.fixture
def default_action(aws, account):
    return lambda: aws("elbv2").describe_listeners(ListenerArns=[account["listener"]])["Listeners"][0]["DefaultActions"][0]


@pytest.fixture
def rule(aws, account):
    def rule():
        rules = aws("elbv2").describe_rules(ListenerArn=account["listener"])["Rules"]
        return next((r for r in rules if not r["IsDefault"]), None)

    return rule


def test_default_action_contract(default_action):
    contract(
        "listener_rule",
        OPTIONS,
        lambda: default_action() if default_action()["Type"] == "forward" else None,
    )


def paths(rule):
    return rule["Conditions"][0]["PathPatternConfig"]["Values"]


def test_rule_contract(rule):
    contract(
        "listener_rule",
        {**OPTIONS, "priority": "1", "paths": ["/api/users*"]},
        rule,
        changes=[
            ({"paths": ["/api/users", "/api/users/*"]}, lambda r: sorted(paths(r)), ["/api/users", "/api/users/*"]),
            ({"priority": "7"}, lambda r: r["Priority"], "7"),
            ({"hosts": ["api.example.org"]}, lambda r: len(r["Conditions"]), 2),
        ],
    )


def test_a_move_from_the_default_action_to_a_rule_and_back(default_action, rule):
    run("listener_rule", **OPTIONS)
    as_rule = {**OPTIONS, "priority": "1", "paths": ["/api/*"]}
    assert run("listener_rule", **as_rule)["changed"]
    assert default_action()["Type"] == "fixed-response" and rule()["Priority"] == "1"
    assert not run("listener_rule", **as_rule)["changed"]
    assert run("listener_rule", **OPTIONS)["changed"]
    assert default_action()["Type"] == "forward" and rule() is None
    assert not run("listener_rule", **OPTIONS)["changed"]


def test_a_default_action_that_forwards_elsewhere_is_refused(aws, account, default_action):
    other = [{"Type": "forward", "TargetGroupArn": account["other-target"]}]
    aws("elbv2").modify_listener(ListenerArn=account["listener"], DefaultActions=other)
    with pytest.raises(Failed, match="not free"):
        run("listener_rule", **OPTIONS)
    assert not run("listener_rule", **OPTIONS, state="absent")["changed"]
    assert default_action()["TargetGroupArn"] == account["other-target"]


def test_a_default_action_of_the_same_service_is_taken_over(aws, account, default_action):
    elbv2 = aws("elbv2")
    elbv2.add_tags(ResourceArns=[account["other-target"]], Tags=[{"Key": k, "Value": v} for k, v in OWNER.items()])
    other = [{"Type": "forward", "TargetGroupArn": account["other-target"]}]
    elbv2.modify_listener(ListenerArn=account["listener"], DefaultActions=other)
    assert run("listener_rule", **OPTIONS)["changed"]
    assert default_action()["TargetGroupArn"] == account["petclinic-rest-target"]


def test_a_taken_priority_is_refused(aws, account):
    aws("elbv2").create_rule(
        ListenerArn=account["listener"],
        Priority=1,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/x"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": account["other-target"]}],
    )
    with pytest.raises(Failed, match="Priority 1 .* is taken"):
        run("listener_rule", **OPTIONS, priority="1", paths=["/api/*"])


def test_an_empty_account_is_known_after_apply(aws):
    assert run("listener_rule", check=True, **OPTIONS)["changed"]
    with pytest.raises(Failed, match="playbooks/load_balancer.yml"):
        run("listener_rule", **OPTIONS)
    assert not run("listener_rule", **OPTIONS, state="absent")["changed"]


def test_a_foreign_load_balancer_is_not_touched(aws, account, default_action):
    owner = {"handson:cluster": "petclinic-rest-cluster"}
    with pytest.raises(Failed, match="load balancer 'petclinic-rest-alb' is not ours"):
        run("listener_rule", **OPTIONS, load_balancer_owner=owner)
    assert default_action()["Type"] == "fixed-response"
    arn = aws("elbv2").describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    aws("elbv2").add_tags(ResourceArns=[arn], Tags=[{"Key": k, "Value": v} for k, v in owner.items()])
    assert run("listener_rule", **OPTIONS, load_balancer_owner=owner)["changed"]


def test_a_listener_that_somebody_made_by_hand_survives_a_teardown(aws, account, default_action):
    """They did the tutorial in the console: the same names, and none of our tags."""
    elbv2 = aws("elbv2")
    group = account["petclinic-rest-target"]
    elbv2.remove_tags(ResourceArns=[group], TagKeys=list(OWNER))
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    elbv2.modify_listener(ListenerArn=account["listener"], DefaultActions=forward)
    assert run("listener_rule", **OPTIONS, state="absent")["foreign"]
    assert default_action()["TargetGroupArn"] == group
    with pytest.raises(Failed, match="not ours"):
        run("listener_rule", **OPTIONS)


def test_a_page_that_somebody_put_there_is_not_free(aws, account):
    page = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503", "MessageBody": "Back at noon."}}]
    aws("elbv2").modify_listener(ListenerArn=account["listener"], DefaultActions=page)
    with pytest.raises(Failed, match="not free"):
        run("listener_rule", **OPTIONS)


def test_a_move_to_another_listener_leaves_the_first(aws, account, alb, rule, default_action):
    """As when a certificate makes 443 of 80: a rule that stays on 80 would beat the redirect there."""
    as_rule = {**OPTIONS, "priority": "1", "paths": ["/api/*"]}
    run("listener_rule", **as_rule)
    aws("elbv2").create_listener(
        LoadBalancerArn=alb["LoadBalancerArn"], Protocol="HTTP", Port=8080, DefaultActions=[NO_SERVICE]
    )
    assert run("listener_rule", **as_rule, port=8080)["changed"]
    assert rule() is None
    assert not run("listener_rule", **as_rule, port=8080)["changed"]
    assert run("listener_rule", **OPTIONS, port=80, state="absent")["changed"], "what hangs elsewhere goes as well"
    aws("elbv2").delete_target_group(TargetGroupArn=account["petclinic-rest-target"])  # refused while in use
