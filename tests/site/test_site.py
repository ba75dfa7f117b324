# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job: from empty to the tutorial's service, again without a change, and back to empty."""

import json
import urllib.parse

from account import inventory, listener, load_balancer, security_group, service, target_group
from site_names import CLUSTER, SERVICE


def test_from_empty_to_the_tutorial_and_back(site):
    """One pass over everything, since each step stands on the one before."""
    checked = site.play("site.yml", "--check", "--diff")
    assert site.calls_since(0)["mutating"] == 0, "check mode wrote"
    assert inventory(site.aws) == []

    first = site.play("site.yml")
    assert "What exists now" in first.text and "has reached a steady state" in first.text
    assert checked.things == first.things, "check did not foresee what apply made"
    the_tutorial_is_there(site.aws)

    start = site.calls()
    second = site.play("site.yml")
    assert second.changed == 0, second.things
    calls = site.calls_since(start)
    assert calls["mutating"] == 0 and calls["calls"] <= 70, calls
    assert site.play("site.yml", "--check", "--diff").changed == 0
    the_service_is_updated_and_the_task_run(site)

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


def the_tutorial_is_there(aws):
    """Sections 4.1 to 4.8 of ecs-hands-on.ko.md, each name and number."""
    # 4.1, 4.2
    repository = aws("ecr").describe_repositories(repositoryNames=["petclinic-rest"])["repositories"][0]
    assert repository["imageScanningConfiguration"]["scanOnPush"]
    assert repository["encryptionConfiguration"]["encryptionType"] == "AES256"
    # 4.3
    balancer_group = security_group(aws, "petclinic-rest-alb-sg")
    assert [(p["FromPort"], p["ToPort"], [r["CidrIp"] for r in p["IpRanges"]]) for p in balancer_group["IpPermissions"]] == [
        (80, 80, ["0.0.0.0/0"])
    ]
    instance_group = security_group(aws, "petclinic-rest-ecs-instance-sg")
    permissions = {p["IpProtocol"]: p for p in instance_group["IpPermissions"]}
    assert permissions["-1"]["UserIdGroupPairs"][0]["GroupId"] == balancer_group["GroupId"]
    assert (permissions["tcp"]["FromPort"], permissions["tcp"]["ToPort"]) == (22, 22)
    assert aws("ec2").describe_key_pairs()["KeyPairs"][0]["KeyName"] == "petclinic"
    # 4.4
    balancer = load_balancer(aws)
    assert (balancer["Scheme"], balancer["IpAddressType"], balancer["Type"]) == ("internet-facing", "ipv4", "application")
    assert balancer["SecurityGroups"] == [balancer_group["GroupId"]]
    group = target_group(aws)
    assert (group["Protocol"], group["Port"], group["TargetType"]) == ("HTTP", 80, "instance")
    assert group["HealthCheckPath"] == "/actuator/health"
    attributes = aws("elbv2").describe_target_group_attributes(TargetGroupArn=group["TargetGroupArn"])["Attributes"]
    assert {"Key": "deregistration_delay.timeout_seconds", "Value": "60"} in attributes
    assert (listener(aws)["Protocol"], listener(aws)["Port"]) == ("HTTP", 80)
    assert listener(aws)["DefaultActions"][0]["TargetGroupArn"] == group["TargetGroupArn"]
    # 4.5
    cluster = aws("ecs").describe_clusters(clusters=[CLUSTER])["clusters"][0]
    assert cluster["registeredContainerInstancesCount"] == 2
    asg = aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert (asg["MinSize"], asg["DesiredCapacity"], asg["MaxSize"]) == (2, 2, 2)
    reservations = aws("ec2").describe_instances()["Reservations"]
    instances = [i for r in reservations for i in r["Instances"]]
    assert [i["InstanceType"] for i in instances] == ["t2.medium"] * 2
    assert {i["KeyName"] for i in instances} == {"petclinic"}
    assert {g["GroupId"] for i in instances for g in i["SecurityGroups"]} == {instance_group["GroupId"]}
    template = aws("ec2").describe_launch_template_versions(
        LaunchTemplateName="petclinic-rest-ecs-instances", Versions=["$Default"]
    )["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert template["MetadataOptions"]["HttpTokens"] == "required"
    assert template["BlockDeviceMappings"][0]["Ebs"]["Encrypted"]
    parameter = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
    assert template["ImageId"] == aws("ssm").get_parameter(Name=parameter)["Parameter"]["Value"]
    # 4.6
    described = aws("ecs").describe_task_definition(taskDefinition="petclinic-rest-task")["taskDefinition"]
    assert (described["revision"], described["cpu"], described["memory"]) == (1, "512", "1024")
    assert described["requiresCompatibilities"] == ["EC2"]
    container = described["containerDefinitions"][0]
    assert (container["name"], container["memoryReservation"]) == ("petclinic-rest-app", 625)
    assert container["image"] == "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest:latest"
    assert [(p["hostPort"], p["containerPort"]) for p in container["portMappings"]] == [(0, 9460)]
    log_group = aws("logs").describe_log_groups()["logGroups"][0]
    assert (log_group["logGroupName"], log_group["retentionInDays"]) == ("/ecs/petclinic-rest-task", 30)
    # 4.7
    running = service(aws)
    assert (running["desiredCount"], running["runningCount"], running["schedulingStrategy"]) == (2, 2, "REPLICA")
    assert (running["launchType"], running["healthCheckGracePeriodSeconds"]) == ("EC2", 60)
    configuration = running["deploymentConfiguration"]
    assert (configuration["minimumHealthyPercent"], configuration["maximumPercent"]) == (100, 200)
    breaker = configuration["deploymentCircuitBreaker"]
    assert breaker["enable"] and breaker["rollback"] and breaker["thresholdConfiguration"]["value"]
    assert running["availabilityZoneRebalancing"] == "ENABLED"
    assert running["loadBalancers"][0] | {"loadBalancerName": None} == {
        "targetGroupArn": group["TargetGroupArn"],
        "containerName": "petclinic-rest-app",
        "containerPort": 9460,
        "loadBalancerName": None,
    }
    least_privilege(aws)
    everything_is_tagged(aws)


def least_privilege(aws):
    """No policy of ours allows every action, and every resource only for the one call that knows none."""
    document = aws("iam").get_role_policy(RoleName="petclinic-rest-task-execution-role", PolicyName="start-tasks")["PolicyDocument"]
    document = json.loads(urllib.parse.unquote(document)) if isinstance(document, str) else document
    for statement in document["Statement"]:
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        assert not [a for a in actions if "*" in a]
        assert statement["Resource"] != "*" or actions == ["ecr:GetAuthorizationToken"]


def everything_is_tagged(aws):
    wanted = {"handson:cluster": CLUSTER, "handson:service": SERVICE}
    tags = aws("ecs").describe_services(cluster=CLUSTER, services=[SERVICE], include=["TAGS"])["services"][0]["tags"]
    assert {t["key"]: t["value"] for t in tags} == wanted
    for instance in (i for r in aws("ec2").describe_instances()["Reservations"] for i in r["Instances"]):
        assert {"Key": "handson:cluster", "Value": CLUSTER} in instance["Tags"]


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
