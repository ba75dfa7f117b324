# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest

from ansible_collections.handson.ecs.plugins.module_utils import stacks
from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError

YAML = """
# A comment
AWSTemplateFormatVersion: 2010-09-09
Description: A network
Parameters:
  Cidr: {Type: String, Default: 10.0.0.0/16}
  Cidrs: {Type: CommaDelimitedList}
  Password: {Type: String, NoEcho: true}
Conditions:
  Wide: !Not [!Equals [!Ref Cidr, ""]]
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: !Ref Cidr
      EnableDnsSupport: true
      Tags:
        - {Key: Name, Value: !Sub "${AWS::StackName}-vpc"}
        - {Key: Port, Value: 080}
  Table:
    Type: AWS::EC2::RouteTable
    Condition: Wide
    Properties:
      VpcId: !GetAtt Vpc.VpcId
Outputs:
  Vpc: {Value: !Ref Vpc}
  Table: {Condition: Wide, Value: !If [Wide, !Ref Table, !Ref "AWS::NoValue"]}
"""
TEMPLATE = stacks.parse_template(YAML)


def template(**resources):
    return stacks.parse_template(
        {"Resources": {n: {"Type": "T", **r} for n, r in resources.items()} or {"A": {"Type": "T"}}}
    )


# --- templates --------------------------------------------------------------------------------------------------------


def test_short_forms_of_the_functions():
    assert TEMPLATE["Resources"]["Table"]["Properties"] == {"VpcId": {"Fn::GetAtt": ["Vpc", "VpcId"]}}
    assert TEMPLATE["Conditions"]["Wide"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Cidr"}, ""]}]}
    assert TEMPLATE["Outputs"]["Table"]["Value"]["Fn::If"] == ["Wide", {"Ref": "Table"}, {"Ref": "AWS::NoValue"}]


def test_dates_and_numbers_stay_what_is_written():
    assert TEMPLATE["AWSTemplateFormatVersion"] == "2010-09-09"
    assert TEMPLATE["Resources"]["Vpc"]["Properties"]["Tags"][1]["Value"] == "080"


@pytest.mark.parametrize(
    "one, other",
    [
        (
            "Resources: {A: {Type: T, P: 80, B: true}}",
            "# text\nResources:\n  A:\n    B: 'true'\n    P: \"80\"\n    Type: T\n",
        ),
        ("Resources: {A: {P: !GetAtt B.C.D}}", "Resources: {A: {P: {'Fn::GetAtt': B.C.D}}}"),
        ("Resources: {A: {P: !GetAtt B.C}}", "Resources: {A: {P: !GetAtt [B, C]}}"),
        (
            "Resources: {A: {P: !Ref B, C: !Condition D}}",
            '{"Resources": {"A": {"P": {"Ref": "B"}, "C": {"Condition": "D"}}}}',
        ),
        (
            "Resources: {A: {P: !Sub ['${x}', {x: !Ref B}]}}",
            {"Resources": {"A": {"P": {"Fn::Sub": ["${x}", {"x": {"Ref": "B"}}]}}}},
        ),
        ("Resources: {A: {P: 80, B: true, N: }}", {"Resources": {"A": {"P": 80, "B": True, "N": None}}}),
    ],
)
def test_same_template(one, other):
    assert stacks.parse_template(one) == stacks.parse_template(other)


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("Description: x\nResources: {A: {}}", "Description: y\nResources: {A: {}}", True),
        ("Metadata: {a: b}\nResources: {A: {}}", "Resources: {A: {}}", True),
        (
            "Parameters: {P: {Type: String, Default: a}}\nResources: {A: {}}",
            "Parameters: {P: {Default: b}}\nResources: {A: {}}",
            True,
        ),
        (
            "Parameters: {P: {Type: String}}\nResources: {A: {}}",
            "Parameters: {P: {Type: Number}}\nResources: {A: {}}",
            False,
        ),
        ("Resources: {A: {Metadata: {a: b}}}", "Resources: {A: {}}", False),
        ("Resources: {A: {}}\nOutputs: {O: {Value: a}}", "Resources: {A: {}}", False),
    ],
)
def test_what_leads_to_an_update(one, other, same):
    compared = [stacks.comparable(stacks.parse_template(t)) for t in (one, other)]
    assert (compared[0] == compared[1]) is same


@pytest.mark.parametrize("body", ["Resources: [", "{]", "Resources: {A: !Sub {}\n- b"])
def test_what_is_neither_yaml_nor_json(body):
    with pytest.raises(ResourceError, match="neither YAML nor JSON"):
        stacks.parse_template(body)


@pytest.mark.parametrize("body", ["", "files/cluster.yml", "a: b", "[]", "Resources: []"])
def test_what_is_no_template(body):
    with pytest.raises(ResourceError, match="no section Resources"):
        stacks.parse_template(body)


def test_python_tags_are_not_run():
    body = "Resources: {A: !!python/object/apply:os.getcwd []}"
    assert stacks.parse_template(body)["Resources"]["A"] == []


def test_size():
    stacks.check_size("a" * 51200)
    with pytest.raises(ResourceError, match="51202 bytes.*51200"):
        stacks.check_size("ü" * 25601)


def test_resources_of_a_new_stack():
    assert stacks.resources(TEMPLATE) == {"Vpc": "AWS::EC2::VPC", "Table": "AWS::EC2::RouteTable (if Wide)"}


# --- parameters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, text",
    [(2, "2"), (True, "true"), (False, "false"), ("a", "a"), (["a", 1], "a,1"), ([], ""), (1.5, "1.5"), ("", "")],
)
def test_parameters_are_text(value, text):
    assert stacks.given_parameters({"P": value, "Q": None}) == {"P": text}


@pytest.mark.parametrize("value", [{"a": 1}, [["a"]], [{"a": 1}]])
def test_no_text_for_a_dictionary(value):
    with pytest.raises(ResourceError, match="parameters.P"):
        stacks.given_parameters({"P": value})


def test_unknown_parameters_and_those_there_are():
    with pytest.raises(ResourceError, match="no parameter CidrBlock, X. It has: Cidr, Cidrs, Password."):
        stacks.check_parameters({"X": "", "CidrBlock": ""}, TEMPLATE, [])
    with pytest.raises(ResourceError, match="It has none"):
        stacks.check_parameters({"X": ""}, template(), [])


def test_a_parameter_without_any_value():
    with pytest.raises(ResourceError, match="parameter Cidrs, Password has no default"):
        stacks.check_parameters({}, TEMPLATE, [])
    stacks.check_parameters({"Cidrs": ""}, TEMPLATE, ["Password"])


def test_what_a_parameter_will_be():
    given, previous = {"Cidrs": "a, b"}, {"Password": "****", "Old": "x"}
    expected = stacks.expected_parameters(given, TEMPLATE, previous)
    assert expected == {"Cidr": "10.0.0.0/16", "Cidrs": "a, b", "Password": "****"}
    assert stacks.normal(expected, TEMPLATE) == {"Cidr": "10.0.0.0/16", "Cidrs": "a,b", "Password": "****"}


def test_secrets_are_hidden():
    assert stacks.hidden(TEMPLATE) == {"Password"}
    assert stacks.normal({"Password": "a"}, TEMPLATE) == {"Password": "****"}


def test_what_is_not_named_keeps_its_previous_value_where_it_has_one():
    assert stacks.request_parameters({"Cidrs": "a"}, TEMPLATE, ["Password", "Old"]) == [
        {"ParameterKey": "Cidrs", "ParameterValue": "a"},
        {"ParameterKey": "Password", "UsePreviousValue": True},
    ]


@pytest.mark.parametrize(
    "given, zones, chosen",
    [
        ({}, "abc", {"One": "a", "Two": "b"}),
        ({"One": "c"}, "abc", {"One": "c", "Two": "a"}),
        ({"Two": "a", "Other": "b"}, "abc", {"One": "b", "Two": "a", "Other": "b"}),
        ({"One": "x", "Two": "x"}, "", {"One": "x", "Two": "x"}),
    ],
)
def test_each_zone_parameter_gets_a_zone_of_its_own(given, zones, chosen):
    assert stacks.with_zones(given, ["One", "Two"], zones) == chosen


def test_too_few_zones():
    with pytest.raises(ResourceError, match=r"offers 1 .*\(a\).* 2 for One, Two.*network_availability_zones.*region"):
        stacks.with_zones({}, ["One", "Two"], ["a"])
    with pytest.raises(ResourceError, match="1 for Two"):
        stacks.with_zones({"One": "a"}, ["One", "Two"], ["a"])


# --- stacks and differences -------------------------------------------------------------------------------------------


def test_a_parameter_of_an_ssm_type_is_its_name():
    raw = {
        "StackName": "s",
        "StackId": "arn",
        "StackStatus": "CREATE_COMPLETE",
        "Parameters": [{"ParameterKey": "Image", "ParameterValue": "/aws/image", "ResolvedValue": "ami-1"}],
        "Outputs": [{"OutputKey": "Url", "OutputValue": "http://"}],
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    assert stacks.stack_from_aws(raw) == {
        "name": "s",
        "id": "arn",
        "status": "CREATE_COMPLETE",
        "parameters": {"Image": "/aws/image"},
        "outputs": {"Url": "http://"},
        "tags": {"a": "b"},
    }


@pytest.mark.parametrize(
    "before, after, left, right",
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 2}, {"b": 3}),
        (
            {"a": {"b": 1, "c": {"d": 1}}},
            {"a": {"b": 1, "c": {"d": 2, "e": 3}}},
            {"a": {"c": {"d": 1}}},
            {"a": {"c": {"d": 2, "e": 3}}},
        ),
        ({"a": 1}, {"b": {}}, {"a": 1}, {"b": {}}),
        ({"a": [1, 2]}, {"a": [1]}, {"a": [1, 2]}, {"a": [1]}),
        ({"a": None}, {"a": {"b": 1}}, {"a": None}, {"a": {"b": 1}}),
        ({"a": 1}, {"a": 1}, {}, {}),
    ],
)
def test_changed_parts(before, after, left, right):
    was = json.dumps([before, after])
    assert stacks.changed_parts(before, after) == (left, right)
    assert json.dumps([before, after]) == was


def test_outputs_before_they_are_known():
    assert stacks.foreseen_outputs(TEMPLATE, {"Vpc": "vpc-1", "Old": "x"}) == {
        "Vpc": "vpc-1",
        "Table": "(known after apply)",
    }


@pytest.mark.parametrize(
    "status, runs",
    [
        ("CREATE_IN_PROGRESS", True),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", True),
        ("REVIEW_IN_PROGRESS", False),
        ("CREATE_COMPLETE", False),
    ],
)
def test_in_progress(status, runs):
    assert stacks.in_progress(status) is runs


def test_every_state_is_provided_for():
    import boto3

    client = boto3.client("cloudformation", region_name="eu-west-1", aws_access_key_id="-", aws_secret_access_key="-")
    shape = client.meta.service_model.operation_model("DescribeStacks").output_shape.members["Stacks"].member
    known = stacks.UPDATABLE | stacks.REMADE | stacks.HELD | stacks.ROLLED_BACK_FIRST | {"DELETE_COMPLETE"}
    rest = {s for s in shape.members["StackStatus"].enum if s not in known and not stacks.in_progress(s)}
    assert rest == {"IMPORT_ROLLBACK_FAILED"}  # refused


# --- change sets ------------------------------------------------------------------------------------------------------


def change(name, replacement="False", *details, action="Modify", kind="T"):
    row = {"Action": action, "LogicalResourceId": name, "ResourceType": kind, "Details": list(details)}
    return {"ResourceChange": row | ({"Replacement": replacement} if action == "Modify" else {})}


def detail(source, cause="", name="P", recreation="Always", evaluation="Dynamic"):
    target = {"Attribute": "Properties", "Name": name, "RequiresRecreation": recreation}
    return {"Target": target, "Evaluation": evaluation, "ChangeSource": source, "CausingEntity": cause}


REF, TO_B = detail("ResourceReference", "Vpc"), detail("ResourceReference", "B")
OWN = detail("DirectModification", evaluation="Static", recreation="Conditionally")
GROUP = "AWS::AutoScaling::AutoScalingGroup"
VERSION = detail("ResourceAttribute", "Launch.LatestVersionNumber", "LaunchTemplate", "Conditionally")


@pytest.mark.parametrize(
    "changes, lost",
    [
        ([change("A")], []),
        ([change("A", "True")], ["A"]),
        ([change("A", action="Add")], []),
        ([change("A", action="Import")], []),
        ([change("A", action="Remove")], ["A"]),
        ([change("A", action="Dynamic")], ["A"]),
        # Conditional without a word of why, or for a reason of its own
        ([change("A", "Conditional")], ["A"]),
        ([change("A", "Conditional", OWN)], ["A"]),
        # a reference to what stays, or is replaced, or is replaced in turn
        ([change("Vpc"), change("A", "Conditional", REF)], []),
        ([change("Vpc", "True"), change("A", "Conditional", REF)], ["Vpc", "A"]),
        ([change("A", "Conditional", TO_B), change("B", "Conditional", REF), change("Vpc", "True")], ["A", "B", "Vpc"]),
        ([change("A", "Conditional", TO_B), change("B", "Conditional", REF), change("Vpc")], []),
        # an attribute may change where the resource stays, unless it is its identity
        ([change("A", "Conditional", detail("ResourceAttribute", "Vpc.CidrBlock"))], ["A"]),
        ([change("A", "Conditional", detail("ResourceAttribute", "Role.Arn"))], []),
        ([change("A", "Conditional", REF, detail("DirectModification"))], ["A"]),
        # what does not recreate is no cause
        ([change("A", "Conditional", REF, detail("DirectModification", recreation="Never"))], []),
        # an Auto Scaling group
        ([change("Group", "Conditional", VERSION, kind=GROUP)], []),
        ([change("Group", "Conditional", VERSION, detail("DirectModification"), kind=GROUP)], ["Group"]),
        ([change("Replacing", "Conditional", VERSION, kind=GROUP)], ["Replacing"]),
        ([change("Unknown", "Conditional", VERSION, kind=GROUP)], ["Unknown"]),
    ],
)  # fmt: skip
def test_what_is_lost(changes, lost):
    replacing = {"UpdatePolicy": {"AutoScalingReplacingUpdate": {"WillReplace": True}}}
    unknown = {"UpdatePolicy": {"AutoScalingReplacingUpdate": {"WillReplace": {"Ref": "P"}}}}
    text = template(Group={}, Replacing=replacing, Unknown=unknown)
    assert [line.split(" (")[0].split()[-1] for line in stacks.destructive(changes, text)] == lost


NAMES = detail("DirectModification", name="GroupName", evaluation="Static")
GUESSED = detail("DirectModification", name="GroupName")
SECURITY = "AWS::EC2::SecurityGroup"


@pytest.mark.parametrize(
    "changes, names",
    [
        ([change("Vpc", "True", kind="AWS::EC2::VPC")], ["Vpc"]),
        ([change("Vpc", kind="AWS::EC2::VPC")], []),
        ([change("Vpc", action="Remove", kind="AWS::EC2::VPC")], []),
        ([change("Named", "True", kind=SECURITY)], ["Named"]),
        ([change("Named", kind=SECURITY)], []),
        ([change("Named", action="Remove", kind=SECURITY)], []),
        ([change("Named", "True")], []),
        ([change("Plain", "True", kind=SECURITY)], []),
        ([change("Nameless", "True", kind=SECURITY)], []),
        # another name makes room for another thing, but not a name that is only maybe another one
        ([change("Named", "True", NAMES, kind=SECURITY)], []),
        ([change("Named", "True", GUESSED, kind=SECURITY)], ["Named"]),
        # what goes with the VPC
        ([change("Vpc", "True", kind="T"), change("Named", "Conditional", REF, kind=SECURITY)], ["Named"]),
    ],
)  # fmt: skip
def test_what_can_not_be_replaced(changes, names):
    text = template(
        Named={"Properties": {"GroupName": {"Ref": "Name"}}},
        Nameless={"Properties": {"GroupName": {"Ref": "AWS::NoValue"}}},
        Plain={"Properties": {"GroupDescription": "x"}},
    )
    assert stacks.irreplaceable(changes, text) == names


TO_VPC = detail("ResourceReference", "Vpc", "UserData")
DATA = detail("DirectModification", name="UserData", recreation="Conditionally", evaluation="Static")
INSTANCE = "AWS::EC2::Instance"


@pytest.mark.parametrize(
    "changes, names",
    [
        ([change("Box", "Conditional", DATA, kind=INSTANCE)], ["Box"]),
        ([change("Box", "True", DATA, kind=INSTANCE)], []),
        ([change("Box", "Conditional", DATA)], []),
        ([change("Box", "False", detail("DirectModification", name="Tags"), kind=INSTANCE)], []),
        ([change("Vpc"), change("Box", "Conditional", TO_VPC, kind=INSTANCE)], []),
    ],
)  # fmt: skip
def test_what_is_stopped_and_started(changes, names):
    assert stacks.restarted(changes, template()) == names


def test_what_a_change_set_will_do():
    changes = [
        change("Vpc", "True", detail("DirectModification", name="CidrBlock"), kind="AWS::EC2::VPC"),
        change("Nic", "Conditional", REF),
        change("Launch", "False", {"Target": {"Attribute": "Tags"}}, detail("DirectModification", name="Data")),
        change("New", action="Add"),
        change("Old", action="Remove"),
    ]
    assert stacks.planned(changes, template()) == [
        "Replace Vpc (AWS::EC2::VPC): CidrBlock",
        "May replace Nic (T): P",
        "Modify Launch (T): Data, Tags",
        "Add New (T)",
        "Remove Old (T)",
    ]


@pytest.mark.parametrize(
    "reason, nothing",
    [
        (
            "The submitted information didn't contain changes. Submit different information to create a change set.",
            True,
        ),
        ("No updates are to be performed.", True),
        ("Requires capabilities : [CAPABILITY_IAM]", False),
        (None, False),
    ],
)
def test_how_cloudformation_says_that_there_is_nothing_to_do(reason, nothing):
    assert stacks.no_changes(reason) is nothing
