# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What GetMetricData and GetMetricStatistics make of values that were put."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

MINUTE = datetime(2026, 11, 22, 10, 4, tzinfo=UTC)
ONE, OTHER = [{"Name": "Service", "Value": "one"}], [{"Name": "Service", "Value": "other"}]
BOTH = [*ONE, {"Name": "Group", "Value": "g"}]


@pytest.fixture
def cloudwatch(aws):
    """Twenty values of one metric in two minutes, and what must not be taken for them."""
    client = aws.cloudwatch

    def put(value, dimensions=ONE, namespace="Demo", at=MINUTE):
        data = {"MetricName": "Time", "Value": value, "Dimensions": dimensions, "Timestamp": at}
        client.put_metric_data(Namespace=namespace, MetricData=[data])

    for number in range(1, 11):
        put(number)
        put(number * 10, at=MINUTE + timedelta(minutes=1))
    put(5000, OTHER)
    put(6000, BOTH)
    put(7000, namespace="Elsewhere")
    return client


def asked(client, stat, dimensions=ONE, period=60, start=MINUTE, end=MINUTE + timedelta(minutes=2), **query):
    metric = {"Namespace": "Demo", "MetricName": "Time", "Dimensions": dimensions}
    query = {"Id": "m", "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}, **query}
    found = client.get_metric_data(
        MetricDataQueries=[query], StartTime=start, EndTime=end, ScanBy="TimestampAscending"
    )["MetricDataResults"]
    return list(zip(found[0]["Timestamps"], found[0]["Values"], strict=True)) if found else None


@pytest.mark.parametrize(
    ("stat", "first", "second"),
    [
        ("Average", 5.5, 55),
        ("Minimum", 1, 10),
        ("Maximum", 10, 100),
        ("Sum", 55, 550),
        ("SampleCount", 10, 10),
        ("p50", 5, 50),
        ("p90", 9, 90),
        ("p99", 10, 100),
        ("p99.9", 10, 100),
        ("p100", 10, 100),
    ],
)
def test_statistics(cloudwatch, stat, first, second):
    assert asked(cloudwatch, stat) == [(MINUTE, first), (MINUTE + timedelta(minutes=1), second)]


def test_dimensions_are_all_of_them(cloudwatch):
    assert asked(cloudwatch, "Sum", BOTH) == [(MINUTE, 6000)]
    assert asked(cloudwatch, "Sum", BOTH[1:]) == [] and asked(cloudwatch, "Sum", []) == []


def test_periods_begin_at_whole_ones(cloudwatch):
    late = MINUTE + timedelta(seconds=30)
    assert [at for at, _ in asked(cloudwatch, "Sum", start=late)] == [MINUTE, MINUTE + timedelta(minutes=1)]
    assert asked(cloudwatch, "Sum", period=300, start=late) == [(MINUTE.replace(minute=0), 55), (MINUTE.replace(minute=5), 550)]


def test_a_distribution_that_was_not_put_has_no_percentile(cloudwatch):
    sets = {"SampleCount": 3, "Sum": 30, "Minimum": 5, "Maximum": 20}
    data = {"MetricName": "Time", "StatisticValues": sets, "Dimensions": OTHER[:0], "Timestamp": MINUTE}
    cloudwatch.put_metric_data(Namespace="Demo", MetricData=[data])
    assert asked(cloudwatch, "Average", []) == [(MINUTE, 10)]
    assert asked(cloudwatch, "p99", []) == []


def test_what_it_lacks_it_says(cloudwatch):
    with pytest.raises(ClientError, match="no statistic tm99"):
        asked(cloudwatch, "tm99")


def test_an_expression_that_names_a_query(cloudwatch):
    metric = {"Namespace": "Demo", "MetricName": "Time", "Dimensions": ONE}
    queries = [
        {"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False},
        {"Id": "b", "Expression": "a", "Label": "the same"},
    ]
    (found,) = cloudwatch.get_metric_data(
        MetricDataQueries=queries, StartTime=MINUTE, EndTime=MINUTE + timedelta(minutes=2), ScanBy="TimestampAscending"
    )["MetricDataResults"]
    assert (found["Id"], found["Label"], found["Values"]) == ("b", "the same", [55, 550])


def test_a_metric_is_listed_once(cloudwatch):
    cloudwatch.put_metric_data(
        Namespace="Demo", MetricData=[{"MetricName": "Time", "Value": 1, "Dimensions": BOTH, "Timestamp": MINUTE}]
    )

    def listed(**asked):
        return sorted(len(each["Dimensions"]) for each in cloudwatch.list_metrics(Namespace="Demo", **asked)["Metrics"])

    assert listed() == [1, 1, 2] and listed(Dimensions=ONE) == [1, 2]
    assert listed(Dimensions=[{"Name": "Group"}]) == [2] and listed(MetricName="Else") == []


def test_get_metric_statistics(cloudwatch):
    found = cloudwatch.get_metric_statistics(
        Namespace="Demo",
        MetricName="Time",
        Dimensions=ONE,
        StartTime=MINUTE,
        EndTime=MINUTE + timedelta(minutes=1),
        Period=60,
        Statistics=["Sum", "SampleCount"],
        ExtendedStatistics=["p90"],
    )["Datapoints"]
    assert [(each["Timestamp"], each["Sum"], each["SampleCount"], each["ExtendedStatistics"]) for each in found] == [
        (MINUTE, 55, 10, {"p90": 9})
    ]
