# SPDX-License-Identifier: GPL-3.0-or-later
import base64
import json

import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import Failed, contract, run

NAME = "petclinic-rest-instances"
OWNER = {"handson:cluster": "petclinic-rest-cluster"}
OPTIONS = {
    "name": NAME,
    "image_id": "ami-0123456789abcdef0",
    "instance_type": "t3.medium",
    "instance_profile": "petclinic-rest-instance",
    "user_data": "#!/bin/bash\necho ECS_CLUSTER=petclinic-rest-cluster >> /etc/ecs/ecs.config\n",
    "volume": {"size": 30},
    "owner": OWNER,
}


@pytest.fixture
def read(aws):
    """The default version's data, the template's tags, and its numbers."""

    def read():
        found = aws("ec2").describe_launch_templates()["LaunchTemplates"]
        if not found:
            return None
        versions = aws("ec2").describe_launch_template_versions(LaunchTemplateName=NAME, Versions=["$Default"])
        data = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        return data | {
            "numbers": (found[0]["DefaultVersionNumber"], found[0]["LatestVersionNumber"]),
            "tags": {t["Key"]: t["Value"] for t in found[0]["Tags"]},
        }

    return read


@pytest.fixture
def groups(aws):
    """Two security groups in the default VPC; {name: id}."""
    vpc = aws("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    other = aws("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    aws("ec2").create_security_group(GroupName="petclinic-rest-instances", Description="elsewhere", VpcId=other)
    return {
        name: aws("ec2").create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        for name in ("petclinic-rest-instances", "petclinic-rest-ssh")
    }


def launched_tags(data, kind="instance"):
    return {t["Key"]: t["Value"] for s in data["TagSpecifications"] if s["ResourceType"] == kind for t in s["Tags"]}


def test_contract(read, groups):
    contract(
        "launch_template",
        OPTIONS,
        read,
        changes=[
            ({"instance_type": "t3.large"}, lambda d: d["InstanceType"], "t3.large"),
            ({"image_id": "ami-0fedcba9876543210"}, lambda d: d["ImageId"], "ami-0fedcba9876543210"),
            ({"key_name": "petclinic-rest-key"}, lambda d: d.get("KeyName"), "petclinic-rest-key"),
            ({"key_name": None}, lambda d: d.get("KeyName"), None),
            (
                {"security_groups": list(groups)},
                lambda d: sorted(d.get("SecurityGroupIds", [])),
                sorted(groups.values()),
            ),
            (
                {"associate_public_ip": True},
                lambda d: (d.get("SecurityGroupIds"), [sorted(i["Groups"]) for i in d.get("NetworkInterfaces", [])]),
                (None, [sorted(groups.values())]),
            ),
            (
                {"associate_public_ip": False},
                lambda d: d["NetworkInterfaces"][0]["AssociatePublicIpAddress"],
                False,
            ),
            ({"associate_public_ip": None}, lambda d: "NetworkInterfaces" in d, False),
            ({"instance_profile": "other"}, lambda d: d["IamInstanceProfile"], {"Name": "other"}),
            (
                {"user_data": "#!/bin/bash\nüñ\n"},
                lambda d: base64.b64decode(d["UserData"]).decode(),
                "#!/bin/bash\nüñ\n",
            ),
            ({"volume": {"size": 50}}, lambda d: d["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"], 50),
            (
                {"volume": {"size": 50, "type": "gp2"}},
                lambda d: d["BlockDeviceMappings"][0]["Ebs"]["VolumeType"],
                "gp2",
            ),
            ({"metadata_hop_limit": 2}, lambda d: d["MetadataOptions"]["HttpPutResponseHopLimit"], 2),
            ({"monitoring": True}, lambda d: d["Monitoring"]["Enabled"], True),
            ({"instance_name": "petclinic"}, lambda d: launched_tags(d)["Name"], "petclinic"),
        ],
    )


def test_what_is_launched_is_ours_and_answers_to_tokens_only(read):
    run("launch_template", **OPTIONS, tags={"team": "vets"})
    data = read()
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["BlockDeviceMappings"][0]["DeviceName"] == "/dev/xvda"
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    for kind in ("instance", "volume"):
        assert launched_tags(data, kind) == {"Name": NAME, "team": "vets", **OWNER}


def test_a_change_is_one_new_version_that_is_the_default(read):
    made = run("launch_template", **OPTIONS)
    assert made["launch_template"]["default_version"] == 1
    changed = run("launch_template", **{**OPTIONS, "instance_type": "t3.large"})
    assert changed["launch_template"]["id"] == made["launch_template"]["id"]
    assert changed["launch_template"]["default_version"] == 2
    assert read()["numbers"] == (2, 2)
    assert changed["diff"]["before"]["instance_type"] == "t3.medium"


def test_a_run_that_stopped_before_the_new_version_was_the_default_is_mended(read):
    def killed(real, parameters):
        raise error("InternalError", "gone")

    run("launch_template", **OPTIONS)
    wanted = {**OPTIONS, "instance_type": "t3.large"}
    with recorded(ModifyLaunchTemplate=killed), pytest.raises(Failed, match="gone"):
        run("launch_template", **wanted)
    assert read()["numbers"] == (1, 2)
    assert run("launch_template", check=True, **wanted)["changed"]
    assert run("launch_template", **wanted)["changed"]
    assert read()["numbers"] == (2, 2) and read()["InstanceType"] == "t3.large"
    assert not run("launch_template", **wanted)["changed"]


def test_an_undesired_newest_version_does_not_become_the_default(aws, read):
    run("launch_template", **OPTIONS)
    aws("ec2").create_launch_template_version(
        LaunchTemplateName=NAME, LaunchTemplateData={"ImageId": "ami-0123456789abcdef0", "InstanceType": "m5.large"}
    )
    assert not run("launch_template", **OPTIONS)["changed"]
    run("launch_template", **{**OPTIONS, "monitoring": True})
    assert read()["numbers"] == (3, 3) and read()["InstanceType"] == "t3.medium"


def test_tags_are_set_on_the_template_and_on_what_it_launches(aws, read):
    # moto 5.2.5 shows a launch template's tags as they were when it was made: DescribeTags shows them as they are.
    made = run("launch_template", **OPTIONS)
    assert run("launch_template", **OPTIONS, tags={"team": "vets"})["changed"]
    filters = [{"Name": "resource-id", "Values": [made["launch_template"]["id"]]}]
    tags = {t["Key"]: t["Value"] for t in aws("ec2").describe_tags(Filters=filters)["Tags"]}
    assert tags == {"team": "vets", **OWNER}
    assert launched_tags(read()) == {"team": "vets", "Name": NAME, **OWNER}


def test_somebody_elses_tag_stays_and_makes_no_version(aws, read):
    run("launch_template", **OPTIONS)
    template = aws("ec2").describe_launch_templates()["LaunchTemplates"][0]["LaunchTemplateId"]
    aws("ec2").create_tags(Resources=[template], Tags=[{"Key": "whose", "Value": "somebody"}])
    assert not run("launch_template", **OPTIONS)["changed"]
    assert read()["numbers"] == (1, 1)


def test_an_unchanged_run_reads_twice(read):
    run("launch_template", **OPTIONS)
    with recorded() as calls:
        run("launch_template", **OPTIONS)
    assert operations(calls) == ["DescribeLaunchTemplates", "DescribeLaunchTemplateVersions"]


def test_the_image_of_the_parameter(read):
    options = {k: v for k, v in OPTIONS.items() if k != "image_id"}
    image = {"Value": "ami-0aaaaaaaaaaaaaaaa"}

    def get_parameter(real, parameters):
        assert parameters["Name"].endswith("amazon-linux-2023/recommended/image_id")
        return {"Parameter": dict(image)}

    with recorded(GetParameter=get_parameter) as calls:
        run("launch_template", **options)
        assert read()["ImageId"] == "ami-0aaaaaaaaaaaaaaaa"
        calls.clear()
        assert not run("launch_template", **options)["changed"]
        assert operations(calls).count("GetParameter") == 1
        image["Value"] = "ami-0bbbbbbbbbbbbbbbb"
        assert run("launch_template", **options)["changed"]
        assert read()["ImageId"] == "ami-0bbbbbbbbbbbbbbbb"
        image["Value"] = '{"image_id": "ami-0bbbbbbbbbbbbbbbb"}'
        with pytest.raises(Failed, match="not the id of an image.*/image_id"):
            run("launch_template", **options)


def test_a_parameter_that_is_not_there(aws):
    options = {k: v for k, v in OPTIONS.items() if k != "image_id"}
    with pytest.raises(Failed, match="no SSM parameter '/nowhere'.*image_id"):
        run("launch_template", **options, image_parameter="/nowhere")


def test_a_missing_security_group_names_its_playbook(aws, read):
    with pytest.raises(Failed, match="no security group named 'petclinic-rest-instances'.*network.yml"):
        run("launch_template", **OPTIONS, security_groups=["petclinic-rest-instances"])
    checked = run("launch_template", check=True, **OPTIONS, security_groups=["petclinic-rest-instances"])
    assert checked["changed"] and checked["launch_template"]["security_groups"] == "(known after apply)"
    assert read() is None


def test_a_foreign_template_is_refused_and_not_deleted(aws, read):
    aws("ec2").create_launch_template(LaunchTemplateName=NAME, LaunchTemplateData={"InstanceType": "m5.large"})
    with pytest.raises(Failed, match="not ours"):
        run("launch_template", **OPTIONS)
    absent = run("launch_template", **OPTIONS, state="absent")
    assert not absent["changed"] and absent["foreign"]
    assert read()["InstanceType"] == "m5.large" and read()["numbers"] == (1, 1)


def test_a_lost_reply_is_no_failure(read):
    def lost(real, parameters):
        real()
        raise error("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")

    with recorded(CreateLaunchTemplate=lost):
        assert run("launch_template", **OPTIONS)["changed"]
    assert read()["numbers"] == (1, 1)
    assert not run("launch_template", **OPTIONS)["changed"]


SECRET_SCRIPT = """#!/bin/bash
cat >> /etc/ecs/ecs.config <<'END'
ECS_CLUSTER=petclinic-rest-cluster
ECS_ENGINE_AUTH_TYPE=docker
ECS_ENGINE_AUTH_DATA={"registry.example.com": {"auth": "hunter%s"}}
END
export DB_PASSWORD=hunter%s
"""


def test_secrets_in_user_data_are_not_shown_but_their_change_is(aws, read):
    def shown(result):
        return json.dumps({k: v for k, v in result.items() if k != "invocation"})

    made = run("launch_template", **{**OPTIONS, "user_data": SECRET_SCRIPT % (1, 1)})
    assert "hunter" not in shown(made)
    assert "ECS_CLUSTER=petclinic-rest-cluster" in made["launch_template"]["user_data"]
    assert "hunter1" in base64.b64decode(read()["UserData"]).decode()
    assert "hunter" not in shown(run("launch_template", **{**OPTIONS, "user_data": SECRET_SCRIPT % (1, 1)}))
    for check in (True, False):
        changed = run("launch_template", check=check, **{**OPTIONS, "user_data": SECRET_SCRIPT % (1, 2)})
        assert changed["changed"] and "hunter" not in shown(changed)
        before, after = (changed["diff"][side]["user_data"].splitlines() for side in ("before", "after"))
        assert [a for a, b in zip(before, after) if a != b] == [before[6]] and before[6] != after[6]
        assert before[6].startswith("export DB_PASSWORD=(hidden, sha256 ")
    gone = run("launch_template", name=NAME, owner=OWNER, state="absent")
    assert gone["changed"] and "hunter" not in json.dumps(gone)
