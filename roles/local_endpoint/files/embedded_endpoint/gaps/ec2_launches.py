# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Launches: what is refused, and what an instance gets of its request and its launch template.

moto 5.2.5 launches any type with any key pair (AWS takes any type in a launch template, where it is just a text, and
refuses it in RunInstances and where an auto scaling group is given the template). It ignores DisableApiTermination, an
image `resolve:ssm:…`, of a launch template the metadata options, shutdown behaviour and monitoring, and takes for an
auto scaling group's instances the security groups of the template's default version. MonitorInstances is missing, and
ModifyInstanceAttribute has no InstanceInitiatedShutdownBehavior.
"""

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import FakeAutoScalingGroup
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import MetadataOptions
from moto.ec2.models.launch_templates import LaunchTemplateVersion
from moto.ec2.responses import EC2Response

from embedded_endpoint.gaps.patching import replace

_LOOKED_UP = "resolve:ssm:"


def _image(backend, image_id):
    """The id of an image that is named by a parameter of the Parameter Store."""
    if not str(image_id).startswith(_LOOKED_UP):
        return image_id
    from moto.ssm import ssm_backends  # not at start, for one rare thing

    name = image_id.removeprefix(_LOOKED_UP)
    parameter = ssm_backends[backend.account_id][backend.region_name].get_parameter(name)
    if parameter is None:
        raise EC2ClientError("InvalidParameterValue", f"The SSM parameter '{name}' does not exist")
    return parameter.value


# Not `replace`: a property. DescribeLaunchTemplateVersions shows the data, as it was given.
LaunchTemplateVersion.image_id = property(lambda self: _image(self.template.ec2_backend, self.data.get("ImageId", "")))


@replace(EC2Response, "run_instances")
def _refuse(original, self):
    kind, key = self._get_param("InstanceType"), self._get_param("KeyName")
    if kind and kind not in INSTANCE_TYPES:
        raise EC2ClientError("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
    if key and key not in self.ec2_backend.key_pairs:
        raise EC2ClientError("InvalidKeyPair.NotFound", f"The key pair '{key}' does not exist")
    result = original(self)
    if self._get_bool_param("DisableApiTermination", False):
        for instance in result.result.instances:
            instance.disable_api_termination = True
    return result


@replace(EC2Backend)
def run_instances(original, self, image_id, *args, **kwargs):
    template = kwargs.get("launch_template")
    if template and not template.get("Version") and vars(self).get("group_version"):
        kwargs["launch_template"] = template = {**template, "Version": self.group_version}
    reservation = original(self, _image(self, image_id), *args, **kwargs)
    data = self._get_template_from_args(template).data if template else {}
    for instance in reservation.instances:
        if data.get("MetadataOptions") and not kwargs.get("metadata_options"):
            instance.metadata_options = MetadataOptions(data["MetadataOptions"])
        behaviour = data.get("InstanceInitiatedShutdownBehavior")
        if behaviour and not kwargs.get("instance_initiated_shutdown_behavior"):
            instance.instance_initiated_shutdown_behavior = behaviour
        if str((data.get("Monitoring") or {}).get("Enabled", "")).lower() == "true":
            instance.monitoring_state = "enabled"
    return reservation


@replace(FakeAutoScalingGroup, "replace_autoscaling_group_instances")
def _of_its_version(original, self, *args, **kwargs):
    ec2 = self.autoscaling_backend.ec2_backend
    ec2.group_version = self.launch_template_version if self.ec2_launch_template else None
    try:
        return original(self, *args, **kwargs)
    finally:
        ec2.group_version = None


@replace(FakeAutoScalingGroup)
def _set_launch_configuration(original, self, launch_config_name, launch_template, mixed_instances_policy):
    if launch_template:
        _check(self, launch_template)
    return original(self, launch_config_name, launch_template, mixed_instances_policy)


def _check(group, given) -> None:
    ec2 = group.ec2_backend
    if given.get("LaunchTemplateId"):
        template = ec2.get_launch_template(given["LaunchTemplateId"])
    elif given.get("LaunchTemplateName"):
        template = ec2.get_launch_template_by_name(given["LaunchTemplateName"])
    else:
        return
    kind = template.get_version(given.get("Version") or "$Default").instance_type
    if kind and kind not in INSTANCE_TYPES:
        raise ValidationError(
            f"You must use a valid fully-formed launch template. Invalid value '{kind}' for InstanceType."
        )


def _monitor(response, state: str, shown: str) -> ActionResult:
    ids = response._get_param("InstanceIds", [])
    for instance in response.ec2_backend.get_multi_instances_by_id(ids):
        instance.monitoring_state = state
    return ActionResult({"InstanceMonitorings": [{"InstanceId": each, "Monitoring": {"State": shown}} for each in ids]})


@replace(EC2Response)
def monitor_instances(_original, self):
    return _monitor(self, "enabled", "pending")


@replace(EC2Response)
def unmonitor_instances(_original, self):
    return _monitor(self, "disabled", "disabling")


@replace(EC2Response)
def modify_instance_attribute(original, self):
    behaviour = self._get_param("InstanceInitiatedShutdownBehavior.Value")
    if behaviour is None:
        return original(self)
    self.ec2_backend.get_instance(self._get_param("InstanceId")).instance_initiated_shutdown_behavior = behaviour
    return EmptyResult()
