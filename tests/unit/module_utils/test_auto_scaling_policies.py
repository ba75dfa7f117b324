# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils import auto_scaling_policies as policies
from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError

OPTIONS = {
    "name": "cpu-55percent-policy",
    "auto_scaling_group": "g",
    "metric": "ASGAverageCPUUtilization",
    "target": 55.0,
    "instance_warmup": 0,
    "disable_scale_in": False,
    "enabled": True,
}


@pytest.mark.parametrize("other", [{}, {"instance_warmup": 90}, {"disable_scale_in": True}, {"enabled": False}])
def test_there_and_back(other):
    options = {**OPTIONS, **other}
    found = policies.policy_from_aws({**policies.policy_to_aws(options), "PolicyARN": "arn"})
    assert found == {**options, "arn": "arn", "type": "TargetTrackingScaling", "own_alarms": "there"}


def test_a_disabled_policy_lacks_no_alarm():
    sent = {**policies.policy_to_aws(OPTIONS), "PolicyARN": "arn"}
    assert policies.policy_from_aws(sent, "deleted: a")["own_alarms"] == "deleted: a"
    assert policies.policy_from_aws({**sent, "Enabled": False}, "deleted: a")["own_alarms"] == "there"
    assert policies.policy_from_aws({**sent, "PolicyType": "StepScaling"}, "deleted: a")["own_alarms"] == "there"


def test_a_warm_up_that_is_not_given_is_not_sent():
    assert "EstimatedInstanceWarmup" not in policies.policy_to_aws({**OPTIONS, "instance_warmup": None})


def test_who_else_scales():
    cpu = {**policies.policy_to_aws(OPTIONS), "PolicyARN": "arn"}
    simple = {"PolicyName": "s", "PolicyARN": "arn", "AutoScalingGroupName": "g", "PolicyType": "SimpleScaling"}
    assert policies.policy_from_aws(simple)["metric"] is None
    assert policies.rivals([cpu, simple], "other", OPTIONS["metric"]) == ["cpu-55percent-policy"]
    assert policies.rivals([cpu, simple], OPTIONS["name"], OPTIONS["metric"]) == []
    assert policies.managed([cpu, simple]) is None
    assert policies.managed([cpu, {"PolicyName": "ECSManagedAutoScalingPolicy-1"}]) == "ECSManagedAutoScalingPolicy-1"


@pytest.mark.parametrize(
    ("target", "warmup", "said"), [(0, 0, "above 0"), (-5, None, "above 0"), (55, -1, "0 seconds")]
)
def test_what_aws_refuses(target, warmup, said):
    with pytest.raises(ResourceError, match=said):
        policies.check(target, warmup)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_count_inside_is_taken(count):
    policies.check_count(count, 2, 4, "g")


@pytest.mark.parametrize(("count", "said"), [(1, "lower instances_min"), (5, "raise instances_max")])
def test_a_count_outside_is_refused(count, said):
    with pytest.raises(
        ResourceError, match=f"count is {count}, outside of min 2 to max 4.*{said}.*playbooks/cluster.yml"
    ):
        policies.check_count(count, 2, 4, "g")


def rows(**zones):
    return [{"id": i, "availability_zone": z} for i, z in zones.items()]


def there(tasks=0, status="ACTIVE", connected=True):
    return {"runningTasksCount": tasks, "pendingTasksCount": 0, "status": status, "agentConnected": connected}


@pytest.mark.parametrize(
    ("instances", "registered", "number", "gone"),
    [
        (rows(a="1", b="2"), {"a": there(), "b": there()}, 0, []),
        (rows(a="1", b="2"), {"a": there(), "b": there()}, -1, []),
        # the fewest tasks
        (rows(a="1", b="2"), {"a": there(4), "b": there(1)}, 1, ["b"]),
        # of the zone that has most, though another one has fewer tasks
        (rows(a="1", b="1", c="2"), {"a": there(3), "b": there(4), "c": there(0)}, 1, ["a"]),
        (rows(a="1", b="1", c="2", d="2"), {i: there() for i in "abcd"}, 2, ["a", "c"]),
        # what drains already, what has no agent, what never registered
        (rows(a="1", b="2"), {"a": there(0), "b": there(4, "DRAINING")}, 1, ["b"]),
        (rows(a="1", b="2"), {"a": there(0), "b": there(4, connected=False)}, 1, ["b"]),
        (rows(a="1", b="2"), {"a": there(0)}, 1, ["b"]),
        (rows(a="1"), {"a": there(0)}, 5, ["a"]),
    ],
)
def test_which_instances_go(instances, registered, number, gone):
    assert policies.to_remove(instances, registered, number) == gone
