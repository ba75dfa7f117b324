# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job: from empty to the tutorial's service, again without a change, and back to empty."""

import json
import urllib.parse

from account import inventory, service
from site_names import CLUSTER, SERVICE

#: How often a run that has nothing to do may ask.
CALLS = 130


def test_from_empty_to_the_tutorial_and_back(site):
    """One pass over everything, since each step stands on the one before."""
    checked = site.play("site.yml", "--check", "--diff")
    assert site.calls_since(0)["mutating"] == 0, "check mode wrote"
    assert inventory(site.aws) == []

    first = site.play("site.yml")
    assert "What exists now" in first.text and "has reached a steady state" in first.text
    assert "Take it away: ansible-playbook teardown.yml" in first.text, "the inventory of ansible.cfg need not be named"
    assert checked.things == first.things, "check did not foresee what apply made"
    assert "facts hold" in site.read_back("molecule/site/verify.py"), "sections 4.1 to 7.2, each name and number"
    least_privilege(site.aws)

    start = site.calls()
    second = site.play("site.yml")
    assert second.changed == 0, second.things
    calls = site.calls_since(start)
    assert calls["mutating"] == 0 and calls["calls"] <= CALLS, calls

    the_service_is_updated_and_the_task_run(site)

    # Whoever scales owns the counts, and whoever deploys the image. A check and a run leave them alone.
    theirs, start = a_scaler_and_a_pipeline_were_here(site), site.calls()
    assert theirs == (6, 6, 3, 2, "5f3c0c1")
    for arguments in (["--check", "--diff"], []):
        run = site.play("site.yml", *arguments)
        assert run.changed == 0, run.changes
    assert site.calls_since(start)["mutating"] == 0 and what_they_set(site) == theirs

    start = site.calls()
    for arguments in (["--check"], []):
        alone = site.play("teardown.yml", *arguments, "--limit", CLUSTER, "-e", "teardown_confirm=true", fails=not arguments)
        assert f"still has the services {SERVICE}" in alone.text
    assert site.calls_since(start)["mutating"] == 0, "a cluster with services lost something"

    teardown_in_check = site.play("teardown.yml", "--check", "-e", "teardown_confirm=true")
    before = inventory(site.aws)
    assert teardown_in_check.changed and before, "check mode tore down"
    down = site.play("teardown.yml", "-e", "teardown_confirm=true")
    assert inventory(site.aws) == []
    assert "Nothing of ours is left" in down.text and "AWSServiceRoleForECS" in down.text
    assert not (site.state / "keys/petclinic.pem").exists()
    start = site.calls()
    again = site.play("teardown.yml", "-e", "teardown_confirm=true")
    assert again.changed == 0 and site.calls_since(start)["mutating"] == 0


def a_scaler_and_a_pipeline_were_here(site):
    """Six tasks, and an image that somebody pushed: what a re-run must leave alone. Returns both."""
    ecs, names = site.aws("ecs"), {"cluster": CLUSTER, "service": SERVICE}
    used = ecs.describe_task_definition(taskDefinition="petclinic-rest-task", include=["TAGS"])
    revision = {k: used["taskDefinition"][k] for k in ("family", "networkMode", "cpu", "containerDefinitions", "executionRoleArn")}
    (container,) = revision["containerDefinitions"]
    container["image"] = container["image"].replace(":latest", ":5f3c0c1")
    made = ecs.register_task_definition(**revision, requiresCompatibilities=["EC2"], tags=used["tags"])
    group = {"AutoScalingGroupName": "petclinic-rest-ecs-instances", "DesiredCapacity": 3}
    site.aws("autoscaling").set_desired_capacity(**group)
    ecs.update_service(**names, taskDefinition=made["taskDefinition"]["taskDefinitionArn"], desiredCount=6)
    for _ in range(30):
        found = service(site.aws)
        if found["runningCount"] == 6 and len(found["deployments"]) == 1:
            break
    return what_they_set(site)


def what_they_set(site):
    found, (group,) = service(site.aws), site.aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    used = site.aws("ecs").describe_task_definition(taskDefinition=found["taskDefinition"])["taskDefinition"]
    counts = (found["desiredCount"], found["runningCount"], group["DesiredCapacity"])
    return (*counts, used["revision"], used["containerDefinitions"][0]["image"].rsplit(":", 1)[-1])


def least_privilege(aws):
    """No policy of ours allows every action, and every resource only for calls that know none."""
    iam, of_all = aws("iam"), {"ecr:GetAuthorizationToken", "ecs:DescribeTaskDefinition", "ecs:ListTasks"}
    looked_at = []
    for role in (r["RoleName"] for r in iam.list_roles()["Roles"] if not r["Path"].startswith("/aws-service-role/")):
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            document = json.loads(urllib.parse.unquote(document)) if isinstance(document, str) else document
            looked_at.append(f"{role}: {name}")
            for statement in document["Statement"]:
                actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
                assert not [a for a in actions if "*" in a], (role, statement)
                assert "*" not in statement["Resource"] or set(actions) <= of_all, (role, statement)
    assert sorted(looked_at) == [
        "petclinic-rest-build-role: build",
        "petclinic-rest-build-role: codebuild-ecr-policy",
        "petclinic-rest-codepipeline-role: build-and-deploy",
        "petclinic-rest-task-execution-role: start-tasks",
    ]


def the_service_is_updated_and_the_task_run(site):
    """Section 4.8: a new deployment of the same revision. Section 4.6: the task, run twice."""
    before = set(site.aws("ecs").list_tasks(cluster=CLUSTER, serviceName=SERVICE)["taskArns"])
    run = site.play("playbooks/update.yml", "playbooks/run_task.yml")
    for event in ("has started 2 tasks", "registered 2 targets", "has begun draining", "has stopped 2", "steady state"):
        assert event in run.text, event
    after = set(site.aws("ecs").list_tasks(cluster=CLUSTER, serviceName=SERVICE)["taskArns"])
    assert len(after) == 2 and not before & after
    assert service(site.aws)["taskDefinition"].endswith(":1")
    assert len(site.aws("ecs").list_tasks(cluster=CLUSTER, startedBy="handson.ecs")["taskArns"]) == 2


def test_a_profile_of_a_real_account_does_not_matter(site):
    """Engineers export AWS_PROFILE; the embedded endpoint is nobody's account and needs none, here or in a fork."""
    for profile in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        run = site.play("playbooks/image.yml", **{profile: "production"})
        assert not run.messages
    assert inventory(site.aws) == ["repository petclinic-rest"]
