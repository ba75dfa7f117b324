#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: dashboard
version_added: 0.1.0
short_description: Keep a CloudWatch dashboard
description:
  - Makes, changes and deletes a dashboard. Bodies are compared by meaning, not by their text.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the dashboard, up to 255 letters, digits, hyphens and underscores.
    type: str
    required: true
  body:
    description: Widgets and the like, as in
      U(https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html).
      Required for O(state=present).
    type: dict
  load_balancer:
    description: Name of the load balancer that V($load_balancer) stands for in the body.
    type: str
  target_group:
    description: Name of the target group that V($target_group) stands for in the body.
    type: str
"""

EXAMPLES = r"""
- name: Keep the dashboard of the petclinic service
  handson.ecs.dashboard:
    name: petclinic-rest
    body:
      widgets:
        - type: metric
          width: 12
          height: 6
          properties:
            title: CPU
            region: ap-southeast-1
            metrics:
              - [AWS/ECS, CPUUtilization, ClusterName, petclinic-rest-cluster, ServiceName, petclinic-rest-service]
    owner:
      handson:cluster: petclinic-rest-cluster
      handson:service: petclinic-rest-service
"""

RETURN = r"""
dashboard:
  description: The dashboard, with the link that shows it.
  returned: always
  type: dict
  sample:
    name: petclinic-rest
    arn: arn:aws:cloudwatch::123456789012:dashboard/petclinic-rest
    body: {widgets: []}
    tags: {"handson:service": petclinic-rest-service}
"""

import json

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags, tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.metric_names import balancer_names, filled_in, mentions
from ansible_collections.handson.ecs.plugins.module_utils.resource import Resource, argument_spec, ignore_missing

#: How GetDashboard and DeleteDashboards say that there is none.
GONE = ("ResourceNotFound", "ResourceNotFoundException")


class Dashboard(Resource):
    kind = "dashboard"
    result_key = "dashboard"

    def get(self):
        cloudwatch = self.client("cloudwatch")
        found = ignore_missing(lambda: cloudwatch.get_dashboard(DashboardName=self.name), *GONE)
        if found is None:
            return None
        return {
            "name": found["DashboardName"],
            "arn": found["DashboardArn"],
            "body": json.loads(found["DashboardBody"]),
            "tags": tags_to_dict(cloudwatch.list_tags_for_resource(ResourceARN=found["DashboardArn"])["Tags"]),
        }

    def desired(self, current):
        body = self.params["body"]
        if mentions(body):
            body = filled_in(body, balancer_names(self, self.params["load_balancer"], self.params["target_group"]))
        # As it comes back: JSON knows no tuples and no integer keys.
        return {"name": self.name, "body": json.loads(json.dumps(body))}

    def create(self, desired):
        tags = {"Tags": dict_to_tags(desired["tags"])} if desired.get("tags") else {}
        self._put(desired, **tags)

    def update(self, current, desired, changes):
        if "body" in changes:
            self._put(desired)
        if "tags" in changes:
            self.client("cloudwatch").tag_resource(ResourceARN=current["arn"], Tags=dict_to_tags(desired["tags"]))

    def delete(self, current):
        # Gone is gone: by a first try whose answer was lost, or by hand.
        ignore_missing(lambda: self.client("cloudwatch").delete_dashboards(DashboardNames=[self.name]), *GONE)

    def _put(self, desired, **more):
        answer = self.client("cloudwatch").put_dashboard(
            DashboardName=self.name, DashboardBody=json.dumps(desired["body"]), **more
        )
        # It is kept nevertheless, with widgets that show nothing; a failure would be forgotten by the next run.
        said = [f"{m.get('DataPath')}: {m.get('Message')}" for m in answer.get("DashboardValidationMessages") or []]
        if said:
            self.module.warn(f"CloudWatch took the dashboard {self.name!r} but says: {'; '.join(said)}. Mend body.")


def main():
    spec = argument_spec(
        name={"type": "str", "required": True},
        body={"type": "dict"},
        load_balancer={"type": "str"},
        target_group={"type": "str"},
    )
    Dashboard(
        AnsibleAWSModule(argument_spec=spec, supports_check_mode=True, required_if=[("state", "present", ["body"])])
    ).run()


if __name__ == "__main__":
    main()
