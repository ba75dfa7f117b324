# SPDX-License-Identifier: GPL-3.0-or-later
import re

import pytest

from ansible_collections.handson.ecs.plugins.module_utils import launch_templates

OPTIONS = {
    "image_id": "ami-1",
    "instance_type": "t3.medium",
    "key_name": None,
    "instance_profile": None,
    "security_groups": [],
    "associate_public_ip": None,
    "user_data": None,
    "volume": None,
    "imdsv2_required": True,
    "metadata_hop_limit": 1,
    "monitoring": False,
    "launched_tags": {},
}
VOLUME = {"device_name": "/dev/xvda", "size": 30, "type": "gp3", "encrypted": True, "kms_key": None}


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"key_name": "key"},
        {"instance_profile": "profile"},
        {"security_groups": ["sg-1", "sg-2"]},
        {"security_groups": ["sg-1"], "associate_public_ip": True},
        {"security_groups": ["sg-1"], "associate_public_ip": False},
        {"associate_public_ip": True},
        {"user_data": "#!/bin/bash\necho ü\n"},
        {"volume": VOLUME},
        {"volume": {**VOLUME, "size": None, "kms_key": "alias/key", "encrypted": False}},
        {"metadata_hop_limit": 2, "monitoring": True},
        {"launched_tags": {"Name": "petclinic", "team": "vets"}},
    ],
)
def test_options_there_and_back(other):
    options = {**OPTIONS, **other}
    assert launch_templates.options_from_data(launch_templates.data_from_options(options)) == options


def test_data_holds_nothing_that_is_open():
    assert launch_templates.data_from_options(OPTIONS) == {
        "ImageId": "ami-1",
        "InstanceType": "t3.medium",
        "MetadataOptions": {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "Monitoring": {"Enabled": False},
    }


def test_with_a_network_interface_the_groups_are_part_of_it():
    data = launch_templates.data_from_options({**OPTIONS, "security_groups": ["sg-1"], "associate_public_ip": True})
    assert "SecurityGroupIds" not in data
    assert data["NetworkInterfaces"][0]["Groups"] == ["sg-1"]


def test_an_open_version_is_a_difference_in_everything_that_matters():
    options = launch_templates.options_from_data({"ImageId": "ami-1", "MetadataOptions": {"HttpTokens": "optional"}})
    assert options["imdsv2_required"] is False
    assert options["instance_type"] is None and options["launched_tags"] == {}


@pytest.mark.parametrize(
    ("specifications", "tags"),
    [
        ([], {}),
        ([{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "1"}]}], {}),
        (
            [
                {"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]},
                {"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "3"}]},
                {"ResourceType": "launch-template", "Tags": [{"Key": "c", "Value": "4"}]},
            ],
            {"a": "1"},
        ),
    ],
)
def test_launched_tags_are_those_on_instances_and_volumes(specifications, tags):
    assert launch_templates.options_from_data({"TagSpecifications": specifications})["launched_tags"] == tags


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, None),
        ("", None),
        ("aGk=", "hi"),
        ("not base64!", "not base64!"),
        ("H4sIAAAAAAAA/w==", "H4sIAAAAAAAA/w=="),
    ],
)
def test_decode(data, text):
    assert launch_templates.decode(data) == text


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        (None, None),
        ("ECS_CLUSTER=a\nECS_ENGINE_AUTH_TYPE=docker\n", "ECS_CLUSTER=a\nECS_ENGINE_AUTH_TYPE=docker\n"),
        ("A_TOKEN=\nB=1", "A_TOKEN=\nB=1"),
        ("A_TOKEN=s3cret\nB=1", "A_TOKEN=#\nB=1"),
        ("A=1 B_TOKEN=s3cret C=3\nD=4", "A=1 B_TOKEN=#\nD=4"),
        ("echo ECS_ENGINE_AUTH_DATA={\"r\": {\"auth\": \"s3cret\"}} >> f\nD=4", "echo ECS_ENGINE_AUTH_DATA=#\nD=4"),
        ("ECS_ENGINE_AUTH_DATA='{\n\"auth\": \"s3cret\"\n}'\nD=4", "ECS_ENGINE_AUTH_DATA=#\nD=4"),
        ("MY_PASSWORD=a\\\ns3cret\nD=4", "MY_PASSWORD=#\nD=4"),
        ("PROXY=http://me:s3cret@proxy:3128/", "PROXY=http#proxy:3128/"),
    ],
)
def test_masked(script, shown):
    masked = launch_templates.masked({**OPTIONS, "user_data": script})
    assert masked == {**OPTIONS, "user_data": masked["user_data"]}
    found = masked["user_data"]
    assert (found and re.sub(r"\(hidden, sha256 [0-9a-f]{8}\)", "#", found)) == shown


def test_masked_shows_that_a_secret_changed():
    first, second = (launch_templates.masked({"user_data": f"A_TOKEN={v}"})["user_data"] for v in "12")
    assert first != second
