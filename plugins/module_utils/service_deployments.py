# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service was, going by its service deployments and service revisions, and where a roll-back leads.

States of a service deployment and which of them can be stopped: "View service history using Amazon ECS service
deployments" and "Stopping Amazon ECS service deployments" in the ECS documentation. ECS keeps 90 days.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.services import revision

#: In these StopServiceDeployment starts a roll-back.
STOPPABLE = frozenset({"PENDING", "IN_PROGRESS"})
#: In these it is under way.
ROLLING_BACK = frozenset({"STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"})
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class State:
    """What a service revision deploys: `family:revision` and, by container, (image, digest or None)."""

    task_definition: str
    images: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)

    def same_as(self, other: State | None) -> bool:
        """Tell whether the same programs run with the same settings."""
        if other is None or self.task_definition != other.task_definition:
            return False
        return not moved(self, other)


@dataclass(frozen=True)
class Plan:
    """What to do. `kind` is one of

    - stop: a deployment is under way; stop it, and ECS goes back to `target`
    - wait: ECS is rolling back to `target` already
    - update: deploy `target` again
    - image: only the image under the tag changed, so there is no task definition to go back to
    - back: the service went back already
    - none: there is nothing to go back to
    """

    kind: str
    deployment: Mapping[str, Any] | None = None
    current: State | None = None
    target: State | None = None


def newest_first(deployments: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return service deployments (ListServiceDeployments) with the newest first; the order of the API is not documented."""
    return sorted(deployments, key=lambda d: d["createdAt"], reverse=True)


def ongoing(deployments: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the service deployment that is under way, or None."""
    return next((d for d in newest_first(deployments) if d["status"] in STOPPABLE | ROLLING_BACK), None)


def worth_describing(deployments: Iterable[Mapping[str, Any]], most: int = 20) -> list[str]:
    """Return the ARNs of the service revisions to look at, newest first: the newest, and those that were successful.

    DescribeServiceRevisions takes 20 at once.
    """
    rows = newest_first(deployments)
    wanted = [d for i, d in enumerate(rows) if i == 0 or d["status"] == "SUCCESSFUL"]
    return list(dict.fromkeys(d["targetServiceRevisionArn"] for d in wanted))[:most]


def states(revisions: Iterable[Mapping[str, Any]]) -> dict[str, State]:
    """Return {ARN: state} of service revisions (DescribeServiceRevisions)."""
    found = {}
    for each in revisions:
        images = {i["containerName"]: (i.get("image", ""), i.get("imageDigest")) for i in each.get("containerImages") or []}
        found[each["serviceRevisionArn"]] = State(revision(each["taskDefinition"]) or "", images)
    return found


def plan(deployments: Iterable[Mapping[str, Any]], known: Mapping[str, State]) -> Plan:
    """Return what a roll-back means for a service with these service deployments and {ARN: state} of revisions."""
    rows = newest_first(deployments)
    if not rows:
        return Plan("none")
    newest = rows[0]
    now = known.get(newest["targetServiceRevisionArn"])
    good = [s for d in rows if d["status"] == "SUCCESSFUL" and (s := known.get(d["targetServiceRevisionArn"]))]
    if newest["status"] in STOPPABLE:
        return Plan("stop" if good else "none", newest, now, good[0] if good else None)
    if newest["status"] in ROLLING_BACK:
        return Plan("wait", newest, now, good[0] if good else None)
    if newest["status"] == "ROLLBACK_SUCCESSFUL":
        return Plan("back", newest, good[0] if good else None, good[0] if good else None)
    if newest["status"] == "SUCCESSFUL" and now is not None:
        before = [s for s in good[1:] if not s.same_as(now)]
        if before and went_back(now, before[0], before[1:]):
            return Plan("back", newest, now, now)
    else:  # STOPPED or ROLLBACK_FAILED: it runs what did not work
        before = good
    if not before:
        return Plan("none", newest, now)
    target = before[0]
    if now is not None and target.task_definition == now.task_definition and moved(now, target):
        return Plan("image", newest, now, target)
    return Plan("update", newest, now, target)


def went_back(now: State, before: State, earlier: Iterable[State]) -> bool:
    """Tell whether the newest deployment was a roll-back itself, so that a second one would undo it.

    It was where it has an older revision of the same family than the one before it, or names by its digest an image
    that ran earlier than that.
    """
    family, _, number = now.task_definition.rpartition(":")
    family_before, _, number_before = before.task_definition.rpartition(":")
    if family == family_before and number.isdigit() and number_before.isdigit() and int(number) < int(number_before):
        return True
    pinned = {image.partition("@")[2] for image, _digest in now.images.values() if "@" in image}
    ran_before = {digest for _image, digest in before.images.values()}
    ran_earlier = {digest for state in earlier for _image, digest in state.images.values()}
    return bool(pinned & ran_earlier - ran_before)


def moved(one: State, other: State) -> dict[str, tuple[str, str, str]]:
    """Return {container: (image, digest in `one`, digest in `other`)} where the same name led to different images."""
    found = {}
    for container, (image, digest) in one.images.items():
        image_then, digest_then = other.images.get(container, ("", None))
        if image == image_then and digest and digest_then and digest != digest_then:
            found[container] = (image, digest, digest_then)
    return found


def pinned_image(image: str, digest: str) -> str:
    """Return the reference of the image with this digest in the same repository: `host/name@sha256:…`."""
    repository = image.partition("@")[0]
    folder, slash, last = repository.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}@{digest}"


def asked_revision(asked: str, running: str) -> str:
    """Return `family:revision` of what was asked for: that, its ARN, or the number alone, of the running one's family."""
    name = asked.strip().rsplit("/", 1)[-1]
    return f"{running.rpartition(':')[0]}:{name}" if name.isdigit() else name
