# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The patterns of listener rules: `*` stands for any text, the empty one as well, `?` for one character.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
"""

from __future__ import annotations

#: AWS takes five wildcards in a rule. With more of them in one pattern the answer could take long.
MAX_WILDCARDS = 5


def wildcards(pattern: str) -> int:
    """Return how many wildcards a pattern has."""
    return pattern.count("*") + pattern.count("?")


def covers(wide: str, narrow: str, start: str = "") -> bool:
    """Return whether `wide` matches every text that `narrow` matches, of those texts that begin with `start`.

    Exact, not a guess: `/a*` covers `/ab?` and `?*` covers `*?`. Both are walked through together, one character after
    the other; what `narrow` may end with must be an end of `wide`, too. Case counts.
    """
    if wide == narrow or wildcards(wide) > MAX_WILDCARDS:
        return wide == narrow
    mine, theirs = _reach(narrow, {0}), _reach(wide, {0})
    for letter in start:
        mine, theirs = _step(narrow, mine, letter), _step(wide, theirs, letter)
    # All letters that are in neither of them are alike; NUL stands for them.
    letters = {*wide, *narrow, "\0"} - {"*", "?"}
    todo = [(place, theirs) for place in mine]
    seen = set(todo)
    while todo:
        place, theirs = todo.pop()
        if place == len(narrow) and len(wide) not in theirs:
            return False
        for letter in letters:
            after = _step(wide, theirs, letter)
            new = {(there, after) for there in _step(narrow, frozenset({place}), letter)} - seen
            seen |= new
            todo += new
    return bool(mine)


def _reach(pattern: str, places: set[int]) -> frozenset[int]:
    """Return these places in a pattern, and those behind every `*` that may stand for nothing."""
    reached = set(places)
    for place in places:
        while place < len(pattern) and pattern[place] == "*":
            place += 1
            reached.add(place)
    return frozenset(reached)


def _step(pattern: str, places: frozenset[int], letter: str) -> frozenset[int]:
    """Return where one letter leads from these places."""
    found = set()
    for place in places:
        here = pattern[place : place + 1]
        if here == "*":
            found.add(place)
        elif here == "?" or here == letter:
            found.add(place + 1)
    return _reach(pattern, found)
