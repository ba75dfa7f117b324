# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils import capacity_providers as providers
from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError

ARN = "arn:aws:autoscaling:ap-southeast-1:1:autoScalingGroup:0-1-2:autoScalingGroupName/petclinic"
SCALING = {
    "status": "ENABLED",
    "target_capacity": 90,
    "minimum_scaling_step_size": 1,
    "maximum_scaling_step_size": 2,
    "instance_warmup_period": 300,
}


@pytest.mark.parametrize("name", ["petclinic", "my-aws", "fargat", "x-ecs"])
def test_good_names(name):
    providers.check_name(name)


@pytest.mark.parametrize("name", ["aws", "awsome", "ecs-petclinic", "ECS", "fargate-x"])
def test_reserved_names(name):
    with pytest.raises(ResourceError, match=f"{name!r} does"):
        providers.check_name(name)


@pytest.mark.parametrize(
    ("protection", "status", "protected"),
    [
        ("DISABLED", "DISABLED", False),
        (None, None, False),
        ("ENABLED", "ENABLED", True),
        ("ENABLED", "ENABLED", None),
    ],
)
def test_protection_that_works(protection, status, protected):
    group = None if protected is None else {"AutoScalingGroupName": "g", "NewInstancesProtectedFromScaleIn": protected}
    providers.check_protection(protection, {"status": status}, group)


@pytest.mark.parametrize(
    ("status", "protected", "said"), [("DISABLED", True, "managed_scaling"), ("ENABLED", False, "'g'")]
)
def test_protection_that_does_not(status, protected, said):
    group = {"AutoScalingGroupName": "g", "NewInstancesProtectedFromScaleIn": protected}
    with pytest.raises(ResourceError, match=said):
        providers.check_protection("ENABLED", {"status": status}, group)


@pytest.mark.parametrize(
    ("details", "key", "value"),
    [
        ({"autoScalingGroupArn": ARN}, "auto_scaling_group", "petclinic"),
        ({"autoScalingGroupArn": ARN}, "auto_scaling_group_arn", ARN),
        ({}, "auto_scaling_group", None),
        ({}, "managed_draining", "DISABLED"),
        ({"managedDraining": "ENABLED"}, "managed_draining", "ENABLED"),
        ({}, "managed_termination_protection", "DISABLED"),
        ({}, "managed_scaling", {"status": "DISABLED"}),
        ({"managedScaling": providers.scaling_to_aws(SCALING)}, "managed_scaling", SCALING),
    ],
)
def test_options_from_aws(details, key, value):
    provider = {"name": "p", "capacityProviderArn": "arn:p", "status": "ACTIVE", "autoScalingGroupProvider": details}
    assert providers.options_from_aws(provider)[key] == value


def test_switched_off_the_numbers_mean_nothing():
    assert providers.normal_scaling({**SCALING, "status": "DISABLED"}) == {"status": "DISABLED"}
    assert providers.scaling_to_aws({"status": "DISABLED"}) == {"status": "DISABLED"}


@pytest.mark.parametrize(
    ("strategy", "share"),
    [
        ([], None),
        ([{"capacityProvider": "other", "weight": 1}], None),
        ([{"capacityProvider": "p"}], {"weight": 0, "base": 0}),
        ([{"capacityProvider": "p", "weight": 2, "base": 1}], {"weight": 2, "base": 1}),
    ],
)
def test_strategy_of(strategy, share):
    assert providers.strategy_of("p", strategy) == share


OTHER = {"capacityProvider": "other", "weight": 1, "base": 1}


@pytest.mark.parametrize(
    ("wanted", "attached", "strategy", "names", "items"),
    [
        (None, [], [], ["p"], []),
        (None, ["other", "p"], [OTHER], ["other", "p"], [OTHER]),
        (
            {"weight": 1, "base": 0},
            ["other"],
            [OTHER],
            ["other", "p"],
            [OTHER, {"capacityProvider": "p", "weight": 1, "base": 0}],
        ),
        (
            {"weight": 2, "base": 0},
            ["p"],
            [{"capacityProvider": "p", "weight": 1, "base": 0}],
            ["p"],
            [{"capacityProvider": "p", "weight": 2, "base": 0}],
        ),
    ],
)
def test_attach(wanted, attached, strategy, names, items):
    both = providers.attach("p", wanted, attached, strategy)
    assert both == {"capacityProviders": names, "defaultCapacityProviderStrategy": items}


@pytest.mark.parametrize(
    ("wanted", "strategy", "said"),
    [
        ({"weight": 1, "base": 0}, [{"capacityProvider": "FARGATE_SPOT", "weight": 1}], "FARGATE_SPOT"),
        ({"weight": 1, "base": 2}, [OTHER], "'other' has one already"),
    ],
)
def test_a_strategy_that_aws_refuses(wanted, strategy, said):
    with pytest.raises(ResourceError, match=said):
        providers.attach("p", wanted, ["p"], strategy)


def test_detach_keeps_the_others():
    both = providers.detach("p", ["other", "p"], [OTHER, {"capacityProvider": "p", "weight": 1}])
    assert both == {"capacityProviders": ["other"], "defaultCapacityProviderStrategy": [OTHER]}
