# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pure functions that normalise and compare. They never change what they are given and never call AWS."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping, Sequence


def drift(current: Mapping[str, Any] | None, desired: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Compare the live resource with what is asked for, looking only at what is asked for.

    Returns (before, changes): the live values of the desired keys, and the keys whose values differ. Of a resource
    that is not there `before` is empty and every key differs.
    """
    if current is None:
        return {}, set(desired) or {"state"}
    before = {key: current.get(key) for key in desired}
    return before, {key for key in desired if before[key] != desired[key]}


def merged_tags(tags: Mapping[str, Any] | None, owner: Mapping[str, Any] | None) -> dict[str, str]:
    """Join the user's tags and the owner's. The owner's win, since they decide what teardown may delete."""
    return {str(k): str(v) for k, v in {**(tags or {}), **(owner or {})}.items()}


def foreign_because(tags: Mapping[str, str], owner: Mapping[str, Any]) -> str | None:
    """Return why a resource with these tags is not the owner's, or None where it is."""
    for key, value in owner.items():
        if key not in tags:
            return f"it has no tag {key}={value}"
        if tags[key] != str(value):
            return f"its tag {key} says {tags[key]!r}, ours is {str(value)!r}"
    return None


def tags_to_dict(tags: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """Turn AWS's list of pairs into a dictionary: `Key`/`Value` (most services) or `key`/`value` (ECS).

    AWS's own tags (`aws:…`) are left out: nobody can set them, so they can't be drift. A tag without a value (ECS's
    is optional) has an empty one.
    """
    pairs = ((t.get("Key", t.get("key")), t.get("Value", t.get("value")) or "") for t in tags or [])
    return {k: v for k, v in pairs if k and not k.startswith("aws:")}


def dict_to_tags(tags: Mapping[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Turn a dictionary into AWS's list of pairs, in the order of the keys."""
    return [{key: k, value: tags[k]} for k in sorted(tags)]


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy without the keys whose value is None."""
    return {k: v for k, v in values.items() if v is not None}


def chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Cut `items` into pieces of at most `size`, for calls that take only so many at once."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
