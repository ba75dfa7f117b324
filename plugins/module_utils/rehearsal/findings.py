# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a timeline shows that somebody should know, each with the way out."""

from __future__ import annotations

from typing import Callable, Iterator

from ansible_collections.handson.ecs.plugins.module_utils import capacity
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.model import Setup
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.simulation import Minute, Note, Timeline

#: How many minutes in a row make a state worth telling.
LASTING = 10
#: So many turns between out and in, within the time that nothing else changed, are flapping.
TURNS = 2


def spans(minutes: list[Minute], holds: Callable[[Minute], bool]) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of each run of minutes for which something holds."""
    first = None
    for row in minutes:
        if holds(row):
            first = row.minute if first is None else first
        elif first is not None:
            yield first, row.minute - 1
            first = None
    if first is not None:
        yield first, minutes[-1].minute


def turns(notes: list[Note], what: str) -> list[float]:
    """Return the minutes at which a scaler went the other way although the load was the same as before."""
    found, last = [], 0
    for note in notes:
        if note.what in ("load", "hand", "deployment"):
            last = 0
        elif note.what == what and note.after != note.before:
            way = 1 if note.after > note.before else -1
            if last and way != last:
                found.append(note.minute)
            last = way
    return found


def findings(timeline: Timeline) -> list[str]:
    """Return what is worth a warning, in words."""
    return [
        *_controllers(timeline.setup),
        *_stuck(timeline),
        *_no_room(timeline),
        *_lost(timeline),
        *_flapping(timeline),
        *_overload(timeline),
        *_rollouts(timeline),
    ]


def _controllers(setup: Setup) -> Iterator[str]:
    if setup.group_policy and setup.provider_policy:
        yield (
            "two controllers for one group of instances: the CPU policy and the capacity provider's managed scaling. "
            "They measure different things, and instances go only when both want it. Keep one: instance_scaling_mode "
            "none, or instances_capacity_provider_managed_scaling false."
        )
    policy = setup.service_policy
    if policy:
        most = (setup.group_policy or setup.provider_policy).maximum if _scaled(setup) else setup.instances
        holds = capacity.room(setup.task, setup.kind, most)
        if policy.maximum > holds:
            yield (
                f"{policy.maximum} tasks never fit: {most} x {setup.kind.name} hold {holds} "
                f"(bounded by {' and '.join(capacity.bounded_by(setup.task, setup.kind))}). Lower "
                "service_scaling_max, or raise instances_max with an instance_scaling_mode."
            )


def _scaled(setup: Setup) -> bool:
    return bool(setup.group_policy or setup.provider_policy)


def _stuck(timeline: Timeline) -> Iterator[str]:
    policy = timeline.setup.service_policy
    if not policy:
        return

    def holds(row: Minute) -> bool:
        at_most = row.desired >= timeline.maximum[row.minute] and row.running >= row.desired
        return at_most and row.service_cpu is not None and row.service_cpu > policy.target

    for first, last in spans(timeline.minutes, holds):
        if last - first + 1 >= LASTING:
            rows = timeline.minutes[first : last + 1]
            mean = sum(r.service_cpu or 0 for r in rows) / len(rows)
            yield (
                f"minutes {first} to {last}: stuck at the maximum of {timeline.maximum[first]} tasks with a CPU of "
                f"{mean:.0f} %, above {policy.target:g}. Raise service_scaling_max, and the instances with it."
            )


def _no_room(timeline: Timeline) -> Iterator[str]:
    for first, last in spans(timeline.minutes, lambda r: r.running < r.desired and not r.deploying):
        if last - first + 1 < 5:
            continue
        rows = timeline.minutes[first : last + 1]
        worst = max(r.desired - r.running for r in rows)
        yield (
            f"minutes {first} to {last}: no room for {worst} of {max(r.desired for r in rows)} tasks on "
            f"{rows[-1].registered} instances; ECS places them when there is. "
            + ("New instances come later than the tasks." if _scaled(timeline.setup) else "Nothing adds instances.")
        )


def _lost(timeline: Timeline) -> Iterator[str]:
    total = sum(number for _minute, number in timeline.lost)
    if total:
        when = ", ".join(f"{minute:.0f}" for minute, _number in timeline.lost)
        yield (
            f"minute {when}: instances went with {total} tasks on them, whose requests fail. A capacity provider with "
            "managed draining and termination protection (instance_scaling_mode capacity_provider) empties them first."
        )


def _flapping(timeline: Timeline) -> Iterator[str]:
    for what in ("tasks", "instances"):
        found = turns(timeline.notes, what)
        if len(found) >= TURNS:
            when = ", ".join(f"{minute:.0f}" for minute in found[:6])
            yield (
                f"the number of {what} flaps under the same load: it turned {len(found)} times (minutes {when}). One "
                f"of the {what} is too large a step for the band between the alarms: raise the minimum, the cooldown, "
                "or make the tasks smaller."
            )
    gone = [n for n in timeline.notes if n.what == "instances" and n.after < n.before]
    for note in gone:
        came = (n for n in timeline.notes if n.what == "instances" and n.after > n.before)
        back = next((n for n in came if 0 < n.minute - note.minute <= 20), None)
        after = timeline.minutes[min(int(note.minute) + 2, len(timeline.minutes) - 1)]
        if back and not any(n.what == "load" and note.minute < n.minute < back.minute for n in timeline.notes):
            yield (
                f"minutes {note.minute:.0f} and {back.minute:.0f}: an instance goes and comes back. The scaler of the "
                "instances works against the one of the tasks."
            )
        elif after.desired > after.running and not after.deploying:
            yield (
                f"minute {note.minute:.0f}: an instance goes while its place is still needed: {after.running} of "
                f"{after.desired} tasks have room. The two scalers don't know of each other."
            )


def _overload(timeline: Timeline) -> Iterator[str]:
    for first, last in spans(timeline.minutes, lambda r: r.dropped > 0.005 * max(r.offered, 0.01)):
        rows = timeline.minutes[first : last + 1]
        lost = sum(r.dropped for r in rows) * 60
        yield f"minutes {first} to {last}: more than the instances can do; about {lost:.0f} requests time out."
    for first, last in spans(timeline.minutes, lambda r: r.healthy == 0 and r.desired > 0):
        yield f"minutes {first} to {last}: no healthy task; requests are answered with 503."


def _rollouts(timeline: Timeline) -> Iterator[str]:
    for first, last in spans(timeline.minutes, lambda r: r.deploying):
        if last - first + 1 >= LASTING:
            yield (
                f"minutes {first} to {last}: a roll-out gets no further for want of room, and nothing scales in "
                "meanwhile. Lower service_minimum_healthy_percent, or add instances."
            )
