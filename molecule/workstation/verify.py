# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Two workstations: who reaches them, what they may do, what is on them, and whose they are."""

import base64
import json

from readback import STATE_DIR, Expectations, client, pages, tags_of

ec2, iam, expect = client("ec2"), client("iam"), Expectations()
TUTORIAL, BENCH = "molecule-workstation", "molecule-workbench"
stacks = {s["StackName"]: s for s in pages("cloudformation", "describe_stacks", "Stacks")}
expect.equal("stacks", sorted(stacks), sorted([TUTORIAL, BENCH]))
if len(stacks) < 2:
    expect.finish()
found = [i for r in pages("ec2", "describe_instances", "Reservations") for i in r["Instances"]]
living = {i["InstanceId"]: i for i in found if i["State"]["Name"] != "terminated"}
expect.equal("number of instances", len(living), 2)


def outputs(name: str) -> dict[str, str]:
    """The outputs of a stack."""
    return {o["OutputKey"]: o["OutputValue"] for o in stacks[name]["Outputs"]}


def instance(name: str) -> dict:
    """The instance that a stack's output names."""
    return living[outputs(name)["InstanceId"]]


def user_data(name: str) -> str:
    """What cloud-init gets to read."""
    answer = ec2.describe_instance_attribute(InstanceId=instance(name)["InstanceId"], Attribute="userData")
    return base64.b64decode(answer["UserData"]["Value"]).decode()


def open_to(name: str) -> set[tuple[int, str]]:
    """The ports that are open on the groups of an instance, and to whom."""
    ids = [g["GroupId"] for g in instance(name)["SecurityGroups"]]
    expect.equal(f"groups of {name}", ids, [outputs(name)["SecurityGroupId"]])
    rules = [p for g in ec2.describe_security_groups(GroupIds=ids)["SecurityGroups"] for p in g["IpPermissions"]]
    return {
        (p, block)
        for r in rules
        for p in range(r["FromPort"], r["ToPort"] + 1)
        for block in [*(x["CidrIp"] for x in r["IpRanges"]), *(x["CidrIpv6"] for x in r["Ipv6Ranges"])]
    }


SESSION_MANAGER = {
    "ssm:UpdateInstanceInformation",
    *(f"ssmmessages:{verb}{what}Channel" for verb in ("Create", "Open") for what in ("Control", "Data")),
}


def pushes_to(name: str) -> list[str]:
    """The registries that an instance's own policies let it push to."""
    role, allowed, anywhere = outputs(name)["RoleName"], [], set()
    expect.equal(f"policies of {name}", iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"], [])
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        document = json.loads(document) if isinstance(document, str) else document
        for statement in document["Statement"]:
            actions, resources = (
                [v] if isinstance(v, str) else v for v in (statement["Action"], statement["Resource"])
            )
            if "*" in resources:
                anywhere |= set(actions)
            else:
                allowed += resources
    login = {"ecr:GetAuthorizationToken"} if allowed else set()
    expect.equal(f"what {name} may do anywhere", anywhere, SESSION_MANAGER | login)
    return allowed


def disk(name: str) -> dict:
    """The root volume."""
    ids = [m["Ebs"]["VolumeId"] for m in instance(name)["BlockDeviceMappings"]]
    return expect.only(f"volumes of {name}", ec2.describe_volumes(VolumeIds=ids)["Volumes"])


SHARED = {"HttpTokens": "required", "HttpEndpoint": "enabled"}
for name, kind, size, hops, tags in (
    (TUTORIAL, "t2.micro", 16, 1, {}),
    (BENCH, "t3.medium", 40, 2, {"team": "vets"}),
):
    expect.equal(f"type of {name}", instance(name)["InstanceType"], kind)
    expect.equal(f"key of {name}", instance(name)["KeyName"], name)
    wanted = {**SHARED, "HttpPutResponseHopLimit": hops}
    expect.contains(f"metadata options of {name}", instance(name).get("MetadataOptions", {}), wanted)
    expect.contains(f"disk of {name}", disk(name), {"Size": size, "VolumeType": "gp3", "Encrypted": True})
    behaviour = ec2.describe_instance_attribute(
        InstanceId=instance(name)["InstanceId"], Attribute="instanceInitiatedShutdownBehavior"
    )["InstanceInitiatedShutdownBehavior"]
    expect.equal(f"a shutdown of {name} does", behaviour, {"Value": "stop"})
    owned = {"handson:workstation": name, **tags}
    expect.contains(f"tags of the stack {name}", tags_of(stacks[name]["Tags"]), owned)
    expect.contains(f"tags of the instance {name}", tags_of(instance(name)["Tags"]), {**owned, "Name": name})
    group = ec2.describe_security_groups(GroupIds=[outputs(name)["SecurityGroupId"]])["SecurityGroups"][0]
    expect.contains(f"tags of the group of {name}", tags_of(group["Tags"]), {**owned, "Name": name})
    expect.contains(
        f"tags of the role of {name}", tags_of(iam.list_role_tags(RoleName=outputs(name)["RoleName"])["Tags"]), owned
    )
    pair = expect.only(f"key pairs {name}", ec2.describe_key_pairs(KeyNames=[name])["KeyPairs"])
    expect.contains(f"tags of the key pair {name}", tags_of(pair["Tags"]), owned)
    private = STATE_DIR / "keys" / f"{name}.pem"
    expect.holds(f"private key of {name}", private.is_file() and private.stat().st_mode & 0o777 == 0o600, private)
    profile = instance(name).get("IamInstanceProfile", {}).get("Arn", "").rsplit("/", 1)[-1]
    roles = iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Roles"]
    expect.equal(f"role of {name}", [r["RoleName"] for r in roles], [outputs(name)["RoleName"]])
    expect.holds(f"user data of {name} fits", len(user_data(name)) < 16 * 1024, len(user_data(name)))
templates = pages("ec2", "describe_launch_templates", "LaunchTemplates")
owners = {tags_of(t["Tags"]).get("handson:workstation") for t in templates}
expect.equal("owners of the launch templates", owners, {TUTORIAL, BENCH})

expect.equal("open ports", open_to(TUTORIAL), {(port, "203.0.113.7/32") for port in (22, 9460, 19460)})
expect.equal("open ports of the bench", open_to(BENCH), {(22, "203.0.113.0/24"), (22, "2001:db8::/32")})
expect.equal("may push to", pushes_to(TUTORIAL), [])
prefix = "arn:aws:ecr:ap-southeast-1:123456789012:repository/"
expect.equal("the bench may push to", pushes_to(BENCH), [f"{prefix}petclinic-rest", f"{prefix}team/vets"])

for line in (
    "idle_minutes=30",
    "java=1.8.0",
    "ports=(22 9460 19460)",
    "repositories=(https://github.com/voyagerwoo/petclinic-rest https://github.com/voyagerwoo/petclinic-front)",
):
    expect.holds(f"user data: {line}", f"\n{line}\n" in user_data(TUTORIAL), user_data(TUTORIAL)[:800])
ASKED = ("idle_minutes=0", "ports=(22)", "java=17", "git_email=vet@example.org", "repositories=(https://github.com/vet/kennel.git)")
for line in ASKED:
    expect.holds(f"user data of the bench: {line}", f"\n{line}\n" in user_data(BENCH), user_data(BENCH)[:800])
expect.finish()
