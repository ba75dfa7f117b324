# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Metric filters: moto 5.2.5 puts a second one of the same name beside the first, and keeps those of a deleted group."""

from moto.logs.metric_filters import MetricFilters
from moto.logs.models import LogsBackend

from embedded_endpoint.gaps.patching import replace


@replace(MetricFilters)
def add_filter(original, self, filter_name, filter_pattern, log_group_name, metric_transformations):
    self.metric_filters = [
        f for f in self.metric_filters if (f["filterName"], f["logGroupName"]) != (filter_name, log_group_name)
    ]
    original(self, filter_name, filter_pattern, log_group_name, metric_transformations)


@replace(LogsBackend)
def delete_log_group(original, self, log_group_name):
    original(self, log_group_name)
    self.filters.metric_filters = [f for f in self.filters.metric_filters if f["logGroupName"] != log_group_name]
