# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose image a service runs: that of its tag, or the one that a pipeline deployed."""

import copy
import json

import pytest
from modules.aws_calls import operations, recorded
from modules.harness import Failed, run
from modules.test_ecs_service import CLUSTER, FAMILY, OPTIONS, OWNER, account, register  # noqa: F401 - a fixture

HOST = "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com"
URI = f"{HOST}/petclinic-rest"
NAME = OPTIONS["name"]
FOLLOW = {**OPTIONS, "follow_tag": True, "registry_uri": URI}
LOOKS = {"DescribeServiceRevisions", "BatchGetImage"}


@pytest.fixture
def ecs(aws, account):  # noqa: F811
    return aws("ecs")


@pytest.fixture
def push(aws, account):  # noqa: F811
    """Return a function that puts an image into the registry and returns its digest."""
    ecr = aws("ecr")
    ecr.create_repository(repositoryName="petclinic-rest")

    def push(content, tag="latest"):
        kind = "application/vnd.docker.image.rootfs.diff.tar.gzip"
        layer = {"mediaType": kind, "size": 1, "digest": f"sha256:{content}"}
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        manifest = {"schemaVersion": 2, "mediaType": kind, "config": {**layer}, "layers": [layer]}
        made = ecr.put_image(repositoryName="petclinic-rest", imageManifest=json.dumps(manifest), imageTag=tag)
        return made["image"]["imageId"]["imageDigest"]

    return push


def deployment(ecs):
    (service,) = ecs.describe_services(cluster=CLUSTER, services=[NAME])["services"]
    return service["deployments"][0]["id"]


def test_only_another_digest_is_a_new_deployment(aws, ecs, push):
    register(aws, image=f"{URI}:latest")
    old = push("1")
    run("ecs_service", **FOLLOW)
    with recorded() as calls:
        again = run("ecs_service", **FOLLOW)
    assert not again["changed"] and again["service"]["image_digests"] == {"petclinic-rest-app": old}
    assert sorted(c for c in operations(calls) if c in LOOKS) == ["BatchGetImage", "DescribeServiceRevisions"]
    before = deployment(ecs)

    new = push("2")
    checked = run("ecs_service", check=True, **FOLLOW)
    assert checked["changed"] and deployment(ecs) == before
    assert checked["diff"]["before"]["image_digests"] == {"petclinic-rest-app": old}
    assert checked["diff"]["after"]["image_digests"] == {"petclinic-rest-app": new}
    assert not run("ecs_service", **{**FOLLOW, "follow_tag": False})["changed"]
    assert run("ecs_service", **FOLLOW)["changed"] and deployment(ecs) != before
    assert not run("ecs_service", **FOLLOW)["changed"]
    # Back to the image of before is another digest as well.
    push("1")
    assert run("ecs_service", **FOLLOW)["changed"]
    assert not run("ecs_service", check=True, **FOLLOW)["changed"]


@pytest.mark.parametrize("asked", ["keep", "keep_image"])
def test_who_keeps_the_image_follows_no_tag(aws, ecs, push, asked):
    register(aws, image=f"{URI}:latest")
    push("1")
    run("ecs_service", **FOLLOW)
    push("2")
    with recorded() as calls:
        assert not run("ecs_service", **{**FOLLOW, "task_definition": asked})["changed"]
    assert not LOOKS & set(operations(calls))
    # A revision that somebody chose still means what its tag names.
    assert run("ecs_service", check=True, **{**FOLLOW, "task_definition": f"{FAMILY}:2"})["changed"]


def test_an_image_by_its_digest_costs_no_call(aws, ecs, push):
    register(aws, image=f"{URI}@{push('1')}")
    run("ecs_service", **FOLLOW)
    push("2")
    with recorded() as calls:
        assert not run("ecs_service", **FOLLOW)["changed"]
    assert not LOOKS & set(operations(calls))


@pytest.mark.parametrize("image", ["nginx:1", f"999999999999{HOST[12:]}/petclinic-rest:latest"])
def test_another_registry_is_not_asked(aws, ecs, push, image):
    register(aws, image=image)
    run("ecs_service", **FOLLOW)
    with recorded() as calls:
        assert not run("ecs_service", **FOLLOW)["changed"]
    assert not LOOKS & set(operations(calls))


def test_without_a_digest_nothing_is_done(aws, ecs, push):
    register(aws, image=f"{URI}:latest")
    run("ecs_service", **FOLLOW)  # nothing was pushed yet, so ECS resolved nothing
    push("1")
    with recorded() as calls:
        assert not run("ecs_service", **FOLLOW)["changed"]
    assert LOOKS & set(operations(calls)) == {"DescribeServiceRevisions"}


def test_services_from_before_there_were_revisions(aws, ecs, push):
    register(aws, image=f"{URI}:latest")
    push("1")
    run("ecs_service", **FOLLOW)
    push("2")

    def without(real, _parameters):
        answer = real()
        for service in answer["services"]:
            del service["currentServiceRevisions"]
        return answer

    with recorded(DescribeServices=without):
        assert not run("ecs_service", **FOLLOW)["changed"]


@pytest.mark.parametrize("gone", ["image", "repository"])
def test_a_tag_that_is_gone_is_known_after_apply_where_an_image_comes(aws, ecs, push, gone):
    register(aws, image=f"{URI}:latest")
    push("1")
    run("ecs_service", **FOLLOW)
    if gone == "image":
        aws("ecr").batch_delete_image(repositoryName="petclinic-rest", imageIds=[{"imageTag": "latest"}])
    else:
        aws("ecr").delete_repository(repositoryName="petclinic-rest", force=True)
    assert not run("ecs_service", check=True, **FOLLOW)["changed"]
    assert not run("ecs_service", **FOLLOW, image_changes=True)["changed"]
    checked = run("ecs_service", check=True, **FOLLOW, image_changes=True)
    assert checked["diff"]["after"]["image_digests"] == {"petclinic-rest-app": "(known after apply)"}


def test_a_lost_reply_makes_no_second_deployment(aws, ecs, push):
    register(aws, image=f"{URI}:latest")
    push("1")
    run("ecs_service", **FOLLOW)
    push("2")

    def lost(real, _parameters):
        real()
        raise ConnectionError("lost")

    with recorded(UpdateService=lost), pytest.raises(Exception, match="lost"):
        run("ecs_service", **FOLLOW)
    assert not run("ecs_service", **FOLLOW)["changed"]


# --- a pipeline owns the image ---------------------------------------------------------------------------------------

TASK = {
    "family": FAMILY,
    "cpu": "512",
    "memory": "1024",
    "containers": [
        {
            "name": "petclinic-rest-app",
            "image": f"{URI}:latest",
            "memory_reservation": 625,
            "port_mappings": [{"container_port": 9460, "host_port": 0}],
        }
    ],
    "owner": OWNER,
    "image_of_service": {"service": NAME, "cluster": CLUSTER, "container": "petclinic-rest-app"},
}
KEEP = {**OPTIONS, "task_definition": "keep_image"}


def both(check=False, **task):
    """Run both modules as the roles do; return whether each changed something, and the service's revision."""
    registered = run("ecs_task_definition", check=check, **{**TASK, **task})
    already = check and registered["runs_already"]
    keep = {**KEEP, "task_definition": "keep"} if already else KEEP
    kept = run("ecs_service", check=check, **keep, task_definition_changes=check and registered["changed"] and not already)
    return registered["changed"], kept["changed"], kept["service"]["task_definition"].rpartition(":")[2]


def pipeline(ecs, image, deploy=True, tags=True):
    """What CodePipeline's ECS action does: the service's revision with another image, then the service."""
    (service,) = ecs.describe_services(cluster=CLUSTER, services=[NAME])["services"]
    found = ecs.describe_task_definition(taskDefinition=service["taskDefinition"], include=["TAGS"])
    definition = copy.deepcopy(found["taskDefinition"])
    definition["containerDefinitions"][0]["image"] = image
    request = {k: definition[k] for k in ("family", "cpu", "memory", "networkMode", "containerDefinitions")}
    if tags:
        request["tags"] = found["tags"]
    made = ecs.register_task_definition(**request, requiresCompatibilities=["EC2"])["taskDefinition"]
    if deploy:
        ecs.update_service(cluster=CLUSTER, service=NAME, taskDefinition=made["taskDefinitionArn"])
    return made["revision"]


def revisions(ecs):
    return [a.rpartition(":")[2] for a in ecs.list_task_definitions(familyPrefix=FAMILY)["taskDefinitionArns"]]


def image_of_service(ecs):
    (service,) = ecs.describe_services(cluster=CLUSTER, services=[NAME])["services"]
    found = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    return found["containerDefinitions"][0]["image"]


@pytest.fixture
def first(ecs):
    """The first run: no service yet, so the newest revision. `account` has registered one that isn't ours."""
    ecs.deregister_task_definition(taskDefinition=f"{FAMILY}:1")
    assert both(check=True)[:2] == (True, True)
    assert both() == (True, True, "2")


def test_the_first_run_and_the_next(first, ecs):
    assert both() == (False, False, "2") and both(check=True) == (False, False, "2")
    assert image_of_service(ecs) == f"{URI}:latest"


@pytest.mark.parametrize("tags", [True, False])
def test_what_a_pipeline_deployed_stays(first, ecs, tags):
    assert pipeline(ecs, f"{URI}:abc", tags=tags) == 3
    # A revision without our tags gets them, once: teardown deletes what carries them.
    assert both() == (not tags, False, "3")
    assert both() == (False, False, "3") and revisions(ecs) == ["2", "3"]
    assert image_of_service(ecs) == f"{URI}:abc"


def test_a_change_of_ours_takes_the_pipelines_image_along(first, ecs):
    pipeline(ecs, f"{URI}:abc")
    checked = run("ecs_task_definition", check=True, **{**TASK, "cpu": "1024"})
    assert checked["changed"] and checked["diff"]["after"]["cpu"] == "1024"
    assert checked["diff"]["after"]["containers"]["petclinic-rest-app"]["image"] == f"{URI}:abc"
    assert revisions(ecs) == ["2", "3"]
    assert both(cpu="1024") == (True, True, "4")
    assert image_of_service(ecs) == f"{URI}:abc"
    assert both(cpu="1024") == (False, False, "4") and both(cpu="1024", check=True) == (False, False, "4")


def test_a_bad_revision_of_the_pipeline_that_was_rolled_back_is_left_alone(first, ecs):
    pipeline(ecs, f"{URI}:good")
    pipeline(ecs, f"{URI}:bad")
    ecs.update_service(cluster=CLUSTER, service=NAME, taskDefinition=f"{FAMILY}:3")
    assert both() == (False, False, "3") and both(check=True) == (False, False, "3")
    # Nor does a revision that it has registered, but not deployed yet.
    pipeline(ecs, f"{URI}:coming", deploy=False)
    assert both() == (False, False, "3") and image_of_service(ecs) == f"{URI}:good"
    # The next change of ours is made from what runs.
    assert both(memory="2048") == (True, True, "6") and image_of_service(ecs) == f"{URI}:good"


def test_a_bad_revision_under_the_same_image_brings_nothing_new(first, ecs):
    pipeline(ecs, f"{URI}:latest", deploy=False)
    assert both() == (False, False, "2")


def test_our_own_revision_is_not_registered_again_where_its_deployment_failed(first, ecs):
    assert both(cpu="1024") == (True, True, "3")
    ecs.update_service(cluster=CLUSTER, service=NAME, taskDefinition=f"{FAMILY}:2")  # rolled back
    assert both(cpu="1024") == (False, True, "3") and revisions(ecs) == ["2", "3"]


def test_a_revision_that_failed_and_was_taken_back_in_the_inventory_is_not_deployed_again(first, ecs):
    assert both(cpu="1024") == (True, True, "3")
    ecs.update_service(cluster=CLUSTER, service=NAME, taskDefinition=f"{FAMILY}:2")  # rolled back
    # The newest one is as what runs again, so nothing is deployed.
    assert both(check=True) == (True, False, "2")
    assert both() == (True, False, "2")
    assert both() == (False, False, "2") and both(check=True) == (False, False, "2")


def test_a_foreign_service_gives_no_image(first, aws, ecs):
    ecs.create_service(cluster=CLUSTER, serviceName="theirs", taskDefinition=FAMILY, desiredCount=0)
    with pytest.raises(Failed, match="service 'theirs'.*not ours.*not taken over"):
        run("ecs_task_definition", **{**TASK, "image_of_service": {**TASK["image_of_service"], "service": "theirs"}})
    assert revisions(ecs) == ["2"]


@pytest.mark.parametrize("place", [{"cluster": "none"}, {"service": "none"}])
def test_without_such_a_service_the_image_is_the_inventorys(first, ecs, place):
    pipeline(ecs, f"{URI}:abc")
    options = {**TASK, "image_of_service": {**TASK["image_of_service"], **place}}
    assert run("ecs_task_definition", **options)["changed"]
    newest = ecs.describe_task_definition(taskDefinition=FAMILY)["taskDefinition"]
    assert newest["containerDefinitions"][0]["image"] == f"{URI}:latest"


def test_a_service_of_another_family_gives_its_image_only(first, ecs):
    pipeline(ecs, f"{URI}:abc")
    options = {**TASK, "family": "another"}
    made = run("ecs_task_definition", **options)
    assert made["changed"] and made["task_definition"]["containers"]["petclinic-rest-app"]["image"] == f"{URI}:abc"
    assert not run("ecs_task_definition", **options)["changed"]
    moved = run("ecs_service", **{**KEEP, "family": "another"})
    assert moved["changed"] and moved["service"]["task_definition"] == "another:1"


def test_the_calls_of_an_unchanged_run(first, ecs):
    pipeline(ecs, f"{URI}:abc")
    run("ecs_service", **KEEP)
    with recorded() as calls:
        assert not run("ecs_task_definition", **TASK)["changed"]
    assert operations(calls) == ["DescribeServices", "DescribeTaskDefinition", "DescribeTaskDefinition"]
    with recorded() as calls:
        assert not run("ecs_service", **KEEP)["changed"]
    assert operations(calls).count("DescribeTaskDefinition") == 1


def test_absent_asks_for_no_service(first, ecs):
    run("ecs_service", **KEEP, state="absent")
    with recorded() as calls:
        assert run("ecs_task_definition", **TASK, state="absent")["changed"]
    assert "DescribeServices" not in operations(calls)
