# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from ansible.module_utils.basic import AnsibleModule
from modules.aws_calls import operations, recorded
from modules.fake_cloudformation import READS, FakeCloudFormation, step
from modules.harness import Failed, contract, run

OWNER = {"handson:cluster": "shop"}
TEMPLATE = """
Parameters:
  Cidr: {Type: String, Default: 10.0.0.0/16}
  Names: {Type: CommaDelimitedList, Default: "one,two"}
  Password: {Type: String, Default: none, NoEcho: true}
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: !Ref Cidr
      Tags: [{Key: Name, Value: !Select [0, !Ref Names]}]
Outputs:
  Vpc: {Value: !Ref Vpc}
"""
GATEWAY = TEMPLATE.replace("Outputs:", "  Gateway: {Type: AWS::EC2::InternetGateway}\nOutputs:")
ZONES = """
Parameters:
  Cidr: {Type: String, Default: 10.0.0.0/16}
  One: {Type: String}
  Two: {Type: String}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: !Ref Cidr}}
  First:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/24, AvailabilityZone: !Ref One}
Outputs:
  Vpc: {Value: !Ref Vpc}
"""
CHOOSE = {"template_body": ZONES, "zone_parameters": ["One", "Two"]}
DEFAULTS = {"Cidr": "10.0.0.0/16", "Names": "one,two", "Password": "****"}
OPTIONS = {"name": "shop", "template_body": TEMPLATE, "owner": OWNER, "wait_interval": 0}


def stack(check=False, **options):
    return run("cloudformation_stack", check, **{**OPTIONS, **options})


def writes(calls):
    return [name for name in operations(calls) if name not in READS]


# --- on the embedded endpoint -----------------------------------------------------------------------------------------


@pytest.fixture
def read(aws):
    def read():
        found = aws("cloudformation").describe_stacks()["Stacks"]
        if not found:
            return None
        vpc = {o["OutputKey"]: o["OutputValue"] for o in found[0]["Outputs"]}["Vpc"]
        tags = aws("ec2").describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"]
        kinds = aws("cloudformation").list_stack_resources(StackName="shop")["StackResourceSummaries"]
        return found[0] | {
            "vpc": {t["Key"]: t["Value"] for t in tags},
            "stack_tags": {t["Key"]: t["Value"] for t in found[0]["Tags"]},
            "kinds": sorted(k["ResourceType"] for k in kinds),
        }

    return read


def test_contract(read):
    contract(
        "cloudformation_stack",
        OPTIONS,
        read,
        changes=[
            ({"parameters": {"Names": ["three", "two"]}}, lambda s: s["vpc"]["Name"], "three"),
            ({"template_body": GATEWAY}, lambda s: s["kinds"], ["AWS::EC2::InternetGateway", "AWS::EC2::VPC"]),
            ({"tags": {"team": "vets"}}, lambda s: s["stack_tags"].get("team"), "vets"),
        ],
    )


def test_the_stack_as_it_is_told_and_two_calls_when_nothing_changes(read):
    made = stack(parameters={"Cidr": "10.1.0.0/16"})
    assert made["stack"]["parameters"] == {**DEFAULTS, "Cidr": "10.1.0.0/16"}
    assert made["stack"]["status"] == "CREATE_COMPLETE" and made["stack"]["outputs"]["Vpc"].startswith("vpc-")
    assert made["stack"]["tags"] == OWNER and read()["vpc"]["handson:cluster"] == "shop"
    assert any(line.startswith("CREATE_COMPLETE  AWS::EC2::VPC  Vpc") for line in made["events"])
    with recorded() as calls:
        same = stack(template_body="# the same\n" + TEMPLATE)
    assert not same["changed"] and operations(calls) == ["DescribeStacks", "GetTemplate"]
    assert same["stack"] == made["stack"]


def test_a_replacement_is_refused_and_then_allowed(aws):
    group = "  Group: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: %s, VpcId: !Ref Vpc}}\nOutputs:"
    a, b = ({"template_body": TEMPLATE.replace("Outputs:", group % text)} for text in ("before", "after"))
    stack(**a)
    with pytest.raises(
        Failed, match="would replace or remove resources.*\n- Replace Group.*\n.*allow_replacement to true"
    ) as failed:
        stack(**b)
    assert not failed.value.result["changed"] and len(failed.value.result["refused_changes"]) == 1
    assert stack(**b, allow_replacement=True)["changed"]
    own = [{"Name": "tag:handson:cluster", "Values": ["shop"]}, {"Name": "description", "Values": ["before", "after"]}]
    (found,) = aws("ec2").describe_security_groups(Filters=own)["SecurityGroups"]
    assert found["Description"] == "after"


def test_a_subnet_is_not_moved_to_another_zone(aws):
    assert stack(**CHOOSE, parameters={"One": "ap-southeast-1b"})["stack"]["parameters"]["Two"] == "ap-southeast-1a"
    with pytest.raises(Failed, match="- Replace First.*\n.*First can't be replaced"):
        stack(**CHOOSE, parameters={"One": "ap-southeast-1c"}, allow_replacement=True)


@pytest.mark.parametrize("allowed", [False, True])
def test_a_vpc_is_not_replaced(read, allowed):
    stack()
    before = read()["Outputs"]
    with pytest.raises(Failed, match="- Replace Vpc.*\n.*Vpc can't be replaced.*--limit HOST.*anew") as failed:
        stack(parameters={"Cidr": "10.1.0.0/16"}, allow_replacement=allowed)
    assert "allow_replacement" not in failed.value.result["msg"] and not failed.value.result["changed"]
    assert read()["Outputs"] == before


def test_a_living_stack_keeps_its_zones_without_a_look(aws):
    with recorded() as calls:
        foreseen = stack(check=True, **CHOOSE)
        made = stack(**CHOOSE)
    assert operations(calls).count("DescribeAvailabilityZones") == 2
    chosen = {"Cidr": "10.0.0.0/16", "One": "ap-southeast-1a", "Two": "ap-southeast-1b"}
    assert foreseen["stack"]["parameters"] == made["stack"]["parameters"] == chosen
    with recorded() as calls:
        assert not stack(**CHOOSE, parameters={"One": "", "Two": None})["changed"]
    assert operations(calls) == ["DescribeStacks", "GetTemplate"]
    with recorded() as calls:
        assert stack(**CHOOSE, tags={"team": "vets"})["stack"]["parameters"] == chosen
    assert "DescribeAvailabilityZones" not in operations(calls)
    assert {"ParameterKey": "One", "UsePreviousValue": True} in dict(calls)["CreateChangeSet"]["Parameters"]


# --- on a CloudFormation in every state -------------------------------------------------------------------------------


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "ap-southeast-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobodys-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nobodys-secret-key")
    return FakeCloudFormation(tags=OWNER)


def test_create_and_what_is_shown_meanwhile(fake, tmp_path):
    progress = tmp_path / "progress"
    with fake.answering() as calls:
        made = stack(parameters={"Names": ["a", "b"], "Cidr": None}, progress_file=str(progress))
    request = dict(calls)["CreateStack"]
    assert request["Parameters"] == [{"ParameterKey": "Names", "ParameterValue": "a,b"}]
    assert request["Tags"] == [{"Key": "handson:cluster", "Value": "shop"}]
    assert request["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    assert made["diff"]["after"]["resources"] == {"Vpc": "AWS::EC2::VPC"} and made["diff"]["before"] == {}
    assert (
        progress.read_text().splitlines()
        == made["events"]
        == [
            "creating the stack shop",
            "CREATE_IN_PROGRESS  AWS::CloudFormation::Stack  shop  User Initiated",
            "CREATE_COMPLETE  AWS::EC2::VPC  Vpc",
            "CREATE_COMPLETE  AWS::CloudFormation::Stack  shop",
        ]
    )


def test_check_mode_tells_everything_and_writes_nothing(fake):
    with fake.answering() as calls:
        foreseen = stack(check=True)
    assert foreseen["changed"] and foreseen["stack"]["outputs"] == {"Vpc": "(known after apply)"}
    assert foreseen["stack"]["parameters"] == DEFAULTS
    fake.put("CREATE_COMPLETE", TEMPLATE, parameters={**DEFAULTS, "Names": "one, two"})
    with fake.answering() as more:
        foreseen = stack(check=True, template_body=GATEWAY, parameters={"Cidr": "10.1.0.0/16"}, tags={"team": "vets"})
        assert not stack(check=True)["changed"]
    assert writes(calls + more) == []
    assert foreseen["diff"]["before"] == {
        "template": {"Resources": {}},
        "parameters": {"Cidr": "10.0.0.0/16"},
        "tags": {},
    }
    assert foreseen["diff"]["after"] == {
        "template": {"Resources": {"Gateway": {"Type": "AWS::EC2::InternetGateway"}}},
        "parameters": {"Cidr": "10.1.0.0/16"},
        "tags": {"team": "vets"},
    }


def test_update_keeps_what_is_not_named(fake):
    fake.put("CREATE_COMPLETE", TEMPLATE, parameters={**DEFAULTS, "Names": "kept"})
    with fake.answering() as calls:
        updated = stack(parameters={"Cidr": "10.1.0.0/16"}, template_body=GATEWAY)
        assert not stack(parameters={"Cidr": "10.1.0.0/16"}, template_body=GATEWAY)["changed"]
    assert dict(calls)["CreateChangeSet"]["Parameters"] == [
        {"ParameterKey": "Cidr", "ParameterValue": "10.1.0.0/16"},
        {"ParameterKey": "Names", "UsePreviousValue": True},
        {"ParameterKey": "Password", "UsePreviousValue": True},
    ]
    assert updated["changed"] and updated["stack"]["parameters"]["Names"] == "kept"
    assert updated["stack"]["status"] == "UPDATE_COMPLETE" and not fake.change_sets


def test_secrets_are_shown_nowhere(fake):
    fake.put("CREATE_COMPLETE", TEMPLATE, parameters=DEFAULTS)
    with fake.answering() as calls:
        updated = stack(parameters={"Password": "s3cr3t-value", "Cidr": "10.1.0.0/16"})
    assert "s3cr3t-value" not in str(updated)
    assert {"ParameterKey": "Password", "ParameterValue": "s3cr3t-value"} in dict(calls)["CreateChangeSet"][
        "Parameters"
    ]


def test_no_option_gets_into_the_system_log(fake, monkeypatch):
    logged = []
    monkeypatch.setattr(AnsibleModule, "log", lambda self, message, log_args=None: logged.append(message))
    with fake.answering():
        # a task always brings _ansible_no_log
        made = stack(parameters={"Password": "s3cr3t-value"}, _ansible_no_log=False)
        assert made["changed"] and made["stack"]["parameters"] == DEFAULTS and made["diff"]["after"]
        assert not logged


@pytest.mark.parametrize("lost", ["CreateStack", "CreateChangeSet", "ExecuteChangeSet", "DeleteStack"])
def test_a_lost_reply_is_no_failure(fake, lost):
    fake.lost = {lost}
    with fake.answering():
        assert stack()["changed"]
        assert stack(parameters={"Names": "a"})["changed"]
        assert not stack(parameters={"Names": "a"})["changed"]
        assert stack(state="absent")["changed"]
    assert fake.stack is None and not fake.change_sets


def test_a_change_set_without_changes_is_no_change(fake):
    fake.put("CREATE_COMPLETE", TEMPLATE, parameters=DEFAULTS)
    fake.change_set_fails = "The submitted information didn't contain changes. Submit different information."
    with fake.answering():
        result = stack(template_body=GATEWAY)
    assert not result["changed"] and result["diff"]["before"] == result["diff"]["after"] == {} and not fake.change_sets


def test_a_change_set_that_fails_is_deleted_and_told(fake):
    fake.put("CREATE_COMPLETE", TEMPLATE, parameters=DEFAULTS)
    fake.change_set_fails = "Requires capabilities : [CAPABILITY_AUTO_EXPAND]"
    with fake.answering(), pytest.raises(Failed, match=r"refuses.*CAPABILITY_AUTO_EXPAND\]. Nothing was changed"):
        stack(template_body=GATEWAY)
    assert not fake.change_sets


def test_a_change_set_that_removes_is_refused_and_deleted(fake):
    fake.put("CREATE_COMPLETE", GATEWAY, parameters=DEFAULTS)
    row = {"Action": "Remove", "LogicalResourceId": "Gateway", "ResourceType": "AWS::EC2::InternetGateway"}
    fake.changes = [{"ResourceChange": row}]
    with fake.answering() as calls, pytest.raises(Failed, match="Remove Gateway .*\n.*allow_replacement to true"):
        stack()
    assert not fake.change_sets and "ExecuteChangeSet" not in operations(calls)
    with fake.answering():
        assert "Remove Gateway (AWS::EC2::InternetGateway)" in stack(allow_replacement=True)["events"]


def test_a_creation_that_fails_names_the_first_resource(fake):
    failing = [
        step("CREATE_FAILED", "Vpc", "The maximum number of VPCs has been reached."),
        step("CREATE_FAILED", "Gateway", "Resource creation cancelled"),
        step("ROLLBACK_IN_PROGRESS", reason="The following resource(s) failed to create: [Vpc, Gateway]."),
        step("ROLLBACK_COMPLETE"),
    ]
    fake.steps["create"] = [failing, [step("CREATE_COMPLETE")]]
    with fake.answering(), pytest.raises(Failed) as failed:
        stack()
    assert failed.value.result["msg"] == (
        "The creation of the stack 'shop' failed. First Vpc (AWS::EC2::VPC): The maximum number of VPCs has been "
        "reached. The stack is in ROLLBACK_COMPLETE. Mend the cause and run again: the run deletes the stack and makes "
        "it anew."
    )
    assert failed.value.result["changed"] and failed.value.result["failed_resource"]["logical_id"] == "Vpc"
    with fake.answering():
        assert stack()["stack"]["status"] == "CREATE_COMPLETE"


def test_an_update_that_fails_names_the_first_resource_and_the_next_run_updates(fake):
    fake.put("CREATE_COMPLETE", TEMPLATE, parameters=DEFAULTS)
    failing = [
        step("UPDATE_FAILED", "Vpc", "The CIDR is taken"),
        step("UPDATE_ROLLBACK_IN_PROGRESS", reason="The following resource(s) failed to update: [Vpc]."),
        step("UPDATE_ROLLBACK_COMPLETE"),
    ]
    fake.steps["update"].insert(0, failing)
    with fake.answering(), pytest.raises(Failed, match="update of .* First Vpc .*CIDR is taken.*as it was before"):
        stack(tags={"team": "vets"})
    fake.template, fake.stack["Tags"] = TEMPLATE, [{"Key": "handson:cluster", "Value": "shop"}]
    with fake.answering():
        assert stack(tags={"team": "vets"})["stack"]["status"] == "UPDATE_COMPLETE"


def test_an_instance_that_is_stopped_and_started_is_told_of(fake):
    fake.put("CREATE_COMPLETE", TEMPLATE, parameters=DEFAULTS)
    target = {"Attribute": "Properties", "Name": "UserData", "RequiresRecreation": "Conditionally"}
    row = {"Action": "Modify", "LogicalResourceId": "Box", "ResourceType": "AWS::EC2::Instance"}
    row |= {"Replacement": "Conditional", "Details": [{"Target": target, "Evaluation": "Static"}]}
    fake.changes = [{"ResourceChange": row}]
    with fake.answering():
        updated = stack(template_body=GATEWAY)
    told = "the user data of Box changes, for which the instance is stopped and started"
    assert updated["changed"] and told in updated["events"]
    assert [w for w in updated["warnings"] if told in str(w)]


def test_a_new_stack_in_place_of_one_that_never_came_up_gets_zones_anew(fake):
    fake.put("ROLLBACK_COMPLETE", ZONES, parameters={"Cidr": "10.0.0.0/16", "One": "c", "Two": "d"})
    zones = {"AvailabilityZones": [{"ZoneName": "b"}, {"ZoneName": "a"}]}
    with fake.answering(), recorded(DescribeAvailabilityZones=lambda real, _parameters: zones):
        made = stack(**CHOOSE)
    assert made["stack"]["parameters"] == {"Cidr": "10.0.0.0/16", "One": "a", "Two": "b"}


def test_an_empty_zone_of_a_living_stack_is_kept(fake):
    fake.put("CREATE_COMPLETE", ZONES, parameters={"Cidr": "10.0.0.0/16", "One": "", "Two": ""})
    with fake.answering() as calls:
        assert not stack(**CHOOSE, parameters={"One": ""})["changed"]
        assert stack(**CHOOSE, tags={"team": "vets"})["changed"]
    assert {"ParameterKey": "One", "UsePreviousValue": True} in dict(calls)["CreateChangeSet"]["Parameters"]


@pytest.mark.parametrize("check", [False, True])
def test_too_few_zones_before_anything_is_written(fake, check):
    zones = {"AvailabilityZones": [{"ZoneName": "a"}]}
    with fake.answering() as calls, recorded(DescribeAvailabilityZones=lambda real, _parameters: zones):
        with pytest.raises(Failed, match="network_availability_zones"):
            stack(check, **CHOOSE)
    assert writes(calls) == []


@pytest.mark.parametrize(
    "status, coming, made_anew",
    [
        ("CREATE_IN_PROGRESS", [step("CREATE_COMPLETE", "Vpc"), step("CREATE_COMPLETE")], False),
        ("CREATE_IN_PROGRESS", [step("ROLLBACK_IN_PROGRESS"), step("ROLLBACK_COMPLETE")], True),
        ("ROLLBACK_IN_PROGRESS", [step("ROLLBACK_COMPLETE")], True),
        ("UPDATE_IN_PROGRESS", [step("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), step("UPDATE_COMPLETE")], False),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", [step("UPDATE_COMPLETE")], False),
        ("UPDATE_ROLLBACK_IN_PROGRESS", [step("UPDATE_ROLLBACK_COMPLETE")], False),
        ("DELETE_IN_PROGRESS", [step("DELETE_COMPLETE")], True),
    ],
)
def test_what_a_killed_run_left_under_way_is_waited_out(fake, status, coming, made_anew):
    fake.put(status, TEMPLATE, coming, DEFAULTS)
    before = fake.stack["StackId"]
    with fake.answering() as calls:
        result = stack()
        assert not stack(check=True)["changed"]
    assert result["changed"] is made_anew and (result["stack"]["id"] != before) is made_anew
    assert result["events"][0] == f"the stack shop is in {status}: that is waited for"
    assert made_anew or writes(calls) == []


@pytest.mark.parametrize(
    "status, coming",
    [
        ("CREATE_FAILED", []),
        ("DELETE_FAILED", []),
        ("DELETE_IN_PROGRESS", [step("DELETE_FAILED")]),
        ("CREATE_IN_PROGRESS", [step("CREATE_FAILED")]),
    ],
)
def test_what_may_still_hold_something_is_not_made_anew_unasked(fake, status, coming):
    fake.put(status, TEMPLATE, coming)
    with fake.answering() as calls:
        for check in (False, True):
            with pytest.raises(Failed, match="_FAILED: it can .*Nothing was touched.*--limit HOST.*allow_replacement"):
                stack(check)
    assert writes(calls) == []


@pytest.mark.parametrize(
    "status, options",
    [
        ("ROLLBACK_COMPLETE", {}),
        ("ROLLBACK_FAILED", {}),
        ("REVIEW_IN_PROGRESS", {}),
        ("CREATE_FAILED", {"allow_replacement": True}),
        ("DELETE_FAILED", {"allow_replacement": True}),
    ],
)
def test_what_can_only_be_deleted_is_made_anew(fake, status, options):
    fake.put(status, TEMPLATE, parameters={"Cidr": "1.2.3.4/16"})
    before = fake.stack["StackId"]
    with fake.answering() as calls:
        foreseen = stack(check=True, **options)
        assert foreseen["changed"] and writes(calls) == [] and "GetTemplate" not in operations(calls)
        result = stack(**options)
    assert foreseen["diff"]["before"]["status"] == status and foreseen["diff"]["after"]["resources"]
    assert result["changed"] and result["stack"]["id"] != before and result["stack"]["status"] == "CREATE_COMPLETE"
    assert f"the stack shop is in {status}: it is deleted and made anew" in result["events"]


@pytest.mark.parametrize(
    "status, call", [("UPDATE_ROLLBACK_FAILED", "ContinueUpdateRollback"), ("UPDATE_FAILED", "RollbackStack")]
)
def test_a_roll_back_that_got_stuck_is_continued(fake, status, call):
    fake.put(status, TEMPLATE, parameters=DEFAULTS)
    with fake.answering() as calls:
        assert stack(check=True)["diff"]["after"] == {"status": "UPDATE_ROLLBACK_COMPLETE"}
        assert writes(calls) == []
        assert stack()["changed"] and writes(calls) == [call]
        fake.put(status, TEMPLATE, parameters=DEFAULTS)
        assert stack(template_body=GATEWAY)["stack"]["status"] == "UPDATE_COMPLETE"


def test_a_roll_back_that_stays_stuck_fails_with_the_way_out(fake):
    fake.put("UPDATE_ROLLBACK_FAILED", TEMPLATE, parameters=DEFAULTS)
    fake.steps["rollback"] = [[step("UPDATE_FAILED", "Vpc", "No such VPC"), step("UPDATE_ROLLBACK_FAILED")]]
    with fake.answering(), pytest.raises(Failed, match="First Vpc .*No such VPC.*--resources-to-skip Vpc"):
        stack()


def test_a_state_that_leads_nowhere_is_refused(fake):
    fake.put("IMPORT_ROLLBACK_FAILED", TEMPLATE, parameters=DEFAULTS)
    with fake.answering() as calls, pytest.raises(Failed, match="IMPORT_ROLLBACK_FAILED.*console"):
        stack()
    assert writes(calls) == []


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS", "REVIEW_IN_PROGRESS"])
def test_a_foreign_stack_is_refused_and_untouched(fake, status):
    fake.tags = {"handson:cluster": "other"}
    fake.put(status, TEMPLATE)
    with fake.answering() as calls:
        with pytest.raises(Failed, match="is not ours"):
            stack()
        absent = stack(state="absent")
    assert not absent["changed"] and absent["foreign"] and set(operations(calls)) == {"DescribeStacks"}


@pytest.mark.parametrize(
    "status, coming",
    [
        ("CREATE_COMPLETE", []),
        ("REVIEW_IN_PROGRESS", []),
        ("UPDATE_ROLLBACK_FAILED", []),
        ("CREATE_IN_PROGRESS", [step("ROLLBACK_IN_PROGRESS"), step("ROLLBACK_COMPLETE")]),
        ("DELETE_IN_PROGRESS", [step("DELETE_COMPLETE")]),
        ("DELETE_IN_PROGRESS", [step("DELETE_FAILED")]),
    ],
)
def test_absent_from_any_state(fake, status, coming):
    fake.put(status, TEMPLATE, coming)
    with fake.answering() as calls:
        assert stack(check=True, state="absent", template_body=None)["changed"]
        assert writes(calls) == []
        gone = stack(state="absent", template_body=None)
        assert gone["changed"] and gone["stack"] is None and fake.stack is None
        assert not stack(state="absent")["changed"]


def test_a_deletion_that_fails_is_tried_once_more(fake):
    held = [step("DELETE_FAILED", "Vpc", "The vpc has dependencies and cannot be deleted."), step("DELETE_FAILED")]
    fake.put("CREATE_COMPLETE", TEMPLATE)
    fake.steps["delete"].insert(0, held)
    with fake.answering() as calls:
        assert stack(state="absent")["changed"] and operations(calls).count("DeleteStack") == 2
    fake.put("CREATE_COMPLETE", TEMPLATE)
    fake.steps["delete"] = [held]
    with fake.answering() as calls, pytest.raises(Failed, match="First Vpc .*has dependencies.*--retain-resources Vpc"):
        stack(state="absent")
    assert operations(calls).count("DeleteStack") == 2


def test_a_protected_stack_is_not_deleted(fake):
    fake.protected = True
    with fake.answering() as calls:
        for status, state in (("CREATE_COMPLETE", "absent"), ("ROLLBACK_COMPLETE", "present")):
            fake.put(status, TEMPLATE)
            with pytest.raises(
                Failed, match="protected from deletion.*--no-enable-termination-protection --stack-name shop"
            ):
                stack(state=state)
    assert writes(calls) == []


def test_time_is_over(fake):
    fake.put("UPDATE_IN_PROGRESS", TEMPLATE, [step("UPDATE_FAILED", "Vpc", "No.")])
    with fake.answering(), pytest.raises(
        Failed, match="still in UPDATE_IN_PROGRESS after 0 s. Vpc failed: No. Cloud.*run again"
    ):
        stack(wait_timeout=0)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"template_body": "a: b"}, "no section Resources"),
        ({"parameters": {"Cdir": "a"}}, "no parameter Cdir. It has: Cidr, Names, Password."),
        ({"zone_parameters": ["Zone"]}, "no parameter Zone. It has"),
        ({"template_body": "Parameters: {P: {Type: String}}\nResources: {A: {Type: T}}"}, "P has no default"),
    ],
)
def test_faults_that_are_found_before_anything_is_written(fake, options, message):
    with fake.answering() as calls, pytest.raises(Failed, match=message):
        stack(**options)
    assert writes(calls) == []
