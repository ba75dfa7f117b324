# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One AWS resource, kept as its options describe it.

A module subclasses :class:`Resource` and says how its thing is found, made, changed and deleted. The order of
events is the same for all of them and stands here once::

    get -> is it ours? -> desired -> compare -> (check mode ends here) -> create / update / delete -> read back

``changed`` and the diff come from the comparison alone, before and apart from any call that changes something.
"""

from __future__ import annotations

import time
from typing import Any, Callable

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library in its own words
    BotoCoreError = ClientError = Exception

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils.compare import drift, foreign_because, merged_tags

#: Stands in check mode for the id or ARN of something that the same run would make first.
KNOWN_AFTER_APPLY = "(known after apply)"


class ResourceError(Exception):
    """A fault that the user can mend: what is wrong, the value, and the way out. The module fails with its text."""


class Missing(ResourceError):
    """Something this resource stands on was not found by its name.

    In check mode the run that is being tried out would make it first, so that is no fault there: `Resource.resolve`
    answers with KNOWN_AFTER_APPLY instead.
    """


class Resource:
    """Base of every module class. See the module's docstring for the order of events."""

    #: What it is called in a message, such as "target group".
    kind: str = ""
    #: The option that holds its name.
    name_option: str = "name"
    #: The key of the result that describes it.
    result_key: str = ""
    #: Options that AWS cannot change on a living resource.
    immutable: frozenset[str] = frozenset()
    #: Error codes by which a create says that the thing is already there.
    exists_codes: tuple[str, ...] = ()

    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.params: dict[str, Any] = module.params
        self._clients: dict[str, Any] = {}

    # --- what a subclass says -------------------------------------------------------------------------------------

    def get(self) -> dict[str, Any] | None:
        """Return the live resource in the names of the options plus `tags` and its identifiers, or None."""
        raise NotImplementedError

    def desired(self, current: dict[str, Any] | None) -> dict[str, Any]:
        """Return what the options ask for, in the names of the options. Leave out what they leave open."""
        raise NotImplementedError

    def create(self, desired: dict[str, Any]) -> None:
        """Make it."""
        raise NotImplementedError

    def update(self, current: dict[str, Any], desired: dict[str, Any], changes: set[str]) -> None:
        """Change what is named in `changes` and nothing else."""
        raise NotImplementedError

    def delete(self, current: dict[str, Any]) -> None:
        """Take it away, and wait until it is gone where something else waits for that."""
        raise NotImplementedError

    def after(self, current: dict[str, Any] | None, changed: bool) -> dict[str, Any]:
        """Hook for what follows a settled `present`, such as a wait. Returns more keys for the result."""
        return {}

    def _foreign_because(self, current: dict[str, Any]) -> str | None:
        """Return why the live resource is not ours, None where it is. By its tags, unless a subclass knows better."""
        return foreign_because(current.get("tags", {}), self.params["owner"])

    # --- the order of events --------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.params[self.name_option]

    @property
    def wanted_tags(self) -> dict[str, str]:
        return merged_tags(self.params["tags"], self.params["owner"])

    def client(self, service: str) -> Any:
        """The boto3 client of a service, made once. Retries are the SDK's (AWS_RETRY_MODE, AWS_MAX_ATTEMPTS)."""
        if service not in self._clients:
            self._clients[service] = self.module.client(service)
        return self._clients[service]

    def run(self) -> None:
        """Do what `state` says and leave the module."""
        try:
            result = self._absent() if self.params["state"] == "absent" else self._present()
        except ResourceError as e:
            self.module.fail_json(msg=str(e), **getattr(e, "details", {}))
        except (BotoCoreError, ClientError) as e:
            verb = "remove" if self.params["state"] == "absent" else "set up"
            self.module.fail_json_aws(e, msg=f"Could not {verb} the {self.kind} {self.name!r}")
        self.module.exit_json(**result)

    def _present(self) -> dict[str, Any]:
        current = self.get()
        self._refuse_foreign(current)
        desired = self.desired(current)
        if self.wanted_tags or (current or {}).get("tags"):
            desired["tags"] = {**(current or {}).get("tags", {}), **self.wanted_tags}
        before, changes = drift(current, desired)
        self._refuse_immutable(current, before, desired, changes)
        if changes and not self.module.check_mode:
            if current is None:
                self._create(desired)
            else:
                self.update(current, desired, changes)
            current = self._read_back()
        seen = current if not (changes and self.module.check_mode) else {**(current or {}), **desired}
        result = {
            "changed": bool(changes),
            "diff": self._diff(before, desired),
            self.result_key: seen,
        }
        result.update(self.after(seen, bool(changes)))
        return result

    def _read_back(self) -> dict[str, Any]:
        """Return what is there now. What was just made may take AWS a moment to show (EC2, ECS and IAM say so)."""
        looks = [self.get()]
        if looks[-1] is None:
            self.wait(lambda: looks.append(self.get()) or looks[-1] is not None, f"the new {self.kind} to show", 60, 1)
        return looks[-1]

    def _create(self, desired: dict[str, Any]) -> None:
        try:
            self.create(desired)
        except ClientError as e:
            # The answer of our own first try may have been lost, and the SDK's second try then finds the thing
            # made: only after a look at what is there do we know whether "already exists" is a failure.
            if e.response.get("Error", {}).get("Code") not in self.exists_codes:
                raise
            current = self.get()
            if current is None:
                raise
            self._refuse_foreign(current)
            before, changes = drift(current, desired)
            self._refuse_immutable(current, before, desired, changes)
            if changes:
                self.update(current, desired, changes)

    def _absent(self) -> dict[str, Any]:
        current = self.get()
        if current is None:
            return {"changed": False, "diff": self._diff({}, {}), self.result_key: None}
        reason = self._foreign_because(current)
        if reason:
            # Not ours to delete, and no reason to stop a teardown: everything of ours still has to go.
            self.module.warn(f"The {self.kind} {self.name!r} is left alone: {reason}.")
            return {"changed": False, "diff": self._diff({}, {}), self.result_key: current, "foreign": True}
        if not self.module.check_mode:
            self.delete(current)
        return {"changed": True, "diff": self._diff(current, {}), self.result_key: None}

    # --- help for subclasses --------------------------------------------------------------------------------------

    def resolve(self, lookup: Callable[[], Any]) -> Any:
        """Return what `lookup` finds; in check mode KNOWN_AFTER_APPLY where it raises Missing."""
        try:
            return lookup()
        except Missing:
            if self.module.check_mode:
                return KNOWN_AFTER_APPLY
            raise

    def given(self, *options: str) -> dict[str, Any]:
        """Return those of the named options that the user gave (that are not None)."""
        return {o: self.params[o] for o in options if self.params.get(o) is not None}

    def wait(self, done: Callable[[], bool], what: str, timeout: float, interval: float = 5.0) -> None:
        """Poll `done` every `interval` seconds until it is true.

        Raises ResourceError after `timeout` seconds, saying what was waited for.
        """
        deadline = time.monotonic() + timeout
        while not done():
            if time.monotonic() >= deadline:
                raise ResourceError(
                    f"Waited {timeout:.0f} s for {what}, in vain. Look at the {self.kind} {self.name!r} in the console; "
                    "a second run goes on from here."
                )
            time.sleep(min(interval, max(0.05, deadline - time.monotonic())))

    def retry_on(self, fragments: tuple[str, ...], call: Callable[[], Any], timeout: float = 90, interval: float = 3) -> Any:
        """Call until it no longer fails with a message that holds one of `fragments`.

        For what AWS needs time to learn (a new IAM role) or to let go (a network interface of a deleted load
        balancer). The last error is raised after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                return call()
            except ClientError as e:
                if not any(f in str(e) for f in fragments) or time.monotonic() >= deadline:
                    raise
            time.sleep(interval)

    def _diff(self, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
        header = f"{self.kind} {self.name}"
        return {"before_header": header, "after_header": header, "before": before, "after": after}

    def _refuse_foreign(self, current: dict[str, Any] | None) -> None:
        if current is None:
            return
        reason = self._foreign_because(current)
        if reason:
            raise ResourceError(
                f"The {self.kind} {self.name!r} is there already and is not ours: {reason}. It was not touched. "
                "Choose another name or prefix in the inventory, or, if it is yours, put the tag on it."
            )

    def _refuse_immutable(
        self, current: dict[str, Any] | None, before: dict[str, Any], desired: dict[str, Any], changes: set[str]
    ) -> None:
        stuck = sorted(changes & self.immutable) if current is not None else []
        if not stuck:
            return
        said = "; ".join(f"{o} is {before.get(o)!r} and would become {desired[o]!r}" for o in stuck)
        raise ResourceError(
            f"AWS cannot change this on the living {self.kind} {self.name!r}: {said}. "
            "Take it away with the teardown playbook of its stage (playbooks/teardown_<stage>.yml) and run again, or give the "
            "new one another name."
        )


def ignore_missing(call: Callable[[], Any], *codes: str) -> Any:
    """Return what `call` returns, or None where AWS answers with one of the error `codes`."""
    try:
        return call()
    except is_boto3_error_code(list(codes)):
        return None


def argument_spec(**options: Any) -> dict[str, Any]:
    """The argument spec of a resource module: its own options and those of the doc fragment `resource`."""
    return {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "owner": {"type": "dict", "default": {}},
        "tags": {"type": "dict", "default": {}},
        **options,
    }
