# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What CloudWatch Logs takes, and how it tells of metric filters."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

#: Days that it keeps events, where not for ever:
#: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip


def filters_from_aws(filters: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return metric filters of DescribeMetricFilters in the names of the options, sorted by name.

    What is not as `filter_to_aws` makes it has a key `other`, so that it is never equal to a wanted one.
    """
    found = []
    for one in filters:
        metric = (one.get("metricTransformations") or [{}])[0]
        option = {
            "name": one["filterName"],
            "pattern": one.get("filterPattern") or "",
            "namespace": metric.get("metricNamespace"),
            "metric": metric.get("metricName"),
        }
        said = {k: one.get(k) for k in ("filterName", "filterPattern", "metricTransformations")}
        found.append(option if said == filter_to_aws(option) else {**option, "other": said})
    return sorted(found, key=lambda f: f["name"])


def filter_to_aws(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of PutMetricFilter for the lines of one `metric_filters`, without the group's name."""
    metric = {"metricName": wanted["metric"], "metricNamespace": wanted["namespace"], "metricValue": "1", "defaultValue": 0.0}
    return {"filterName": wanted["name"], "filterPattern": wanted["pattern"], "metricTransformations": [metric]}
