# SPDX-License-Identifier: GPL-3.0-or-later
from datetime import datetime, timedelta

import pytest

from ansible_collections.handson.ecs.plugins.module_utils import service_deployments as past
from ansible_collections.handson.ecs.plugins.module_utils.service_deployments import State

A, B, C = (f"sha256:{c * 64}" for c in "abc")
TAGGED = "1.dkr.ecr/petclinic:latest"


def state(number, digest=A, image=TAGGED):
    return State(f"task:{number}", {"app": (image, digest)})


def history(*rows):
    """Deployments as (status, state), newest first, in the order in which an API might give them; and the states."""
    start = datetime(2026, 1, 1)
    deployments = [
        {
            "serviceDeploymentArn": f"d{i}", "targetServiceRevisionArn": f"r{i}", "status": status,
            "createdAt": start - timedelta(hours=i),
        }
        for i, (status, _state) in enumerate(rows)
    ]  # fmt: skip
    return list(reversed(deployments)), {f"r{i}": s for i, (_status, s) in enumerate(rows) if s}


OK, ONGOING, BROKEN = "SUCCESSFUL", "IN_PROGRESS", "STOPPED"


@pytest.mark.parametrize(
    "rows, kind, target",
    [
        ([], "none", None),
        ([(OK, state(1))], "none", None),
        ([(ONGOING, state(1))], "none", None),
        ([(OK, state(2)), (OK, state(1))], "update", "task:1"),
        ([(OK, state(3)), (BROKEN, state(2)), (OK, state(1))], "update", "task:1"),
        # A deployment that changed nothing is not what was before.
        ([(OK, state(2)), (OK, state(2)), (OK, state(1))], "update", "task:1"),
        ([(ONGOING, state(2)), (OK, state(1))], "stop", "task:1"),
        (["PENDING", (OK, state(1))], "stop", "task:1"),
        # The same task definition: stopping goes back to the service revision, which has the digest.
        ([(ONGOING, state(1, B)), (OK, state(1))], "stop", "task:1"),
        (["ROLLBACK_IN_PROGRESS", (OK, state(1))], "wait", "task:1"),
        (["ROLLBACK_SUCCESSFUL", (OK, state(1)), (OK, state(0))], "back", "task:1"),
        ([(BROKEN, state(2)), (OK, state(1))], "update", "task:1"),
        (["ROLLBACK_FAILED", (OK, state(1))], "update", "task:1"),
        # Only the image under the tag changed.
        ([(OK, state(1, B)), (OK, state(1, A))], "image", "task:1"),
        ([(OK, state(1, None)), (OK, state(1, None))], "none", None),
        # Gone back already: by an older revision, by a digest that ran before.
        ([(OK, state(1)), (OK, state(2)), (OK, state(1))], "back", "task:1"),
        ([(OK, state(2, A, f"1.dkr.ecr/petclinic@{A}")), (OK, state(1, B)), (OK, state(1, A))], "back", "task:2"),
        ([(OK, state(2, C, f"1.dkr.ecr/petclinic@{C}")), (OK, state(1, B)), (OK, state(1, A))], "update", "task:1"),
        # Another family has numbers of its own.
        ([(OK, State("new:1")), (OK, state(5))], "update", "task:5"),
        # From before ECS kept revisions.
        ([(OK, state(2)), (OK, None)], "none", None),
    ],
)  # fmt: skip
def test_plan(rows, kind, target):
    rows = [(row, state(9)) if isinstance(row, str) else row for row in rows]
    plan = past.plan(*history(*rows))
    assert (plan.kind, plan.target and plan.target.task_definition) == (kind, target)


def test_what_is_worth_describing():
    deployments, _states = history((BROKEN, None), (BROKEN, None), *[(OK, None)] * 30)
    assert past.worth_describing(deployments) == ["r0", *[f"r{i}" for i in range(2, 21)]]
    assert past.worth_describing([]) == []


def test_states():
    found = past.states(
        [
            {
                "serviceRevisionArn": "r",
                "taskDefinition": "arn:aws:ecs:eu-west-1:1:task-definition/task:3",
                "containerImages": [{"containerName": "app", "image": TAGGED, "imageDigest": A}, {"containerName": "b", "image": "b"}],
            }
        ]
    )
    assert found == {"r": State("task:3", {"app": (TAGGED, A), "b": ("b", None)})}


def test_moved():
    assert past.moved(state(1, B), state(1, A)) == {"app": (TAGGED, B, A)}
    assert past.moved(state(1, B), state(1, B)) == past.moved(state(1, None), state(1, B)) == {}
    assert past.moved(state(2, B, "other:1"), state(1, A)) == {}


@pytest.mark.parametrize(
    "image, pinned",
    [
        (TAGGED, f"1.dkr.ecr/petclinic@{A}"),
        ("127.0.0.1:5001/petclinic:latest", f"127.0.0.1:5001/petclinic@{A}"),
        ("127.0.0.1:5001/petclinic", f"127.0.0.1:5001/petclinic@{A}"),
        (f"host/team/app@{B}", f"host/team/app@{A}"),
        ("app:1", f"app@{A}"),
    ],
)
def test_pinned_image(image, pinned):
    assert past.pinned_image(image, A) == pinned


@pytest.mark.parametrize("asked", ["3", " task:3", "arn:aws:ecs:eu-west-1:1:task-definition/task:3"])
def test_asked_revision(asked):
    assert past.asked_revision(asked, "task:7") == "task:3"
