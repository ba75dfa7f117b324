#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: bucket
version_added: 0.1.0
short_description: Keep a private S3 bucket
description:
  - Makes, changes, empties and deletes an S3 bucket that is private, encrypted and reached by TLS only.
  - Public access is blocked in all four ways, ACLs are off, and a bucket policy refuses whoever comes without TLS.
    That is no option. Other statements of the bucket policy are left alone.
  - Several hosts may make the same bucket at once. It carries its tags from its first moment.
  - Deleting takes every version, delete marker and unfinished upload with it.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  state:
    description:
      - V(present) makes or changes the bucket, V(absent) takes it away with all that is in it.
      - V(empty) deletes what is below O(prefix) and keeps the bucket. Without a bucket there is nothing to do.
    type: str
    choices: [present, absent, empty]
    default: present
  name:
    description:
      - Name of the bucket, 3 to 63 lower-case letters, digits and hyphens. Names are the whole world's.
    type: str
    required: true
  kms_key:
    description:
      - ARN of the KMS key that encrypts new objects. Empty means S3's own keys (SSE-S3).
    type: str
    default: ""
  versioning:
    description: Whether replaced and deleted objects are kept as versions. Left alone when not given.
    type: bool
  lifecycle:
    description:
      - What goes by itself. All of the bucket's lifecycle rules, so that an empty dictionary deletes them.
      - Left alone when not given.
    type: dict
    suboptions:
      expire:
        description: Objects that go after some days.
        type: list
        elements: dict
        default: []
        suboptions:
          prefix:
            description: What their keys begin with. Empty means every object.
            type: str
            default: ""
          days:
            description: Days after which they go, from when they were written.
            type: int
            required: true
      noncurrent_days:
        description: Days after which versions that are no longer the current one go. V(0) keeps them.
        type: int
        default: 0
      abort_uploads_days:
        description: Days after which an unfinished upload goes. V(0) keeps it.
        type: int
        default: 0
  prefix:
    description:
      - What the keys begin with that V(state=empty) deletes, such as V(petclinic-rest/).
    type: str
"""

EXAMPLES = r"""
- name: Keep the cache of the builds
  handson.ecs.bucket:
    name: alice-codebuild-cache-store
    lifecycle:
      expire:
        - days: 30
      abort_uploads_days: 1
    owner:
      handson:cluster: petclinic-rest-cluster

- name: Delete what one project cached
  handson.ecs.bucket:
    name: alice-codebuild-cache-store
    state: empty
    prefix: petclinic-rest/
    owner:
      handson:cluster: petclinic-rest-cluster
"""

RETURN = r"""
bucket:
  description: The bucket in the names of the options, with its ARN and region.
  returned: always
  type: dict
  sample:
    name: alice-codebuild-cache-store
    arn: arn:aws:s3:::alice-codebuild-cache-store
    region: ap-southeast-1
    private: true
    tls_only: true
    kms_key: ""
    lifecycle: {"expire": [{"prefix": "", "days": 30}], "noncurrent_days": 0, "abort_uploads_days": 1}
    tags: {"handson:cluster": petclinic-rest-cluster}
deleted:
  description: How many objects, versions and unfinished uploads went. Not known in check mode.
  returned: when O(state) is V(empty) or V(absent)
  type: int
  sample: 2
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils.buckets import (
    OWNERSHIP,
    PUBLIC_ACCESS_BLOCK,
    encryption_from_aws,
    encryption_to_aws,
    has_tls_only,
    lifecycle_fault,
    lifecycle_from_aws,
    lifecycle_to_aws,
    location,
    name_fault,
    normalized_lifecycle,
    versions_of,
    with_tls_only,
)
from ansible_collections.handson.ecs.plugins.module_utils.compare import chunks, dict_to_tags, foreign_because, tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    ClientError,
    Resource,
    ResourceError,
    argument_spec,
    ignore_missing,
)

#: Said while another call about the same bucket is under way, such as another host's that makes the same one
BUSY = ("OperationAborted", "A conflicting conditional operation")
#: Said of a bucket that is new and not yet seen everywhere
NEW = (*BUSY, "NoSuchBucket")
#: The most that DeleteObjects takes at once
AT_ONCE = 1000
#: How often a bucket that others still write to is emptied before it is deleted
TRIES = 5


class Bucket(Resource):
    kind = "bucket"
    result_key = "bucket"
    # Elsewhere than in us-east-1, which answers 200 for a bucket that is yours.
    exists_codes = ("BucketAlreadyOwnedByYou",)
    immutable = frozenset({"region"})

    def __init__(self, module):
        super().__init__(module)
        self._policy = None  # the bucket's policy as it is, for statements that are not ours
        self._deleted = 0

    @property
    def going(self):
        """Whether it is to be deleted or emptied, for which its settings don't matter."""
        return self.params["state"] != "present"

    def get(self):
        # Another host that shares the bucket may delete it between two of our questions.
        return ignore_missing(self._look, "NoSuchBucket")

    def _look(self):
        s3, bucket = self.client("s3"), {"Bucket": self.name}
        try:
            head = s3.head_bucket(**bucket)
        except ClientError as e:
            # The answer to a HEAD has no body, so its code is the HTTP status.
            status = e.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status == 404:
                return None
            if status == 403:
                return self._somebody_elses()
            raise
        arn = f"arn:{s3.meta.partition}:s3:::{self.name}"
        state = {
            "name": self.name,
            "arn": arn,
            "region": head.get("BucketRegion") or s3.meta.region_name,
            "tags": tags_to_dict((ignore_missing(lambda: s3.get_bucket_tagging(**bucket), "NoSuchTagSet") or {}).get("TagSet")),
        }
        # Of somebody else's bucket nothing more is asked, nor of one that goes.
        if self.going or foreign_because(state["tags"], self.params["owner"]):
            return state
        block = ignore_missing(lambda: s3.get_public_access_block(**bucket), "NoSuchPublicAccessBlockConfiguration")
        controls = ignore_missing(
            lambda: s3.get_bucket_ownership_controls(**bucket), "OwnershipControlsNotFoundError"
        )
        rules = ((controls or {}).get("OwnershipControls") or {}).get("Rules") or []
        self._policy = (
            ignore_missing(lambda: s3.get_bucket_policy(**bucket), "NoSuchBucketPolicy") or {}
        ).get("Policy")
        encryption = ignore_missing(
            lambda: s3.get_bucket_encryption(**bucket), "ServerSideEncryptionConfigurationNotFoundError"
        )
        state |= {
            "private": ((block or {}).get("PublicAccessBlockConfiguration") or {}) == PUBLIC_ACCESS_BLOCK
            and [r["ObjectOwnership"] for r in rules] == [OWNERSHIP],
            "tls_only": has_tls_only(self._policy, arn),
            "kms_key": encryption_from_aws((encryption or {}).get("ServerSideEncryptionConfiguration")),
        }
        if self.params["versioning"] is not None:
            state["versioning"] = s3.get_bucket_versioning(**bucket).get("Status") == "Enabled"
        if self.params["lifecycle"] is not None:
            found = ignore_missing(
                lambda: s3.get_bucket_lifecycle_configuration(**bucket), "NoSuchLifecycleConfiguration"
            )
            state["lifecycle"] = lifecycle_from_aws((found or {}).get("Rules"))
        return state

    def _somebody_elses(self):
        if self.going:
            return {"name": self.name, "arn": None, "region": None, "tags": {}}
        raise ResourceError(
            f"The bucket {self.name!r} is there, but S3 lets you not look at it (403): it is somebody else's, since "
            "bucket names are the whole world's, or you lack s3:ListBucket on it. It was not touched. Choose another "
            "name: build_username in the inventory is part of the names of our buckets."
        )

    def desired(self, current):
        desired = {"name": self.name, "private": True, "tls_only": True}
        desired |= {"region": self.client("s3").meta.region_name, **self.given("kms_key", "versioning")}
        if self.params["lifecycle"] is not None:
            desired["lifecycle"] = normalized_lifecycle(self.params["lifecycle"])
        return desired

    def create(self, desired):
        s3 = self.client("s3")
        where = location(desired["region"], dict_to_tags(desired.get("tags") or {}))
        try:
            self.retry_on(
                BUSY, lambda: s3.create_bucket(Bucket=self.name, ObjectOwnership=OWNERSHIP, **where)
            )
        except ClientError as e:
            if e.response.get("Error", {}).get("Code") != "BucketAlreadyExists":
                raise
            raise ResourceError(
                f"There is a bucket named {self.name!r} in somebody else's account: bucket names are the whole world's. "
                "Choose another name: build_username in the inventory is part of the names of our buckets."
            ) from None
        self._configure(desired, set(desired) - {"tags"})

    def update(self, current, desired, changes):
        self._configure(desired, changes)

    def _configure(self, desired, changes):
        bucket = {"Bucket": self.name}
        s3 = self.client("s3")

        def put(method, **parameters):
            self.retry_on(NEW, lambda: method(**bucket, **parameters), timeout=60, interval=1)

        if "tags" in changes:  # the whole set: `desired` has those that were there, too
            put(s3.put_bucket_tagging, Tagging={"TagSet": dict_to_tags(desired["tags"])})
        if "private" in changes:
            put(s3.put_public_access_block, PublicAccessBlockConfiguration=PUBLIC_ACCESS_BLOCK)
            put(s3.put_bucket_ownership_controls, OwnershipControls={"Rules": [{"ObjectOwnership": OWNERSHIP}]})
        if "kms_key" in changes:
            put(s3.put_bucket_encryption, ServerSideEncryptionConfiguration=encryption_to_aws(desired["kms_key"]))
        if "tls_only" in changes:
            arn = f"arn:{s3.meta.partition}:s3:::{self.name}"
            put(s3.put_bucket_policy, Policy=with_tls_only(self._policy, arn))
        if "versioning" in changes:
            status = "Enabled" if desired["versioning"] else "Suspended"
            put(s3.put_bucket_versioning, VersioningConfiguration={"Status": status})
        if "lifecycle" in changes:
            rules = lifecycle_to_aws(desired["lifecycle"])
            if rules:
                put(s3.put_bucket_lifecycle_configuration, LifecycleConfiguration={"Rules": rules})
            else:
                put(s3.delete_bucket_lifecycle)

    # --- emptying and deleting ------------------------------------------------------------------------------------

    def delete(self, current):
        s3 = self.client("s3")
        for left in range(TRIES - 1, -1, -1):
            self._empty("")
            try:
                self.retry_on(BUSY, lambda: ignore_missing(lambda: s3.delete_bucket(Bucket=self.name), "NoSuchBucket"))
                return
            except ClientError as e:  # somebody wrote to it in the meantime
                if e.response.get("Error", {}).get("Code") != "BucketNotEmpty" or not left:
                    raise

    def _absent(self):
        current = self.get()
        result = {"changed": False, "diff": self._diff({}, {}), "bucket": current, "deleted": 0}
        if current is None or self._left_alone(current):
            return {**result, "foreign": True} if current else result
        if not self.module.check_mode:
            self.delete(current)
        return {"changed": True, "diff": self._diff(current, {}), "bucket": None, "deleted": self._deleted}

    def _left_alone(self, current):
        """Whether the bucket is somebody else's. Of one that another owner of ours shares by its name nothing is said."""
        reason = foreign_because(current["tags"], self.params["owner"])
        if reason and not set(self.params["owner"]) <= set(current["tags"]):
            self.module.warn(f"The {self.kind} {self.name!r} is left alone: {reason}.")
        return reason is not None

    def _emptied(self):
        """What `state: empty` does."""
        current, prefix = self.get(), self.params["prefix"]
        result = {"changed": False, "diff": self._diff({}, {}), "bucket": current, "deleted": 0}
        if current is None or self._left_alone(current):
            return {**result, "foreign": True} if current else result
        if self.module.check_mode:
            return {**result, "changed": self._holds(prefix), "diff": self._diff({"prefix": prefix}, {})}
        self._empty(prefix)
        return {**result, "changed": bool(self._deleted), "deleted": self._deleted, "diff": self._diff({"prefix": prefix}, {})}

    def _holds(self, prefix):
        """Whether there is anything below a prefix."""
        below = {"Bucket": self.name, "Prefix": prefix}
        s3 = self.client("s3")
        objects = ignore_missing(lambda: s3.list_object_versions(**below, MaxKeys=1), "NoSuchBucket") or {}
        uploads = ignore_missing(lambda: s3.list_multipart_uploads(**below, MaxUploads=1), "NoSuchBucket") or {}
        return bool(versions_of(objects) or uploads.get("Uploads"))

    def _empty(self, prefix):
        ignore_missing(lambda: self._delete_below(prefix), "NoSuchBucket")

    def _delete_below(self, prefix):
        s3, below = self.client("s3"), {"Bucket": self.name, "Prefix": prefix}
        for page in s3.get_paginator("list_multipart_uploads").paginate(**below):
            for upload in page.get("Uploads") or []:
                which = {"Bucket": self.name, "Key": upload["Key"], "UploadId": upload["UploadId"]}
                ignore_missing(lambda w=which: s3.abort_multipart_upload(**w), "NoSuchUpload")
                self._deleted += 1
        for page in s3.get_paginator("list_object_versions").paginate(**below):
            for batch in chunks(versions_of(page), AT_ONCE):
                answer = s3.delete_objects(Bucket=self.name, Delete={"Objects": list(batch), "Quiet": True})
                errors = answer.get("Errors") or []
                self._deleted += len(batch) - len(errors)
                if errors:
                    first = errors[0]
                    raise ResourceError(
                        f"{len(errors)} objects of the bucket {self.name!r} could not be deleted, the first of them "
                        f"{first.get('Key')!r}: {first.get('Code')} {first.get('Message', '')}. What could be deleted "
                        "is gone; mend this and run again."
                    )

    def run(self):
        if self.params["state"] == "present":
            for option, fault in (
                ("name", name_fault(self.name)),
                ("lifecycle", lifecycle_fault(self.params["lifecycle"] or {})),
            ):
                if fault:
                    self.module.fail_json(msg=f"The bucket {self.name!r} can't be: {fault}. Change its {option}.")
        elif self.params["state"] == "empty":
            try:
                self.module.exit_json(**self._emptied())
            except ResourceError as e:
                self.module.fail_json(msg=str(e))
            except ClientError as e:
                self.module.fail_json_aws(e, msg=f"Could not empty the bucket {self.name!r}")
        super().run()


def main():
    expire = {"prefix": {"type": "str", "default": ""}, "days": {"type": "int", "required": True}}
    lifecycle = {
        "expire": {"type": "list", "elements": "dict", "default": [], "options": expire},
        "noncurrent_days": {"type": "int", "default": 0},
        "abort_uploads_days": {"type": "int", "default": 0},
    }
    spec = argument_spec(
        state={"type": "str", "choices": ["present", "absent", "empty"], "default": "present"},
        name={"type": "str", "required": True},
        # The name of a key is no secret.
        kms_key={"type": "str", "default": "", "no_log": False},
        versioning={"type": "bool"},
        lifecycle={"type": "dict", "options": lifecycle},
        prefix={"type": "str"},
    )
    required_if = [("state", "empty", ["prefix"])]
    Bucket(AnsibleAWSModule(argument_spec=spec, supports_check_mode=True, required_if=required_if)).run()


if __name__ == "__main__":
    main()
