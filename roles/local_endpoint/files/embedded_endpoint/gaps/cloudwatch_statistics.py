# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""GetMetricData, GetMetricStatistics, ListMetrics: percentiles, exact dimensions, periods that begin at whole ones.

moto 5.2.5 has no percentiles, takes a metric with more dimensions than were asked for (all of them in
GetMetricStatistics, those of a query without any in GetMetricData) and one of another namespace for the same, begins
periods at the second that was asked for, looks through all values for each period of each query, and lists a metric
with two dimensions once for each of its values.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.metric_data_expression_parser import parse_expression
from moto.cloudwatch.models import CloudWatchBackend, MetricAggregatedDatum, MetricDatum, MetricDatumBase, Statistics
from moto.cloudwatch.responses import CloudWatchResponse

from embedded_endpoint.gaps.patching import replace

PLAIN = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
PERCENTILE = re.compile(r"p(100|\d{1,2}(\.\d+)?)")
EPOCH = datetime(1970, 1, 1)


def samples(datum: MetricDatumBase) -> Mapping[float, float] | None:
    """{value: how often} of what was put, None where that isn't known: "statistic sets" hold no distribution."""
    if isinstance(datum, MetricDatum):
        return {datum.value: 1}
    if isinstance(datum, MetricAggregatedDatum):
        if hasattr(datum, "counts"):
            return datum.counts
        if datum.min == datum.max:
            return {datum.min: datum.sample_count}
    return None


def percentile(data: Iterable[MetricDatumBase], rank: float) -> float | None:
    """The smallest value that at least `rank` percent of the samples do not exceed; None where that isn't known."""
    counts: dict[float, float] = defaultdict(float)
    for datum in data:
        found = samples(datum)
        if found is None:
            return None
        for value, number in found.items():
            counts[value] += number
    left = sum(counts.values()) * rank / 100
    for value in sorted(counts):
        left -= counts[value]
        if left <= 1e-9:
            return value
    return None


def statistic(data: list[MetricDatumBase], name: str, at: datetime) -> Any:
    """One statistic of the values of a period."""
    if name in PLAIN:
        found = Statistics([name], at)
        found.metric_data = data
        return found.get_statistics_for_type(name)
    if not PERCENTILE.fullmatch(name):
        raise ValidationError(
            f"The local endpoint has no statistic {name}: it has {', '.join(PLAIN)} and percentiles such as p99."
        )
    return percentile(data, float(name[1:]))


def _naive(at: datetime) -> datetime:
    return (at - at.utcoffset()).replace(tzinfo=None) if at.tzinfo else at


def periods(
    backend,
    namespace: str,
    name: str,
    dimensions: list[dict[str, str]],
    start: datetime,
    end: datetime,
    period: int,
    unit: str | None,
) -> list[tuple[datetime, list[MetricDatumBase]]]:
    """The values of one metric by the periods that hold any, oldest first."""
    wanted = sorted((each["Name"], each["Value"]) for each in dimensions)
    length = timedelta(seconds=period)
    start, end = _naive(start), _naive(end)
    first = EPOCH + (start - EPOCH) // length * length
    found: dict[datetime, list[MetricDatumBase]] = defaultdict(list)
    for datum in backend.get_all_metrics():
        if datum.name != name or datum.namespace != namespace or (unit and datum.unit != unit):
            continue
        at = _naive(datum.timestamp)
        if first <= at < end and sorted((each.name, each.value) for each in datum.dimensions) == wanted:
            found[EPOCH + (at - EPOCH) // length * length].append(datum)
    return sorted(found.items())


@replace(CloudWatchBackend)
def get_metric_data(original, self, queries, start_time, end_time, scan_by="TimestampAscending"):
    plain = [query for query in queries if "MetricStat" in query]
    # It checks the times, too.
    others = original(self, [query for query in queries if "MetricStat" not in query], start_time, end_time, scan_by)
    results, shown = [], []
    for query in plain:
        asked, metric = query["MetricStat"], query["MetricStat"]["Metric"]
        rows = periods(
            self,
            metric["Namespace"],
            metric["MetricName"],
            metric.get("Dimensions") or [],
            start_time,
            end_time,
            int(asked["Period"]),
            asked.get("Unit"),
        )
        values = [(at, statistic(data, asked["Stat"], at)) for at, data in rows]
        values = [(at, value) for at, value in values if value is not None]
        if scan_by == "TimestampDescending":
            values.reverse()
        result = {
            "id": query["Id"],
            "label": query.get("Label") or metric["MetricName"],
            "values": [value for _, value in values],
            "timestamps": [at for at, _ in values],
            "status_code": "Complete",
        }
        results.append(result)
        if query.get("ReturnData", True):
            shown.append(result)
    expressions = {query["Id"]: query["Expression"] for query in queries if "Expression" in query}
    for result in others:
        if not expressions[result["id"]].startswith("SELECT"):
            result["values"], result["timestamps"] = parse_expression(expressions[result["id"]], results)
    return shown + others


@replace(CloudWatchBackend)
def get_filtered_metrics(original, self, metric_name, namespace, dimensions):
    found = {}
    for datum in self.get_all_metrics():
        key = datum.namespace, datum.name, tuple(sorted((each.name, each.value) for each in datum.dimensions))
        if key not in found and datum.filter(namespace, metric_name, dimensions):
            found[key] = datum
    return list(found.values())


@replace(CloudWatchBackend)
def get_metric_statistics(
    original, self, namespace, metric_name, start_time, end_time, period, stats, dimensions, unit=None
):
    original(self, namespace, "", start_time, end_time, period, stats, [], unit)  # it checks the times
    found = []
    for at, data in periods(self, namespace, metric_name, dimensions, start_time, end_time, period, unit):
        one = Statistics(stats, at, data[-1].unit)
        one.metric_data = data
        found.append(one)
    return found


@replace(CloudWatchResponse, "get_metric_statistics")
def _with_percentiles(original, self):
    answer = original(self)
    wanted = self._get_param("ExtendedStatistics") or []
    for one in answer.result["Datapoints"] if wanted else []:
        values = {name: statistic(one.metric_data, name, one.timestamp) for name in wanted}
        one.extended_statistics = {name: value for name, value in values.items() if value is not None}
    return answer
