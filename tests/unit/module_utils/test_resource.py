# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of events, on a resource that is a dictionary."""

import pytest
from botocore.exceptions import ClientError

from ansible_collections.handson.ecs.plugins.module_utils import resource as code
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    KNOWN_AFTER_APPLY,
    Missing,
    Resource,
    ResourceError,
    argument_spec,
    ignore_missing,
)

OWNER = {"handson:cluster": "c"}


class Exit(Exception):
    def __init__(self, result):
        super().__init__(result.get("msg"))
        self.result = result


class Module:
    """As much of AnsibleAWSModule as a resource uses."""

    def __init__(self, check=False, **params):
        self.check_mode = check
        self.params = {"name": "thing", "state": "present", "owner": OWNER, "tags": {}, **params}
        self.warnings = []

    def warn(self, text):
        self.warnings.append(text)

    def exit_json(self, **result):
        raise Exit({"failed": False, **result})

    def fail_json(self, **result):
        raise Exit({"failed": True, **result})

    def fail_json_aws(self, error, msg):
        self.fail_json(msg=f"{msg}: {error}")


def refusal(code, message="refused"):
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


class Thing(Resource):
    kind = "thing"
    result_key = "thing"
    immutable = frozenset({"shape"})
    exists_codes = ("AlreadyExists",)

    def __init__(self, module, live=None, refuse=None):
        super().__init__(module)
        self.live, self.refuse, self.calls = live, refuse, []

    def get(self):
        return self.live and dict(self.live)

    def desired(self, current):
        return self.given("size", "shape")

    def create(self, desired):
        self.calls.append("create")
        if self.refuse:
            raise self.refuse
        self.live = dict(desired)

    def update(self, current, desired, changes):
        self.calls.append(("update", changes))
        self.live |= {key: desired[key] for key in changes}

    def delete(self, current):
        self.calls.append("delete")
        self.live = None


def go(thing):
    with pytest.raises(Exit) as ended:
        thing.run()
    return ended.value.result


def ours(**other):
    return {"size": 1, "tags": dict(OWNER), **other}


@pytest.mark.parametrize("check", [True, False])
def test_create(check):
    thing = Thing(Module(check, size=1))
    result = go(thing)
    assert result["changed"] and result["diff"]["before"] == {} and result["diff"]["after"] == ours()
    assert result["thing"] == ours()
    assert (thing.calls, thing.live) == (([], None) if check else (["create"], ours()))


@pytest.mark.parametrize("check", [True, False])
def test_unchanged(check):
    thing = Thing(Module(check, size=1), ours(other="left alone"))
    result = go(thing)
    assert not result["changed"] and thing.calls == [] and result["thing"]["other"] == "left alone"
    assert result["diff"]["before"] == result["diff"]["after"]


@pytest.mark.parametrize("check", [True, False])
def test_update(check):
    thing = Thing(Module(check, size=2, tags={"team": "vets"}), ours(tags={**OWNER, "theirs": "stays"}))
    result = go(thing)
    tags = {**OWNER, "theirs": "stays", "team": "vets"}
    assert result["changed"] and result["diff"]["after"] == {"size": 2, "tags": tags}
    assert result["thing"] == {"size": 2, "tags": tags}
    assert thing.calls == ([] if check else [("update", {"size", "tags"})])


@pytest.mark.parametrize("check", [True, False])
def test_what_cannot_change_is_refused_also_in_check_mode(check):
    thing = Thing(Module(check, shape="round"), ours(shape="square"))
    result = go(thing)
    assert result["failed"] and "shape is 'square' and would become 'round'" in result["msg"] and thing.calls == []


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("tags", [{}, {"handson:cluster": "other"}])
def test_a_foreign_thing_is_refused_and_not_deleted(check, tags):
    thing = Thing(Module(check, size=2), ours(tags=tags))
    assert "not ours" in go(thing)["msg"]
    thing = Thing(Module(check, state="absent"), ours(tags=tags))
    result = go(thing)
    assert not result["changed"] and result["foreign"] and thing.module.warnings and thing.calls == []


@pytest.mark.parametrize("check", [True, False])
def test_absent(check):
    thing = Thing(Module(check, state="absent"), ours())
    result = go(thing)
    assert result["changed"] and result["diff"] == {
        "before_header": "thing thing",
        "after_header": "thing thing",
        "before": ours(),
        "after": {},
    }
    assert thing.calls == ([] if check else ["delete"])
    assert not go(Thing(Module(check, state="absent")))["changed"]


class LostAnswer(Thing):
    """The first try made the thing, and its answer was lost."""

    found = None

    def create(self, desired):
        self.live = self.found
        super().create(desired)


@pytest.mark.parametrize(
    ("found", "calls", "said"),
    [
        (ours(), ["create"], None),
        (ours(size=3), ["create", ("update", {"size"})], None),
        (ours(tags={}), ["create"], "not ours"),
        (None, ["create"], "AlreadyExists"),
    ],
)
def test_already_there(found, calls, said):
    thing = LostAnswer(Module(size=1), refuse=refusal("AlreadyExists"))
    thing.found = found
    result = go(thing)
    assert thing.calls == calls
    assert (said in result["msg"]) if said else (result["changed"] and result["thing"] == ours())


def test_another_refusal_is_told():
    result = go(Thing(Module(size=1), refuse=refusal("Throttled")))
    assert "Could not set up the thing 'thing'" in result["msg"]


def test_the_details_of_an_error_are_part_of_the_result():
    thing = Thing(Module(size=1))
    error = ResourceError("wrong")
    error.details = {"causes": [1]}
    thing.after = lambda current, changed: (_ for _ in ()).throw(error)
    assert go(thing) == {"failed": True, "msg": "wrong", "causes": [1]}


def test_resolve():
    def missing():
        raise Missing("no such thing")

    assert Thing(Module(True)).resolve(missing) == KNOWN_AFTER_APPLY
    assert Thing(Module(True)).resolve(lambda: "id") == "id"
    with pytest.raises(Missing):
        Thing(Module()).resolve(missing)


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

        def sleep(self, seconds):
            self.now += seconds

    clock = Clock()
    monkeypatch.setattr(code, "time", clock)
    return clock


def test_wait(clock):
    thing = Thing(Module())
    thing.wait(lambda: clock.now >= 12, "it", timeout=60, interval=5)
    assert clock.now == 15
    with pytest.raises(ResourceError, match="Waited 7 s for it"):
        thing.wait(lambda: False, "it", timeout=7, interval=5)
    assert clock.now == 22  # not 25: the last sleep ends with the time


def test_retry_on(clock):
    thing = Thing(Module())
    answers = [refusal("X", "Role is not valid"), refusal("X", "Role is not valid"), "made"]

    def call():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert thing.retry_on(("not valid",), call) == "made" and clock.now == 6
    answers[:] = [refusal("X", "something else")]
    with pytest.raises(ClientError, match="something else"):
        thing.retry_on(("not valid",), call)
    answers[:] = [refusal("X", "Role is not valid")] * 50
    with pytest.raises(ClientError, match="not valid"):
        thing.retry_on(("not valid",), call, timeout=9)
    assert clock.now == 15


def test_ignore_missing():
    def call(error):
        if error:
            raise error
        return "there"

    assert ignore_missing(lambda: call(None), "NotFound") == "there"
    assert ignore_missing(lambda: call(refusal("NotFound")), "Other", "NotFound") is None
    with pytest.raises(ClientError):
        ignore_missing(lambda: call(refusal("Denied")), "NotFound")


def test_argument_spec():
    spec = argument_spec(name={"type": "str"})
    assert set(spec) == {"state", "owner", "tags", "name"} and spec["state"]["default"] == "present"
