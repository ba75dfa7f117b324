# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds and pipelines: what breaks them, and that the tutorial's values don't."""

import pytest
from unit.preflight.samples import cluster, one, seen, service

from ansible_collections.handson.ecs.plugins.module_utils.preflight import delivery

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
SECRET = "arn:aws:secretsmanager:ap-southeast-1:123456789012:secret:github-aBcDeF"
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


@pytest.mark.parametrize("option", ["variables", "parameter_store", "secrets_manager"])
@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("CONTAINER_NAME", "task_definition_container_name"),
        ("DOCKERFILE", "build_project_dockerfile"),
        ("IMAGE_REPOSITORY", "registry_name"),
        ("IMAGE_TAG", "image_tag"),
    ],
)
def test_what_the_role_gives_a_build_by_itself_is_not_given_twice(option, name, instead):
    host = service(**BUILD | {f"build_project_{option}": {name: "canary", "OTHER": "x"}})
    (fault,) = delivery.check_delivery(host)
    assert fault.variable == f"build_project_{option}" and name in fault.problem and f"{instead} ({name})" in fault.remedy
    assert "canary" not in fault.shown()
    host.values["service_state"] = "absent"  # it goes whatever its builds were to be
    assert list(delivery.check_delivery(host)) == []


TOKEN = "ghp_" + "canary" * 6


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("build_project_source_url", "https://me:ghp_canary@github.com/a/b"),
        ("build_project_source_url", f"https://{TOKEN}@github.com/a/b"),
        ("build_project_variables", {"MY_PASSWORD": "canary"}),
        ("build_project_variables", {"GH": TOKEN}),
        ("build_project_parameter_store", {"GH": TOKEN}),
        ("build_project_secrets_manager", {"GH": TOKEN}),
        ("build_project_source_auth_arn", TOKEN),
        ("pipeline_connection_arn", TOKEN),
        ("pipeline_connection_arn", "canary"),
    ],
)
def test_nothing_of_a_token_is_told(variable, value):
    host = service(**{**PIPELINE, "build_project_source_auth_type": "SECRETS_MANAGER", "build_project_source_auth_arn": SECRET, variable: value})
    faults = list(delivery.check_delivery(host))
    assert seen(faults) == [variable]
    assert "canary" not in "".join(str(f.value) + f.problem + f.remedy + f.shown() for f in faults)


def test_a_variable_in_two_places_is_told_by_the_first():
    twice = {"build_project_variables": {"A": "1"}, "build_project_secrets_manager": {"A": "petclinic"}}
    one(delivery.check_delivery, service(**BUILD | twice), "build_project_variables", "both have 'A'")


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


def test_a_cache_is_one_clusters_with_a_folder_for_each_service():
    here = {**BUILD, "build_project_cache_prefix": "petclinic-rest"}
    first, second = service(**here), service("api", **here, cluster_name="BreakTheMonolith-Demo")
    assert seen(delivery.check_shared_caches([first, second])) == ["build_project_cache_bucket"]
    assert seen(delivery.check_shared_caches([first, service("api", **here)])) == ["build_project_cache_prefix"]
    apart = service("api", **{**here, "build_project_cache_prefix": "api"})
    assert list(delivery.check_shared_caches([first, apart])) == []


def test_a_shared_cache_is_kept_for_as_long_by_all_its_services():
    hosts = [
        service(name, **BUILD, build_project_cache_prefix=name, build_project_cache_days=days)
        for name, days in (("one", 30), ("two", "30"), ("three", 7))
    ]
    assert list(delivery.check_shared_caches(hosts[:2])) == []
    faults = list(delivery.check_shared_caches(hosts))
    assert [(f.host, f.variable) for f in faults] == [(n, "build_project_cache_days") for n in ("one", "two", "three")]
    assert "three has 7" in faults[0].problem and "one has 30, two has 30" in faults[2].problem
    hosts[2].values["build_project_cache_type"] = "LOCAL"
    assert list(delivery.check_shared_caches(hosts)) == []


@pytest.mark.parametrize("name", ["master", "main", "feature/a-b", "release-1.2", "user@host"])
def test_branches(name):
    assert list(delivery.check_delivery(service(**{**BUILD, "build_project_branch": name}))) == []
