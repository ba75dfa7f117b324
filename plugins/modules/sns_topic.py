#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: sns_topic
version_added: 0.1.0
short_description: Keep an SNS topic for alarms, with its subscribers
description:
  - Makes, changes and deletes a topic. AWS services may publish to it from this account alone (EventBridge takes no such
    condition), and everybody by TLS alone.
  - An e-mail address counts as subscribed from the moment AWS has sent its question. Nothing is sent to it before somebody
    has said yes; RV(topic.pending) names those that have not.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the topic, up to 256 letters, digits, hyphens and underscores.
    type: str
    required: true
  account_id:
    description: Twelve digits. SNS looks a topic up by ARN, and this is part of it. Asked of STS when not given.
    type: str
  publishers:
    description: AWS services that may publish, such as V(cloudwatch.amazonaws.com).
    type: list
    elements: str
    default: [cloudwatch.amazonaws.com]
  emails:
    description:
      - Addresses that get every message. Those that are no longer named are unsubscribed. An empty list is nobody.
      - Left alone when not given, so that what somebody subscribed in the console stays.
      - An address that has not confirmed can't be unsubscribed. When it is no longer named there is a warning and no change,
        until AWS drops it after two days.
    type: list
    elements: str
  kms_key:
    description:
      - Id, alias or ARN of the key that encrypts the messages. Empty is none. Left alone when not given.
      - It must be your own, with a policy that lets the publishers use it, EventBridge without a condition on the source.
        AWS's V(alias/aws/sns) has none, and what an alarm says would be lost.
    type: str
"""

EXAMPLES = r"""
- name: Keep the topic of the alarms
  handson.ecs.sns_topic:
    name: petclinic-rest-alarms
    publishers: [cloudwatch.amazonaws.com, events.amazonaws.com]
    emails: [ops@example.org]
    owner:
      handson:cluster: petclinic-rest-cluster
"""

RETURN = r"""
topic:
  description: The topic in the names of the options, with its ARN and the addresses that have not confirmed yet.
  returned: always
  type: dict
  sample:
    name: petclinic-rest-alarms
    arn: arn:aws:sns:ap-southeast-1:123456789012:petclinic-rest-alarms
    publishers: [cloudwatch.amazonaws.com]
    emails: [ops@example.org]
    pending: [ops@example.org]
    kms_key: ""
    tags: {"handson:cluster": petclinic-rest-cluster}
"""

import json

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import sns_topics
from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags, tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    Resource,
    ResourceError,
    argument_spec,
    ignore_missing,
)


class SnsTopic(Resource):
    kind = "topic"
    result_key = "topic"

    @property
    def arn(self):
        if not self.params["account_id"]:
            self.params["account_id"] = self.client("sts").get_caller_identity()["Account"]
        meta = self.client("sns").meta
        return f"arn:{meta.partition}:sns:{meta.region_name}:{self.params['account_id']}:{self.name}"

    def get(self):
        sns, arn = self.client("sns"), self.arn
        found = ignore_missing(lambda: sns.get_topic_attributes(TopicArn=arn), "NotFound", "NotFoundException")
        if found is None:
            return None
        attributes = found["Attributes"]
        pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
        self.subscriptions = {
            s["Endpoint"]: s["SubscriptionArn"]
            for p in pages
            for s in p["Subscriptions"]
            if s["Protocol"] == "email" and s["SubscriptionArn"] != sns_topics.DELETED
        }
        policy = json.loads(attributes.get("Policy") or "{}")
        pending = sorted(e for e, of in self.subscriptions.items() if of == sns_topics.PENDING)
        return {
            "name": self.name,
            "arn": arn,
            "publishers": sns_topics.publishers_of(policy, arn),
            # AWS has no call that takes its question back, so one that should not have been asked is no difference.
            "emails": sorted(set(self.subscriptions) - set(self._leaving(pending))),
            "pending": pending,
            "kms_key": attributes.get("KmsMasterKeyId") or "",
            "tags": tags_to_dict(sns.list_tags_for_resource(ResourceArn=arn)["Tags"]),
        }

    def _leaving(self, pending):
        wanted = self.params["emails"]
        return [] if wanted is None else [e for e in pending if e not in wanted]

    def desired(self, current):
        for email in self._leaving((current or {}).get("pending", [])):
            self.module.warn(
                f"{email} is no longer in emails but was asked to confirm and has not. There is no call to unsubscribe it: "
                "AWS takes the question back after two days."
            )
        wanted = self.given("name", "publishers", "emails", "kms_key")
        for of in ("publishers", "emails"):
            if of in wanted:
                wanted[of] = sorted(set(wanted[of]))
        if wanted.get("kms_key", "").endswith("alias/aws/sns"):
            raise ResourceError(
                f"kms_key is {wanted['kms_key']!r}, AWS's own key. CloudWatch and EventBridge may not use it, and an alarm "
                "would reach nobody. Name a key of yours whose policy lets them, or leave it empty."
            )
        return wanted

    def create(self, desired):
        tags = {"Tags": dict_to_tags(desired["tags"])} if desired.get("tags") else {}
        attributes = {"Policy": self._policy(desired)}
        if desired.get("kms_key"):
            attributes["KmsMasterKeyId"] = desired["kms_key"]
        self.client("sns").create_topic(Name=self.name, Attributes=attributes, **tags)
        self.subscriptions = {}
        self._subscribe(desired.get("emails"))

    def update(self, current, desired, changes):
        sns, arn = self.client("sns"), current["arn"]
        if "publishers" in changes:
            sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=self._policy(desired))
        if "kms_key" in changes:
            sns.set_topic_attributes(TopicArn=arn, AttributeName="KmsMasterKeyId", AttributeValue=desired["kms_key"])
        if "emails" in changes:
            self._subscribe(desired["emails"])
        if "tags" in changes:
            sns.tag_resource(ResourceArn=arn, Tags=dict_to_tags(desired["tags"]))

    def delete(self, current):
        # Takes its subscriptions with it.
        self.client("sns").delete_topic(TopicArn=current["arn"])

    def _policy(self, desired):
        return json.dumps(sns_topics.policy(self.arn, self.params["account_id"], desired.get("publishers") or []))

    def _subscribe(self, emails):
        sns = self.client("sns")
        for email in emails or []:
            if email not in self.subscriptions:
                sns.subscribe(TopicArn=self.arn, Protocol="email", Endpoint=email)
        for email, subscription in self.subscriptions.items():
            if emails is not None and email not in emails and subscription != sns_topics.PENDING:
                sns.unsubscribe(SubscriptionArn=subscription)


def main():
    spec = argument_spec(
        name={"type": "str", "required": True},
        account_id={"type": "str"},
        publishers={"type": "list", "elements": "str", "default": ["cloudwatch.amazonaws.com"]},
        emails={"type": "list", "elements": "str"},
        # The name of a key is no secret.
        kms_key={"type": "str", "no_log": False},
    )
    SnsTopic(AnsibleAWSModule(argument_spec=spec, supports_check_mode=True)).run()


if __name__ == "__main__":
    main()
