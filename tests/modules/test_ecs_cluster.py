# SPDX-License-Identifier: GPL-3.0-or-later
import time

import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import IMAGE, Failed, contract, run

OWNER = {"handson:cluster": "petclinic-rest-cluster"}
NAME = "petclinic-rest-cluster"
OPTIONS = {"name": NAME, "owner": OWNER}
ABSENT = {**OPTIONS, "state": "absent"}


@pytest.fixture
def read(aws):
    def read():
        found = aws("ecs").describe_clusters(clusters=[NAME], include=["TAGS", "SETTINGS"])["clusters"]
        if not found or found[0]["status"] == "INACTIVE":
            return None
        cluster = found[0]
        return cluster | {
            "settings": {s["name"]: s["value"] for s in cluster["settings"]},
            "tags": {t["key"]: t["value"] for t in cluster.get("tags", [])},
        }

    return read


@pytest.fixture
def instance(aws):
    """Register an EC2 instance with the cluster as its agent would; return its id."""

    def instance():
        made = aws("ec2").run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        aws("ecs").register_container_instance(
            cluster=NAME, instanceIdentityDocument='{"instanceId": "%s"}' % made, instanceIdentityDocumentSignature="x"
        )
        return made

    return instance


@pytest.fixture
def task_definition(aws):
    container = {"name": "web", "image": "petclinic", "memory": 128, "essential": True}
    made = aws("ecs").register_task_definition(family="petclinic", containerDefinitions=[container])
    return made["taskDefinition"]["taskDefinitionArn"]


def test_contract(read):
    contract(
        "ecs_cluster",
        OPTIONS,
        read,
        changes=[
            ({"container_insights": "enabled"}, lambda c: c["settings"]["containerInsights"], "enabled"),
            ({"container_insights": "enhanced"}, lambda c: c["settings"]["containerInsights"], "enhanced"),
            ({"tags": {"team": "vets"}}, lambda c: c["tags"].get("team"), "vets"),
        ],
    )


def test_a_deleted_cluster_can_be_made_again(aws, read):
    run("ecs_cluster", **OPTIONS)
    run("ecs_cluster", **ABSENT)
    made = run("ecs_cluster", **OPTIONS)
    assert made["changed"] and made["cluster"]["status"] == "ACTIVE"
    assert read()["tags"] == OWNER


def test_an_unchanged_run_is_one_call_and_leaves_the_capacity_providers_alone(aws, read):
    run("ecs_cluster", **OPTIONS)
    strategy = [{"capacityProvider": "FARGATE", "weight": 1, "base": 0}]
    aws("ecs").put_cluster_capacity_providers(
        cluster=NAME, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=strategy
    )
    with recorded() as calls:
        again = run("ecs_cluster", **OPTIONS)
    assert operations(calls) == ["DescribeClusters"]
    assert not again["changed"]
    assert again["cluster"]["capacity_providers"] == ["FARGATE"]
    assert again["cluster"]["default_strategy"] == strategy
    assert again["cluster"]["active_services_count"] == again["cluster"]["running_tasks_count"] == 0
    assert run("ecs_cluster", **OPTIONS, container_insights="enabled")["changed"]
    assert read()["capacityProviders"] == ["FARGATE"]


def test_a_foreign_cluster_is_refused_and_not_deleted(aws, read):
    aws("ecs").create_cluster(clusterName=NAME)
    with pytest.raises(Failed, match="not ours"):
        run("ecs_cluster", **OPTIONS, container_insights="enabled")
    absent = run("ecs_cluster", **ABSENT)
    assert not absent["changed"] and absent["foreign"]
    assert read()["settings"] == {"containerInsights": "disabled"}


def test_a_cluster_that_somebody_made_since_we_looked_is_compared(aws, read):
    """CreateCluster of a name that is taken answers with the cluster as it is, and no error."""

    def taken(real, parameters):
        return {"cluster": aws("ecs").describe_clusters(clusters=[NAME])["clusters"][0]}

    seen = []

    def first_look(real, parameters):
        seen.append(parameters)
        return {"clusters": [], "failures": []} if len(seen) == 1 else real()

    aws("ecs").create_cluster(clusterName=NAME)
    with recorded(DescribeClusters=first_look, CreateCluster=taken), pytest.raises(Failed, match="not ours"):
        run("ecs_cluster", **OPTIONS, container_insights="enabled")
    aws("ecs").tag_resource(resourceArn=read()["clusterArn"], tags=[{"key": k, "value": v} for k, v in OWNER.items()])
    seen.clear()
    with recorded(DescribeClusters=first_look, CreateCluster=taken):
        run("ecs_cluster", **OPTIONS, container_insights="enabled")
    assert read()["settings"] == {"containerInsights": "enabled"}


def test_services_are_named_and_nothing_is_touched(aws, read, task_definition):
    run("ecs_cluster", **OPTIONS)
    for name in ("vets", "owners"):
        aws("ecs").create_service(cluster=NAME, serviceName=name, taskDefinition=task_definition, desiredCount=0)
    with pytest.raises(Failed, match="services owners, vets.*teardown_service.yml"):
        run("ecs_cluster", **ABSENT)
    assert read()


@pytest.fixture
def service(aws, task_definition):
    """The cluster with a service on it."""
    run("ecs_cluster", **OPTIONS)
    aws("ecs").create_service(cluster=NAME, serviceName="vets", taskDefinition=task_definition, desiredCount=0)


def said(result):
    """The warnings of a result."""
    return " ".join(str(w) for w in result.get("warnings", []))


def test_check_mode_warns_of_services_since_a_whole_teardown_takes_them_away_before(service):
    checked = run("ecs_cluster", check=True, **ABSENT)
    assert checked["changed"] and "services vets" in said(checked)
    checked = run("ecs_cluster", check=True, **ABSENT, only_refuse=True)
    assert not checked["changed"] and "services vets" in said(checked)


def test_services_are_refused_before_anything_is_deleted(aws, read, service):
    with recorded() as calls, pytest.raises(Failed, match="services vets.*teardown_service.yml"):
        run("ecs_cluster", **ABSENT, only_refuse=True)
    assert operations(calls) == ["DescribeClusters", "ListServices", "DescribeServices"]
    aws("ecs").delete_service(cluster=NAME, service="vets", force=True)
    with recorded() as calls:
        looked = run("ecs_cluster", **ABSENT, only_refuse=True)
    assert not looked["changed"] and looked["cluster"]["name"] == NAME and read()
    assert set(operations(calls)) <= {"DescribeClusters", "ListServices", "DescribeServices"}


def test_services_that_drain_are_not_counted(read, service):
    def draining(real, parameters):
        answer = real()
        return answer | {"services": [s | {"status": "DRAINING"} for s in answer["services"]]}

    with recorded(DescribeServices=draining):
        assert not run("ecs_cluster", **ABSENT, only_refuse=True)["changed"]


def test_a_cluster_that_is_not_there_or_foreign_refuses_nothing(aws, read, task_definition):
    with recorded() as calls:
        assert not run("ecs_cluster", **ABSENT, only_refuse=True)["changed"]
        assert not run("ecs_cluster", **ABSENT)["changed"]
    assert operations(calls) == ["DescribeClusters"] * 2
    aws("ecs").create_cluster(clusterName=NAME)
    aws("ecs").create_service(cluster=NAME, serviceName="vets", taskDefinition=task_definition, desiredCount=0)
    for only in (True, False):
        assert not run("ecs_cluster", **ABSENT, only_refuse=only)["changed"]
    assert read()


@pytest.mark.parametrize("option", ["only_refuse", "only_empty"])
def test_what_goes_with_absent_alone_makes_no_cluster(aws, read, option):
    with pytest.raises(Failed, match=f"{option}.*state"):
        run("ecs_cluster", **OPTIONS, **{option: True})
    assert read() is None


# --- only_empty: before somebody else deletes the cluster, such as CloudFormation

EMPTY = {**ABSENT, "only_empty": True}
WRITES = {"StopTask", "DeregisterContainerInstance", "PutClusterCapacityProviders", "DeleteCluster"}


def agents(connected):
    """Answer DescribeContainerInstances so that these EC2 instances' agents are connected, and no others."""

    def answer(real, parameters):
        reply = real()
        rows = [r | {"agentConnected": r["ec2InstanceId"] in connected} for r in reply["containerInstances"]]
        return reply | {"containerInstances": rows}

    return answer


def test_a_cluster_is_emptied_and_stays(aws, read, instance, task_definition):
    run("ecs_cluster", **OPTIONS)
    lives, cut = instance(), instance()
    task = aws("ecs").run_task(cluster=NAME, taskDefinition=task_definition)["tasks"][0]["taskArn"]
    with recorded(DescribeContainerInstances=agents({lives})) as calls:
        foreseen = run("ecs_cluster", check=True, **EMPTY)
    assert not WRITES & set(operations(calls)), "check mode wrote"
    with recorded(DescribeContainerInstances=agents({lives})) as calls:
        done = run("ecs_cluster", **EMPTY)
    assert foreseen["changed"] and done["changed"] and foreseen["diff"] == done["diff"]
    assert done["stopped_tasks"] == foreseen["stopped_tasks"] == [task]
    (gone,) = done["deregistered_instances"]
    assert dict(calls)["DeregisterContainerInstance"]["containerInstance"] == gone and gone != cut
    assert WRITES & set(operations(calls)) == {"StopTask", "DeregisterContainerInstance"}
    left = aws("ecs").list_container_instances(cluster=NAME)["containerInstanceArns"]
    (row,) = aws("ecs").describe_container_instances(cluster=NAME, containerInstances=left)["containerInstances"]
    assert row["ec2InstanceId"] == lives, "one whose agent is connected goes with its EC2 instance"
    assert read()
    with recorded(DescribeContainerInstances=agents({lives})) as calls:
        again = run("ecs_cluster", **EMPTY)
    assert not again["changed"] and again["stopped_tasks"] == again["deregistered_instances"] == []
    assert not WRITES & set(operations(calls))


def test_emptying_deregisters_what_its_ec2_instance_left(aws, instance):
    run("ecs_cluster", **OPTIONS)
    ec2_id = instance()
    aws("ec2").terminate_instances(InstanceIds=[ec2_id])
    arns = aws("ecs").list_container_instances(cluster=NAME)["containerInstanceArns"]
    with recorded(DescribeContainerInstances=agents({ec2_id})):
        assert run("ecs_cluster", **EMPTY)["deregistered_instances"] == arns


def test_emptying_waits_until_the_tasks_have_let_go(read, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    run("ecs_cluster", **OPTIONS)
    states = ["DEPROVISIONING", "DEPROVISIONING", "STOPPED"]

    def stopped_ones(real, parameters):
        return {"taskArns": ["arn:task"] if parameters["desiredStatus"] == "STOPPED" else []}

    def described(real, parameters):
        return {"tasks": [{"taskArn": "arn:task", "lastStatus": states.pop(0)}], "failures": []}

    with recorded(ListTasks=stopped_ones, DescribeTasks=described):
        assert not run("ecs_cluster", **EMPTY)["changed"], "somebody else stopped it"
    assert states == [] and read()
    with recorded(ListTasks=stopped_ones, DescribeTasks=lambda *_: states.append("STOPPING") or described(*_)):
        with pytest.raises(Failed, match="stopped tasks to end"):
            run("ecs_cluster", **EMPTY, delete_timeout=0)


def test_nothing_is_emptied_where_services_are(aws, read, service, instance, task_definition):
    instance()
    aws("ecs").run_task(cluster=NAME, taskDefinition=task_definition)
    with recorded() as calls, pytest.raises(Failed, match="services vets.*teardown_service.yml"):
        run("ecs_cluster", **EMPTY)
    assert operations(calls) == ["DescribeClusters", "ListServices", "DescribeServices"]
    checked = run("ecs_cluster", check=True, **EMPTY)
    assert checked["changed"] and "services vets" in said(checked)


def test_a_cluster_that_is_not_there_or_foreign_is_not_emptied(aws, read, instance, task_definition):
    with recorded() as calls:
        assert not run("ecs_cluster", **EMPTY)["changed"]
    assert operations(calls) == ["DescribeClusters"]
    aws("ecs").create_cluster(clusterName=NAME)
    instance()
    aws("ecs").run_task(cluster=NAME, taskDefinition=task_definition)
    with recorded() as calls:
        assert not run("ecs_cluster", **EMPTY)["changed"]
    assert operations(calls) == ["DescribeClusters"] and read()


def test_tasks_without_a_service_are_stopped(aws, read, instance, task_definition):
    run("ecs_cluster", **OPTIONS)
    ec2_id = instance()
    task = aws("ecs").run_task(cluster=NAME, taskDefinition=task_definition)["tasks"][0]["taskArn"]

    def then_the_instance_goes(real, parameters):
        reply = real()
        aws("ec2").terminate_instances(InstanceIds=[ec2_id])
        return reply

    with recorded(StopTask=then_the_instance_goes) as calls:
        gone = run("ecs_cluster", **ABSENT)
    assert gone["stopped_tasks"] == [task]
    assert [p["task"] for name, p in calls if name == "StopTask"] == [task]
    assert read() is None


def test_an_instance_that_terminated_without_a_word_is_deregistered(aws, read):
    run("ecs_cluster", **OPTIONS)
    row = {
        "containerInstanceArn": "arn:aws:ecs:ap-southeast-1:123456789012:container-instance/petclinic-rest-cluster/1",
        "ec2InstanceId": "i-0123456789abcdef0",
        "status": "ACTIVE",
        "agentConnected": False,
    }
    with recorded(
        ListContainerInstances=lambda *_: {"containerInstanceArns": [row["containerInstanceArn"]]},
        DescribeContainerInstances=lambda *_: {"containerInstances": [row], "failures": []},
        DeregisterContainerInstance=lambda *_: {"containerInstance": row},
    ) as calls:
        gone = run("ecs_cluster", **ABSENT)
    assert gone["deregistered_instances"] == [row["containerInstanceArn"]]
    assert dict(calls)["DeregisterContainerInstance"] == {
        "cluster": NAME,
        "containerInstance": row["containerInstanceArn"],
        "force": True,
    }
    assert read() is None


def test_an_instance_that_lives_on_is_named_when_the_time_is_up(aws, read, instance):
    run("ecs_cluster", **OPTIONS)
    ec2_id = instance()
    started = time.monotonic()
    with pytest.raises(Failed, match=f"still has 1 container instances after 1 s.*{ec2_id}.*teardown_cluster.yml"):
        run("ecs_cluster", **ABSENT, delete_timeout=1)
    assert time.monotonic() - started < 10
    assert read()


def test_capacity_providers_are_taken_off_before_the_cluster_goes(aws, read):
    run("ecs_cluster", **OPTIONS)
    aws("ecs").put_cluster_capacity_providers(
        cluster=NAME,
        capacityProviders=["FARGATE"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}],
    )
    refusals = [error("UpdateInProgressException", "busy")]

    def refuse_once(real, parameters):
        if refusals:
            raise refusals.pop()
        return real()

    with recorded(PutClusterCapacityProviders=refuse_once) as calls:
        run("ecs_cluster", **ABSENT)
    names = operations(calls)
    assert names.count("PutClusterCapacityProviders") == 2
    assert names.index("DeleteCluster") > names.index("PutClusterCapacityProviders")
    emptied = dict(calls)["PutClusterCapacityProviders"]
    assert emptied["capacityProviders"] == emptied["defaultCapacityProviderStrategy"] == []
    assert read() is None


def test_a_new_cluster_that_shows_late_and_a_role_that_came_late(read, monkeypatch):
    """After the last one was deleted DescribeClusters may go on with that for a moment; nobody has waited for the role."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    asked, tries = [], []

    def late(real, _parameters):
        asked.append(1)
        return {"clusters": [], "failures": []} if len(asked) < 4 else real()

    def unassumable(real, _parameters):
        tries.append(1)
        if len(tries) == 1:
            raise error("InvalidParameterException", "Unable to assume the service linked role. Please verify it exists.")
        return real()

    with recorded(DescribeClusters=late, CreateCluster=unassumable) as calls:
        assert run("ecs_cluster", **OPTIONS)["changed"]
    assert operations(calls).count("CreateCluster") == 2 and "UpdateCluster" not in operations(calls)
    assert read()["status"] == "ACTIVE" and not run("ecs_cluster", **OPTIONS)["changed"]
