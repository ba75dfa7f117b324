# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML and SVG as text. Whatever is put into a tag is escaped, unless it came out of one."""

from __future__ import annotations

import html
from typing import Any, Iterable, Iterator

#: Tags that have no end.
VOID = frozenset({"br", "hr", "meta", "link", "img"})


class Markup(str):
    """A piece that is escaped already."""


def escaped(value: Any) -> Markup:
    """Return any value as text that is safe in an element and in a quoted attribute; a Markup as it is."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value), quote=True))


def join(parts: Iterable[Any]) -> Markup:
    """Return the parts one after the other, each escaped, lists flattened. None and False are left out."""
    return Markup("".join(escaped(p) for p in flat(parts) if p is not None and p is not False))


def flat(children: Iterable[Any]) -> Iterator[Any]:
    """Yield the children, and those of lists among them."""
    for child in children:
        if isinstance(child, (list, tuple)):
            yield from flat(child)
        else:
            yield child


def tag(name: str, /, *children: Any, **attributes: Any) -> Markup:
    """Return an element. An attribute that is None is left out.

    `class_` is the attribute class, and `_` in a name stands for `-`: `data_label`.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in VOID:
        return Markup(f"<{name}{said}>")
    return Markup(f"<{name}{said}>{join(children)}</{name}>")


def link(url: str, text: Any) -> Markup:
    """Return a link, or the text alone where the address is none of the web's (`javascript:` would be a program)."""
    if not url.startswith(("http://", "https://")):
        return escaped(text)
    return tag("a", text, href=url, rel="noreferrer noopener")
