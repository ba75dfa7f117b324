# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import IMAGE, Failed, run

CLUSTER, SERVICE, FAMILY = "petclinic-rest-cluster", "petclinic-rest-service", "petclinic-rest-task"
OWNER = {"handson:cluster": CLUSTER, "handson:service": SERVICE}
OPTIONS = {"name": SERVICE, "cluster": CLUSTER, "owner": OWNER, "wait_interval": 0.01, "wait_timeout": 30}
REPOSITORY = "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest"
READS = ["DescribeServices", "ListServiceDeployments", "DescribeServiceRevisions"]


class Site:
    """A service, and what people do to it."""

    def __init__(self, aws):
        self.ecs, self.ecr = aws("ecs"), aws("ecr")

    def register(self, image="petclinic", **options):
        container = {"name": "app", "image": image, "memoryReservation": 100, "environment": [{"name": "A", "value": "b"}]}
        return self.ecs.register_task_definition(
            family=FAMILY, containerDefinitions=[container], tags=[{"key": "handson:service", "value": SERVICE}], **options
        )["taskDefinition"]["taskDefinitionArn"]

    def push(self, number):
        manifest = {
            "schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": number, "digest": f"sha256:{number:064}"},
            "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 1, "digest": f"sha256:{number:064}"}],
        }  # fmt: skip
        pushed = self.ecr.put_image(repositoryName="petclinic-rest", imageManifest=json.dumps(manifest), imageTag="latest")
        return pushed["image"]["imageId"]["imageDigest"]

    def update(self, steady=True, **options):
        self.ecs.update_service(cluster=CLUSTER, service=SERVICE, **options)
        return self.steady() if steady else self.read()

    def read(self):
        return self.ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]

    def steady(self):
        for _ in range(20):
            service = self.read()
            if len(service["deployments"]) == 1 and service["deployments"][0]["rolloutState"] == "COMPLETED":
                return service
        raise AssertionError(service["events"])

    @property
    def revision(self):
        return self.read()["taskDefinition"].rsplit("/", 1)[-1]


@pytest.fixture
def site(aws, default_subnets):
    """A steady service without a load balancer, of the task definition's first revision."""
    site = Site(aws)
    site.register()
    site.ecs.create_cluster(clusterName=CLUSTER)
    aws("ec2").run_instances(
        ImageId=IMAGE, InstanceType="t2.medium", MinCount=2, MaxCount=2, SubnetId=default_subnets[0],
        UserData=f"#!/bin/bash\necho ECS_CLUSTER={CLUSTER} >> /etc/ecs/ecs.config\n",
    )  # fmt: skip
    site.ecs.create_service(
        cluster=CLUSTER, serviceName=SERVICE, taskDefinition=FAMILY, desiredCount=2, launchType="EC2",
        tags=[{"key": k, "value": v} for k, v in OWNER.items()],
    )  # fmt: skip
    site.steady()
    return site


def test_the_one_before_comes_back_once(site, tmp_path):
    site.update(taskDefinition=site.register("petclinic:2"))
    with recorded() as calls:
        checked = run("ecs_service_rollback", check=True, **OPTIONS)
    assert checked["changed"] and checked["rollback"] == {"from": f"{FAMILY}:2", "to": f"{FAMILY}:1", "by": "UpdateService"}
    assert operations(calls) == [*READS, "DescribeTaskDefinition"] and site.revision == f"{FAMILY}:2"
    progress = tmp_path / "progress"
    result = run("ecs_service_rollback", **OPTIONS, progress_file=str(progress))
    assert result["changed"] and result["rollback"] == checked["rollback"] and site.revision == f"{FAMILY}:1"
    assert "has reached a steady state" in result["events"][-1]
    assert f"goes from {FAMILY}:2 to {FAMILY}:1" in progress.read_text()
    for check in (True, False):
        with recorded() as calls:
            again = run("ecs_service_rollback", check=check, **OPTIONS)
        assert not again["changed"] and operations(calls) == READS, "a second one would undo the first"
    assert site.revision == f"{FAMILY}:1"


def test_a_deployment_under_way_is_stopped(site):
    site.update(steady=False, taskDefinition=site.register("petclinic:crash"))
    checked = run("ecs_service_rollback", check=True, **OPTIONS)
    assert checked["changed"] and checked["rollback"] == {"from": f"{FAMILY}:2", "to": f"{FAMILY}:1", "by": "StopServiceDeployment"}
    assert site.revision == f"{FAMILY}:2"
    result = run("ecs_service_rollback", **OPTIONS)
    assert result["changed"] and result["rollback"] == checked["rollback"]
    service = site.read()
    assert service["runningCount"] == 2 and len(service["deployments"]) == 1 and site.revision == f"{FAMILY}:1"
    assert any("rolling back to deployment" in e for e in result["events"])
    assert not run("ecs_service_rollback", **OPTIONS)["changed"]


def test_a_forced_deployment_under_way_is_stopped(site):
    site.update(steady=False, forceNewDeployment=True)
    result = run("ecs_service_rollback", **OPTIONS)
    assert result["changed"] and result["rollback"]["by"] == "StopServiceDeployment"
    assert len(site.steady()["deployments"]) == 1


def test_ecs_rolls_back_already(site):
    site.update(steady=False, taskDefinition=site.register("petclinic:2"))
    arn = site.ecs.list_service_deployments(cluster=CLUSTER, service=SERVICE)["serviceDeployments"][0]["serviceDeploymentArn"]
    site.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    with recorded() as calls:
        result = run("ecs_service_rollback", **OPTIONS)
    assert not result["changed"] and "StopServiceDeployment" not in operations(calls) and site.revision == f"{FAMILY}:1"
    site.steady()


def test_what_the_circuit_breaker_gave_up_without_a_roll_back(site):
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
    site.update(steady=False, taskDefinition=site.register("petclinic:crash"), deploymentConfiguration=breaker)
    for _ in range(12):
        site.read()
    assert site.read()["deployments"][0]["rolloutState"] == "FAILED"
    result = run("ecs_service_rollback", **OPTIONS)
    assert result["rollback"] == {"from": f"{FAMILY}:2", "to": f"{FAMILY}:1", "by": "UpdateService"}
    assert site.steady()["runningCount"] == 2


def test_nothing_to_go_back_to(site):
    for check in (True, False):
        with pytest.raises(Failed, match=r"nothing to roll the service.*90 days.*service_rollback_to"):
            run("ecs_service_rollback", check=check, **OPTIONS)
    site.update(forceNewDeployment=True)
    with pytest.raises(Failed, match="nothing to roll the service"):
        run("ecs_service_rollback", **OPTIONS)


def test_no_service_and_no_cluster(site, aws):
    with pytest.raises(Failed, match=r"no service named 'other'.*service\.yml"):
        run("ecs_service_rollback", **{**OPTIONS, "name": "other"})
    with pytest.raises(Failed, match=r"no service named"):
        run("ecs_service_rollback", **{**OPTIONS, "cluster": "other"})


def test_a_foreign_service_is_untouched(site):
    site.update(taskDefinition=site.register("petclinic:2"))
    with pytest.raises(Failed, match="not ours"):
        run("ecs_service_rollback", **{**OPTIONS, "owner": {"handson:service": "other"}})
    assert site.revision == f"{FAMILY}:2"


def test_a_revision_is_asked_for(site):
    for number in "234":
        site.update(taskDefinition=site.register(f"petclinic:{number}"))
    assert run("ecs_service_rollback", check=True, **OPTIONS, to="2")["rollback"]["to"] == f"{FAMILY}:2"
    assert run("ecs_service_rollback", **OPTIONS, to="2")["changed"] and site.revision == f"{FAMILY}:2"
    with recorded() as calls:
        again = run("ecs_service_rollback", **OPTIONS, to=f"{FAMILY}:2")
    assert not again["changed"] and operations(calls) == READS
    assert run("ecs_service_rollback", **OPTIONS, to=f"{FAMILY}:4")["changed"] and site.revision == f"{FAMILY}:4"


@pytest.mark.parametrize("to, said", [("9", "no task definition .*:9"), ("other:1", "no revision of"), ("latest", "no revision of")])
def test_a_revision_that_is_none(site, to, said):
    for check in (True, False):
        with pytest.raises(Failed, match=said):
            run("ecs_service_rollback", check=check, **OPTIONS, to=to)


def test_a_deregistered_revision_is_refused(site):
    site.update(taskDefinition=site.register("petclinic:2"))
    site.ecs.deregister_task_definition(taskDefinition=f"{FAMILY}:1")
    with pytest.raises(Failed, match=r":1 is deregistered.*list-task-definitions"):
        run("ecs_service_rollback", **OPTIONS)


def test_a_tag_that_moved_on(site):
    """Tutorial section 4.8: the same task definition, another image under `latest`."""
    site.ecr.create_repository(repositoryName="petclinic-rest")
    old = site.push(1)
    site.update(taskDefinition=site.register(f"{REPOSITORY}:latest"))
    new = site.push(2)
    site.update(forceNewDeployment=True)
    with pytest.raises(Failed, match=f"was {old} and is {new} now.*-e service_rollback_to_digest={old}"):
        run("ecs_service_rollback", **OPTIONS)
    checked = run("ecs_service_rollback", check=True, **OPTIONS, digest=old)
    assert checked["changed"] and checked["rollback"]["image"] == f"{REPOSITORY}@{old}" and site.revision == f"{FAMILY}:2"
    result = run("ecs_service_rollback", **OPTIONS, digest=old)
    assert result["changed"] and result["rollback"]["to"] == f"{FAMILY}:3" == site.revision
    found = site.ecs.describe_task_definition(taskDefinition=f"{FAMILY}:3", include=["TAGS"])
    container = found["taskDefinition"]["containerDefinitions"][0]
    assert container["image"] == f"{REPOSITORY}@{old}" and container["environment"] == [{"name": "A", "value": "b"}]
    assert {t["key"]: t["value"] for t in found["tags"]} == OWNER
    assert not run("ecs_service_rollback", **OPTIONS, digest=old)["changed"]
    assert not run("ecs_service_rollback", **OPTIONS)["changed"], "it is back, so the next one is no step forward"
    assert site.revision == f"{FAMILY}:3"


def test_while_the_new_image_rolls_out_the_old_one_is_still_known(site):
    site.ecr.create_repository(repositoryName="petclinic-rest")
    old = site.push(1)
    site.update(taskDefinition=site.register(f"{REPOSITORY}:latest"))
    site.push(2)
    site.update(steady=False, forceNewDeployment=True)
    assert run("ecs_service_rollback", **OPTIONS)["rollback"]["by"] == "StopServiceDeployment"
    tasks = site.ecs.list_tasks(cluster=CLUSTER, serviceName=SERVICE)["taskArns"]
    assert len(tasks) == 2
    arn = site.read()["currentServiceRevisions"][0]["arn"]
    images = site.ecs.describe_service_revisions(serviceRevisionArns=[arn])["serviceRevisions"][0]["containerImages"]
    assert images[0]["imageDigest"] == old


def test_another_revision_whose_tag_moved_on_is_warned_of(site):
    site.ecr.create_repository(repositoryName="petclinic-rest")
    old = site.push(1)
    site.update(taskDefinition=site.register(f"{REPOSITORY}:latest"))
    site.push(2)
    site.update(taskDefinition=site.register(f"{REPOSITORY}:latest", cpu="256"))
    result = run("ecs_service_rollback", **OPTIONS)
    assert result["rollback"]["to"] == f"{FAMILY}:2"
    assert any(f"service_rollback_to_digest={old}" in str(w) for w in result["warnings"])


@pytest.mark.parametrize("digest", ["latest", "sha256:abc"])
def test_a_digest_that_is_none(site, digest):
    with pytest.raises(Failed, match="is no digest"):
        run("ecs_service_rollback", **OPTIONS, digest=digest)


def test_which_container(site):
    with pytest.raises(Failed, match="container says 'sidecar'"):
        run("ecs_service_rollback", **OPTIONS, digest=f"sha256:{1:064}", container="sidecar")


def test_a_deployment_that_ended_meanwhile(site):
    site.update(steady=False, taskDefinition=site.register("petclinic:2"))

    def conflict(_real, _parameters):
        raise error("ConflictException", "It is over.")

    with recorded(StopServiceDeployment=conflict), pytest.raises(Failed, match=r"It is over\. It may have ended.*run again"):
        run("ecs_service_rollback", **OPTIONS)


def test_a_roll_back_that_does_not_come_to_its_end(site):
    site.update(steady=False, taskDefinition=site.register("petclinic:2"))
    with pytest.raises(Failed, match=r"not done after 0 s \(service_wait_timeout\).*service_rollback_to"):
        run("ecs_service_rollback", **{**OPTIONS, "wait_timeout": 0})
    site.steady()


def test_a_roll_back_that_fails(site):
    site.update(steady=False, taskDefinition=site.register("petclinic:2"))

    def failed(real, _parameters):
        answer = real()
        answer["serviceDeployments"][0].update(status="ROLLBACK_FAILED", statusReason="tasks failed to start")
        return answer

    with recorded(DescribeServiceDeployments=failed), pytest.raises(Failed, match="ended as ROLLBACK_FAILED: tasks failed to start"):
        run("ecs_service_rollback", **OPTIONS)
