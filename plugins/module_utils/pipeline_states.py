# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a pipeline stands: its stages as GetPipelineState gives them, and what waits for a person."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Iterator, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.build_runs import masker
from ansible_collections.handson.ecs.plugins.module_utils.pipeline_runs import held

#: Of several actions in a stage the one that says most: what failed, what runs, then what moved last.
_TELLS_MOST = ("Failed", "Abandoned", "InProgress")
#: Letters of a commit's id, as git shows them.
_SHORT = 7


def describe(state: Mapping[str, Any], newest: Mapping[str, Any] | None, url: str) -> dict[str, Any]:
    """Return what a result tells of a pipeline.

    `state` is GetPipelineState's answer, `newest` the newest execution of ListPipelineExecutions, `url` the pipeline's
    page in the console.
    """
    execution = _execution(newest) if newest else None
    return {
        "name": state["pipelineName"],
        "url": url,
        "execution": execution,
        "stages": [_stage(s, execution["id"] if execution else None) for s in state.get("stageStates") or []],
        "waiting": [*_held(state), *_approvals(state, url)],
    }


def commit(summary: str | None) -> str:
    """Return the first line of a commit's message. A connection's summary is JSON that has it, others are that text."""
    text = summary or ""
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if isinstance(said, dict):
        text = str(said.get("CommitMessage") or "")
    lines = text.strip().splitlines()
    return masker()(lines[0].strip()) if lines else ""


def _execution(summary: Mapping[str, Any]) -> dict[str, Any]:
    revision = next(iter(summary.get("sourceRevisions") or []), {})
    words = " ".join(filter(None, ((revision.get("revisionId") or "")[:_SHORT], commit(revision.get("revisionSummary")))))
    return {
        "id": summary["pipelineExecutionId"],
        "status": summary["status"],
        "started": _time(summary.get("startTime")),
        "started_by": (summary.get("trigger") or {}).get("triggerType"),
        "revision": revision.get("revisionId"),
        "commit": words or None,
    }


def _stage(stage: Mapping[str, Any], newest: str | None) -> dict[str, Any]:
    """Return a stage with that of its actions that says most."""
    of, inbound = stage.get("latestExecution") or {}, stage.get("inboundExecution") or {}
    out = {
        "stage": stage["stageName"],
        "status": of.get("status"),
        "execution_id": of.get("pipelineExecutionId"),
        "inbound_execution_id": inbound.get("pipelineExecutionId"),
        "action": None,
        "action_status": None,
        "at": None,
        "revision": None,
        "summary": None,
        "error": None,
        "url": None,
    }
    ran = [a for a in stage.get("actionStates") or [] if a.get("latestExecution")]
    if ran:
        out |= _action(min(ran, key=_order))
    earlier = newest and out["execution_id"] and out["execution_id"] != newest
    words = [
        f"{out['action']}: {out['action_status']}" if out["action"] else "has not run yet",
        out["error"] or out["summary"],
        f"of an earlier execution, {out['execution_id']}" if earlier else None,
    ]
    return {**out, "text": ", ".join(filter(None, words))}


def _order(action: Mapping[str, Any]) -> tuple[int, float]:
    run = action["latestExecution"]
    status, moved = run.get("status"), run.get("lastStatusChange")
    rank = _TELLS_MOST.index(status) if status in _TELLS_MOST else len(_TELLS_MOST)
    return rank, -moved.timestamp() if moved else 0.0


def _action(action: Mapping[str, Any]) -> dict[str, Any]:
    run, mask = action["latestExecution"], masker()
    error = run.get("errorDetails") or {}
    parts = [error.get("code"), error.get("message")]
    return {
        "action": action["actionName"],
        "action_status": run.get("status"),
        "at": _time(run.get("lastStatusChange")),
        "revision": (action.get("currentRevision") or {}).get("revisionId"),
        "summary": commit(run.get("summary")) or None,
        "error": mask(": ".join(" ".join(p.split()) for p in parts if p)) or None,
        "url": mask(run.get("externalExecutionUrl") or "") or None,
    }


def _held(state: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The transitions that somebody has switched off, whether or not an execution waits there."""
    for stage in state.get("stageStates") or []:
        inbound = stage.get("inboundExecution") or {}
        any_one = {**stage, "inboundExecution": {"pipelineExecutionId": "any"}}
        text = held({**state, "stageStates": [any_one]}, "any")
        if text:
            waits = inbound.get("pipelineExecutionId")
            text += f" (the execution {waits} waits there)" if waits else ""
            yield {"kind": "transition", "stage": stage["stageName"], "action": None, "text": text}


def _approvals(state: Mapping[str, Any], url: str) -> Iterator[dict[str, Any]]:
    """The approvals that are waited for: only those have a token (API reference, ActionExecution).

    The token itself lets whoever may call the API say yes, so the command fetches it.
    """
    name = state["pipelineName"]
    for stage in state.get("stageStates") or []:
        for action in stage.get("actionStates") or []:
            run = action.get("latestExecution") or {}
            if not run.get("token") or run.get("status") != "InProgress":
                continue
            where = f"--stage-name {stage['stageName']} --action-name {action['actionName']}"
            query = (
                f"stageStates[?stageName=='{stage['stageName']}'].actionStates[] | "
                f"[?actionName=='{action['actionName']}'].latestExecution.token | [0]"
            )
            text = (
                f"{stage['stageName']} / {action['actionName']} waits for a person: {url} (Review), or aws codepipeline "
                f"put-approval-result --pipeline-name {name} {where} --result status=Approved,summary=ok --token "
                f'"$(aws codepipeline get-pipeline-state --name {name} --output text --query "{query}")"'
                " (status=Rejected says no)"
            )
            yield {"kind": "approval", "stage": stage["stageName"], "action": action["actionName"], "text": text}


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
