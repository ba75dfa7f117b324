# SPDX-License-Identifier: GPL-3.0-or-later
import unicodedata

import pytest

from ansible_collections.handson.ecs.plugins.module_utils.table import table, width


@pytest.mark.parametrize(
    ("text", "columns"),
    [("", 0), ("abc", 3), ("한글", 4), ("서비스 a", 8), ("漢字", 4), ("ｆ", 2), ("é", 1), ("e\u0301", 1), ("…", 1)],
)
def test_width(text, columns):
    assert width(text) == columns


def test_a_decomposed_syllable_is_as_wide_as_the_composed_one():
    assert width(unicodedata.normalize("NFD", "한글")) == 4


def test_columns_line_up_with_hangul():
    lines = table("제목", [["이름", "상태"], ["service", "ok"]])
    rows = lines[2:-1]
    assert [width(row[: row.index(last)]) for row, last in zip(rows, ("상태", "ok"), strict=True)] == [11, 11]


def test_the_rule_is_as_wide_as_what_it_encloses():
    lines = table("t", [["a", "bb"]])
    assert lines == ["t", "-" * 7, "  a  bb", "-" * 7]
    assert table("a long title", [["a"]])[1] == "-" * 12
    assert table("한글제목", [])[1] == "-" * 8


def test_rows_may_be_short_and_notes_follow():
    lines = table("t", [["a"], ["bbb", "c"]], ["a note"])
    assert lines[2:4] == ["  a", "  bbb  c"] and lines[-1] == "a note"
