# SPDX-License-Identifier: GPL-3.0-or-later
"""Both tutorials in one inventory: two clusters, one of them made by CloudFormation, and five services."""

import json

import pytest
from account import inventory
from verify.snapshot import differences, snapshot

STACK, LISTENER = "BreakTheMonolith-Demo", "BreakTheMonolith-Demo-alb:80"
CONFIRM = ("-e", "teardown_confirm=true")
#: What a service of the monolith has for itself, in the words of snapshot().
OWN = ["log group /ecs/{0}", "registry {0}", "role {0}-task-execution-role", "service {0}", "target group {0}", "task definition {0}:{1}"]
#: What makes them. Reading aside, a run that is limited to one service may call nothing else.
MAKES = [
    "ecr:CreateRepository",
    "ecr:PutLifecyclePolicy",
    "ecs:CreateService",
    "ecs:RegisterTaskDefinition",
    "elasticloadbalancing:CreateRule",
    "elasticloadbalancing:CreateTargetGroup",
    "elasticloadbalancing:ModifyRule",
    "elasticloadbalancing:ModifyTargetGroupAttributes",
    "iam:CreateRole",
    "iam:PutRolePolicy",
    "logs:CreateLogGroup",
    "logs:PutRetentionPolicy",
]


def own(name, sign, priority, revision=1):
    """The differences that a service alone makes when it comes (+) or goes (-)."""
    things = [each.format(name, revision) for each in OWN] + [f"listener rule {LISTENER} {priority}"]
    return sorted(f"{sign} {thing}" for thing in things)


def rules(site):
    """{priority: the conditions' fields and values} of the monolith's listener."""
    elbv2 = site.aws("elbv2")
    balancer = elbv2.describe_load_balancers(Names=[f"{STACK}-alb"])["LoadBalancers"][0]
    listener = elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"][0]
    found = elbv2.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]

    def values(condition):
        told = next((v for k, v in condition.items() if k.endswith("Config")), {})
        return sorted(told.get("Values") or condition["Values"])

    return {r["Priority"]: {c["Field"]: values(c) for c in r["Conditions"]} for r in found if not r["IsDefault"]}


def called(site, operation, start, times=1):
    """A condition: the operation was called so many times since the start."""
    return lambda: sum(c["operation"] == operation for c in site.log[start:]) >= times


@pytest.fixture
def wider(tmp_path):
    """Arguments that lay another path for `users` over the inventory."""
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "hosts.yml").write_text("all: {hosts: {users: }}\n")
    (tmp_path / "host_vars/users.yml").write_text('target_group_rule_paths: ["/api/users*", "/api/people*"]\n')
    return ("-i", "inventories/local", "-i", str(tmp_path), "--limit", "users")


def test_both_tutorials_and_back(both, wider):
    """One pass over everything, since each step stands on the one before."""
    checked = both.play("site.yml", "--check", "--diff")
    assert both.calls_since(0)["mutating"] == 0, "check mode wrote"
    assert inventory(both.aws) == []
    first = both.play("site.yml")
    assert checked.things == first.things, "check did not foresee what apply made"
    whole = inventory(both.aws)
    assert f"stack {STACK}" in whole
    # That a second run has nothing to do is shown at the end, and by molecule/site.

    # A rule's path, by the inventory; the run after it takes what is there now for somebody's hand.
    before = snapshot(both.aws)
    rule = f"listener rule {LISTENER} 1"
    assert both.play("site.yml", "--check", *wider).values == [f"{rule}: paths"]
    assert both.play("site.yml", *wider).values == [f"{rule}: paths"]
    assert differences(before, snapshot(both.aws)) == [f"~ {rule}"]
    assert rules(both)["1"] == {"path-pattern": ["/api/people*", "/api/users*"]}
    assert both.play("site.yml", "--limit", "users").values == [f"{rule}: paths"]
    assert differences(before, snapshot(both.aws)) == []

    # One service away, and nobody else's things with it.
    both.play("teardown.yml", "--limit", "users", *CONFIRM)
    assert differences(before, snapshot(both.aws)) == own("users", "-", 1)

    # And back, alone. Its run is killed while the rule is held, and gone on with.
    before, start = snapshot(both.aws), both.calls()
    slowly = ("-e", json.dumps({"service_wait_interval": 2}))
    assert both.kill(called(both, "CreateService", start), "site.yml", "--limit", "users", *slowly)
    assert set(rules(both)["1"]) == {"path-pattern", "http-header"}, "a new rule takes requests before the service is steady"
    both.play("site.yml", "--limit", "users")
    assert rules(both)["1"] == {"path-pattern": ["/api/users*"]}
    made = differences(before, snapshot(both.aws))
    # ECS goes on counting revisions of a family that was there before.
    assert made in [own("users", "+", 1, revision) for revision in (1, 2)]
    assert both.writes_since(start) == MAKES
    assert len(inventory(both.aws)) == len(whole)
    again, down = both.play("site.yml", "teardown.yml", *CONFIRM).passes
    assert not again and down
    assert inventory(both.aws) == []
    assert not differences({}, {k: v for k, v in snapshot(both.aws).items() if "handson:" in json.dumps(v)})


def test_a_stack_is_gone_on_with_where_it_was_cut_off(both):
    """Killed while it is made, while it is changed and while it is deleted."""
    both.limit = STACK
    slowly = ("-e", json.dumps({"cluster_stack_wait_interval": 2}))
    cluster = "playbooks/cluster.yml"
    assert both.kill(called(both, "CreateStack", 0), cluster, *slowly)
    both.play(cluster)
    whole = inventory(both.aws)
    assert len(both.aws("cloudformation").describe_stacks()["Stacks"]) == 1
    assert sum(c["operation"] == "CreateStack" for c in both.log) == 1, "it was made twice"
    assert both.play(cluster).changed == 0

    start, larger = both.calls(), ("-e", json.dumps({"instances_max": 3}))
    assert both.kill(called(both, "ExecuteChangeSet", start), cluster, *larger, *slowly)
    assert both.play(cluster, *larger).changed == 0
    assert sum(c["operation"] == "ExecuteChangeSet" for c in both.log[start:]) == 1
    group = both.aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert group["MaxSize"] == 3
    assert [x for x in inventory(both.aws) if x not in whole] == []

    assert both.kill(called(both, "DeleteStack", start), "teardown.yml", *CONFIRM, *slowly)
    both.play("teardown.yml", *CONFIRM)
    assert inventory(both.aws) == []
