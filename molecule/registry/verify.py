# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Two repositories: who scans them, what their tags may do, how they are encrypted, and what expires."""

import json

from readback import Expectations, client, pages, tags_of

KEY = "arn:aws:kms:ap-southeast-1:123456789012:key/7a1c0d8e-5f0b-4f43-9d3e-2b6a9c1e4d55"
ecr, expect = client("ecr"), Expectations()
repositories = {r["repositoryName"]: r for r in pages("ecr", "describe_repositories", "repositories")}
expect.equal("repositories", sorted(repositories), ["molecule-registry", "vets/vault"])
if len(repositories) < 2:
    expect.finish()


def expiries(name: str) -> list[dict]:
    """What the lifecycle policy expires, by priority."""
    policy = json.loads(ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])
    rules = sorted(policy["rules"], key=lambda r: r["rulePriority"])
    expect.equal(f"actions on {name}", {r["action"]["type"] for r in rules}, {"expire"})
    return [r["selection"] for r in rules]


def tags(name: str) -> dict[str, str]:
    """The tags of a repository."""
    return tags_of(ecr.list_tags_for_resource(resourceArn=repositories[name]["repositoryArn"])["tags"])


UNTAGGED = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days"}
ALL = {"tagStatus": "any", "countType": "imageCountMoreThan"}

plain = repositories["molecule-registry"]
expect.equal("URI", plain["repositoryUri"], "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/molecule-registry")
expect.equal("scan on push", plain["imageScanningConfiguration"]["scanOnPush"], True)
expect.equal("mutability", plain["imageTagMutability"], "MUTABLE")
expect.equal("encryption", plain["encryptionConfiguration"]["encryptionType"], "AES256")
expect.equal(
    "what expires", expiries("molecule-registry"), [{**UNTAGGED, "countNumber": 14}, {**ALL, "countNumber": 10}]
)
expect.contains(
    "tags",
    tags("molecule-registry"),
    {"handson:cluster": "molecule-registry-cluster", "handson:service": "molecule-registry-service"},
)

vault = repositories["vets/vault"]
expect.equal("scan on push of the vault", vault["imageScanningConfiguration"]["scanOnPush"], False)
expect.equal("mutability of the vault", vault["imageTagMutability"], "IMMUTABLE")
expect.contains("encryption of the vault", vault["encryptionConfiguration"], {"encryptionType": "KMS", "kmsKey": KEY})
expect.equal(
    "what expires in the vault", expiries("vets/vault"), [{**UNTAGGED, "countNumber": 1}, {**ALL, "countNumber": 3}]
)
expect.contains("tags of the vault", tags("vets/vault"), {"handson:service": "molecule-vault-service", "team": "vets"})
expect.finish()
