# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Buckets: tags from their first moment, and bucket policies that ask for TLS.

moto 5.2.5 ignores the tags of CreateBucket, and follows a bucket policy's Deny whatever its conditions say, so that
"refuse whoever comes without TLS" refuses everybody. Clients come to this endpoint by HTTP and on AWS by HTTPS: it
takes them as having come by TLS.
"""

import json

import xmltodict
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response

from embedded_endpoint.gaps.patching import replace


@replace(FakeBucket)
def get_permission(original, self, action, resource):
    policy = self.policy
    if policy is None:
        return original(self, action, resource)
    document = json.loads(policy)
    statements = document.get("Statement") or []
    statements = statements if isinstance(statements, list) else [statements]
    document["Statement"] = [s for s in statements if not _only_without_tls(s)]
    self.policy = json.dumps(document).encode()
    try:
        return original(self, action, resource)
    finally:
        self.policy = policy


def _only_without_tls(statement) -> bool:
    asked = (statement.get("Condition") or {}).get("Bool", {}).get("aws:SecureTransport")
    return str(asked[0] if isinstance(asked, list) else asked).lower() == "false"


@replace(S3Response)
def _bucket_response_put(original, self, request, bucket_name, querystring):
    new = not querystring and bucket_name not in self.backend.buckets
    answer = original(self, request, bucket_name, querystring)
    if new and self.body and bucket_name in self.backend.buckets:
        configuration = xmltodict.parse(self.body, force_list=("Tag",)).get("CreateBucketConfiguration") or {}
        tags = (configuration.get("Tags") or {}).get("Tag") or []
        if tags:
            self.backend.put_bucket_tagging(bucket_name, {t["Key"]: t.get("Value") or "" for t in tags})
    return answer
