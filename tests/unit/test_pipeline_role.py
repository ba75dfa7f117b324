# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What the role of the pipeline may do: enough, and on its own things only."""

import importlib.resources
import json
from functools import cache
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLES = Path(__file__).resolve().parents[2] / "roles"
CONNECTION = "arn:aws:codeconnections:ap-southeast-1:123456789012:connection/1"
HERE = "ap-southeast-1:123456789012"
#: The user guide's policies for the actions CodeStarSourceConnection, CodeBuild and ECS, and for the artifact store
NEEDED = {
    "codebuild:BatchGetBuilds", "codebuild:StartBuild", "codeconnections:UseConnection",
    "codestar-connections:UseConnection", "ecs:DescribeServices", "ecs:DescribeTaskDefinition", "ecs:DescribeTasks",
    "ecs:ListTasks", "ecs:RegisterTaskDefinition", "ecs:TagResource", "ecs:UpdateService", "iam:PassRole",
    "s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:GetObject", "s3:GetObjectVersion",
    "s3:PutObject", "s3:PutObjectAcl",
}  # fmt: skip


def value(name, **given):
    """What a variable of the role is on the host of the petclinic service."""
    loader, values = DataLoader(), {}
    for file in ("naming/defaults", "pipeline/defaults", "pipeline/vars"):
        values |= loader.load_from_file(str(ROLES / file / "main.yml"), trusted_as_template=True)
    values |= {
        "inventory_hostname": "petclinic-rest-service",
        "cluster_name": "petclinic-rest-cluster",
        "aws_account_id": "123456789012",
        "hostvars": {},
        "__pipeline_connection": {"connection": {"arn": CONNECTION}, "available": True},
        **given,
    }
    return Templar(loader, variables=values).template(values[name])


def listed(it):
    return [it] if isinstance(it, str) else list(it)


def statements(**given):
    return {s["Sid"]: s for s in value("__pipeline_policy", **given)["Statement"]}


def actions(**given):
    return {a for s in statements(**given).values() for a in listed(s["Action"])}


@cache
def services():
    data = importlib.resources.files("cfnlint") / "data" / "AdditionalSpecs" / "Policies.json"
    return json.loads(data.read_text())


def resources_of(action):
    """The resources that the Service Authorization Reference knows of an action, as cfn-lint carries it."""
    service, name = action.split(":")
    known = services()[service]["Actions"]
    return next((v for k, v in known.items() if k.lower() == name.lower())).get("Resources") or []


def test_it_may_do_what_its_actions_take_and_nothing_else():
    assert actions() == NEEDED
    key = "arn:aws:kms:ap-southeast-1:123456789012:key/1"
    with_key = statements(pipeline_artifact_kms_key=key)["UseTheKeyOfTheArtifacts"]
    assert with_key["Resource"] == key and all(a.startswith("kms:") for a in with_key["Action"])


def test_every_resource_is_its_own():
    found = {sid: listed(s["Resource"]) for sid, s in statements().items()}
    service = f"arn:aws:ecs:{HERE}:service/petclinic-rest-cluster/petclinic-rest-service"
    assert found == {
        "ReadTheRepository": [CONNECTION],
        "Build": [f"arn:aws:codebuild:{HERE}:project/petclinic-rest-build"],
        "LookAtTheArtifactBucket": ["arn:aws:s3:::petclinic-rest-codepipeline-123456789012"],
        "HandOnArtifacts": ["arn:aws:s3:::petclinic-rest-codepipeline-123456789012/*"],
        "DeployToTheService": [service],
        "ReadTaskDefinitions": ["*"],
        "RegisterARevision": [f"arn:aws:ecs:{HERE}:task-definition/petclinic-rest-task:*"],
        "TagTheRevision": [f"arn:aws:ecs:{HERE}:task-definition/petclinic-rest-task:*"],
        "LookAtTasks": [f"arn:aws:ecs:{HERE}:task/petclinic-rest-cluster/*"],
        "ListTasks": ["*"],
        "PassTheRolesOfTheTask": ["arn:aws:iam::123456789012:role/petclinic-rest-task-execution-role"],
    }


def test_everything_is_allowed_only_where_aws_knows_no_resource_or_a_condition_limits_it():
    for statement in statements().values():
        if statement["Resource"] == "*":
            assert statement.get("Condition") or not any(resources_of(a) for a in listed(statement["Action"]))
        assert not any("*" in action for action in listed(statement["Action"]))


def test_roles_are_passed_to_tasks_only():
    passed = statements(task_definition_task_role="petclinic-task-role")["PassTheRolesOfTheTask"]
    assert passed["Resource"] == [
        "arn:aws:iam::123456789012:role/petclinic-rest-task-execution-role",
        "arn:aws:iam::123456789012:role/petclinic-task-role",
    ]
    assert passed["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    arn = "arn:aws:iam::123456789012:role/path/of-mine"
    assert statements(task_definition_task_role=arn)["PassTheRolesOfTheTask"]["Resource"][1] == arn
    tagged = statements()["TagTheRevision"]
    assert tagged["Condition"] == {"StringEquals": {"ecs:CreateAction": "RegisterTaskDefinition"}}


def test_its_trust_has_no_condition_as_in_awss_own_policy():
    assert value("pipeline_trust_conditions") == {}


@pytest.mark.parametrize(
    ("connection", "pending"),
    [
        ({"available": True, "connection": {"name": "c"}}, {}),
        ({"available": False, "connection": {"name": "c"}}, {"name": "c"}),
        ({"skipped": True}, {}),
    ],
)
def test_a_connection_that_cannot_be_used_is_pending(connection, pending):
    assert value("__pipeline_pending", __pipeline_connection=connection) == pending


def task(file, name):
    tasks = DataLoader().load_from_file(str(ROLES / "pipeline/tasks" / file), trusted_as_template=True)
    return next(t for t in tasks if name in t["name"])


@pytest.mark.parametrize(
    ("status", "wanted", "trigger"),
    [("AVAILABLE", True, True), ("PENDING", True, False), ("ERROR", True, False), ("AVAILABLE", False, False)],
)
def test_a_push_starts_it_only_by_a_connection_that_can_be_used(status, wanted, trigger):
    keep = task("present.yml", "Keep the pipeline")["handson.ecs.codepipeline"]["trigger"]
    connection = {"available": status == "AVAILABLE", "connection": {"name": "c", "status": status, "arn": CONNECTION}}
    assert value("it", it=keep, __pipeline_connection=connection, pipeline_trigger=wanted) is trigger


@pytest.mark.parametrize(("trigger", "said"), [(True, "or by a push"), (False, "playbooks/start_pipeline.yml.")])
def test_who_has_approved_is_told_what_starts_it(trigger, said):
    stop = task("approved.yml", "Stop")["ansible.builtin.fail"]["msg"]
    connection = {"name": "c", "status": "PENDING", "arn": CONNECTION, "console_url": "https://x"}
    pending = {"available": False, "connection": connection}
    text = value("it", it=stop, __pipeline_connection=pending, pipeline_trigger=trigger, service_name="s")
    assert "nothing repeats it" in text and said in text and ("pushes" in text) == trigger


URL = "https://github.com/somebody/shipped"
OFF = {"pipeline_enabled": False}
EMPTY = {"build_project_source_url": ""}


@pytest.mark.parametrize(
    ("inventory", "unwanted"),
    [
        ({"pipeline_enabled": True, "build_project_source_url": URL}, False),
        ({**OFF, "build_project_source_url": URL}, True),
        ({"build_project_source_url": URL}, False),
        ({**OFF, **EMPTY}, True),
        (EMPTY, True),
        (OFF, True),
        # Where the inventory says nothing nobody looks.
        ({}, False),
        ({"build_project_branch": "master"}, False),
    ],
)
def test_one_is_looked_for_where_the_inventory_says_that_there_is_to_be_none(inventory, unwanted):
    given = {**inventory, "hostvars": {"petclinic-rest-service": inventory}}
    assert value("__pipeline_unwanted", **given) is unwanted


def load(file):
    return DataLoader().load_from_file(str(ROLES / "pipeline/tasks" / file))


def test_one_that_is_switched_off_goes_but_for_its_connection():
    look, left, rest = load("disabled.yml")
    assert look["handson.ecs.codepipeline"]["state"] == "absent" and look["when"] == "__pipeline_unwanted | bool"
    # A run that was interrupted has left the role, which goes last: the next one goes on.
    assert left["handson.ecs.iam_role"]["state"] == "absent" and left["check_mode"] is True and left["when"] == look["when"]
    assert rest["when"] == f"{look['when']} and ({look['register']} is changed or {left['register']}.diff.before | length > 0)"
    assert rest["block"][0]["ansible.builtin.include_tasks"] == "unused.yml"
    modules = [next(k for k in t if k.startswith("handson.ecs.")) for t in load("unused.yml")]
    assert modules == ["handson.ecs.bucket", "handson.ecs.iam_role"]
    _pipeline, used, connection = load("absent.yml")
    assert used["ansible.builtin.import_tasks"] == "unused.yml" and "handson.ecs.codeconnection" in connection


def test_a_drill_begins_without_the_result_of_the_one_before():
    reset = next(t["ansible.builtin.set_fact"] for t in load("drill_begin.yml") if "ansible.builtin.set_fact" in t)
    assert reset["__pipeline_drill"] == {} and reset["__pipeline_drill_got"] == ""
