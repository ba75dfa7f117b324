# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between a launch template and the options of the module `launch_template`."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Mapping

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags, tags_to_dict, without_none
from ansible_collections.handson.ecs.plugins.module_utils.resource import Missing
from ansible_collections.handson.ecs.plugins.module_utils.secrets import fingerprint, looks_secret
from ansible_collections.handson.ecs.plugins.module_utils.task_definitions import SECRET_VALUE

#: What an instance launched by our templates carries tags on, besides itself.
TAGGED = ("instance", "volume")

#: Settings of the ECS agent that hold secrets under a name that doesn't say so: logins to registries.
SECRET_SETTINGS = {"ECS_ENGINE_AUTH_DATA"}
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")

_VOLUME = {
    "size": "VolumeSize",
    "type": "VolumeType",
    "encrypted": "Encrypted",
    "kms_key": "KmsKeyId",
}


def find(ec2: Any, name: str) -> dict[str, Any] | None:
    """Return the launch template of that name as DescribeLaunchTemplates gives it, or None."""
    try:
        found = ec2.describe_launch_templates(LaunchTemplateNames=[name])["LaunchTemplates"]
    except is_boto3_error_code(["InvalidLaunchTemplateName.NotFoundException", "InvalidLaunchTemplateId.NotFound"]):
        return None
    return found[0] if found else None


def existing(ec2: Any, name: str) -> dict[str, Any]:
    """Return the launch template of that name as DescribeLaunchTemplates gives it. Raises Missing where there is none."""
    template = find(ec2, name)
    if template is None:
        raise Missing(
            f"There is no launch template named {name!r}. Make it first: ansible-playbook playbooks/cluster.yml"
        )
    return template


def encode(text: str) -> str:
    """Return user data as the API takes it."""
    return base64.b64encode(text.encode()).decode()


def decode(data: str | None) -> str | None:
    """Return user data as text. What isn't Base64 text (or is compressed) is returned as it came."""
    if not data:
        return None
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return data


def masked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options fit to be shown: what looks secret in `user_data` is replaced by a fingerprint.

    That is all that follows `NAME=` on the line, where the name looks secret, also on the next lines while a quote is
    open or the line ends in a backslash; and the password in a URL.
    """
    script = options.get("user_data")
    if not isinstance(script, str):
        return dict(options)
    return {**options, "user_data": _masked_script(script)}


def _masked_script(script: str) -> str:
    shown, lines = [], script.split("\n")
    while lines:
        line = lines.pop(0)
        secret = next(
            (m for m in _ASSIGNMENT.finditer(line) if m[1] in SECRET_SETTINGS or looks_secret(m[1])), None
        )
        if secret is None:
            shown.append(SECRET_VALUE.sub(lambda m: fingerprint(m[0]), line))
            continue
        value = line[secret.end() :]
        quote = value[:1] if value[:1] in ("'", '"') else ""
        while lines and (value.endswith("\\") or (quote and quote not in value[1:])):
            value += "\n" + lines.pop(0)
        shown.append(line[: secret.end()] + (fingerprint(value) if value else ""))
    return "\n".join(shown)


def options_from_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that describe the data of a launch template's version (DescribeLaunchTemplateVersions).

    Security groups are ids. Every option is among them, with None where the version leaves it open.
    """
    interface = (data.get("NetworkInterfaces") or [{}])[0]
    metadata = data.get("MetadataOptions") or {}
    return {
        "image_id": data.get("ImageId"),
        "instance_type": data.get("InstanceType"),
        "key_name": data.get("KeyName"),
        "instance_profile": (data.get("IamInstanceProfile") or {}).get("Name"),
        "security_groups": sorted(data.get("SecurityGroupIds") or interface.get("Groups") or []),
        "associate_public_ip": interface.get("AssociatePublicIpAddress"),
        "user_data": decode(data.get("UserData")),
        "volume": _volume(data.get("BlockDeviceMappings") or []),
        "imdsv2_required": metadata.get("HttpTokens") == "required",
        "metadata_hop_limit": metadata.get("HttpPutResponseHopLimit"),
        "monitoring": bool((data.get("Monitoring") or {}).get("Enabled")),
        "launched_tags": _launched_tags(data.get("TagSpecifications") or []),
    }


def data_from_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the LaunchTemplateData that stands for the options as `options_from_data` gives them.

    Once a network interface is given, the security groups must be part of it ("When a network interface is provided,
    the security groups must be a part of it", EC2).
    """
    groups = list(options["security_groups"])
    data: dict[str, Any] = {
        "ImageId": options["image_id"],
        "InstanceType": options["instance_type"],
        "KeyName": options["key_name"],
        "MetadataOptions": {
            "HttpEndpoint": "enabled",
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": options["metadata_hop_limit"],
        },
        "Monitoring": {"Enabled": options["monitoring"]},
    }
    if options["instance_profile"]:
        data["IamInstanceProfile"] = {"Name": options["instance_profile"]}
    if options["user_data"]:
        data["UserData"] = encode(options["user_data"])
    if options["associate_public_ip"] is not None:
        interface = {
            "DeviceIndex": 0,
            "AssociatePublicIpAddress": options["associate_public_ip"],
            "DeleteOnTermination": True,
        }
        data["NetworkInterfaces"] = [{**interface, **({"Groups": groups} if groups else {})}]
    elif groups:
        data["SecurityGroupIds"] = groups
    if options["volume"]:
        volume = options["volume"]
        ebs = {key: volume.get(option) for option, key in _VOLUME.items()}
        data["BlockDeviceMappings"] = [
            {"DeviceName": volume["device_name"], "Ebs": without_none({**ebs, "DeleteOnTermination": True})}
        ]
    if options["launched_tags"]:
        tags = dict_to_tags(options["launched_tags"])
        data["TagSpecifications"] = [{"ResourceType": kind, "Tags": tags} for kind in TAGGED]
    return without_none(data)


def _volume(mappings: list[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the `volume` option of a version's first volume, None where it leaves the image's as it is."""
    if not mappings:
        return None
    ebs = mappings[0].get("Ebs") or {}
    return {"device_name": mappings[0].get("DeviceName"), **{option: ebs.get(key) for option, key in _VOLUME.items()}}


def _launched_tags(specifications: list[Mapping[str, Any]]) -> dict[str, str]:
    """Return the tags that both instances and volumes get, so that a missing one on either is a difference."""
    tags = {s["ResourceType"]: tags_to_dict(s.get("Tags")) for s in specifications}
    # moto 5.2.5 mixes the template's own tags in, as the resource type launch-template: those are not launched.
    first, second = (tags.get(kind, {}) for kind in TAGGED)
    return {k: v for k, v in first.items() if second.get(k) == v}
