# SPDX-License-Identifier: GPL-3.0-or-later
import json
import urllib.request

import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import Failed, contract, run

NAME = "petclinic-rest-github"
OWNER = {"handson:service": "petclinic-rest-service"}
OPTIONS = {"name": NAME, "owner": OWNER}
ABSENT_ARN = "arn:aws:codeconnections:ap-southeast-1:123456789012:connection/nobody"


@pytest.fixture
def read(aws):
    def read():
        connections = aws("codeconnections")
        found = connections.list_connections()["Connections"]
        if not found:
            return None
        tags = connections.list_tags_for_resource(ResourceArn=found[0]["ConnectionArn"])["Tags"]
        return found[0] | {"tags": {t["Key"]: t["Value"] for t in tags}}

    return read


def by_hand(aws, name=NAME, **tags):
    return aws("codeconnections").create_connection(
        ConnectionName=name, ProviderType="GitHub", Tags=[{"Key": k, "Value": v} for k, v in tags.items()]
    )["ConnectionArn"]


def test_contract(read):
    contract("codeconnection", OPTIONS, read, changes=[({"tags": {"team": "vets"}}, lambda c: c["tags"].get("team"), "vets")])


def test_what_it_tells(read):
    made = run("codeconnection", **OPTIONS)
    assert made["available"] and made["connection"]["arn"] == read()["ConnectionArn"]
    assert made["connection"]["console_url"].endswith("/connections/" + read()["ConnectionArn"].rsplit("/", 1)[-1])
    assert read()["ProviderType"] == "GitHub"


def test_an_unchanged_run_makes_two_calls(aws):
    by_hand(aws, "of-another")
    run("codeconnection", **OPTIONS)
    with recorded() as calls:
        assert not run("codeconnection", **OPTIONS)["changed"]
    assert operations(calls) == ["ListConnections", "ListTagsForResource"]


def test_a_pending_one_is_no_failure_and_no_change(aws, endpoint):
    options = {**OPTIONS, "name": "a-pending-one"}
    for changed in (True, False):
        told = run("codeconnection", **options)
        assert told["changed"] is changed and not told["available"]
        assert told["connection"]["status"] == "PENDING" and "/codeconnections/connections/" in told["connection"]["console_url"]
    approval = urllib.request.Request(f"{endpoint}/handson/connections/a-pending-one/approve", method="POST")
    urllib.request.urlopen(approval, timeout=10).read()
    told = run("codeconnection", **options)
    assert told["available"] and not told["changed"]


def test_check_mode_of_a_new_one_knows_no_arn(read):
    told = run("codeconnection", check=True, **OPTIONS)
    assert told["connection"]["arn"] == "(known after apply)" and told["available"] is False
    assert read() is None


def test_a_given_connection_is_looked_at_and_nothing_else(aws, read):
    arn = by_hand(aws)
    for options in ({}, {"state": "present", "owner": OWNER, "tags": {"a": "b"}}):
        with recorded() as calls:
            told = run("codeconnection", arn=arn, **options)
        assert operations(calls) == ["GetConnection"]
        assert told["available"] and not told["changed"] and told["connection"]["name"] == NAME
    assert not run("codeconnection", arn=arn, state="absent", owner=OWNER)["changed"]
    assert read()["tags"] == {}


def test_a_given_connection_that_is_not_there(aws):
    with pytest.raises(Failed, match="no connection .*pipeline_connection_arn"):
        run("codeconnection", arn=ABSENT_ARN)
    with pytest.raises(Failed, match="not the ARN of a connection"):
        run("codeconnection", arn="petclinic")
    assert not run("codeconnection", arn=ABSENT_ARN, state="absent")["changed"]


def test_a_foreign_one_is_refused_and_not_deleted(aws, read):
    by_hand(aws, team="vets")
    with pytest.raises(Failed, match="not ours"):
        run("codeconnection", **OPTIONS)
    absent = run("codeconnection", **OPTIONS, state="absent")
    assert not absent["changed"] and absent["foreign"]
    assert read()["tags"] == {"team": "vets"}


def test_what_aws_refuses_is_refused(aws):
    with recorded() as calls, pytest.raises(Failed, match="33 characters.*pipeline_connection_name"):
        run("codeconnection", **{**OPTIONS, "name": "x" * 33})
    assert calls == []
    run("codeconnection", **OPTIONS)
    with pytest.raises(Failed, match="provider is 'GitHub' and would become 'GitLab'"):
        run("codeconnection", **OPTIONS, provider="GitLab")
    with pytest.raises(Failed, match="one of the following is required: name, arn"):
        run("codeconnection")


def test_an_answer_that_was_lost_is_no_failure(read):
    def lost(real, parameters):
        real()
        raise error("ResourceAlreadyExistsException", "it exists", "CreateConnection")

    with recorded(CreateConnection=lost):
        assert run("codeconnection", **OPTIONS)["changed"]
    assert read()["tags"] == OWNER


def test_of_two_by_a_lost_answer_the_usable_one_is_taken_and_both_are_deleted(aws):
    """Of two connections of one name, which the endpoint refuses: ListConnections is answered here."""
    arns = [by_hand(aws, n, **OWNER) for n in ("one", "two")]

    def both(real, parameters):
        answer = real()
        for number, connection in enumerate(answer["Connections"]):
            connection.update(ConnectionName=NAME, ConnectionStatus=("PENDING", "AVAILABLE")[number])
        return answer

    with recorded(ListConnections=both):
        assert run("codeconnection", **OPTIONS)["connection"]["arn"] == arns[1]
        assert run("codeconnection", **OPTIONS, state="absent")["changed"]
    assert aws("codeconnections").list_connections()["Connections"] == []


def test_a_token_in_the_arns_place_is_not_shown(aws, system_log):
    for arn in ("ghp_" + "canary" * 6, "canary", f"{ABSENT_ARN}:ghp_{'canary' * 6}"):
        with recorded() as calls, pytest.raises(Failed, match="pipeline_connection_arn") as failed:
            run("codeconnection", arn=arn)
        assert calls == [] and "invocation" in failed.value.result
        assert "canary" not in json.dumps(failed.value.result) + "".join(system_log)
