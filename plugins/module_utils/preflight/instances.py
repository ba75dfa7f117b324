# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container instances, their Auto Scaling group, key pair and cluster.

Ranges: ec2 CreateLaunchTemplate, autoscaling CreateAutoScalingGroup, ecs CreateCapacityProvider (ManagedScaling).
"""

from __future__ import annotations

import re
from typing import Iterator

from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host, in_range, one_of, truthy
from ansible_collections.handson.ecs.plugins.module_utils.preflight.instance_types import Asked, instance_type
from ansible_collections.handson.ecs.plugins.module_utils.preflight.task_definition import check_retention

#: The snapshot of the ECS-optimized Amazon Linux 2023 image; EC2 refuses a smaller root volume.
IMAGE_GIB = 30
#: Largest volume in GiB by type (ec2 LaunchTemplateEbsBlockDeviceRequest).
VOLUME_GIB = {"gp2": 16384, "gp3": 65536, "standard": 1024}
#: User data is 16 KiB before it is encoded; the agent's own lines come on top.
USER_DATA_BYTES = 15 * 1024


def check_cluster(host: Host) -> Iterator[Fault]:
    """Check what belongs to the cluster itself and its key pair."""
    yield from one_of(host, "cluster_container_insights", ("disabled", "enabled", "enhanced"), "Container Insights")
    yield from check_retention(host, "cluster_insights_retention_days")
    yield from one_of(host, "key_pair_type", ("ed25519", "rsa"), "The type of a key pair")
    if "key_pair_private_key_file" in host.values and not host.text("key_pair_private_key_file"):
        yield host.fault("key_pair_private_key_file", "The private key has no place to go.", "Name a file.", value="")


def check_instances(host: Host) -> Iterator[Fault]:
    """Check the container instances and the group that keeps them."""
    kind = host.text("instances_type")
    if "instances_type" not in host.broken and not re.fullmatch(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", kind):
        yield host.fault("instances_type", "This is no instance type.", "It looks like t2.medium.")
    for variable in ("instances_min", "instances_max"):
        yield from in_range(host, variable, 0, None, "A number of instances")
    yield from in_range(host, "instances_count", 0, None, "A number of instances", also="keep")
    low, count, high = (host.number(f"instances_{v}") for v in ("min", "count", "max"))
    if low is not None and high is not None and low > high:
        yield host.fault(
            "instances_min", f"It is more than instances_max ({high}).", "Set instances_min ≤ instances_max."
        )
    elif count is not None and low is not None and count < low:
        yield host.fault(
            "instances_count",
            f"It is less than instances_min ({low}).",
            "Set instances_min ≤ instances_count ≤ instances_max.",
        )
    elif count is not None and high is not None and count > high:
        yield host.fault(
            "instances_count",
            f"It is more than instances_max ({high}).",
            "Set instances_min ≤ instances_count ≤ instances_max.",
        )
    yield from _image(host, kind)
    yield from _volume(host)
    yield from in_range(host, "instances_metadata_hop_limit", 1, 64, "The hop limit")
    yield from in_range(host, "instances_default_cooldown", 0, None, "The cooldown in seconds")
    size = len(host.text("instances_user_data").encode())
    if size > USER_DATA_BYTES:
        yield host.fault(
            "instances_user_data",
            f"It has {size} bytes; user data has at most 16 KiB in all.",
            "Let the script fetch what is long.",
        )
    for name in host.mapped("instances_agent_config"):
        if name == "ECS_CLUSTER":
            yield host.fault(
                "instances_agent_config.ECS_CLUSTER",
                "The instances register in cluster_name; this would send them elsewhere.",
                "Take it out.",
            )
        elif not re.fullmatch(r"[A-Z][A-Z0-9_]*", str(name)):
            yield host.fault(
                f"instances_agent_config.{name}",
                "The agent's settings are upper case.",
                "Write them like ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION.",
            )
    yield from _capacity_provider(host)


def _image(host: Host, kind: str) -> Iterator[Fault]:
    image, parameter = host.text("instances_image_id"), host.text("instances_image_parameter")
    if image and not re.fullmatch(r"ami-([0-9a-f]{8}|[0-9a-f]{17})", image):
        yield host.fault(
            "instances_image_id",
            "This is not the id of an image.",
            "It looks like ami-0a1b2c3d4e5f67890; empty takes instances_image_parameter.",
        )
    if not image and not parameter.startswith("/"):
        yield host.fault(
            "instances_image_parameter",
            "The name of AWS's image parameter begins with /.",
            "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id",
        )
    elif not image:
        yield from check_architecture(host, kind, None)


def check_architecture(host: Host, kind: str, asked: Asked | None) -> Iterator[Fault]:
    """Check that AWS's own image is of the architecture of the instance type."""
    known = instance_type(kind, asked)
    parameter = host.text("instances_image_parameter")
    if (
        known is None
        or not known.architectures
        or not parameter.startswith("/aws/service/ecs/optimized-ami/amazon-linux-")
    ):
        return
    image = "arm64" if "/arm64/" in parameter else "x86_64"
    if image not in known.architectures:
        right = "/arm64/recommended/" if image == "x86_64" else "/recommended/"
        wrong = "/recommended/" if image == "x86_64" else "/arm64/recommended/"
        yield host.fault(
            "instances_image_parameter",
            f"The image is for {image}, {kind} is {'/'.join(known.architectures)}.",
            f"Set it to {parameter.replace(wrong, right)}, or choose another instances_type.",
        )


def _volume(host: Host) -> Iterator[Fault]:
    kind = host.text("instances_volume_type")
    yield from one_of(host, "instances_volume_type", tuple(VOLUME_GIB), "The type of a root volume")
    largest = VOLUME_GIB.get(kind, 65536)
    size = host.number("instances_volume_size")
    if size is not None and size < IMAGE_GIB:
        yield host.fault(
            "instances_volume_size",
            f"The ECS-optimized image needs {IMAGE_GIB} GiB.",
            f"Set it to {IMAGE_GIB} or more.",
        )
    else:
        yield from in_range(host, "instances_volume_size", IMAGE_GIB, largest, f"The size of a {kind} volume in GiB")


def _capacity_provider(host: Host) -> Iterator[Fault]:
    if not truthy(host.values.get("instances_capacity_provider_enabled")):
        return
    yield from in_range(host, "instances_capacity_provider_target_capacity", 1, 100, "The target capacity in percent")
    managed = truthy(host.values.get("instances_capacity_provider_managed_scaling"))
    if truthy(host.values.get("instances_capacity_provider_termination_protection")) and not managed:
        yield host.fault(
            "instances_capacity_provider_termination_protection",
            "Managed termination protection needs managed scaling.",
            "Set it to false, or instances_capacity_provider_managed_scaling to true.",
        )
