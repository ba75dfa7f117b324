# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds, pipelines, monitoring and scaling: what breaks them, and that the tutorial's values don't."""

import pytest
from unit.preflight.samples import cluster, one, seen, service

from ansible_collections.handson.ecs.plugins.module_utils.preflight import delivery, watching

BUILD = {
    "build_username": "handson",
    "build_project_source_url": "https://github.com/voyagerwoo/petclinic-rest",
    "build_project_branch": "master",
    "build_project_name": "petclinic-rest-build",
    "build_project_role_name": "petclinic-rest-build-role",
    "build_project_cache_bucket": "handson-codebuild-cache-store",
    "build_project_cache_type": "S3",
    "build_project_cache_modes": ["LOCAL_CUSTOM_CACHE"],
    "build_project_source_auth_type": "NONE",
    "build_project_source_auth_arn": "",
    "build_project_environment_type": "LINUX_CONTAINER",
    "build_project_compute_type": "BUILD_GENERAL1_SMALL",
    "build_project_privileged": True,
    "build_project_timeout": 60,
    "build_project_queued_timeout": 480,
    "build_project_webhook_enabled": True,
    "build_project_variables": {},
    "build_project_parameter_store": {},
    "build_project_secrets_manager": {},
    "pipeline_enabled": False,
}
PIPELINE = {
    **BUILD,
    "build_project_webhook_enabled": False,
    "pipeline_enabled": True,
    "pipeline_name": "petclinic-rest-codepipeline",
    "pipeline_role_name": "petclinic-rest-codepipeline-role",
    "pipeline_artifact_bucket": "petclinic-rest-codepipeline-handson",
    "pipeline_connection_name": "petclinic-rest-github",
    "pipeline_connection_arn": "",
    "pipeline_source_format": "CODE_ZIP",
    "pipeline_execution_mode": "SUPERSEDED",
    "pipeline_approval_timeout": None,
    "pipeline_deploy_timeout": 30,
    "service_task_definition": "keep_image",
}
ARN = "arn:aws:codeconnections:ap-southeast-1:123456789012:connection/1f244295-871f-411f-afb1-e6ca987858b6"


@pytest.mark.parametrize("values", [{}, BUILD, PIPELINE, {**PIPELINE, "pipeline_connection_arn": ARN}])
def test_the_tutorials_values_are_right(values):
    assert list(delivery.check_delivery(service(**values))) == []


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        ({"build_project_source_url": "https://gitlab.com/a/b"}, "build_project_source_url", "https://github.com/"),
        ({"build_project_source_url": "https://me:token@github.com/a/b"}, "build_project_source_url", "credentials"),
        ({"build_project_branch": " "}, "build_project_branch", "not the name of a branch"),
        ({"build_project_branch": "a..b"}, "build_project_branch", "not the name of a branch"),
        ({"build_project_cache_prefix": "/a"}, "build_project_cache_prefix", "without a slash"),
        ({"build_project_name": "-a"}, "build_project_name", "2 to 150"),
        ({"build_project_role_name": "r" * 65}, "build_project_role_name", "at most 64"),
        ({"build_project_cache_bucket": "Handson_Cache"}, "build_project_cache_bucket", "lower-case"),
        ({"build_project_cache_type": "EFS"}, "build_project_cache_type", "S3, LOCAL"),
        ({"build_project_source_auth_type": "OAUTH"}, "build_project_source_auth_type", "CODECONNECTIONS"),
        ({"build_project_timeout": 2}, "build_project_timeout", "5 to 2160"),
        ({"build_project_timeout": "soon"}, "build_project_timeout", "whole number"),
        ({"build_project_compute_type": "BUILD_LAMBDA_1GB"}, "build_project_compute_type", "does not go with"),
        (
            {"build_project_source_auth_type": "SECRETS_MANAGER", "build_project_source_auth_arn": "ghp_secret"},
            "build_project_source_auth_arn",
            "Never put a token there",
        ),
        ({"build_project_variables": {"GITHUB_TOKEN": "x"}}, "build_project_variables", "Parameter Store"),
        (
            {"build_project_cache_type": "LOCAL", "build_project_cache_modes": []},
            "build_project_cache_type",
            "cache.modes",
        ),
    ],
)
def test_builds(changes, variable, says):
    one(delivery.check_delivery, service(**{**BUILD, **changes}), variable, says)


def test_nothing_of_a_token_is_told():
    host = service(**{**BUILD, "build_project_source_url": "https://me:ghp_canary@github.com/a/b"})
    told = [str(f.value) + f.problem + f.remedy for f in delivery.check_delivery(host)]
    secret = service(**{**BUILD, "build_project_variables": {"MY_PASSWORD": "canary"}})
    told += [str(f.value) + f.problem + f.remedy for f in delivery.check_delivery(secret)]
    assert told and "canary" not in "".join(told)


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        ({"build_project_source_url": ""}, "build_project_source_url", "no repository"),
        ({"pipeline_name": "a b"}, "pipeline_name", "1 to 100"),
        ({"pipeline_role_name": "r" * 65}, "pipeline_role_name", "at most 64"),
        ({"pipeline_artifact_bucket": "x" * 64}, "pipeline_artifact_bucket", "3 to 63"),
        ({"pipeline_connection_name": "c" * 33}, "pipeline_connection_name", "32"),
        ({"pipeline_connection_arn": "arn:aws:s3:::x"}, "pipeline_connection_arn", "not the ARN"),
        ({"pipeline_deploy_timeout": 61}, "pipeline_deploy_timeout", "1 to 60"),
        ({"pipeline_approval_timeout": 1}, "pipeline_approval_timeout", "5 to 86400"),
        ({"pipeline_execution_mode": "PARALLEL"}, "pipeline_execution_mode", "SUPERSEDED"),
        ({"build_project_webhook_enabled": True}, "build_project_webhook_enabled", "built twice"),
        ({"service_task_definition": "latest"}, "service_task_definition", "keep_image"),
    ],
)
def test_pipelines(changes, variable, says):
    one(delivery.check_delivery, service(**{**PIPELINE, **changes}), variable, says)


SCALED = {
    "service_scaling_enabled": True,
    "service_scaling_min": 2,
    "service_scaling_max": 16,
    "service_scaling_metric": "ECSServiceAverageCPUUtilization",
    "service_scaling_target": 55,
    "service_scaling_scale_out_cooldown": 150,
    "service_scaling_scale_in_cooldown": 150,
    "service_scaling_policies": [],
}


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        ({"service_scaling_max": 1}, "service_scaling_max", "fewest tasks are 2"),
        ({"service_scaling_min": -1}, "service_scaling_min", "0 or more"),
        ({"service_desired_count": 20}, "service_desired_count", "to 16 at once"),
        ({"service_scaling_target": 0}, "service_scaling_target", "above 0"),
        ({"service_scaling_metric": "CPU"}, "service_scaling_metric", "ALBRequestCountPerTarget"),
        ({"service_scaling_scale_in_cooldown": -5}, "service_scaling_scale_in_cooldown", "0 or more"),
        ({"service_scheduling_strategy": "DAEMON"}, "service_scaling_enabled", "nothing scales it"),
    ],
)
def test_scaling_of_services(changes, variable, says):
    assert list(watching.check_service_scaling(service(**SCALED))) == []
    one(watching.check_service_scaling, service(**{**SCALED, **changes}), variable, says)


TRACKED = {
    "instance_scaling_mode": "target_tracking",
    "instance_scaling_target": 55,
    "instance_scaling_warmup": 0,
    "instances_max": 4,
}


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        ({"instance_scaling_mode": "both"}, "instance_scaling_mode", "none, target_tracking"),
        ({"instances_capacity_provider_enabled": True}, "instance_scaling_mode", "two controllers"),
        ({"instance_scaling_target": "high"}, "instance_scaling_target", "above 0"),
        ({"instance_scaling_warmup": -1}, "instance_scaling_warmup", "0 or more"),
        ({"instances_max": 2}, "instances_max?", "nothing can scale"),
    ],
)
def test_scaling_of_instances(changes, variable, says):
    assert list(watching.check_instance_scaling(cluster(**TRACKED))) == []
    one(watching.check_instance_scaling, cluster(**{**TRACKED, **changes}), variable, says)


WATCHED = {
    "monitoring_enabled": True,
    "monitoring_topic_name": "petclinic-rest-alarms",
    "monitoring_emails": ["ops@example.org"],
    "monitoring_kms_key": "",
    "monitoring_reservation_threshold": 90,
    "monitoring_error_threshold": 5,
    "monitoring_latency_threshold": 0,
    "monitoring_least_tasks": 1,
}


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        ({"monitoring_topic_name": "a b"}, "monitoring_topic_name", "1 to 256"),
        ({"monitoring_emails": ["ops"]}, "monitoring_emails", "no e-mail address"),
        ({"monitoring_kms_key": "alias/aws/sns"}, "monitoring_kms_key", "nobody would be told"),
        ({"monitoring_reservation_threshold": 101}, "monitoring_reservation_threshold", "1 to 100"),
        ({"monitoring_latency_threshold": -1}, "monitoring_latency_threshold", "0 or more"),
    ],
)
def test_monitoring(changes, variable, says):
    assert list(watching.check_monitoring(cluster(**WATCHED))) == list(watching.check_monitoring(service(**WATCHED))) == []
    one(watching.check_monitoring, cluster(**{**WATCHED, **changes}), variable, says)


def test_alarms_need_the_clusters_topic():
    told = watching.check_together(service(**WATCHED), cluster(**{**WATCHED, "monitoring_enabled": False}))
    assert seen(told) == ["monitoring_enabled"]
    assert list(watching.check_together(service(**WATCHED), cluster(**WATCHED))) == []


def test_a_cache_is_one_clusters_with_a_folder_for_each_service():
    here = {**BUILD, "build_project_cache_prefix": "petclinic-rest"}
    first, second = service(**here), service("api", **here, cluster_name="BreakTheMonolith-Demo")
    assert seen(delivery.check_shared_caches([first, second])) == ["build_project_cache_bucket"]
    assert seen(delivery.check_shared_caches([first, service("api", **here)])) == ["build_project_cache_prefix"]
    apart = service("api", **{**here, "build_project_cache_prefix": "api"})
    assert list(delivery.check_shared_caches([first, apart])) == []


@pytest.mark.parametrize("name", ["master", "main", "feature/a-b", "release-1.2", "user@host"])
def test_branches(name):
    assert list(delivery.check_delivery(service(**{**BUILD, "build_project_branch": name}))) == []
