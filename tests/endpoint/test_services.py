# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Services: what is kept, how a roll-out moves, what AWS refuses."""

import pytest
from botocore.exceptions import ClientError


def texts(service):
    """The events, oldest first, without service name and ids."""
    found = []
    for event in reversed(service["events"]):
        text = event["message"].split(") ", 1)[1]
        found.append(
            text.split(" (task ")[0].split(" in (target")[0].split("(deployment ")[0] or "deployment completed"
        )
    return found


def create(aws, load_balancers, **options):
    options = {"desiredCount": 2, "launchType": "EC2", **options}
    return aws.ecs.create_service(
        cluster="demo", serviceName="web", taskDefinition="web", loadBalancers=load_balancers, **options
    )["service"]


def test_from_empty_to_empty(demo, load_balancers):
    create(demo, load_balancers, tags=[{"key": "handson:service", "value": "web"}])
    assert demo.service()["pendingCount"] == 2
    assert demo.service()["runningCount"] == 2
    service = demo.until_steady()
    assert texts(service) == [
        "has started 2 tasks:",
        "registered 2 targets",
        "deployment completed",
        "has reached a steady state.",
    ]
    assert service["deployments"][0]["rolloutState"] == "COMPLETED"
    targets = demo.healthy(demo.target_group)
    assert len(targets) == 2 and {each["Port"] for each in targets} == {32768}

    arns = demo.ecs.list_tasks(cluster="demo", serviceName="web")["taskArns"]
    tasks = demo.ecs.describe_tasks(cluster="demo", tasks=arns)["tasks"]
    assert {task["group"] for task in tasks} == {"service:web"}
    assert {task["startedBy"] for task in tasks} == {service["deployments"][0]["id"]}
    assert len({task["containerInstanceArn"] for task in tasks}) == 2
    assert tasks[0]["containers"][0]["networkBindings"][0]["hostPort"] == 32768
    for _ in range(5):  # described tasks stay RUNNING
        assert demo.ecs.describe_tasks(cluster="demo", tasks=arns)["tasks"][0]["lastStatus"] == "RUNNING"

    demo.ecs.update_service(cluster="demo", service="web", forceNewDeployment=True)
    seen = []
    for _ in range(6):
        service = demo.service()
        seen.append((service["runningCount"], service["pendingCount"], len(service["deployments"])))
    assert seen == [(2, 2, 2), (4, 0, 2), (4, 0, 2), (2, 0, 1), (2, 0, 1), (2, 0, 1)]
    assert texts(service)[4:] == [
        "has started 2 tasks:",
        "registered 2 targets",
        "has begun draining connections on 2 tasks.",
        "deregistered 2 targets",
        "has stopped 2 running tasks:",
        "deployment completed",
        "has reached a steady state.",
    ]
    assert len(demo.healthy(demo.target_group)) == 2

    configuration = {"minimumHealthyPercent": 50}
    demo.ecs.update_service(cluster="demo", service="web", deploymentConfiguration=configuration)
    assert demo.service()["deploymentConfiguration"] == {
        "minimumHealthyPercent": 50,
        "maximumPercent": 200,
        "strategy": "ROLLING",
        "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    }
    assert len(demo.service()["deployments"]) == 1

    with pytest.raises(ClientError, match="Services are active"):
        demo.ecs.delete_cluster(cluster="demo")
    with pytest.raises(ClientError, match="scaled above 0"):
        demo.ecs.delete_service(cluster="demo", service="web")
    assert demo.ecs.delete_service(cluster="demo", service="web", force=True)["service"]["status"] == "DRAINING"
    with pytest.raises(ClientError, match="still Draining"):
        create(demo, load_balancers)
    demo.ecs.get_waiter("services_inactive").wait(cluster="demo", services=["web"], WaiterConfig={"Delay": 0})
    assert demo.service()["status"] == "INACTIVE"
    assert demo.healthy(demo.target_group) == []
    assert demo.ecs.list_services(cluster="demo")["serviceArns"] == []
    with pytest.raises(ClientError, match="Container Instances are active"):
        demo.ecs.delete_cluster(cluster="demo")
    demo.autoscaling.set_desired_capacity(AutoScalingGroupName=demo.asg_name, DesiredCapacity=0)
    assert demo.ecs.delete_cluster(cluster="demo")["cluster"]["status"] == "INACTIVE"


def test_waiter_services_stable(demo, load_balancers):
    create(demo, load_balancers)
    demo.ecs.get_waiter("services_stable").wait(cluster="demo", services=["web"], WaiterConfig={"Delay": 0})


def test_options_are_kept(demo, load_balancers):
    breaker = {
        "enable": True,
        "rollback": True,
        "resetOnHealthyTask": True,
        "thresholdConfiguration": {"type": "COUNT", "value": 3},
    }
    spread = [{"type": "spread", "field": "attribute:ecs.availability-zone"}, {"type": "binpack", "field": "memory"}]
    given = {
        "deploymentConfiguration": {"deploymentCircuitBreaker": breaker, "maximumPercent": 150},
        "healthCheckGracePeriodSeconds": 45,
        "placementStrategy": spread,
        "placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}],
        "enableECSManagedTags": True,
        "enableExecuteCommand": True,
        "propagateTags": "SERVICE",
    }
    create(demo, load_balancers, tags=[{"key": "a", "value": "b"}], **given)
    service = demo.service(include=["TAGS"])
    assert service["tags"] == [{"key": "a", "value": "b"}]
    assert "tags" not in demo.service()
    assert service["deploymentConfiguration"]["deploymentCircuitBreaker"] == breaker
    assert service["availabilityZoneRebalancing"] == "ENABLED" and service["schedulingStrategy"] == "REPLICA"
    for option in set(given) - {"deploymentConfiguration"}:
        assert service[option] == given[option], option
    task = demo.ecs.list_tasks(cluster="demo", serviceName="web")["taskArns"][0]
    tags = demo.ecs.describe_tasks(cluster="demo", tasks=[task], include=["TAGS"])["tasks"][0]["tags"]
    assert {"key": "a", "value": "b"} in tags and {"key": "aws:ecs:serviceName", "value": "web"} in tags

    demo.ecs.update_service(
        cluster="demo", service="web", healthCheckGracePeriodSeconds=60, availabilityZoneRebalancing="DISABLED"
    )
    demo.ecs.update_service(cluster="demo", service="web", desiredCount=2)
    service = demo.service()
    assert service["healthCheckGracePeriodSeconds"] == 60 and service["availabilityZoneRebalancing"] == "DISABLED"
    assert len(service["deployments"]) == 1


def test_new_revision_is_a_new_deployment(demo, load_balancers):
    create(demo, load_balancers)
    first = demo.until_steady()
    demo.ecs.update_service(cluster="demo", service="web", taskDefinition="web")
    assert [each["id"] for each in demo.service()["deployments"]] == [first["deployments"][0]["id"]]
    revision = demo.task_definition()
    demo.ecs.update_service(cluster="demo", service="web", taskDefinition="web")
    states = [(each["status"], each["taskDefinition"]) for each in demo.service()["deployments"]]
    assert states == [("PRIMARY", revision), ("ACTIVE", first["taskDefinition"])]
    assert demo.until_steady()["taskDefinition"] == revision


@pytest.mark.parametrize(
    ("percents", "most", "fewest"), [((50, 100), 2, 1), ((100, 200), 4, 2), ((0, 100), 2, 0), ((100, 150), 3, 2)]
)
def test_roll_out_stays_within_its_percents(demo, load_balancers, percents, most, fewest):
    configuration = {"minimumHealthyPercent": percents[0], "maximumPercent": percents[1]}
    create(demo, load_balancers, deploymentConfiguration=configuration)
    demo.until_steady()
    demo.ecs.update_service(cluster="demo", service="web", forceNewDeployment=True)
    existing, serving = [], []
    for _ in range(14):
        service = demo.service()
        existing.append(service["runningCount"] + service["pendingCount"])
        serving.append(len(demo.healthy(demo.target_group)))
    assert max(existing) == most and min(serving) == fewest
    assert len(demo.until_steady()["deployments"]) == 1


def test_no_room_then_room(demo, load_balancers):
    create(demo, load_balancers, desiredCount=8)
    for _ in range(5):
        service = demo.service()
    unable = [text for text in texts(service) if "unable" in text]
    assert service["runningCount"] == 6 and len(unable) == 1
    message = next(each["message"] for each in service["events"] if "unable" in each["message"])
    assert "has insufficient memory available. For more information, see the Troubleshooting" in message
    demo.autoscaling.set_desired_capacity(AutoScalingGroupName=demo.asg_name, DesiredCapacity=3)
    assert demo.until_steady()["runningCount"] == 8


def test_no_instances(aws):
    aws.ecs.create_cluster(clusterName="demo")
    aws.task_definition()
    aws.ecs.create_service(cluster="demo", serviceName="web", taskDefinition="web", desiredCount=1)
    message = aws.service()["events"][0]["message"]
    assert message.startswith("(service web) was unable to place a task")
    assert "Reason: No Container Instances were found in your cluster." in message
    aws.instances("demo", 1)
    assert aws.until_steady()["runningCount"] == 1


def test_terminated_instance_is_replaced(demo, load_balancers):
    create(demo, load_balancers)
    demo.until_steady()
    group = demo.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    lost = group["Instances"][0]["InstanceId"]
    demo.ec2.terminate_instances(InstanceIds=[lost])
    stopped = demo.ecs.list_tasks(cluster="demo", desiredStatus="STOPPED")["taskArns"]
    task = demo.ecs.describe_tasks(cluster="demo", tasks=stopped)["tasks"][0]
    assert task["stoppedReason"] == f"Host EC2 (instance {lost}) terminated."
    assert lost not in [each["Id"] for each in demo.healthy(demo.target_group)]
    for _ in range(5):
        service = demo.service()
    assert service["runningCount"] == 2 and len(demo.healthy(demo.target_group)) == 2


def test_stopped_task_is_replaced(demo, load_balancers):
    create(demo, load_balancers)
    demo.until_steady()
    task = demo.ecs.list_tasks(cluster="demo", serviceName="web")["taskArns"][0]
    stopped = demo.ecs.stop_task(cluster="demo", task=task, reason="drill")["task"]
    assert stopped["stoppedReason"] == "drill" and stopped["lastStatus"] == "STOPPED"
    assert len(demo.healthy(demo.target_group)) == 1
    for _ in range(4):
        service = demo.service()
    assert service["runningCount"] == 2
    assert task not in demo.ecs.list_tasks(cluster="demo", serviceName="web")["taskArns"]


def test_scale_to_none(demo, load_balancers):
    create(demo, load_balancers)
    demo.until_steady()
    demo.ecs.update_service(cluster="demo", service="web", desiredCount=0)
    for _ in range(4):
        service = demo.service()
    assert service["runningCount"] == 0 and demo.healthy(demo.target_group) == []
    demo.ecs.delete_service(cluster="demo", service="web")
    assert demo.service()["status"] == "INACTIVE"


def test_fargate_tasks_have_addresses(aws):
    aws.ecs.create_cluster(clusterName="demo")
    target_group, group = aws.balancer(kind="ip"), aws.group()
    container = {"name": "web", "image": "web:1", "portMappings": [{"containerPort": 80}]}
    aws.task_definition(
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[container],
    )
    aws.ecs.create_service(
        cluster="demo",
        serviceName="web",
        taskDefinition="web",
        desiredCount=2,
        launchType="FARGATE",
        loadBalancers=[{"targetGroupArn": target_group, "containerName": "web", "containerPort": 80}],
        networkConfiguration={"awsvpcConfiguration": {"subnets": aws.subnets(), "securityGroups": [group]}},
    )
    assert aws.until_steady()["runningCount"] == 2
    assert {each["Port"] for each in aws.healthy(target_group)} == {80}
    with pytest.raises(ClientError, match="DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=group)
    aws.ecs.delete_service(cluster="demo", service="web", force=True)
    while aws.service()["status"] != "INACTIVE":
        pass
    aws.ec2.delete_security_group(GroupId=group)


def test_capacity_provider_strategy(demo, load_balancers):
    arn = demo.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["AutoScalingGroupARN"]
    demo.ecs.create_capacity_provider(name="ours", autoScalingGroupProvider={"autoScalingGroupArn": arn})
    strategy = [{"capacityProvider": "ours", "weight": 1, "base": 0}]
    for name in ("ours", "theirs", "FARGATE"):  # made, unknown, AWS's own: the cluster has none of them
        with pytest.raises(ClientError, match="InvalidParameterException.* not associated with the cluster"):
            create(demo, load_balancers, capacityProviderStrategy=[{"capacityProvider": name}], launchType="")
    demo.ecs.put_cluster_capacity_providers(
        cluster="demo", capacityProviders=["ours"], defaultCapacityProviderStrategy=strategy
    )
    demo.ecs.create_service(
        cluster="demo", serviceName="web", taskDefinition="web", desiredCount=2, loadBalancers=load_balancers
    )
    service = demo.until_steady()
    assert "launchType" not in service and service["capacityProviderStrategy"] == strategy
    with pytest.raises(ClientError, match="not associated with the cluster"):
        theirs = [{"capacityProvider": "theirs", "weight": 1}]
        demo.ecs.update_service(cluster="demo", service="web", capacityProviderStrategy=theirs, forceNewDeployment=True)
    assert demo.service()["capacityProviderStrategy"] == strategy
    for draining in ("ENABLED", "DISABLED"):
        demo.ecs.update_capacity_provider(name="ours", autoScalingGroupProvider={"managedDraining": draining})
        provider = demo.ecs.describe_capacity_providers(capacityProviders=["ours"])["capacityProviders"][0]
        assert provider["autoScalingGroupProvider"]["managedDraining"] == draining
    with pytest.raises(ClientError, match="associated with cluster: demo"):
        demo.ecs.delete_capacity_provider(capacityProvider="ours")
    with pytest.raises(ClientError, match="already exists"):
        demo.ecs.create_capacity_provider(name="ours", autoScalingGroupProvider={"autoScalingGroupArn": arn})
    with pytest.raises(ClientError, match="does not exist"):
        demo.ecs.delete_capacity_provider(capacityProvider="theirs")
    assert len(demo.ecs.describe_capacity_providers()["capacityProviders"]) == 1


def test_draining_instance_loses_its_tasks(demo, load_balancers):
    create(demo, load_balancers)
    demo.until_steady()
    instance = demo.ecs.list_container_instances(cluster="demo")["containerInstanceArns"][0]
    demo.ecs.update_container_instances_state(cluster="demo", containerInstances=[instance], status="DRAINING")
    demo.until_steady_after = [demo.service() for _ in range(8)]
    assert demo.ecs.list_tasks(cluster="demo", containerInstance=instance)["taskArns"] == []
    assert demo.until_steady()["runningCount"] == 2


def test_refusals(demo, load_balancers):
    unused = demo.balancer("unused", listener=False)
    with pytest.raises(ClientError, match=f"targetGroupArn {unused} does not have an associated load balancer"):
        create(demo, [{**load_balancers[0], "targetGroupArn": unused}])
    with pytest.raises(ClientError, match="The container other does not exist in the task definition."):
        create(demo, [{**load_balancers[0], "containerName": "other"}])
    with pytest.raises(ClientError, match="did not have a container port 1 defined"):
        create(demo, [{**load_balancers[0], "containerPort": 1}])
    with pytest.raises(ClientError, match="InvalidParameterException"):
        create(
            demo,
            load_balancers,
            availabilityZoneRebalancing="ENABLED",
            deploymentConfiguration={"maximumPercent": 100, "minimumHealthyPercent": 50},
        )
    assert (
        create(demo, load_balancers, deploymentConfiguration={"maximumPercent": 100})["availabilityZoneRebalancing"]
        == "DISABLED"
    )
    with pytest.raises(ClientError, match="not idempotent"):
        create(demo, load_balancers)
    with pytest.raises(ClientError, match="ServiceNotFoundException"):
        demo.ecs.update_service(cluster="demo", service="other", desiredCount=1)
    with pytest.raises(ClientError, match="ClusterNotFoundException"):
        demo.ecs.describe_services(cluster="other", services=["web"])
    assert demo.ecs.describe_services(cluster="demo", services=["other"])["failures"][0]["reason"] == "MISSING"
    demo.ecs.delete_service(cluster="demo", service="web", force=True)
    assert demo.service()["status"] == "INACTIVE"
    with pytest.raises(ClientError, match="ServiceNotActiveException"):
        demo.ecs.update_service(cluster="demo", service="web", desiredCount=1)
    assert create(demo, load_balancers)["status"] == "ACTIVE"
