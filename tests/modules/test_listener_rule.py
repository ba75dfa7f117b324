# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from ansible_collections.handson.ecs.plugins.module_utils.load_balancers import HELD_HEADER, NO_SERVICE, REDIRECT
from modules.aws_calls import operations, recorded
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


def test_a_priority_that_another_service_of_ours_has_names_it_and_the_way(aws, account):
    aws("elbv2").create_rule(
        ListenerArn=account["listener"],
        Priority=1,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/x"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": account["other-target"]}],
        Tags=[{"Key": k, "Value": v} for k, v in {**OWNER, "handson:service": "vets"}.items()],
    )
    said = "Priority 1 .* is taken by the rule of the service 'vets' of the same cluster.*give 'vets' a free number first"
    with pytest.raises(Failed, match=said):
        run("listener_rule", **OPTIONS, priority="1", paths=["/api/*"])


@pytest.fixture
def by_hand(aws, account):
    """Make a rule that forwards to our target group, beside the module."""

    def by_hand(priority, tags=()):
        aws("elbv2").create_rule(
            ListenerArn=account["listener"],
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": [f"/{priority}"]}}],
            Actions=[{"Type": "forward", "TargetGroupArn": account["petclinic-rest-target"]}],
            Tags=[{"Key": k, "Value": v} for k, v in {"made": "by hand", **dict(tags)}.items()],
        )

    return by_hand


def test_every_rule_that_forwards_to_the_target_group_goes(aws, account, by_hand, rule):
    by_hand(1)  # stands before ours, and must not be taken for it
    as_rule = {**OPTIONS, "priority": "5", "paths": ["/5"]}
    by_hand(5, tags=OWNER)
    assert not run("listener_rule", **as_rule)["changed"]
    by_hand(7)
    assert run("listener_rule", check=True, **as_rule, state="absent")["changed"] and rule()
    assert run("listener_rule", **as_rule, state="absent")["changed"] and rule() is None
    assert not run("listener_rule", **as_rule, state="absent")["changed"]
    aws("elbv2").delete_target_group(TargetGroupArn=account["petclinic-rest-target"])  # refused while in use


def test_rules_that_nobody_tagged_stay(by_hand, rule):
    by_hand(1), by_hand(2)
    assert run("listener_rule", **AS_RULE, state="absent")["foreign"] and rule()


def test_a_target_group_of_an_earlier_vpc_is_refused_with_the_way_out(aws, account, default_action):
    elbv2 = aws("elbv2")
    elbv2.delete_target_group(TargetGroupArn=account["petclinic-rest-target"])
    vpc = aws("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    tags = [{"Key": k, "Value": v} for k, v in OWNER.items()]
    elbv2.create_target_group(Name="petclinic-rest-target", Protocol="HTTP", Port=80, VpcId=vpc, Tags=tags)
    for options in (OPTIONS, AS_RULE):
        for check in (True, False):
            with recorded() as calls, pytest.raises(Failed, match=f"is in {vpc}, .*playbooks/teardown_service.yml"):
                run("listener_rule", check=check, **options)
            assert all(name.startswith("Describe") for name in operations(calls))
    assert default_action()["Type"] == "fixed-response"
    assert not run("listener_rule", **OPTIONS, state="absent")["changed"]


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


# --- made before its service is steady, and opened afterwards

AS_RULE = {**OPTIONS, "priority": "1", "paths": ["/api/users*"]}
HELD = [{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": HELD_HEADER, "Values": ["petclinic-rest-target"]}}]


def conditions(rule):
    """The conditions by field, as AWS has them."""
    return {c["Field"]: c.get("HttpHeaderConfig") or c["PathPatternConfig"]["Values"] for c in rule["Conditions"]}


def test_a_new_rule_is_held_until_it_is_opened(aws, account, rule):
    hold, opened = {**AS_RULE, "phase": "hold"}, {**AS_RULE, "phase": "open"}
    foreseen = [run("listener_rule", check=True, **options) for options in (hold, opened)]
    assert rule() is None, "check mode made something"

    held = run("listener_rule", **hold)
    assert held["changed"] and not held["settled"] and held["listener_rule"]["held"]
    header = {"HttpHeaderName": HELD_HEADER, "Values": ["petclinic-rest-target"]}
    assert conditions(rule()) == {"path-pattern": ["/api/users*"], "http-header": header} and rule()["Priority"] == "1"
    for again in (run("listener_rule", check=True, **hold), run("listener_rule", **hold)):
        assert not again["changed"] and not again["settled"]
    assert conditions(rule())["http-header"] == header, "what is held stays held, as after a run that was cut short"

    now = run("listener_rule", **opened)
    assert now["changed"] and now["settled"] and not now["listener_rule"]["held"]
    assert conditions(rule()) == {"path-pattern": ["/api/users*"]}
    for phase in ("hold", "open", "whole"):
        again = run("listener_rule", **{**AS_RULE, "phase": phase})
        assert not again["changed"] and again["settled"]

    # A check of both steps on an empty listener says what they then do.
    for before, after in zip(foreseen, (held, now), strict=True):
        assert (before["changed"], before["diff"], before["settled"]) == (after["changed"], after["diff"], after["settled"])


def test_what_is_there_already_waits_for_the_second_step(aws, account, rule):
    run("listener_rule", **AS_RULE)
    moved = {**AS_RULE, "priority": "7", "paths": ["/api/users", "/api/users/*"], "tags": {"team": "vets"}}
    first = run("listener_rule", **moved, phase="hold")
    assert not first["changed"] and not first["settled"] and rule()["Priority"] == "1" and paths(rule()) == ["/api/users*"]
    foreseen = run("listener_rule", check=True, **moved, phase="open")
    second = run("listener_rule", **moved, phase="open")
    assert second["changed"] and second["diff"] == foreseen["diff"]
    assert rule()["Priority"] == "7" and sorted(paths(rule())) == ["/api/users", "/api/users/*"]
    assert run("listener_rule", **moved, phase="hold")["settled"]


def test_the_default_action_has_one_step(default_action):
    assert run("listener_rule", **OPTIONS, phase="hold")["settled"]
    assert default_action()["Type"] == "forward"
    again = run("listener_rule", **OPTIONS, phase="open")
    assert not again["changed"] and again["settled"]


def test_a_move_off_the_default_action_waits_for_the_second_step(default_action, rule):
    run("listener_rule", **OPTIONS)
    first = run("listener_rule", **AS_RULE, phase="hold")
    assert not first["changed"] and not first["settled"]
    assert default_action()["Type"] == "forward" and rule() is None
    assert run("listener_rule", **AS_RULE, phase="open")["changed"]
    assert default_action()["Type"] == "fixed-response" and paths(rule()) == ["/api/users*"]


def test_a_move_to_another_listener_leaves_the_first_in_the_second_step(aws, account, alb, rule):
    run("listener_rule", **AS_RULE)
    aws("elbv2").create_listener(
        LoadBalancerArn=alb["LoadBalancerArn"], Protocol="HTTP", Port=8080, DefaultActions=[NO_SERVICE]
    )
    there = {**AS_RULE, "port": 8080}
    foreseen = [run("listener_rule", check=True, **there, phase=phase) for phase in ("hold", "open")]
    held = run("listener_rule", **there, phase="hold")
    assert held["changed"] and paths(rule()) == ["/api/users*"], "it goes on answering where it did"
    opened = run("listener_rule", **there, phase="open")
    assert opened["changed"] and rule() is None
    assert [f["diff"] for f in foreseen] == [held["diff"], opened["diff"]]
    assert run("listener_rule", **there, phase="hold")["settled"]


@pytest.mark.parametrize("phase", ["hold", "open"])
def test_a_held_rule_of_somebody_else_is_refused(aws, account, rule, phase):
    aws("elbv2").create_rule(
        ListenerArn=account["listener"],
        Priority=1,
        Conditions=HELD,
        Actions=[{"Type": "forward", "TargetGroupArn": account["other-target"]}],
    )
    for check in (True, False):
        with pytest.raises(Failed, match="Priority 1 .* is taken"):
            run("listener_rule", check=check, **AS_RULE, phase=phase)
    assert conditions(rule()).keys() == {"http-header"}


def test_a_renamed_target_group_is_turned_to_at_once_and_what_is_held_stays_held(aws, account, rule):
    """ECS takes a target group only when it hangs on a listener."""
    elbv2 = aws("elbv2")
    elbv2.add_tags(ResourceArns=[account["other-target"]], Tags=[{"Key": k, "Value": v} for k, v in OWNER.items()])
    run("listener_rule", **AS_RULE, phase="hold")
    renamed = {**AS_RULE, "target_group": "other-target", "phase": "hold"}
    assert run("listener_rule", check=True, **renamed)["changed"]
    first = run("listener_rule", **renamed)
    assert first["changed"] and not first["settled"]
    assert rule()["Actions"][0]["TargetGroupArn"] == account["other-target"] and "http-header" in conditions(rule())
    assert run("listener_rule", **{**renamed, "phase": "open"})["changed"]
    assert conditions(rule()).keys() == {"path-pattern"}


def test_five_paths_are_all_there_once_it_is_open(rule):
    five = {**AS_RULE, "paths": [f"/{n}" for n in range(5)]}
    run("listener_rule", **five, phase="hold")
    assert len(paths(rule())) == 4, "AWS takes five values in a rule, and the header is one"
    assert run("listener_rule", **five, phase="open")["changed"]
    assert sorted(paths(rule())) == five["paths"]


def test_a_held_rule_goes_like_any_other(rule):
    run("listener_rule", **AS_RULE, phase="hold")
    assert run("listener_rule", **AS_RULE, state="absent")["changed"] and rule() is None


def test_taking_the_default_action_gives_a_held_rule_up(default_action, rule):
    run("listener_rule", **AS_RULE, phase="hold")
    assert run("listener_rule", **OPTIONS, phase="hold")["changed"]
    assert default_action()["Type"] == "forward" and rule() is None


def test_an_empty_account_foresees_both_steps(aws):
    held = run("listener_rule", check=True, **AS_RULE, phase="hold")
    opened = run("listener_rule", check=True, **AS_RULE, phase="open")
    assert held["diff"]["after"]["held"] is True and held["diff"]["before"] == {}
    assert opened["diff"]["before"] == held["diff"]["after"] and "held" not in opened["diff"]["after"]


def test_a_priority_is_a_number(aws, account, rule):
    run("listener_rule", **AS_RULE)
    assert not run("listener_rule", **{**AS_RULE, "priority": " 01"})["changed"]
    with pytest.raises(Failed, match="'first' is no priority.*target_group_rule_priority"):
        run("listener_rule", **{**AS_RULE, "priority": "first"})


def test_a_lost_reply_of_a_held_rule_is_no_failure(rule):
    def lost(real, parameters):
        real()
        return real()  # the SDK's second try, which finds the priority taken

    with recorded(CreateRule=lost):
        held = run("listener_rule", **AS_RULE, phase="hold")
    assert held["changed"] and not held["settled"] and "http-header" in conditions(rule())


def test_a_change_of_everything_in_a_rule_is_one_call_beside_its_priority(rule):
    run("listener_rule", **AS_RULE, phase="hold")
    with recorded() as calls:
        run("listener_rule", **{**AS_RULE, "priority": "2", "paths": ["/x"], "hosts": ["a.example.com"]}, phase="open")
    writes = [c for c in operations(calls) if not c.startswith("Describe")]
    assert writes == ["SetRulePriorities", "ModifyRule"], "it is opened where it is to stay"


def test_calls_of_a_rule_that_is_as_it_should_be(rule):
    run("listener_rule", **AS_RULE)
    with recorded() as calls:
        assert run("listener_rule", **AS_RULE, phase="hold")["settled"]
    assert sorted(operations(calls)) == [
        "DescribeListeners", "DescribeLoadBalancers", "DescribeRules", "DescribeTags", "DescribeTargetGroups"
    ]  # fmt: skip


# --- beside other services, which come and go on the same listener

NEIGHBOUR = {**OPTIONS, "target_group": "other-target", "owner": {**OWNER, "handson:service": "vets"}}


@pytest.fixture
def neighbours(aws, account):
    """Two rules of other services of the same cluster, and what takes the first away; all beside the module."""
    elbv2 = aws("elbv2")
    arns = []
    for priority in (3, 4):
        made = elbv2.create_rule(
            ListenerArn=account["listener"],
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": [f"/{priority}"]}}],
            Actions=[{"Type": "forward", "TargetGroupArn": account["other-target"]}],
            Tags=[{"Key": k, "Value": v} for k, v in NEIGHBOUR["owner"].items()],
        )
        arns.append(made["Rules"][0]["RuleArn"])

    def leaves(real, parameters):
        if arns[0] in parameters.get("ResourceArns", arns):
            first = [r for r in elbv2.describe_rules(ListenerArn=account["listener"])["Rules"] if r["RuleArn"] == arns[0]]
            for gone in first:
                elbv2.delete_rule(RuleArn=gone["RuleArn"])
        return real()

    leaves.arns = arns
    return leaves


@pytest.mark.parametrize(
    "options",
    [
        {**AS_RULE, "state": "absent"},
        {**AS_RULE, "phase": "hold"},
        {**AS_RULE, "phase": "open"},
        {**AS_RULE, "priority": "9"},
        OPTIONS,  # gives its rule up for the default action
    ],
    ids=["absent", "hold", "open", "renumbered", "default"],
)
def test_a_rule_of_another_service_that_goes_between_two_calls_is_no_failure(aws, account, rule, neighbours, options):
    run("listener_rule", **AS_RULE)
    with recorded(DescribeTags=neighbours):
        run("listener_rule", **options)
    left = {r["RuleArn"] for r in aws("elbv2").describe_rules(ListenerArn=account["listener"])["Rules"]}
    assert neighbours.arns[0] not in left and neighbours.arns[1] in left
    assert not run("listener_rule", **options)["changed"]


@pytest.mark.parametrize("options", [{**AS_RULE, "state": "absent"}, OPTIONS], ids=["absent", "default"])
def test_a_lost_reply_of_a_deleted_rule_is_no_failure(rule, options):
    def lost(real, parameters):
        real()
        return real()  # the SDK's second try, which finds it gone

    run("listener_rule", **AS_RULE)
    with recorded(DeleteRule=lost):
        assert run("listener_rule", **options)["changed"]
    assert rule() is None


def test_a_lost_reply_of_a_deleted_rule_of_another_listener_is_no_failure(aws, alb, rule):
    def lost(real, parameters):
        real()
        return real()

    run("listener_rule", **AS_RULE)
    aws("elbv2").create_listener(
        LoadBalancerArn=alb["LoadBalancerArn"], Protocol="HTTP", Port=8080, DefaultActions=[NO_SERVICE]
    )
    with recorded(DeleteRule=lost):
        assert run("listener_rule", **AS_RULE, port=8080)["changed"]
    assert rule() is None


@pytest.mark.parametrize("operation", ["CreateRule", "SetRulePriorities"])
def test_a_lost_reply_of_a_move_is_no_failure(default_action, rule, operation):
    def lost(real, parameters):
        real()
        return real()  # finds the priority taken: by ourselves

    run("listener_rule", **(OPTIONS if operation == "CreateRule" else {**AS_RULE, "priority": "7"}))
    with recorded(**{operation: lost}):
        assert run("listener_rule", **AS_RULE)["changed"]
    assert rule()["Priority"] == "1" and default_action()["Type"] == "fixed-response"
    assert not run("listener_rule", **AS_RULE)["changed"]


@pytest.mark.parametrize("before", [None, {**AS_RULE, "priority": "7"}, OPTIONS], ids=["new", "renumbered", "moved"])
def test_a_priority_that_another_service_takes_between_two_calls_is_told(aws, account, before):
    if before:
        run("listener_rule", **before)
    first = []  # the module's own call, and then what is called from here

    def once(real, parameters):
        if first:
            return real()
        first.append(True)
        aws("elbv2").create_rule(
            ListenerArn=account["listener"],
            Priority=1,
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/vets"]}}],
            Actions=[{"Type": "forward", "TargetGroupArn": account["other-target"]}],
            Tags=[{"Key": k, "Value": v} for k, v in NEIGHBOUR["owner"].items()],
        )
        return real()

    said = "Priority 1 .* is taken by the rule of the service 'vets'"
    with recorded(CreateRule=once, SetRulePriorities=once), pytest.raises(Failed, match=said):
        run("listener_rule", **AS_RULE)


@pytest.mark.parametrize("becomes", ["redirected", "deleted"])
@pytest.mark.parametrize("at", ["DescribeRules", "DescribeTags"])
@pytest.mark.parametrize("options", [OPTIONS, AS_RULE], ids=["default", "rule"])
def test_a_listener_that_becomes_another_while_a_service_leaves_it(aws, account, alb, default_action, becomes, at, options):
    """As when load_balancer ends, beside it, what a run that was cut short has begun."""
    run("listener_rule", **options)
    elbv2 = aws("elbv2")
    elbv2.create_listener(
        LoadBalancerArn=alb["LoadBalancerArn"], Protocol="HTTP", Port=8080, DefaultActions=[NO_SERVICE]
    )

    def meanwhile(real, parameters):
        there = {x["ListenerArn"] for x in elbv2.describe_listeners(LoadBalancerArn=alb["LoadBalancerArn"])["Listeners"]}
        if becomes == "redirected":
            elbv2.modify_listener(ListenerArn=account["listener"], DefaultActions=[REDIRECT])
        elif account["listener"] in there:
            elbv2.delete_listener(ListenerArn=account["listener"])
        return real()

    with recorded(**{at: meanwhile}):
        assert run("listener_rule", **options, port=8080)["changed"]
    if becomes == "redirected":
        assert default_action()["Type"] == "redirect"
    assert not run("listener_rule", **options, port=8080)["changed"]
