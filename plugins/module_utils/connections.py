# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CodeConnections connections: what may be asked for, and where a person approves one.

https://docs.aws.amazon.com/codeconnections/latest/APIReference/API_CreateConnection.html
"""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping

#: Letters of a name (ConnectionName)
MOST_LETTERS = 32
#: The service has two names in ARNs: the older one stays in those of connections made under it.
ARN = re.compile(
    r"arn:(?P<partition>aws[\w-]*):(?P<service>codeconnections|codestar-connections):(?P<region>[a-z0-9-]+)"
    r":(?P<account>\d{12}):connection/(?P<id>[\w-]+)"
)
CONSOLES = {"aws": "console.aws.amazon.com", "aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
#: The better a connection can be used, the earlier it stands
STATUSES = ("AVAILABLE", "PENDING", "ERROR")


def name_fault(name: str) -> str | None:
    """Return what is wrong with a connection's name, or None."""
    if 1 <= len(name) <= MOST_LETTERS:
        return None
    return f"it has {len(name)} characters, and the name of a connection has 1 to {MOST_LETTERS}"


def is_arn(value: str) -> bool:
    """Return whether a value is the ARN of a connection, under either name of the service."""
    return ARN.fullmatch(value) is not None


def console_url(arn: str) -> str:
    """Return the page of the console where a person sees a connection and approves a pending one.

    Raises ValueError where `arn` is not a connection's.
    """
    m = ARN.fullmatch(arn)
    if m is None:
        raise ValueError(f"{arn!r} is not the ARN of a connection")
    host = CONSOLES.get(m["partition"], CONSOLES["aws"])
    region, account = m["region"], m["account"]
    # China's console has no subdomain for a region.
    host = host if m["partition"] == "aws-cn" else f"{region}.{host}"
    return f"https://{host}/codesuite/settings/{account}/{region}/{m['service']}/connections/{m['id']}"


def connection_from_aws(connection: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    """Return what GetConnection or ListConnections says of one, in the names of the options."""
    return {
        "name": connection["ConnectionName"],
        "arn": connection["ConnectionArn"],
        "provider": connection.get("ProviderType"),
        "status": connection["ConnectionStatus"],
        "console_url": console_url(connection["ConnectionArn"]),
        "tags": dict(tags),
    }


def connections_named(codeconnections: Any, name: str) -> list[dict[str, Any]]:
    """Return the connections with this name, as ListConnections gives them, which has no filter for names.

    Takes a boto3 client and reads page by page: the SDK has no paginator for it.
    """
    found: list[dict[str, Any]] = []
    page: dict[str, Any] = {}
    while not page or page.get("NextToken"):
        more = {"NextToken": page["NextToken"]} if page else {}
        page = codeconnections.list_connections(MaxResults=100, **more)
        found += [c for c in page["Connections"] if c["ConnectionName"] == name]
    return found


def most_usable(connections: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the one of them that can be used soonest, or None where there is none.

    Names are unique in an account, says AWS; but a call whose answer was lost may have made a second one.
    """
    ranked = sorted(connections, key=lambda c: (STATUSES.index(c["status"]) if c["status"] in STATUSES else 9, c["arn"]))
    return ranked[0] if ranked else None
