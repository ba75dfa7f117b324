# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""How a gap module changes moto: replace a method and keep the original at hand."""

import functools
import threading
from collections.abc import Callable
from typing import Any

# moto's backends are plain dictionaries and the server is threaded. Requests to the services that look into each
# other here (ECS, EC2, ELBv2, auto scaling) are therefore handled one at a time.
LOCK = threading.RLock()


def replace(owner: type, name: str | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put the decorated function in the place of ``owner.<name>`` (its own name, if none is given).

    The function gets the original as its first argument, None where moto has none.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        attribute = name or function.__name__
        original = getattr(owner, attribute, None)

        # A real function, not a partial: moto finds the operations it has with inspect.isfunction.
        def replacement(self: Any, *args: Any, **kwargs: Any) -> Any:
            return function(original, self, *args, **kwargs)

        if original is not None:
            functools.update_wrapper(replacement, original)
        setattr(owner, attribute, replacement)
        return function

    return decorate
