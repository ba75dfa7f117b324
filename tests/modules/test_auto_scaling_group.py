# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import IMAGE, Failed, contract, run

NAME = "petclinic-rest-instances"
OWNER = {"handson:cluster": "petclinic-rest-cluster"}
OPTIONS = {"name": NAME, "launch_template": NAME, "min": 1, "max": 3, "owner": OWNER}
ABSENT = {**OPTIONS, "state": "absent"}


@pytest.fixture
def template(aws):
    """The launch template; its image's id."""
    aws("ec2").create_launch_template(
        LaunchTemplateName=NAME, LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "t3.medium"}
    )
    return IMAGE


@pytest.fixture
def read(aws):
    def read():
        found = aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[NAME])["AutoScalingGroups"]
        return found[0] | {"Tags": {t["Key"]: t["Value"] for t in found[0]["Tags"]}} if found else None

    return read


@pytest.fixture
def running(aws):
    """Return the ids of the instances that run."""

    def running():
        states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
        found = aws("ec2").describe_instances(Filters=states)["Reservations"]
        return sorted(i["InstanceId"] for r in found for i in r["Instances"])

    return running


def metrics(group):
    return sorted(m["Metric"] for m in group["EnabledMetrics"])


def test_contract(aws, template, read, running, default_subnets):
    contract(
        "auto_scaling_group",
        OPTIONS,
        read,
        changes=[
            ({"max": 4}, lambda g: g["MaxSize"], 4),
            ({"min": 2}, lambda g: (g["MinSize"], g["DesiredCapacity"]), (2, 2)),
            ({"desired": 3}, lambda g: len(g["Instances"]), 3),
            ({"health_check_type": "ELB"}, lambda g: g["HealthCheckType"], "ELB"),
            ({"health_check_grace": 60}, lambda g: g["HealthCheckGracePeriod"], 60),
            (
                {"new_instances_protected_from_scale_in": True},
                lambda g: (g["NewInstancesProtectedFromScaleIn"], {i["ProtectedFromScaleIn"] for i in g["Instances"]}),
                (True, {True}),
            ),
            (
                {"network": {"mode": "existing", "vpc_id": "vpc-1", "subnet_ids": default_subnets[:1]}},
                lambda g: g["VPCZoneIdentifier"],
                default_subnets[0],
            ),
            ({"metrics_collection": ["GroupMaxSize", "GroupInServiceInstances"]}, metrics, ["GroupInServiceInstances", "GroupMaxSize"]),
            ({"metrics_collection": ["GroupInServiceInstances", "GroupMinSize"]}, metrics, ["GroupInServiceInstances", "GroupMinSize"]),
            ({"metrics_collection": []}, metrics, []),
            ({"tags": {"team": "vets"}}, lambda g: g["Tags"].get("team"), "vets"),
        ],
    )
    assert running() == []


def test_what_is_launched_carries_our_tags_and_follows_the_default_version(aws, template, read, running):
    made = run("auto_scaling_group", **OPTIONS, tags={"team": "vets"}, desired=2)
    group = read()
    assert group["LaunchTemplate"]["Version"] == "$Default"
    assert group["DesiredCapacity"] == 2 and made["auto_scaling_group"]["desired"] == 2
    for instance in aws("ec2").describe_instances(InstanceIds=running())["Reservations"][0]["Instances"]:
        tags = {t["Key"]: t["Value"] for t in instance["Tags"]}
        assert tags["team"] == "vets" and tags["handson:cluster"] == OWNER["handson:cluster"]


def test_a_new_group_starts_with_min_and_a_living_one_keeps_what_it_has(aws, template, read):
    run("auto_scaling_group", **OPTIONS)
    assert read()["DesiredCapacity"] == 1
    aws("autoscaling").set_desired_capacity(AutoScalingGroupName=NAME, DesiredCapacity=3)
    assert not run("auto_scaling_group", **OPTIONS)["changed"]
    assert read()["DesiredCapacity"] == 3


def test_the_tag_of_ecs_is_no_difference(aws, template, read):
    run("auto_scaling_group", **OPTIONS)
    tag = {"ResourceId": NAME, "ResourceType": "auto-scaling-group", "Key": "AmazonECSManaged", "Value": ""}
    aws("autoscaling").create_or_update_tags(Tags=[{**tag, "PropagateAtLaunch": True}])
    assert not run("auto_scaling_group", **OPTIONS)["changed"]
    assert "AmazonECSManaged" in read()["Tags"]


def test_an_unchanged_run_is_three_calls(template):
    run("auto_scaling_group", **OPTIONS)
    with recorded() as calls:
        run("auto_scaling_group", **OPTIONS)
    assert operations(calls) == ["DescribeAutoScalingGroups", "DescribeLaunchTemplates", "DescribeSubnets"]


def test_cooldown_and_termination_policies_reach_aws(template, read):
    """moto 5.2.5 leaves both out of an update, so this looks at what is asked for."""
    options = {**OPTIONS, "default_cooldown": 120, "termination_policies": ["OldestLaunchTemplate", "Default"]}
    run("auto_scaling_group", **options)
    assert read()["DefaultCooldown"] == 120
    assert read()["TerminationPolicies"] == ["OldestLaunchTemplate", "Default"]
    assert not run("auto_scaling_group", **options)["changed"]
    with recorded() as calls:
        run("auto_scaling_group", **{**options, "default_cooldown": 60, "termination_policies": ["NewestInstance"]})
    assert dict(calls)["UpdateAutoScalingGroup"] == {
        "AutoScalingGroupName": NAME,
        "DefaultCooldown": 60,
        "TerminationPolicies": ["NewestInstance"],
    }


def test_sizes_that_contradict_each_other(aws, template, read):
    with pytest.raises(Failed, match="min is 4 and max is 3"):
        run("auto_scaling_group", **{**OPTIONS, "min": 4})
    with pytest.raises(Failed, match="desired is 5.*leave desired out"):
        run("auto_scaling_group", check=True, **OPTIONS, desired=5)
    assert read() is None


def test_a_foreign_group_is_refused_and_not_deleted(aws, template, read, default_subnets):
    aws("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=NAME,
        LaunchTemplate={"LaunchTemplateName": NAME},
        MinSize=0,
        MaxSize=1,
        VPCZoneIdentifier=default_subnets[0],
    )
    with pytest.raises(Failed, match="not ours"):
        run("auto_scaling_group", **OPTIONS)
    absent = run("auto_scaling_group", **ABSENT)
    assert not absent["changed"] and absent["foreign"]
    assert read()["MaxSize"] == 1


def test_a_missing_launch_template_names_its_playbook(aws, read):
    with pytest.raises(Failed, match="no launch template named 'petclinic-rest-instances'.*cluster.yml"):
        run("auto_scaling_group", **OPTIONS)
    checked = run("auto_scaling_group", check=True, **OPTIONS)
    assert checked["changed"] and checked["diff"]["after"]["launch_template"] == NAME
    network = {"mode": "create", "name": "petclinic-rest-vpc"}
    checked = run("auto_scaling_group", check=True, **OPTIONS, network=network)
    assert checked["auto_scaling_group"]["subnets"] == "(known after apply)"
    assert read() is None


def test_a_profile_that_iam_has_only_just_made_is_waited_for(template, read, monkeypatch):
    refusals = [
        error(
            "ValidationError",
            "You must use a valid fully-formed launch template. Value (petclinic-rest-instance) for parameter "
            "iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
        )
    ]

    def refuse_once(real, parameters):
        if refusals:
            raise refusals.pop()
        return real()

    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with recorded(CreateAutoScalingGroup=refuse_once) as calls:
        run("auto_scaling_group", **OPTIONS)
    assert operations(calls).count("CreateAutoScalingGroup") == 2
    assert read()["MinSize"] == 1


def test_a_lost_reply_is_no_failure(template, read):
    def lost(real, parameters):
        real()
        raise error("AlreadyExists", "AutoScalingGroup by this name already exists")

    with recorded(CreateAutoScalingGroup=lost):
        assert run("auto_scaling_group", **OPTIONS)["changed"]
    assert not run("auto_scaling_group", **OPTIONS)["changed"]


@pytest.mark.parametrize("protect", [True, False])
def test_one_that_leaves_service_keeps_no_other_from_protection(template, read, protect, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    options = {**OPTIONS, "desired": 2}
    run("auto_scaling_group", **options, new_instances_protected_from_scale_in=not protect)
    refused = [error("ValidationError", "The instance i-1 is not in InService or EnteringStandby or Standby.")]

    def refuse_once(real, parameters):
        if refused:
            raise refused.pop()
        return real()

    with recorded(SetInstanceProtection=refuse_once):
        assert run("auto_scaling_group", **options, new_instances_protected_from_scale_in=protect)["changed"]
    assert [i["ProtectedFromScaleIn"] for i in read()["Instances"]] == [protect] * 2
    assert not run("auto_scaling_group", **options, new_instances_protected_from_scale_in=protect)["changed"]


@pytest.mark.parametrize("protect", [True, False])
def test_one_that_is_launched_meanwhile_is_protected_as_the_others(aws, template, read, protect):
    options = {**OPTIONS, "desired": 2}
    run("auto_scaling_group", **options, new_instances_protected_from_scale_in=not protect)

    def before_the_group(real, parameters):
        answer = real()
        aws("autoscaling").set_instance_protection(
            AutoScalingGroupName=NAME,
            InstanceIds=[read()["Instances"][0]["InstanceId"]],
            ProtectedFromScaleIn=not protect,
        )
        return answer

    with recorded(UpdateAutoScalingGroup=before_the_group):
        run("auto_scaling_group", **options, new_instances_protected_from_scale_in=protect)
    assert [i["ProtectedFromScaleIn"] for i in read()["Instances"]] == [protect] * 2


def test_absent_lets_go_of_protected_instances(aws, template, read, running):
    run("auto_scaling_group", **OPTIONS, desired=2, new_instances_protected_from_scale_in=True)
    assert len(running()) == 2
    busy = [error("ScalingActivityInProgress", "There are one or more scaling activities in progress")]

    def refuse_once(real, parameters):
        if busy:
            raise busy.pop()
        return real()

    with recorded(DeleteAutoScalingGroup=refuse_once) as calls:
        assert run("auto_scaling_group", **ABSENT)["changed"]
    names = operations(calls)
    assert names.index("SetInstanceProtection") < names.index("UpdateAutoScalingGroup")
    assert names.count("DeleteAutoScalingGroup") == 2
    assert dict(calls)["DeleteAutoScalingGroup"]["ForceDelete"] is True
    assert read() is None and running() == []


class Deleting:
    """Shows the group as "Delete in progress" so many times, then as gone."""

    def __init__(self, looks):
        self.looks = looks

    def __call__(self, real, parameters):
        self.looks -= 1
        found = real()
        if self.looks >= 0:
            found["AutoScalingGroups"] = [{**found["AutoScalingGroups"][0], "Status": "Delete in progress"}]
        return found


def test_a_group_on_its_way_out_is_waited_for_and_made_anew(aws, template, read, monkeypatch):
    run("auto_scaling_group", **OPTIONS)
    shown = Deleting(2)

    def describe(real, parameters):
        if shown.looks == 0:  # as if it had gone by itself
            aws("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=NAME, ForceDelete=True)
        return shown(real, parameters)

    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with recorded(DescribeAutoScalingGroups=describe) as calls:
        assert run("auto_scaling_group", **OPTIONS)["changed"]
    assert operations(calls).count("CreateAutoScalingGroup") == 1
    assert read()["MinSize"] == 1


def test_a_group_on_its_way_out_is_waited_for_in_absent(aws, template, read, monkeypatch):
    run("auto_scaling_group", **OPTIONS)
    shown = Deleting(2)

    def describe(real, parameters):
        if shown.looks == 0:
            aws("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=NAME, ForceDelete=True)
        return shown(real, parameters)

    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with recorded(DescribeAutoScalingGroups=describe) as calls:
        assert run("auto_scaling_group", **ABSENT)["changed"]
    assert "UpdateAutoScalingGroup" not in operations(calls)
    assert read() is None


@pytest.fixture
def outdated(aws, template):
    """A group whose instances show an old version (moto 5.2.5 shows the default one); answers for `recorded`."""
    run("auto_scaling_group", **OPTIONS)
    aws("ec2").create_launch_template_version(
        LaunchTemplateName=NAME, LaunchTemplateData={"ImageId": template, "InstanceType": "t3.large"}
    )
    aws("ec2").modify_launch_template(LaunchTemplateName=NAME, DefaultVersion="2")

    def describe(real, parameters):
        found = real()
        for instance in found["AutoScalingGroups"][0]["Instances"]:
            instance["LaunchTemplate"] = {"LaunchTemplateName": NAME, "Version": "1"}
        return found

    return {"DescribeAutoScalingGroups": describe}


def test_instances_of_an_old_version_are_named(outdated, running):
    with recorded(**outdated):
        again = run("auto_scaling_group", **OPTIONS)
    assert not again["changed"]
    assert again["outdated_instances"] == running()
    assert "instance_refresh" not in again


def test_instances_of_an_old_version_are_replaced_once(outdated, running):
    options = {**OPTIONS, "refresh_instances": True}
    progress = {"InstanceRefreshes": []}
    answers = {
        **outdated,
        "StartInstanceRefresh": lambda *_: {"InstanceRefreshId": "refresh-1"},
        "DescribeInstanceRefreshes": lambda *_: progress,
    }
    with recorded(**answers) as calls:
        checked = run("auto_scaling_group", check=True, **options)
        assert checked["changed"] and checked["instance_refresh"]["started"]
        assert "StartInstanceRefresh" not in operations(calls)
        made = run("auto_scaling_group", **options)
        assert made["changed"] and made["instance_refresh"]["id"] == "refresh-1"
        assert dict(calls)["StartInstanceRefresh"]["Preferences"] == {
            "MinHealthyPercentage": 100,
            "MaxHealthyPercentage": 110,
            "ScaleInProtectedInstances": "Refresh",
            "SkipMatching": True,
        }
        progress["InstanceRefreshes"] = [
            {"InstanceRefreshId": "refresh-1", "Status": "InProgress", "PercentageComplete": 50}
        ]
        calls.clear()
        again = run("auto_scaling_group", **options)
    assert not again["changed"]
    assert again["instance_refresh"] == {
        "id": "refresh-1",
        "status": "InProgress",
        "percentage_complete": 50,
        "started": False,
    }
    assert "StartInstanceRefresh" not in operations(calls)


def test_a_refresh_that_started_since_we_looked_is_no_failure(outdated):
    def in_progress(*_):
        raise error("InstanceRefreshInProgress", "An Instance Refresh is already in progress")

    answers = {
        **outdated,
        "StartInstanceRefresh": in_progress,
        "DescribeInstanceRefreshes": lambda *_: {"InstanceRefreshes": []},
    }
    with recorded(**answers):
        again = run("auto_scaling_group", **OPTIONS, refresh_instances=True)
    assert not again["changed"] and not again["instance_refresh"]["started"]


def test_a_new_group_starts_with_the_initial_count_and_keeps_what_it_has(aws, template, read):
    options = {**OPTIONS, "initial_desired": 2}
    assert run("auto_scaling_group", check=True, **options)["diff"]["after"]["desired"] == 2
    run("auto_scaling_group", **options)
    assert read()["DesiredCapacity"] == 2
    aws("autoscaling").set_desired_capacity(AutoScalingGroupName=NAME, DesiredCapacity=3)
    assert not run("auto_scaling_group", **options)["changed"]
    with pytest.raises(Failed, match="desired is 9"):
        run("auto_scaling_group", **{**OPTIONS, "name": "other", "initial_desired": 9})


def test_a_new_group_collects_its_metrics(aws, template, read):
    options = {**OPTIONS, "metrics_collection": ["GroupInServiceInstances", "GroupDesiredCapacity"]}
    checked = run("auto_scaling_group", check=True, **options)
    assert checked["diff"]["after"]["metrics_collection"] == ["GroupDesiredCapacity", "GroupInServiceInstances"]
    run("auto_scaling_group", **options)
    assert metrics(read()) == ["GroupDesiredCapacity", "GroupInServiceInstances"]
    assert not run("auto_scaling_group", **options)["changed"]
    aws("autoscaling").enable_metrics_collection(AutoScalingGroupName=NAME, Granularity="1Minute")
    assert len(metrics(read())) == 20 and not run("auto_scaling_group", **OPTIONS)["changed"]
    assert run("auto_scaling_group", **options)["changed"] and len(metrics(read())) == 2
    with pytest.raises(Failed, match="has GroupWisdom, which no auto scaling group counts"):
        run("auto_scaling_group", **OPTIONS, metrics_collection=["GroupWisdom"])


def monitoring(aws, ids):
    found = aws("ec2").describe_instances(InstanceIds=ids)["Reservations"]
    return {i["Monitoring"]["State"] for r in found for i in r["Instances"]}


def test_running_instances_get_detailed_monitoring_where_the_template_came_later(aws, template, running):
    options = {**OPTIONS, "detailed_monitoring": True}
    run("auto_scaling_group", **OPTIONS)
    assert monitoring(aws, running()) == {"disabled"}
    # The run that is tried out would make the version that has it.
    checked = run("auto_scaling_group", check=True, **options)
    assert checked["changed"] and checked["diff"]["before"]["unmonitored_instances"] == running()
    data = {"ImageId": template, "InstanceType": "t3.medium", "Monitoring": {"Enabled": True}}
    aws("ec2").create_launch_template_version(LaunchTemplateName=NAME, LaunchTemplateData=data)
    aws("ec2").modify_launch_template(LaunchTemplateName=NAME, DefaultVersion="2")
    assert not run("auto_scaling_group", **OPTIONS)["changed"]
    assert run("auto_scaling_group", check=True, **options)["changed"] and monitoring(aws, running()) == {"disabled"}
    assert run("auto_scaling_group", **options)["changed"] and monitoring(aws, running()) == {"enabled"}
    with recorded() as calls:
        assert not run("auto_scaling_group", **options)["changed"]
    assert operations(calls)[-1] == "DescribeInstances"
    assert not run("auto_scaling_group", check=True, **options)["changed"]


def test_instances_of_the_present_version_are_not_asked_for(template):
    run("auto_scaling_group", **OPTIONS)
    with recorded() as calls:
        assert not run("auto_scaling_group", **OPTIONS, detailed_monitoring=True)["changed"]
    assert "DescribeInstances" not in operations(calls)


@pytest.fixture
def drained(aws, template, running):
    """A function that registers the group's instance and drains it, with a mark until a time or with none."""

    def drained(until=None):
        ecs = aws("ecs")
        ecs.create_cluster(clusterName="c")
        ecs.register_container_instance(
            cluster="c",
            instanceIdentityDocument='{"instanceId": "%s"}' % running()[0],
            instanceIdentityDocumentSignature="x",
        )
        (arn,) = ecs.list_container_instances(cluster="c")["containerInstanceArns"]
        if until:
            ecs.put_attributes(
                cluster="c", attributes=[{"name": "handson.draining", "value": until, "targetId": arn}]
            )
        ecs.update_container_instances_state(cluster="c", containerInstances=[arn], status="DRAINING")
        return lambda: ecs.describe_container_instances(cluster="c", containerInstances=[arn])["containerInstances"][0]

    run("auto_scaling_group", **OPTIONS)
    return drained


def test_an_instance_that_a_scale_in_left_draining_takes_tasks_again(drained, running):
    there, options = drained("2026-01-01T00:00:00Z"), {**OPTIONS, "cluster": "c"}
    checked = run("auto_scaling_group", check=True, **options)
    assert checked["diff"]["before"]["left_draining"] == running() and there()["status"] == "DRAINING"
    assert run("auto_scaling_group", **options)["changed"] and there()["status"] == "ACTIVE"
    assert "handson.draining" not in [a["name"] for a in there()["attributes"]]
    with recorded() as calls:
        assert not run("auto_scaling_group", **options)["changed"]
    assert operations(calls).count("ListContainerInstances") == 1
    assert "DescribeContainerInstances" not in operations(calls)


@pytest.mark.parametrize("until", [None, "2999-01-01T00:00:00Z"])
def test_one_that_a_person_or_a_running_scale_in_drains_stays(drained, until):
    there = drained(until)
    assert not run("auto_scaling_group", **OPTIONS, cluster="c")["changed"] and there()["status"] == "DRAINING"


def test_a_cluster_that_is_not_there_has_nothing_draining(template):
    run("auto_scaling_group", **OPTIONS)
    assert not run("auto_scaling_group", **OPTIONS, cluster="nowhere")["changed"]
