# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the account is asked, and how what it does not answer is kept."""

from __future__ import annotations

from typing import Any, Iterable, Mapping

try:
    from botocore.exceptions import ClientError
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.handson.ecs.plugins.module_utils.compare import tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.leftovers import DENIED, Owner, least_prefixes, owned

#: Client -> prefix of its IAM actions, where they differ
PREFIXES = {"elbv2": "elasticloadbalancing", "resourcegroupstaggingapi": "tag"}

#: Error codes besides …NotFound by which AWS says that a thing, or any tag of it, is not there.
GONE = frozenset({"NoSuchEntity", "NoSuchBucket", "NoSuchTagSet"})


class Asking:
    """Asks for everything and keeps what it could not learn."""

    def __init__(self, module: Any, owners: list[Owner]) -> None:
        """Keep an AnsibleAWSModule with option `name_prefixes`, and the tags that everything is looked for by."""
        self.module = module
        self.owners = owners
        self.prefixes = least_prefixes(module.params["name_prefixes"])
        self.unknown: dict[tuple[str, str], dict[str, Any]] = {}
        self.stays: list[str] = []
        self._clients: dict[str, Any] = {}

    def ask(self, kind: str, service: str, operation: str, key: str, **parameters: Any) -> Any:
        """Return what is under `key` of all pages of the answer. Without an answer [], after noting that.

        What is gone by the time it is asked for is no failure.
        """
        if service not in self._clients:
            self._clients[service] = self.module.client(service)
        client = self._clients[service]
        try:
            if client.can_paginate(operation):
                pages = client.get_paginator(operation).paginate(**parameters)
                return [item for page in pages for item in page.get(key) or []]
            answer = getattr(client, operation)(**parameters)
            items = answer.get(key) or []
            # The SDK has no paginator for DescribeCapacityProviders, ten a page, and ListConnections.
            while token := next((t for t in ("nextToken", "NextToken") if answer.get(t)), None):
                answer = getattr(client, operation)(**parameters, **{token: answer[token]})
                items += answer.get(key) or []
            return items
        except ClientError as e:
            code = e.response.get("Error", {}).get("Code", "")
            if code in GONE or code.endswith(("NotFound", "NotFoundException")):
                return []
            self.note(kind, service, e, code in DENIED)
            return []

    def note(self, kind: str, service: str, error: Any, denied: bool = False) -> None:
        """Remember that nobody can tell."""
        action = f"{PREFIXES.get(service, service)}:{error.operation_name}"
        message = "not allowed" if denied else error.response.get("Error", {}).get("Message", "")[:300]
        self.unknown.setdefault((kind, action), {"type": kind, "action": action, "denied": denied, "message": message})

    def mine(self, tags: Iterable[Mapping[str, str]] | Mapping[str, str] | None) -> bool:
        """Return whether something with these tags, in any of AWS's spellings, belongs to one of the owners."""
        return owned(tags_to_dict(tags), self.owners)

