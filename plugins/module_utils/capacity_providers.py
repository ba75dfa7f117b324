# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between an ECS capacity provider, its place in a cluster, and the options of the module `ecs_capacity_provider`."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.compare import tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError

#: option of `managed_scaling` -> member of ManagedScaling
MANAGED_SCALING = {
    "status": "status",
    "target_capacity": "targetCapacity",
    "minimum_scaling_step_size": "minimumScalingStepSize",
    "maximum_scaling_step_size": "maximumScalingStepSize",
    "instance_warmup_period": "instanceWarmupPeriod",
}

#: The providers that AWS keeps itself. They can't stand in one strategy with an auto scaling group's.
FARGATE = frozenset({"FARGATE", "FARGATE_SPOT"})

#: Names may not start so (ECS API, CreateCapacityProvider). The service compares without regard to case.
RESERVED = ("aws", "ecs", "fargate")


def check_name(name: str) -> None:
    """Raise ResourceError where AWS reserves the beginning of the name."""
    for start in RESERVED:
        if name.lower().startswith(start):
            raise ResourceError(
                f"AWS does not let a capacity provider's name start with {start!r}, and {name!r} does. "
                "Choose another name or prefix in the inventory."
            )


def check_protection(
    protection: str | None, scaling: Mapping[str, Any] | None, group: Mapping[str, Any] | None
) -> None:
    """Raise ResourceError where managed termination protection lacks what it needs.

    `group` is the auto scaling group as AWS describes it, None where it is not known yet.
    """
    if protection != "ENABLED":
        return
    if (scaling or {}).get("status") != "ENABLED":
        raise ResourceError(
            "managed_termination_protection is ENABLED, which works only with managed_scaling.status ENABLED. "
            "Enable that, or set managed_termination_protection to DISABLED."
        )
    if group is not None and not group.get("NewInstancesProtectedFromScaleIn"):
        raise ResourceError(
            "managed_termination_protection is ENABLED, but the auto scaling group "
            f"{group['AutoScalingGroupName']!r} does not protect its instances from scale-in. Set "
            "new_instances_protected_from_scale_in on the group, or managed_termination_protection to DISABLED."
        )


def options_from_aws(provider: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that describe a capacity provider (DescribeCapacityProviders with TAGS)."""
    details = provider.get("autoScalingGroupProvider") or {}
    arn = details.get("autoScalingGroupArn") or ""
    return {
        "name": provider["name"],
        "arn": provider.get("capacityProviderArn"),
        "status": provider.get("status"),
        "update_status": provider.get("updateStatus"),
        "auto_scaling_group": arn.rpartition("autoScalingGroupName/")[2] or None,
        "auto_scaling_group_arn": arn or None,
        "managed_scaling": scaling_from_aws(details.get("managedScaling") or {}),
        "managed_termination_protection": details.get("managedTerminationProtection", "DISABLED"),
        # A provider made before managed draining came (January 2024) does not show it, and does not drain.
        "managed_draining": details.get("managedDraining", "DISABLED"),
        "tags": tags_to_dict(provider.get("tags")),
    }


def scaling_from_aws(scaling: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `managed_scaling` option for a ManagedScaling, in the form that two of them are compared in."""
    return normal_scaling({option: scaling.get(key) for option, key in MANAGED_SCALING.items()})


def normal_scaling(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the option in the form to compare: switched off, the numbers mean nothing, and only the status is left."""
    if options.get("status") != "ENABLED":
        return {"status": "DISABLED"}
    return {option: options.get(option) for option in MANAGED_SCALING}


def scaling_to_aws(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ManagedScaling that stands for the `managed_scaling` option."""
    return {key: options[option] for option, key in MANAGED_SCALING.items() if options.get(option) is not None}


def strategy_of(name: str, strategy: Iterable[Mapping[str, Any]]) -> dict[str, int] | None:
    """Return {weight, base} of a provider in a cluster's default strategy, None where it isn't in it."""
    for item in strategy:
        if item["capacityProvider"] == name:
            return {"weight": item.get("weight", 0), "base": item.get("base", 0)}
    return None


def attach(
    name: str, wanted: Mapping[str, int] | None, providers: Iterable[str], strategy: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the parameters of PutClusterCapacityProviders that add a provider to those of a cluster.

    The call replaces both lists, so everything that the cluster has is repeated in it. `wanted` is {weight, base} in
    the default strategy; None leaves the strategy alone. Raises ResourceError for a strategy that AWS refuses.
    """
    providers, strategy = list(providers), [dict(item) for item in strategy]
    if name not in providers:
        providers.append(name)
    if wanted is not None:
        others = [item for item in strategy if item["capacityProvider"] != name]
        _check_strategy(name, wanted, others)
        strategy = [*others, {"capacityProvider": name, **wanted}]
    return {"capacityProviders": providers, "defaultCapacityProviderStrategy": strategy}


def detach(name: str, providers: Iterable[str], strategy: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the parameters of PutClusterCapacityProviders that leave a provider out and keep the others."""
    return {
        "capacityProviders": [p for p in providers if p != name],
        "defaultCapacityProviderStrategy": [dict(item) for item in strategy if item["capacityProvider"] != name],
    }


def _check_strategy(name: str, wanted: Mapping[str, int], others: list[dict[str, Any]]) -> None:
    fargate = sorted({item["capacityProvider"] for item in others} & FARGATE)
    if fargate:
        raise ResourceError(
            f"The cluster's default strategy holds {', '.join(fargate)}, and AWS does not mix Fargate with an auto "
            f"scaling group in one strategy. Leave default_strategy of {name!r} out, or "
            "take Fargate out of the cluster's."
        )
    based = sorted(item["capacityProvider"] for item in others if item.get("base"))
    if wanted.get("base") and based:
        raise ResourceError(
            f"Only one provider of a strategy may have a base: {based[0]!r} has one already, so default_strategy.base "
            f"of {name!r} must be 0 instead of {wanted['base']}."
        )
