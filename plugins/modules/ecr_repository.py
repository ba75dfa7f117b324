#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: ecr_repository
version_added: 0.1.0
short_description: Keep a repository of the Elastic Container Registry
description:
  - Makes, changes and deletes a private repository, with its lifecycle policy.
  - Deleting takes the images with it.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the repository, in lower case, such as V(petclinic-rest) or V(team/petclinic-rest).
    type: str
    required: true
  scan_on_push:
    description: Scan every image for vulnerabilities when it is pushed. Left alone when not given.
    type: bool
  tag_mutability:
    description:
      - Whether a tag may move to another image. V(IMMUTABLE) breaks a moving tag such as C(latest);
        V(IMMUTABLE_WITH_EXCLUSION) lets those through that O(tag_mutability_exclusions) names.
      - Left alone when not given.
    type: str
    choices: [MUTABLE, IMMUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION]
  tag_mutability_exclusions:
    description: Tags to which the opposite applies, at most five, with C(*) for any characters.
    type: list
    elements: str
  encryption:
    description: How images are encrypted. AWS cannot change it later.
    type: str
    choices: [AES256, KMS, KMS_DSSE]
    default: AES256
  kms_key:
    description:
      - ARN, id or alias of the key for V(KMS) and V(KMS_DSSE), AWS's own when not given. AWS cannot change it later.
      - An alias is not compared with the key of a repository that is there.
    type: str
  keep_images:
    description:
      - Keep that many images, the latest ones, and let ECR expire the others.
      - The lifecycle policy is made of this and O(untagged_days). Without both there is none.
    type: int
  untagged_days:
    description: Let ECR expire images without a tag after that many days.
    type: int
"""

EXAMPLES = r"""
- name: Keep the repository of the petclinic image
  handson.ecs.ecr_repository:
    name: petclinic-rest
    scan_on_push: true
    tag_mutability: IMMUTABLE_WITH_EXCLUSION
    tag_mutability_exclusions: [latest]
    keep_images: 20
    untagged_days: 7
"""

RETURN = r"""
repository:
  description: The repository in the names of the options, with the URI to push to.
  returned: always
  type: dict
  sample:
    name: petclinic-rest
    arn: arn:aws:ecr:ap-southeast-1:123456789012:repository/petclinic-rest
    uri: 123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest
    registry_id: "123456789012"
    scan_on_push: true
    tag_mutability: IMMUTABLE_WITH_EXCLUSION
    tag_mutability_exclusions: [latest]
    encryption: AES256
    kms_key: null
    keep_images: 20
    untagged_days: 7
    tags: {"handson:service": petclinic-rest-service}
"""

import json

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags, tags_to_dict, without_none
from ansible_collections.handson.ecs.plugins.module_utils.ecr_repositories import (
    exclusion_filters,
    lifecycle_from_policy,
    lifecycle_policy,
    same_kms_key,
)
from ansible_collections.handson.ecs.plugins.module_utils.resource import Resource, argument_spec, ignore_missing

GONE = "RepositoryNotFoundException"


class EcrRepository(Resource):
    kind = "ECR repository"
    result_key = "repository"
    immutable = frozenset({"encryption", "kms_key"})
    exists_codes = ("RepositoryAlreadyExistsException",)

    def get(self):
        ecr = self.client("ecr")
        found = ignore_missing(lambda: ecr.describe_repositories(repositoryNames=[self.name]), GONE)
        if not found or not found["repositories"]:
            return None
        repository = found["repositories"][0]
        encryption = repository.get("encryptionConfiguration") or {}
        policy = ignore_missing(
            lambda: ecr.get_lifecycle_policy(repositoryName=self.name), "LifecyclePolicyNotFoundException"
        )
        tags = ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
        return {
            "name": repository["repositoryName"],
            "arn": repository["repositoryArn"],
            "uri": repository["repositoryUri"],
            "registry_id": repository["registryId"],
            "scan_on_push": (repository.get("imageScanningConfiguration") or {}).get("scanOnPush", False),
            "tag_mutability": repository.get("imageTagMutability", "MUTABLE"),
            "tag_mutability_exclusions": sorted(
                f["filter"] for f in repository.get("imageTagMutabilityExclusionFilters") or []
            ),
            "encryption": encryption.get("encryptionType", "AES256"),
            "kms_key": encryption.get("kmsKey"),
            **lifecycle_from_policy((policy or {}).get("lifecyclePolicyText")),
            "tags": tags_to_dict(tags),
        }

    def desired(self, current):
        desired = self.given("name", "scan_on_push", "tag_mutability", "encryption", "kms_key")
        if "tag_mutability" in desired:
            desired["tag_mutability_exclusions"] = sorted(set(self.params["tag_mutability_exclusions"] or []))
        if "kms_key" in desired and current and same_kms_key(current["kms_key"], desired["kms_key"]):
            desired["kms_key"] = current["kms_key"]
        # Both always: without them there is to be no policy.
        return desired | {o: self.params[o] for o in ("keep_images", "untagged_days")}

    def create(self, desired):
        encryption = {"encryptionType": desired["encryption"], "kmsKey": desired.get("kms_key")}
        self.client("ecr").create_repository(
            repositoryName=self.name,
            tags=dict_to_tags(desired.get("tags") or {}),
            encryptionConfiguration=without_none(encryption),
            imageScanningConfiguration={"scanOnPush": desired.get("scan_on_push", False)},
            **self._mutability(desired),
        )
        if lifecycle_policy(desired["keep_images"], desired["untagged_days"]):
            self._set_lifecycle(desired)

    def update(self, current, desired, changes):
        ecr, repository = self.client("ecr"), {"repositoryName": self.name}
        if "scan_on_push" in changes:
            ecr.put_image_scanning_configuration(
                **repository, imageScanningConfiguration={"scanOnPush": desired["scan_on_push"]}
            )
        if changes & {"tag_mutability", "tag_mutability_exclusions"}:
            ecr.put_image_tag_mutability(**repository, **self._mutability(desired))
        if changes & {"keep_images", "untagged_days"}:
            self._set_lifecycle(desired)
        if "tags" in changes:
            ecr.tag_resource(resourceArn=current["arn"], tags=dict_to_tags(desired["tags"]))

    def delete(self, current):
        ignore_missing(lambda: self.client("ecr").delete_repository(repositoryName=self.name, force=True), GONE)

    @staticmethod
    def _mutability(desired):
        """The parameters that say what tags may do."""
        if "tag_mutability" not in desired:
            return {}
        filters = exclusion_filters(desired["tag_mutability_exclusions"])
        return {
            "imageTagMutability": desired["tag_mutability"],
            **({"imageTagMutabilityExclusionFilters": filters} if filters else {}),
        }

    def _set_lifecycle(self, desired):
        ecr, repository = self.client("ecr"), {"repositoryName": self.name}
        policy = lifecycle_policy(desired["keep_images"], desired["untagged_days"])
        if policy:
            ecr.put_lifecycle_policy(**repository, lifecyclePolicyText=json.dumps(policy))
        else:
            ignore_missing(lambda: ecr.delete_lifecycle_policy(**repository), "LifecyclePolicyNotFoundException")


def check(module):
    """Fail on what ECR would refuse half way through."""
    params = module.params
    for option in ("keep_images", "untagged_days"):
        if params[option] is not None and params[option] < 1:
            module.fail_json(
                msg=f"{option} is {params[option]}, but must be at least 1. Leave it out to expire nothing."
            )
    excludes = str(params["tag_mutability"]).endswith("_WITH_EXCLUSION")
    if excludes != bool(params["tag_mutability_exclusions"]):
        module.fail_json(
            msg=f"tag_mutability is {params['tag_mutability']} and tag_mutability_exclusions is "
            f"{params['tag_mutability_exclusions']}: …_WITH_EXCLUSION and exclusions go together."
        )
    if params["kms_key"] and params["encryption"] == "AES256":
        module.fail_json(msg="kms_key is given, but encryption is AES256. Set encryption to KMS, or leave kms_key out.")


def main():
    mutability = ["MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"]
    spec = argument_spec(
        name={"type": "str", "required": True},
        scan_on_push={"type": "bool"},
        tag_mutability={"type": "str", "choices": mutability},
        tag_mutability_exclusions={"type": "list", "elements": "str"},
        encryption={"type": "str", "choices": ["AES256", "KMS", "KMS_DSSE"], "default": "AES256"},
        # The name of a key is no secret.
        kms_key={"type": "str", "no_log": False},
        keep_images={"type": "int"},
        untagged_days={"type": "int"},
    )
    module = AnsibleAWSModule(argument_spec=spec, supports_check_mode=True)
    if module.params["state"] == "present":
        check(module)
    EcrRepository(module).run()


if __name__ == "__main__":
    main()
