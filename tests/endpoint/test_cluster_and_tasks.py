# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Clusters, container instances, one-off tasks, task definitions."""

import json

import pytest
from botocore.exceptions import ClientError


def test_describe_cluster(demo):
    cluster = demo.ecs.describe_clusters(clusters=["demo"])["clusters"][0]
    assert cluster["capacityProviders"] == [] and cluster["defaultCapacityProviderStrategy"] == []
    assert cluster["registeredContainerInstancesCount"] == 2 and cluster["runningTasksCount"] == 0
    assert cluster["settings"] == []
    demo.ecs.update_cluster_settings(cluster="demo", settings=[{"name": "containerInsights", "value": "enabled"}])
    demo.ecs.tag_resource(resourceArn=cluster["clusterArn"], tags=[{"key": "a", "value": "b"}])
    cluster = demo.ecs.describe_clusters(clusters=["demo"], include=["SETTINGS", "TAGS"])["clusters"][0]
    assert cluster["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    assert cluster["tags"] == [{"key": "a", "value": "b"}]
    again = demo.ecs.create_cluster(clusterName="demo")["cluster"]  # an existing cluster is left alone
    assert again["settings"] == [{"name": "containerInsights", "value": "enabled"}]


def test_deleted_cluster(aws):
    aws.ecs.create_cluster(clusterName="gone")
    aws.ecs.delete_cluster(cluster="gone")
    assert aws.ecs.list_clusters()["clusterArns"] == []
    assert aws.ecs.describe_clusters(clusters=["gone"])["clusters"][0]["status"] == "INACTIVE"
    with pytest.raises(ClientError, match="ClusterNotFoundException"):
        aws.ecs.list_services(cluster="gone")


def test_container_instances(demo):
    arns = demo.ecs.list_container_instances(cluster="demo")["containerInstanceArns"]
    instances = demo.ecs.describe_container_instances(cluster="demo", containerInstances=arns)["containerInstances"]
    first = instances[0]
    resources = {each["name"]: each for each in first["registeredResources"]}
    assert resources["CPU"]["integerValue"] == 2048 and resources["MEMORY"]["integerValue"] == 3953
    assert resources["PORTS"]["stringSetValue"] == ["22", "2375", "2376", "51678", "51679"]
    assert first["agentConnected"] is True and first["versionInfo"]["agentVersion"]
    attributes = {each["name"]: each.get("value") for each in first["attributes"]}
    assert attributes["ecs.instance-type"] == "t2.medium" and attributes["ecs.ami-id"].startswith("ami-")
    zones = {a["value"] for each in instances for a in each["attributes"] if a["name"] == "ecs.availability-zone"}
    assert len(zones) == 2
    demo.autoscaling.set_desired_capacity(AutoScalingGroupName=demo.asg_name, DesiredCapacity=3)
    assert len(demo.ecs.list_container_instances(cluster="demo")["containerInstanceArns"]) == 3
    demo.ecs.deregister_container_instance(cluster="demo", containerInstance=arns[0], force=True)
    assert len(demo.ecs.list_container_instances(cluster="demo")["containerInstanceArns"]) == 2


def test_instances_wait_for_their_cluster(aws):
    aws.instances("late", 1)
    aws.ecs.create_cluster(clusterName="late")
    assert len(aws.ecs.list_container_instances(cluster="late")["containerInstanceArns"]) == 1


def test_run_task(demo):
    answer = demo.ecs.run_task(cluster="demo", taskDefinition="web", count=7, startedBy="me")
    assert len(answer["tasks"]) == 6 and {each["reason"] for each in answer["failures"]} == {"RESOURCE:MEMORY"}
    task = answer["tasks"][0]
    assert task["lastStatus"] == "PENDING" and task["group"] == "family:web"
    assert demo.ecs.describe_tasks(cluster="demo", tasks=[task["taskArn"]])["tasks"][0]["lastStatus"] == "RUNNING"
    ports = [each["containers"][0]["networkBindings"][0]["hostPort"] for each in answer["tasks"]]
    assert sorted(set(ports)) == [32768, 32769, 32770]
    missing = demo.ecs.describe_tasks(cluster="demo", tasks=["0" * 32])
    assert missing["tasks"] == [] and missing["failures"][0]["reason"] == "MISSING"
    with pytest.raises(ClientError, match="Tasks are active|Container Instances are active"):
        demo.ecs.delete_cluster(cluster="demo")
    assert len(demo.ecs.list_tasks(cluster="demo", startedBy="me")["taskArns"]) == 6
    demo.ecs.stop_task(cluster="demo", task=task["taskArn"])
    assert len(demo.ecs.list_tasks(cluster="demo", family="web")["taskArns"]) == 5
    assert demo.ecs.list_tasks(cluster="demo", desiredStatus="STOPPED")["taskArns"] == [task["taskArn"]]


def test_reservation_by_container(demo):
    container = {"name": "web", "image": "web:1", "memory": 3000, "memoryReservation": 625, "cpu": 0}
    demo.ecs.register_task_definition(family="soft", containerDefinitions=[container])
    assert len(demo.ecs.run_task(cluster="demo", taskDefinition="soft", count=10)["tasks"]) == 10
    demo.ecs.register_task_definition(family="big", cpu="4096", memory="128", containerDefinitions=[container])
    failures = demo.ecs.run_task(cluster="demo", taskDefinition="big")["failures"]
    assert {each["reason"] for each in failures} == {"RESOURCE:CPU"}


def test_soft_limit_alone_is_enough_on_ec2(demo):
    container = {"name": "web", "image": "web:1", "memoryReservation": 1900}
    demo.ecs.register_task_definition(family="soft", requiresCompatibilities=["EC2"], containerDefinitions=[container])
    answer = demo.ecs.run_task(cluster="demo", taskDefinition="soft", count=5)
    assert len(answer["tasks"]) == 4 and {each["reason"] for each in answer["failures"]} == {"RESOURCE:MEMORY"}
    with pytest.raises(ClientError, match="memory"):
        container.pop("memoryReservation")
        demo.ecs.register_task_definition(
            family="none", requiresCompatibilities=["EC2"], containerDefinitions=[container]
        )


def test_fixed_port_fits_once_per_instance(demo):
    container = {"name": "web", "image": "web:1", "memory": 64, "portMappings": [{"containerPort": 80, "hostPort": 80}]}
    demo.ecs.register_task_definition(family="fixed", containerDefinitions=[container])
    answer = demo.ecs.run_task(cluster="demo", taskDefinition="fixed", count=3)
    assert len(answer["tasks"]) == 2 and {each["reason"] for each in answer["failures"]} == {"RESOURCE:PORTS"}


def test_run_task_without_instances(aws):
    aws.ecs.create_cluster(clusterName="demo")
    aws.task_definition()
    with pytest.raises(ClientError, match="No Container Instances were found in your cluster."):
        aws.ecs.run_task(cluster="demo", taskDefinition="web")


def test_task_definition_revisions(aws):
    first, second = aws.task_definition(), aws.task_definition()
    aws.ecs.deregister_task_definition(taskDefinition=second)
    assert aws.ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]["taskDefinitionArn"] == first
    aws.ecs.deregister_task_definition(taskDefinition=first)
    with pytest.raises(ClientError, match="Unable to describe task definition"):
        aws.ecs.describe_task_definition(taskDefinition="web")
    aws.ecs.delete_task_definitions(taskDefinitions=[first, second])
    assert aws.task_definition().endswith(":3")


def test_stack_and_its_end(aws):
    data = {"Fn::Base64": {"Fn::Sub": "#!/bin/bash\necho ECS_CLUSTER=${Cluster} >> /etc/ecs/ecs.config"}}
    container = {"Name": "web", "Image": "web:1", "Memory": 256, "PortMappings": [{"ContainerPort": 80, "HostPort": 0}]}
    template_data = {"ImageId": "ami-12c6146b", "InstanceType": "t2.medium", "UserData": data}
    resources = {
        "Cluster": ("AWS::ECS::Cluster", {"ClusterName": "demo"}),
        "Template": ("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": template_data}),
        "Group": (
            "AWS::AutoScaling::AutoScalingGroup",
            {
                "MinSize": "2",
                "MaxSize": "2",
                "VPCZoneIdentifier": aws.subnets(),
                "LaunchTemplate": {
                    "LaunchTemplateId": {"Ref": "Template"},
                    "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]},
                },
            },
        ),
        "Task": ("AWS::ECS::TaskDefinition", {"Family": "web", "ContainerDefinitions": [container]}),
        "Service": (
            "AWS::ECS::Service",
            {"Cluster": {"Ref": "Cluster"}, "ServiceName": "web", "DesiredCount": 2, "TaskDefinition": {"Ref": "Task"}},
        ),
    }
    body = {"Resources": {name: {"Type": kind, "Properties": values} for name, (kind, values) in resources.items()}}
    aws.cloudformation.create_stack(StackName="demo", TemplateBody=json.dumps(body))
    assert aws.until_steady()["runningCount"] == 2
    aws.cloudformation.delete_stack(StackName="demo")
    assert aws.cloudformation.list_stacks()["StackSummaries"][0]["StackStatus"] == "DELETE_COMPLETE"
    assert aws.ecs.list_clusters()["clusterArns"] == []
    assert aws.ecs.list_task_definitions()["taskDefinitionArns"] == []
