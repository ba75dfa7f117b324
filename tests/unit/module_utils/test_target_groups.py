# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils import target_groups

CHECK = {
    "path": "/health",
    "interval": 30,
    "timeout": 5,
    "healthy_threshold": 5,
    "unhealthy_threshold": 2,
    "matcher": "200-299",
}


@pytest.mark.parametrize("other", [{}, {"path": "/"}, {"interval": 5, "timeout": 2}, {"matcher": "200,302"}])
def test_health_check_there_and_back(other):
    check = {**CHECK, **other}
    assert target_groups.health_check_from_aws(target_groups.health_check_to_aws(check)) == check


@pytest.mark.parametrize(
    ("check", "parameters"),
    [
        ({}, {}),
        ({"path": None, "matcher": None}, {}),
        ({"matcher": 200}, {"Matcher": {"HttpCode": "200"}}),  # YAML reads it as a number
        ({"path": "/", "unknown": 1}, {"HealthCheckPath": "/"}),
    ],
)
def test_what_is_open_is_not_sent(check, parameters):
    assert target_groups.health_check_to_aws(check) == parameters


def test_a_group_without_http_has_no_path_and_no_matcher():
    check = target_groups.health_check_from_aws({"HealthCheckIntervalSeconds": 30})
    assert check["path"] is None and check["matcher"] is None and check["interval"] == 30
