# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from ansible_collections.handson.ecs.plugins.module_utils import build_projects as bp

OPTIONS = {
    "name": "petclinic-rest-build",
    "source_url": "https://github.com/alice/petclinic-rest",
    "source_auth": None,
    "environment_type": "LINUX_CONTAINER",
    "compute_type": "BUILD_GENERAL1_SMALL",
    "privileged": True,
    "timeout": 60,
    "queued_timeout": 480,
    "cache": None,
    "variables": {"CONTAINER_NAME": "petclinic-rest-app"},
    "parameter_store": {},
    "secrets_manager": {},
    "webhook": None,
}
ACCOUNT = "ap-southeast-1:123456789012"
PUSH = {"type": "EVENT", "pattern": "PUSH"}


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://github.com/alice/petclinic-rest", None),
        ("https://github.com/alice/petclinic-rest.git", None),
        ("https://github.com/a/b_c.d", None),
        ("https://github.com/alice", "owner"),
        ("https://github.com/alice/x/tree/master", "owner"),
        ("http://github.com/alice/x", "owner"),
        ("git@github.com:alice/x.git", "credentials"),
        ("https://gitlab.com/alice/x", "owner"),
        ("https://alice:canary@github.com/alice/x", "credentials"),
        ("", "owner"),
    ],
)
def test_source_urls(url, fault):
    said = bp.source_url_fault(url)
    assert (said is None) if fault is None else fault in said and "canary" not in said


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, None),
        ({"name": "a"}, "name is 'a'"),
        ({"name": "-ab"}, "name is '-ab'"),
        ({"source_auth": {"type": "CODECONNECTIONS", "resource": f"arn:aws:codestar-connections:{ACCOUNT}:connection/1"}}, None),
        ({"source_auth": {"type": "CODECONNECTIONS", "resource": f"arn:aws:secretsmanager:{ACCOUNT}:secret:a"}}, "ARN of a connection"),
        ({"source_auth": {"type": "SECRETS_MANAGER", "resource": "canary"}}, "ARN of a secret"),
        ({"source_auth": {"type": "NONE", "resource": ""}}, None),
        ({"environment_type": "LINUX_LAMBDA_CONTAINER"}, "compute_type BUILD_GENERAL1_SMALL does not go"),
        ({"environment_type": "LINUX_LAMBDA_CONTAINER", "compute_type": "BUILD_LAMBDA_1GB", "privileged": False, "timeout": 16}, "5 to 15"),
        ({"environment_type": "LINUX_LAMBDA_CONTAINER", "compute_type": "BUILD_LAMBDA_1GB", "privileged": False, "timeout": 15}, None),
        ({"timeout": 2161}, "timeout is 2161"),
        ({"queued_timeout": 481}, "queued_timeout is 481"),
        ({"cache": {"type": "LOCAL", "modes": []}}, "cache.modes"),
        ({"parameter_store": {"CONTAINER_NAME": "/x"}}, "variables and parameter_store both have 'CONTAINER_NAME'"),
        ({"variables": {"CODEBUILD_X": "1"}}, "CodeBuild's own"),
        ({"variables": {"A-B": "1"}}, "no digit first"),
        ({"variables": {"DB_PASSWORD": "canary"}}, "secrets_manager"),
        ({"secrets_manager": {"DB_PASSWORD": "petclinic:pw"}}, None),
        ({"webhook": []}, None),
        ({"webhook": [[PUSH]]}, None),
        ({"webhook": [[]]}, "no list of filters"),
        ({"webhook": [[PUSH], [{"type": "HEAD_REF", "pattern": "x"}]]}, "filter group 2 has no filter of type EVENT"),
        ({"webhook": [[{"type": "EVENT", "pattern": ""}]]}, "without a pattern"),
        ({"webhook": [[{"type": "BRANCH", "pattern": "x"}]]}, "type 'BRANCH'"),
        ({"webhook": [[{**PUSH, "not": True}]]}, "with not"),
    ],
)  # fmt: skip
def test_faults(changed, fault):
    said = "; ".join(bp.faults({**OPTIONS, **changed}))
    assert said == "" if fault is None else fault in said
    assert "canary" not in said


def test_all_faults_are_told_at_once():
    assert len(bp.faults({**OPTIONS, "name": "x", "timeout": 1, "queued_timeout": 1})) == 3
    token = "ghp_" + "canary" * 6
    variables = {"GH": token, "A-B": "1", "DB_PASSWORD": "canary"}
    assert len(bp.faults({**OPTIONS, "variables": variables, "secrets_manager": {"GH2": token, "GH": "petclinic:token"}})) == 5


@pytest.mark.parametrize(
    ("changed", "secrets"),
    [
        ({}, set()),
        ({"source_url": "https://alice:canary@github.com/a/b"}, {"alice:canary", "alice", "canary"}),
        ({"source_auth": {"type": "SECRETS_MANAGER", "resource": "canary"}}, {"canary"}),
        ({"variables": {"TOKEN": "canary", "MODE": "x"}}, {"canary"}),
    ],
)
def test_what_to_hide(changed, secrets):
    assert bp.misplaced_secrets({**OPTIONS, **changed}) == secrets


@pytest.mark.parametrize(
    ("cache", "aws", "option"),
    [
        (None, None, {"type": "NO_CACHE"}),
        ({"type": "S3", "bucket": "b", "prefix": "p/"}, {"type": "S3", "location": "b/p"}, {"type": "S3", "bucket": "b", "prefix": "p"}),
        ({"type": "S3", "bucket": "b"}, {"type": "S3", "location": "b"}, {"type": "S3", "bucket": "b", "prefix": ""}),
        (
            {"type": "LOCAL", "modes": ["LOCAL_SOURCE_CACHE", "LOCAL_CUSTOM_CACHE"]},
            {"type": "LOCAL", "modes": ["LOCAL_SOURCE_CACHE", "LOCAL_CUSTOM_CACHE"]},
            {"type": "LOCAL", "modes": ["LOCAL_CUSTOM_CACHE", "LOCAL_SOURCE_CACHE"]},
        ),
    ],
)  # fmt: skip
def test_cache(cache, aws, option):
    assert bp.normalized_cache(cache) == option == bp.cache_from_aws(aws)


def test_webhooks_are_sets_of_sets():
    one = [[PUSH, {"type": "HEAD_REF", "pattern": "^a$"}], [{"type": "EVENT", "pattern": "RELEASED,PUSH"}]]
    other = [[{"type": "EVENT", "pattern": "PUSH, RELEASED"}], [{"type": "HEAD_REF", "pattern": "^a$", "exclude": False}, PUSH]]
    assert bp.normalized_webhook(one) == bp.normalized_webhook(other)
    assert bp.normalized_webhook(one) != bp.normalized_webhook(one[:1])
    assert bp.webhook_from_aws({"filterGroups": bp.webhook_to_aws(one), "secret": "x"}) == bp.normalized_webhook(one)
    assert bp.webhook_from_aws(None) == []
    assert bp.webhook_from_aws({"branchFilter": "master"}) not in ([], bp.normalized_webhook(one))


DESIRED = {
    "source_type": "GITHUB",
    "source_url": "https://github.com/alice/petclinic-rest",
    "buildspec": "buildspec.yml",
    "image": "aws/codebuild/standard:7.0",
    "environment_type": "LINUX_CONTAINER",
    "compute_type": "BUILD_GENERAL1_SMALL",
    "privileged": True,
    "image_pull_credentials": "CODEBUILD",
    "variables": {"B": "2", "A": "1"},
    "parameter_store": {},
    "secrets_manager": {"S": "s:key"},
    "timeout": 20,
}


def test_a_part_keeps_what_is_no_option_of_ours():
    live = {"source": {"type": "GITHUB", "location": "x", "gitCloneDepth": 1, "auth": {"type": "OAUTH"}}}
    given = bp.project_to_aws(DESIRED, {"buildspec"}, live)
    assert given == {
        "source": {
            "type": "GITHUB",
            "location": DESIRED["source_url"],
            "gitCloneDepth": 1,
            "buildspec": "buildspec.yml",
            "auth": {"type": "OAUTH"},
        }
    }
    connection = {"type": "CODECONNECTIONS", "resource": "arn:x"}
    assert bp.project_to_aws({**DESIRED, "source_auth": connection}, {"source_auth"}, live)["source"]["auth"] == connection
    away = bp.project_to_aws({**DESIRED, "source_auth": {}}, {"source_auth"}, {"source": {"auth": connection}})
    assert "auth" not in away["source"]


def test_only_the_parts_that_differ_are_given():
    assert bp.project_to_aws(DESIRED, {"timeout", "webhook", "name"}) == {"timeoutInMinutes": 20}
    variables = bp.project_to_aws(DESIRED, {"image"})["environment"]["environmentVariables"]
    assert [(v["name"], v["type"]) for v in variables] == [("A", "PLAINTEXT"), ("B", "PLAINTEXT"), ("S", "SECRETS_MANAGER")]


@pytest.mark.parametrize(
    ("logs", "group"),
    [
        ({"cloudWatchLogs": {"status": "ENABLED", "groupName": "/a"}}, "/a"),
        ({"cloudWatchLogs": {"status": "DISABLED"}}, ""),
        ({"cloudWatchLogs": {"status": "ENABLED"}}, "(CodeBuild's own)"),
        (None, "(CodeBuild's own)"),
    ],
)
def test_logs(logs, group):
    assert bp.project_from_aws({"name": "a", "arn": "b", "logsConfig": logs})["log_group"] == group
