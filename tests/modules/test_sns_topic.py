# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest
from modules.aws_calls import operations, recorded
from modules.harness import Failed, contract, run

NAME = "petclinic-rest-alarms"
ARN = f"arn:aws:sns:ap-southeast-1:123456789012:{NAME}"
OPTIONS = {
    "name": NAME,
    "account_id": "123456789012",
    "publishers": ["cloudwatch.amazonaws.com", "events.amazonaws.com"],
    "emails": ["ops@example.org"],
    "owner": {"handson:cluster": "petclinic-rest-cluster"},
}


@pytest.fixture
def read(aws):
    def read():
        sns = aws("sns")
        if ARN not in [t["TopicArn"] for t in sns.list_topics()["Topics"]]:
            return None
        return {
            "policy": json.loads(sns.get_topic_attributes(TopicArn=ARN)["Attributes"]["Policy"]),
            "emails": sorted(s["Endpoint"] for s in sns.list_subscriptions_by_topic(TopicArn=ARN)["Subscriptions"]),
            "tags": {t["Key"]: t["Value"] for t in sns.list_tags_for_resource(ResourceArn=ARN)["Tags"]},
        }

    return read


def services(topic):
    return [s["Principal"]["Service"] for s in topic["policy"]["Statement"] if s["Effect"] == "Allow"]


def deleted(real, parameters):
    found = real()
    return {**found, "Subscriptions": [{**s, "SubscriptionArn": "Deleted"} for s in found["Subscriptions"]]}


def test_contract(aws, read):
    contract(
        "sns_topic",
        OPTIONS,
        read,
        changes=[
            ({"emails": ["dev@example.org", "ops@example.org"]}, lambda t: len(t["emails"]), 2),
            ({"publishers": ["events.amazonaws.com"]}, services, [["events.amazonaws.com"]]),
            ({"publishers": []}, services, []),
            ({"tags": {"team": "vets"}}, lambda t: t["tags"].get("team"), "vets"),
        ],
    )


def test_an_unchanged_run_makes_three_calls(aws):
    run("sns_topic", **OPTIONS)
    with recorded() as calls:
        assert not run("sns_topic", **OPTIONS)["changed"]
    assert operations(calls) == ["GetTopicAttributes", "ListSubscriptionsByTopic", "ListTagsForResource"]


def test_only_this_accounts_things_and_only_by_tls(aws, read):
    run("sns_topic", **OPTIONS)
    deny, alarms, events = read()["policy"]["Statement"]
    assert deny["Effect"] == "Deny" and deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert alarms["Principal"] == {"Service": ["cloudwatch.amazonaws.com"]}
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    # EventBridge's messages don't get through a condition.
    assert events["Principal"] == {"Service": ["events.amazonaws.com"]} and "Condition" not in events


def test_somebody_who_unsubscribed_is_asked_again(aws):
    run("sns_topic", **OPTIONS)
    with recorded(ListSubscriptionsByTopic=deleted) as calls:
        assert run("sns_topic", **OPTIONS)["changed"]
    assert "Subscribe" in operations(calls)


def test_a_policy_that_somebody_changed_is_drift(aws, read):
    run("sns_topic", **OPTIONS)
    open_to_all = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sns:Publish"}]}
    aws("sns").set_topic_attributes(TopicArn=ARN, AttributeName="Policy", AttributeValue=json.dumps(open_to_all))
    assert run("sns_topic", **OPTIONS)["diff"]["before"]["publishers"] == ["(another policy)"]
    assert len(services(read())) == 2 and not run("sns_topic", **OPTIONS)["changed"]


def test_an_address_that_has_not_confirmed_is_named_and_not_asked_again(aws):
    def answer(real, parameters):
        found = real()
        return {**found, "Subscriptions": [{**s, "SubscriptionArn": "PendingConfirmation"} for s in found["Subscriptions"]]}

    run("sns_topic", **OPTIONS)
    with recorded(ListSubscriptionsByTopic=answer) as calls:
        result = run("sns_topic", **OPTIONS)
        assert not result["changed"] and result["topic"]["pending"] == ["ops@example.org"]
        # There is no call that takes the question back, so it is told on each run and is no change on any.
        for check in (True, False):
            left = run("sns_topic", check=check, **{**OPTIONS, "emails": []})
            assert not left["changed"] and left["topic"]["pending"] == ["ops@example.org"] and left["topic"]["emails"] == []
            assert "takes the question back" in str(left["warnings"])
    assert "Subscribe" not in operations(calls) and "Unsubscribe" not in operations(calls)


def test_an_address_that_is_no_longer_named_is_unsubscribed(aws, read):
    run("sns_topic", **OPTIONS)
    run("sns_topic", **{**OPTIONS, "emails": []})
    assert read()["emails"] == []


def test_nobodys_subscription_is_touched_where_no_emails_are_given(aws, read):
    run("sns_topic", **{**OPTIONS, "emails": []})
    aws("sns").subscribe(TopicArn=ARN, Protocol="email", Endpoint="colleague@example.org")
    without = {k: v for k, v in OPTIONS.items() if k != "emails"}
    assert not run("sns_topic", **without)["changed"] and read()["emails"] == ["colleague@example.org"]
    assert run("sns_topic", **{**OPTIONS, "emails": []})["changed"] and read()["emails"] == []


def test_a_foreign_topic_is_refused_and_not_deleted(aws, read):
    aws("sns").create_topic(Name=NAME)
    with pytest.raises(Failed, match="not ours"):
        run("sns_topic", **OPTIONS)
    assert run("sns_topic", **OPTIONS, state="absent")["foreign"] and read()["tags"] == {}


def test_a_lost_reply(aws, read):
    """CreateTopic is idempotent: what the SDK repeats finds the topic of the first try."""
    with recorded(CreateTopic=lambda real, p: (real(), real())[1]):
        assert run("sns_topic", **OPTIONS)["changed"]
    assert not run("sns_topic", **OPTIONS)["changed"] and read()["emails"] == ["ops@example.org"]


def test_awss_own_key_is_refused(aws, read):
    with pytest.raises(Failed, match="would reach nobody"):
        run("sns_topic", **OPTIONS, kms_key="alias/aws/sns")
    assert read() is None
