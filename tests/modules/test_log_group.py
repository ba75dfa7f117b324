# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import Failed, contract, run

NAME = "/ecs/petclinic-rest-task"
OPTIONS = {"name": NAME, "retention_days": 14, "owner": {"handson:service": "petclinic-rest-service"}}
ERRORS = {"name": "errors", "pattern": "ERROR", "namespace": "n", "metric": "m"}
KEY = "arn:aws:kms:ap-southeast-1:123456789012:key/1234"


@pytest.fixture
def read(aws):
    def read():
        logs = aws("logs")
        found = [g for g in logs.describe_log_groups()["logGroups"] if g["logGroupName"] == NAME]
        if not found:
            return None
        filters = [
            " ".join(map(str, (f["filterName"], f["filterPattern"], m["metricNamespace"], m["metricName"], m["metricValue"])))
            for f in logs.describe_metric_filters(logGroupName=NAME)["metricFilters"]
            for m in f["metricTransformations"]
        ]
        return found[0] | {"filters": filters, "tags": logs.list_tags_for_resource(resourceArn=found[0]["arn"].removesuffix(":*"))["tags"]}

    return read


def test_contract(aws, read):
    aws("logs").create_log_group(logGroupName=NAME + "-of-another")
    contract(
        "log_group",
        OPTIONS,
        read,
        changes=[
            ({"retention_days": 30}, lambda g: g.get("retentionInDays"), 30),
            ({"retention_days": 0}, lambda g: g.get("retentionInDays"), None),
            ({"metric_filters": [ERRORS]}, lambda g: g["filters"], ["errors ERROR n m 1"]),
            ({"metric_filters": [{**ERRORS, "pattern": "?ERROR ?FATAL"}]}, lambda g: g["filters"][0][:20], "errors ?ERROR ?FATAL"),
            ({"metric_filters": [{**ERRORS, "name": "e"}]}, lambda g: [f[:2] for f in g["filters"]], ["e "]),
            ({"metric_filters": []}, lambda g: g["filters"], []),
            ({"tags": {"team": "vets"}}, lambda g: g["tags"].get("team"), "vets"),
        ],
    )
    assert [g["logGroupName"] for g in aws("logs").describe_log_groups()["logGroups"]] == [NAME + "-of-another"]


def test_an_unchanged_run_makes_two_calls(aws):
    run("log_group", **OPTIONS)
    with recorded() as calls:
        assert not run("log_group", **OPTIONS)["changed"]
    assert operations(calls) == ["DescribeLogGroups", "ListTagsForResource"]


def test_the_key_is_set_changed_and_taken_away(aws, read):
    """The calls about keys are answered here: the endpoint has none of them."""
    run("log_group", **OPTIONS, kms_key=KEY)
    assert read()["kmsKeyId"] == KEY
    assert not run("log_group", **OPTIONS, kms_key=KEY)["changed"]
    with recorded(AssociateKmsKey=lambda real, p: {}, DisassociateKmsKey=lambda real, p: {}) as calls:
        assert run("log_group", **OPTIONS, kms_key=KEY + "5")["changed"]
        assert run("log_group", **OPTIONS, kms_key="")["changed"]
    assert ("AssociateKmsKey", {"logGroupName": NAME, "kmsKeyId": KEY + "5"}) in calls
    assert ("DisassociateKmsKey", {"logGroupName": NAME}) in calls


def test_a_foreign_group_is_refused_and_not_deleted(aws, read):
    aws("logs").create_log_group(logGroupName=NAME)
    with pytest.raises(Failed, match="not ours"):
        run("log_group", **OPTIONS)
    assert run("log_group", **OPTIONS, state="absent")["foreign"]
    assert read() and "retentionInDays" not in read()


def test_a_lost_reply_and_a_busy_group(aws, read, monkeypatch):
    said = []

    def busy(real, parameters):
        if not said:
            said.append("busy")
            raise error("OperationAbortedException", "conflict")
        return real()

    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with recorded(CreateLogGroup=lambda real, p: (real(), real()), PutRetentionPolicy=busy):
        assert run("log_group", **OPTIONS)["changed"] and said
    assert read()["retentionInDays"] == 14
    assert not run("log_group", **OPTIONS)["changed"]


def test_a_retention_that_aws_does_not_have_is_refused(aws, read):
    with pytest.raises(Failed, match="retention_days must be one of"):
        run("log_group", **{**OPTIONS, "retention_days": 15})
    assert read() is None


@pytest.mark.parametrize("tags", [{}, {"handson:service": "another"}, {"team": "vets"}])
def test_one_that_a_service_has_made_anew_goes_as_well_where_that_is_asked_for(aws, read, tags):
    absent = {**OPTIONS, "state": "absent"}
    aws("logs").create_log_group(logGroupName=NAME, **({"tags": tags} if tags else {}))
    assert run("log_group", **absent)["foreign"] and read()
    assert run("log_group", check=True, **absent, also_untagged=True)["changed"] is not tags and read()
    with recorded() as calls:
        gone = run("log_group", **absent, also_untagged=True)
    assert (gone["changed"], read() is None) == (not tags, not tags)
    assert operations(calls)[:2] == ["DescribeLogGroups", "ListTagsForResource"]
    assert operations(calls)[2:] == ([] if tags else ["DeleteLogGroup"])


def test_one_without_tags_is_nobodys_to_change(aws, read):
    aws("logs").create_log_group(logGroupName=NAME)
    with pytest.raises(Failed, match="not ours"):
        run("log_group", **OPTIONS, also_untagged=True)
