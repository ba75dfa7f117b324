# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest
from modules.aws_calls import operations, recorded
from modules.harness import Failed, contract, run

OPTIONS = {
    "name": "petclinic-rest",
    "scan_on_push": True,
    "tag_mutability": "MUTABLE",
    "keep_images": 20,
    "owner": {"handson:service": "petclinic-rest-service"},
}


@pytest.fixture
def read(aws):
    def read():
        ecr = aws("ecr")
        found = ecr.describe_repositories()["repositories"]
        if not found:
            return None
        try:
            policy = json.loads(ecr.get_lifecycle_policy(repositoryName=OPTIONS["name"])["lifecyclePolicyText"])
        except ecr.exceptions.LifecyclePolicyNotFoundException:
            policy = {"rules": []}
        tags = ecr.list_tags_for_resource(resourceArn=found[0]["repositoryArn"])["tags"]
        return found[0] | {
            "tags": {t["Key"]: t["Value"] for t in tags},
            "rules": [(r["selection"]["tagStatus"], r["selection"]["countNumber"]) for r in policy["rules"]],
        }

    return read


def test_contract(read):
    excluded = {"tag_mutability": "IMMUTABLE_WITH_EXCLUSION", "tag_mutability_exclusions": ["latest", "dev*"]}
    contract(
        "ecr_repository",
        OPTIONS,
        read,
        changes=[
            ({"scan_on_push": False}, lambda r: r["imageScanningConfiguration"]["scanOnPush"], False),
            ({"tag_mutability": "IMMUTABLE"}, lambda r: r["imageTagMutability"], "IMMUTABLE"),
            ({"keep_images": 10}, lambda r: r["rules"], [("any", 10)]),
            ({"untagged_days": 7}, lambda r: r["rules"], [("untagged", 7), ("any", 10)]),
            ({"keep_images": None}, lambda r: r["rules"], [("untagged", 7)]),
            ({"untagged_days": None}, lambda r: r["rules"], []),
            ({"tags": {"team": "vets"}}, lambda r: r["tags"].get("team"), "vets"),
            (
                excluded,
                lambda r: (
                    r["imageTagMutability"],
                    [f["filter"] for f in r.get("imageTagMutabilityExclusionFilters", [])],
                ),
                ("IMMUTABLE_WITH_EXCLUSION", ["dev*", "latest"]),
            ),
        ],
    )


def test_the_result_has_the_uri(aws):
    repository = run("ecr_repository", **OPTIONS)["repository"]
    assert repository["uri"] == "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest"


def test_an_unchanged_run_makes_three_calls(aws):
    run("ecr_repository", **OPTIONS)
    with recorded() as calls:
        assert not run("ecr_repository", **OPTIONS)["changed"]
    assert operations(calls) == ["DescribeRepositories", "GetLifecyclePolicy", "ListTagsForResource"]


def test_absent_takes_the_images_with_it(aws, read):
    run("ecr_repository", **OPTIONS)
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": []}
    aws("ecr").put_image(repositoryName=OPTIONS["name"], imageManifest=json.dumps(manifest), imageTag="latest")
    assert run("ecr_repository", **OPTIONS, state="absent")["changed"]
    assert read() is None


def test_a_policy_of_another_form_is_replaced(aws, read):
    run("ecr_repository", **OPTIONS)
    rule = {
        "rulePriority": 1,
        "selection": {
            "tagStatus": "tagged",
            "tagPrefixList": ["v"],
            "countType": "imageCountMoreThan",
            "countNumber": 1,
        },
        "action": {"type": "expire"},
    }
    aws("ecr").put_lifecycle_policy(repositoryName=OPTIONS["name"], lifecyclePolicyText=json.dumps({"rules": [rule]}))
    result = run("ecr_repository", **OPTIONS)
    assert result["diff"]["before"]["keep_images"] == "(another lifecycle policy)"
    assert read()["rules"] == [("any", 20)]


def test_a_foreign_repository_is_refused_and_not_deleted(aws, read):
    aws("ecr").create_repository(repositoryName=OPTIONS["name"])
    with pytest.raises(Failed, match="not ours"):
        run("ecr_repository", **OPTIONS)
    assert run("ecr_repository", **OPTIONS, state="absent")["foreign"]
    assert read()["rules"] == []


def test_a_lost_reply_is_read_back(aws, read):
    with recorded(CreateRepository=lambda real, parameters: (real(), real())):
        assert run("ecr_repository", **OPTIONS)["changed"]
    assert read()["rules"] == [("any", 20)]
    assert not run("ecr_repository", **OPTIONS)["changed"]


def test_the_encryption_is_immutable_and_keys_are_compared(aws):
    kms = {**OPTIONS, "encryption": "KMS", "kms_key": "alias/petclinic"}
    arn = "arn:aws:kms:ap-southeast-1:123456789012:key/1234"
    aws("kms").create_key()
    run("ecr_repository", **{**kms, "kms_key": arn})
    for spelling in (arn, "1234", "alias/petclinic"):
        assert not run("ecr_repository", **{**kms, "kms_key": spelling})["changed"]
    with pytest.raises(Failed, match=f"kms_key is '{arn}' and would become '5678'.*teardown"):
        run("ecr_repository", **{**kms, "kms_key": "5678"})
    with pytest.raises(Failed, match="encryption is 'KMS' and would become 'AES256'"):
        run("ecr_repository", **OPTIONS)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"keep_images": 0}, "keep_images is 0"),
        ({"tag_mutability": "IMMUTABLE_WITH_EXCLUSION"}, "go together"),
        ({"tag_mutability_exclusions": ["latest"]}, "go together"),
        ({"kms_key": "alias/x"}, "encryption is AES256"),
    ],
)
def test_what_ecr_would_refuse_fails_before_anything(aws, read, options, said):
    with pytest.raises(Failed, match=said):
        run("ecr_repository", **{**OPTIONS, **options})
    assert read() is None
