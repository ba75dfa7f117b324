# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest
from modules.aws_calls import operations, recorded
from modules.harness import Failed, contract, run

OWNER = {"handson:cluster": "petclinic-rest-cluster"}
NAME = "petclinic-rest-instance-role"
FOR_ECS = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
AGENT = "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy"
LOGS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}]}
OPTIONS = {
    "name": NAME,
    "assume_services": ["ec2.amazonaws.com"],
    "managed_policies": ["AmazonEC2ContainerServiceforEC2Role"],
    "inline_policies": {"logs": LOGS},
    "instance_profile": True,
    "owner": OWNER,
}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "x.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)


def tags(thing):
    return {t["Key"]: t["Value"] for t in thing.get("Tags", [])}


@pytest.fixture
def profile(aws):
    def profile(name=NAME):
        iam = aws("iam")
        try:
            return iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        except iam.exceptions.NoSuchEntityException:
            return None

    return profile


@pytest.fixture
def read(aws, profile):
    def read():
        iam = aws("iam")
        try:
            role = iam.get_role(RoleName=NAME)["Role"]
        except iam.exceptions.NoSuchEntityException:
            return None
        role["managed"] = sorted(
            p["PolicyArn"] for p in iam.list_attached_role_policies(RoleName=NAME)["AttachedPolicies"]
        )
        names = iam.list_role_policies(RoleName=NAME)["PolicyNames"]
        role["inline"] = {n: iam.get_role_policy(RoleName=NAME, PolicyName=n)["PolicyDocument"] for n in names}
        role["trust"] = role["AssumeRolePolicyDocument"]["Statement"][0]
        role["profile"] = profile()
        return role

    return read


def twice(real, parameters):
    """The reply is lost, and the SDK tries again what has been done already."""
    real()
    return real()


def test_contract(read, profile):
    boundary = "arn:aws:iam::aws:policy/PowerUserAccess"
    contract(
        "iam_role",
        OPTIONS,
        read,
        changes=[
            (
                {"assume_services": ["ecs.amazonaws.com", "ec2.amazonaws.com"]},
                lambda r: r["trust"]["Principal"],
                {"Service": ["ec2.amazonaws.com", "ecs.amazonaws.com"]},
            ),
            (
                {"conditions": {"StringEquals": {"aws:SourceAccount": "123456789012"}}},
                lambda r: r["trust"].get("Condition"),
                {"StringEquals": {"aws:SourceAccount": ["123456789012"]}},
            ),
            (
                {"managed_policies": [AGENT, "service-role/AmazonEC2ContainerServiceforEC2Role"]},
                lambda r: r["managed"],
                [AGENT, FOR_ECS],
            ),
            ({"managed_policies": ["CloudWatchAgentServerPolicy"]}, lambda r: r["managed"], [AGENT]),
            ({"inline_policies": {"other": LOGS}}, lambda r: sorted(r["inline"]), ["other"]),
            ({"inline_policies": {}}, lambda r: r["inline"], {}),
            ({"description": "of the instances"}, lambda r: r.get("Description"), "of the instances"),
            (
                {"max_session_duration": 7200},
                lambda r: (r["MaxSessionDuration"], r["Description"]),
                (7200, "of the instances"),
            ),
            (
                {"permissions_boundary": boundary},
                lambda r: r.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
                boundary,
            ),
            (
                {"permissions_boundary": ""},
                lambda r: r.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
                None,
            ),
            (
                {"tags": {"team": "vets"}},
                lambda r: (tags(r).get("team"), tags(r["profile"]).get("team")),
                ("vets", "vets"),
            ),
        ],
        gone=lambda: read() is None and profile() is None,
    )


def test_an_unchanged_run_makes_these_calls(aws):
    run("iam_role", **OPTIONS)
    # Another spelling of the same policy is no change.
    statement = [{**LOGS["Statement"][0], "Action": ["logs:PutLogEvents"], "Resource": ["*"]}]
    same = {**OPTIONS, "inline_policies": {"logs": {**LOGS, "Statement": statement}}}
    with recorded() as calls:
        assert not run("iam_role", **same)["changed"]
    policies = ["ListAttachedRolePolicies", "ListRolePolicies", "GetRolePolicy"]
    assert operations(calls) == ["GetRole", "GetInstanceProfile", *policies]
    with recorded() as calls:
        assert not run("iam_role", name=NAME, assume_services=["ec2.amazonaws.com"], owner=OWNER)["changed"]
    assert operations(calls) == ["GetRole"]


def test_what_is_not_named_is_left_alone(aws, read):
    run("iam_role", **OPTIONS)
    run("iam_role", name=NAME, assume_services=["ec2.amazonaws.com"], owner=OWNER, description="x")
    role = read()
    assert role["managed"] == [FOR_ECS] and list(role["inline"]) == ["logs"] and role["profile"]["Roles"]


@pytest.mark.parametrize("left", ["profile and role", "profile", "empty profile"])
def test_what_a_broken_run_left_goes(aws, read, profile, left):
    run("iam_role", **OPTIONS)
    iam = aws("iam")
    iam.detach_role_policy(RoleName=NAME, PolicyArn=FOR_ECS)
    if left != "profile and role":
        iam.remove_role_from_instance_profile(InstanceProfileName=NAME, RoleName=NAME)
        iam.delete_role_policy(RoleName=NAME, PolicyName="logs")
        iam.delete_role(RoleName=NAME)
    absent = {"name": NAME, "owner": OWNER, "state": "absent"}
    assert run("iam_role", check=True, **absent)["changed"] and profile()
    assert run("iam_role", **absent)["changed"]
    assert read() is None and profile() is None
    assert not run("iam_role", **absent)["changed"]


def test_a_role_is_made_again_for_the_profile_that_is_left(aws, read):
    run("iam_role", **OPTIONS)
    iam = aws("iam")
    iam.remove_role_from_instance_profile(InstanceProfileName=NAME, RoleName=NAME)
    iam.detach_role_policy(RoleName=NAME, PolicyArn=FOR_ECS)
    iam.delete_role_policy(RoleName=NAME, PolicyName="logs")
    iam.delete_role(RoleName=NAME)
    assert run("iam_role", **OPTIONS)["changed"]
    assert read()["managed"] == [FOR_ECS] and read()["profile"]["Roles"][0]["RoleName"] == NAME
    assert not run("iam_role", **OPTIONS)["changed"]


def test_an_untagged_or_emptied_profile_is_repaired(aws, profile):
    options = {**OPTIONS, "tags": {"team": "vets"}}
    run("iam_role", **options)
    iam = aws("iam")
    iam.untag_instance_profile(InstanceProfileName=NAME, TagKeys=["team"])
    iam.remove_role_from_instance_profile(InstanceProfileName=NAME, RoleName=NAME)
    result = run("iam_role", **options)
    assert result["diff"]["before"]["instance_profile"] is False and result["diff"]["before"]["tags"]["team"] == ""
    assert tags(profile())["team"] == "vets" and profile()["Roles"]
    assert not run("iam_role", **options)["changed"]


def test_absent_takes_the_role_out_of_every_profile(aws, read, profile):
    run("iam_role", **OPTIONS)
    iam = aws("iam")
    iam.create_instance_profile(InstanceProfileName="theirs")
    iam.add_role_to_instance_profile(InstanceProfileName="theirs", RoleName=NAME)
    assert run("iam_role", **OPTIONS, state="absent")["changed"]
    assert read() is None and profile() is None and profile("theirs")["Roles"] == []


def test_foreign_things_are_refused_and_not_deleted(aws, read, profile):
    iam = aws("iam")
    iam.create_instance_profile(InstanceProfileName=NAME)
    run("iam_role", **{**OPTIONS, "instance_profile": False})
    with pytest.raises(Failed, match="instance profile named.*not ours"):
        run("iam_role", **OPTIONS)
    run("iam_role", **OPTIONS, state="absent")
    assert read() is None and profile() is not None
    iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=TRUST)
    with pytest.raises(Failed, match="IAM role .*not ours"):
        run("iam_role", **{**OPTIONS, "instance_profile": False})
    assert run("iam_role", **OPTIONS, state="absent")["foreign"]
    assert read()["managed"] == []


def test_lost_replies_are_read_back(aws, read):
    with recorded(CreateRole=twice, CreateInstanceProfile=twice, AddRoleToInstanceProfile=twice):
        assert run("iam_role", **OPTIONS)["changed"]
    role = read()
    assert role["managed"] == [FOR_ECS] and list(role["inline"]) == ["logs"] and role["profile"]["Roles"]
    assert not run("iam_role", **OPTIONS)["changed"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"managed_policies": ["AmazonNoSuchPolicy"]}, "'AmazonNoSuchPolicy', but AWS has no managed policy"),
        ({"inline_policies": {"logs": {"Action": "*"}}}, "'logs' is no policy: the policy has no Statement"),
    ],
)
def test_wrong_policies_fail_before_anything_is_made(aws, read, options, said):
    for check in (True, False):
        with pytest.raises(Failed, match=said):
            run("iam_role", check=check, **{**OPTIONS, **options})
    assert read() is None


def test_the_path_is_immutable(aws):
    run("iam_role", **OPTIONS)
    with pytest.raises(Failed, match="path is '/' and would become '/x/'"):
        run("iam_role", **OPTIONS, path="/x/")
