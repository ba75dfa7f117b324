# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from modules.harness import IMAGE, Failed, contract, run

OWNER = {"handson:cluster": "petclinic-rest-cluster", "handson:service": "petclinic-rest-service"}
CLUSTER = "petclinic-rest-cluster"
FAMILY = "petclinic-rest-task"
DEPLOYMENT = {"minimum_healthy_percent": 100, "maximum_percent": 200, "threshold_type": "BOUNDED_PERCENT", "threshold_value": 50}
OPTIONS = {
    "name": "petclinic-rest-service",
    "cluster": CLUSTER,
    "family": FAMILY,
    "launch_type": "EC2",
    "desired_count": 2,
    "load_balancers": [
        {"target_group": "petclinic-rest-target", "container_name": "petclinic-rest-app", "container_port": 9460}
    ],
    "health_check_grace_period": 60,
    "availability_zone_rebalancing": "ENABLED",
    "deployment": DEPLOYMENT,
    "placement_strategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}],
    "owner": OWNER,
    "wait_interval": 0.01,
    "wait_timeout": 30,
}


def register(aws, memory=1024, image="petclinic", log_group=None):
    aws("ecs").register_task_definition(
        family=FAMILY,
        requiresCompatibilities=["EC2"],
        cpu="512",
        memory=str(memory),
        containerDefinitions=[
            {
                "name": "petclinic-rest-app",
                "image": image,
                "memoryReservation": 625,
                "portMappings": [{"containerPort": 9460, "hostPort": 0}],
                **({"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": log_group}}} if log_group else {}),
            }
        ],
    )


@pytest.fixture
def account(aws, alb, default_subnets):
    """All that a service stands on: cluster with two container instances, listener, target group, task definition."""
    elbv2, ec2 = aws("elbv2"), aws("ec2")
    group = elbv2.create_target_group(Name="petclinic-rest-target", Protocol="HTTP", Port=80, VpcId=alb["VpcId"])
    arn = group["TargetGroups"][0]["TargetGroupArn"]
    forward = [{"Type": "forward", "TargetGroupArn": arn}]
    elbv2.create_listener(LoadBalancerArn=alb["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=forward)
    aws("ecs").create_cluster(clusterName=CLUSTER)
    ec2.run_instances(
        ImageId=IMAGE,
        InstanceType="t2.medium",
        MinCount=2,
        MaxCount=2,
        SubnetId=default_subnets[0],
        UserData=f"#!/bin/bash\necho ECS_CLUSTER={CLUSTER} >> /etc/ecs/ecs.config\n",
    )
    register(aws)
    return arn


@pytest.fixture
def read(aws, account):
    def read():
        found = aws("ecs").describe_services(cluster=CLUSTER, services=[OPTIONS["name"]], include=["TAGS"])["services"]
        return found[0] if found and found[0]["status"] == "ACTIVE" else None

    return read


def test_contract(read):
    contract(
        "ecs_service",
        OPTIONS,
        read,
        changes=[
            ({"desired_count": 3}, lambda s: s["desiredCount"], 3),
            (
                {"deployment": {**DEPLOYMENT, "minimum_healthy_percent": 50}},
                lambda s: s["deploymentConfiguration"]["minimumHealthyPercent"],
                50,
            ),
            (
                {"deployment": {**DEPLOYMENT, "rollback": False}},
                lambda s: s["deploymentConfiguration"]["deploymentCircuitBreaker"]["rollback"],
                False,
            ),
            (
                {"deployment": {**DEPLOYMENT, "threshold_value": 60}},
                lambda s: s["deploymentConfiguration"]["deploymentCircuitBreaker"]["thresholdConfiguration"]["value"],
                60,
            ),
            ({"health_check_grace_period": 90}, lambda s: s["healthCheckGracePeriodSeconds"], 90),
            ({"availability_zone_rebalancing": "DISABLED"}, lambda s: s["availabilityZoneRebalancing"], "DISABLED"),
            ({"enable_execute_command": True}, lambda s: s["enableExecuteCommand"], True),
            ({"placement_strategy": [{"type": "binpack", "field": "memory"}]}, lambda s: s["placementStrategy"][0]["type"], "binpack"),
            ({"tags": {"team": "vets"}}, lambda s: {"key": "team", "value": "vets"} in s["tags"], True),
        ],
    )


def test_a_new_service_shows_its_events_and_ends_steady(read, tmp_path):
    progress = tmp_path / "progress"
    result = run("ecs_service", **OPTIONS, progress_file=str(progress))
    assert result["service"]["running_count"] == 2
    said = "\n".join(result["events"])
    for word in ("has started 2 tasks", "registered 2 targets", "has reached a steady state"):
        assert word in said and word in progress.read_text()
    assert "0 of 2 tasks running" in progress.read_text()


def test_a_new_revision_is_rolled_out_and_keep_leaves_it_alone(aws, read):
    run("ecs_service", **OPTIONS)
    register(aws, image="petclinic:2")
    kept = run("ecs_service", **{**OPTIONS, "task_definition": "keep", "desired_count": "keep"})
    assert not kept["changed"]
    result = run("ecs_service", **OPTIONS)
    assert result["changed"] and read()["taskDefinition"].endswith(":2")
    assert any("has begun draining" in e for e in result["events"])
    assert read()["runningCount"] == 2
    assert run("ecs_service", **{**OPTIONS, "task_definition": f"{FAMILY}:1"})["changed"]
    assert read()["taskDefinition"].endswith(":1")


def test_a_scaled_count_is_kept(aws, read):
    run("ecs_service", **OPTIONS)
    aws("ecs").update_service(cluster=CLUSTER, service=OPTIONS["name"], desiredCount=4)
    assert not run("ecs_service", check=True, **{**OPTIONS, "desired_count": "keep"})["changed"]
    assert run("ecs_service", **{**OPTIONS, "desired_count": "keep"})["service"]["desired_count"] == 4


def test_force_new_deployment_replaces_the_tasks(aws, read):
    run("ecs_service", **OPTIONS)
    before = set(aws("ecs").list_tasks(cluster=CLUSTER, serviceName=OPTIONS["name"])["taskArns"])
    assert run("ecs_service", check=True, **OPTIONS, force_new_deployment=True)["changed"]
    assert run("ecs_service", **OPTIONS, force_new_deployment=True)["changed"]
    after = set(aws("ecs").list_tasks(cluster=CLUSTER, serviceName=OPTIONS["name"])["taskArns"])
    assert len(after) == 2 and not before & after


def test_no_room_is_named_with_the_way_out(aws, account):
    register(aws, memory=3500)
    with pytest.raises(Failed) as failed:
        run("ecs_service", **{**OPTIONS, "desired_count": 4, "wait_timeout": 1})
    assert "not steady after 1 s" in failed.value.result["msg"]
    assert "insufficient memory" in failed.value.result["causes"][0]["problem"]
    assert "instances_count" in failed.value.result["causes"][0]["remedy"]


def test_a_run_that_was_cut_short_is_waited_for_by_the_next(aws, read):
    run("ecs_service", **{**OPTIONS, "wait": False})
    result = run("ecs_service", **OPTIONS)
    assert not result["changed"] and result["service"]["running_count"] == 2


def test_the_cluster_is_gone(aws):
    assert not run("ecs_service", **OPTIONS, state="absent")["changed"]
    assert run("ecs_service", check=True, **OPTIONS)["changed"]
    with pytest.raises(Failed, match="no cluster named.*playbooks/cluster.yml"):
        run("ecs_service", **OPTIONS)


def test_a_foreign_service_is_refused(aws, account):
    aws("ecs").create_service(cluster=CLUSTER, serviceName=OPTIONS["name"], taskDefinition=FAMILY, desiredCount=1)
    with pytest.raises(Failed, match="not ours"):
        run("ecs_service", **OPTIONS)
    assert run("ecs_service", **OPTIONS, state="absent")["foreign"]


def test_in_check_mode_a_coming_revision_is_known_after_apply(read):
    run("ecs_service", **OPTIONS)
    checked = run("ecs_service", check=True, **OPTIONS, task_definition_changes=True)
    assert checked["diff"]["after"]["task_definition"] == "(known after apply)"
    assert not run("ecs_service", **OPTIONS, task_definition_changes=True)["changed"]


def failure(**options):
    """Run the module, which must fail, and return what it said."""
    with pytest.raises(Failed) as failed:
        run("ecs_service", **{**OPTIONS, **options})
    return failed.value.result


def test_a_crashing_image_is_named_with_its_exit_code_and_log_group(aws, account):
    register(aws, image="petclinic:crash", log_group="/ecs/petclinic-rest")
    said = failure()
    assert f"The deployment of {FAMILY}:2" in said["msg"] and "tasks failed to start" in said["msg"]
    assert said["rolled_back_to"] is None
    problem, remedy = said["causes"][0]["problem"], said["causes"][0]["remedy"]
    assert "Essential container in task exited" in problem
    assert "container petclinic-rest-app exited with code 1" in problem
    assert "aws logs tail /ecs/petclinic-rest" in remedy and "task_definition_log_group" in remedy
    assert len(said["causes"]) == 1  # four tasks failed alike
    assert any("deployment failed: tasks failed to start" in e for e in said["events"])


def test_an_image_that_cannot_be_pulled_is_named(aws, account):
    register(aws, image="123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic:no-such-image")
    cause = failure()["causes"][0]
    assert "CannotPullContainerError" in cause["problem"] and "petclinic:no-such-image: not found" in cause["problem"]
    assert "playbooks/image.yml" in cause["remedy"] and "image_reference" in cause["remedy"]
    assert cause["problem"].count("CannotPull") == 1


def test_an_unhealthy_target_is_named_while_the_tasks_run(aws, account):
    register(aws, image="petclinic:unhealthy")
    # A long grace period: ECS still waits when we no longer do.
    said = failure(health_check_grace_period=3600, wait_timeout=1)
    assert "not steady after 1 s" in said["msg"]
    problems = [c["problem"] for c in said["causes"]]
    assert len(problems) == 1 and "is unhealthy: Health checks failed with these codes: [500]" in problems[0]
    assert "target_group_health_check_path" in said["causes"][0]["remedy"]


def test_an_unhealthy_target_is_named_after_its_task_was_stopped(aws, account):
    register(aws, image="petclinic:unhealthy")
    said = failure(health_check_grace_period=0)
    problems = " ".join(c["problem"] for c in said["causes"])
    assert "Task failed ELB health checks in (target-group" in problems
    assert "Health checks failed with these codes: [500]" in problems
    assert "exited" not in problems


def test_ecs_rolls_back_and_the_module_fails_and_says_so(aws, read, tmp_path):
    run("ecs_service", **OPTIONS)
    register(aws, image="petclinic:crash")
    progress = tmp_path / "progress"
    said = failure(progress_file=str(progress))
    assert said["rolled_back_to"] == f"{FAMILY}:1" and said["changed"]
    assert f"The deployment of {FAMILY}:2" in said["msg"]
    assert f"ECS rolled back: the service uses {FAMILY}:1 again, with 2 of 2 tasks running" in said["msg"]
    assert "service_task_definition to keep" in said["msg"]
    assert "exited with code 1" in said["causes"][0]["problem"]
    assert "rolling back to deployment" in progress.read_text() and "deployment completed" in progress.read_text()
    assert read()["taskDefinition"].endswith(f"{FAMILY}:1") and read()["runningCount"] == 2
    assert [d["rolloutState"] for d in read()["deployments"]] == ["COMPLETED"]


def test_the_run_after_a_roll_back(aws, read):
    run("ecs_service", **OPTIONS)
    register(aws, image="petclinic:crash")
    failure()
    # Who keeps what runs has nothing to do, and nothing to wait for.
    kept = run("ecs_service", **{**OPTIONS, "task_definition": "keep"})
    assert not kept["changed"] and kept["events"] == [] and kept["service"]["task_definition"] == f"{FAMILY}:1"
    assert not run("ecs_service", **{**OPTIONS, "task_definition": f"{FAMILY}:1"})["changed"]
    # Who wants the newest revision still wants it: the cause may be mended without a new revision.
    checked = run("ecs_service", check=True, **OPTIONS)
    assert checked["changed"] and checked["diff"]["before"]["task_definition"] == f"{FAMILY}:1"
    assert checked["diff"]["after"]["task_definition"] == f"{FAMILY}:2"
    again = failure()
    assert again["rolled_back_to"] == f"{FAMILY}:1" and len(again["causes"]) == 1
    register(aws, image="petclinic:mended")
    assert run("ecs_service", **OPTIONS)["changed"]
    assert read()["taskDefinition"].endswith(":3") and read()["runningCount"] == 2
    assert not run("ecs_service", **OPTIONS)["changed"]


def test_a_deployment_that_ecs_gave_up_is_started_anew(aws, read):
    register(aws, image="petclinic:crash")
    failure()
    before = read()["deployments"][0]["id"]
    checked = run("ecs_service", check=True, **OPTIONS)
    assert checked["changed"] and checked["diff"]["after"]["force_new_deployment"]
    assert read()["deployments"][0]["id"] == before
    failure()
    assert read()["deployments"][0]["id"] != before


def test_without_a_roll_back_the_old_tasks_serve_on(aws, read):
    options = {"deployment": {**DEPLOYMENT, "rollback": False}}
    run("ecs_service", **{**OPTIONS, **options})
    register(aws, image="petclinic:no-such-image")
    said = failure(**options)
    assert said["rolled_back_to"] is None and f"The service uses {FAMILY}:2 with 2 of 2 tasks" in said["msg"]
    assert read()["runningCount"] == 2


def test_causes_of_an_earlier_deployment_are_not_told_again(aws, account):
    register(aws, image="petclinic:crash")
    failure()
    register(aws, image="petclinic:no-such-image")
    problems = [c["problem"] for c in failure()["causes"]]
    assert len(problems) == 1 and "CannotPull" in problems[0]


def test_a_threshold_that_is_left_open_is_left_alone(read):
    run("ecs_service", **OPTIONS)
    open_ = {"minimum_healthy_percent": 100, "maximum_percent": 200}
    assert not run("ecs_service", **{**OPTIONS, "deployment": open_})["changed"]
    assert run("ecs_service", **{**OPTIONS, "deployment": {**open_, "rollback": False}})["changed"]
    breaker = read()["deploymentConfiguration"]["deploymentCircuitBreaker"]
    assert breaker["rollback"] is False and breaker["thresholdConfiguration"]["value"] == 50


def test_a_capacity_provider_takes_the_place_of_a_launch_type(aws, account):
    aws("ec2").create_launch_template(LaunchTemplateName="t-1", LaunchTemplateData={"ImageId": "ami-12c6146b"})
    aws("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="g",
        LaunchTemplate={"LaunchTemplateName": "t-1"},
        MinSize=0,
        MaxSize=0,
        AvailabilityZones=["ap-southeast-1a"],
    )
    group = aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]["AutoScalingGroupARN"]
    aws("ecs").create_capacity_provider(name="p", autoScalingGroupProvider={"autoScalingGroupArn": group})
    aws("ecs").put_cluster_capacity_providers(
        cluster=CLUSTER, capacityProviders=["p"], defaultCapacityProviderStrategy=[]
    )
    options = {**OPTIONS, "desired_count": 0, "capacity_provider_strategy": [{"capacity_provider": "p", "weight": 1}]}
    made = run("ecs_service", **options)
    assert made["service"]["capacity_provider_strategy"] == [{"capacity_provider": "p", "weight": 1, "base": 0}]
    assert not run("ecs_service", **options)["changed"]
    # And back again.
    back = {**OPTIONS, "desired_count": 0}
    assert run("ecs_service", check=True, **back)["changed"]
    assert run("ecs_service", **back)["service"]["capacity_provider_strategy"] == []
    assert not run("ecs_service", **back)["changed"]


def test_a_capacity_provider_that_the_cluster_lacks_names_the_way_out(aws, account):
    asked = {"desired_count": 0, "capacity_provider_strategy": [{"capacity_provider": "p", "weight": 1}]}
    with pytest.raises(Failed, match="the capacity provider 'p' .*service_capacity_provider.*playbooks/cluster.yml"):
        run("ecs_service", **{**OPTIONS, **asked})
    assert aws("ecs").list_services(cluster=CLUSTER)["serviceArns"] == []
    spot = {**asked, "capacity_provider_strategy": [{"capacity_provider": "FARGATE_SPOT", "weight": 1}]}
    with pytest.raises(Failed, match="has none of that name. Change service_capacity_provider") as told:
        run("ecs_service", **{**OPTIONS, **spot})
    assert "playbooks/cluster.yml" not in str(told.value)
    run("ecs_service", **{**OPTIONS, "desired_count": 0})
    with pytest.raises(Failed, match=f"the cluster '{CLUSTER}' has none of that name"):
        run("ecs_service", **{**OPTIONS, **asked})
    assert run("ecs_service", **{**OPTIONS, "desired_count": 0})["changed"] is False


def test_nothing_is_put_on_a_foreign_cluster(aws, account):
    owner = {"handson:cluster": CLUSTER}
    with pytest.raises(Failed, match=f"cluster '{CLUSTER}' is not ours"):
        run("ecs_service", **OPTIONS, cluster_owner=owner)
    assert aws("ecs").list_services(cluster=CLUSTER)["serviceArns"] == []
    with pytest.raises(Failed, match=f"cluster '{CLUSTER}' is not ours"):
        run("ecs_run_task", cluster=CLUSTER, task_definition=FAMILY, cluster_owner=owner)


def test_an_update_of_a_service_that_is_not_there_names_its_playbook(aws, account):
    with pytest.raises(Failed, match="no service named.*playbooks/service.yml"):
        run("ecs_service", name="nobody", cluster=CLUSTER, task_definition="keep", force_new_deployment=True)
