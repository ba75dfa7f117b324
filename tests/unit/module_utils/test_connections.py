# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils.connections import (
    connection_from_aws,
    connections_named,
    console_url,
    is_arn,
    most_usable,
    name_fault,
)

NEW = "arn:aws:codeconnections:ap-southeast-1:123456789012:connection/aEXAMPLE-1"
OLD = "arn:aws:codestar-connections:eu-west-1:123456789012:connection/2"
CHINA = "arn:aws-cn:codestar-connections:cn-north-1:123456789012:connection/3"


@pytest.mark.parametrize("name, wrong", [("a", False), ("x" * 32, False), ("x" * 33, True), ("", True)])
def test_names(name, wrong):
    assert bool(name_fault(name)) == wrong


@pytest.mark.parametrize(
    "value, arn",
    [
        (NEW, True),
        (OLD, True),
        (CHINA, True),
        ("petclinic-rest-github", False),
        ("arn:aws:codeconnections:eu-west-1:123456789012:host/1", False),
        ("arn:aws:codeconnections:eu-west-1:12:connection/1", False),
    ],
)
def test_arns(value, arn):
    assert is_arn(value) == arn


@pytest.mark.parametrize(
    "arn, url",
    [
        (
            NEW,
            "https://ap-southeast-1.console.aws.amazon.com/codesuite/settings/123456789012/ap-southeast-1/codeconnections/connections/aEXAMPLE-1",
        ),
        (
            OLD,
            "https://eu-west-1.console.aws.amazon.com/codesuite/settings/123456789012/eu-west-1/codestar-connections/connections/2",
        ),
        (
            CHINA,
            "https://console.amazonaws.cn/codesuite/settings/123456789012/cn-north-1/codestar-connections/connections/3",
        ),
    ],
)
def test_pages_of_the_console(arn, url):
    assert console_url(arn) == url


def test_no_page_of_something_else():
    with pytest.raises(ValueError, match="not the ARN of a connection"):
        console_url("petclinic")


def test_a_connection_in_the_names_of_the_options():
    answer = {"ConnectionName": "n", "ConnectionArn": NEW, "ProviderType": "GitHub", "ConnectionStatus": "PENDING"}
    assert connection_from_aws(answer, {"a": "b"}) == {
        "name": "n",
        "arn": NEW,
        "provider": "GitHub",
        "status": "PENDING",
        "console_url": console_url(NEW),
        "tags": {"a": "b"},
    }


@pytest.mark.parametrize(
    "statuses, best",
    [([], None), (["PENDING", "AVAILABLE"], 1), (["ERROR", "PENDING"], 1), (["PENDING", "PENDING"], 0), (["NEW", "ERROR"], 1)],
)
def test_the_most_usable_of_several(statuses, best):
    connections = [{"arn": str(number), "status": status} for number, status in enumerate(statuses)]
    assert most_usable(connections) == (connections[best] if best is not None else None)


def test_connections_are_looked_for_on_all_pages():
    class Client:
        def list_connections(self, MaxResults, NextToken="0"):
            page = {"Connections": [{"ConnectionName": n} for n in (("a", "b"), ("b",), ())[int(NextToken)]]}
            return page | ({"NextToken": str(int(NextToken) + 1)} if NextToken != "2" else {})

    assert len(connections_named(Client(), "b")) == 2 and connections_named(Client(), "c") == []
