# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What a stage's row says, and what waits for a person."""

import re
from datetime import datetime, timezone

import jmespath
import pytest

from ansible_collections.handson.ecs.plugins.module_utils import pipeline_states

NAME, URL = "petclinic-rest-codepipeline", "https://console/petclinic"
AT = datetime(2026, 11, 22, 9, tzinfo=timezone.utc)
TOKEN = "1234abcd-canary"
APPROVAL = {"actionName": "Approve", "latestExecution": {"status": "InProgress", "token": TOKEN, "lastStatusChange": AT}}


def stage(name="Build", status="Succeeded", execution="e-2", actions=(), **more):
    of = {"latestExecution": {"pipelineExecutionId": execution, "status": status}} if status else {}
    return {"stageName": name, "inboundTransitionState": {"enabled": True}, "actionStates": list(actions), **of, **more}


def action(status, name="Build", second=0, **more):
    return {"actionName": name, "latestExecution": {"status": status, "lastStatusChange": AT.replace(second=second), **more}}


def described(*stages, newest="e-2", **more):
    summary = {"pipelineExecutionId": newest, "status": "InProgress", "startTime": AT, **more} if newest else None
    return pipeline_states.describe({"pipelineName": NAME, "stageStates": list(stages)}, summary, URL)


@pytest.mark.parametrize(
    ("summary", "text"),
    [
        (None, ""),
        ("", ""),
        ("Say hello\n\nAnd more", "Say hello"),
        ('{"ProviderType":"GitHub","CommitMessage":"Say hello\\n\\nAnd more"}', "Say hello"),
        ('{"ProviderType":"GitHub"}', ""),
        ("42", "42"),
        ("uses ghp_" + "canary" * 6, "uses ***"),
    ],
)
def test_a_commit_is_its_first_line(summary, text):
    assert pipeline_states.commit(summary) == text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (stage(status=None, actions=[{"actionName": "Build"}]), "has not run yet"),
        (stage(actions=[action("Succeeded", summary="Deployment completed.")]), "Build: Succeeded, Deployment completed."),
        (
            stage(actions=[action("Failed", errorDetails={"code": "JobFailed", "message": "exit\n status 1"})]),
            "Build: Failed, JobFailed: exit status 1",
        ),
        (stage(execution="e-1", actions=[action("Succeeded")]), "Build: Succeeded, of an earlier execution, e-1"),
        (stage(actions=[action("Succeeded", second=9), action("Failed", name="Test")]), "Test: Failed"),
        (stage(actions=[action("Succeeded"), action("Succeeded", name="Test", second=9)]), "Test: Succeeded"),
        (stage(actions=[action("Succeeded", second=9), action("InProgress", name="Test")]), "Test: InProgress"),
    ],
)
def test_a_stage_says_what_matters(given, text):
    (found,) = described(given)["stages"]
    assert found["text"] == text


def test_the_newest_execution_is_told_with_its_commit():
    message = '{"ProviderType":"GitHub","CommitMessage":"Say hello"}'
    revisions = [{"actionName": "Source", "revisionId": "5f3c0c1d9a6b", "revisionSummary": message}]
    found = described(sourceRevisions=revisions, trigger={"triggerType": "WebhookV2"})["execution"]
    assert found == {
        "id": "e-2",
        "status": "InProgress",
        "started": "2026-11-22T09:00:00+00:00",
        "started_by": "WebhookV2",
        "revision": "5f3c0c1d9a6b",
        "commit": "5f3c0c1 Say hello",
    }
    assert described(newest=None)["execution"] is None
    assert described()["execution"]["commit"] is None


def test_an_approval_is_told_with_the_ways_to_give_it_and_without_its_token():
    given = stage("Approve", "InProgress", actions=[APPROVAL])
    found = described(given)
    (waiting,) = found["waiting"]
    assert (waiting["kind"], waiting["stage"], waiting["action"]) == ("approval", "Approve", "Approve")
    assert URL in waiting["text"] and "put-approval-result" in waiting["text"]
    assert TOKEN not in str(found)
    query = re.search(r'--query "([^"]+)"', waiting["text"])[1]
    state = {"stageStates": [stage(actions=[action("Succeeded")]), given]}
    assert jmespath.search(query, state) == TOKEN
    over = {**APPROVAL, "latestExecution": {**APPROVAL["latestExecution"], "status": "Succeeded"}}
    assert described(stage("Approve", actions=[over]))["waiting"] == []


@pytest.mark.parametrize("inbound", [{}, {"inboundExecution": {"pipelineExecutionId": "e-7", "status": "InProgress"}}])
def test_a_transition_that_is_switched_off_is_told_whether_or_not_something_waits(inbound):
    off = {"enabled": False, "lastChangedBy": "alice", "disabledReason": "freeze"}
    (waiting,) = described(stage("Deploy", inboundTransitionState=off, **inbound))["waiting"]
    assert waiting["kind"] == "transition" and "switched off by alice (freeze)" in waiting["text"]
    assert "enable-stage-transition" in waiting["text"] and ("e-7 waits there" in waiting["text"]) == bool(inbound)
    assert described(stage("Deploy", **inbound))["waiting"] == []
