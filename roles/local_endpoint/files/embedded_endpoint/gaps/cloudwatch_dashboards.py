# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Tags of dashboards: moto 5.2.5 drops those of PutDashboard and finds no dashboard to tag."""

from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse

from embedded_endpoint.gaps.patching import replace


@replace(CloudWatchResponse)
def put_dashboard(original, self):
    backend, name = self.cloudwatch_backend, self._get_param("DashboardName")
    new = name not in backend.dashboards
    answer = original(self)
    tags = self._get_param("Tags") or []
    if new and tags:  # CloudWatch takes no notice of those of a dashboard that is there
        backend.tagger.tag_resource(backend.dashboards[name].arn, tags)
    return answer


@replace(CloudWatchBackend)
def tag_resource(original, self, arn, tags):
    if arn in _arns(self):
        self.tagger.tag_resource(arn, self.tagger.convert_dict_to_tags_input(tags))
    else:
        original(self, arn, tags)


@replace(CloudWatchBackend)
def untag_resource(original, self, arn, tag_keys):
    if arn in _arns(self):
        self.tagger.untag_resource_using_names(arn, tag_keys)
    else:
        original(self, arn, tag_keys)


@replace(CloudWatchBackend)
def delete_dashboards(original, self, dashboards):
    arns = [self.dashboards[name].arn for name in dashboards if name in self.dashboards]
    answer = original(self, dashboards)
    for arn in set(arns) - _arns(self):
        self.tagger.delete_all_tags_for_resource(arn)
    return answer


def _arns(backend):
    return {dashboard.arn for dashboard in backend.dashboards.values()}
