#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: log_group
version_added: 0.1.0
short_description: Keep a log group of CloudWatch Logs
description:
  - Makes, changes and deletes a log group. Deleting takes its logs with it.
  - Log groups that AWS services make themselves keep their logs for ever and stay behind. Make them first with this.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the log group, such as V(/ecs/petclinic-rest-task).
    type: str
    required: true
  retention_days:
    description: Days after which log events go. V(0) keeps them for ever. Left alone when not given.
    type: int
    choices:
      [0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]
  kms_key:
    description:
      - ARN of the key that encrypts new log events. Empty goes back to CloudWatch's own. Left alone when not given.
      - The key's policy must let CloudWatch Logs use it.
    type: str
  metric_filters:
    description:
      - Metrics that count lines. A filter that is not named is taken away. Left alone when not given.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the filter within the log group.
        type: str
        required: true
      pattern:
        description: Which lines, as in
          U(https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html), such as V(ERROR).
        type: str
        required: true
      namespace:
        description: Namespace of the metric.
        type: str
        required: true
      metric:
        description: Name of the metric. A line adds 1 to it, and a minute with other lines only is 0.
        type: str
        required: true
  also_untagged:
    description:
      - With O(state=absent), whether a log group without any tags goes as well, whatever O(owner) says. An AWS service
        makes its log group anew without them where it writes on after ours was deleted.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Keep the log group of the petclinic tasks
  handson.ecs.log_group:
    name: /ecs/petclinic-rest-task
    retention_days: 14
    metric_filters:
      - name: errors
        pattern: ERROR
        namespace: handson/petclinic-rest-cluster
        metric: petclinic-rest-errors
"""

RETURN = r"""
log_group:
  description: The log group in the names of the options, with its ARN.
  returned: always
  type: dict
  sample:
    name: /ecs/petclinic-rest-task
    arn: arn:aws:logs:ap-southeast-1:123456789012:log-group:/ecs/petclinic-rest-task
    retention_days: 14
    kms_key: ""
    metric_filters: []
    tags: {"handson:service": petclinic-rest-service}
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils.log_groups import RETENTION_DAYS, filter_to_aws, filters_from_aws
from ansible_collections.handson.ecs.plugins.module_utils.resource import Resource, argument_spec, ignore_missing

GONE = "ResourceNotFoundException"
#: Said while another call about the same group is under way
BUSY = ("OperationAbortedException",)


class LogGroup(Resource):
    kind = "log group"
    result_key = "log_group"
    exists_codes = ("ResourceAlreadyExistsException",)

    def get(self):
        logs = self.client("logs")
        # Groups come sorted by name, so the one whose name is the prefix is the first of them: one page is enough.
        page = logs.describe_log_groups(logGroupNamePrefix=self.name)["logGroups"]
        found = [g for g in page if g["logGroupName"] == self.name]
        if not found:
            return None
        group = found[0]
        # `arn` ends in ":*", with which the calls about tags do not find it.
        arn = group.get("logGroupArn") or group["arn"].removesuffix(":*")
        return {
            "name": group["logGroupName"],
            "arn": arn,
            "retention_days": group.get("retentionInDays", 0),
            "kms_key": group.get("kmsKeyId") or "",
            "tags": logs.list_tags_for_resource(resourceArn=arn).get("tags") or {},
            **({} if self.params["metric_filters"] is None else {"metric_filters": self._filters()}),
        }

    def _foreign_because(self, current):
        if self.params["state"] == "absent" and self.params["also_untagged"] and not current["tags"]:
            return None  # who asks for it knows whose it was
        return super()._foreign_because(current)

    def _filters(self):
        pages = self.client("logs").get_paginator("describe_metric_filters").paginate(logGroupName=self.name)
        return filters_from_aws(f for page in pages for f in page["metricFilters"])

    def desired(self, current):
        wanted = self.given("name", "retention_days", "kms_key", "metric_filters")
        if "metric_filters" in wanted:
            wanted["metric_filters"] = sorted((dict(f) for f in wanted["metric_filters"]), key=lambda f: f["name"])
        return wanted

    def create(self, desired):
        optional = {"tags": desired.get("tags"), "kmsKeyId": desired.get("kms_key")}
        self.retry_on(
            BUSY,
            lambda: self.client("logs").create_log_group(
                logGroupName=self.name, **{k: v for k, v in optional.items() if v}
            ),
        )
        if desired.get("retention_days"):
            self._set_retention(desired["retention_days"])
        self._set_filters([], desired.get("metric_filters") or [])

    def update(self, current, desired, changes):
        logs, group = self.client("logs"), {"logGroupName": self.name}
        if "retention_days" in changes:
            self._set_retention(desired["retention_days"])
        if "kms_key" in changes:
            if desired["kms_key"]:
                self.retry_on(BUSY, lambda: logs.associate_kms_key(**group, kmsKeyId=desired["kms_key"]))
            else:
                self.retry_on(BUSY, lambda: logs.disassociate_kms_key(**group))
        if "metric_filters" in changes:
            self._set_filters(current.get("metric_filters") or [], desired["metric_filters"])
        if "tags" in changes:
            logs.tag_resource(resourceArn=current["arn"], tags=desired["tags"])

    def delete(self, current):
        self.retry_on(
            BUSY, lambda: ignore_missing(lambda: self.client("logs").delete_log_group(logGroupName=self.name), GONE)
        )

    def _set_filters(self, live, wanted):
        logs, names = self.client("logs"), {f["name"] for f in wanted}
        for gone in (f for f in live if f["name"] not in names):
            logs.delete_metric_filter(logGroupName=self.name, filterName=gone["name"])
        for new in (f for f in wanted if f not in live):
            logs.put_metric_filter(logGroupName=self.name, **filter_to_aws(new))

    def _set_retention(self, days):
        logs, group = self.client("logs"), {"logGroupName": self.name}
        if days:
            self.retry_on(BUSY, lambda: logs.put_retention_policy(**group, retentionInDays=days))
        else:
            self.retry_on(BUSY, lambda: logs.delete_retention_policy(**group))


def main():
    spec = argument_spec(
        name={"type": "str", "required": True},
        retention_days={"type": "int", "choices": [0, *RETENTION_DAYS]},
        # The name of a key is no secret.
        kms_key={"type": "str", "no_log": False},
        also_untagged={"type": "bool", "default": False},
        metric_filters={
            "type": "list",
            "elements": "dict",
            "options": {o: {"type": "str", "required": True} for o in ("name", "pattern", "namespace", "metric")},
        },
    )
    LogGroup(AnsibleAWSModule(argument_spec=spec, supports_check_mode=True)).run()


if __name__ == "__main__":
    main()
