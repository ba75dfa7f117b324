# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The history of a service: its service deployments, and how one is stopped."""

import pytest
from botocore.exceptions import ClientError


def create(demo, load_balancers, breaker=None, image=None):
    if image:
        broken(demo, image)
    demo.ecs.create_service(
        cluster="demo", serviceName="web", taskDefinition="web", loadBalancers=load_balancers, desiredCount=2,
        launchType="EC2", deploymentConfiguration={"deploymentCircuitBreaker": breaker or {"enable": False, "rollback": False}},
    )  # fmt: skip


def broken(demo, image="web:crash"):
    container = {
        "name": "web", "image": image, "memoryReservation": 100, "portMappings": [{"containerPort": 9460, "hostPort": 0}],
    }  # fmt: skip
    return demo.task_definition(containerDefinitions=[container])


def history(demo, **options):
    return demo.ecs.list_service_deployments(cluster="demo", service="web", **options)["serviceDeployments"]


def statuses(demo):
    return [each["status"] for each in history(demo)]


def test_each_deployment_is_in_the_history(demo, load_balancers):
    create(demo, load_balancers)
    assert statuses(demo) == ["IN_PROGRESS"]
    demo.until_steady()
    first = history(demo)[0]
    assert first["status"] == "SUCCESSFUL" and first["finishedAt"] and ":service-deployment/demo/web/" in first["serviceDeploymentArn"]
    demo.ecs.update_service(cluster="demo", service="web", desiredCount=1)
    assert len(history(demo)) == 1, "another count is no deployment"
    demo.ecs.update_service(cluster="demo", service="web", forceNewDeployment=True)
    demo.ecs.update_service(cluster="demo", service="web", forceNewDeployment=True)
    assert statuses(demo) == ["IN_PROGRESS", "STOPPED", "SUCCESSFUL"]
    assert [each["status"] for each in history(demo, status=["SUCCESSFUL"])] == ["SUCCESSFUL"]
    page = demo.ecs.list_service_deployments(cluster="demo", service="web", maxResults=2)
    assert len(page["serviceDeployments"]) == 2
    rest = demo.ecs.list_service_deployments(cluster="demo", service="web", maxResults=2, nextToken=page["nextToken"])
    assert [each["status"] for each in rest["serviceDeployments"]] == ["SUCCESSFUL"] and "nextToken" not in rest
    arn = history(demo)[0]["serviceDeploymentArn"]
    answer = demo.ecs.describe_service_deployments(serviceDeploymentArns=[arn, f"{arn}x"])
    described = answer["serviceDeployments"][0]
    assert described["sourceServiceRevisions"][0]["arn"] == first["targetServiceRevisionArn"]
    assert answer["failures"] == [{"arn": f"{arn}x", "reason": "MISSING"}]
    revisions = demo.ecs.describe_service_revisions(serviceRevisionArns=[first["targetServiceRevisionArn"]])
    assert revisions["serviceRevisions"][0]["taskDefinition"].endswith("/web:1")


def test_a_deployment_is_stopped_and_rolled_back(demo, load_balancers):
    create(demo, load_balancers)
    demo.until_steady()
    demo.ecs.update_service(cluster="demo", service="web", taskDefinition=demo.task_definition())
    arn = history(demo)[0]["serviceDeploymentArn"]
    assert demo.ecs.stop_service_deployment(serviceDeploymentArn=arn)["serviceDeploymentArn"] == arn
    demo.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")  # it continues
    assert demo.service()["taskDefinition"].endswith("/web:1")
    demo.until_steady()
    assert statuses(demo) == ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL"], "a roll-back is no deployment of its own"
    described = demo.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]
    assert described["rollback"]["serviceRevisionArn"] == history(demo)[1]["targetServiceRevisionArn"]
    assert len(demo.service()["deployments"]) == 1 and demo.service()["runningCount"] == 2
    with pytest.raises(ClientError, match="ConflictException"):
        demo.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    with pytest.raises(ClientError, match="ServiceDeploymentNotFoundException"):
        demo.ecs.stop_service_deployment(serviceDeploymentArn=f"{arn}x")


def test_the_first_deployment_has_nothing_to_go_back_to(demo, load_balancers):
    create(demo, load_balancers)
    with pytest.raises(ClientError, match="ConflictException"):
        demo.ecs.stop_service_deployment(serviceDeploymentArn=history(demo)[0]["serviceDeploymentArn"])
    assert statuses(demo) == ["IN_PROGRESS"]


@pytest.mark.parametrize("rollback, status", [(True, "ROLLBACK_SUCCESSFUL"), (False, "STOPPED")])
def test_the_circuit_breaker_is_in_the_history(demo, load_balancers, rollback, status):
    create(demo, load_balancers, {"enable": True, "rollback": rollback})
    demo.until_steady()
    demo.ecs.update_service(cluster="demo", service="web", taskDefinition=broken(demo))
    for _ in range(15):
        demo.service()
    assert statuses(demo) == [status, "SUCCESSFUL"]
    assert "circuit breaker" in history(demo)[0]["statusReason"]


def test_the_history_goes_with_the_service(demo, load_balancers):
    create(demo, load_balancers)
    demo.ecs.delete_service(cluster="demo", service="web", force=True)
    for _ in range(6):
        demo.service()
    with pytest.raises(ClientError, match="ServiceNotFoundException"):
        history(demo)
