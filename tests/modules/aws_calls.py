# SPDX-License-Identifier: GPL-3.0-or-later
"""See which calls a module makes, and answer some of them in the endpoint's place."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Iterator
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.exceptions import ClientError

Answer = Callable[[Callable[[], Any], dict[str, Any]], Any]


@contextlib.contextmanager
def recorded(**answers: Answer) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Record the calls of every boto3 client as [(operation, parameters)].

    An operation that is named in `answers` is answered by that function, which gets the real call and its parameters:
    it may make it (and then, say, lose the reply), return something else, or raise.
    """
    calls: list[tuple[str, dict[str, Any]]] = []
    original = BaseClient._make_api_call

    def make_api_call(self, operation, parameters):
        calls.append((operation, parameters))

        def real():
            return original(self, operation, parameters)

        return answers[operation](real, parameters) if operation in answers else real()

    with patch.object(BaseClient, "_make_api_call", make_api_call):
        yield calls


def operations(calls: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """The names of the recorded operations, in the order they were called."""
    return [name for name, _parameters in calls]


def error(code: str, message: str = "", operation: str = "Anything") -> ClientError:
    """An error as AWS answers with it."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
