# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils import compare


@pytest.mark.parametrize(
    ("current", "desired", "before", "changes"),
    [
        (None, {"a": 1}, {}, {"a"}),
        (None, {}, {}, {"state"}),  # what is only there or not must still be made
        ({}, {}, {}, set()),
        ({"a": 1, "b": 2}, {"a": 1}, {"a": 1}, set()),
        ({"a": 1}, {"a": 2}, {"a": 1}, {"a"}),
        ({}, {"a": 0}, {"a": None}, {"a"}),
        ({"a": None}, {"a": None}, {"a": None}, set()),
        ({"a": 1}, {"a": True}, {"a": 1}, set()),
        ({"a": {"b": [1]}}, {"a": {"b": [2]}}, {"a": {"b": [1]}}, {"a"}),
    ],
)
def test_drift(current, desired, before, changes):
    assert compare.drift(current, desired) == (before, changes)


@pytest.mark.parametrize(
    ("tags", "owner", "merged"),
    [
        (None, None, {}),
        ({"a": 1}, {}, {"a": "1"}),
        ({"a": "mine", 2: "b"}, {"a": "owner"}, {"a": "owner", "2": "b"}),
    ],
)
def test_merged_tags(tags, owner, merged):
    assert compare.merged_tags(tags, owner) == merged


@pytest.mark.parametrize(
    ("tags", "owner", "because"),
    [
        ({}, {}, None),
        ({"other": "x"}, {}, None),
        ({"handson:cluster": "c", "other": "x"}, {"handson:cluster": "c"}, None),
        ({"n": "1"}, {"n": 1}, None),
        ({}, {"handson:cluster": "c"}, "it has no tag handson:cluster=c"),
        ({"handson:cluster": ""}, {"handson:cluster": "c"}, "its tag handson:cluster says '', ours is 'c'"),
        (
            {"handson:cluster": "c", "handson:service": "b"},
            {"handson:cluster": "c", "handson:service": "s"},
            "says 'b'",
        ),
    ],
)
def test_foreign_because(tags, owner, because):
    said = compare.foreign_because(tags, owner)
    assert (said is None) if because is None else because in said


@pytest.mark.parametrize(
    ("listed", "tags"),
    [
        (None, {}),
        ([], {}),
        ([{"Key": "a", "Value": "1"}], {"a": "1"}),
        ([{"key": "a", "value": "1"}], {"a": "1"}),
        ([{"key": "a"}], {"a": ""}),
        ([{"Key": "aws:cloudformation:stack-name", "Value": "s"}, {"Key": "awsome", "Value": "1"}], {"awsome": "1"}),
    ],
)
def test_tags_to_dict(listed, tags):
    assert compare.tags_to_dict(listed) == tags


def test_dict_to_tags_is_sorted_and_reversible():
    tags = {"b": "2", "a": "1"}
    assert compare.dict_to_tags(tags) == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    assert compare.tags_to_dict(compare.dict_to_tags(tags, "key", "value")) == tags


def test_without_none_keeps_what_is_only_empty():
    assert compare.without_none({"a": None, "b": 0, "c": "", "d": []}) == {"b": 0, "c": "", "d": []}


@pytest.mark.parametrize(
    ("items", "size", "parts"),
    [([], 2, []), ([1], 2, [[1]]), ([1, 2, 3], 2, [[1, 2], [3]]), ([1, 2], 2, [[1, 2]])],
)
def test_chunks(items, size, parts):
    assert list(compare.chunks(items, size)) == parts
