# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""CloudFormation's launch templates, instances and key pairs."""

import base64
import binascii
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from embedded_endpoint.gaps.cloudformation.network import Ec2Handler
from embedded_endpoint.gaps.cloudformation.resources import Resource, changed_properties, handles, pairs


@handles("AWS::EC2::LaunchTemplate")
class LaunchTemplate(Ec2Handler):
    """Each change makes a version; the default version stays. Tags are those of TagSpecifications, set once only."""

    def create(self, resource: Resource) -> None:
        given = dict(resource.properties)
        given["LaunchTemplateName"] = given.get("LaunchTemplateName") or self.generated_name(resource, 125)
        resource.physical_id = self.api.ec2("create_launch_template", **given)["LaunchTemplate"]["LaunchTemplateId"]

    def update(self, resource: Resource, old: Resource) -> None:
        changed = changed_properties(resource.properties, old.properties)
        if changed & {"LaunchTemplateData", "VersionDescription"}:
            self.api.ec2(
                "create_launch_template_version",
                LaunchTemplateId=resource.physical_id,
                LaunchTemplateData=resource.properties["LaunchTemplateData"],
                VersionDescription=resource.properties.get("VersionDescription"),
            )

    def delete(self, resource: Resource) -> None:
        self.gone("delete_launch_template", LaunchTemplateId=resource.physical_id)

    def attribute(self, resource: Resource, name: str) -> Any:
        found = self.api.ec2("describe_launch_templates", LaunchTemplateIds=[resource.physical_id])["LaunchTemplates"][
            0
        ]
        return {
            "LaunchTemplateId": resource.physical_id,
            "LatestVersionNumber": str(found["LatestVersionNumber"]),
            "DefaultVersionNumber": str(found["DefaultVersionNumber"]),
        }[name]


@handles("AWS::EC2::Instance")
class Instance(Ec2Handler):
    # Properties that RunInstances has by the same name.
    _SAME: ClassVar = (
        "BlockDeviceMappings", "CpuOptions", "DisableApiTermination", "EbsOptimized", "EnclaveOptions",
        "HibernationOptions", "ImageId", "InstanceInitiatedShutdownBehavior", "InstanceType", "Ipv6AddressCount",
        "KernelId", "KeyName", "LaunchTemplate", "LicenseSpecifications", "MetadataOptions", "PrivateDnsNameOptions",
        "PrivateIpAddress", "RamdiskId", "SecurityGroupIds", "SecurityGroups", "SubnetId",
    )  # fmt: skip
    _STOPPED: ClassVar = {"InstanceType", "UserData"}  # changed on the stopped instance

    def create(self, resource: Resource) -> None:
        given = resource.properties
        parameters = {key: value for key, value in given.items() if key in self._SAME}
        if "UserData" in given:
            parameters["UserData"] = _plain(given["UserData"])
        if "IamInstanceProfile" in given:
            parameters["IamInstanceProfile"] = {"Name": given["IamInstanceProfile"]}
        if "Monitoring" in given:
            parameters["Monitoring"] = {"Enabled": given["Monitoring"]}
        if "CreditSpecification" in given:
            parameters["CreditSpecification"] = {"CpuCredits": given["CreditSpecification"]["CPUCredits"]}
        placement = {"AvailabilityZone": given.get("AvailabilityZone"), "Tenancy": given.get("Tenancy")}
        placement = {key: value for key, value in placement.items() if value}
        interfaces = [_interface(each) for each in given.get("NetworkInterfaces") or []]
        specifications = self.tags_on(resource, "instance") or []
        if str(given.get("PropagateTagsToVolumeOnCreation", "")).lower() == "true" and resource.tags:
            specifications.append({"ResourceType": "volume", "Tags": pairs(resource.tags)})
        made = self.api.ec2(
            "run_instances",
            MinCount=1,
            MaxCount=1,
            Placement=placement or None,
            NetworkInterfaces=interfaces or None,
            TagSpecifications=specifications or None,
            **parameters,
        )
        resource.physical_id = made["Instances"][0]["InstanceId"]
        if "SourceDestCheck" in given:
            self._modify(resource, SourceDestCheck={"Value": given["SourceDestCheck"]})
        for volume in given.get("Volumes") or []:
            self.api.ec2("attach_volume", InstanceId=resource.physical_id, **volume)

    def _modify(self, resource: Resource, **attribute: Any) -> None:
        self.api.ec2("modify_instance_attribute", InstanceId=resource.physical_id, **attribute)

    def update(self, resource: Resource, old: Resource) -> None:
        changed = changed_properties(resource.properties, old.properties)
        given = resource.properties
        if changed & self._STOPPED:
            self.api.ec2("stop_instances", InstanceIds=[resource.physical_id])
            if "InstanceType" in changed:
                self._modify(resource, InstanceType={"Value": given.get("InstanceType", "m1.small")})
            if "UserData" in changed:
                self._modify(resource, UserData={"Value": _plain(given.get("UserData", "")).encode()})
            self.api.ec2("start_instances", InstanceIds=[resource.physical_id])
        if "SecurityGroupIds" in changed:
            self._modify(resource, Groups=given.get("SecurityGroupIds"))
        if "DisableApiTermination" in changed:
            self._modify(resource, DisableApiTermination={"Value": given.get("DisableApiTermination", False)})
        if "InstanceInitiatedShutdownBehavior" in changed:
            value = given.get("InstanceInitiatedShutdownBehavior", "stop")
            self._modify(resource, InstanceInitiatedShutdownBehavior={"Value": value})
        if "SourceDestCheck" in changed:
            self._modify(resource, SourceDestCheck={"Value": given.get("SourceDestCheck", True)})
        if "MetadataOptions" in changed:
            options = given.get("MetadataOptions") or {}
            self.api.ec2("modify_instance_metadata_options", InstanceId=resource.physical_id, **options)
        if "Monitoring" in changed:
            on = str(given.get("Monitoring", False)).lower() == "true"
            verb = "monitor_instances" if on else "unmonitor_instances"
            self.api.ec2(verb, InstanceIds=[resource.physical_id])
        if "IamInstanceProfile" in changed:
            self._profile(resource)
        self.retag(resource, old)

    def _profile(self, resource: Resource) -> None:
        by_instance = [{"Name": "instance-id", "Values": [resource.physical_id]}]
        found = self.api.ec2("describe_iam_instance_profile_associations", Filters=by_instance)
        name = resource.properties.get("IamInstanceProfile")
        for each in found["IamInstanceProfileAssociations"]:
            self.api.ec2("disassociate_iam_instance_profile", AssociationId=each["AssociationId"])
        if name:
            self.api.ec2(
                "associate_iam_instance_profile", InstanceId=resource.physical_id, IamInstanceProfile={"Name": name}
            )

    def replaces(self, name: str, resource: Resource, old: Resource) -> bool:
        return name not in ("InstanceType", "UserData", "SecurityGroupIds", "EbsOptimized", "AdditionalInfo")

    def delete(self, resource: Resource) -> None:
        self.gone("terminate_instances", InstanceIds=[resource.physical_id])

    def attribute(self, resource: Resource, name: str) -> Any:
        found = self.api.ec2("describe_instances", InstanceIds=[resource.physical_id])["Reservations"][0]["Instances"][
            0
        ]
        return {
            "AvailabilityZone": found["Placement"]["AvailabilityZone"],
            "InstanceId": resource.physical_id,
            "PrivateDnsName": found.get("PrivateDnsName", ""),
            "PrivateIp": found.get("PrivateIpAddress", ""),
            "PublicDnsName": found.get("PublicDnsName", ""),
            "PublicIp": found.get("PublicIpAddress", ""),
            "State": found["State"]["Name"],
            "VpcId": found.get("VpcId", ""),
        }[name]


def _plain(user_data: str) -> str:
    """A template has user data in base64; boto3 encodes what it is given."""
    try:
        return base64.b64decode(user_data, validate=True).decode()
    except (binascii.Error, ValueError):
        return user_data


def _interface(given: dict[str, Any]) -> dict[str, Any]:
    names = {"GroupSet": "Groups"}
    return {names.get(key, key): value for key, value in given.items()}


@handles("AWS::EC2::KeyPair")
class KeyPair(Ec2Handler):
    """CloudFormation keeps the private key of a pair it made in the Parameter Store."""

    def create(self, resource: Resource) -> None:
        given = resource.properties
        tags = self.tags_on(resource, "key-pair")
        if "PublicKeyMaterial" in given:
            made = self.api.ec2(
                "import_key_pair",
                KeyName=given["KeyName"],
                PublicKeyMaterial=given["PublicKeyMaterial"].encode(),
                TagSpecifications=tags,
            )
        else:
            options = {key: given.get(key) for key in ("KeyName", "KeyType", "KeyFormat")}
            made = self.api.ec2("create_key_pair", **options, TagSpecifications=tags)
        resource.physical_id = given["KeyName"]
        resource.state = {"id": made["KeyPairId"], "fingerprint": made.get("KeyFingerprint", "")}
        if "KeyMaterial" in made:
            self.api.ssm(
                "put_parameter", Name=self._parameter(resource), Type="SecureString", Value=made["KeyMaterial"]
            )

    @staticmethod
    def _parameter(resource: Resource) -> str:
        return f"/ec2/keypair/{resource.state['id']}"

    def update(self, resource: Resource, old: Resource) -> None:
        """Every property replaces it."""

    def delete(self, resource: Resource) -> None:
        self.gone("delete_key_pair", KeyName=resource.physical_id)
        try:
            self.api.ssm("delete_parameter", Name=self._parameter(resource))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise

    def attribute(self, resource: Resource, name: str) -> Any:
        return {"KeyPairId": resource.state["id"], "KeyFingerprint": resource.state["fingerprint"]}[name]
