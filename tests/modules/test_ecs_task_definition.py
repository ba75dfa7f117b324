# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest
from modules.aws_calls import recorded
from modules.harness import Failed, contract, run

CONTAINER = {
    "name": "petclinic-rest-app",
    "image": "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest:latest",
    "memory_reservation": 625,
    "port_mappings": [{"container_port": 9460, "host_port": 0}],
    "environment": {"SPRING_PROFILES_ACTIVE": "h2"},
    "log_configuration": {"log_driver": "awslogs", "options": {"awslogs-group": "/ecs/petclinic-rest-task"}},
}
OPTIONS = {
    "family": "petclinic-rest-task",
    "cpu": "512",
    "memory": "1024",
    "containers": [CONTAINER],
    "owner": {"handson:service": "petclinic-rest-service"},
}


def container(**changes):
    return {"containers": [{**CONTAINER, **changes}]}


@pytest.fixture
def read(aws):
    def read():
        arns = aws("ecs").list_task_definitions()["taskDefinitionArns"]
        arns += aws("ecs").list_task_definitions(status="INACTIVE")["taskDefinitionArns"]
        if not arns:
            return None
        found = aws("ecs").describe_task_definition(taskDefinition=arns[-1], include=["TAGS"])
        return found["taskDefinition"] | {"c": found["taskDefinition"]["containerDefinitions"][0], "tags": found["tags"]}

    return read


@pytest.fixture
def roles(aws):
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    for name in ("first-role", "second-role"):
        aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)


def test_contract(read, roles):
    contract(
        "ecs_task_definition",
        {**OPTIONS, "execution_role": "first-role"},
        read,
        changes=[
            (container(environment={"SPRING_PROFILES_ACTIVE": "mysql"}), lambda t: t["c"]["environment"][0]["value"], "mysql"),
            (container(image="nginx:1"), lambda t: t["c"]["image"], "nginx:1"),
            (container(memory_reservation=700), lambda t: t["c"]["memoryReservation"], 700),
            (container(port_mappings=[{"container_port": 80}]), lambda t: t["c"]["portMappings"][0]["containerPort"], 80),
            (container(secrets={"K": "arn:aws:ssm:…"}), lambda t: t["c"].get("secrets"), [{"name": "K", "valueFrom": "arn:aws:ssm:…"}]),
            (container(command=["sleep", "1"]), lambda t: t["c"].get("command"), ["sleep", "1"]),
            ({"memory": "2048"}, lambda t: t["memory"], "2048"),
            ({"memory": ""}, lambda t: t.get("memory"), None),
            ({"cpu": "1 vCPU"}, lambda t: t["cpu"], "1024"),
            ({"execution_role": "second-role"}, lambda t: t["executionRoleArn"].rsplit("/")[-1], "second-role"),
            ({"network_mode": "host"}, lambda t: t["networkMode"], "host"),
            ({"tags": {"team": "vets"}}, lambda t: {"key": "team", "value": "vets"} in t["tags"], True),
        ],
    )


def test_each_change_is_one_revision_and_a_tag_is_none(read):
    run("ecs_task_definition", **OPTIONS)
    run("ecs_task_definition", **{**OPTIONS, **container(environment={"A": "1"})})
    run("ecs_task_definition", **{**OPTIONS, **container(environment={"A": "1"})}, tags={"team": "vets"})
    assert read()["revision"] == 2


def test_going_back_is_a_new_revision_and_not_an_old_one(read):
    run("ecs_task_definition", **OPTIONS)
    run("ecs_task_definition", **{**OPTIONS, "memory": "2048"})
    assert run("ecs_task_definition", **OPTIONS)["task_definition"]["revision"] == 3


def test_all_revisions_go_the_deregistered_too(aws, read):
    run("ecs_task_definition", **OPTIONS)
    run("ecs_task_definition", **{**OPTIONS, "memory": "2048"})
    aws("ecs").deregister_task_definition(taskDefinition="petclinic-rest-task:1")
    aws("ecs").register_task_definition(family="petclinic-rest-task-2", containerDefinitions=[{"name": "a", "image": "b", "memory": 4}])
    assert run("ecs_task_definition", **OPTIONS, state="absent")["changed"]
    assert read()["family"] == "petclinic-rest-task-2"


def test_the_diff_shows_just_the_change_and_no_secret(read):
    run("ecs_task_definition", **{**OPTIONS, **container(environment={"A": "1", "DB_PASSWORD": "hunter2"})})
    result = run("ecs_task_definition", check=True, **{**OPTIONS, **container(environment={"A": "2", "DB_PASSWORD": "hunter3"})})
    before, after = (result["diff"][k]["containers"]["petclinic-rest-app"]["environment"] for k in ("before", "after"))
    assert (before["A"], after["A"]) == ("1", "2")
    assert before["DB_PASSWORD"] != after["DB_PASSWORD"]
    assert "hunter" not in json.dumps({k: v for k, v in result.items() if k != "invocation"})


def test_a_foreign_family_is_refused(aws):
    aws("ecs").register_task_definition(family="petclinic-rest-task", containerDefinitions=[{"name": "a", "image": "b", "memory": 4}])
    with pytest.raises(Failed, match="not ours"):
        run("ecs_task_definition", **OPTIONS)
    assert not run("ecs_task_definition", **OPTIONS, state="absent")["changed"]


def test_a_role_that_is_not_there_names_its_playbook(aws):
    assert run("ecs_task_definition", check=True, **OPTIONS, execution_role="nobody")["changed"]
    with pytest.raises(Failed, match="no IAM role named 'nobody'.*playbooks/task.yml"):
        run("ecs_task_definition", **OPTIONS, execution_role="nobody")


def test_revisions_that_are_not_ours_are_left_and_named(aws, read):
    def foreign(**tags):
        made = aws("ecs").register_task_definition(
            family="petclinic-rest-task",
            containerDefinitions=[{"name": "a", "image": "b", "memory": 4}],
            tags=[{"key": k.replace("_", ":"), "value": v} for k, v in tags.items()],
        )
        return made["taskDefinition"]["taskDefinitionArn"]

    first = foreign(handson_service="another-service")
    ours = "petclinic-rest-task"
    aws("ecs").register_task_definition(
        family=ours,
        containerDefinitions=[{"name": "a", "image": "b", "memory": 4}],
        tags=[{"key": "handson:service", "value": "petclinic-rest-service"}],
    )
    newest = foreign(team="vets")
    checked = run("ecs_task_definition", check=True, **OPTIONS, state="absent")
    assert checked["changed"] and checked["diff"]["before"]["revision"] == 2
    gone = run("ecs_task_definition", **OPTIONS, state="absent")
    assert gone["changed"]
    warned = " ".join(str(w) for w in gone["warnings"])
    assert "petclinic-rest-task:1, petclinic-rest-task:3" in warned and "task:2" not in warned
    assert sorted(aws("ecs").list_task_definitions()["taskDefinitionArns"]) == [first, newest]
    assert aws("ecs").list_task_definitions(status="INACTIVE")["taskDefinitionArns"] == []
    again = run("ecs_task_definition", **OPTIONS, state="absent")
    assert not again["changed"] and again["foreign"] and again["task_definition"]["revision"] == 3


def test_without_an_owner_all_revisions_go(aws, read):
    for tags in ([], [{"key": "team", "value": "vets"}]):
        aws("ecs").register_task_definition(
            family="petclinic-rest-task",
            containerDefinitions=[{"name": "a", "image": "b", "memory": 4}],
            **({"tags": tags} if tags else {}),
        )
    assert run("ecs_task_definition", family="petclinic-rest-task", state="absent")["changed"]
    assert aws("ecs").list_task_definitions()["taskDefinitionArns"] == []


def test_revisions_that_ecs_does_not_delete_are_a_failure(read):
    run("ecs_task_definition", **OPTIONS)

    def fails(real, parameters):
        return {"taskDefinitions": [], "failures": [{"arn": parameters["taskDefinitions"][0], "reason": "IN_USE"}]}

    with recorded(DeleteTaskDefinitions=fails), pytest.raises(Failed, match="did not delete 1 of 1.*task:1: IN_USE"):
        run("ecs_task_definition", **OPTIONS, state="absent")


def test_a_foreign_familys_secrets_are_not_shown(aws):
    container = {"name": "a", "image": "b", "memory": 4, "environment": [{"name": "DB_PASSWORD", "value": "hunter2"}]}
    aws("ecs").register_task_definition(family="petclinic-rest-task", containerDefinitions=[container])
    absent = run("ecs_task_definition", family=OPTIONS["family"], owner=OPTIONS["owner"], state="absent")
    assert absent["foreign"] and "hunter" not in json.dumps(absent)
