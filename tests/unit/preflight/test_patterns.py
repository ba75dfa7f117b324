# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Whether one pattern of a listener rule takes everything that another one takes."""

import itertools
import re

import pytest
from ansible_collections.handson.ecs.plugins.module_utils.preflight.patterns import covers


@pytest.mark.parametrize(
    ("wide", "narrow", "is_so"),
    [
        ("/api/*", "/api/users*", True),
        ("/api/users*", "/api/*", False),
        ("/api*", "/api", True),
        ("/api/*", "/api", False),
        ("/a", "/a", True),
        ("/a", "/A", False),
        ("*", "", True),
        ("?*", "*?", True),
        ("*?", "?*", True),
        ("?", "*", False),
        ("a?*", "a*a", True),
        ("a*b*c", "abc", True),
        ("a*b*c", "a*c", False),
        ("*a*", "*aa*", True),
        ("*.example.com", "api.example.com", True),
        ("*.example.com", "example.com", False),
        ("/*?*?*", "/??*", True),
        ("/*?*?*", "/?*", False),
    ],
)
def test_covers(wide, narrow, is_so):
    assert covers(wide, narrow) is is_so


@pytest.mark.parametrize(
    ("wide", "narrow", "is_so"), [("/*", "*", True), ("/*", "*x", True), ("/?*", "*", False), ("*", "a", False)]
)
def test_every_path_begins_with_a_slash(wide, narrow, is_so):
    assert covers(wide, narrow, start="/") is is_so


def test_it_is_exact():
    """All patterns of up to four characters, held against all texts that could tell them apart."""
    patterns = ["".join(p) for n in range(5) for p in itertools.product("a*?", repeat=n)][:80]
    texts = ["".join(t) for n in range(7) for t in itertools.product("ab", repeat=n)]
    found = {
        p: {t for t in texts if re.fullmatch(p.replace("*", ".*").replace("?", "."), t)} for p in patterns
    }  # fmt: skip
    wrong = [(w, n) for w in patterns for n in patterns if covers(w, n) != (found[n] <= found[w])]
    assert wrong == []


def test_many_wildcards_take_no_time():
    assert not covers("*?" * 40, "*?" * 41)
    assert covers("*a?*?b*", "*" * 64 + "a" * 30 + "?" * 30 + "b")
