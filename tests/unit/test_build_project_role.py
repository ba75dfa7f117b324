# SPDX-License-Identifier: GPL-3.0-or-later
"""What a build may do, and when a push starts one."""

import re
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLES = Path(__file__).resolve().parents[2] / "roles"
FILES = [ROLES / "naming/defaults/main.yml", ROLES / "build_project/defaults/main.yml", ROLES / "build_project/vars/main.yml"]
HERE = "ap-southeast-1:123456789012"
REPOSITORY = f"arn:aws:ecr:{HERE}:repository/petclinic-rest"
CACHE = "arn:aws:s3:::alice-codebuild-cache-store"
CONNECTION = f"arn:aws:codestar-connections:{HERE}:connection/0a1b"
SECRET = f"arn:aws:secretsmanager:{HERE}:secret:github-aBcDeF"


def derived(variable, **given):
    """What the role makes of a variable on a service's host."""
    loader = DataLoader()
    values = {}
    for path in FILES:
        values |= loader.load_from_file(str(path), trusted_as_template=True)
    given = {
        "inventory_hostname": "petclinic-rest-service",
        "cluster_name": "petclinic-rest-cluster",
        "aws_account_id": "123456789012",
        "build_username": "alice",
        "hostvars": {},
        **given,
    }
    values |= given
    return Templar(loader, variables=values).template(values[variable])


def statements(**given):
    """{Sid: statement} of both policies, every action and resource a list."""
    found = [s for p in ("__build_project_ecr_policy", "__build_project_policy") for s in derived(p, **given)["Statement"]]
    for s in found:
        for key in ("Action", "Resource"):
            s[key] = s[key] if isinstance(s[key], list) else [s[key]]
    return {s["Sid"]: s for s in found}


@pytest.mark.parametrize(
    ("url", "said", "unwanted"),
    [("", True, True), ("", False, False), ("https://github.com/a/b", True, False), ("https://github.com/a/b", False, False)],
)
def test_a_project_is_looked_for_where_the_inventory_empties_its_url(url, said, unwanted):
    hostvars = {"petclinic-rest-service": {"build_project_source_url": url} if said else {}}
    assert derived("__build_project_unwanted", build_project_source_url=url, hostvars=hostvars) is unwanted


def test_the_tutorials_policy_is_scoped_to_the_repository():
    policy = derived("__build_project_ecr_policy")["Statement"]
    actions = {a: s["Resource"] for s in policy for a in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}
    assert actions.pop("ecr:GetAuthorizationToken") == "*"
    assert actions == dict.fromkeys(
        (
            "ecr:BatchCheckLayerAvailability", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
            "ecr:DescribeRepositories", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
        ),
        REPOSITORY,
    )  # fmt: skip


EVERYTHING = {
    "pipeline_enabled": True,
    "pipeline_source_format": "CODEBUILD_CLONE_REF",
    "pipeline_artifact_kms_key": "arn:aws:kms:x",
    "build_project_source_auth_type": "CODECONNECTIONS",
    "build_project_source_auth_arn": CONNECTION,
    "build_project_parameter_store": {"A": "/petclinic/db", "B": "plain", "C": f"arn:aws:ssm:{HERE}:parameter/other"},
    "build_project_secrets_manager": {"S": "petclinic/deploy:password", "T": f"{SECRET}:key:AWSCURRENT"},
}


@pytest.mark.parametrize("given", [{}, EVERYTHING])
def test_no_action_is_a_wildcard_and_only_the_login_knows_no_resource(given):
    for sid, statement in statements(**given).items():
        assert not any("*" in action for action in statement["Action"]), sid
        assert ("*" in statement["Resource"]) == (sid == "LogInToTheRegistry"), sid
        assert "iam:PassRole" not in statement["Action"]


def test_what_a_build_without_more_may_do():
    found = statements()
    assert set(found) == {
        "LogInToTheRegistry", "PushTheImage", "LookWhetherTheImageIsThere", "WriteTheLog", "LookAtTheCacheBucket",
        "KeepTheCache",
    }  # fmt: skip
    assert found["KeepTheCache"]["Resource"] == [f"{CACHE}/petclinic-rest/*"]
    assert found["LookAtTheCacheBucket"]["Resource"] == [CACHE]
    group = f"arn:aws:logs:{HERE}:log-group:/aws/codebuild/petclinic-rest-build"
    assert found["WriteTheLog"]["Resource"] == [group, f"{group}:*"]
    assert "KeepTheCache" not in statements(build_project_cache_type="NO_CACHE")


def test_in_a_pipeline_it_takes_and_hands_on_artifacts():
    found = statements(pipeline_enabled=True)
    assert found["TakeAndHandOnArtifacts"]["Resource"] == ["arn:aws:s3:::petclinic-rest-codepipeline-alice/*"]
    assert "UseTheKeyOfTheArtifacts" not in found and "CloneTheRepository" not in found


def test_connections_in_both_spellings():
    spellings = [CONNECTION.replace("codestar-connections", "codeconnections"), CONNECTION]
    found = statements(**EVERYTHING)
    assert found["UseTheConnection"]["Resource"] == spellings
    assert {a.split(":")[0] for a in found["UseTheConnection"]["Action"]} == {"codeconnections", "codestar-connections"}
    clone = found["CloneTheRepository"]
    assert clone["Resource"] == [f"arn:aws:{s}:{HERE}:connection/*" for s in ("codeconnections", "codestar-connections")]
    assert clone["Condition"] == {"StringEquals": {"aws:ResourceTag/handson:service": "petclinic-rest-service"}}
    own = statements(**EVERYTHING, pipeline_connection_arn=CONNECTION)["CloneTheRepository"]
    assert own["Resource"] == [CONNECTION] and own["Condition"] == {}


def test_parameters_and_secrets_that_are_named_and_no_others():
    found = statements(**EVERYTHING)
    assert found["ReadTheParameters"]["Resource"] == sorted(
        f"arn:aws:ssm:{HERE}:parameter/{name}" for name in ("petclinic/db", "plain", "other")
    )
    assert found["ReadTheSecrets"]["Resource"] == [SECRET, f"arn:aws:secretsmanager:{HERE}:secret:petclinic/deploy-??????"]
    token = statements(build_project_source_auth_type="SECRETS_MANAGER", build_project_source_auth_arn=SECRET)
    assert token["ReadTheSecrets"]["Resource"] == [SECRET]


@pytest.mark.parametrize("kind", ["CODECONNECTIONS", "SECRETS_MANAGER"])
def test_a_token_in_the_arns_place_gets_into_no_policy(kind):
    given = {"build_project_source_auth_type": kind, "build_project_source_auth_arn": "ghp_canary"}
    assert statements(**given) == statements()


@pytest.mark.parametrize("token", ["ghp_" + "canary" * 6, "petclinic:glpat-" + "canary" * 6, "github_pat_" + "canary" * 6])
@pytest.mark.parametrize("variable", ["build_project_parameter_store", "build_project_secrets_manager"])
def test_a_token_in_a_names_place_gets_into_no_policy(variable, token):
    assert statements(**{variable: {"GH": token}}) == statements()


def test_only_this_project_may_take_the_role():
    conditions = derived("build_project_trust_conditions")
    assert conditions["StringEquals"] == {"aws:SourceAccount": "123456789012"}
    assert conditions["ArnLike"] == {"aws:SourceArn": f"arn:aws:codebuild:{HERE}:project/petclinic-rest-build"}


@pytest.mark.parametrize(
    ("branch", "matches", "not_these"),
    [
        ("master", "refs/heads/master", ["refs/heads/master2", "refs/heads/a/master", "refs/tags/master"]),
        ("release/1.0", "refs/heads/release/1.0", ["refs/heads/release/1x0"]),
        ("a+b", "refs/heads/a+b", ["refs/heads/aab"]),
    ],
)
def test_a_push_to_this_branch_and_no_other_starts_a_build(branch, matches, not_these):
    ((event, head),) = derived("__build_project_webhook", build_project_branch=branch)
    assert event == {"type": "EVENT", "pattern": "PUSH"} and head["type"] == "HEAD_REF"
    assert re.search(head["pattern"], matches)
    assert not any(re.search(head["pattern"], other) for other in not_these)


def test_variables_of_the_user_do_not_take_the_place_of_the_roles():
    (keep,) = (
        t["handson.ecs.codebuild_project"]
        for block in yaml.safe_load((ROLES / "build_project/tasks/present.yml").read_text(encoding="utf-8"))
        for t in block.get("block", [])
        if "handson.ecs.codebuild_project" in t
    )
    found = derived("it", it=trust_as_template(keep["variables"]), build_project_variables={"CONTAINER_NAME": "x", "A": "1"})
    assert found["CONTAINER_NAME"] == "petclinic-rest-app" and found["A"] == "1"


@pytest.mark.parametrize(("environment", "told"), [({}, "a push"), ({"AWS_ENDPOINT_URL": "http://x"}, "GitHub was told nothing")])
def test_a_push_on_an_endpoint_of_ones_own_is_said_to_start_nothing(environment, told):
    said = yaml.safe_load((ROLES / "build_project/tasks/present.yml").read_text(encoding="utf-8"))[-1]["block"][-1]
    given = {k: trust_as_template(v) for k, v in said["vars"].items()}
    found = derived("__build_project_starter", **given, aws_environment_extra=environment)
    assert told in found and ("GitHub" in found) == bool(environment)


@pytest.mark.parametrize(("of_the_cluster", "tags"), [({"stack_tags": {"team": "a"}}, {"team": "a"}), ({}, {})])
def test_services_give_the_shared_bucket_the_tags_of_their_cluster(of_the_cluster, tags):
    (keep,) = (
        t["handson.ecs.bucket"]
        for block in yaml.safe_load((ROLES / "build_project/tasks/present.yml").read_text(encoding="utf-8"))
        for t in block.get("block", [])
        if "handson.ecs.bucket" in t
    )
    hostvars = {"petclinic-rest-cluster": of_the_cluster}
    assert derived("it", it=trust_as_template(keep["tags"]), hostvars=hostvars, stack_tags={"team": "b"}) == tags


def test_the_pipeline_switches_the_webhook_off():
    assert derived("build_project_webhook_enabled") is True
    assert derived("build_project_webhook_enabled", pipeline_enabled=True) is False


def test_the_project_goes_before_what_its_builds_write_to():
    absent, unused = (
        yaml.safe_load((ROLES / f"build_project/tasks/{name}.yml").read_text(encoding="utf-8")) for name in ("absent", "unused")
    )
    assert absent[1]["ansible.builtin.import_tasks"] == "unused.yml"
    tasks = [absent[0], *unused]
    modules = [next(k for k in t if k.startswith("handson.ecs.")).rsplit(".", 1)[-1] for t in tasks]
    assert modules == ["codebuild_project", "log_group", "bucket", "iam_role"]
    project, group, cache, _role = tasks
    assert project["register"] == "__build_project_gone"
    taken = "{{ __build_project_own_log_group and not __build_project_gone.foreign | default(false) }}"
    assert group["handson.ecs.log_group"]["also_untagged"] == taken
    assert derived("__build_project_own_log_group") is True
    assert derived("__build_project_own_log_group", build_project_log_group="/builds") is False
    cache = cache["handson.ecs.bucket"]
    assert cache["state"] == "empty" and cache["prefix"] == "{{ build_project_cache_prefix }}/"
