# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import IMAGE, Failed, contract, run

NAME = "petclinic-rest-capacity"
CLUSTER = "petclinic-rest-cluster"
GROUP = "petclinic-rest-instances"
OWNER = {"handson:cluster": CLUSTER}
OPTIONS = {
    "name": NAME,
    "auto_scaling_group": GROUP,
    "managed_scaling": {"target_capacity": 90},
    "cluster": CLUSTER,
    "default_strategy": {"weight": 1},
    "owner": OWNER,
}
ABSENT = {**OPTIONS, "state": "absent"}


@pytest.fixture
def group(aws, default_subnets):
    """Return a function that makes an auto scaling group and gives its ARN."""
    aws("ec2").create_launch_template(LaunchTemplateName=GROUP, LaunchTemplateData={"ImageId": IMAGE})

    def group(name=GROUP, protected=False):
        aws("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchTemplate={"LaunchTemplateName": GROUP},
            MinSize=0,
            MaxSize=2,
            VPCZoneIdentifier=default_subnets[0],
            NewInstancesProtectedFromScaleIn=protected,
        )
        found = aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return found["AutoScalingGroups"][0]["AutoScalingGroupARN"]

    return group


@pytest.fixture
def cluster(aws):
    aws("ecs").create_cluster(clusterName=CLUSTER)

    def cluster():
        found = aws("ecs").describe_clusters(clusters=[CLUSTER])["clusters"][0]
        strategy = {
            s["capacityProvider"]: (s.get("weight", 0), s.get("base", 0))
            for s in found.get("defaultCapacityProviderStrategy", [])
        }
        return {"providers": found.get("capacityProviders", []), "strategy": strategy}

    return cluster


@pytest.fixture
def read(aws):
    def read():
        found = aws("ecs").describe_capacity_providers(capacityProviders=[NAME], include=["TAGS"])["capacityProviders"]
        living = [p for p in found if p["status"] != "INACTIVE"]
        if not living:
            return None
        return living[0]["autoScalingGroupProvider"] | {
            "tags": {t["key"]: t["value"] for t in living[0].get("tags", [])}
        }

    return read


def test_contract(group, cluster, read):
    group(protected=True)
    contract(
        "ecs_capacity_provider",
        OPTIONS,
        read,
        changes=[
            ({"managed_scaling": {"target_capacity": 80}}, lambda p: p["managedScaling"]["targetCapacity"], 80),
            (
                {"managed_scaling": {"target_capacity": 80, "maximum_scaling_step_size": 2}},
                lambda p: p["managedScaling"]["maximumScalingStepSize"],
                2,
            ),
            (
                {"managed_scaling": {"minimum_scaling_step_size": 2, "instance_warmup_period": 60}},
                lambda p: (p["managedScaling"]["minimumScalingStepSize"], p["managedScaling"]["instanceWarmupPeriod"]),
                (2, 60),
            ),
            ({"managed_termination_protection": "ENABLED"}, lambda p: p["managedTerminationProtection"], "ENABLED"),
            (
                {"managed_termination_protection": "DISABLED", "managed_scaling": {"status": "DISABLED"}},
                lambda p: (p["managedTerminationProtection"], p["managedScaling"]["status"]),
                ("DISABLED", "DISABLED"),
            ),
            ({"default_strategy": {"weight": 5, "base": 1}}, lambda _: cluster()["strategy"].get(NAME), (5, 1)),
            ({"tags": {"team": "vets"}}, lambda p: p["tags"].get("team"), "vets"),
        ],
    )
    assert cluster() == {"providers": [], "strategy": {}}


def test_draining_reaches_aws(group, cluster, read):
    """moto 5.2.5 leaves managedDraining out of an update, so this looks at what is asked for."""
    group()
    run("ecs_capacity_provider", **OPTIONS)
    assert read()["managedDraining"] == "ENABLED"
    with recorded() as calls:
        assert run("ecs_capacity_provider", **OPTIONS, managed_draining="DISABLED")["changed"]
    assert dict(calls)["UpdateCapacityProvider"]["autoScalingGroupProvider"] == {"managedDraining": "DISABLED"}


def test_an_unchanged_run_is_three_calls(group, cluster):
    group()
    run("ecs_capacity_provider", **OPTIONS)
    with recorded() as calls:
        run("ecs_capacity_provider", **OPTIONS)
    assert operations(calls) == ["DescribeCapacityProviders", "DescribeClusters", "DescribeAutoScalingGroups"]


def test_the_clusters_other_providers_are_kept(aws, group, cluster, read):
    group()
    other = group("other-instances")
    aws("ecs").create_capacity_provider(name="other", autoScalingGroupProvider={"autoScalingGroupArn": other})
    aws("ecs").put_cluster_capacity_providers(
        cluster=CLUSTER,
        capacityProviders=["FARGATE", "other"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "other", "weight": 3, "base": 2}],
    )
    run("ecs_capacity_provider", **OPTIONS)
    assert cluster() == {"providers": ["FARGATE", "other", NAME], "strategy": {"other": (3, 2), NAME: (1, 0)}}
    with pytest.raises(Failed, match="'other' has one already"):
        run("ecs_capacity_provider", **{**OPTIONS, "default_strategy": {"weight": 1, "base": 1}})
    run("ecs_capacity_provider", **ABSENT)
    assert cluster() == {"providers": ["FARGATE", "other"], "strategy": {"other": (3, 2)}}
    assert read() is None


def test_a_default_strategy_that_is_not_asked_for_is_left_alone(aws, group, cluster):
    group()
    aws("ecs").put_cluster_capacity_providers(
        cluster=CLUSTER,
        capacityProviders=["FARGATE"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}],
    )
    with pytest.raises(Failed, match="FARGATE.*does not mix"):
        run("ecs_capacity_provider", **OPTIONS)
    options = {k: v for k, v in OPTIONS.items() if k != "default_strategy"}
    run("ecs_capacity_provider", **options)
    assert not run("ecs_capacity_provider", **options)["changed"]
    assert cluster() == {"providers": ["FARGATE", NAME], "strategy": {"FARGATE": (1, 0)}}


def test_without_a_cluster_it_stands_alone(group, read):
    arn = group()
    options = {k: v for k, v in OPTIONS.items() if k not in ("cluster", "default_strategy")}
    made = run("ecs_capacity_provider", **options)
    assert made["capacity_provider"]["auto_scaling_group_arn"] == arn == read()["autoScalingGroupArn"]
    assert not run("ecs_capacity_provider", **options)["changed"]
    run("ecs_capacity_provider", **options, state="absent")
    assert read() is None


def test_protection_needs_scaling_and_a_group_that_protects(group, cluster, read):
    group()
    protected = {**OPTIONS, "managed_termination_protection": "ENABLED"}
    with pytest.raises(
        Failed, match="'petclinic-rest-instances' does not protect.*new_instances_protected_from_scale_in"
    ):
        run("ecs_capacity_provider", **protected)
    # The run that is tried out would have the group protect them.
    assert run("ecs_capacity_provider", check=True, **protected)["changed"]
    with pytest.raises(Failed, match="only with managed_scaling.status ENABLED"):
        run("ecs_capacity_provider", **{**protected, "managed_scaling": {"status": "DISABLED"}})
    assert read() is None


@pytest.mark.parametrize("name", ["aws-petclinic", "ecs-petclinic", "Fargate"])
def test_reserved_names(group, cluster, name):
    group()
    with pytest.raises(Failed, match=f"'{name}' does.*Choose another name"):
        run("ecs_capacity_provider", **{**OPTIONS, "name": name})


def test_another_group_is_refused_also_one_of_the_same_name(aws, group, cluster):
    group()
    group("other-instances")
    run("ecs_capacity_provider", **OPTIONS)
    with pytest.raises(Failed, match="cannot change.*other-instances.*teardown"):
        run("ecs_capacity_provider", **{**OPTIONS, "auto_scaling_group": "other-instances"})
    aws("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=GROUP, ForceDelete=True)
    group()
    with pytest.raises(Failed, match="cannot change.*auto_scaling_group_arn.*teardown"):
        run("ecs_capacity_provider", **OPTIONS)


def test_what_is_missing_names_its_playbook(aws, read):
    with pytest.raises(Failed, match="no auto scaling group named 'petclinic-rest-instances'.*cluster.yml"):
        run("ecs_capacity_provider", **OPTIONS)
    checked = run("ecs_capacity_provider", check=True, **OPTIONS)
    assert checked["changed"]
    assert checked["capacity_provider"]["auto_scaling_group_arn"] == "(known after apply)"


def test_a_missing_cluster_names_its_playbook_before_anything_is_made(group, read):
    group()
    with pytest.raises(Failed, match="no ECS cluster named 'petclinic-rest-cluster'.*cluster.yml"):
        run("ecs_capacity_provider", **OPTIONS)
    assert read() is None


def test_a_foreign_provider_is_refused_and_not_deleted(aws, group, cluster, read):
    aws("ecs").create_capacity_provider(name=NAME, autoScalingGroupProvider={"autoScalingGroupArn": group()})
    with pytest.raises(Failed, match="not ours"):
        run("ecs_capacity_provider", **OPTIONS)
    absent = run("ecs_capacity_provider", **ABSENT)
    assert not absent["changed"] and absent["foreign"]
    assert read() and cluster()["providers"] == []


def test_a_lost_reply_is_no_failure_and_the_provider_is_attached(group, cluster):
    group()

    def lost(real, parameters):
        real()
        raise error("ClientException", "The specified capacity provider already exists.")

    with recorded(CreateCapacityProvider=lost):
        assert run("ecs_capacity_provider", **OPTIONS)["changed"]
    assert cluster() == {"providers": [NAME], "strategy": {NAME: (1, 0)}}
    assert not run("ecs_capacity_provider", **OPTIONS)["changed"]


def test_other_refusals_are_told_as_they_are(group, cluster):
    group()

    def used(*_):
        raise error("ClientException", "The specified Auto Scaling group ARN is already being used")

    with recorded(CreateCapacityProvider=used), pytest.raises(Failed, match="already being used"):
        run("ecs_capacity_provider", **OPTIONS)


def test_a_cluster_that_is_busy_is_waited_for(group, cluster, monkeypatch):
    group()
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    refusals = [
        error("UpdateInProgressException", "The specified cluster is in a busy state."),
        error("InvalidParameterException", "The specified capacity provider 'x' is not in an ACTIVE state."),
    ]

    def refuse_twice(real, parameters):
        if refusals:
            raise refusals.pop()
        return real()

    with recorded(PutClusterCapacityProviders=refuse_twice):
        run("ecs_capacity_provider", **OPTIONS)
    assert cluster()["providers"] == [NAME]


def test_a_service_linked_role_that_is_new_is_waited_for(group, cluster, monkeypatch):
    group()
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    refused = {
        "CreateCapacityProvider": "ECS Service Linked Role does not exist. Please create a Service linked role for ECS",
        "PutClusterCapacityProviders": "Unable to assume the service linked role. Please verify that it exists.",
    }

    def once(operation):
        said = [refused[operation]]

        def answer(real, _parameters):
            if said:
                raise error("InvalidParameterException", said.pop(), operation)
            return real()

        return answer

    with recorded(**{operation: once(operation) for operation in refused}) as calls:
        assert run("ecs_capacity_provider", **OPTIONS)["changed"]
    assert [operations(calls).count(operation) for operation in refused] == [2, 2]
    assert not run("ecs_capacity_provider", **OPTIONS)["changed"]


def test_attachments_that_fail_say_why(group, cluster):
    group()

    def failed(real, parameters):
        found = real()
        if "ATTACHMENTS" in parameters.get("include", []):
            found["clusters"][0] |= {
                "attachmentsStatus": "UPDATE_FAILED",
                "attachments": [{"id": "1", "type": "as_policy", "status": "FAILED", "details": []}],
            }
        return found

    with recorded(DescribeClusters=failed), pytest.raises(Failed, match="as_policy 1"):
        run("ecs_capacity_provider", **OPTIONS)


def test_a_deletion_that_fails_says_why(group, cluster):
    group()
    run("ecs_capacity_provider", **OPTIONS)
    deleted = []

    def describe(real, parameters):
        found = real()
        if deleted:
            found["capacityProviders"][0] |= {
                "updateStatus": "DELETE_FAILED",
                "updateStatusReason": "a service uses it",
            }
        return found

    with (
        recorded(DescribeCapacityProviders=describe, DeleteCapacityProvider=lambda *_: deleted.append(1) or {}),
        pytest.raises(Failed, match="a service uses it.*off every cluster"),
    ):
        run("ecs_capacity_provider", **ABSENT)


def test_a_provider_on_its_way_out_is_waited_for_and_made_anew(aws, group, cluster, read, monkeypatch):
    group()
    run("ecs_capacity_provider", **OPTIONS)
    looks = []

    def describe(real, parameters):
        looks.append(1)
        if len(looks) == 3:
            aws("ecs").put_cluster_capacity_providers(
                cluster=CLUSTER, capacityProviders=[], defaultCapacityProviderStrategy=[]
            )
            aws("ecs").delete_capacity_provider(capacityProvider=NAME)
        found = real()
        if len(looks) < 3:
            found["capacityProviders"][0]["updateStatus"] = "DELETE_IN_PROGRESS"
        return found

    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with recorded(DescribeCapacityProviders=describe) as calls:
        assert run("ecs_capacity_provider", **OPTIONS)["changed"]
    assert operations(calls).count("CreateCapacityProvider") == 1
    assert cluster()["providers"] == [NAME]
