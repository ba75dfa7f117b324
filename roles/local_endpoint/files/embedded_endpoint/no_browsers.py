# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Web pages have no business here: what a browser sends for one is refused before anything reads it.

moto checks no signature, so that any page a browser here shows could use the API, and with containers start some. A
page's request says where it comes from: `Origin` (https://fetch.spec.whatwg.org/#origin-header) with all that may
change something, `Sec-Fetch-Site` (https://www.w3.org/TR/fetch-metadata/) with the rest. A page whose own name was made
to lead to this machine (DNS rebinding) has that name in `Host`. No AWS client sends the first two, nor another host.
"""

import ipaddress
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

LOG = logging.getLogger("embedded_endpoint")
FROM_NO_PAGE = ("", "none", "same-origin")  # an address that somebody typed, and moto's own pages that read


class NoBrowsers:
    """WSGI middleware that answers 403 to what a web page asked for, and to other hosts' names."""

    def __init__(self, application: Callable[..., Iterable[bytes]]):
        self.application = application
        self.logged: set[str] = set()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        why = refusal(environ)
        if not why:
            return self.application(environ, start_response)
        if why not in self.logged:  # once: a page can ask as often as it likes, and nothing of what it says is told
            self.logged.add(why)
            LOG.warning("a request was refused with HTTP 403, and more like it will be without a line here: %s", why)
        message = f"The local endpoint is for AWS clients on this machine: {why}."
        # The fields that SDKs read an error from, in JSON as in other protocols the status tells enough.
        body = json.dumps({"__type": "AccessDeniedException", "message": message}).encode()
        start_response("403 Forbidden", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


def refusal(environ: dict[str, Any]) -> str:
    """Why a request is refused; empty if it isn't."""
    if "HTTP_ORIGIN" in environ:
        return "it answers no web page (the request has an Origin header)"
    if environ.get("HTTP_SEC_FETCH_SITE", "").lower() not in FROM_NO_PAGE:
        return "it answers no web page (the request's Sec-Fetch-Site header says that one asked)"
    if not environ.get("HTTP_HOST"):
        return "take http://127.0.0.1 with its port (the request's Host header is missing, as HTTP/1.0 allows)"
    if not is_here(environ.get("HTTP_HOST", "")):
        return "take http://127.0.0.1 with its port (the request's Host header has another name)"
    return ""


def is_here(host: str) -> bool:
    """Whether a Host header means this machine: a loopback address or localhost, on whatever port.

    Also a bucket's name before localhost, as some SDKs put it. No page can have such a name: RFC 6761, section 6.3.
    """
    name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    name = name if name and port.isdigit() else host
    name = name.lower()
    if f".{name.removesuffix('.')}".endswith(".localhost"):  # with a dot at the end as well: a name in full
        return True
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
