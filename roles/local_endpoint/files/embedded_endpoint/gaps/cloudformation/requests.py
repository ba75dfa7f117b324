# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""The stacks of an account and region, and what a call asks of one."""

import re
from typing import Any

from moto.cloudformation.utils import get_stack_from_s3_url

from embedded_endpoint.gaps.cloudformation import parameters
from embedded_endpoint.gaps.cloudformation import template as templates
from embedded_endpoint.gaps.cloudformation.clients import Api
from embedded_endpoint.gaps.cloudformation.errors import invalid
from embedded_endpoint.gaps.cloudformation.operations import Operation
from embedded_endpoint.gaps.cloudformation.stack import UPDATABLE, Stack
from embedded_endpoint.gaps.cloudformation.steps import Wish

_NAME = "[a-zA-Z][-a-zA-Z0-9]*"
_LONGEST_BODY = 51_200  # bytes of a template in a call; a longer one must come from S3


class Stacks:
    """All stacks, also deleted ones; it hangs on moto's backend and goes with it."""

    def __init__(self, backend: Any):
        self.api = Api(backend.account_id, backend.region_name)
        self.all: dict[str, Stack] = {}
        self.change_sets: dict[str, Any] = {}

    @classmethod
    def of(cls, backend: Any) -> "Stacks":
        """The stacks of moto's backend."""
        if "handson_stacks" not in vars(backend):
            backend.handson_stacks = cls(backend)
        return backend.handson_stacks

    def find(self, name: str | None, message: str) -> Stack:
        """A stack by name (living ones) or id (deleted ones, too)."""
        found = self.all.get(name or "") or self.named(name or "")
        if found is None:
            raise invalid(message)
        return found

    def named(self, name: str) -> Stack | None:
        """The living stack of a name (or with an id)."""
        living = (each for each in reversed(self.all.values()) if not each.is_gone)
        return next((each for each in living if name in (each.name, each.id)), None)

    def add(self, name: str) -> Stack:
        """A new stack. Raises ValidationError for a bad name."""
        if not re.fullmatch(_NAME, name or "") or len(name) > 128:
            raise invalid(
                f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must "
                f"satisfy regular expression pattern: {_NAME}"
            )
        stack = Stack(name, self.api)
        self.all[stack.id] = stack
        return stack

    def exports(self) -> dict[str, tuple[str, str]]:
        """Exported outputs: the exporting stack's id and the value, by name."""
        return {
            output["ExportName"]: (stack.id, output["OutputValue"])
            for stack in self.all.values()
            for output in stack.outputs
            if "ExportName" in output
        }

    def operation(self, stack: Stack) -> Operation:
        """An operation on a stack."""
        return Operation(stack, self._imported)

    def _imported(self, name: str) -> str:
        found = self.exports().get(name)
        if found is None:
            raise invalid(f"No export named {name} found.")
        return found[1]


class Request:
    """The input of CreateStack, UpdateStack and CreateChangeSet."""

    def __init__(self, response: Any, stacks: Stacks):
        self.get, self.response, self.stacks = response._get_param, response, stacks

    def _text(self, stack: Stack | None) -> str:
        body, url = self.get("TemplateBody"), self.get("TemplateURL")
        previous = str(self.get("UsePreviousTemplate", False)).lower() == "true"
        if previous and (body or url):
            raise invalid("You cannot specify both usePreviousTemplate and Template Body/Template URL.")
        if previous and stack is not None:
            return stack.text
        if body and url:
            raise invalid("You must specify only one of Template URL or Template Body.")
        if url:
            return get_stack_from_s3_url(
                url, account_id=self.response.current_account, partition=self.response.partition
            )
        if not body:
            raise invalid("Either Template URL or Template Body must be specified.")
        if len(body.encode()) > _LONGEST_BODY:
            raise invalid(
                f"1 validation error detected: Value '{body[:40]}...' at 'templateBody' failed to satisfy constraint: "
                f"Member must have length less than or equal to {_LONGEST_BODY}"
            )
        return body

    def wish(self, stack: Stack | None) -> Wish:
        """What the call asks for. Raises the ValidationErrors of a template and its parameters."""
        text = self._text(stack)
        template = templates.parse(text)
        templates.check(template, self.stacks.api.region)
        before = stack.parameters if stack else {}
        values = parameters.given(template, self.get("Parameters") or [], before)
        capabilities = list(self.get("Capabilities") or [])
        templates.check_capabilities(template, capabilities)
        return Wish(
            text,
            template,
            values,
            parameters.resolved(template, values, self.stacks.api),
            self._tags(stack),
            {**(stack.options if stack else {}), **self._options(), "Capabilities": capabilities},
        )

    def _options(self) -> dict[str, Any]:
        names = ("RoleARN", "NotificationARNs", "TimeoutInMinutes", "OnFailure")
        options = {name: self.get(name) for name in names if self.get(name)}
        options["DisableRollback"] = str(self.get("DisableRollback", False)).lower() == "true"
        return options

    def _tags(self, stack: Stack | None) -> dict[str, str]:
        """Left out, the stack's tags stay; an empty list takes them away."""
        given = self.get("Tags")
        if stack is not None and not given and "Tags" not in self.response.querystring:
            return dict(stack.tags)
        tags = {each["Key"]: each["Value"] for each in given or []}
        if reserved := [key for key in tags if key.lower().startswith("aws:")]:
            raise invalid(f"aws: prefixed tag key names are not allowed for external use. Invalid keys: {reserved}")
        if len(tags) > 50:
            raise invalid("Number of tags exceeds the limit of 50.")
        return tags


def check_updatable(stack: Stack) -> None:
    """ValidationError in a state that has no way to an update."""
    if stack.shown_status not in UPDATABLE:
        raise invalid(f"Stack:{stack.id} is in {stack.shown_status} state and can not be updated.")
