# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils import services

DEPLOYMENT = {
    "minimum_healthy_percent": 100,
    "maximum_percent": 200,
    "circuit_breaker": True,
    "rollback": True,
    "threshold_type": None,
    "threshold_value": None,
}
SERVICE = {"serviceArn": "arn:service/c/s", "status": "ACTIVE"}


def deployment(id="ecs-svc/1", status="PRIMARY", state="COMPLETED", **other):
    return {"id": id, "status": status, "rolloutState": state, **other}


def event(number, message=""):
    return {"id": str(number), "message": f"(service s) {message}"}


@pytest.mark.parametrize(
    ("arn", "revision"),
    [(None, None), ("", None), ("arn:aws:ecs:r:1:task-definition/f:3", "f:3"), ("f:3", "f:3")],
)
def test_revision(arn, revision):
    assert services.revision(arn) == revision


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"minimum_healthy_percent": 0, "maximum_percent": 100},
        {"circuit_breaker": False, "rollback": False},
        {"threshold_type": "COUNT", "threshold_value": 3},
    ],
)
def test_deployment_there_and_back(other):
    option = {**DEPLOYMENT, **other}
    assert services.deployment_from_aws(services.deployment_to_aws(option)) == option


def test_an_open_threshold_is_not_sent():
    assert services.deployment_to_aws(DEPLOYMENT)["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}


@pytest.mark.parametrize(
    ("given", "seen", "wanted"),
    [
        ((None, None), None, (None, None)),
        ((None, None), ("BOUNDED_PERCENT", 50), ("BOUNDED_PERCENT", 50)),
        (("COUNT", 5), ("BOUNDED_PERCENT", 50), ("COUNT", 5)),
        (("COUNT", None), ("BOUNDED_PERCENT", 50), ("BOUNDED_PERCENT", 50)),
    ],
)
def test_an_open_threshold_is_taken_over(given, seen, wanted):
    def option(pair):
        return pair and {**DEPLOYMENT, "threshold_type": pair[0], "threshold_value": pair[1]}

    assert services.deployment_wanted(option(given), option(seen)) == option(wanted)


@pytest.mark.parametrize(
    ("rules", "normal"),
    [
        (None, []),
        ([{"capacity_provider": "a"}], [("a", 0, 0)]),
        (
            [{"capacity_provider": "b", "weight": "1"}, {"capacity_provider": "a", "base": 1}],
            [("a", 0, 1), ("b", 1, 0)],
        ),
    ],
)
def test_strategy(rules, normal):
    assert [(r["capacity_provider"], r["weight"], r["base"]) for r in services.strategy(rules)] == normal


@pytest.mark.parametrize(
    ("vpc", "network"),
    [
        (None, None),
        (
            {"subnets": ["b", "a"], "securityGroups": ["z", "y"], "assignPublicIp": "ENABLED"},
            {"subnets": ["a", "b"], "security_groups": ["y", "z"], "assign_public_ip": True},
        ),
        ({"subnets": ["a"]}, {"subnets": ["a"], "security_groups": [], "assign_public_ip": False}),
    ],
)
def test_network(vpc, network):
    described = {"networkConfiguration": {"awsvpcConfiguration": vpc}} if vpc else {}
    assert services.network_from_aws(described) == network
    if network:
        assert services.network_from_aws({"networkConfiguration": services.network_to_aws(network)}) == network


def test_what_an_endpoint_does_not_tell_is_unknown():
    seen = services.service_from_aws(SERVICE)
    for option in (
        "deployment",
        "health_check_grace_period",
        "availability_zone_rebalancing",
        "placement_strategy",
        "network",
    ):
        assert option not in seen
    assert seen["scheduling_strategy"] == "REPLICA" and seen["capacity_provider_strategy"] == []


def test_service_from_aws():
    seen = services.service_from_aws(
        {
            **SERVICE,
            "taskDefinition": "arn:task-definition/f:2",
            "desiredCount": 2,
            "launchType": "EC2",
            "healthCheckGracePeriodSeconds": 0,
            "enableExecuteCommand": False,
            "placementStrategy": [{"type": "spread", "field": "instanceid"}],
            "placementConstraints": [],
            "capacityProviderStrategy": [{"capacityProvider": "p", "weight": 1, "base": 0}],
        }
    )
    assert seen["task_definition"] == "f:2" and seen["desired_count"] == 2 and seen["launch_type"] == "EC2"
    assert seen["health_check_grace_period"] == 0 and seen["enable_execute_command"] is False
    assert seen["placement_strategy"] == [{"type": "spread", "field": "instanceId"}]
    assert seen["placement_constraints"] == []
    assert seen["capacity_provider_strategy"] == [{"capacity_provider": "p", "weight": 1, "base": 0}]


@pytest.mark.parametrize(
    ("rule", "normal"),
    [
        ({"type": "spread", "field": "host"}, {"type": "spread", "field": "instanceId"}),
        ({"type": "spread", "field": "INSTANCEID"}, {"type": "spread", "field": "instanceId"}),
        ({"type": "binpack", "field": "MEMORY"}, {"type": "binpack", "field": "memory"}),
        ({"type": "random", "field": ""}, {"type": "random"}),
        ({"type": "distinctInstance", "expression": None}, {"type": "distinctInstance"}),
        (
            {"type": "spread", "field": "attribute:ecs.availability-zone"},
            {"type": "spread", "field": "attribute:ecs.availability-zone"},
        ),
    ],
)
def test_placement(rule, normal):
    assert services.placement(rule) == normal


@pytest.mark.parametrize(
    ("deployments", "running", "desired", "steady"),
    [
        ([deployment()], 2, 2, True),
        ([deployment()], 0, 0, True),
        ([deployment()], 1, 2, False),
        ([deployment()], 3, 2, False),
        ([deployment(state="IN_PROGRESS")], 2, 2, False),
        ([deployment(state="FAILED")], 2, 2, False),
        ([deployment(), deployment("ecs-svc/2", "ACTIVE")], 2, 2, False),
        ([{"id": "ecs-svc/1", "status": "PRIMARY"}], 2, 2, True),  # an endpoint without rollout states
        ([], 2, 2, False),
        (None, 0, 0, False),
    ],
)
def test_is_steady(deployments, running, desired, steady):
    service = {"deployments": deployments, "runningCount": running, "desiredCount": desired}
    assert services.is_steady(service) is steady


@pytest.mark.parametrize(
    ("deployments", "reason"),
    [
        ([deployment()], None),
        ([deployment(state="IN_PROGRESS")], None),
        ([deployment(state="FAILED", rolloutStateReason="tasks failed to start.")], "tasks failed to start."),
        ([deployment(state="FAILED")], "ECS gave no reason."),
        (
            [
                deployment("ecs-svc/0", state="IN_PROGRESS"),
                deployment(status="ACTIVE", state="FAILED", rolloutStateReason="x"),
            ],
            "x",
        ),
        (
            [deployment("ecs-svc/2", rolloutStateReason="done"), deployment(status="ACTIVE", state="IN_PROGRESS")],
            "ECS replaced it by ecs-svc/2 (done).",
        ),
        ([deployment("ecs-svc/2")], "ECS replaced it by ecs-svc/2."),
        ([], None),
    ],
)
def test_failed_reason(deployments, reason):
    assert services.failed_reason({"deployments": deployments}, "ecs-svc/1") == reason
    assert services.failed_reason({"deployments": deployments}, None) is None


@pytest.mark.parametrize(
    ("deployments", "events", "back"),
    [
        ([deployment("ecs-svc/0", rolloutStateReason="… rolling back to deploymentId ecs-svc/0.")], [], True),
        ([deployment("ecs-svc/0")], [event(1, "rolling back to deployment ecs-svc/0.")], True),
        ([deployment("ecs-svc/2")], [event(1, "rolling back to deployment ecs-svc/0.")], False),
        ([deployment("ecs-svc/2")], [], False),
        ([deployment(rolloutStateReason="rolling back to deploymentId ecs-svc/1.")], [], False),
        ([], [], False),
    ],
)
def test_rolled_back(deployments, events, back):
    assert services.rolled_back({"deployments": deployments, "events": events}, "ecs-svc/1") is back


@pytest.mark.parametrize(
    ("breaker", "count", "expected"),
    [
        ({"enable": True, "rollback": True}, 2, True),
        ({"enable": True, "rollback": True}, 1, False),
        ({"enable": True, "rollback": False}, 2, False),
        ({"enable": False, "rollback": True}, 2, False),
        (None, 2, False),
    ],
)
def test_rolls_back(breaker, count, expected):
    service = {"deploymentConfiguration": {"deploymentCircuitBreaker": breaker}, "deployments": [deployment()] * count}
    assert services.rolls_back(service) is expected


def test_new_events_are_told_oldest_first():
    service = {"events": [event(3), event(2), event(1)]}
    assert [e["id"] for e in services.new_events(service, {"1"})] == ["2", "3"]
    assert services.new_events({}, set()) == []


@pytest.mark.parametrize(
    ("messages", "settled"),
    [
        ([], set()),
        (["has started 1 tasks"], set()),
        (["has started 1 tasks", "has reached a steady state.", "deployment completed"], {"1", "2"}),
        (["has reached a steady state.", "x"], {"0", "1"}),
    ],
)
def test_settled_events(messages, settled):
    assert services.settled_events({"events": [event(i, m) for i, m in enumerate(messages)]}) == settled


def test_a_failure_whose_roll_back_is_over_has_its_reason_from_the_event():
    said = "(service s) (deployment ecs-svc/2) deployment failed: tasks failed to start."
    now = {"id": "ecs-svc/1", "status": "PRIMARY", "rolloutStateReason": "ECS deployment ecs-svc/1 completed."}
    service = {"deployments": [now], "events": [{"id": "a", "message": said}]}
    assert services.failed_reason(service, "ecs-svc/2") == "tasks failed to start."
    assert services.failed_reason(service, "ecs-svc/3").startswith("ECS replaced it by ecs-svc/1")
    assert services.failed_reason(service, "ecs-svc/1") is None
