# SPDX-License-Identifier: GPL-3.0-or-later
from datetime import datetime, timezone

import pytest
from ansible_collections.handson.ecs.plugins.module_utils import service_load
from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError

AWS_NAME = "petclinic-rest-alb-123.ap-southeast-1.elb.amazonaws.com"


@pytest.mark.parametrize("path", ["/", "/test/stress", "/test/stress?numbers=1000&x=%20", "/a//b"])
def test_a_path_is_taken(path):
    assert service_load.checked_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["", "test", "http://example.com/", "//example.com/", "/a b", "/a\r\nHost: x", "/ä", "/a#b", "@example.com/", "-H"],
)
def test_what_is_no_path_is_not(path):
    with pytest.raises(ResourceError, match="service_stress_path"):
        service_load.checked_path(path)


@pytest.mark.parametrize(
    ("endpoint", "local"),
    [
        ("http://127.0.0.1:5001", True),
        ("http://localhost:5001/", True),
        ("http://[::1]:5001", True),
        ("https://ecs.ap-southeast-1.amazonaws.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://user@localhost.example.com:1/", False),
    ],
)
def test_what_is_local(endpoint, local):
    assert service_load.is_local(endpoint) is local


@pytest.mark.parametrize(
    ("host", "local", "result"),
    [
        ("localhost", True, "127.0.0.1"),
        (AWS_NAME, False, AWS_NAME),
        (AWS_NAME, True, "runs no containers: nothing answers"),
        ("localhost", False, "which no load balancer's of AWS is"),
    ],
)
def test_where_to_connect(host, local, result):
    if " " not in result:
        assert service_load.checked_host(host, local, "alb") == result
        return
    with pytest.raises(ResourceError, match=result):
        service_load.checked_host(host, local, "alb")


def rule(priority, group, *conditions):
    return {"Priority": priority, "Conditions": list(conditions), "Actions": [{"Type": "forward", "TargetGroupArn": group}]}


RULES = [
    rule("default", "whole"),
    rule("20", "users", {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/users*"]}}),
    rule("3", "host", {"Field": "host-header", "Values": ["*.example.com"]}),
    rule("4", "both", {"Field": "path-pattern", "Values": ["/x"]}, {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET"]}}),
    rule("5", "post", {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["POST"]}}),
    rule("6", "query", {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "2*"}]}}),
    rule("7", "header", {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X", "Values": ["*"]}}),
]


@pytest.mark.parametrize(
    ("path", "host", "group"),
    [
        ("/test/stress", "alb", "whole"),
        ("/api/users/1?x=1", "alb", "users"),
        ("/api/users", "WWW.example.com", "host"),
        ("/x", "alb", "both"),
        ("/y?v=23", "alb", "query"),
        ("/y?v=3", "alb", "whole"),
        ("/API/users", "alb", "whole"),
    ],
)
def test_which_rule_takes_a_request(path, host, group):
    assert service_load.forwards_to(service_load.rule_for(RULES, path, host)) == {group}


def test_where_a_rule_leads():
    groups = {"TargetGroups": [{"TargetGroupArn": "a"}, {"TargetGroupArn": "b"}]}
    assert service_load.forwards_to({"Actions": [{"Type": "forward", "ForwardConfig": groups}]}) == {"a", "b"}
    assert service_load.forwards_to({"Actions": [{"Type": "fixed-response"}]}) == set()
    assert service_load.forwards_to(None) == set()


def test_the_command_is_bounded_in_both_ways():
    command = service_load.ab("/usr/bin/ab", "http://a/x", 10000, 5, 600)
    assert " ".join(command) == "/usr/bin/ab -v 3 -l -r -s 60 -t 600 -n 10000 -c 5 http://a/x"
    few = service_load.ab("ab", "http://a/x", 3, 5, 600, "name")
    assert few[few.index("-c") + 1] == "3" and few[-3:] == ["-H", "Host: name", "http://a/x"]


SAID = """\
LOG: header received:
HTTP/1.1 200 OK
LOG: Response code = 200
LOG: Response code = 200
WARNING: Response code not 2xx (503)
Time taken for tests:   2.004 seconds
Complete requests:      4
Failed requests:        1
Requests per second:    1.99 [#/sec] (mean)
Percentage of the requests served within a certain time (ms)
  50%   1012
  99%   1100
 100%   1100 (longest request)
apr_pollset_poll: The timeout specified has expired (70007)
"""


def read(text):
    output = service_load.Output()
    for line in text.splitlines():
        output.read(line)
    return output


def test_what_ab_says():
    output = read(SAID)
    assert output.answered == 3 and output.trouble == ["apr_pollset_poll: The timeout specified has expired (70007)"]
    assert output.result(9) == {
        "requests": 4,
        "statuses": {"200": 2, "503": 1},
        "unanswered": 1,
        "seconds": 2.004,
        "requests_per_second": 1.99,
        "milliseconds": {"50": 1012, "99": 1100},
    }


def test_an_ab_that_gave_no_summary():
    assert read("LOG: Response code = 200\n" * 6).result(3) == {
        "requests": 6,
        "statuses": {"200": 6},
        "unanswered": 0,
        "seconds": 3.0,
        "requests_per_second": 2.0,
        "milliseconds": {},
    }
    assert read("").result(0)["requests_per_second"] == 0


@pytest.mark.parametrize(
    ("statuses", "said"),
    [({}, "no answer yet"), ({"200": 3}, "all 200"), ({"503": 5, "200": 95}, "95 × 200, 5 × 503")],
)
def test_statuses_in_words(statuses, said):
    assert service_load.said_statuses(statuses) == said


def test_activities_in_words():
    at = datetime(2026, 11, 22, 10, 4, 10, tzinfo=timezone.utc)
    found = {"StartTime": at, "Description": "Setting desired count to 4.", "Cause": "alarm", "StatusCode": "Successful"}
    one = service_load.activity(found, "service")
    assert service_load.said_activity(one) == "10:04:10 service: Setting desired count to 4. (Successful)"
    stuck = {**found, "NotScaledReasons": [{"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 8, "CurrentCapacity": 8}]}
    assert service_load.activity(stuck, "service")["description"] == "not scaled: AlreadyAtMaxCapacity (8 of 8)"
